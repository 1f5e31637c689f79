//! Paths and query strings: decoded once, here, so that routing and authentication read the same words.

use core_frame::Secret;

/// Longest query string that is looked at, in bytes.
const MAX_QUERY: usize = 8 * 1024;
/// Most pairs that are looked at.
const MAX_PAIRS: usize = 64;

/// A decoded query string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes `a=b&c=d`. `None` when it is no valid query: bad escapes, bytes that are not UTF-8, too long, or a name
    /// that stands there twice (one of the two would be the one that another parser reads).
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        let text = text.unwrap_or("");
        if text.len() > MAX_QUERY {
            return None;
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, true)?;
            if pairs.len() == MAX_PAIRS || pairs.iter().any(|(n, _)| *n == name) {
                return None;
            }
            pairs.push((name, decode(value, true)?));
        }
        Some(Self { pairs })
    }

    /// The value of a name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// The credential of a request: `Authorization: Bearer …`, or `?token=…`.
pub(crate) fn credential(headers: &http::HeaderMap, query: &Query) -> Option<Secret> {
    let bearer = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| Secret::new(token.trim()));
    bearer.or_else(|| {
        query
            .value("token")
            .filter(|t| !t.is_empty())
            .map(Secret::new)
    })
}

/// The segments of a path, decoded, and whether it ended in `/`. `None` when an escape is bad, hides a `/`, or the
/// bytes are not UTF-8.
pub(crate) fn segments(path: &str) -> Option<(Vec<String>, bool)> {
    let rest = path.strip_prefix('/')?;
    let (rest, slash) = match rest.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (rest, rest.is_empty()),
    };
    if rest.is_empty() {
        return Some((Vec::new(), slash));
    }
    let segments: Option<Vec<String>> = rest
        .split('/')
        .map(|s| decode(s, false).filter(|s| !s.contains('/')))
        .collect();
    segments.map(|s| (s, slash))
}

/// Percent-decoding; `plus` reads `+` as a blank, as forms write it.
fn decode(text: &str, plus: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => (hex(bytes.next()?)? << 4) | hex(bytes.next()?)?,
            b'+' if plus => b' ',
            b => b,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_refuses_the_ambiguous() {
        let query = Query::parse(Some("token=a%20b&x=%C3%A4&flag&&e=1+2")).unwrap();
        assert_eq!(query.value("token"), Some("a b"));
        assert_eq!(query.value("x"), Some("ä"));
        assert_eq!(query.value("flag"), Some(""));
        assert_eq!(query.value("e"), Some("1 2"));
        for bad in [
            "a=%",
            "a=%2",
            "a=%zz",
            "a=%ff",
            "token=a&token=b",
            "token=a&t%6Fken=b",
        ] {
            assert_eq!(Query::parse(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn splits_paths() {
        let split = |p| segments(p).map(|(s, slash)| (s.join("|"), slash));
        assert_eq!(split("/"), Some((String::new(), true)));
        assert_eq!(split("/live/cam"), Some(("live|cam".into(), false)));
        assert_eq!(split("/live/cam/"), Some(("live|cam".into(), true)));
        assert_eq!(split("/live/c%61m+x"), Some(("live|cam+x".into(), false)));
        assert_eq!(split("//x"), Some(("|x".into(), false)));
        assert_eq!(split("/live%2Fcam"), None);
        assert_eq!(split("/%zz"), None);
        assert_eq!(split("*"), None);
    }

    #[test]
    fn finds_the_credential() {
        let mut headers = http::HeaderMap::new();
        let query = Query::parse(Some("token=q")).unwrap();
        assert!(credential(&headers, &query).unwrap().matches("q"));
        headers.insert("authorization", "bearer h".parse().unwrap());
        assert!(credential(&headers, &query).unwrap().matches("h"));
        headers.insert("authorization", "Basic aDpo".parse().unwrap());
        assert!(credential(&headers, &Query::default()).is_none());
    }
}
