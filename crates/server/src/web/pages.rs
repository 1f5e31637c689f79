//! The pages: console and player, with their scripts, built in.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::Call;
use super::reply::{self, Response};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere runs or loads; the player may be framed by other sites, the console may not.
const PLAYER_POLICY: &str = "default-src 'self'; media-src 'self' blob:; \
    connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'";
const CONSOLE_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The two pages, with what they need to know about this server written into them once.
#[derive(Debug)]
pub(crate) struct Pages {
    console: Bytes,
    player: Bytes,
}

impl Pages {
    /// For a server that takes RTMP and RTMPS on these ports.
    pub(crate) fn new(rtmp: Option<u16>, rtmps: Option<u16>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let about = serde_json::json!({ "version": version, "rtmp": rtmp, "rtmps": rtmps });
        let about = about.to_string().replace('"', "&quot;");
        let fill = |page: &str| Bytes::from(page.replace("{{about}}", &about));
        Self {
            console: fill(include_str!("../../assets/console.html")),
            player: fill(include_str!("../../assets/player.html")),
        }
    }

    pub(crate) fn console(&self) -> Response {
        page(HTML, self.console.clone(), CONSOLE_POLICY)
    }

    pub(crate) fn player(&self) -> Response {
        page(HTML, self.player.clone(), PLAYER_POLICY)
    }
}

/// The files the pages load.
pub(crate) fn asset(name: &str) -> Response {
    let (content_type, text) = match name {
        "player.js" => (SCRIPT, include_str!("../../assets/player.js")),
        "console.js" => (SCRIPT, include_str!("../../assets/console.js")),
        "common.js" => (SCRIPT, include_str!("../../assets/common.js")),
        "style.css" => (
            "text/css; charset=utf-8",
            include_str!("../../assets/style.css"),
        ),
        "icon.svg" | "favicon.ico" => ("image/svg+xml", include_str!("../../assets/icon.svg")),
        "robots.txt" => (reply::TEXT, "User-agent: *\nDisallow: /\n"),
        _ => return reply::not_found(),
    };
    page(content_type, text, CONSOLE_POLICY)
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

fn page(content_type: &'static str, text: impl Into<Bytes>, policy: &'static str) -> Response {
    let mut response = reply::full(StatusCode::OK, content_type, text);
    reply::set(&mut response, header::CACHE_CONTROL, "no-cache");
    reply::set(&mut response, header::CONTENT_SECURITY_POLICY, policy);
    reply::set(&mut response, header::REFERRER_POLICY, "no-referrer");
    response
}
