//! Tags out: headers, whole tags, and the file as a whole.

use bytes::{BufMut, BytesMut};
use core_frame::{MediaFrame, TrackTable};

use crate::{Layout, Plan, TagKind, error::Result};

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
    layout: Layout,
    plan: Plan,
    begun: bool,
    last_ms: u32,
}

impl FileWriter {
    /// A writer of the first video and the first audio track.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer of what `layout` says.
    #[must_use]
    pub fn with_layout(layout: Layout) -> Self {
        Self {
            layout,
            ..Self::default()
        }
    }

    /// A writer of all video and audio tracks: the first of each kind as everyone expects it, the others in Enhanced
    /// multitrack bodies, which other readers pass over.
    #[must_use]
    pub fn multitrack() -> Self {
        Self::with_layout(Layout::all_tracks())
    }

    /// The tracks change: the file header at first, then metadata and the configurations, stamped with the time of the
    /// last frame.
    pub fn tracks(&mut self, table: &TrackTable, out: &mut BytesMut) {
        self.plan = self.layout.plan(table);
        if !self.begun {
            let (video, audio) = (TagKind::Video, TagKind::Audio);
            out.put_slice(&file_header(self.plan.has(video), self.plan.has(audio)));
            self.begun = true;
        }
        // Configurations are far below a tag's 16 MiB.
        let _ = put_headers(&self.plan, self.last_ms, out);
    }

    /// Appends the tag of a frame. False when its track is not written.
    ///
    /// # Errors
    /// FLV cannot carry the frame.
    pub fn frame(&mut self, frame: &MediaFrame, out: &mut BytesMut) -> Result<bool> {
        let Some(body) = self.plan.body(frame)? else {
            return Ok(false);
        };
        let head = body.head.as_ref();
        write_tag(body.kind, body.timestamp_ms, head, &body.payload, out)?;
        self.last_ms = body.timestamp_ms;
        Ok(true)
    }
}

/// Metadata and configurations as tags. Metadata is of no time: FFmpeg takes `onMetaData` at any time but 0 for a
/// packet of a subtitle track.
pub(crate) fn put_headers(plan: &Plan, timestamp_ms: u32, out: &mut BytesMut) -> Result<()> {
    for (kind, body) in plan.headers() {
        let time = if kind == TagKind::Script {
            0
        } else {
            timestamp_ms
        };
        write_tag(kind, time, &[], &body, out)?;
    }
    Ok(())
}
