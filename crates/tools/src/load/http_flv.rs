//! HTTP-FLV players.

use std::time::{Duration, Instant};

use core_frame::Limits;
use flv::{Demuxer, Events, FileEvent, FileReader};

use super::flv_skim::FlvSkim;
use super::play::Run;
use super::rtmp::{read_shared, take};
use super::session::Figures;
use crate::http::{self, Answer};
use crate::{Error, Result};

/// Plays until the stream ends.
pub(crate) async fn play(run: &Run, url: &str, figures: &mut Figures) -> Result<()> {
    let timeout = run.options.timeout;
    figures.request(Instant::now());
    let answer = http::get(url, run.dialer()?).await?;
    if run.is_probe(figures.session) {
        follow(answer, timeout, figures, Frames::new()).await
    } else {
        follow(answer, timeout, figures, FlvSkim::default()).await
    }
}

/// What is done with the bytes of a body.
pub(crate) trait Take {
    fn take(&mut self, bytes: &[u8], figures: &mut Figures) -> Result<()>;

    /// The body ended.
    fn end(&mut self, _figures: &mut Figures) -> Result<()> {
        Ok(())
    }
}

async fn follow(
    answer: Answer,
    timeout: Duration,
    figures: &mut Figures,
    mut to: impl Take,
) -> Result<()> {
    let Answer {
        mut stream,
        mut body,
        first,
    } = answer;
    let deadline = tokio::time::Instant::now() + timeout;
    let mut feed = |to: &mut _, bytes: &[u8], figures: &mut Figures| {
        let mut result = Ok(());
        let more = body.feed(bytes, |part| {
            if result.is_ok() {
                figures.bytes += part.len() as u64;
                result = Take::take(to, part, figures);
            }
        })?;
        result.map(|()| more)
    };
    if !feed(&mut to, &first, figures)? {
        return to.end(figures);
    }
    loop {
        let has_started = figures.has_started();
        let read = read_shared(&mut stream, |bytes| feed(&mut to, bytes, figures));
        let more = if has_started {
            read.await?
        } else {
            let read = tokio::time::timeout_at(deadline, read).await;
            read.map_err(|_| Error::Timeout {
                what: "media",
                after: timeout,
            })??
        };
        // The body ended, or the connection.
        if more != Some(true) {
            return to.end(figures);
        }
    }
}

impl Take for FlvSkim {
    fn take(&mut self, bytes: &[u8], figures: &mut Figures) -> Result<()> {
        let now = Instant::now();
        let mut newest = None;
        let is_flv = self.feed(bytes, |time, is_key| {
            figures.media(now, is_key);
            newest = Some(time);
        });
        if let Some(ms) = newest {
            figures.time(now, Duration::from_millis(u64::from(ms)));
        }
        if is_flv {
            Ok(())
        } else {
            Err(Error::Media("the answer is no FLV".to_owned()))
        }
    }
}

/// Reads every frame.
pub(crate) struct Frames {
    reader: FileReader,
    demuxer: Demuxer,
    events: Events,
}

impl Frames {
    pub(crate) fn new() -> Self {
        let limits = Limits::default();
        Self {
            reader: FileReader::new(&limits),
            demuxer: Demuxer::new(&limits),
            events: Events::new(),
        }
    }
}

impl Take for Frames {
    fn take(&mut self, bytes: &[u8], figures: &mut Figures) -> Result<()> {
        self.reader.push(bytes);
        self.read(figures)
    }

    fn end(&mut self, figures: &mut Figures) -> Result<()> {
        self.reader.finish();
        self.read(figures)
    }
}

impl Frames {
    fn read(&mut self, figures: &mut Figures) -> Result<()> {
        let now = Instant::now();
        while let Some(event) = self.reader.next_event()? {
            if let FileEvent::Tag {
                kind,
                timestamp_ms,
                body,
                ..
            } = event
            {
                let _ = self
                    .demuxer
                    .push(kind, timestamp_ms, body, &mut self.events);
                take(figures, now, &mut self.events);
            }
        }
        Ok(())
    }
}
