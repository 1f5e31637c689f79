//! Frames out of a byte stream of fragmented MP4, fed in pieces of any size.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use core_frame::{CodecId, FrameFlags, Limits, MediaFrame, MediaKind, MediaTime};

use super::boxes::{BoxRef, HEADER_MAX, header};
use super::fragment::{Fragment, FragmentSample};
use super::movie::{Movie, MovieTrack};
use crate::Error;

/// What comes out of a [`Reader`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A `moov`: the tracks of what follows.
    Movie(Arc<Movie>),
    /// One frame. Within a fragment frames of several tracks come in the order of their decode times.
    Frame(MediaFrame),
}

/// Reads fragmented MP4 (init segments and chunks one after another) from a byte stream.
///
/// Frames have the form of the bus: 4-byte NAL unit lengths, times on the movie's timeline (edit list applied), track ids as in
/// the file. Payloads are slices of the `mdat` they came in.
///
/// Bounded: a metadata box by [`Limits::box_bytes`], an `mdat` by [`Reader::with_media_bytes`] (100 MiB), a sample by
/// the `mdat`. A declared size reserves nothing.
#[derive(Debug)]
pub struct Reader {
    buf: BytesMut,
    /// File offset of the first byte of `buf`.
    offset: u64,
    /// Bytes of a box that is passed over.
    skip: u64,
    box_bytes: u64,
    media_bytes: u64,
    movie: Option<Arc<Movie>>,
    /// The newest `moof`, until its `mdat` was read.
    fragment: Option<Fragment>,
    /// Decode time after the last sample, by track, for fragments without `tfdt`.
    clocks: Vec<(u32, u64)>,
    events: VecDeque<Event>,
}

impl Reader {
    /// A reader with these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            buf: BytesMut::new(),
            offset: 0,
            skip: 0,
            box_bytes: u64::from(limits.box_bytes),
            media_bytes: 100 << 20,
            movie: None,
            fragment: None,
            clocks: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Another bound for one `mdat`.
    #[must_use]
    pub const fn with_media_bytes(mut self, bytes: u64) -> Self {
        self.media_bytes = bytes;
        self
    }

    /// Takes the next bytes of the stream. They are copied into the reader's buffer, once.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Bytes that wait for the rest of their box.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buf.len()
    }

    /// The next event; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Error::Format`] and [`Error::Limit`]; the stream cannot be followed any further then.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if !self.next_box()? {
                return Ok(None);
            }
        }
    }

    /// Reads one top-level box. False when it is not complete yet.
    fn next_box(&mut self) -> Result<bool, Error> {
        if self.skip > 0 {
            let n = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(self.buf.len());
            drop(self.buf.split_to(n));
            self.skip -= n as u64;
            self.offset = self.offset.saturating_add(n as u64);
            if self.skip > 0 {
                return Ok(false);
            }
        }
        if self.buf.len() < 8 {
            return Ok(false);
        }
        let Some(head) = header(&self.buf) else {
            if self.buf.len() < HEADER_MAX {
                return Ok(false);
            }
            return Err(self.error("box size smaller than its header (14496-12 §4.2)"));
        };
        let Some(size) = head.size else {
            return Err(self.error("a box without end cannot be streamed (14496-12 §4.2, size 0)"));
        };
        let wanted = matches!(&head.kind, b"moov" | b"moof" | b"mdat");
        let media = &head.kind == b"mdat";
        // Without a fragment before it, media belongs to a file that is not fragmented.
        if !wanted || (media && self.fragment.is_none()) {
            self.skip = size;
            return Ok(true);
        }
        let bound = if media {
            self.media_bytes
        } else {
            self.box_bytes
        };
        if size > bound {
            return Err(Error::Limit {
                offset: self.offset,
                limit: if media {
                    "bytes of an mdat"
                } else {
                    "bytes of a metadata box"
                },
            });
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if self.buf.len() < size {
            return Ok(false);
        }
        let whole = self.buf.split_to(size).freeze();
        let at = self.offset;
        self.offset = self.offset.saturating_add(size as u64);
        let body = whole.get(head.len..).unwrap_or_default();
        let found = BoxRef {
            kind: head.kind,
            body,
            offset: at,
            header: head.len,
        };
        match &head.kind {
            b"moov" => {
                let movie = Arc::new(Movie::read(&found)?);
                self.clocks.clear();
                self.fragment = None;
                self.movie = Some(Arc::clone(&movie));
                self.events.push_back(Event::Movie(movie));
            }
            b"moof" => {
                let Some(movie) = &self.movie else {
                    return Err(found.error("moof before moov (14496-12 §8.8.4)"));
                };
                self.fragment = Some(Fragment::read(&found, movie)?);
            }
            _ => {
                if let (Some(fragment), Some(movie)) = (self.fragment.take(), self.movie.clone()) {
                    self.frames(&fragment, &movie, &whole, at)?;
                }
            }
        }
        Ok(true)
    }

    /// Cuts the samples of a fragment out of its `mdat`, which begins at `at`.
    fn frames(
        &mut self,
        fragment: &Fragment,
        movie: &Movie,
        mdat: &Bytes,
        at: u64,
    ) -> Result<(), Error> {
        let mut frames = Vec::new();
        for run in &fragment.tracks {
            let slot = self.clocks.iter().position(|c| c.0 == run.mp4_id);
            let after_last = slot.and_then(|i| self.clocks.get(i)).map_or(0, |c| c.1);
            let mut time = run.decode_time.unwrap_or(after_last);
            let track = movie.track(run.mp4_id);
            for sample in &run.samples {
                if let Some(track) = track.filter(|t| t.info.is_some()) {
                    let start = sample.offset.checked_sub(at);
                    let range = start
                        .and_then(|s| usize::try_from(s).ok())
                        .and_then(|s| Some(s..s.checked_add(sample.size as usize)?))
                        .filter(|r| r.end <= mdat.len());
                    let Some(range) = range else {
                        return Err(Error::Format {
                            offset: at,
                            rule: "a sample lies outside the mdat of its fragment (23000-19 §7.3.2.3)",
                        });
                    };
                    frames.extend(frame(track, time, sample, mdat.slice(range))?);
                }
                time = time.saturating_add(u64::from(sample.duration));
            }
            match slot.and_then(|i| self.clocks.get_mut(i)) {
                Some(clock) => clock.1 = time,
                None => self.clocks.push((run.mp4_id, time)),
            }
        }
        if fragment.tracks.len() > 1 {
            frames.sort_by_key(|f: &MediaFrame| f.dts);
        }
        self.events.extend(frames.into_iter().map(Event::Frame));
        Ok(())
    }

    fn error(&self, rule: &'static str) -> Error {
        Error::Format {
            offset: self.offset,
            rule,
        }
    }
}

fn frame(
    track: &MovieTrack,
    time: u64,
    sample: &FragmentSample,
    payload: Bytes,
) -> Result<Option<MediaFrame>, Error> {
    let Some(info) = &track.info else {
        return Ok(None);
    };
    let at = |ticks: i64| {
        MediaTime::from_ticks(ticks, track.timescale).ok_or(Error::Format {
            offset: sample.offset,
            rule: "decode time beyond 292 years",
        })
    };
    let decode = i64::try_from(time)
        .unwrap_or(i64::MAX)
        .saturating_add(track.edit_shift);
    let shown = decode.saturating_add(sample.composition_offset);
    let payload = match track.length_size {
        // An access unit that does not divide into NAL units is passed on as it is, and marked.
        n @ 1..=3 if info.codec.is_nal() && !track.encrypted => {
            bitstream::nal::to_four_byte(payload.clone(), usize::from(n)).unwrap_or(payload)
        }
        _ => payload,
    };
    let mut frame = MediaFrame::new(info.id, info.codec, at(decode)?, payload);
    frame.pts = at(shown)?;
    frame.duration = at(i64::from(sample.duration))?;
    if info.kind() != MediaKind::Video || sample.is_sync() {
        frame.flags |= FrameFlags::KEY;
    }
    if info.kind() == MediaKind::Video {
        if sample.is_disposable() {
            frame.flags |= FrameFlags::DISPOSABLE;
        }
        if !track.encrypted && matches!(info.codec, CodecId::H264 | CodecId::H265) {
            // The container does not tell whether parameter sets are in band.
            let found = bitstream::classify(info.codec, &frame.payload);
            frame.flags |= found & FrameFlags::IN_BAND_PARAMS;
        }
    }
    Ok(Some(frame))
}
