//! Tags out: headers, whole tags, and the file as a whole.

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{MediaFrame, MediaKind, TrackId, TrackInfo, TrackTable};

use crate::{
    TagKind, body_head, error::Result, metadata, multitrack_head, multitrack_sequence_header,
    sequence_header, timestamp_ms, track_index,
};

/// Bytes of a tag header.
pub(crate) const TAG_HEADER: usize = 11;
/// Bytes of the size that follows each tag.
pub(crate) const TAG_TRAILER: usize = 4;
/// The most a tag's body can hold: 24 bits of length.
pub(crate) const BODY_MAX: usize = 0xFF_FFFF;

/// The file header and the first `PreviousTagSize` (Video File Format v10.1, annex E.2, E.3).
#[must_use]
pub fn file_header(video: bool, audio: bool) -> [u8; 13] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag header (annex E.4.1): `type 8 | body length 24 | time 24 | time bits 24 to 31 | stream 24`.
#[must_use]
pub fn tag_header(kind: TagKind, timestamp_ms: u32, body_len: usize) -> [u8; TAG_HEADER] {
    let [_, l2, l1, l0] = (body_len as u32).to_be_bytes();
    let [t3, t2, t1, t0] = timestamp_ms.to_be_bytes();
    [kind.number(), l2, l1, l0, t2, t1, t0, t3, 0, 0, 0]
}

/// Appends a whole tag whose body is `head` followed by `payload`. Copies the payload: a file is one run of bytes.
///
/// # Errors
/// [`crate::Error::Limit`] when the body is longer than a tag can say.
pub fn write_tag(
    kind: TagKind,
    timestamp_ms: u32,
    head: &[u8],
    payload: &[u8],
    out: &mut BytesMut,
) -> Result<()> {
    let len = head.len().saturating_add(payload.len());
    if len > BODY_MAX {
        return Err(crate::Error::Limit("tag body of 16 MiB"));
    }
    out.reserve(TAG_HEADER + len + TAG_TRAILER);
    out.put_slice(&tag_header(kind, timestamp_ms, len));
    out.put_slice(head);
    out.put_slice(payload);
    out.put_u32((TAG_HEADER + len) as u32);
    Ok(())
}

/// Which track of a kind goes into an FLV stream, which has room for one video and one audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Pick {
    /// The first of its kind.
    #[default]
    First,
    /// This one, if the stream has it.
    Track(TrackId),
    /// None.
    None,
}

impl Pick {
    pub(crate) fn of(self, kind: MediaKind, table: &TrackTable) -> Option<&TrackInfo> {
        let track = match self {
            Self::First => table.primary(kind),
            Self::Track(id) => table.track(id).filter(|t| t.kind() == kind),
            Self::None => None,
        };
        track.map(AsRef::as_ref)
    }
}

/// Writes an FLV file or HTTP-FLV stream: header, metadata, configurations, then a tag a frame.
///
/// ```
/// use core_frame::{CodecId, MediaFrame, TrackId, TrackInfo, TrackTable};
/// use core_frame::bytes::{Bytes, BytesMut};
///
/// let mut aac = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
/// aac.config = Bytes::from_static(&[0x12, 0x10]);
/// let mut file = BytesMut::new();
/// let mut writer = millstream_flv::FileWriter::new();
/// writer.tracks(&TrackTable::new([aac]), &mut file);
/// writer.frame(&MediaFrame::new_audio(0, Bytes::from_static(&[0x21, 0]), CodecId::Aac), &mut file)?;
/// assert!(file.starts_with(b"FLV\x01\x04"));
/// # Ok::<(), millstream_flv::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct FileWriter {
    video_pick: Pick,
    audio_pick: Pick,
    is_multitrack: bool,
    video: Option<TrackInfo>,
    audio: Option<TrackInfo>,
    /// Tracks beyond the first of each kind, with their numbers on the wire.
    others: Vec<(u8, TrackInfo)>,
    begun: bool,
    last_ms: u32,
}

impl FileWriter {
    /// A writer of the first video and the first audio track.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer of other tracks.
    #[must_use]
    pub fn with_picks(video: Pick, audio: Pick) -> Self {
        Self {
            video_pick: video,
            audio_pick: audio,
            ..Self::default()
        }
    }

    /// A writer of all video and audio tracks: the first of each kind as everyone expects it, the others in Enhanced
    /// multitrack bodies, which other readers pass over.
    #[must_use]
    pub fn multitrack() -> Self {
        Self {
            is_multitrack: true,
            ..Self::default()
        }
    }

    /// The tracks change: the file header at first, then metadata and the configurations, stamped with the time of the
    /// last frame.
    pub fn tracks(&mut self, table: &TrackTable, out: &mut BytesMut) {
        self.video = self.video_pick.of(MediaKind::Video, table).cloned();
        self.audio = self.audio_pick.of(MediaKind::Audio, table).cloned();
        self.others = self.number_others(table);
        if !self.begun {
            out.put_slice(&file_header(self.video.is_some(), self.audio.is_some()));
            self.begun = true;
        }
        let _ = put_headers(self.video.as_ref(), self.audio.as_ref(), self.last_ms, out);
        for (index, track) in &self.others {
            if let (Some(kind), Some(body)) =
                (kind_of(track), multitrack_sequence_header(track, *index))
            {
                let _ = write_tag(kind, self.last_ms, &[], &body, out);
            }
        }
    }

    /// Appends the tag of a frame. False when its track is not written.
    ///
    /// # Errors
    /// FLV cannot carry the frame.
    pub fn frame(&mut self, frame: &MediaFrame, out: &mut BytesMut) -> Result<bool> {
        let other = || self.others.iter().find(|(_, t)| t.id == frame.track);
        let (kind, head) = match choose(self.video.as_ref(), self.audio.as_ref(), frame) {
            Some((kind, track)) => (kind, body_head(frame, track)?),
            None => match other().and_then(|(n, t)| Some((n, t, kind_of(t)?))) {
                Some((index, track, kind)) => (kind, multitrack_head(frame, track, *index)?),
                None => return Ok(false),
            },
        };
        let time = timestamp_ms(frame.dts);
        write_tag(kind, time, head.as_ref(), &frame.payload, out)?;
        self.last_ms = time;
        Ok(true)
    }

    /// Tracks keep the numbers that [`track_index`] knows them by; others get the next free one.
    fn number_others(&self, table: &TrackTable) -> Vec<(u8, TrackInfo)> {
        let mut others: Vec<(u8, TrackInfo)> = Vec::new();
        if !self.is_multitrack {
            return others;
        }
        let first = [self.video.as_ref(), self.audio.as_ref()].map(|t| t.map(|t| t.id));
        for track in &table.tracks {
            if kind_of(track).is_none() || first.contains(&Some(track.id)) {
                continue;
            }
            let is_free = |n: &u8| {
                let taken = |(used, t): &(u8, TrackInfo)| used == n && t.kind() == track.kind();
                !others.iter().any(taken)
            };
            let own = track_index(track.id)
                .filter(|(kind, n)| *kind == track.kind() && *n > 0)
                .map(|(_, n)| n);
            if let Some(n) = own.into_iter().chain(1..=u8::MAX).find(is_free) {
                others.push((n, TrackInfo::clone(track)));
            }
        }
        others
    }
}

fn kind_of(track: &TrackInfo) -> Option<TagKind> {
    match track.kind() {
        MediaKind::Video => Some(TagKind::Video),
        MediaKind::Audio => Some(TagKind::Audio),
        _ => None,
    }
}

/// The tag kind and the track of a frame that is written.
pub(crate) fn choose<'a>(
    video: Option<&'a TrackInfo>,
    audio: Option<&'a TrackInfo>,
    frame: &MediaFrame,
) -> Option<(TagKind, &'a TrackInfo)> {
    let (kind, track) = match frame.kind() {
        MediaKind::Video => (TagKind::Video, video?),
        MediaKind::Audio => (TagKind::Audio, audio?),
        _ => return None,
    };
    (track.id == frame.track).then_some((kind, track))
}

/// Metadata and configurations as tags.
pub(crate) fn put_headers(
    video: Option<&TrackInfo>,
    audio: Option<&TrackInfo>,
    timestamp_ms: u32,
    out: &mut BytesMut,
) -> Result<()> {
    let table = TrackTable::new(video.into_iter().chain(audio).cloned());
    let mut tag = |kind, body: Bytes| write_tag(kind, timestamp_ms, &[], &body, out);
    tag(TagKind::Script, metadata(&table))?;
    if let Some(body) = video.and_then(sequence_header) {
        tag(TagKind::Video, body)?;
    }
    if let Some(body) = audio.and_then(sequence_header) {
        tag(TagKind::Audio, body)?;
    }
    Ok(())
}
