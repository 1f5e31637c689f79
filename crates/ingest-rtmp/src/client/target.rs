//! Where a client goes: an `rtmp://` or `rtmps://` URL taken apart.

/// An RTMP URL in the parts that the protocol wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// TLS under the protocol (`rtmps://`).
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port; where the URL has none, 1935, or 443 with TLS.
    pub port: u16,
    /// The application: the path but its last segment, with the query of a server URL.
    pub app: String,
    /// The stream: the last segment, with the query.
    pub name: String,
    /// The URL up to the application.
    pub tc_url: String,
}

/// The text is no RTMP URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form rtmp[s]://host[:port]/app/name")]
pub struct BadUrl;

impl Target {
    /// Takes `rtmp[s]://host[:port]/app[/more]/name[?query]` apart.
    ///
    /// # Errors
    /// When the text is of another form. User and password in a URL are refused: the schemes that would send them are
    /// not spoken here, so they would only reach logs.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let (server, query) = match url.split_once('?') {
            Some((server, query)) => (server, Some(query)),
            None => (url, None),
        };
        let (server, name) = server.rsplit_once('/').ok_or(BadUrl)?;
        match query {
            Some(query) => Self::of(server, &format!("{name}?{query}")),
            None => Self::of(server, name),
        }
    }

    /// The two fields that encoders ask for: the server URL (`rtmp://host/app`, which may have a query of its own) and
    /// the stream key.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn of(server: &str, name: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = server.split_once("://").ok_or(BadUrl)?;
        let tls = match scheme {
            s if s.eq_ignore_ascii_case("rtmp") => false,
            s if s.eq_ignore_ascii_case("rtmps") => true,
            _ => return Err(BadUrl),
        };
        let (authority, app) = rest.split_once('/').ok_or(BadUrl)?;
        let app = app.strip_suffix('/').unwrap_or(app);
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(BadUrl)?;
                match port.strip_prefix(':') {
                    None if !port.is_empty() => return Err(BadUrl),
                    port => (host, port),
                }
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let usual = if tls { 443 } else { 1935 };
        let port = port.map_or(Ok(usual), |p| p.parse().map_err(|_| BadUrl))?;
        let no_host = host.is_empty() || host.contains('@');
        let no_app = app.is_empty() || app.starts_with('?');
        let no_name = name.is_empty() || name.starts_with('?');
        if no_host || no_app || no_name {
            return Err(BadUrl);
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            app: app.to_owned(),
            name: name.to_owned(),
            tc_url: format!("{}://{authority}/{app}", scheme.to_ascii_lowercase()),
        })
    }

    /// The same stream at another `tcUrl`, as a server asks for by a redirect or a reconnect request: an absolute URL, or
    /// a reference relative to the present one (`//host/app`, `/app`). `None` is the present one.
    ///
    /// # Errors
    /// When that is no RTMP URL. A way from TLS to plain text is refused too.
    pub fn moved(&self, tc_url: Option<&str>) -> Result<Self, BadUrl> {
        let Some(reference) = tc_url.filter(|r| !r.is_empty()) else {
            return Ok(self.clone());
        };
        let (scheme, rest) = self.tc_url.split_once("://").ok_or(BadUrl)?;
        let (authority, app) = rest.split_once('/').ok_or(BadUrl)?;
        let url = if reference.contains("://") {
            reference.to_owned()
        } else if let Some(rest) = reference.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if reference.starts_with('/') {
            format!("{scheme}://{authority}{reference}")
        } else {
            // RFC 3986 §5.2.3: in place of what stands behind the last slash.
            let folder = app.rsplit_once('/').map_or("", |(folder, _)| folder);
            let slash = if folder.is_empty() { "" } else { "/" };
            format!("{scheme}://{authority}/{folder}{slash}{reference}")
        };
        let moved = Self::of(&url, &self.name)?;
        if self.tls && !moved.tls {
            return Err(BadUrl);
        }
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        for (url, host, port, app, name) in [
            ("rtmp://h/live/cam", "h", 1935, "live", "cam"),
            ("rtmps://h/live/cam", "h", 443, "live", "cam"),
            (
                "rtmp://h:19350/live/eu/cam?token=a/b",
                "h",
                19350,
                "live/eu",
                "cam?token=a/b",
            ),
            ("rtmp://[::1]:1/a/b", "::1", 1, "a", "b"),
            ("rtmp://[::1]/a/b", "::1", 1935, "a", "b"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!((target.app.as_str(), target.name.as_str()), (app, name));
            assert_eq!(target.tls, url.starts_with("rtmps"));
        }
        let target = Target::parse("rtmp://[::1]:1/a/b?x").unwrap();
        assert_eq!(target.tc_url, "rtmp://[::1]:1/a");
        for bad in [
            "http://h/a/b",
            "rtmp://h/a",
            "rtmp:///a/b",
            "rtmp://h:x/a/b",
            "rtmp://h/a/",
            "rtmp://h/a/?x",
            "rtmp://[::1/a/b",
            "rtmp://[::1]x/a/b",
            "rtmp://user:word@h/a/b",
            "rtmp://h",
        ] {
            assert_eq!(Target::parse(bad), Err(BadUrl), "{bad}");
        }
    }

    #[test]
    fn a_server_and_a_key_as_encoders_have_them() {
        let target = Target::of("RTMPS://h:444/live?auth=x/", "cam?y=1").unwrap();
        assert_eq!((target.app.as_str(), target.port), ("live?auth=x", 444));
        assert_eq!(target.tc_url, "rtmps://h:444/live?auth=x");
        assert_eq!(target.name, "cam?y=1");
    }

    #[test]
    fn a_server_may_send_us_elsewhere() {
        let target = Target::parse("rtmps://h:444/live/eu/cam?token=x").unwrap();
        for (to, want) in [
            (None, "rtmps://h:444/live/eu"),
            (Some(""), "rtmps://h:444/live/eu"),
            (Some("rtmps://other/app"), "rtmps://other/app"),
            (Some("//other:1/app"), "rtmps://other:1/app"),
            (Some("/app"), "rtmps://h:444/app"),
            (Some("us"), "rtmps://h:444/live/us"),
        ] {
            let moved = target.moved(to).unwrap();
            assert_eq!(
                (moved.tc_url.as_str(), moved.name),
                (want, target.name.clone())
            );
        }
        assert_eq!(
            target.moved(Some("rtmp://h/live")),
            Err(BadUrl),
            "no downgrade"
        );
        assert_eq!(target.moved(Some("http://h/live")), Err(BadUrl));
    }
}
