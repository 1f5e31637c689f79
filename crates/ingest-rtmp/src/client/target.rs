//! Where a client goes: an `rtmp://` URL taken apart.

/// An RTMP URL in the parts that the protocol wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port; 1935 when the URL has none.
    pub port: u16,
    /// The application: the path but its last segment.
    pub app: String,
    /// The stream: the last segment, with the query.
    pub name: String,
    /// The URL up to the application.
    pub tc_url: String,
}

/// The text is no RTMP URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form rtmp://host[:port]/app/name")]
pub struct BadUrl;

impl Target {
    /// Takes `rtmp://host[:port]/app[/more]/name[?query]` apart.
    ///
    /// # Errors
    /// When the text is of another form.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let rest = url.strip_prefix("rtmp://").ok_or(BadUrl)?;
        let (authority, path) = rest.split_once('/').ok_or(BadUrl)?;
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let (app, name) = path.rsplit_once('/').ok_or(BadUrl)?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(BadUrl)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Ok(1935), |p| p.parse().map_err(|_| BadUrl))?;
        if host.is_empty() || app.is_empty() || name.is_empty() {
            return Err(BadUrl);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            app: app.to_owned(),
            name: query.map_or_else(|| name.to_owned(), |q| format!("{name}?{q}")),
            tc_url: format!("rtmp://{authority}/{app}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        for (url, host, port, app, name) in [
            ("rtmp://h/live/cam", "h", 1935, "live", "cam"),
            (
                "rtmp://h:19350/live/eu/cam?token=a/b",
                "h",
                19350,
                "live/eu",
                "cam?token=a/b",
            ),
            ("rtmp://[::1]:1/a/b", "::1", 1, "a", "b"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!((target.app.as_str(), target.name.as_str()), (app, name));
        }
        for url in [
            "http://h/a/b",
            "rtmp://h",
            "rtmp://h/a",
            "rtmp:///a/b",
            "rtmp://h:x/a/b",
        ] {
            assert_eq!(Target::parse(url), Err(BadUrl), "{url}");
        }
    }
}
