//! The transport stream view of a stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use core_frame::{Epoch, MediaFrame, Preamble, Render, RenderOut, TrackTable, ViewItem};
use smallvec::smallvec;

use crate::mux::{MuxOptions, Muxer};

/// Bytes of a run of packets; one is made whenever the last is full.
const BLOCK: usize = 256 * 1024;

/// Renders a stream as a transport stream: one item a frame, each whole packets.
///
/// Joiners get the tables; each key frame's item begins with them too. The packets of successive frames lie one behind
/// the other in memory, which costs one copy of the media for each stream, whatever the number of readers.
#[derive(Debug)]
pub struct TsRender {
    muxer: Muxer,
    block: BytesMut,
    preamble: Option<(Epoch, u32)>,
    generation: u32,
    left_out: u64,
}

impl Default for TsRender {
    fn default() -> Self {
        Self::new()
    }
}

impl TsRender {
    /// A view with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(MuxOptions::default())
    }

    /// A view with other options. A constant rate puts the stuffing before a frame into its item.
    #[must_use]
    pub fn with_options(options: MuxOptions) -> Self {
        Self {
            muxer: Muxer::new(options).joinable(),
            block: BytesMut::new(),
            preamble: None,
            generation: 0,
            left_out: 0,
        }
    }

    /// Frames that a transport stream cannot carry and that were left out.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn packets(&mut self, frame: &MediaFrame) -> crate::Result<Option<Bytes>> {
        // Room for the packets, their headers and what comes by itself; more is made where that is not enough.
        let need = frame.payload.len() + frame.payload.len() / 32 + 2_048;
        if self.block.capacity() - self.block.len() < need {
            self.block = BytesMut::with_capacity(need.max(BLOCK));
        }
        // The one copy of the media in this view: see the type's documentation.
        let written = self.muxer.frame(frame, &mut self.block)?;
        Ok(written.then(|| self.block.split().freeze()))
    }
}

impl Render for TsRender {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        let changed = self.muxer.tracks(table);
        let same_epoch = self
            .preamble
            .is_some_and(|(epoch, _)| epoch == table.epoch.id);
        if !changed && same_epoch {
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.preamble = Some((table.epoch.id, self.generation));
        let mut tables = BytesMut::with_capacity(3 * crate::PACKET);
        self.muxer.tables(&mut tables);
        let tables = tables.freeze();
        out.preamble(Preamble {
            generation: self.generation,
            epoch: table.epoch.id,
            join: smallvec![tables.clone()],
            update: smallvec![tables],
            text: None,
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        match self.packets(frame) {
            Ok(Some(packets)) => out.item(ViewItem::of(frame, seq, smallvec![packets])),
            Ok(None) => {}
            Err(_) => self.left_out = self.left_out.saturating_add(1),
        }
    }
}
