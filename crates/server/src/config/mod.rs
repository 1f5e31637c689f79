//! The configuration: every key with its default, read from TOML and from `--set`, and explained again.

mod error;
mod explain;
mod keys;
mod limits;
mod parse;
mod remote;
mod value;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use core_frame::{Limits, Secret, StreamKey};

pub use error::{ConfigError, Mistake, Origin};
pub(crate) use remote::scrub;
pub use remote::{SourceUrl, TargetUrl};
pub use value::{FanOut, Listen, LogFormat};

/// Where a thing listens, and nothing else about it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Listener {
    /// The address.
    pub listen: Listen,
}

/// `http.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http {
    /// Plain HTTP/1.1 and HTTP/2 with prior knowledge.
    pub listen: Listen,
    /// HTTPS with HTTP/1.1 and HTTP/2 by ALPN, once a certificate is set.
    pub tls_listen: Listen,
    /// `limits.http_idle_ms`: how long a connection that asks for nothing is kept, in milliseconds.
    pub idle_ms: u64,
    /// `limits.http_held`: HLS requests that wait for what is not there yet, in all.
    pub held: u32,
    /// `limits.http_held_per_ip`: the same from one address.
    pub held_per_ip: u32,
}

/// `tls.*`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tls {
    /// PEM file with the certificate chain.
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
    /// PEM file with authorities to trust for connections to others, beside those of the system.
    pub ca: Option<PathBuf>,
}

/// `rtmp.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rtmp {
    /// Plain RTMP.
    pub listen: Listen,
    /// How players are written to.
    pub fan_out: FanOut,
    /// Where peers are asked to go at shutdown, as far as they understand that; empty is here again.
    pub reconnect_to: String,
}

/// `srt.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Srt {
    /// UDP address.
    pub listen: Listen,
    /// Passphrase of encrypted sessions; empty means none.
    pub passphrase: Secret,
    /// Receive latency in milliseconds; 0 derives it from the round trip.
    pub latency_ms: u64,
}

/// `webrtc.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Webrtc {
    /// The one UDP port of all peers.
    pub udp_listen: Listen,
    /// The one TCP port of all peers.
    pub tcp_listen: Listen,
    /// Addresses to announce beside those of the interfaces.
    pub public_ips: Vec<IpAddr>,
}

/// `hls.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hls {
    /// Longest part in milliseconds (PART-TARGET).
    pub part_ms: u64,
    /// Segment length aimed at, in milliseconds.
    pub segment_ms: u64,
}

/// `dvr.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dvr {
    /// How far back a viewer may go, in seconds.
    pub window_s: u64,
    /// What one stream's window keeps in memory, in MiB.
    pub memory_mb: u64,
}

/// `storage.*`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Storage {
    /// `file:///…`, `memory:` or `s3://bucket/prefix`; empty means `file:` below the data directory.
    pub url: String,
}

/// `log.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Log {
    /// What is logged, in the words of `RUST_LOG`, which wins over it.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// Static credentials; an empty one asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Auth {
    /// What a publisher must present.
    pub publish_token: Secret,
    /// What a reader must present.
    pub play_token: Secret,
}

/// `api.*`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Api {
    /// Credential of the control API and of `/metrics`; while it is empty they answer loopback only.
    pub token: Secret,
}

/// `publish.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publish {
    /// A publisher that sends nothing for this long is ended, in seconds; 0 means never.
    pub idle_s: u64,
}

/// `shutdown.*`
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Longest time readers get to drain, in seconds.
    pub drain_s: u64,
}

/// `[[app]]`: what holds for the streams of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct App {
    /// Its name: everything before the last `/` of a stream key.
    pub name: String,
    /// Record its streams.
    pub record: bool,
    /// Transcoding profile.
    pub transcode: String,
    /// Frames kept for joining readers; 0 takes `limits.log_frames`.
    pub gop_cache_frames: u32,
    /// Bytes kept for joining readers; 0 takes `limits.log_bytes`.
    pub gop_cache_bytes: u64,
    /// Milliseconds of media kept for joining readers; 0 takes `limits.log_ms`.
    pub gop_cache_ms: u64,
    /// Credentials; where one is empty the global one holds.
    pub auth: Auth,
    /// How long a stream outlives its publisher, in seconds.
    pub grace_s: u64,
    /// End a stream at once when its publisher says so.
    pub end_on_unpublish: bool,
    /// Source to switch to while the publisher is away.
    pub fallback: String,
    /// Publishers at a time; 0 means no limit of its own.
    pub max_publishers: usize,
    /// Readers of one stream; 0 means no limit of its own.
    pub max_readers: usize,
}

impl App {
    /// An application with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            record: false,
            transcode: String::new(),
            gop_cache_frames: 0,
            gop_cache_bytes: 0,
            gop_cache_ms: 0,
            auth: Auth::default(),
            grace_s: 15,
            end_on_unpublish: false,
            fallback: String::new(),
            max_publishers: 0,
            max_readers: 0,
        }
    }
}

/// `[[stream]]`: a source that the server itself starts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Source {
    /// The stream it publishes to, `app/name`.
    pub key: String,
    /// Where it comes from: `rtmp://…`, `rtmps://…`; `demo:` is the built-in clip.
    pub source: SourceUrl,
    /// Start it when somebody reads it, not at once.
    pub on_demand: bool,
}

impl Source {
    /// A source that starts at once.
    #[must_use]
    pub fn new(key: &StreamKey, source: impl Into<String>) -> Self {
        Self {
            key: key.to_string(),
            source: SourceUrl::new(source),
            on_demand: false,
        }
    }
}

/// `[[push]]`: a place that streams are sent to while they are published.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Push {
    /// The stream, `app/name`, or `app/*` for all of an application.
    pub key: String,
    /// Where to. `{app}` and `{name}` stand for those of the stream.
    pub target: TargetUrl,
}

impl Push {
    /// True when streams of this key are pushed.
    #[must_use]
    pub fn covers(&self, key: &StreamKey) -> bool {
        match self.key.strip_suffix("/*") {
            Some(app) => key.app() == app,
            None => key.as_str() == self.key,
        }
    }

    /// The target for one stream.
    #[must_use]
    pub fn target_of(&self, key: &StreamKey) -> TargetUrl {
        let url = self.target.expose();
        TargetUrl::new(
            url.replace("{app}", key.app())
                .replace("{name}", key.name()),
        )
    }
}

/// The whole configuration.
///
/// ```
/// use millstream_server::config::{Config, Listen};
///
/// let mut config = Config::default();
/// assert_eq!(config.rtmp.listen, Listen::Any(1935));
/// config.set("rtmp.listen", "127.0.0.1:0").unwrap();
/// let wrong = config.set("rtmp.lisen", "").unwrap_err();
/// assert!(wrong.to_string().contains("did you mean \"rtmp.listen\""));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `http.*`
    pub http: Http,
    /// `tls.*`
    pub tls: Tls,
    /// `rtmp.*`
    pub rtmp: Rtmp,
    /// `rtmps.*`
    pub rtmps: Listener,
    /// `rtsp.*`
    pub rtsp: Listener,
    /// `srt.*`
    pub srt: Srt,
    /// `webrtc.*`
    pub webrtc: Webrtc,
    /// `hls.*`
    pub hls: Hls,
    /// `dvr.*`
    pub dvr: Dvr,
    /// `storage.*`
    pub storage: Storage,
    /// `limits.*`
    pub limits: Limits,
    /// `log.*`
    pub log: Log,
    /// `auth.*`
    pub auth: Auth,
    /// `api.*`
    pub api: Api,
    /// `publish.*`
    pub publish: Publish,
    /// `shutdown.*`
    pub shutdown: Shutdown,
    /// `[[app]]`
    pub apps: Vec<App>,
    /// `[[stream]]`
    pub streams: Vec<Source>,
    /// `[[push]]`
    pub pushes: Vec<Push>,
    /// Where data lives unless `storage.url` says otherwise (`--data`).
    pub data: PathBuf,
    origins: BTreeMap<String, Origin>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: Http {
                listen: Listen::Any(8080),
                tls_listen: Listen::Any(8443),
                idle_ms: 75_000,
                held: 10_000,
                held_per_ip: 500,
            },
            tls: Tls::default(),
            rtmp: Rtmp {
                listen: Listen::Any(1935),
                fan_out: FanOut::Default,
                reconnect_to: String::new(),
            },
            rtmps: Listener {
                listen: Listen::Any(1936),
            },
            rtsp: Listener {
                listen: Listen::Any(8554),
            },
            srt: Srt {
                listen: Listen::Any(8890),
                passphrase: Secret::default(),
                latency_ms: 0,
            },
            webrtc: Webrtc {
                udp_listen: Listen::Any(8189),
                tcp_listen: Listen::Any(8189),
                public_ips: Vec::new(),
            },
            hls: Hls {
                part_ms: 200,
                segment_ms: 2_000,
            },
            dvr: Dvr {
                window_s: 60,
                memory_mb: 8,
            },
            storage: Storage::default(),
            limits: Limits::default(),
            log: Log {
                level: "info".to_owned(),
                format: LogFormat::Text,
            },
            auth: Auth::default(),
            api: Api::default(),
            publish: Publish { idle_s: 30 },
            shutdown: Shutdown { drain_s: 10 },
            apps: Vec::new(),
            streams: Vec::new(),
            pushes: Vec::new(),
            data: PathBuf::from("millstream-data"),
            origins: BTreeMap::new(),
        }
    }
}

impl Config {
    /// What holds for the streams of `app`: its own table, or one of defaults.
    #[must_use]
    pub fn app(&self, app: &str) -> App {
        self.apps
            .iter()
            .find(|a| a.name == app)
            .cloned()
            .unwrap_or_else(|| App::new(app))
    }

    /// The credentials of `app`, the global ones filled in.
    #[must_use]
    pub fn auth_of(&self, app: &str) -> Auth {
        let own = self.apps.iter().find(|a| a.name == app).map(|a| &a.auth);
        let pick = |of: fn(&Auth) -> &Secret| match own.map(of) {
            Some(secret) if !secret.is_empty() => secret.clone(),
            _ => of(&self.auth).clone(),
        };
        Auth {
            publish_token: pick(|a| &a.publish_token),
            play_token: pick(|a| &a.play_token),
        }
    }

    /// Who set a key.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Every key and the documentation of it, in the order they are explained; keys of lists of tables come as
    /// `app.*.name`, `stream.*.key` and `push.*.key`.
    #[must_use]
    pub fn reference() -> Vec<(String, &'static str)> {
        keys::reference()
    }
}
