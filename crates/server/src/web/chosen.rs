//! A renderer that sees only the tracks a reader chose.

use std::sync::Arc;

use core_frame::{MediaFrame, Render, RenderOut, TrackChoice, TrackTable};

/// Hides the tracks of a table that are not wanted from the renderer inside, which takes those that it can carry.
pub(crate) struct Chosen<R> {
    choice: TrackChoice,
    inner: R,
}

impl<R> Chosen<R> {
    pub(crate) const fn new(choice: TrackChoice, inner: R) -> Self {
        Self { choice, inner }
    }
}

impl<R: Render> Render for Chosen<R> {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        let all = |t: &TrackTable| t.tracks.iter().all(|track| self.choice.wants(t, track.id));
        if all(table) {
            return self.inner.tracks(table, out);
        }
        let mut chosen = TrackTable::clone(table);
        chosen
            .tracks
            .retain(|track| self.choice.wants(table, track.id));
        self.inner.tracks(&Arc::new(chosen), out);
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        self.inner.frame(frame, seq, out);
    }

    fn flush(&mut self, out: &mut RenderOut) {
        self.inner.flush(out);
    }

    fn end(&mut self, out: &mut RenderOut) {
        self.inner.end(out);
    }
}
