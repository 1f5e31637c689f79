//! The control API: streams, sessions, and the document that describes them.

use bus::StreamHandle;
use core_frame::{MediaKind, Repair, StreamKey, TagValue, TrackInfo};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::reply::{self, Response};
use super::{Call, Shared, access};
use crate::links::Kind;

/// Most items of one page.
const PAGE: usize = 1_000;

/// Kinds of repair that the API names; the metrics have them all.
const REPAIRS: [Repair; 4] = [Repair::Jump, Repair::Reorder, Repair::Gap, Repair::Drift];

/// `/api/…`
pub(crate) async fn handle(call: Call, segments: &[String]) -> Response {
    if let Err(refusal) = access::admin(&call).await {
        return *refusal;
    }
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.request.method();
    let read = matches!(*method, Method::GET | Method::HEAD);
    match words.as_slice() {
        ["v1", "openapi.json"] if read => reply::full(
            StatusCode::OK,
            reply::JSON,
            include_str!("../../assets/openapi.json"),
        ),
        ["v1", "streams"] if read => list(&call),
        ["v1", "streams", key @ .., "publisher"] if !key.is_empty() => {
            if *method == Method::DELETE {
                end_publisher(&call.shared, key)
            } else {
                reply::method_not_allowed("DELETE")
            }
        }
        ["v1", "streams", key @ ..] if read && !key.is_empty() => match find(&call.shared, key) {
            Ok(handle) => reply::json(StatusCode::OK, &Stream::of(&call.shared, &handle)),
            Err(refusal) => *refusal,
        },
        ["v1", "sources"] if read => links(&call.shared, Kind::Source),
        ["v1", "pushes"] if read => links(&call.shared, Kind::Push),
        ["v1", "sessions", id] => {
            if *method == Method::DELETE {
                end_session(&call.shared, id)
            } else {
                reply::method_not_allowed("DELETE")
            }
        }
        ["v1", "openapi.json" | "streams" | "sources" | "pushes", ..] => {
            reply::method_not_allowed("GET, HEAD")
        }
        _ => reply::not_found(),
    }
}

/// A list, a page at a time: `limit` items behind the key `after`; `next` is the `after` of the next page.
fn list(call: &Call) -> Response {
    let limit = match call.query.value("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(n)) if (1..=PAGE).contains(&n) => n,
        Some(_) => {
            return reply::error(
                StatusCode::BAD_REQUEST,
                "bad_limit",
                "limit must be 1 to 1000",
            );
        }
    };
    let after = call.query.value("after").unwrap_or("");
    let mut handles = call.shared.engine.streams();
    handles.retain(|h| h.key().as_str() > after);
    handles.sort_by(|a, b| a.key().cmp(b.key()));
    let more = handles.len() > limit;
    handles.truncate(limit);
    let next = handles.last().filter(|_| more).map(|h| h.key().to_string());
    let items: Vec<_> = handles
        .iter()
        .map(|h| Stream::of(&call.shared, h))
        .collect();
    reply::json(StatusCode::OK, &List { items, next })
}

/// The links of one kind: as many as the configuration has, and one for each stream that a pattern covers.
fn links(shared: &Shared, kind: Kind) -> Response {
    let items = shared.links.of(kind);
    reply::json(StatusCode::OK, &List { items, next: None })
}

fn find(shared: &Shared, key: &[&str]) -> Result<StreamHandle, Box<Response>> {
    let not_found = || {
        Box::new(reply::error(
            StatusCode::NOT_FOUND,
            "stream_not_found",
            "there is no such stream",
        ))
    };
    let key = StreamKey::parse(&key.join("/")).map_err(|_| not_found())?;
    let streams = shared.engine.streams();
    streams
        .into_iter()
        .find(|h| *h.key() == key)
        .ok_or_else(not_found)
}

fn end_publisher(shared: &Shared, key: &[&str]) -> Response {
    match find(shared, key) {
        Ok(handle) if handle.publisher().is_some() => {
            handle.kick_publisher();
            reply::empty(StatusCode::NO_CONTENT)
        }
        Ok(_) => reply::error(
            StatusCode::NOT_FOUND,
            "publisher_not_found",
            "nobody publishes this stream",
        ),
        Err(refusal) => *refusal,
    }
}

fn end_session(shared: &Shared, id: &str) -> Response {
    let kicked = match id.strip_prefix("r-").map(str::parse::<u64>) {
        Some(Ok(id)) => shared.engine.streams().iter().any(|h| h.kick_reader(id)),
        _ => shared.links.end(id) || shared.viewers.kick(id, std::time::Instant::now()),
    };
    if kicked {
        reply::empty(StatusCode::NO_CONTENT)
    } else {
        reply::error(
            StatusCode::NOT_FOUND,
            "session_not_found",
            "there is no such session",
        )
    }
}

#[derive(Serialize)]
struct List<T> {
    items: Vec<T>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Stream {
    key: StreamKey,
    state: &'static str,
    publisher: Option<Publisher>,
    tracks: Vec<Track>,
    tags: serde_json::Map<String, Value>,
    readers: Vec<Reader>,
    frames_in: u64,
    bytes_in: u64,
    repairs: serde_json::Map<String, Value>,
    uptime_s: f64,
}

#[derive(Serialize)]
struct Publisher {
    protocol: &'static str,
    remote: Option<String>,
    since: String,
}

#[derive(Serialize)]
struct Track {
    id: u16,
    kind: &'static str,
    codec: &'static str,
    codec_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u16>,
    bitrate_bps: u64,
}

#[derive(Serialize)]
struct Reader {
    id: String,
    protocol: &'static str,
    remote: Option<String>,
    bytes: u64,
    lag_ms: i64,
    skipped_frames: u64,
}

impl Stream {
    fn of(shared: &Shared, handle: &StreamHandle) -> Self {
        let qos = handle.qos();
        let table = handle.tracks();
        let measured = |info: &TrackInfo| qos.tracks.iter().find(|t| t.id == info.id);
        let mut readers: Vec<Reader> = handle
            .readers()
            .into_iter()
            .map(|r| Reader {
                id: format!("r-{}", r.id),
                protocol: r.protocol,
                remote: r.remote.map(|a| a.to_string()),
                bytes: r.bytes,
                lag_ms: r.lag.time.as_millis().max(0),
                skipped_frames: r.skipped,
            })
            .collect();
        readers.extend(
            shared
                .viewers
                .of(handle.key(), std::time::Instant::now())
                .into_iter()
                .map(|v| Reader {
                    id: v.id,
                    protocol: "hls",
                    remote: Some(v.remote.to_string()),
                    bytes: v.bytes,
                    lag_ms: 0,
                    skipped_frames: 0,
                }),
        );
        Self {
            key: handle.key().clone(),
            state: handle.state().name(),
            publisher: handle.publisher().map(|p| Publisher {
                protocol: p.protocol,
                remote: p.remote.map(|a| a.to_string()),
                since: p.since_wall.to_rfc3339(),
            }),
            tracks: table
                .tracks
                .iter()
                .map(|info| {
                    let qos = measured(info);
                    Track::of(
                        info,
                        qos.map_or(0, |q| q.bitrate_bps),
                        qos.map_or(0.0, |q| q.fps),
                    )
                })
                .collect(),
            tags: table
                .tags
                .iter()
                .map(|(k, v)| (k.to_owned(), tag(v)))
                .collect(),
            readers,
            frames_in: qos.frames_in,
            bytes_in: qos.bytes_in,
            repairs: REPAIRS
                .iter()
                .map(|k| (k.name().to_owned(), qos.repairs.count(*k).into()))
                .collect(),
            uptime_s: round(qos.uptime.as_secs_f64()),
        }
    }
}

impl Track {
    fn of(info: &TrackInfo, bitrate_bps: u64, fps: f64) -> Self {
        let video = info.video.filter(|_| info.kind() == MediaKind::Video);
        let audio = info.audio.filter(|_| info.kind() == MediaKind::Audio);
        let told = video.and_then(|v| v.frame_rate).filter(|(_, d)| *d > 0);
        let fps = match told {
            Some((n, d)) => f64::from(n) / f64::from(d),
            None => fps,
        };
        Self {
            id: info.id.0,
            kind: info.kind().name(),
            codec: info.codec.name(),
            codec_string: info.codec_string.clone(),
            language: info.language.clone(),
            width: video.map(|v| v.width),
            height: video.map(|v| v.height),
            fps: video.map(|_| round(fps)),
            sample_rate: audio.map(|a| a.sample_rate),
            channels: audio.map(|a| a.channels),
            bitrate_bps: if bitrate_bps > 0 {
                bitrate_bps
            } else {
                info.bitrate_bps.unwrap_or(0)
            },
        }
    }
}

/// JSON has no number for what is not finite.
fn tag(value: &TagValue) -> Value {
    match value {
        TagValue::Number(n) => serde_json::Number::from_f64(*n).map_or(Value::Null, Value::Number),
        TagValue::Flag(flag) => Value::Bool(*flag),
        TagValue::Text(text) => Value::String(text.clone()),
        _ => Value::Null,
    }
}

/// Three digits are enough for people and keep the document short.
fn round(x: f64) -> f64 {
    (x * 1_000.0).round() / 1_000.0
}
