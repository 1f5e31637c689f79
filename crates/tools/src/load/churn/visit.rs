//! One visitor: comes, gets what it came for, stays a moment and leaves.

use std::time::{Duration, Instant};

use core_frame::MediaTime;
use ingest_rtmp::client::{Event, Role};
use m3u8::{MediaPlaylist, Playlist};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep_until, timeout};

use super::{Errand, Leave, Run};
use crate::hls::{Cursor, Next, choose, join, parse_url};
use crate::http::{self, Answer};
use crate::load::fate::reason;
use crate::load::flv_skim::FlvSkim;
use crate::load::publish::{Figures, Player, Sender};
use crate::load::rtmp::message;
use crate::load::session::millis;
use crate::load::{numbered, numbered_apart};
use crate::net::Socket;
use crate::rtmp::Connection;
use crate::{Error, Result};

/// How long a visitor that left politely waits for the server's end.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest playlist and the longest segment or part taken.
const MOST: usize = 32 << 20;

/// What became of a visitor.
pub(crate) struct Visit {
    /// Which of the targets it went to.
    pub(crate) target: usize,
    pub(crate) leave: Leave,
    /// From the begin of connecting to the connection, and to media or consent.
    pub(crate) connected_ms: Option<f64>,
    pub(crate) startup_ms: Option<f64>,
    pub(crate) bytes: u64,
    /// Why it got nothing, or had to leave early.
    pub(crate) reason: Option<String>,
}

struct Visitor<'a> {
    run: &'a Run,
    n: usize,
    url: String,
    begun: Instant,
    visit: Visit,
}

pub(super) async fn visit(run: &Run, n: usize) -> Visit {
    let targets = &run.options.targets;
    let target = n % targets.len();
    let leave = Leave::of(n / targets.len());
    let visit = Visit {
        target,
        leave,
        connected_ms: None,
        startup_ms: None,
        bytes: 0,
        reason: None,
    };
    let Some((errand, url)) = targets.get(target) else {
        return visit;
    };
    let mut visitor = Visitor {
        run,
        n,
        url: match errand {
            Errand::Publish => numbered_apart(url, n),
            _ => numbered(url, n),
        },
        begun: Instant::now(),
        visit,
    };
    let result = tokio::select! {
        result = visitor.errand(*errand) => result,
        () = run.cancel.cancelled() => Ok(()),
    };
    visitor.visit.reason = result.err().map(|e| reason(&e));
    visitor.visit
}

impl Visitor<'_> {
    async fn errand(&mut self, errand: Errand) -> Result<()> {
        match errand {
            Errand::Rtmp => self.rtmp().await,
            Errand::Publish => self.publish().await,
            Errand::Flv => self.flv().await,
            Errand::Hls => self.hls().await,
            Errand::Http => self.http().await,
        }
    }

    fn connected(&mut self) {
        self.visit.connected_ms = Some(millis(self.begun.elapsed()));
    }

    /// It has what it came for, and stays until the moment that is returned.
    fn started(&mut self) -> tokio::time::Instant {
        self.visit.startup_ms = Some(millis(self.begun.elapsed()));
        tokio::time::Instant::now() + self.run.options.hold
    }

    async fn rtmp(&mut self) -> Result<()> {
        let within = self.run.options.timeout;
        let mut c =
            Connection::open(&self.url, Role::Play, self.n as u64, &self.run.dialer).await?;
        self.connected();
        c.start(within).await?;
        let first = async {
            loop {
                match c.next().await? {
                    Some(Event::Message(m)) if message(&m).is_some() => return Ok(()),
                    None | Some(Event::Ended) => return Err(Error::Empty),
                    Some(_) => {}
                }
            }
        };
        timeout(within, first).await.map_err(|_| Error::Timeout {
            what: "media",
            after: within,
        })??;
        let end = self.started();
        let stayed = loop {
            match tokio::time::timeout_at(end, c.hear()).await {
                Err(_) => break Ok(()),
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break Err(ended()),
                Ok(Err(e)) => break Err(e),
            }
            // What it has to say fits any buffer.
            loop {
                match c.flush().await? {
                    Some(Event::Ended) => return Err(ended()),
                    Some(_) => {}
                    None => break,
                }
            }
        };
        self.visit.bytes = c.bytes_in;
        stayed?;
        self.part(c).await
    }

    async fn publish(&mut self) -> Result<()> {
        let within = self.run.options.timeout;
        let seed = self.n as u64;
        let mut c = Connection::open(&self.url, Role::Publish, seed, &self.run.dialer).await?;
        self.connected();
        c.start(within).await?;
        let end = self.started();
        let mut player = Player::new(&self.run.media)?;
        let mut figures = Figures::default();
        let mut sender = Sender {
            c,
            figures: &mut figures,
        };
        let stayed = tokio::select! {
            stayed = player.play(&mut sender) => stayed,
            () = sleep_until(end) => Ok(()),
        };
        let c = sender.c;
        self.visit.bytes = c.bytes_out;
        stayed?;
        self.part(c).await
    }

    async fn flv(&mut self) -> Result<()> {
        let mut skim = FlvSkim::default();
        let mut answer = self.ask().await?;
        let mut started = false;
        let more = self
            .body(&mut answer, |bytes| {
                let mut media = false;
                if !skim.feed(bytes, |_, _| media = true) {
                    return Err(Error::Media("the answer is no FLV".to_owned()));
                }
                started |= media;
                Ok(started)
            })
            .await?;
        if more {
            self.leave(answer.stream).await
        } else {
            Err(ended())
        }
    }

    async fn http(&mut self) -> Result<()> {
        let mut answer = self.ask().await?;
        let more = self.body(&mut answer, |_| Ok(true)).await?;
        if !more && self.visit.startup_ms.is_none() {
            // An answer without a body is an answer.
            self.started();
        }
        self.leave(answer.stream).await
    }

    async fn hls(&mut self) -> Result<()> {
        let (url, list) = self.playlist(self.url.clone()).await?;
        self.connected();
        let (url, list) = match list {
            Playlist::Media(list) => (url, list),
            Playlist::Multivariant(list) => {
                let urls = choose(&list, &parse_url(&url)?)?;
                let first = urls.first().ok_or(Error::Empty)?.to_string();
                match self.playlist(first).await? {
                    (url, Playlist::Media(list)) => (url, list),
                    _ => return Err(Error::Media("a list of lists of lists".to_owned())),
                }
            }
        };
        let item = newest(&list).ok_or(Error::Empty)?;
        let url = join(&parse_url(&url)?, &item)?.to_string();
        let mut answer = http::get(&url, &self.run.dialer).await?;
        let reset = self.visit.leave == Leave::Reset;
        let within = self.run.options.timeout;
        let taken = timeout(within, whole(&mut answer, |_| !reset)).await;
        let bytes = taken.map_err(|_| Error::Timeout {
            what: "segment",
            after: within,
        })??;
        self.visit.bytes += bytes.len() as u64;
        let end = self.started();
        if reset {
            answer.stream.reset();
            return Ok(());
        }
        // A viewer who looks at it before it goes.
        sleep_until(end).await;
        self.leave(answer.stream).await
    }

    async fn playlist(&mut self, url: String) -> Result<(String, Playlist)> {
        let mut answer = http::get(&url, &self.run.dialer).await?;
        let within = self.run.options.timeout;
        let text = timeout(within, whole(&mut answer, |_| true)).await;
        let text = text.map_err(|_| Error::Timeout {
            what: "playlist",
            after: within,
        })??;
        self.visit.bytes += text.len() as u64;
        let parsed = m3u8::parse(&text, &m3u8::ParseOptions::default())
            .map_err(|e| Error::Media(e.to_string()))?;
        Ok((url, parsed.playlist))
    }

    async fn ask(&mut self) -> Result<Answer> {
        let answer = http::get(&self.url, &self.run.dialer).await?;
        self.connected();
        Ok(answer)
    }

    /// Reads a body until the time of holding is over, which begins when `has_started` says so. False when it ended.
    async fn body(
        &mut self,
        answer: &mut Answer,
        mut has_started: impl FnMut(&[u8]) -> Result<bool>,
    ) -> Result<bool> {
        let mut end = None;
        let patience = tokio::time::Instant::now() + self.run.options.timeout;
        let mut buf = std::mem::take(&mut answer.first);
        let mut n = buf.len();
        buf.resize(buf.len().max(16 * 1_024), 0);
        loop {
            let bytes = buf.get(..n).unwrap_or_default();
            self.visit.bytes += n as u64;
            let mut looked = Ok(false);
            let more = answer.body.feed(bytes, |part| {
                // Each piece is to be seen, also behind one that was enough.
                if let Ok(so_far) = looked {
                    looked = has_started(part).map(|now| now || so_far);
                }
            })?;
            if looked? && end.is_none() {
                end = Some(self.started());
            }
            if !more {
                return Ok(false);
            }
            let deadline = end.unwrap_or(patience);
            n = match tokio::time::timeout_at(deadline, answer.stream.read(&mut buf)).await {
                Ok(Ok(0)) => return Ok(false),
                Ok(read) => read?,
                Err(_) if end.is_some() => return Ok(true),
                Err(_) => {
                    return Err(Error::Timeout {
                        what: "media",
                        after: self.run.options.timeout,
                    });
                }
            };
        }
    }

    /// Leaves an RTMP server.
    async fn part(&mut self, mut c: Connection) -> Result<()> {
        if self.visit.leave == Leave::Polite {
            c.finish();
            // A publisher may have been stopped in the middle of a write; then the server hears a broken end.
            let _ = timeout(FAREWELL, c.flush()).await;
        }
        self.leave(c.stream).await
    }

    async fn leave(&self, mut stream: Socket) -> Result<()> {
        if self.visit.leave == Leave::Reset {
            stream.reset();
            return Ok(());
        }
        let goodbye = async {
            stream.shutdown().await?;
            let mut rest = [0; 4_096];
            // Unread bytes would turn the close into a RST.
            while stream.read(&mut rest).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // The visit is over: how the server takes it is seen in what it keeps open.
        let _ = timeout(FAREWELL, goodbye).await;
        Ok(())
    }
}

fn ended() -> Error {
    Error::Io(std::io::ErrorKind::ConnectionAborted.into())
}

/// Reads a body to its end, or as long as `on` wants more.
async fn whole(answer: &mut Answer, mut on: impl FnMut(usize) -> bool) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = std::mem::take(&mut answer.first);
    loop {
        let more = answer
            .body
            .feed(&piece, |part| all.extend_from_slice(part))?;
        if all.len() > MOST {
            return Err(Error::Http(format!("an answer of more than {MOST} bytes")));
        }
        if !more || !on(all.len()) {
            return Ok(all);
        }
        piece.resize(16 * 1_024, 0);
        let n = answer.stream.read(&mut piece).await?;
        piece.truncate(n);
        if n == 0 {
            return Ok(all);
        }
    }
}

/// What a player would load first.
fn newest(list: &MediaPlaylist) -> Option<String> {
    let cursor = Cursor::start(list);
    match cursor.next(list) {
        Next::Item(item) if item.duration > MediaTime::ZERO => Some(item.uri),
        _ => None,
    }
}
