//! Players that do not keep up: slow ones, and ones that stop reading. What the server does with them is the finding.

use std::time::{Duration, Instant};

use ingest_rtmp::client::{Event, Role};
use tokio::io::AsyncReadExt;

use super::Protocol;
use super::fate::{Fate, how};
use super::http_flv::{Frames, Take};
use super::options::Manner;
use super::peers::Peer;
use super::play::Run;
use super::rtmp::message;
use super::session::Figures;
use crate::http::{self, Answer, Body};
use crate::net::Socket;
use crate::rtmp::Connection;
use crate::{Error, Result};

/// Bytes a slow reader takes at once: little, so that it is slow all the time and not now and then.
const SIP: usize = 4 * 1_024;
/// Between two looks at a connection that is not read.
const LOOK: Duration = Duration::from_millis(250);
/// What may be read at the end, to see how the server closed: no more than this long, and this much.
const DRAIN: (Duration, u64) = (Duration::from_secs(3), 64 << 20);

/// Plays until the server has had enough, or the time is over. An error is one of getting in.
pub(crate) async fn play(
    run: &Run,
    url: &str,
    manner: Manner,
    end: Instant,
    figures: &mut Figures,
) -> Result<()> {
    let dialer = run.dialer()?.with_small_buffer();
    let mut player = match run.options.protocol {
        Protocol::Rtmp => {
            let seed = figures.session as u64;
            let mut connection = Connection::open(url, Role::Play, seed, &dialer).await?;
            connection.read_size = SIP;
            connection.start(run.options.timeout).await?;
            Player::Rtmp(Box::new(Rtmp {
                connection,
                frames: super::rtmp::Frames::new(),
                said: None,
            }))
        }
        Protocol::Flv => Player::Flv(Box::new(Flv {
            answer: http::get(url, &dialer).await?,
            frames: Frames::new(),
            done: false,
        })),
        Protocol::Hls => {
            return Err(Error::Usage(
                "slow and stalled players are of RTMP and HTTP-FLV".to_owned(),
            ));
        }
    };
    let begun = Instant::now();
    figures.let_in = true;
    figures.fate = Some(match manner {
        Manner::Stalled => stalled(run, &mut player, begun, end, figures).await,
        _ => slow(run, &mut player, begun, end, figures).await,
    });
    Ok(())
}

async fn slow(
    run: &Run,
    player: &mut Player,
    begun: Instant,
    end: Instant,
    figures: &mut Figures,
) -> Fate {
    loop {
        let due = figures.due().unwrap_or(begun);
        if !run.sleep_until(due.min(end)).await || Instant::now() >= end {
            return Fate::Open;
        }
        let more = tokio::select! {
            more = player.sip(figures) => more,
            _ = run.sleep_until(end) => return Fate::Open,
        };
        if let Some(how) = more {
            let after = Some(begun.elapsed());
            return Fate::Closed { how, after };
        }
    }
}

async fn stalled(
    run: &Run,
    player: &mut Player,
    begun: Instant,
    end: Instant,
    figures: &mut Figures,
) -> Fate {
    let mut was_held = false;
    let after = loop {
        if let Ok(Some(e)) = player.socket().tcp().take_error() {
            return Fate::Closed {
                how: how(None, &Err(e.into())),
                after: Some(begun.elapsed()),
            };
        }
        match run.peers.of(player.socket().tcp()) {
            Peer::Held => was_held = true,
            Peer::Closed => break Some(begun.elapsed()),
            Peer::Unknown if was_held => break Some(begun.elapsed()),
            Peer::Unknown => {}
        }
        let next = Instant::now() + LOOK;
        if !run.sleep_until(next.min(end)).await || next >= end {
            if was_held {
                return Fate::Open;
            }
            break None;
        }
    };
    // What waits in the buffers ends in what the server did last.
    figures.pace = None;
    let bytes = figures.bytes;
    let drained = tokio::time::timeout(DRAIN.0, async {
        loop {
            if let Some(how) = player.sip(figures).await {
                return Some(how);
            }
            if figures.bytes - bytes > DRAIN.1 {
                return None;
            }
        }
    });
    match (drained.await.ok().flatten(), after) {
        (Some(how), after) => Fate::Closed { how, after },
        // A server that is seen to have closed, and whose end is far behind what waits.
        (None, Some(_)) => Fate::Closed {
            how: "closed, end not seen".to_owned(),
            after,
        },
        (None, None) => Fate::Open,
    }
}

enum Player {
    Rtmp(Box<Rtmp>),
    Flv(Box<Flv>),
}

struct Rtmp {
    connection: Connection,
    frames: super::rtmp::Frames,
    /// The last status.
    said: Option<String>,
}

struct Flv {
    answer: Answer,
    frames: Frames,
    done: bool,
}

impl Player {
    fn socket(&self) -> &Socket {
        match self {
            Self::Rtmp(p) => &p.connection.stream,
            Self::Flv(p) => &p.answer.stream,
        }
    }

    /// Takes a little. How it ended, when it did.
    async fn sip(&mut self, figures: &mut Figures) -> Option<String> {
        match self {
            Self::Rtmp(p) => p.sip(figures).await,
            Self::Flv(p) => p.sip(figures).await,
        }
    }
}

impl Rtmp {
    async fn sip(&mut self, figures: &mut Figures) -> Option<String> {
        let event = self.connection.next().await;
        figures.bytes = self.connection.bytes_in;
        match event {
            Ok(None) => return Some(how(self.said.as_deref(), &Ok(()))),
            Err(e) => return Some(how(self.said.as_deref(), &Err(e))),
            Ok(Some(Event::Message(m))) => {
                if let Some((kind, body)) = message(&m) {
                    self.frames.push(kind, m.timestamp, body, figures);
                }
            }
            Ok(Some(Event::Status(code, _))) => self.said = Some(code),
            Ok(Some(Event::Ended)) if self.said.is_none() => {
                self.said = Some("end of stream".to_owned());
            }
            Ok(Some(_)) => {}
        }
        None
    }
}

impl Flv {
    async fn sip(&mut self, figures: &mut Figures) -> Option<String> {
        let first = std::mem::take(&mut self.answer.first);
        let mut buf = [0; SIP];
        let bytes = if first.is_empty() {
            match self.answer.stream.read(&mut buf).await {
                Ok(0) => return Some(how(self.cut(), &Ok(()))),
                Ok(n) => buf.get(..n).unwrap_or_default(),
                Err(e) => return Some(how(self.cut(), &Err(e.into()))),
            }
        } else {
            &first
        };
        figures.bytes += bytes.len() as u64;
        let frames = &mut self.frames;
        let fed = self.answer.body.feed(bytes, |part| {
            // Media that cannot be read is the prober's business.
            let _ = frames.take(part, figures);
        });
        match fed {
            Ok(true) => None,
            Ok(false) => {
                self.done = true;
                Some("HTTP end".to_owned())
            }
            Err(e) => Some(how(None, &Err(e))),
        }
    }

    /// A body that tells its own end has none here.
    const fn cut(&self) -> Option<&'static str> {
        match self.answer.body {
            Body::ToTheEnd => None,
            _ if self.done => None,
            _ => Some("HTTP cut off"),
        }
    }
}
