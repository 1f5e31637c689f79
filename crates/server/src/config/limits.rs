//! The table of `limits.*`: one line a bound. `check-config`, `--set` and the reference all read this one.

use super::Config;
use super::keys::{Key, keys};
use super::value::{Value, assign};

/// Keys of `limits.*`, by name.
pub(crate) static LIMITS: &[Key<Config>] = keys! { Config;
    works "limits.access_unit_bytes" limits.access_unit_bytes: "one picture of H.264 or H.265";
    works "limits.amf_depth" limits.amf_depth: "AMF objects inside one another";
    works "limits.amf_nodes" limits.amf_nodes: "AMF values in one message";
    works "limits.amf_string_bytes" limits.amf_string_bytes: "one AMF string";
    works "limits.auth_failures_per_minute" limits.auth_failures_per_minute: "wrong tokens from one address before it must wait";
    works "limits.box_bytes" limits.box_bytes: "one metadata box of an MP4 file";
    works "limits.connect_ms" limits.connect_ms: "from accept to an RTMP connect that was answered";
    works "limits.handshake_ms" limits.handshake_ms: "from accept to a complete handshake, RTMP's or TLS's";
    works "limits.http_body_bytes" limits.http_body_bytes: "body of an API call";
    works "limits.http_header_bytes" limits.http_header_bytes: "header block of an HTTP request";
    works "limits.http_header_ms" limits.http_header_ms: "from its first byte, of the first request from accept, to a complete header block";
    works "limits.http_held" http.held: "HLS requests that wait for what is not there yet, in all";
    works "limits.http_held_per_ip" http.held_per_ip: "the same from one address; this machine itself is free";
    works "limits.http_idle_ms" http.idle_ms: "an HTTP connection that asks for nothing is kept this long";
    works "limits.lag_bytes" limits.lag_bytes: "a reader further behind skips to the newest key frame";
    works "limits.lag_ms" limits.lag_ms: "the same in milliseconds of media";
    works "limits.log_bytes" limits.log_bytes: "media kept of one stream";
    works "limits.log_frames" limits.log_frames: "the same in frames";
    works "limits.log_ms" limits.log_ms: "the same in milliseconds of media";
    works "limits.nal_units" limits.nal_units: "NAL units of one picture";
    works "limits.rtmp_chunk_streams" limits.rtmp_chunk_streams: "chunk streams of one RTMP connection";
    works "limits.rtmp_message_bytes" limits.rtmp_message_bytes: "one RTMP message of a publisher";
    works "limits.rtmp_message_bytes_before_publish" limits.rtmp_message_bytes_before_publish: "one RTMP message of anybody else";
    works "limits.rtmp_message_streams" limits.rtmp_message_streams: "createStream calls of one RTMP connection";
    works "limits.rtmp_partial_bytes" limits.rtmp_partial_bytes: "unfinished RTMP messages of one publisher";
    works "limits.rtmp_partial_bytes_before_publish" limits.rtmp_partial_bytes_before_publish: "unfinished RTMP messages of anybody else";
    works "limits.rtmp_tiny_chunks_per_second" limits.rtmp_tiny_chunks_per_second: "RTMP chunks below 64 bytes";
    works "limits.sessions" limits.sessions: "connections in all, RTMP and HTTP; 0 is 80 % of the open files";
    works "limits.sessions_per_ip" limits.sessions_per_ip: "connections from one address; this machine itself is free";
    works "limits.stall_ms" limits.stall_ms: "a reader that takes nothing this long is closed";
    works "limits.start_ms" limits.start_ms: "from accept to publishing or playing over RTMP";
    works "limits.temporal_unit_bytes" limits.temporal_unit_bytes: "one picture of AV1";
    works "limits.unauthenticated_sessions" limits.unauthenticated_sessions: "connections of each protocol that have asked for nothing yet";
};

#[cfg(test)]
mod tests {
    use core_frame::Limits;

    use super::*;

    #[test]
    fn every_bound_has_its_line_in_order() {
        let names: Vec<_> = LIMITS
            .iter()
            .map(|k| k.name.strip_prefix("limits.").unwrap())
            .collect();
        assert!(names.is_sorted(), "{names:?}");
        let serde_json::Value::Object(all) = serde_json::to_value(Limits::default()).unwrap()
        else {
            panic!("limits are a table")
        };
        for name in all.keys() {
            assert!(names.contains(&name.as_str()), "{name} has no line");
        }
        // What is written is what is read, and each line has a place of its own.
        for key in LIMITS {
            let mut config = Config::default();
            config.set(key.name, "7").unwrap();
            assert_eq!((key.show)(&config), "7", "{}", key.name);
            let others = LIMITS
                .iter()
                .filter(|o| (o.show)(&config) != (o.show)(&Config::default()));
            assert_eq!(others.count(), 1, "{}", key.name);
        }
    }
}
