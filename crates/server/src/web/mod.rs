//! HTTP: one dispatch over everything that is served, and what its handlers share.

mod accept;
mod access;
mod api;
mod body;
mod chosen;
mod conn;
mod health;
mod hls;
mod io;
mod live;
mod metrics;
mod pages;
mod phase;
mod query;
mod refuse;
mod reply;
mod route;
mod viewers;
mod ws;
mod ws_live;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bus::{Engine, PlaybackRegistry};
use http::header;
use http::{Method, StatusCode};
use ingest_rtmp::net::RtmpProtocol;
use tokio_util::task::TaskTracker;
use tracing::debug;

pub(crate) use accept::accept;
pub(crate) use conn::{PeerInfo, Transport};
pub(crate) use pages::Pages;
pub(crate) use viewers::Viewers;

use crate::auth::Gate;
use crate::config::Config;
use crate::counters::{Counters, Tally};
use crate::links::Links;
use crate::packager::Packagers;
use crate::sessions::Sessions;
use query::Query;
use reply::{Request, Response};
use route::Route;

/// What every handler may use.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    /// Opens streams for readers; starts sources that wait for one.
    pub(crate) playback: Arc<dyn PlaybackRegistry>,
    pub(crate) links: Arc<Links>,
    /// RTMP's listeners, for what they count.
    pub(crate) rtmp: Vec<Arc<RtmpProtocol>>,
    pub(crate) config: Arc<Config>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) packagers: Arc<Packagers>,
    pub(crate) viewers: Arc<Viewers>,
    pub(crate) sessions: Sessions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) pages: Pages,
    pub(crate) ready: AtomicBool,
    /// Sessions that outlive the request they began with.
    pub(crate) tasks: TaskTracker,
}

/// One request on its way to its handler.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: PeerInfo,
    pub(crate) request: Request,
    pub(crate) query: Query,
}

impl Call {
    /// A header as text.
    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
    }
}

/// Answers one request.
pub(crate) async fn handle(shared: Arc<Shared>, peer: PeerInfo, request: Request) -> Response {
    shared.counters.requests.add(1);
    let route = Route::of(request.uri().path());
    let Some(query) = Query::parse(request.uri().query()) else {
        return reply::error(
            StatusCode::BAD_REQUEST,
            "bad_query",
            "the query string is not valid",
        );
    };
    if too_big(&request, shared.config.limits.http_body_bytes) {
        return reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_big",
            "the body is longer than limits.http_body_bytes",
        );
    }
    let method = request.method().clone();
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().to_owned());
    let addr = peer.addr;
    let call = Call {
        shared,
        peer,
        request,
        query,
    };
    let media = route.is_media();
    let mut response = match (&method, route) {
        (&Method::OPTIONS, _) if media => reply::preflight(),
        (_, Route::NotBuiltIn(what)) => not_built_in(what),
        (_, Route::Api(segments)) => api::handle(call, &segments).await,
        (&(Method::GET | Method::HEAD), route) => get(call, route).await,
        (_, Route::Unknown) => reply::not_found(),
        _ => reply::method_not_allowed(if media {
            "GET, HEAD, OPTIONS"
        } else {
            "GET, HEAD"
        }),
    };
    if media {
        reply::open_cors(response.headers_mut());
    }
    if let Some(path) = path {
        debug!(%addr, %method, path, status = response.status().as_u16(), "answered");
    }
    let headers = response.headers_mut();
    headers.insert(
        header::SERVER,
        header::HeaderValue::from_static("Millstream"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    response
}

/// No handler reads more than it needs of a body; one that says it is longer than allowed is not begun.
fn too_big(request: &Request, most: u32) -> bool {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok());
    length
        .and_then(|l| l.parse::<u64>().ok())
        .is_some_and(|l| l > u64::from(most))
}

async fn get(call: Call, route: Route) -> Response {
    match route {
        Route::Console => call.shared.pages.console(),
        Route::Asset(name) => pages::asset(&name),
        Route::Healthz => health::alive(),
        Route::Readyz => health::ready(&call.shared),
        Route::Time => health::time(),
        Route::Metrics => metrics::handle(call).await,
        Route::Flv(key) => live::flv(call, key).await,
        Route::Ts(key) => live::ts(call, key).await,
        Route::Mp4(key) => live::mp4(call, key).await,
        Route::PlayerRedirect(_) => pages::redirect_to_player(&call),
        Route::Player(_) => call.shared.pages.player(),
        Route::Hls(readings) => hls::handle(call, readings).await,
        Route::NotBuiltIn(what) => not_built_in(what),
        Route::Api(_) | Route::Unknown => reply::not_found(),
    }
}

fn not_built_in(what: &str) -> Response {
    let message = format!("{what} is not built in yet");
    reply::error(StatusCode::NOT_IMPLEMENTED, "not_built_in", &message)
}
