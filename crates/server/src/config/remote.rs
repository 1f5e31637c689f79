//! Addresses of other servers, which carry secrets: who shows one shows what is none of them.

use std::fmt;

use core_frame::Secret;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Where a stream comes from. `Display` and `Debug` hide its user, password and query.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct SourceUrl(Secret);

/// Where a stream is pushed to. `Display` and `Debug` hide its user, password, query and the last segment of its path,
/// which is the stream key at most services.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TargetUrl(Secret);

macro_rules! url {
    ($name:ident, $hide_name:literal) => {
        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(Secret::new(text))
            }

            /// The whole text, secrets and all.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// Up to the first colon; empty when there is none.
            #[must_use]
            pub fn scheme(&self) -> &str {
                self.expose().split_once(':').map_or("", |(s, _)| s)
            }

            /// True when there is no text.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Parts::of(self.expose()).shown($hide_name))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}
url!(SourceUrl, false);
url!(TargetUrl, true);

/// A URL in the pieces that are or are not secret.
struct Parts<'a> {
    /// `rtmp://`, or all of it where there is no authority.
    scheme: &'a str,
    user: Option<&'a str>,
    host: &'a str,
    /// With its slash, up to the last segment.
    path: &'a str,
    name: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let Some(at) = url.find("://") else {
            return Self {
                scheme: url,
                user: None,
                host: "",
                path: "",
                name: "",
                query: None,
            };
        };
        let (scheme, rest) = url.split_at(at + 3);
        let (rest, query) = match rest.find(['?', '#']) {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (path, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
        Self {
            scheme,
            user,
            host,
            path,
            name,
            query,
        }
    }

    fn shown(&self, hide_name: bool) -> String {
        let user = self.user.map_or("", |_| "***@");
        let query = self.query.map_or("", |_| "?***");
        let name = match self.name {
            // A place for the name of the stream tells nothing.
            name if !hide_name || name.is_empty() || name.starts_with('{') => name,
            _ => HIDDEN,
        };
        [self.scheme, user, self.host, self.path, name, query].concat()
    }
}

/// Hides the secrets of `url` wherever a text about it repeats them: an error of the other side, a reason it gives.
pub(crate) fn scrub(text: &str, url: &str, hide_name: bool) -> String {
    let parts = Parts::of(url);
    let mut secrets: Vec<&str> = Vec::new();
    if let Some(user) = parts.user {
        secrets.push(user);
        secrets.extend(user.split(':'));
    }
    if let Some(query) = parts.query {
        secrets.push(query);
        secrets.extend(query.split('&'));
        secrets.extend(query.split('&').filter_map(|p| Some(p.split_once('=')?.1)));
    }
    if hide_name {
        secrets.push(parts.name);
    }
    // The longest first, so that no rest of one is left.
    secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    let mut text = text.to_owned();
    // Shorter ones stand in any text by chance, and protect nothing.
    for secret in secrets.into_iter().filter(|s| s.len() >= 3) {
        text = text.replace(secret, HIDDEN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_no_secret() {
        for (url, source, target) in [
            (
                "rtmp://h/live/cam",
                "rtmp://h/live/cam",
                "rtmp://h/live/***",
            ),
            (
                "rtmps://u:p@h:443/app/key?token=t",
                "rtmps://***@h:443/app/key?***",
                "rtmps://***@h:443/app/***?***",
            ),
            (
                "rtmp://h/app/{name}",
                "rtmp://h/app/{name}",
                "rtmp://h/app/{name}",
            ),
            ("rtmp://u@v:p@h", "rtmp://***@h", "rtmp://***@h"),
            ("rtmp://h?k=v", "rtmp://h?***", "rtmp://h?***"),
            ("demo:", "demo:", "demo:"),
            ("", "", ""),
        ] {
            assert_eq!(SourceUrl::new(url).to_string(), source, "{url}");
            assert_eq!(TargetUrl::new(url).to_string(), target, "{url}");
        }
        let shown = format!("{:?}", TargetUrl::new("rtmp://h/app/s3cret"));
        assert_eq!(shown, "TargetUrl(rtmp://h/app/***)");
    }

    #[test]
    fn hides_what_others_repeat() {
        let url = "rtmp://joe:hunter2@h/app/live_99?sig=abc&e=1";
        let text = "live_99 of joe is in use (sig=abc, hunter2)";
        assert_eq!(scrub(text, url, true), "*** of *** is in use (***, ***)");
        assert_eq!(
            scrub(text, url, false),
            "live_99 of *** is in use (***, ***)"
        );
    }
}
