//! Is it alive, is it ready, and what time is it here.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use core_frame::WallTime;
use http::{StatusCode, header};

use super::Shared;
use super::reply::{self, Response, TEXT};

/// `/healthz`: the process answers.
pub(crate) fn alive() -> Response {
    no_store(reply::full(StatusCode::OK, TEXT, "ok\n"))
}

/// `/readyz`: every listener is open and the server is not shutting down.
pub(crate) fn ready(shared: &Shared) -> Response {
    if shared.ready.load(Ordering::Acquire) {
        no_store(reply::full(StatusCode::OK, TEXT, "ready\n"))
    } else {
        reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "starting or shutting down",
        )
    }
}

/// `/time`: UTC in milliseconds as `xs:dateTime`, by which players measure latency whatever their own clock says.
pub(crate) fn time() -> Response {
    no_store(reply::full(
        StatusCode::OK,
        TEXT,
        WallTime::from(SystemTime::now()).to_rfc3339(),
    ))
}

fn no_store(mut response: Response) -> Response {
    reply::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
