//! Timed data that travels with a frame.

use bytes::Bytes;

use crate::WallTime;

/// Timed data attached to an access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SideData {
    /// A SCTE 35 splice information section, from `table_id` on.
    Scte35(Bytes),
    /// A SMPTE 336 KLV packet.
    Klv(Bytes),
    /// CEA-608/708 caption data (`cc_data` triplets, CEA-708 §4.4).
    Captions(Bytes),
    /// A complete ID3v2 tag.
    Id3(Bytes),
    /// Wall-clock time at which the frame was captured, as told by the sender.
    WallClock(WallTime),
}
