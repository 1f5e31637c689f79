//! What an HLS player does: lists, the walk along them, and the loading of their items.

mod cursor;

use std::time::Duration;

use bytes::Bytes;
use m3u8::{
    ByteRange, MediaPlaylist, MediaType, MultivariantPlaylist, ParseOptions, Playlist, Warning,
};
use reqwest::{ClientBuilder, Url};
use rustls::ClientConfig;

use crate::error::causes;
use crate::{Error, Result, TlsOptions};

pub(crate) use cursor::{Cursor, Item, Next};

/// The longest playlist taken.
const PLAYLIST_MAX: usize = 1024 * 1024;
/// The longest segment or part taken.
const ITEM_MAX: u64 = 100 * 1024 * 1024;

/// An HTTP client for playlists and segments.
#[derive(Clone, Debug)]
pub(crate) struct Http(reqwest::Client);

/// A playlist and where it came from.
pub(crate) struct Loaded<T> {
    pub(crate) list: T,
    pub(crate) url: Url,
    pub(crate) warnings: Vec<Warning>,
}

impl Http {
    /// Many players share it, each with connections of its own: HTTP/1.1, one connection for each request under way.
    pub(crate) fn new(timeout: Duration, tls: &TlsOptions) -> Result<Self> {
        let builder = Self::builder(timeout).http1_only();
        // What the client brings itself is the same as the default.
        let builder = match tls {
            own if *own == TlsOptions::default() => builder,
            own => builder.tls_backend_preconfigured(own.client()?.as_ref().clone()),
        };
        Self::build(builder)
    }

    /// Of one player: HTTP/2 where the server offers it (by ALPN, so under TLS), all requests on one connection.
    pub(crate) fn http2(timeout: Duration, tls: &ClientConfig) -> Result<Self> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::build(Self::builder(timeout).tls_backend_preconfigured(tls))
    }

    fn builder(timeout: Duration) -> ClientBuilder {
        // The first installer wins; another part of the process may have chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .connect_timeout(timeout)
            .read_timeout(timeout)
            .pool_max_idle_per_host(usize::MAX)
            .user_agent("Millstream")
    }

    fn build(builder: ClientBuilder) -> Result<Self> {
        builder
            .build()
            .map(Self)
            .map_err(|e| Error::Usage(format!("no HTTP client: {}", causes(&e))))
    }

    /// Loads a playlist of either kind.
    pub(crate) async fn playlist(&self, url: Url) -> Result<Loaded<Playlist>> {
        let mut response = self.ask(url, None).await?;
        let url = response.url().clone();
        let mut text = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(broken)? {
            if text.len() + bytes.len() > PLAYLIST_MAX {
                return Err(Error::Media("a playlist of more than 1 MiB".to_owned()));
            }
            text.extend_from_slice(&bytes);
        }
        let options = ParseOptions {
            query: url
                .query_pairs()
                .map(|(k, v)| (k.into_owned(), v.into_owned()))
                .collect(),
            ..ParseOptions::default()
        };
        let parsed = m3u8::parse(&text, &options).map_err(|e| Error::Media(e.to_string()))?;
        Ok(Loaded {
            list: parsed.playlist,
            url,
            warnings: parsed.warnings,
        })
    }

    /// Loads a media playlist.
    pub(crate) async fn media(&self, url: Url) -> Result<Loaded<MediaPlaylist>> {
        let loaded = self.playlist(url).await?;
        match loaded.list {
            Playlist::Media(list) => Ok(Loaded {
                list,
                url: loaded.url,
                warnings: loaded.warnings,
            }),
            Playlist::Multivariant(_) => Err(Error::Media(
                "a multivariant playlist where a media playlist should be".to_owned(),
            )),
        }
    }

    /// Loads a resource or a range of it, piece by piece.
    pub(crate) async fn load(
        &self,
        url: Url,
        range: Option<ByteRange>,
        mut on: impl FnMut(Bytes),
    ) -> Result<u64> {
        let mut response = self.ask(url, range).await?;
        let mut bytes = 0;
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            bytes += piece.len() as u64;
            if bytes > ITEM_MAX {
                return Err(Error::Media("a segment of more than 100 MiB".to_owned()));
            }
            on(piece);
        }
        Ok(bytes)
    }

    /// Asks with a credential.
    pub(crate) async fn ask_as(&self, url: Url, token: Option<&str>) -> Result<reqwest::Response> {
        let request = self.0.get(url);
        send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    pub(crate) async fn ask(
        &self,
        url: Url,
        range: Option<ByteRange>,
    ) -> Result<reqwest::Response> {
        let mut request = self.0.get(url);
        if let Some(range) = range {
            let start = range.offset.unwrap_or(0);
            let end = start.saturating_add(range.length).saturating_sub(1);
            request = request.header("Range", format!("bytes={start}-{end}"));
        }
        send(request).await
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
    let response = request.send().await.map_err(broken)?;
    match response.status().as_u16() {
        200..=299 => Ok(response),
        status => Err(Error::Status {
            status,
            url: response.url().to_string(),
        }),
    }
}

pub(crate) fn broken(e: reqwest::Error) -> Error {
    Error::Http(causes(&e))
}

pub(crate) fn parse_url(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|_| Error::Url {
        url: url.to_owned(),
        reason: "it is no address",
    })
}

pub(crate) fn join(base: &Url, reference: &str) -> Result<Url> {
    base.join(reference).map_err(|_| Error::Url {
        url: reference.to_owned(),
        reason: "the playlist names it, and it is no address",
    })
}

/// The media playlists a player of the first variant loads: the variant, and the audio rendition that goes with it when
/// it has an address of its own.
pub(crate) fn choose(list: &MultivariantPlaylist, base: &Url) -> Result<Vec<Url>> {
    let variant = list
        .variants
        .first()
        .ok_or_else(|| Error::Media("a multivariant playlist without variants".to_owned()))?;
    let mut urls = vec![join(base, &variant.uri)?];
    if let Some(group) = &variant.audio {
        let mut renditions: Vec<_> = list.group(MediaType::Audio, group).collect();
        renditions.sort_by_key(|r| !r.default);
        if let Some(uri) = renditions.first().and_then(|r| r.uri.as_deref()) {
            let url = join(base, uri)?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    Ok(urls)
}
