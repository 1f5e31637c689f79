//! LL-HLS: the origin says what the answer is; the waiting, the storage and HTTP are here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::StreamError;
use hls_live::{Answer, Condition, Refusal};
use http::{HeaderValue, Method, StatusCode, header};

use super::Call;
use super::body::{Body, Run};
use super::live::play_request;
use super::reply::{self, Response};
use super::route::Below;
use crate::counters::Way;
use crate::packager::Packager;
use crate::sessions::Full;

/// `/live/cam/index.m3u8` and everything below `/live/cam/`.
pub(crate) async fn handle(call: Call, readings: Vec<Below>) -> Response {
    let packagers = &call.shared.packagers;
    if let Err(e) = wake(&call, &readings).await {
        return reply::stream_error(&e);
    }
    let found = readings
        .iter()
        .find_map(|b| Some((b, packagers.find(&b.key)?)));
    let Some((below, packager)) = found else {
        return reply::error(
            StatusCode::NOT_FOUND,
            "stream_not_found",
            "there is no such stream",
        );
    };
    if let Err(e) = call
        .shared
        .engine
        .authenticator()
        .play(&play_request(&call, below.key.clone(), Way::Hls))
        .await
    {
        return reply::stream_error(&e);
    }
    let agent = call.header(header::USER_AGENT);
    let Ok(viewer) = call.shared.viewers.seen(
        &below.key,
        call.peer.addr,
        agent,
        call.query.value("session"),
        Instant::now(),
    ) else {
        return reply::error(
            StatusCode::GONE,
            "ended_by_operator",
            "this session was ended",
        );
    };
    let response = answer(&call, &packager, &below.path).await;
    let sent = response
        .body()
        .len()
        .filter(|_| call.request.method() != Method::HEAD)
        .unwrap_or(0);
    call.shared.viewers.sent(viewer, sent, Instant::now());
    call.shared.counters.hls_bytes.add(sent);
    response
}

/// A playlist of a stream that is not there, but whose source waits for a reader: starts it, and waits for its packager.
async fn wake(call: &Call, readings: &[Below]) -> Result<(), StreamError> {
    let shared = &call.shared;
    let sleeps = |b: &&Below| {
        b.path.ends_with(".m3u8")
            && shared.engine.get_stream(&b.key).is_err()
            && shared.links.on_demand(&b.key).is_some()
    };
    let Some(below) = readings.iter().find(sleeps) else {
        return Ok(());
    };
    let request = play_request(call, below.key.clone(), Way::Hls);
    shared.playback.open_play(request).await?;
    // It follows the stream at once; the one before may still be there, with the end in its playlist.
    let follows = |p: Arc<Packager>| !p.window.snapshot().ended;
    for _ in 0..40 {
        if shared.packagers.find(&below.key).is_some_and(follows) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}

/// Asks the origin until it has an answer other than "not yet".
async fn answer(call: &Call, packager: &Arc<Packager>, path: &str) -> Response {
    let gzip = call
        .header(header::ACCEPT_ENCODING)
        .is_some_and(accepts_gzip);
    let mut request = hls_live::Request::new(path, Instant::now());
    request.query = call.request.uri().query();
    request.accept_gzip = gzip;
    request.if_none_match = call.header(header::IF_NONE_MATCH);
    let mut changes = packager.window.version_watch();
    let mut place = None;
    loop {
        changes.mark_unchanged();
        let snapshot = packager.window.snapshot();
        match packager.origin.respond(&snapshot, &request, Instant::now()) {
            Answer::Wait { until, deadline } => {
                drop(snapshot);
                if place.is_none() {
                    match call.shared.sessions.held.enter(call.peer.addr.ip()) {
                        Ok(held) => place = Some(held),
                        Err(Full(why)) => return reply::overloaded(why),
                    }
                }
                wait(&mut changes, packager, until, deadline).await;
            }
            answer => return reply_to(call, packager, answer).await,
        }
    }
}

/// Until the condition holds, or its deadline.
async fn wait(
    changes: &mut tokio::sync::watch::Receiver<u64>,
    packager: &Packager,
    until: Condition,
    deadline: Instant,
) {
    let met = async {
        while changes.changed().await.is_ok() {
            if until.is_met(&packager.window.snapshot()) {
                return;
            }
        }
        // The window is gone with its writer: nothing will change any more.
        std::future::pending::<()>().await;
    };
    let _ = tokio::time::timeout_at(deadline.into(), met).await;
}

async fn reply_to(call: &Call, packager: &Packager, answer: Answer) -> Response {
    let mut response = match answer {
        Answer::Playlist {
            body,
            gzip,
            etag,
            cache_control,
            content_type,
        } => {
            let mut response = reply::full(StatusCode::OK, content_type, body);
            put(&mut response, header::ETAG, &etag);
            put(&mut response, header::CACHE_CONTROL, &cache_control);
            reply::set(&mut response, header::VARY, "Accept-Encoding");
            if gzip {
                reply::set(&mut response, header::CONTENT_ENCODING, "gzip");
            }
            response
        }
        Answer::NotModified {
            etag,
            cache_control,
        } => {
            let mut response = reply::empty(StatusCode::NOT_MODIFIED);
            put(&mut response, header::ETAG, &etag);
            put(&mut response, header::CACHE_CONTROL, &cache_control);
            response
        }
        Answer::Media {
            slices,
            len,
            content_type,
            cache_control,
            etag,
        } => media(
            call,
            Pieces::new(slices, len),
            content_type,
            &cache_control,
            &etag,
        ),
        Answer::Stored {
            key,
            range,
            content_type,
            cache_control,
            etag,
        } => match packager.storage.get_range(&key, range).await {
            Ok(bytes) => {
                let len = bytes.len() as u64;
                media(
                    call,
                    Pieces::new(vec![bytes], len),
                    content_type,
                    &cache_control,
                    &etag,
                )
            }
            Err(e) => {
                tracing::warn!(error = %e, "a stored segment cannot be read");
                reply::error(
                    StatusCode::NOT_FOUND,
                    "segment_not_found",
                    "the segment is not there any more",
                )
            }
        },
        Answer::Refused(refusal) => refused(&refusal),
        _ => reply::error(StatusCode::INTERNAL_SERVER_ERROR, "error", "no answer"),
    };
    if response.status().is_success() {
        reply::set(&mut response, header::ACCEPT_RANGES, "bytes");
    }
    response
}

/// Media, whole or the one range that was asked for (RFC 9110 §14.2; several ranges at once get the whole).
fn media(
    call: &Call,
    pieces: Pieces,
    content_type: &'static str,
    cache_control: &str,
    etag: &str,
) -> Response {
    let len = pieces.len;
    let wanted = call
        .header(header::RANGE)
        .filter(|_| call.header(header::IF_RANGE).is_none_or(|tag| tag == etag));
    let (status, pieces, range) = match wanted.map(|r| range(r, len)) {
        None | Some(Range::Whole) => (StatusCode::OK, pieces, None),
        Some(Range::Part(from, to)) => (
            StatusCode::PARTIAL_CONTENT,
            pieces.cut(from, to),
            Some(format!("bytes {from}-{}/{len}", to - 1)),
        ),
        Some(Range::Outside) => {
            let mut response = reply::error(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "bad_range",
                "the range lies outside",
            );
            put(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{len}"),
            );
            return response;
        }
    };
    let mut response = http::Response::new(Body::Pieces(pieces.run));
    *response.status_mut() = status;
    reply::set(&mut response, header::CONTENT_TYPE, content_type);
    put(&mut response, header::ETAG, etag);
    put(&mut response, header::CACHE_CONTROL, cache_control);
    if let Some(range) = range {
        put(&mut response, header::CONTENT_RANGE, &range);
    }
    response
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::NOT_FOUND);
    let code = match refusal.status {
        400 => "bad_request",
        410 => "gone",
        503 => "not_ready",
        _ => "not_found",
    };
    let mut response = reply::error(status, code, refusal.reason);
    reply::set(&mut response, header::CACHE_CONTROL, refusal.cache_control);
    if let Some(seconds) = refusal.retry_after_s {
        put(&mut response, header::RETRY_AFTER, &seconds.to_string());
    }
    response
}

fn put(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// `gzip` or `*` among the codings, not with a weight of zero (RFC 9110 §12.5.3).
fn accepts_gzip(header: &str) -> bool {
    header.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|p| {
            p.strip_prefix("q=")
                .and_then(|q| q.parse::<f32>().ok())
                .is_some_and(|q| q <= 0.0)
        });
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

/// Slices of an answer.
struct Pieces {
    run: Run,
    len: u64,
}

impl Pieces {
    fn new(slices: Vec<Bytes>, len: u64) -> Self {
        let mut run = Run::default();
        run.extend(slices);
        Self { run, len }
    }

    /// The bytes from `from` to before `to`.
    fn cut(mut self, from: u64, to: u64) -> Self {
        self.run.cut(from as usize, to as usize);
        Self {
            len: to - from,
            run: self.run,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part(u64, u64),
    Outside,
}

/// Reads a `Range` header for something of `len` bytes.
fn range(header: &str, len: u64) -> Range {
    let Some((from, to)) = header
        .strip_prefix("bytes=")
        .and_then(|s| s.split_once('-'))
    else {
        return Range::Whole;
    };
    let number = |s: &str| {
        s.parse::<u64>()
            .ok()
            .filter(|_| s.bytes().all(|b| b.is_ascii_digit()))
    };
    match (from, to) {
        ("", suffix) => match number(suffix) {
            Some(0) => Range::Outside,
            Some(n) => Range::Part(len.saturating_sub(n), len),
            None => Range::Whole,
        },
        (from, "") => match number(from) {
            Some(from) if from < len => Range::Part(from, len),
            Some(_) => Range::Outside,
            None => Range::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to && from < len => {
                Range::Part(from, to.saturating_add(1).min(len))
            }
            (Some(from), Some(to)) if from <= to => Range::Outside,
            _ => Range::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        for (header, want) in [
            ("bytes=0-0", Range::Part(0, 1)),
            ("bytes=5-", Range::Part(5, 10)),
            ("bytes=-3", Range::Part(7, 10)),
            ("bytes=-99", Range::Part(0, 10)),
            ("bytes=2-99", Range::Part(2, 10)),
            ("bytes=10-", Range::Outside),
            ("bytes=18446744073709551615-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=0-0,1-1", Range::Whole),
            ("bytes=3-2", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes=+1-2", Range::Whole),
        ] {
            assert_eq!(range(header, 10), want, "{header}");
        }
    }

    #[test]
    fn reads_codings() {
        for (header, want) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("*", true),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(header), want, "{header}");
        }
    }
}
