//! `/metrics`: the Prometheus text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use core_frame::Repair;
use http::{StatusCode, header};

use super::reply::{self, Response};
use super::{Call, Shared, access};
use crate::links::{Kind, Snapshot};
use crate::process;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn handle(call: Call) -> Response {
    if let Err(refusal) = access::admin(&call).await {
        return *refusal;
    }
    let mut response = reply::full(StatusCode::OK, CONTENT_TYPE, text(&call.shared));
    reply::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn text(shared: &Shared) -> String {
    let mut out = Page::default();
    process_part(&mut out);
    server_part(&mut out, shared);
    stream_part(&mut out, shared);
    link_part(&mut out, shared);
    out.text
}

fn process_part(out: &mut Page) {
    let usage = process::usage();
    out.one(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory.",
        usage.resident_bytes,
    );
    out.one(
        "process_cpu_seconds_total",
        "counter",
        "CPU time, user and system.",
        usage.cpu.as_secs_f64(),
    );
    out.one(
        "process_open_fds",
        "gauge",
        "Open file descriptors.",
        usage.open_files,
    );
    out.one(
        "process_max_fds",
        "gauge",
        "Most file descriptors that may be open.",
        usage.max_files,
    );
    out.one("process_threads", "gauge", "Threads.", usage.threads);
}

fn server_part(out: &mut Page, shared: &Shared) {
    out.one(
        "millstream_ready",
        "gauge",
        "1 while every listener is open.",
        u8::from(shared.ready.load(Ordering::Acquire)),
    );
    let rooms = &shared.sessions;
    let (sessions, refused) = rooms.all.counts();
    out.one(
        "millstream_sessions",
        "gauge",
        "Connections that count against limits.sessions.",
        sessions,
    );
    out.one(
        "millstream_sessions_max",
        "gauge",
        "Most connections there may be.",
        rooms.all.most(),
    );
    out.one(
        "millstream_sessions_refused_total",
        "counter",
        "Connections refused by limits.sessions and limits.sessions_per_ip.",
        refused,
    );
    out.one(
        "millstream_http_connections",
        "gauge",
        "Open HTTP connections.",
        rooms.http.counts().0,
    );
    let (starting, refused) = rooms.starting.counts();
    out.one(
        "millstream_http_connections_starting",
        "gauge",
        "HTTP connections that have asked for nothing yet.",
        starting,
    );
    out.one(
        "millstream_http_connections_refused_total",
        "counter",
        "HTTP connections refused by limits.unauthenticated_sessions.",
        refused,
    );
    let (held, refused) = rooms.held.counts();
    out.one(
        "millstream_http_held",
        "gauge",
        "HLS requests that wait for what is not there yet.",
        held,
    );
    out.one(
        "millstream_http_held_refused_total",
        "counter",
        "HLS requests refused by limits.http_held and limits.http_held_per_ip.",
        refused,
    );
    out.one(
        "millstream_http_requests_total",
        "counter",
        "HTTP requests.",
        shared.counters.requests.value(),
    );
    rtmp_part(out, shared);
    reader_part(out, shared);
}

/// What RTMP's listeners have seen, the plain one and that over TLS together.
fn rtmp_part(out: &mut Page, shared: &Shared) {
    type Value = fn(&ingest_rtmp::net::Counts) -> u64;
    const COLUMNS: [(&str, &str, &str, Value); 6] = [
        ("connections", "gauge", "Open RTMP connections.", |c| {
            c.sessions
        }),
        (
            "connections_starting",
            "gauge",
            "RTMP connections that have neither published nor played yet.",
            |c| c.unstarted,
        ),
        (
            "connections_total",
            "counter",
            "RTMP connections accepted.",
            |c| c.accepted,
        ),
        (
            "connections_refused_total",
            "counter",
            "RTMP connections refused by a limit.",
            |c| c.refused.saturating_add(c.closed_unheard),
        ),
        (
            "out_of_files_total",
            "counter",
            "RTMP connections closed for want of a file descriptor.",
            |c| c.out_of_files,
        ),
        (
            "denied_total",
            "counter",
            "RTMP requests with a bad credential.",
            |c| c.denied,
        ),
    ];
    let counts: Vec<_> = shared.rtmp.iter().map(|p| p.counts()).collect();
    for (column, kind, help, value) in COLUMNS {
        let sum = counts.iter().map(value).sum::<u64>();
        out.one(&format!("millstream_rtmp_{column}"), kind, help, sum);
    }
}

/// Readers who left, and those who are there.
fn reader_part(out: &mut Page, shared: &Shared) {
    let mut by_protocol = shared.tally.left();
    for reader in shared.engine.streams().iter().flat_map(|h| h.readers()) {
        let of = by_protocol.entry(reader.protocol).or_default();
        of.sessions += 1;
        of.bytes = of.bytes.saturating_add(reader.bytes);
        of.skipped = of.skipped.saturating_add(reader.skipped);
    }
    by_protocol.entry("hls").or_default().bytes = shared.counters.hls_bytes.value();
    out.head(
        "millstream_bytes_out_total",
        "counter",
        "Media bytes sent to readers, by protocol.",
    );
    for (protocol, of) in &by_protocol {
        out.line(
            "millstream_bytes_out_total",
            &[("protocol", protocol)],
            of.bytes,
        );
    }
    out.head(
        "millstream_reader_sessions_total",
        "counter",
        "Sessions of readers begun, by protocol.",
    );
    for (protocol, of) in by_protocol.iter().filter(|(p, _)| **p != "hls") {
        out.line(
            "millstream_reader_sessions_total",
            &[("protocol", protocol)],
            of.sessions,
        );
    }
    out.head(
        "millstream_skipped_frames_total",
        "counter",
        "Frames that slow readers skipped, by protocol.",
    );
    for (protocol, of) in by_protocol.iter().filter(|(p, _)| **p != "hls") {
        out.line(
            "millstream_skipped_frames_total",
            &[("protocol", protocol)],
            of.skipped,
        );
    }
    out.one(
        "millstream_hls_viewers",
        "gauge",
        "HLS viewers now.",
        shared.viewers.count(std::time::Instant::now()),
    );
}

fn stream_part(out: &mut Page, shared: &Shared) {
    let mut handles = shared.engine.streams();
    handles.sort_by(|a, b| a.key().cmp(b.key()));
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for handle in &handles {
        *states.entry(handle.state().name()).or_default() += 1;
    }
    out.head("millstream_streams", "gauge", "Streams, by state.");
    for (state, n) in states {
        out.line("millstream_streams", &[("state", &state)], n);
    }
    let streams: Vec<_> = handles.iter().map(|h| (h.key(), h.qos(), h)).collect();
    out.head(
        "millstream_stream_frames_in_total",
        "counter",
        "Frames published to a stream.",
    );
    for (key, qos, _) in &streams {
        out.line(
            "millstream_stream_frames_in_total",
            &[("stream", key)],
            qos.frames_in,
        );
    }
    out.head(
        "millstream_stream_bytes_in_total",
        "counter",
        "Payload bytes published to a stream.",
    );
    for (key, qos, _) in &streams {
        out.line(
            "millstream_stream_bytes_in_total",
            &[("stream", key)],
            qos.bytes_in,
        );
    }
    out.head(
        "millstream_stream_log_bytes",
        "gauge",
        "Payload bytes kept in a stream's log.",
    );
    for (key, qos, _) in &streams {
        out.line(
            "millstream_stream_log_bytes",
            &[("stream", key)],
            qos.log_bytes,
        );
    }
    out.head(
        "millstream_stream_repairs_total",
        "counter",
        "Repairs of a stream's time stamps, by kind.",
    );
    for (key, qos, _) in &streams {
        for kind in Repair::ALL {
            let labels: [(&str, &dyn Display); 2] = [("stream", key), ("kind", &kind.name())];
            out.line(
                "millstream_stream_repairs_total",
                &labels,
                qos.repairs.count(kind),
            );
        }
    }
    out.head(
        "millstream_stream_readers",
        "gauge",
        "Readers of a stream, by protocol.",
    );
    for (key, _, handle) in &streams {
        let mut protocols: BTreeMap<String, usize> = BTreeMap::new();
        for reader in handle.readers() {
            *protocols.entry(reader.protocol.to_string()).or_default() += 1;
        }
        let viewers = shared.viewers.of(key, std::time::Instant::now()).len();
        if viewers > 0 {
            protocols.insert("hls".to_owned(), viewers);
        }
        for (protocol, n) in protocols {
            let labels: [(&str, &dyn Display); 2] = [("stream", key), ("protocol", &protocol)];
            out.line("millstream_stream_readers", &labels, n);
        }
    }
}

/// Sources and push targets.
fn link_part(out: &mut Page, shared: &Shared) {
    type Value = fn(&Snapshot) -> u64;
    const COLUMNS: [(&str, &str, &str, Value); 4] = [
        ("up", "gauge", "1 while media flows.", |l| {
            u64::from(l.state == "up")
        }),
        ("attempts_total", "counter", "Connections begun.", |l| {
            l.attempts
        }),
        (
            "bytes_total",
            "counter",
            "Bytes in the direction of the media.",
            |l| l.bytes,
        ),
        (
            "frames_total",
            "counter",
            "Frames brought in or carried out.",
            |l| l.frames,
        ),
    ];
    for (name, kind) in [("source", Kind::Source), ("push", Kind::Push)] {
        let links = shared.links.of(kind);
        for (column, kind, help, value) in COLUMNS {
            let metric = format!("millstream_{name}_{column}");
            out.head(&metric, kind, help);
            for link in &links {
                let labels: [(&str, &dyn Display); 2] = [("id", &link.id), ("stream", &link.key)];
                out.line(&metric, &labels, value(link));
            }
        }
    }
}

/// Lines of the text format.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.text.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            // Stream keys and protocol names hold no quote, backslash or line break, so they stand as they are.
            let _ = write!(
                self.text,
                "{}{label}=\"{text}\"",
                if i == 0 { '{' } else { ',' }
            );
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}
