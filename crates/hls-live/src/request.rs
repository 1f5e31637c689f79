//! A request below a stream, as the HTTP side hands it in.

use std::time::Instant;

/// What an HTTP request asks of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The path below the stream, without a leading slash: `index.m3u8`, `v1/7.3.m4s`.
    pub path: &'a str,
    /// The query as it stood in the URL, without its `?`.
    pub query: Option<&'a str>,
    /// The client takes gzip.
    pub accept_gzip: bool,
    /// The `If-None-Match` header.
    pub if_none_match: Option<&'a str>,
    /// When the request arrived; stays the same when it is asked again after a wait.
    pub arrived: Instant,
}

impl<'a> Request<'a> {
    /// A plain request for `path`.
    #[must_use]
    pub const fn new(path: &'a str, arrived: Instant) -> Self {
        Self {
            path,
            query: None,
            accept_gzip: false,
            if_none_match: None,
            arrived,
        }
    }

    /// The same with a query.
    #[must_use]
    pub const fn query(mut self, query: &'a str) -> Self {
        self.query = Some(query);
        self
    }

    /// The same from a client that takes gzip.
    #[must_use]
    pub const fn gzip(mut self) -> Self {
        self.accept_gzip = true;
        self
    }

    /// True when `If-None-Match` names this entity tag (RFC 9110 §13.1.2: weak comparison, lists, `*`).
    pub(crate) fn has(&self, etag: &str) -> bool {
        self.if_none_match.is_some_and(|header| {
            header
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
        })
    }
}
