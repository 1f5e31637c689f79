//! Answers: texts, errors in their one shape, and who may read them from another site.

use bytes::Bytes;
use core_frame::StreamError;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::body::Body;

pub(crate) type Request = http::Request<hyper::body::Incoming>;
pub(crate) type Response = http::Response<Body>;

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// A complete answer.
pub(crate) fn full(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    response
}

/// An endless answer.
pub(crate) fn stream(
    content_type: &'static str,
    source: impl super::body::Source + 'static,
) -> Response {
    let mut response = Response::new(Body::Stream(Box::new(source)));
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    // Proxies of the field buffer whole answers unless they are told not to.
    set(
        &mut response,
        HeaderName::from_static("x-accel-buffering"),
        "no",
    );
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// JSON that no cache keeps.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut response = full(status, JSON, text);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    code: &'a str,
    message: &'a str,
}

/// The one shape of errors: `{"error":{"code":"…","message":"…"}}`.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let mut response = json(
        status,
        &ErrorBody {
            error: ErrorDetail { code, message },
        },
    );
    if status == StatusCode::UNAUTHORIZED {
        set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        set(&mut response, header::RETRY_AFTER, "1");
    }
    response
}

/// There is no room for what was asked.
pub(crate) fn overloaded(why: &str) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "overloaded", why)
}

pub(crate) fn not_found() -> Response {
    error(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this address",
    )
}

/// The method is none of those that make sense here.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address has no such method",
    );
    set(&mut response, header::ALLOW, allow);
    response
}

/// A stream error in HTTP's terms.
pub(crate) fn stream_error(e: &StreamError) -> Response {
    let status = match e {
        StreamError::StreamNotFound(_) | StreamError::AppNotFound(_) | StreamError::BadKey(_) => {
            StatusCode::NOT_FOUND
        }
        StreamError::StreamAlreadyPublishing(_) => StatusCode::CONFLICT,
        StreamError::Unauthorized(_) => StatusCode::UNAUTHORIZED,
        StreamError::Ended => StatusCode::GONE,
        StreamError::PublisherLimitReached { .. }
        | StreamError::ReaderLimitReached { .. }
        | StreamError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        StreamError::BadMedia(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(status, e.code(), &e.to_string())
}

pub(crate) fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

/// Media, and errors about media, may be read by every site.
pub(crate) fn open_cors(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Content-Length, Content-Range, Date, ETag, Retry-After"),
    );
}

/// The answer to a preflight request for media.
pub(crate) fn preflight() -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    open_cors(response.headers_mut());
    set(
        &mut response,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        "GET, HEAD, OPTIONS",
    );
    set(
        &mut response,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Range, If-None-Match, If-Modified-Since",
    );
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    response
}
