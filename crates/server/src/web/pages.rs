//! The pages: console and player, with their scripts, built in.

use http::{HeaderValue, StatusCode, header};

use super::Call;
use super::reply::{self, Response};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere runs or loads; the player may be framed by other sites, the console may not.
const PLAYER_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; media-src 'self' blob:; \
    connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'";
const CONSOLE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn console() -> Response {
    page(
        HTML,
        include_str!("../../assets/console.html"),
        CONSOLE_POLICY,
    )
}

pub(crate) fn player() -> Response {
    page(
        HTML,
        include_str!("../../assets/player.html"),
        PLAYER_POLICY,
    )
}

pub(crate) fn asset(name: &str) -> Response {
    match name {
        "player.js" => page(
            SCRIPT,
            include_str!("../../assets/player.js"),
            PLAYER_POLICY,
        ),
        "console.js" => page(
            SCRIPT,
            include_str!("../../assets/console.js"),
            CONSOLE_POLICY,
        ),
        "favicon.ico" => page(
            "image/svg+xml",
            include_str!("../../assets/icon.svg"),
            CONSOLE_POLICY,
        ),
        "robots.txt" => page(reply::TEXT, "User-agent: *\nDisallow: /\n", CONSOLE_POLICY),
        _ => reply::not_found(),
    }
}

/// `/live/cam` to `/live/cam/`. The target is relative, so that no host or scheme can be smuggled into it.
pub(crate) fn redirect_to_player(call: &Call) -> Response {
    let path = call.request.uri().path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let query = call
        .request
        .uri()
        .query()
        .map(|q| format!("?{q}"))
        .unwrap_or_default();
    let mut response = reply::empty(StatusCode::PERMANENT_REDIRECT);
    match HeaderValue::from_str(&format!("./{last}/{query}")) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            reply::set(&mut response, header::CACHE_CONTROL, "no-cache");
            response
        }
        Err(_) => reply::not_found(),
    }
}

fn page(content_type: &'static str, text: &'static str, policy: &'static str) -> Response {
    let mut response = reply::full(StatusCode::OK, content_type, text);
    reply::set(&mut response, header::CACHE_CONTROL, "no-cache");
    reply::set(&mut response, header::CONTENT_SECURITY_POLICY, policy);
    reply::set(&mut response, header::REFERRER_POLICY, "no-referrer");
    response
}
