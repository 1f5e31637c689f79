//! What a reader of FLV or RTMP gets: which tracks, and each codec in which form.

use std::fmt;

use core_frame::{CodecId, TrackChoice, TrackTable};

use crate::mux::Coding;
use crate::{FourCc, FourCcs, Plan};

/// In which form codecs are written: what the receiver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CodecForm {
    /// H.264, AAC, MP3, G.711 and PCM in the legacy form that everyone reads, all others by their FourCC.
    #[default]
    Enhanced,
    /// Nothing of Enhanced RTMP: HEVC goes out under codec number 12, laid out as AVC, which players and CDNs agreed on
    /// before there was a FourCC. Codecs without such a number (AV1, VP8, VP9, H.266, Opus, AC-3, E-AC-3, FLAC) are left
    /// out, so that the other track plays.
    Legacy,
    /// By FourCC only these, as a player lists them; others as in [`CodecForm::Legacy`].
    Only(FourCcs),
}

impl CodecForm {
    /// How this codec is written as the one track of its kind; nothing when it is left out.
    pub(crate) fn coding(self, codec: CodecId) -> Option<Coding> {
        match codec {
            CodecId::H264
            | CodecId::Aac
            | CodecId::Mp3
            | CodecId::Pcma
            | CodecId::Pcmu
            | CodecId::Pcm => Some(Coding::Legacy),
            CodecId::H265 => Some(self.fourcc(codec).map_or(Coding::Legacy, Coding::Enhanced)),
            _ => self.fourcc(codec).map(Coding::Enhanced),
        }
    }

    /// The FourCC of a codec, where the receiver knows it.
    pub(crate) fn fourcc(self, codec: CodecId) -> Option<FourCc> {
        let fourcc = FourCc::of(codec)?;
        match self {
            Self::Enhanced => Some(fourcc),
            Self::Legacy => None,
            Self::Only(known) => known.contains(fourcc).then_some(fourcc),
        }
    }

    /// The same form without what makes no difference to the bytes.
    fn canonical(self, multitrack: bool) -> Self {
        let Self::Only(mut known) = self else {
            return self;
        };
        let mut all = FourCcs::ALL;
        if !multitrack {
            // Alone these have their legacy form in every case.
            for codec in [CodecId::H264, CodecId::Aac, CodecId::Mp3] {
                if let Some(fourcc) = FourCc::of(codec) {
                    known.remove(fourcc);
                    all.remove(fourcc);
                }
            }
        }
        if known == all {
            Self::Enhanced
        } else if known.is_empty() {
            Self::Legacy
        } else {
            Self::Only(known)
        }
    }
}

/// What goes into an FLV or RTMP stream, and how. The default is what every reader gets that asks for nothing: the first
/// video and the first audio track.
///
/// Written out ([`fmt::Display`]) it names a view: layouts with the same name give the same bytes.
///
/// ```
/// use core_frame::TrackChoice;
/// use millstream_flv::{CodecForm, FourCc, FourCcs, Layout};
///
/// let mut layout = Layout::default();
/// assert_eq!(layout.to_string(), "video=main&audio=main&codecs=enhanced");
/// layout.choice = TrackChoice::from_query("audio=de")?;
/// layout.codecs = CodecForm::Only([FourCc(*b"av01"), FourCc(*b"avc1")].into_iter().collect());
/// assert_eq!(layout.to_string(), "video=main&audio=de&codecs=av01");
/// layout.codecs = CodecForm::Only(FourCcs::default());
/// assert_eq!(layout.to_string(), "video=main&audio=de&codecs=legacy");
/// # Ok::<(), core_frame::BadChoice>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Layout {
    /// Which tracks. The first of each kind that the receiver knows is written plainly, as the track number 0 that every
    /// receiver knows, whatever its number was. No track is written that is not asked for: a receiver that is to get
    /// another one where it does not know the main one asks for all.
    pub choice: TrackChoice,
    /// In which form.
    pub codecs: CodecForm,
    /// The other tracks of the choice are written too, as Enhanced multitrack bodies with one track each; receivers that
    /// do not know them pass them over. Without it only the first of each kind is written.
    pub multitrack: bool,
    /// Enhanced bodies tell the nanoseconds that the millisecond clock leaves out (`TimestampOffsetNano`), for receivers
    /// that said they know it.
    pub nanos: bool,
}

impl Layout {
    /// These tracks, the rest by default.
    #[must_use]
    pub fn of(choice: TrackChoice) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }

    /// Every track of the stream: what a recorder or forwarder wants.
    #[must_use]
    pub fn all_tracks() -> Self {
        Self {
            choice: TrackChoice::ALL,
            multitrack: true,
            ..Self::default()
        }
    }

    /// What this means for the tracks of a stream.
    #[must_use]
    pub fn plan(&self, table: &TrackTable) -> Plan {
        Plan::new(self, table)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}&codecs=", self.choice)?;
        match self.codecs.canonical(self.multitrack) {
            CodecForm::Enhanced => f.write_str("enhanced")?,
            CodecForm::Legacy => f.write_str("legacy")?,
            CodecForm::Only(known) => write!(f, "{known}")?,
        }
        if self.multitrack {
            f.write_str("&multitrack=yes")?;
        }
        if self.nanos {
            f.write_str("&nanos=yes")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_difference_is_not_in_the_name() {
        let mut layout = Layout {
            codecs: CodecForm::Only(FourCcs::ALL),
            ..Layout::default()
        };
        assert_eq!(layout.to_string(), Layout::default().to_string());
        layout.codecs = CodecForm::Only([FourCc(*b"avc1")].into_iter().collect());
        let legacy = Layout {
            codecs: CodecForm::Legacy,
            ..Layout::default()
        };
        assert_eq!(layout.to_string(), legacy.to_string());
        // A second track is written by its FourCC only, so there it does.
        layout.multitrack = true;
        layout.choice = TrackChoice::ALL;
        assert_eq!(
            layout.to_string(),
            "video=all&audio=all&codecs=avc1&multitrack=yes"
        );
    }

    #[test]
    fn each_codec_has_its_form() {
        let known: FourCcs = [FourCc(*b"av01")].into_iter().collect();
        let legacy = |form: CodecForm, codec| matches!(form.coding(codec), Some(Coding::Legacy));
        for form in [
            CodecForm::Enhanced,
            CodecForm::Legacy,
            CodecForm::Only(known),
        ] {
            assert!(legacy(form, CodecId::H264) && legacy(form, CodecId::Pcmu));
            assert_eq!(form.coding(CodecId::Mjpeg), None);
        }
        assert!(legacy(CodecForm::Legacy, CodecId::H265));
        assert!(legacy(CodecForm::Only(known), CodecId::H265));
        assert!(!legacy(CodecForm::Enhanced, CodecId::H265));
        assert_eq!(CodecForm::Legacy.coding(CodecId::Av1), None);
        assert_eq!(CodecForm::Only(known).coding(CodecId::Opus), None);
        let av1 = Coding::Enhanced(FourCc(*b"av01"));
        assert_eq!(CodecForm::Only(known).coding(CodecId::Av1), Some(av1));
    }
}
