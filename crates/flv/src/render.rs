//! The HTTP-FLV view of a stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use core_frame::{Epoch, MediaFrame, Preamble, Render, RenderOut, Slices, TrackTable, ViewItem};
use smallvec::smallvec;

use crate::write::{TAG_HEADER, TAG_TRAILER, file_header, put_headers, write_tag};
use crate::{Head, Layout, Plan, TagKind, timestamp_ms};

/// Bytes of a run of tags; one is made whenever the last is full.
const BLOCK: usize = 256 * 1024;

/// Renders a stream as FLV: one item a frame, each a whole tag with the size that follows it.
///
/// Joiners get the file header, metadata and the codec configurations; readers that are under way get the latter two
/// when they change. Times are the stream's own, in milliseconds of 32 bits.
///
/// The tags of successive frames lie one behind the other in memory. That costs one copy of the media for each stream,
/// whatever the number of readers, and spares every reader two thirds of the pieces of its `writev`.
#[derive(Debug, Default)]
pub struct FlvRender {
    layout: Layout,
    plan: Plan,
    preamble: Option<(Epoch, Bytes)>,
    generation: u32,
    block: BytesMut,
    left_out: u64,
}

impl FlvRender {
    /// A view of the first video and the first audio track.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A view of what `layout` says.
    #[must_use]
    pub fn with_layout(layout: Layout) -> Self {
        Self {
            layout,
            ..Self::default()
        }
    }

    /// Frames that FLV cannot carry and that were left out.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn tag(&mut self, frame: &MediaFrame) -> crate::Result<Option<Bytes>> {
        let Some(body) = self.plan.body(frame)? else {
            return Ok(None);
        };
        let need = TAG_HEADER + Head::MAX + body.payload.len() + TAG_TRAILER;
        if self.block.capacity() - self.block.len() < need {
            self.block = BytesMut::with_capacity(need.max(BLOCK));
        }
        // The one copy of the media in this view: see the type's documentation.
        write_tag(
            body.kind,
            body.timestamp_ms,
            body.head.as_ref(),
            &body.payload,
            &mut self.block,
        )?;
        Ok(Some(self.block.split().freeze()))
    }
}

impl Render for FlvRender {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        self.plan = self.layout.plan(table);
        let mut headers = BytesMut::new();
        let time = timestamp_ms(table.epoch.origin);
        if put_headers(&self.plan, time, &mut headers).is_err() {
            // Configurations are far below a tag's 16 MiB.
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let update = headers.freeze();
        let is_same =
            |(epoch, bytes): &(Epoch, Bytes)| *epoch == table.epoch.id && *bytes == update;
        if self.preamble.as_ref().is_some_and(is_same) {
            return;
        }
        self.preamble = Some((table.epoch.id, update.clone()));
        self.generation = self.generation.wrapping_add(1);
        let header = file_header(self.plan.has(TagKind::Video), self.plan.has(TagKind::Audio));
        let join: Slices = smallvec![Bytes::copy_from_slice(&header), update.clone()];
        out.preamble(Preamble {
            generation: self.generation,
            epoch: table.epoch.id,
            join,
            update: smallvec![update],
            text: None,
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        match self.tag(frame) {
            Ok(Some(tag)) => out.item(ViewItem::of(frame, seq, smallvec![tag])),
            Ok(None) => {}
            Err(_) => self.left_out = self.left_out.saturating_add(1),
        }
    }
}
