//! The table of keys: name, documentation, place. Parsing, `--set`, `check-config` and the reference all read this one.

use super::limits::LIMITS;
use super::value::{Raw, Value, assign};
use super::{App, Config, Push, Source};

/// One key of a `T`.
pub(crate) struct Key<T> {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// False while what it configures is not built in; then setting it warns.
    pub(crate) built: bool,
    pub(crate) set: fn(&mut T, &Raw) -> Result<(), String>,
    pub(crate) show: fn(&T) -> String,
}

macro_rules! keys {
    ($of:ty; $($built:ident $name:literal $($field:ident).+ : $doc:literal;)*) => {
        &[$(Key {
            name: $name,
            doc: $doc,
            built: keys!(@built $built),
            set: |it: &mut $of, raw| assign(&mut it.$($field).+, raw),
            show: |it: &$of| Value::show(&it.$($field).+),
        }),*]
    };
    (@built works) => { true };
    (@built later) => { false };
}
pub(super) use keys;

/// Keys outside `limits.*` and the lists of tables.
pub(crate) static KEYS: &[Key<Config>] = keys! { Config;
    works "http.listen" http.listen: "HTTP/1.1 and HTTP/2: player page, media, API";
    works "http.tls_listen" http.tls_listen: "the same over TLS, once tls.certificate and tls.key are set";
    works "tls.certificate" tls.certificate: "PEM file with the certificate chain";
    works "tls.key" tls.key: "PEM file with its private key";
    works "tls.ca" tls.ca: "PEM file with authorities to trust for connections to others, beside those of the system";
    works "rtmp.listen" rtmp.listen: "RTMP, publish and play";
    works "rtmp.fan_out" rtmp.fan_out: "how players are written to: default, latency-first or throughput-first";
    works "rtmp.reconnect_to" rtmp.reconnect_to: "where RTMP peers are asked to go at shutdown: rtmp://host/app; empty is here again";
    works "rtmps.listen" rtmps.listen: "RTMP over TLS, once a certificate is set";
    later "rtsp.listen" rtsp.listen: "RTSP, publish and play";
    later "srt.listen" srt.listen: "SRT (UDP), publish and play";
    later "srt.passphrase" srt.passphrase: "passphrase of encrypted SRT sessions";
    later "srt.latency_ms" srt.latency_ms: "SRT receive latency; 0 derives it from the round trip";
    later "webrtc.udp_listen" webrtc.udp_listen: "the one UDP port of all WebRTC peers";
    later "webrtc.tcp_listen" webrtc.tcp_listen: "the one TCP port of all WebRTC peers";
    later "webrtc.public_ips" webrtc.public_ips: "addresses to announce to WebRTC peers beside those of the interfaces";
    works "hls.part_ms" hls.part_ms: "longest LL-HLS part";
    works "hls.segment_ms" hls.segment_ms: "HLS segment length aimed at";
    works "dvr.window_s" dvr.window_s: "how far back a viewer may go";
    works "dvr.memory_mb" dvr.memory_mb: "what one stream's window keeps in memory, in MiB";
    works "storage.url" storage.url: "file:///path, memory: or s3://bucket/prefix; empty is file: below the data directory";
    works "log.level" log.level: "what is logged, in the words of RUST_LOG, which wins over it";
    works "log.format" log.format: "text or json";
    works "auth.publish_token" auth.publish_token: "what a publisher must present; empty asks for nothing";
    works "auth.play_token" auth.play_token: "what a reader must present; empty asks for nothing";
    works "api.token" api.token: "credential of the API and /metrics; without one they answer loopback only";
    works "publish.idle_s" publish.idle_s: "a publisher that sends nothing this long is ended; 0 means never";
    works "shutdown.drain_s" shutdown.drain_s: "longest time readers get to drain at shutdown";
};

/// Keys of one `[[app]]`.
pub(crate) static APP_KEYS: &[Key<App>] = keys! { App;
    works "name" name: "the application: everything before the last / of a stream key";
    later "record" record: "record its streams";
    later "transcode" transcode: "transcoding profile";
    works "gop_cache_frames" gop_cache_frames: "frames kept for joining readers; 0 takes limits.log_frames";
    works "gop_cache_bytes" gop_cache_bytes: "bytes kept for joining readers; 0 takes limits.log_bytes";
    works "gop_cache_ms" gop_cache_ms: "milliseconds kept for joining readers; 0 takes limits.log_ms";
    works "auth.publish_token" auth.publish_token: "like the global key, for this application";
    works "auth.play_token" auth.play_token: "like the global key, for this application";
    works "grace_s" grace_s: "how long a stream outlives its publisher";
    works "end_on_unpublish" end_on_unpublish: "end a stream at once when its publisher says so";
    later "fallback" fallback: "source to switch to while the publisher is away";
    works "max_publishers" max_publishers: "publishers at a time; 0 means no limit of its own";
    works "max_readers" max_readers: "readers of one stream; 0 means no limit of its own";
};

/// Keys of one `[[stream]]`.
pub(crate) static STREAM_KEYS: &[Key<Source>] = keys! { Source;
    works "key" key: "the stream it publishes to, app/name";
    works "source" source: "where it comes from: rtmp:// or rtmps://host/app/name; demo: is the built-in clip";
    works "on_demand" on_demand: "fetch it only while somebody reads it";
};

/// Keys of one `[[push]]`.
pub(crate) static PUSH_KEYS: &[Key<Push>] = keys! { Push;
    works "key" key: "what is pushed: app/name, or app/* for every stream of the application";
    works "target" target: "where to: rtmp:// or rtmps://host/app/name; {app} and {name} stand for those of the stream";
};

/// Every key of [`Config`] itself: those outside the lists of tables.
pub(crate) fn single() -> impl Iterator<Item = &'static Key<Config>> {
    KEYS.iter().chain(LIMITS)
}

/// Every key with its documentation.
pub(crate) fn reference() -> Vec<(String, &'static str)> {
    fn members<T>(
        list: &'static str,
        keys: &'static [Key<T>],
    ) -> impl Iterator<Item = (String, &'static str)> {
        keys.iter()
            .map(move |k| (format!("{list}.*.{}", k.name), k.doc))
    }
    single()
        .map(|k| (k.name.to_owned(), k.doc))
        .chain(members("app", APP_KEYS))
        .chain(members("stream", STREAM_KEYS))
        .chain(members("push", PUSH_KEYS))
        .collect()
}

/// The known name nearest to a wrong one, when one is near enough to be meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
