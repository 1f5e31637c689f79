//! Endless media over HTTP: FLV, MPEG-TS and fragmented MP4, as an endless body or over a WebSocket.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bus::{Pace, Peer, PlayRequest, ReaderInfo, SubscribeOptions, TryBatch, ViewReader, ViewSpec};
use bytes::Buf;
use core_frame::{
    DropTail, Limits, Pick, Preamble, Render, ShedPolicy, Slices, StreamKey, TrackChoice,
};
use flv::{CodecForm, FlvRender, Layout};
use http::{Method, StatusCode, header};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use super::body::{Run, Source};
use super::chosen::Chosen;
use super::query::credential;
use super::reply::{self, Response};
use super::{Call, PeerInfo, ws, ws_live};
use crate::config::FanOut;
use crate::counters::Way;

/// One HTTP chunk gathers up to about this many bytes of what lies ready.
const RUN_BYTES: usize = 128 * 1024;
/// A reader that was ended has this long to notice before its connection is cut.
const NOTICE: Duration = Duration::from_secs(1);

/// `/live/cam.flv`: `video=` and `audio=` choose tracks, `form=legacy` writes what players without Enhanced RTMP know.
pub(crate) async fn flv(call: Call, key: StreamKey) -> Response {
    let choice = match choice(&call) {
        Ok(choice) => choice,
        Err(refusal) => return *refusal,
    };
    let mut layout = Layout::of(choice.clone());
    layout.multitrack = choice.video == Pick::All || choice.audio == Pick::All;
    layout.codecs = match call.query.value("form") {
        None | Some("" | "enhanced") => CodecForm::Enhanced,
        Some("legacy") => CodecForm::Legacy,
        Some(_) => return bad("bad_form", "form= takes enhanced or legacy"),
    };
    let format = Format {
        name: format!("flv?{layout}"),
        content_type: "video/x-flv",
        ways: (Way::HttpFlv, Way::WsFlv),
        choice,
        sheds_in_gop: true,
        make: Box::new(move || Box::new(FlvRender::with_layout(layout))),
    };
    serve(call, key, format).await
}

/// `/live/cam.ts`: `video=` and `audio=` choose tracks; with `all` the program has them all.
pub(crate) async fn ts(call: Call, key: StreamKey) -> Response {
    let choice = match choice(&call) {
        Ok(choice) => choice,
        Err(refusal) => return *refusal,
    };
    let format = Format {
        name: format!("ts?{choice}"),
        content_type: "video/mp2t",
        ways: (Way::HttpTs, Way::WsTs),
        choice: choice.clone(),
        sheds_in_gop: false,
        make: Box::new(move || Box::new(Chosen::new(choice, mpegts::TsRender::new()))),
    };
    serve(call, key, format).await
}

/// `/live/cam.mp4`: `video=` and `audio=` choose the track of each kind.
pub(crate) async fn mp4(call: Call, key: StreamKey) -> Response {
    let choice = match choice(&call) {
        Ok(choice) => choice,
        Err(refusal) => return *refusal,
    };
    let format = Format {
        name: format!("fmp4?{choice}"),
        content_type: "video/mp4",
        ways: (Way::HttpFmp4, Way::WsFmp4),
        choice: choice.clone(),
        sheds_in_gop: false,
        make: Box::new(move || Box::new(Chosen::new(choice, cmaf::Fmp4Render::new()))),
    };
    serve(call, key, format).await
}

/// The tracks the query asks for.
fn choice(call: &Call) -> Result<TrackChoice, Box<Response>> {
    TrackChoice::from_query(call.request.uri().query().unwrap_or_default())
        .map_err(|e| Box::new(bad("bad_choice", &e.to_string())))
}

fn bad(code: &str, message: &str) -> Response {
    reply::error(StatusCode::BAD_REQUEST, code, message)
}

/// A container that is sent without an end.
struct Format {
    /// Of the view, all but its pace.
    name: String,
    content_type: &'static str,
    /// Over HTTP, over a WebSocket.
    ways: (Way, Way),
    choice: TrackChoice,
    /// A reader that is behind may lose frames inside a GOP. Where not, nothing goes until it skips to a sync point.
    sheds_in_gop: bool,
    make: Box<dyn FnOnce() -> Box<dyn Render> + Send>,
}

async fn serve(mut call: Call, key: StreamKey, format: Format) -> Response {
    let socket = ws::wanted(&call.request);
    let way = if socket { format.ways.1 } else { format.ways.0 };
    let request = play_request(&call, key.clone(), way);
    let handle = match call.shared.playback.open_play(request).await {
        Ok(handle) => handle,
        Err(e) => return reply::stream_error(&e),
    };
    if call.request.method() == Method::HEAD {
        return reply::stream(format.content_type, Nothing);
    }
    // A player in a browser wants each frame at once; others take them as RTMP players do.
    let (pace, pace_name) = match (socket, call.shared.config.rtmp.fan_out) {
        (true, _) | (_, FanOut::LatencyFirst) => (Pace::EachFrame, "each"),
        (_, FanOut::Default) => (Pace::Every(Duration::from_millis(25)), "25ms"),
        (_, FanOut::ThroughputFirst) => (Pace::Every(Duration::from_millis(150)), "150ms"),
    };
    let spec = ViewSpec::new(format!("{}/{pace_name}", format.name), pace, format.make)
        .choice(format.choice);
    let mut options =
        SubscribeOptions::registered(ReaderInfo::new(way.name(), Some(call.peer.addr)));
    if !format.sheds_in_gop {
        options.shed = Some(whole_gops(&call.shared.config.limits));
    }
    let reader = match handle.view(spec).and_then(|view| view.reader(options)) {
        Ok(reader) => reader,
        Err(e) => return reply::stream_error(&e),
    };
    info!(%key, protocol = way.name(), remote = %call.peer.addr, reader = reader.id(), "playing");
    if socket {
        let response = match ws::accept(call.request.headers()) {
            Ok(response) => response,
            Err(refusal) => return *refusal,
        };
        let upgrade = hyper::upgrade::on(&mut call.request);
        let stall = call.shared.config.limits.stall();
        call.shared
            .tasks
            .spawn(ws_live::run(upgrade, reader, stall));
        return response;
    }
    reply::stream(format.content_type, LiveBody::new(reader, &call.peer))
}

/// Nothing is left out inside a GOP; past the limits the reader goes on at the newest sync point.
fn whole_gops(limits: &Limits) -> Arc<dyn ShedPolicy> {
    Arc::new(DropTail {
        time: Duration::from_millis(limits.lag_ms),
        bytes: limits.lag_bytes,
        inside_gop: false,
    })
}

/// What the authenticator and the list of readers get to know about a request.
pub(crate) fn play_request(call: &Call, key: StreamKey, way: Way) -> PlayRequest {
    let mut peer = Peer::new(way.name()).remote(call.peer.addr);
    if let Some(agent) = call.header(header::USER_AGENT) {
        peer = peer.user_agent(agent.chars().take(256).collect::<String>());
    }
    PlayRequest::new(key)
        .peer(peer)
        .token(credential(call.request.headers(), &call.query))
        .query(call.request.uri().query().unwrap_or_default())
}

/// What goes in front of the items of a batch.
pub(crate) fn head(preamble: &Preamble, join: bool) -> &Slices {
    if join {
        &preamble.join
    } else {
        &preamble.update
    }
}

/// The body of a reader: batches of its cursor, as they lie in the view's log.
struct LiveBody {
    reader: ViewReader,
    /// Ends the watch when the body goes.
    _watch: DropGuard,
}

impl LiveBody {
    fn new(mut reader: ViewReader, peer: &PeerInfo) -> Self {
        let gone = CancellationToken::new();
        watch(reader.ended_by_other(), gone.clone(), peer.kill.clone());
        Self {
            reader,
            _watch: gone.drop_guard(),
        }
    }
}

/// A body is only asked for more while its peer takes data. When this reader is ended and the body does not notice,
/// the peer is stuck, and its connection goes.
fn watch(ended: CancellationToken, gone: CancellationToken, kill: CancellationToken) {
    tokio::spawn(async move {
        tokio::select! {
            () = gone.cancelled() => {}
            () = ended.cancelled() => {
                if tokio::time::timeout(NOTICE, gone.cancelled()).await.is_err() {
                    kill.cancel();
                }
            }
        }
    });
}

impl Source for LiveBody {
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Run>> {
        let mut run = Run::default();
        while run.is_empty() {
            let Some(mut batch) = ready!(self.reader.poll_batch(cx)) else {
                return Poll::Ready(None);
            };
            loop {
                if let Some(preamble) = batch.new_header() {
                    run.extend(head(preamble, batch.is_join()).iter().cloned());
                }
                for (_, item) in &batch {
                    run.extend(item.slices.iter().cloned());
                }
                if run.remaining() >= RUN_BYTES {
                    break;
                }
                match self.reader.try_batch() {
                    TryBatch::Batch(next) => batch = next,
                    _ => break,
                }
            }
        }
        self.reader.delivered(run.remaining() as u64);
        Poll::Ready(Some(run))
    }
}

/// The body of an answer to HEAD: never asked for, and of unknown length like the one of GET.
struct Nothing;

impl Source for Nothing {
    fn poll_run(&mut self, _: &mut Context<'_>) -> Poll<Option<Run>> {
        Poll::Ready(None)
    }
}
