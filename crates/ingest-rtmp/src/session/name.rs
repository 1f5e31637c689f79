//! From what `connect`, `publish` and `play` say to a stream key and a token.

use core_frame::{KeyError, Secret, StreamKey};

/// An app or stream name as sent, split from its query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Name {
    pub(crate) fn parse(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
        }
    }

    /// The app of a `connect`: what it says, or else what its `tcUrl` says. One slash at the end is forgiven, since
    /// people type `rtmp://host/live/`.
    pub(crate) fn app(app: Option<&str>, tc_url: Option<&str>) -> Self {
        let from_url = || {
            let (_, rest) = tc_url?.split_once("://")?;
            rest.split_once('/').map(|(_, path)| path)
        };
        let text = app.filter(|a| !a.is_empty()).or_else(from_url);
        let mut name = Self::parse(text.unwrap_or_default());
        if name.path.ends_with('/') {
            name.path.pop();
        }
        // Encoders that hide the query from the app still show it in the URL.
        if name.query.is_empty()
            && let Some((_, query)) = tc_url.and_then(|url| url.split_once('?'))
        {
            query.clone_into(&mut name.query);
        }
        name
    }
}

/// The key of `name` in `app`. Where the whole path stands in the app (an encoder without a stream key), the name is
/// empty.
pub(crate) fn key(app: &Name, name: &Name) -> Result<StreamKey, KeyError> {
    if name.path.is_empty() {
        StreamKey::parse(&app.path)
    } else {
        StreamKey::from_parts(&app.path, &name.path)
    }
}

/// `token=` of the first query that has one.
pub(crate) fn token(queries: [&str; 2]) -> Option<Secret> {
    queries
        .iter()
        .flat_map(|q| q.split('&'))
        .find_map(|pair| pair.strip_prefix("token="))
        .map(|value| Secret::new(unescape(value)))
}

/// Both queries as one.
pub(crate) fn query(queries: [&str; 2]) -> Secret {
    let both: Vec<&str> = queries.into_iter().filter(|q| !q.is_empty()).collect();
    Secret::new(both.join("&"))
}

/// Undoes percent-encoding (RFC 3986 §2.1), as HTTP does for the same URL; what is no escape stays as it is.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let byte = match (first, tail.first_chunk::<2>()) {
            (b'%', Some(hex)) => std::str::from_utf8(hex)
                .ok()
                .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|h| u8::from_str_radix(h, 16).ok()),
            _ => None,
        };
        out.push(byte.unwrap_or(first));
        rest = match byte {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_names_and_queries_in_every_place() {
        let key_of = |app: &str, url: &str, name: &str| {
            let app = Name::app(Some(app), Some(url));
            let name = Name::parse(name);
            let token = token([&name.query, &app.query]).map(|t| t.expose().to_owned());
            (key(&app, &name).map(|k| k.to_string()), token)
        };
        let ok = |key: &str, token: Option<&str>| (Ok(key.to_owned()), token.map(str::to_owned));
        for (app, url, name, want) in [
            ("live", "rtmp://h/live", "cam", ok("live/cam", None)),
            ("live/", "rtmp://h/live/", "cam", ok("live/cam", None)),
            (
                "live/eu",
                "rtmp://h/live/eu",
                "cam",
                ok("live/eu/cam", None),
            ),
            ("live", "rtmp://h/live", "eu/cam", ok("live/eu/cam", None)),
            ("live/cam", "rtmp://h/live/cam", "", ok("live/cam", None)),
            ("live", "", "cam?token=a%2Bb%", ok("live/cam", Some("a+b%"))),
            ("live?token=x&y=1", "", "cam", ok("live/cam", Some("x"))),
            (
                "live",
                "rtmp://h/live?token=x",
                "cam",
                ok("live/cam", Some("x")),
            ),
            (
                "live?token=x",
                "",
                "cam?a=1&token=y",
                ok("live/cam", Some("y")),
            ),
            ("", "rtmp://h:1935/live/eu", "cam", ok("live/eu/cam", None)),
        ] {
            assert_eq!(key_of(app, url, name), want, "{app} {url} {name}");
        }
        for (app, name) in [
            ("", "cam"),
            ("live", ""),
            ("/live", "cam"),
            ("live", "/cam"),
            ("live/../../x", "p"),
            ("live", "../../../../tmp/x"),
            ("live", "a\nb"),
            ("live", "a%2f..%2fb"),
        ] {
            assert!(key_of(app, "", name).0.is_err(), "{app} {name}");
        }
    }
}
