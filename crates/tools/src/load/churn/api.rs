//! The server's own counts, from its control API.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hls::{Http, broken, parse_url};
use crate::{Error, Result, TlsOptions};

/// Most of an answer that is taken.
const MOST: usize = 64 << 20;
/// Most pages that are followed.
const PAGES: usize = 1_000;

/// Where the control API is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiOptions {
    /// The server, e.g. `http://127.0.0.1:8080`; the path to the API is added.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<String>,
}

/// What a server says it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiCounts {
    /// Streams in any state.
    pub streams: u64,
    /// Streams that somebody publishes.
    pub publishers: u64,
    /// Readers of all streams.
    pub readers: u64,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    publisher: Option<serde::de::IgnoredAny>,
    readers: Vec<serde::de::IgnoredAny>,
}

impl ApiOptions {
    /// The API of this server, without credentials.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
        }
    }

    /// Asks for all streams.
    pub(super) async fn counts(&self, tls: &TlsOptions) -> Result<ApiCounts> {
        let http = Http::new(Duration::from_secs(10), tls)?;
        let mut url = parse_url(&format!(
            "{}/api/v1/streams",
            self.url.trim_end_matches('/')
        ))?;
        let mut counts = ApiCounts::default();
        for _ in 0..PAGES {
            let mut response = http.ask_as(url.clone(), self.token.as_deref()).await?;
            let mut text = Vec::new();
            while let Some(bytes) = response.chunk().await.map_err(broken)? {
                if text.len() + bytes.len() > MOST {
                    return Err(Error::Http("the API's answer has no end".to_owned()));
                }
                text.extend_from_slice(&bytes);
            }
            let page: Page = serde_json::from_slice(&text)
                .map_err(|e| Error::Http(format!("no list of streams at {url}: {e}")))?;
            for item in &page.items {
                counts.streams += 1;
                counts.publishers += u64::from(item.publisher.is_some());
                counts.readers += item.readers.len() as u64;
            }
            let Some(next) = page.next else { break };
            url.query_pairs_mut().clear().append_pair("after", &next);
        }
        Ok(counts)
    }
}
