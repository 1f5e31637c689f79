//! The load generator: many players of one stream, many publishers, or many who come and go.

mod churn;
mod fate;
mod flv_skim;
mod hls;
mod http_flv;
mod misfit;
mod numbers;
mod options;
mod peers;
mod play;
mod publish;
mod report;
mod rtmp;
mod rtmp_skim;
mod session;
mod table;

use serde::{Deserialize, Serialize};

pub use churn::{
    ApiCounts, ApiOptions, ChurnOptions, ChurnReport, Errand, ErrandReport, Left, Visited, churn,
};
pub use options::{PlayOptions, PublishOptions};
pub use play::play;
pub use publish::publish;
pub use report::{PlayReport, PublishReport, PublisherReport, SessionReport, Sessions, Treatment};

/// A protocol that players can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP play.
    Rtmp,
    /// HTTP-FLV.
    Flv,
    /// HLS and LL-HLS.
    Hls,
}

impl Protocol {
    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::Hls => "hls",
        }
    }

    /// What an address most likely speaks: `rtmp://` and `rtmps://` RTMP, a path ending in `.m3u8` HLS, other HTTP addresses
    /// FLV.
    #[must_use]
    pub fn guess(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if crate::rtmp::is_rtmp(url) {
            Some(Self::Rtmp)
        } else if !url.starts_with("http://") && !url.starts_with("https://") {
            None
        } else if path.ends_with(".m3u8") || path.ends_with(".m3u") {
            Some(Self::Hls)
        } else {
            Some(Self::Flv)
        }
    }
}

/// The address of session `n`.
fn numbered(url: &str, n: usize) -> String {
    let n = n.to_string();
    url.replace("{n}", &n).replace("{}", &n)
}

/// An address of its own for session `n`: the number in its place, or else behind the path.
fn numbered_apart(url: &str, n: usize) -> String {
    let own = numbered(url, n);
    if own != url {
        return own;
    }
    match url.split_once('?') {
        Some((path, query)) => format!("{path}{n}?{query}"),
        None => format!("{url}{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_guessed() {
        for (url, want) in [
            ("rtmp://h/live/cam", Some(Protocol::Rtmp)),
            ("rtmps://h/live/cam", Some(Protocol::Rtmp)),
            ("http://h/live/cam.flv?token=a", Some(Protocol::Flv)),
            ("https://h/live/cam/index.m3u8?x=y.flv", Some(Protocol::Hls)),
            ("http://h/live/cam", Some(Protocol::Flv)),
            ("/tmp/a.flv", None),
        ] {
            assert_eq!(Protocol::guess(url), want, "{url}");
        }
    }
}
