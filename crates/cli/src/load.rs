//! `load`: many players, publishers or visitors, and what became of them.

use millstream::tools::load::{
    ApiOptions, ChurnOptions, Errand, PlayOptions, Protocol, PublishOptions, churn, play, publish,
};

use crate::args::{ChurnProtocol, Load, LoadChurn, LoadPlay, LoadPublish, PlayProtocol, Scenario};
use crate::exit::{Exit, WrongUse};
use crate::{logs, say, work};

pub(crate) fn run(args: Load) -> anyhow::Result<Exit> {
    logs::begin("warn", Default::default());
    match args.scenario {
        Scenario::Play(args) => players(args),
        Scenario::Publish(args) => publishers(args),
        Scenario::Churn(args) => visitors(args),
    }
}

fn players(args: LoadPlay) -> anyhow::Result<Exit> {
    let protocol = match args.protocol {
        Some(PlayProtocol::Rtmp) => Protocol::Rtmp,
        Some(PlayProtocol::Flv) => Protocol::Flv,
        Some(PlayProtocol::Hls) => Protocol::Hls,
        None => Protocol::guess(&args.url).ok_or_else(|| {
            WrongUse(format!(
                "what {:?} speaks cannot be guessed: say --protocol",
                args.url
            ))
        })?,
    };
    let mut options = PlayOptions::new(protocol, args.url);
    options.count = args.count;
    options.probes = args.probes;
    options.duration = args.duration;
    options.ramp = args.ramp;
    options.timeout = args.timeout;
    options.buffer = std::time::Duration::from_millis(args.buffer);
    options.stalled = args.stalled;
    options.slow_count = match (args.slow_count, args.slow) {
        (Some(count), _) => count,
        (None, Some(_)) => args.count.saturating_sub(args.stalled),
        (None, None) => 0,
    };
    options.slow = args.slow.unwrap_or(options.slow);
    options.watch = args.pid;
    options.http2 = args.http2;
    options.tls = args.tls.into();
    options.details = args.details;
    let expected = args.ramp + args.duration;
    let outcome = work::run("playing", expected, |cancel| play(options, cancel))?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    Ok(outcome.exit(outcome.value.is_clean()))
}

fn publishers(args: LoadPublish) -> anyhow::Result<Exit> {
    let mut options = PublishOptions::new(args.url);
    options.count = args.count;
    options.duration = args.duration;
    options.bitrate = args.bitrate;
    options.fps = args.fps;
    options.gop = args.gop;
    options.size = args.size;
    options.audio = !args.no_audio;
    options.file = args.file;
    options.ramp = args.ramp;
    options.timeout = args.timeout;
    options.retries = args.retry;
    options.tls = args.tls.into();
    options.details = args.details;
    let expected = args.ramp + args.duration;
    let outcome = work::run("publishing", expected, |cancel| publish(options, cancel))?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    Ok(outcome.exit(outcome.value.is_clean()))
}

fn visitors(args: LoadChurn) -> anyhow::Result<Exit> {
    let errand = |url: &str| {
        let errand = match args.protocol {
            ChurnProtocol::Rtmp => Errand::Rtmp,
            ChurnProtocol::Flv => Errand::Flv,
            ChurnProtocol::Hls => Errand::Hls,
            ChurnProtocol::Http => Errand::Http,
            ChurnProtocol::Publish => Errand::Publish,
            ChurnProtocol::Mixed => Errand::guess(url).ok_or_else(|| {
                WrongUse(format!("{url:?} is neither an RTMP nor an HTTP address"))
            })?,
        };
        Ok::<_, WrongUse>((errand, url.to_owned()))
    };
    let targets: Result<Vec<_>, _> = args.url.iter().map(|url| errand(url)).collect();
    let mut options = ChurnOptions::new(targets?);
    options.rate = args.rate;
    options.duration = args.duration;
    options.hold = args.hold;
    options.timeout = args.timeout;
    options.most_open = args.most_open;
    options.bitrate = args.bitrate;
    options.tls = args.tls.into();
    options.watch = args.pid;
    options.api = args.api.map(|url| {
        let mut api = ApiOptions::new(url);
        api.token = args.api_token;
        api
    });
    options.settle = args.settle;
    let expected = args.duration + args.hold + args.settle;
    let outcome = work::run("visiting", expected, |cancel| churn(options, cancel))?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    Ok(outcome.exit(outcome.value.is_clean()))
}
