//! Churn: sessions that come at a rate, stay a moment and leave, politely or not; and what that leaves behind.

mod api;
mod report;
mod visit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use api::{ApiCounts, ApiOptions};
pub use report::{ChurnReport, ErrandReport, Left, Visited};

use super::numbered;
use super::publish::Media;
use crate::http;
use crate::net::Dialer;
use crate::process::{Usage, Watch};
use crate::{Error, Result, TlsOptions};
use report::Tally;
use visit::Visit;

/// What visitors come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Errand {
    /// Play over RTMP.
    Rtmp,
    /// Play over HTTP-FLV.
    Flv,
    /// Load the playlists of a stream and its newest segment or part.
    Hls,
    /// Get a resource, as far as its end or the time of holding.
    Http,
    /// Publish over RTMP.
    Publish,
}

impl Errand {
    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::Hls => "hls",
            Self::Http => "http",
            Self::Publish => "publish",
        }
    }

    /// What an address is most likely good for: RTMP for playing, and for publishing where it has a `{n}`, so that each
    /// publisher has a stream of its own; HTTP by the end of the path.
    #[must_use]
    pub fn guess(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if crate::rtmp::is_rtmp(url) {
            let numbered = numbered(url, 0) != url;
            Some(if numbered { Self::Publish } else { Self::Rtmp })
        } else if !url.starts_with("http://") && !url.starts_with("https://") {
            None
        } else if path.ends_with(".m3u8") {
            Some(Self::Hls)
        } else if path.ends_with(".flv") {
            Some(Self::Flv)
        } else {
            Some(Self::Http)
        }
    }
}

/// Options of [`churn`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChurnOptions {
    /// What visitors come for, and where: one after the other takes the next. `{n}` or `{}` in an address becomes the
    /// number of the visitor; a publisher's address without it gets the number at its end.
    pub targets: Vec<(Errand, String)>,
    /// Visitors a second.
    pub rate: f64,
    /// For how long visitors come.
    pub duration: Duration,
    /// How long each stays once it has media, or may publish.
    pub hold: Duration,
    /// How long the server may take for each step.
    pub timeout: Duration,
    /// Most visitors at one time; others that are due meanwhile are held back and counted.
    pub most_open: usize,
    /// Video bits a second of publishers.
    pub bitrate: u64,
    /// How certificates are judged.
    pub tls: TlsOptions,
    /// A process of this machine to watch: the server.
    pub watch: Option<u32>,
    /// Between two readings of it.
    pub watch_every: Duration,
    /// Where to ask for the server's own counts, before and after.
    pub api: Option<ApiOptions>,
    /// Between the last visitor and the last reading: the time the server has to clean up.
    pub settle: Duration,
}

impl ChurnOptions {
    /// 2000 visitors a minute for a minute, each staying a second; 10 s for each step; at most 2000 at a time; 5 s to
    /// settle.
    #[must_use]
    pub fn new(targets: Vec<(Errand, String)>) -> Self {
        Self {
            targets,
            rate: 2_000.0 / 60.0,
            duration: Duration::from_secs(60),
            hold: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            most_open: 2_000,
            bitrate: 500_000,
            tls: TlsOptions::default(),
            watch: None,
            watch_every: Duration::from_secs(2),
            api: None,
            settle: Duration::from_secs(5),
        }
    }
}

/// How a visitor leaves. Of four visitors of a target two leave politely, one by FIN alone and one by RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// With the words of the protocol, where it has some, then FIN.
    Polite,
    /// FIN.
    Fin,
    /// RST, in the middle of what is being sent.
    Reset,
}

impl Leave {
    const fn of(visitor: usize) -> Self {
        match visitor % 4 {
            0 | 2 => Self::Polite,
            1 => Self::Fin,
            _ => Self::Reset,
        }
    }
}

/// What all visitors of a run share.
pub(crate) struct Run {
    pub(crate) options: ChurnOptions,
    pub(crate) media: Media,
    pub(crate) dialer: Dialer,
    pub(crate) cancel: CancellationToken,
}

/// Sends the visitors and reports. Ends when all have left and the time to settle is over, or soon after `cancel` fires.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Url`]; what the API answers when it is asked for the first time. Visitors that fail are
/// in the report.
pub async fn churn(options: ChurnOptions, cancel: CancellationToken) -> Result<ChurnReport> {
    check(&options)?;
    // One set-up of TLS serves all targets.
    let secure = options
        .targets
        .iter()
        .find(|(_, url)| crate::net::is_secure(url));
    let like = secure.map_or("", |(_, url)| url.as_str());
    let dialer = Dialer::new(like, options.timeout, &options.tls)?;
    let mut wish = super::PublishOptions::new("");
    wish.bitrate = options.bitrate;
    let media = Media::open(&wish)?;
    let before = match &options.api {
        Some(api) => Some(api.counts(&options.tls).await?),
        None => None,
    };
    let watch = |pid| Watch::start(pid, options.watch_every);
    let server = options.watch.map(watch).transpose()?;
    let own = watch(std::process::id())?;
    let run = Arc::new(Run {
        options,
        media,
        dialer,
        cancel,
    });
    let mut tally = Tally::new(&run.options);
    visitors(&run, &mut tally).await;
    if !run.cancel.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(run.options.settle) => {}
            () = run.cancel.cancelled() => {}
        }
    }
    let mut report = tally.report(&run.options, own.finish().await);
    if let Some(server) = server {
        report.server = Some(server.finish().await);
    }
    if let (Some(api), Some(before)) = (&run.options.api, before) {
        report.api_before = Some(before);
        // A server that has gone under has no counts, and the report says so elsewhere.
        report.api_after = api.counts(&run.options.tls).await.ok();
    }
    report.rss_bytes = Usage::own().rss_bytes;
    Ok(report)
}

/// Lets them come, and waits until all have gone.
async fn visitors(run: &Arc<Run>, tally: &mut Tally) {
    let options = &run.options;
    let begun = Instant::now();
    let mut here: JoinSet<Visit> = JoinSet::new();
    for n in 0_usize.. {
        let offset = Duration::from_secs_f64(n as f64 / options.rate);
        if offset >= options.duration {
            break;
        }
        let due = tokio::time::Instant::from_std(begun + offset);
        loop {
            tokio::select! {
                Some(gone) = here.join_next() => tally.take(gone),
                () = tokio::time::sleep_until(due) => break,
                () = run.cancel.cancelled() => break,
            }
        }
        if run.cancel.is_cancelled() {
            break;
        }
        if here.len() >= options.most_open {
            tally.held_back += 1;
            continue;
        }
        tally.begun(begun.elapsed(), here.len() + 1);
        let run = Arc::clone(run);
        here.spawn(async move { visit::visit(&run, n).await });
    }
    tally.came_for = begun.elapsed();
    while let Some(gone) = here.join_next().await {
        tally.take(gone);
    }
}

fn check(options: &ChurnOptions) -> Result<()> {
    let usage = |text: &str| Err(Error::Usage(text.to_owned()));
    if options.targets.is_empty() {
        return usage("visitors need an address");
    }
    // At most one each 10 microseconds: more than any machine opens.
    if !(options.rate > 0.0 && options.rate <= 100_000.0) {
        return usage("the rate is at most 100000 visitors a second, and more than none");
    }
    if options.most_open == 0 {
        return usage("at least one visitor must be let in at a time");
    }
    for (errand, url) in &options.targets {
        match errand {
            Errand::Rtmp | Errand::Publish => {
                crate::rtmp::target(&numbered(url, 0))?;
            }
            _ => http::check(&numbered(url, 0))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errands_are_guessed() {
        for (url, want) in [
            ("rtmp://h/live/cam", Some(Errand::Rtmp)),
            ("rtmps://h/live/c{n}", Some(Errand::Publish)),
            ("http://h/live/cam.flv?token=x", Some(Errand::Flv)),
            ("https://h/live/cam/index.m3u8", Some(Errand::Hls)),
            ("http://h/", Some(Errand::Http)),
            ("/tmp/a", None),
        ] {
            assert_eq!(Errand::guess(url), want, "{url}");
        }
    }

    #[test]
    fn wrong_wishes_are_refused() {
        let wish = |errand, url: &str| ChurnOptions::new(vec![(errand, url.to_owned())]);
        assert!(check(&wish(Errand::Rtmp, "rtmp://h/live/cam")).is_ok());
        assert!(check(&wish(Errand::Rtmp, "http://h/live/cam")).is_err());
        assert!(check(&wish(Errand::Http, "rtmp://h/live/cam")).is_err());
        assert!(check(&ChurnOptions::new(Vec::new())).is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut options = wish(Errand::Http, "http://h/");
            options.rate = rate;
            assert!(check(&options).is_err(), "{rate}");
        }
    }
}
