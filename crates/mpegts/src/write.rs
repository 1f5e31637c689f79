//! A transport stream file.

use bytes::BytesMut;
use core_frame::{MediaFrame, TrackTable};

use crate::error::Result;
use crate::mux::{Continuity, MuxOptions, Muxer};

/// Writes a transport stream file: tables first, then the packets of each frame.
///
/// ```
/// use core_frame::{CodecId, MediaFrame, TrackId, TrackInfo, TrackTable};
/// use core_frame::bytes::{Bytes, BytesMut};
///
/// let mut aac = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
/// aac.config = Bytes::from_static(&[0x12, 0x10]);
/// let mut file = BytesMut::new();
/// let mut writer = millstream_mpegts::FileWriter::new();
/// writer.tracks(&TrackTable::new([aac]), &mut file);
/// writer.frame(&MediaFrame::new_audio(0, Bytes::from_static(&[0x21, 0]), CodecId::Aac), &mut file)?;
/// assert!(file.len() == 5 * 188 && file.starts_with(&[0x47]));
/// # Ok::<(), millstream_mpegts::Error>(())
/// ```
#[derive(Debug)]
pub struct FileWriter {
    muxer: Muxer,
}

impl Default for FileWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl FileWriter {
    /// A writer with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(MuxOptions::default())
    }

    /// A writer with other options.
    #[must_use]
    pub fn with_options(options: MuxOptions) -> Self {
        Self {
            muxer: Muxer::new(options),
        }
    }

    /// A writer that appends to a file another writer began.
    #[must_use]
    pub fn resume(options: MuxOptions, continuity: Continuity) -> Self {
        Self {
            muxer: Muxer::resume(options, continuity),
        }
    }

    /// What [`FileWriter::resume`] needs to go on behind this.
    #[must_use]
    pub fn continuity(&self) -> Continuity {
        self.muxer.continuity()
    }

    /// The tracks change: the new tables, if they are new.
    pub fn tracks(&mut self, table: &TrackTable, out: &mut BytesMut) {
        if self.muxer.tracks(table) {
            self.muxer.tables(out);
        }
    }

    /// Appends the packets of a frame. False when its track is not written.
    ///
    /// # Errors
    /// An access unit that breaks its format; nothing was appended.
    pub fn frame(&mut self, frame: &MediaFrame, out: &mut BytesMut) -> Result<bool> {
        self.muxer.frame(frame, out)
    }
}
