//! A minimal HTTP/1.1 client for endless answers: one GET, the header, then the body as it comes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::{Dialer, Socket};
use crate::{Error, Result};

/// The longest answer header taken.
const HEADER_MAX: usize = 32 * 1024;
/// How often an answer may send us elsewhere.
const REDIRECTS: usize = 5;

/// An answer whose body is still on the wire.
pub(crate) struct Answer {
    pub(crate) stream: Socket,
    pub(crate) body: Body,
    /// Bytes of the body that came with the header.
    pub(crate) first: Vec<u8>,
}

/// Asks for an `http://` or `https://` address and reads the answer's header.
pub(crate) async fn get(url: &str, dialer: &Dialer) -> Result<Answer> {
    let timeout = dialer.timeout;
    let fetch = async {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            match get_once(&url, dialer).await? {
                Fetched::Answer(answer) => return Ok(answer),
                Fetched::Elsewhere(location) => url = location,
            }
        }
        Err(Error::Http(format!("more than {REDIRECTS} redirections")))
    };
    tokio::time::timeout(timeout, fetch)
        .await
        .map_err(|_| Error::Timeout {
            what: "HTTP answer",
            after: timeout,
        })?
}

/// Tells whether [`get`] can ask for this.
pub(crate) fn check(url: &str) -> Result<()> {
    Address::parse(url).map(drop)
}

/// An address taken apart.
struct Address<'a> {
    scheme: &'a str,
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Address<'a> {
    fn parse(url: &'a str) -> Result<Self> {
        let bad = |reason| Error::Url {
            url: url.to_owned(),
            reason,
        };
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('/') => rest.split_at(at),
            Some(_) => return Err(bad("a query needs a path before it")),
            None => (rest, "/"),
        };
        let path = path.split('#').next().unwrap_or(path);
        let is_clean = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if !is_clean(authority) || !is_clean(path) {
            return Err(bad("it has spaces or characters that must be escaped"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().map_err(|_| bad("the port is no number"))?;
                (host, port)
            }
            _ => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("it has no host"));
        }
        Ok(Self {
            scheme,
            authority,
            host,
            port,
            path,
        })
    }
}

enum Fetched {
    Answer(Answer),
    Elsewhere(String),
}

async fn get_once(url: &str, dialer: &Dialer) -> Result<Fetched> {
    let address = Address::parse(url)?;
    let Address {
        scheme,
        authority,
        path,
        ..
    } = address;
    let mut stream = dialer
        .open(address.host, address.port, scheme == "https")
        .await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Millstream\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::with_capacity(4_096);
    let end = loop {
        if let Some(at) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > HEADER_MAX {
            return Err(Error::Http("the header is too long".to_owned()));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::Http(
                "closed before the header was complete".to_owned(),
            ));
        }
    };
    let first = head.split_off(end);
    let head = String::from_utf8_lossy(&head).into_owned();
    let header = Header::parse(&head)?;
    match header.status {
        200 | 206 => {}
        301 | 302 | 303 | 307 | 308 if header.location.is_some() => {
            let location = header.location.unwrap_or_default();
            let absolute = match location.strip_prefix('/') {
                Some(path) => format!("{scheme}://{authority}/{path}"),
                None => location.to_owned(),
            };
            return Ok(Fetched::Elsewhere(absolute));
        }
        status => {
            return Err(Error::Status {
                status,
                url: url.to_owned(),
            });
        }
    }
    let body = match (header.chunked, header.length) {
        (true, _) => Body::Chunked(Dechunk::default()),
        (false, Some(length)) => Body::Sized(length),
        (false, None) => Body::ToTheEnd,
    };
    Ok(Fetched::Answer(Answer {
        stream,
        body,
        first,
    }))
}

struct Header<'a> {
    status: u16,
    chunked: bool,
    length: Option<u64>,
    location: Option<&'a str>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let bad = |what: &str| Error::Http(what.to_owned());
        let mut lines = text.lines();
        let status = lines
            .next()
            .filter(|line| line.starts_with("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or_else(|| bad("it does not begin with a status line"))?;
        let mut header = Self {
            status,
            chunked: false,
            length: None,
            location: None,
        };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "transfer-encoding" => header.chunked = value.eq_ignore_ascii_case("chunked"),
                "content-length" => {
                    let length = value.parse().map_err(|_| bad("the length is no number"))?;
                    header.length = Some(length);
                }
                "location" => header.location = Some(value),
                _ => {}
            }
        }
        Ok(header)
    }
}

/// How the end of a body is told.
#[derive(Debug)]
pub(crate) enum Body {
    ToTheEnd,
    Sized(u64),
    Chunked(Dechunk),
}

impl Body {
    /// Takes bytes off the wire and hands on those of the body. False at the end of the body.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(&[u8])) -> Result<bool> {
        match self {
            Self::ToTheEnd => {
                on(bytes);
                Ok(true)
            }
            Self::Sized(left) => {
                let n = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                on(bytes.get(..n).unwrap_or_default());
                *left -= n as u64;
                Ok(*left > 0)
            }
            Self::Chunked(dechunk) => dechunk.feed(bytes, on),
        }
    }
}

/// RFC 9112 §7.1.
#[derive(Debug, Default)]
pub(crate) struct Dechunk {
    state: Chunked,
    left: u64,
    digits: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chunked {
    #[default]
    Size,
    Extension,
    Data,
    AfterData,
    End,
}

impl Dechunk {
    fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(&[u8])) -> Result<bool> {
        let bad = || Error::Http("bad chunked transfer coding".to_owned());
        while let Some((first, rest)) = bytes.split_first() {
            match self.state {
                Chunked::Data => {
                    let n = bytes
                        .len()
                        .min(usize::try_from(self.left).unwrap_or(usize::MAX));
                    let (data, behind) = bytes.split_at(n);
                    on(data);
                    self.left -= n as u64;
                    bytes = behind;
                    if self.left == 0 {
                        self.state = Chunked::AfterData;
                    }
                    continue;
                }
                Chunked::Size => match (*first as char).to_digit(16) {
                    Some(digit) => {
                        self.digits += 1;
                        if self.digits > 15 {
                            return Err(bad());
                        }
                        self.left = self.left << 4 | u64::from(digit);
                    }
                    None if self.digits == 0 => return Err(bad()),
                    None if *first == b'\n' => self.begin(),
                    None => self.state = Chunked::Extension,
                },
                Chunked::Extension if *first == b'\n' => self.begin(),
                Chunked::Extension => {}
                Chunked::AfterData => match first {
                    b'\r' => {}
                    b'\n' => {
                        self.state = Chunked::Size;
                        self.digits = 0;
                    }
                    _ => return Err(bad()),
                },
                Chunked::End => return Ok(false),
            }
            bytes = rest;
        }
        Ok(self.state != Chunked::End)
    }

    fn begin(&mut self) {
        self.state = match self.left {
            0 => Chunked::End,
            _ => Chunked::Data,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_apart_however_they_are_cut() {
        let wire = b"5\r\nhello\r\n1;x=y\r\n,\r\n00006\r\n world\r\n0\r\n\r\n";
        for piece in 1..wire.len() {
            let mut dechunk = Dechunk::default();
            let mut body = Vec::new();
            let mut more = true;
            for part in wire.chunks(piece) {
                more = dechunk.feed(part, |b| body.extend_from_slice(b)).unwrap();
            }
            assert_eq!(body, b"hello, world", "in {piece}s");
            assert!(!more);
        }
        for bad in ["x\r\n", "\r\n", "ffffffffffffffff\r\n", "1\r\nab"] {
            let mut dechunk = Dechunk::default();
            assert!(dechunk.feed(bad.as_bytes(), |_| ()).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_read() {
        let h =
            Header::parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX: y\r\n\r\n").unwrap();
        assert!((h.status, h.chunked, h.length) == (200, true, None));
        let h =
            Header::parse("HTTP/1.0 302 Found\r\nlocation: /a\r\ncontent-length: 5\r\n").unwrap();
        assert!((h.status, h.location, h.length) == (302, Some("/a"), Some(5)));
        assert!(Header::parse("RTSP/1.0 200 OK\r\n").is_err());
        assert!(Header::parse("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n").is_err());
    }
}
