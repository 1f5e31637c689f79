//! A layout applied to the tracks of a stream: what is written for each of them.

use std::sync::Arc;

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, MediaKind, MediaTime, Tags, TrackId, TrackInfo, TrackTable};

use crate::mux::{Coding, Head, Wire};
use crate::{Error, Layout, TagKind, error::Result, metadata, scte35, timestamp_ms, track_index};

/// The body of a tag or message: some bytes, then the payload of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it carries.
    pub kind: TagKind,
    /// The wire clock: whole milliseconds in 32 bits.
    pub timestamp_ms: u32,
    /// What stands before the payload.
    pub head: Head,
    /// The payload: that of the frame, not copied, but for SCTE 35, which is written as a script message.
    pub payload: Bytes,
}

/// What a [`Layout`] means for the tracks of a stream: which of them are written, and how.
///
/// ```
/// use core_frame::{CodecId, MediaFrame, TrackId, TrackInfo, TrackTable, bytes::Bytes};
/// use millstream_flv::{Layout, TagKind};
///
/// let mut aac = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
/// aac.config = Bytes::from_static(&[0x12, 0x10]);
/// let plan = Layout::default().plan(&TrackTable::new([aac]));
/// let headers: Vec<_> = plan.headers().into_iter().map(|(kind, _)| kind).collect();
/// assert_eq!(headers, [TagKind::Script, TagKind::Audio]);
///
/// let frame = MediaFrame::new_audio(7, Bytes::from_static(b"unit"), CodecId::Aac);
/// let body = plan.body(&frame)?.ok_or("not written")?;
/// assert_eq!((body.timestamp_ms, body.head.as_ref()), (7, &[0xAF, 1][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The plain video track, the plain audio track, then those of multitrack.
    lines: Vec<Line>,
    /// Tracks that are wanted and cannot be written.
    refused: Vec<TrackId>,
    tags: Arc<Tags>,
    multitrack: bool,
    nanos: bool,
}

/// A track that is written.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) kind: TagKind,
    pub(crate) wire: Wire,
    pub(crate) track: Arc<TrackInfo>,
}

impl Plan {
    pub(crate) fn new(layout: &Layout, table: &TrackTable) -> Self {
        let mut plan = Self {
            tags: Arc::clone(&table.tags),
            multitrack: layout.multitrack,
            nanos: layout.nanos,
            ..Self::default()
        };
        let wanted: Vec<_> = table
            .tracks
            .iter()
            .filter(|t| layout.choice.wants(table, t.id))
            .collect();
        for kind in [TagKind::Video, TagKind::Audio] {
            let of_kind = wanted.iter().filter(|t| kind_of(t) == Some(kind));
            let plain = |track: &&Arc<TrackInfo>| -> Option<Line> {
                let coding = layout.codecs.coding(track.codec)?;
                let wire = Wire::plain(coding, track).ok()?;
                Some(line(kind, wire, track))
            };
            plan.lines.extend(of_kind.copied().find_map(|t| plain(&t)));
        }
        if layout.multitrack {
            plan.number_others(layout, &wanted);
        }
        let is_written = |t: &&Arc<TrackInfo>| plan.lines.iter().any(|l| l.track.id == t.id);
        plan.refused = wanted
            .into_iter()
            .filter(|t| kind_of(t).is_some() && !is_written(t))
            .map(|t| t.id)
            .collect();
        if !layout.multitrack {
            // Of all tracks that are wanted one of each kind is all that was promised.
            let has = |id| {
                let kind = table.track(id).and_then(|t| kind_of(t));
                plan.lines.iter().any(|l| Some(l.kind) == kind)
            };
            plan.refused.retain(|id| !has(*id));
        }
        plan
    }

    /// Tracks keep the numbers that [`track_index`] knows them by; others get the next free one.
    fn number_others(&mut self, layout: &Layout, wanted: &[&Arc<TrackInfo>]) {
        for track in wanted {
            let Some(kind) = kind_of(track) else { continue };
            if self.lines.iter().any(|l| l.track.id == track.id) {
                continue;
            }
            let Some(fourcc) = layout.codecs.fourcc(track.codec) else {
                continue;
            };
            let is_free = |n: &u8| {
                let taken = |l: &Line| l.kind == kind && l.wire.index == *n;
                !self.lines.iter().any(taken)
            };
            let own = track_index(track.id)
                .filter(|(media, n)| *media == track.kind() && *n > 0)
                .map(|(_, n)| n);
            if let Some(n) = own.into_iter().chain(1..=u8::MAX).find(is_free) {
                let wire = Wire {
                    coding: Coding::Enhanced(fourcc),
                    index: n,
                };
                self.lines.push(line(kind, wire, track));
            }
        }
    }

    /// True when a track of this kind is written.
    #[must_use]
    pub fn has(&self, kind: TagKind) -> bool {
        self.lines.iter().any(|l| l.kind == kind)
    }

    /// The tracks that are written: the plain video track, the plain audio track, then those of multitrack.
    pub fn tracks(&self) -> impl Iterator<Item = &TrackInfo> {
        self.lines.iter().map(|l| l.track.as_ref())
    }

    /// The bodies that stand before the first frame: `onMetaData`, then the codec configurations.
    #[must_use]
    pub fn headers(&self) -> Vec<(TagKind, Bytes)> {
        let metadata = (TagKind::Script, self.metadata());
        let configs = self
            .lines
            .iter()
            .filter_map(|l| Some((l.kind, l.wire.sequence_header(&l.track)?)));
        [metadata].into_iter().chain(configs).collect()
    }

    /// `onMetaData` without `@setDataFrame`: what is written of the tracks, then the sender's tags.
    #[must_use]
    pub fn metadata(&self) -> Bytes {
        metadata::write(&self.lines, &self.tags, self.multitrack)
    }

    /// The body of a frame; nothing when its track is not wanted. Script messages are always written, as they came;
    /// SCTE 35 as [`scte35::to_script`] says it.
    ///
    /// # Errors
    /// The track is wanted, but FLV, or the receiver, cannot carry the frame.
    pub fn body(&self, frame: &MediaFrame) -> Result<Option<Body>> {
        let Some(line) = self.lines.iter().find(|l| l.track.id == frame.track) else {
            return self.beside(frame);
        };
        let mut time = timestamp_ms(frame.dts);
        let nanos = self.nanos && matches!(line.wire.coding, Coding::Enhanced(_));
        let head = if nanos {
            let (base, head) = line.wire.head_with_nanos(frame, &line.track)?;
            time = timestamp_ms(base);
            head
        } else {
            line.wire.head(frame, &line.track)?
        };
        Ok(Some(Body {
            kind: line.kind,
            timestamp_ms: time,
            head,
            payload: frame.payload.clone(),
        }))
    }

    fn beside(&self, frame: &MediaFrame) -> Result<Option<Body>> {
        if self.refused.contains(&frame.track) {
            return Err(Error::Unsupported("a codec that the receiver cannot carry"));
        }
        let script = |payload| Body {
            kind: TagKind::Script,
            timestamp_ms: timestamp_ms(frame.dts),
            head: Head::EMPTY,
            payload,
        };
        Ok(match frame.codec {
            CodecId::Script => Some(script(frame.payload.clone())),
            CodecId::Scte35 => Some(script(scte35::to_script(&frame.payload, frame.pts)?)),
            _ => None,
        })
    }
}

fn line(kind: TagKind, wire: Wire, track: &Arc<TrackInfo>) -> Line {
    Line {
        kind,
        wire,
        track: Arc::clone(track),
    }
}

fn kind_of(track: &TrackInfo) -> Option<TagKind> {
    match track.kind() {
        MediaKind::Video => Some(TagKind::Video),
        MediaKind::Audio => Some(TagKind::Audio),
        _ => None,
    }
}

/// A time as whole milliseconds below it, and the nanoseconds above these: 0 to 999 999.
pub(crate) fn split_nanos(time: MediaTime) -> (MediaTime, u32) {
    let ms = time.as_nanos().div_euclid(1_000_000);
    let rest = time.as_nanos().rem_euclid(1_000_000);
    (MediaTime::from_millis(ms), rest as u32)
}
