//! HLS and LL-HLS players.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cmaf::read::{Event, Reader};
use core_frame::{Limits, MediaKind, MediaTime};
use futures_util::future::try_join_all;
use m3u8::{MediaPlaylist, Playlist};
use reqwest::Url;

use super::play::Run;
use super::session::Figures;
use crate::Result;
use crate::hls::{Cursor, Http, Item, Loaded, Next, choose, join, parse_url};

/// Media a player holds before it stops loading.
const AHEAD: Duration = Duration::from_secs(30);

/// Plays until the stream ends.
pub(crate) async fn play(run: &Run, url: &str, figures: &mut Figures) -> Result<()> {
    let http = &run.http()?;
    figures.request(Instant::now());
    let is_probe = run.is_probe(figures.session);
    let loaded = http.playlist(parse_url(url)?).await?;
    let urls = match &loaded.list {
        Playlist::Media(_) => vec![loaded.url.clone()],
        Playlist::Multivariant(list) => choose(list, &loaded.url)?,
    };
    let figures = Mutex::new(figures);
    let tracks = urls.into_iter().enumerate().map(|(n, url)| {
        let track = Track {
            http,
            figures: &figures,
            is_main: n == 0,
            reader: is_probe.then(|| Reader::new(&Limits::default())),
            map: None,
            at: MediaTime::ZERO,
            began: None,
        };
        track.play(url)
    });
    try_join_all(tracks).await.map(drop)
}

/// One media playlist that is followed.
struct Track<'a, 'f> {
    http: &'a Http,
    figures: &'a Mutex<&'f mut Figures>,
    /// The one whose media stands for the player's.
    is_main: bool,
    reader: Option<Reader>,
    /// The initialisation section that was loaded last.
    map: Option<Url>,
    /// Media loaded so far.
    at: MediaTime,
    began: Option<Instant>,
}

impl Track<'_, '_> {
    async fn play(mut self, url: Url) -> Result<()> {
        let mut loaded = self.http.media(url.clone()).await?;
        let mut cursor = Cursor::start(&loaded.list);
        loop {
            match cursor.next(&loaded.list) {
                Next::Item(item) => {
                    self.item(&loaded, &item).await?;
                    cursor.advance(&loaded.list);
                    self.pace().await;
                }
                Next::Gap => {
                    self.lost(1);
                    cursor.advance(&loaded.list);
                }
                Next::Lost(count) => {
                    self.lost(count);
                    cursor = Cursor::start(&loaded.list);
                }
                Next::End => return Ok(()),
                Next::Wait => loaded = self.reload(&loaded, cursor, &url).await?,
            }
        }
    }

    async fn reload(
        &self,
        was: &Loaded<MediaPlaylist>,
        cursor: Cursor,
        url: &Url,
    ) -> Result<Loaded<MediaPlaylist>> {
        if let Some(blocking) = cursor.reload(&was.list, &was.url) {
            return self.http.media(blocking).await;
        }
        // rfc8216bis §6.3.4: a target duration after a list that changed; looking at half of it finds changes sooner and
        // is what the rule asks for when nothing changed.
        let target = Duration::from_secs(was.list.target_duration.clamp(1, 60));
        tokio::time::sleep(target / 2).await;
        self.http.media(url.clone()).await
    }

    async fn item(&mut self, loaded: &Loaded<MediaPlaylist>, item: &Item) -> Result<()> {
        if let Some(map) = &item.map {
            let url = join(&loaded.url, &map.uri)?;
            if self.map.as_ref() != Some(&url) {
                self.load(url.clone(), map.byte_range).await?;
                self.map = Some(url);
            }
        }
        let url = join(&loaded.url, &item.uri)?;
        if item.is_encrypted {
            self.reader = None;
        }
        self.load(url, item.range).await?;
        let now = Instant::now();
        self.began.get_or_insert(now);
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.media(now, self.is_main);
        if self.is_main {
            figures.time(now, self.at.to_duration());
            figures.time(now, (self.at + item.duration).to_duration());
        }
        self.at += item.duration;
        Ok(())
    }

    async fn load(&mut self, url: Url, range: Option<m3u8::ByteRange>) -> Result<()> {
        let (figures, reader) = (self.figures, &mut self.reader);
        let mut readable = true;
        self.http
            .load(url, range, |bytes| {
                let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
                figures.bytes += bytes.len() as u64;
                let (Some(reader), Some(numbers)) = (reader.as_mut(), figures.numbers.as_mut())
                else {
                    return;
                };
                reader.push(&bytes);
                loop {
                    match reader.next_event() {
                        Ok(Some(Event::Frame(frame))) => {
                            // Video and audio may come in files of their own with equal track numbers.
                            let mut frame = frame;
                            frame.track = match frame.kind() {
                                MediaKind::Video => core_frame::TrackId::VIDEO,
                                _ => core_frame::TrackId::AUDIO,
                            };
                            numbers.frame(&frame);
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => return,
                        Err(_) => {
                            readable = false;
                            return;
                        }
                    }
                }
            })
            .await?;
        if !readable {
            // MPEG-TS, or broken: only its bytes are counted from here on.
            self.reader = None;
        }
        Ok(())
    }

    fn lost(&self, count: u64) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.lost_segments += count;
    }

    /// Holds a player up that has enough.
    async fn pace(&self) {
        let Some(began) = self.began else { return };
        let ahead = self.at.to_duration().saturating_sub(began.elapsed());
        if ahead > AHEAD {
            tokio::time::sleep(ahead - AHEAD).await;
        }
    }
}
