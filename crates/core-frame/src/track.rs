//! Tracks, and the table of tracks that travels with the frames.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{CodecId, Epoch, MediaKind, MediaTime, Tags, TrackId, WallTime};

/// What a viewer would use a track for (ISO/IEC 23009-1 role scheme).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The main track of its kind.
    #[default]
    Main,
    /// A choice beside the main one.
    Alternate,
    /// Director's commentary.
    Commentary,
    /// Another language.
    Dub,
    /// Audio description or other service for those who need it.
    Description,
    /// Captions.
    Caption,
    /// Subtitles.
    Subtitle,
}

/// Colour description in the code points of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ColorInfo {
    /// `ColourPrimaries`.
    pub primaries: u8,
    /// `TransferCharacteristics` (16 = PQ, 18 = HLG).
    pub transfer: u8,
    /// `MatrixCoefficients`.
    pub matrix: u8,
    /// Full-range samples.
    pub full_range: bool,
}

/// Geometry and rate of a video track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Coded width after cropping, in luma samples; 0 when unknown.
    pub width: u32,
    /// Coded height after cropping, in luma samples; 0 when unknown.
    pub height: u32,
    /// Nominal frames a second as numerator and denominator, when told by the bitstream or the sender.
    pub frame_rate: Option<(u32, u32)>,
    /// Sample (pixel) aspect ratio, when told.
    pub sample_aspect: Option<(u32, u32)>,
    /// Colour description, when told.
    pub color: Option<ColorInfo>,
    /// Pictures the decoder holds back for reordering (`max_num_reorder_frames`), when told.
    pub reorder_depth: Option<u8>,
}

/// Rate and layout of an audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Output sample rate in Hz.
    pub sample_rate: u32,
    /// Output channels.
    pub channels: u16,
    /// Samples per access unit and channel at `sample_rate`; 0 when it varies or is unknown.
    pub frame_samples: u32,
}

/// One track of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackInfo {
    /// Its id, unique in the stream.
    pub id: TrackId,
    /// Its codec.
    pub codec: CodecId,
    /// The codec configuration as the ISO record: the body of `avcC`, `hvcC`, `av1C`, `vpcC` (VP8 and VP9), `dOps`, `dac3`,
    /// `dec3` or `dfLa`, or an AudioSpecificConfig. Where the box is a full box (`vpcC`, `dfLa`), its version and flags are
    /// not part of it: FLAC's is the metadata blocks with their headers, STREAMINFO first, without `fLaC`. Empty when the
    /// codec has none (MP3, G.711, PCM) or it has not come yet (see [`TrackInfo::is_ready`]).
    pub config: Bytes,
    /// Ticks a second of the clock the sender used; time conversions back to it are lossless.
    pub timescale: u32,
    /// The RFC 6381 string (`avc1.64001f`), when the configuration is known.
    pub codec_string: Option<String>,
    /// Geometry, on video tracks.
    pub video: Option<VideoInfo>,
    /// Rate and layout, on audio tracks.
    pub audio: Option<AudioInfo>,
    /// BCP 47 language.
    pub language: Option<String>,
    /// What it is for.
    pub role: Role,
    /// Nominal bits a second, as told by the sender.
    pub bitrate_bps: Option<u64>,
}

impl TrackInfo {
    /// A track of which nothing is known but its codec; the clock is milliseconds.
    #[must_use]
    pub fn new(id: TrackId, codec: CodecId) -> Self {
        Self {
            id,
            codec,
            config: Bytes::new(),
            timescale: 1_000,
            codec_string: None,
            video: None,
            audio: None,
            language: None,
            role: Role::Main,
            bitrate_bps: None,
        }
    }

    /// What it carries.
    #[must_use]
    pub const fn kind(&self) -> MediaKind {
        self.codec.kind()
    }

    /// True when a decoder could be set up from this description.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self.codec {
            CodecId::H264 | CodecId::H265 | CodecId::H266 | CodecId::Av1 | CodecId::Aac => {
                !self.config.is_empty()
            }
            _ => true,
        }
    }
}

/// Where an epoch begins, and the one mapping from its media time to wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochInfo {
    /// The epoch.
    pub id: Epoch,
    /// Media time of its first frame (its decode time).
    pub origin: MediaTime,
    /// Wall-clock time of `origin`.
    pub wall: WallTime,
}

impl EpochInfo {
    /// Wall-clock time of a media time of this epoch.
    #[must_use]
    pub fn wall_at(&self, time: MediaTime) -> WallTime {
        self.wall.offset(time - self.origin)
    }
}

/// The tracks of a stream at one time. Immutable: a change makes a new generation, and a new epoch is a new generation
/// too, so that one reference beside each frame tells everything a joiner needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackTable {
    /// Counts up by one with every change.
    pub generation: u32,
    /// The epoch the frames under this table belong to.
    pub epoch: EpochInfo,
    /// The tracks, in the order of their ids.
    pub tracks: Vec<Arc<TrackInfo>>,
    /// What the sender says about the stream as a whole.
    pub tags: Arc<Tags>,
}

impl TrackTable {
    /// A table of `tracks`, generation 0 of epoch 0.
    #[must_use]
    pub fn new(tracks: impl IntoIterator<Item = TrackInfo>) -> Self {
        let mut tracks: Vec<_> = tracks.into_iter().map(Arc::new).collect();
        tracks.sort_by_key(|t| t.id);
        Self {
            tracks,
            ..Self::default()
        }
    }

    /// The track with this id.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&Arc<TrackInfo>> {
        self.tracks.iter().find(|t| t.id == id)
    }

    /// The first track of a kind.
    #[must_use]
    pub fn primary(&self, kind: MediaKind) -> Option<&Arc<TrackInfo>> {
        self.tracks.iter().find(|t| t.kind() == kind)
    }

    /// The first video track: its key frames are the stream's sync points.
    #[must_use]
    pub fn video(&self) -> Option<&Arc<TrackInfo>> {
        self.primary(MediaKind::Video)
    }

    /// The first audio track.
    #[must_use]
    pub fn audio(&self) -> Option<&Arc<TrackInfo>> {
        self.primary(MediaKind::Audio)
    }

    /// Replaces the track with the same id, or adds it in order.
    pub fn set(&mut self, info: TrackInfo) {
        match self.tracks.binary_search_by_key(&info.id, |t| t.id) {
            Ok(at) => {
                if let Some(slot) = self.tracks.get_mut(at) {
                    *slot = Arc::new(info);
                }
            }
            Err(at) => self.tracks.insert(at, Arc::new(info)),
        }
    }
}

impl Default for TrackTable {
    fn default() -> Self {
        Self {
            generation: 0,
            epoch: EpochInfo {
                id: Epoch(0),
                origin: MediaTime::ZERO,
                wall: WallTime::UNIX_EPOCH,
            },
            tracks: Vec::new(),
            tags: Arc::default(),
        }
    }
}
