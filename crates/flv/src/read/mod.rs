//! FLV files and HTTP-FLV streams: bytes split anywhere to tags, with resynchronisation after damage.

mod event;
mod header;

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use core_frame::Limits;

use crate::write::{TAG_HEADER, TAG_TRAILER};
use crate::{Error, TagKind, error::Result};
use header::{Header, Trailer};

pub use event::{Damage, DamageKind, FileEvent};

/// A data offset beyond this is taken for damage.
const OFFSET_MAX: u32 = 64 * 1024;
/// While looking for the next tag after damage, bigger ones are passed over: waiting for their end would hold up a live
/// stream on a chance likeness.
const SCAN_TAG_MAX: usize = 1024 * 1024;
/// Bytes without a header or a tag after which the input is no FLV.
const NOT_FLV_AFTER: u64 = 256 * 1024;
/// File header up to the data offset.
const FILE_HEADER: usize = 9;

/// A push parser: give it bytes as they come, take events out.
///
/// It holds at most one tag and what was pushed last. A tag is handed out when the size that follows it has come too,
/// so that a wrong length is noticed before its bytes are taken for media. Rules after damage:
///
/// * The size that follows is wrong, but a header of a tag comes next: the tag is kept.
/// * Otherwise the search begins one byte behind the start of that tag, and ends at a header whose tag is followed by
///   the right size. What a wrong length would have swallowed is found again.
///
/// The same bytes give the same events, however they are split.
#[derive(Debug)]
pub struct FileReader {
    buf: BytesMut,
    /// Position of `buf` in the input.
    offset: u64,
    state: State,
    ended: bool,
    body_max: usize,
    events: VecDeque<FileEvent>,
    found_any: bool,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of the input.
    Start,
    /// Passing over what a data offset above 9 leaves between the header and the tags.
    Skip(u32),
    /// The size that follows the file header.
    FirstSize,
    /// At a tag.
    Tag,
    /// Looking for a tag, since this position.
    Scan { since: u64, kind: DamageKind },
}

enum Step {
    /// Something was done: look again.
    Again,
    /// Not before more bytes come.
    Wait,
}

impl FileReader {
    /// A reader. A tag's body is bounded by [`Limits::rtmp_message_bytes`].
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            buf: BytesMut::new(),
            offset: 0,
            state: State::Start,
            ended: false,
            body_max: limits.rtmp_message_bytes as usize,
            events: VecDeque::new(),
            found_any: false,
            failed: false,
        }
    }

    /// Takes the next bytes of the input. They are copied once, into the run that bodies are cut from.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The input ends here: what is left is judged as it stands.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The next event; `None` when more bytes are needed, or at the end.
    ///
    /// # Errors
    /// [`Error::NotFlv`], once: the input is something else.
    pub fn next_event(&mut self) -> Result<Option<FileEvent>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.failed {
                return Ok(None);
            }
            match self.step()? {
                Step::Again => {}
                Step::Wait if self.events.is_empty() => return Ok(None),
                Step::Wait => {}
            }
        }
    }

    /// Bytes held back.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    fn step(&mut self) -> Result<Step> {
        match self.state {
            State::Start => self.start(),
            State::Skip(left) => {
                let now = self.buf.len().min(left as usize);
                self.consume(now);
                let left = left - now as u32;
                self.state = match left {
                    0 => State::FirstSize,
                    left => State::Skip(left),
                };
                Ok(if left == 0 || now > 0 {
                    Step::Again
                } else {
                    Step::Wait
                })
            }
            State::FirstSize => {
                // Four bytes of zero. Some writers leave them out: then a tag header stands here.
                let need = if self.ended { self.buf.len().min(4) } else { 4 };
                if self.buf.len() < need {
                    return Ok(Step::Wait);
                }
                if self.buf.starts_with(&[0, 0, 0, 0]) {
                    self.consume(4);
                }
                self.state = State::Tag;
                Ok(Step::Again)
            }
            State::Tag => Ok(self.tag()),
            State::Scan { since, kind } => self.scan(since, kind),
        }
    }

    fn start(&mut self) -> Result<Step> {
        let Some(header) = self.buf.get(..FILE_HEADER) else {
            let could_be = b"FLV".iter().zip(&self.buf).all(|(a, b)| a == b);
            if could_be && !self.ended {
                return Ok(Step::Wait);
            }
            if could_be && self.buf.is_empty() {
                return self.give_up(0);
            }
            self.begin_scan(DamageKind::NoHeader);
            return Ok(Step::Again);
        };
        if !header.starts_with(b"FLV") {
            self.begin_scan(DamageKind::NoHeader);
            return Ok(Step::Again);
        }
        self.header();
        Ok(Step::Again)
    }

    /// A file header stands at the front (annex E.2): `"FLV" | version 8 | 00000 audio 0 video | data offset 32`.
    fn header(&mut self) {
        let Some(header) = self.buf.first_chunk::<FILE_HEADER>() else {
            return;
        };
        let [_, _, _, _, flags, o3, o2, o1, o0] = *header;
        let data_offset = u32::from_be_bytes([o3, o2, o1, o0]);
        let skip = data_offset.checked_sub(FILE_HEADER as u32);
        self.events.push_back(FileEvent::Header {
            audio: flags & 4 != 0,
            video: flags & 1 != 0,
        });
        self.found_any = true;
        self.state = match skip {
            Some(0) => State::FirstSize,
            Some(left) if left <= OFFSET_MAX => State::Skip(left),
            _ => {
                self.damage(self.offset, DamageKind::DataOffset, 0);
                State::FirstSize
            }
        };
        self.consume(FILE_HEADER);
    }

    fn tag(&mut self) -> Step {
        let Some(head) = Header::read(&self.buf) else {
            return self.short();
        };
        if self.buf.starts_with(b"FLV\x01") {
            self.header();
            return Step::Again;
        }
        if !head.is_plausible(self.body_max) {
            // A tag of another type is passed over when the size behind it proves that it is one.
            if head.is_foreign(SCAN_TAG_MAX) {
                match self.trailer(&head) {
                    Trailer::NotYet if !self.ended => return Step::Wait,
                    Trailer::Right => {
                        let whole = head.whole() + TAG_TRAILER;
                        self.damage(self.offset, DamageKind::UnknownTag, whole as u64);
                        self.consume(whole);
                        return Step::Again;
                    }
                    _ => {}
                }
            }
            self.begin_scan(DamageKind::Garbage);
            return Step::Again;
        }
        match self.trailer(&head) {
            Trailer::NotYet if !self.ended => Step::Wait,
            Trailer::NotYet => self.last(&head),
            Trailer::Right => {
                self.take_tag(&head);
                Step::Again
            }
            Trailer::Wrong => {
                let next = self
                    .buf
                    .get(head.whole() + TAG_TRAILER..)
                    .unwrap_or_default();
                match Header::read(next) {
                    None if !self.ended => return Step::Wait,
                    None => {}
                    Some(next) if next.is_plausible(self.body_max) => {}
                    Some(_) => {
                        self.begin_scan(DamageKind::Garbage);
                        return Step::Again;
                    }
                }
                let at = self.offset.saturating_add(head.whole() as u64);
                self.take_tag(&head);
                self.damage(at, DamageKind::PreviousTagSize, 0);
                Step::Again
            }
        }
    }

    /// At the end of the input, in a tag that is not complete.
    fn last(&mut self, head: &Header) -> Step {
        if self.buf.len() >= head.whole() {
            // Only the size that follows is missing: writers that were killed leave this behind.
            self.take_tag(head);
            return Step::Again;
        }
        self.begin_scan(DamageKind::Truncated);
        Step::Again
    }

    /// Fewer bytes than a tag header.
    fn short(&mut self) -> Step {
        if self.ended && !self.buf.is_empty() {
            self.damage(self.offset, DamageKind::Truncated, self.buf.len() as u64);
            self.consume(self.buf.len());
        }
        Step::Wait
    }

    /// Passes over the byte at the front and looks for a tag behind it.
    fn begin_scan(&mut self, kind: DamageKind) {
        let since = self.offset;
        // At the start of the input the first byte may already be a tag's.
        if kind != DamageKind::NoHeader {
            self.consume(1);
        }
        self.state = State::Scan { since, kind };
    }

    fn scan(&mut self, since: u64, kind: DamageKind) -> Result<Step> {
        let mut at = 0;
        let found = loop {
            if !self.found_any
                && self.offset.saturating_add(at as u64) >= since.saturating_add(NOT_FLV_AFTER)
            {
                return self.give_up(NOT_FLV_AFTER);
            }
            let rest = self.buf.get(at..).unwrap_or_default();
            let Some(head) = Header::read(rest) else {
                break false;
            };
            if rest.starts_with(b"FLV\x01") {
                break true;
            }
            if head.is_plausible(SCAN_TAG_MAX) {
                match Trailer::of(rest, &head) {
                    Trailer::Right => break true,
                    Trailer::NotYet if !self.ended => {
                        // Wait here, but let go of what is behind.
                        break false;
                    }
                    _ => {}
                }
            }
            at += 1;
        };
        self.consume(at);
        let skipped = self.offset.saturating_sub(since);
        if found {
            self.damage(since, kind, skipped);
            self.found_any = true;
            self.state = State::Tag;
            return Ok(Step::Again);
        }
        if !self.found_any && self.ended {
            return self.give_up(skipped.saturating_add(self.buf.len() as u64));
        }
        if self.ended {
            let left = self.buf.len() as u64;
            self.consume(self.buf.len());
            self.damage(since, kind, skipped.saturating_add(left));
            self.state = State::Tag;
        }
        Ok(Step::Wait)
    }

    fn give_up(&mut self, scanned: u64) -> Result<Step> {
        self.failed = true;
        self.buf.clear();
        Err(Error::NotFlv { scanned })
    }

    fn take_tag(&mut self, head: &Header) {
        let offset = self.offset;
        let body_len = head.body_len;
        let Some(kind) = TagKind::from_number(head.kind) else {
            return;
        };
        self.consume(TAG_HEADER);
        let body = self.buf.split_to(body_len.min(self.buf.len())).freeze();
        self.offset = self.offset.saturating_add(body.len() as u64);
        self.consume(TAG_TRAILER.min(self.buf.len()));
        self.found_any = true;
        self.events.push_back(FileEvent::Tag {
            kind,
            timestamp_ms: head.timestamp_ms,
            body,
            offset,
        });
    }

    fn trailer(&self, head: &Header) -> Trailer {
        Trailer::of(&self.buf, head)
    }

    fn damage(&mut self, offset: u64, kind: DamageKind, skipped: u64) {
        self.events.push_back(FileEvent::Damage(Damage {
            offset,
            kind,
            skipped,
        }));
    }

    fn consume(&mut self, len: usize) {
        let len = len.min(self.buf.len());
        self.buf.advance(len);
        self.offset = self.offset.saturating_add(len as u64);
    }
}
