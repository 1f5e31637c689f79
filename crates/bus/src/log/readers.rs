//! The slab of readers: what the log knows about each cursor.

use std::sync::Arc;
use std::time::Instant;

use core_frame::MediaTime;

use super::cursor::EndReason;
use super::wait::Place;
use crate::token::Token;
use crate::{ReaderInfo, TrackMask};

/// What is told to the owner of the log about one of its readers.
pub(crate) trait Hook: Send + Sync {
    /// It skipped to a sync point; `skipped` counts everything it missed so far.
    fn lagging(&self, id: u64, info: Option<&ReaderInfo>, skipped: u64);
    /// It is gone.
    fn left(&self, id: u64, info: Option<&ReaderInfo>, bytes: u64, skipped: u64);
}

/// Where a reader is and what passes without a further look. Written by the reader alone.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Hot {
    /// The next item it will read.
    pub(crate) pos: u64,
    /// Tracks whose items pass: selected, and begun at a sync point of their own.
    pub(crate) pass: TrackMask,
    /// Number of the header seen last.
    pub(crate) header_no: u32,
    /// Nothing is delivered before the next sync point.
    pub(crate) need_sync: bool,
    /// It has had a batch.
    pub(crate) joined: bool,
    /// The next batch has skipped items to tell.
    pub(crate) missed: bool,
}

/// One reader, as the log sees it. One cache line, and the only one beside its waker that a read of a reader that keeps up
/// touches.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct ReaderSlot {
    pub(crate) hot: Hot,
    /// The wake set it belongs to: 0 is woken by each publish, the others by their pace.
    pub(crate) set: u16,
    /// Lossless: blocks from its position on stay, up to the spool bound.
    pub(crate) pins: bool,
    pub(crate) end: Option<EndReason>,
    /// Its place in its wake set.
    pub(crate) place: Place,
    /// Bytes published before its position, since the log began.
    pub(crate) cum: u64,
    /// The latest decode time up to its position.
    pub(crate) clock: MediaTime,
}

const _: () = assert!(size_of::<ReaderSlot>() == 64);

impl ReaderSlot {
    /// A reader at `pos` that pins nothing and waits for each publish.
    pub(crate) fn new(pos: u64) -> Self {
        Self {
            hot: Hot {
                pos,
                pass: TrackMask::NONE,
                header_no: u32::MAX,
                need_sync: false,
                joined: false,
                missed: false,
            },
            set: 0,
            pins: false,
            end: None,
            place: Place::default(),
            cum: 0,
            clock: MediaTime::ZERO,
        }
    }
}

/// What is asked about a reader now and then.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: u64,
    pub(crate) info: Option<Arc<ReaderInfo>>,
    pub(crate) since: Instant,
    pub(crate) skipped: u64,
    pub(crate) delivered: u64,
    /// Fires when the reader is ended by somebody else.
    pub(crate) token: Option<Token>,
    /// Where it was when somebody last looked for stalled readers, and when it got there.
    pub(crate) seen: Option<(u64, Instant)>,
}

impl About {
    pub(crate) fn new(id: u64, now: Instant) -> Self {
        Self {
            id,
            info: None,
            since: now,
            skipped: 0,
            delivered: 0,
            token: None,
            seen: None,
        }
    }
}

/// Readers by slab index.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    slots: Vec<ReaderSlot>,
    /// `None` where the slab has a free place.
    about: Vec<Option<About>>,
    free: Vec<u32>,
    /// Readers that pin.
    pinning: u32,
}

impl Readers {
    pub(crate) fn insert(&mut self, slot: ReaderSlot, about: About) -> u32 {
        self.pinning += u32::from(slot.pins);
        if let Some(at) = self.free.pop()
            && let Some(place) = self.slots.get_mut(at as usize)
            && let Some(whose) = self.about.get_mut(at as usize)
        {
            *place = slot;
            *whose = Some(about);
            return at;
        }
        self.slots.push(slot);
        self.about.push(Some(about));
        (self.slots.len() - 1) as u32
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<About> {
        let about = self.about.get_mut(at as usize)?.take()?;
        self.free.push(at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            self.pinning -= u32::from(std::mem::take(&mut slot.pins));
        }
        Some(about)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut ReaderSlot> {
        self.slots.get_mut(at as usize)
    }

    /// Notes where a reader has gone, and what it has skipped.
    pub(crate) fn moved(&mut self, at: u32, hot: Hot, skipped: u64) {
        if let Some(slot) = self.get_mut(at) {
            slot.hot = hot;
        }
        if let Some(about) = self.about_mut(at) {
            about.skipped = skipped;
        }
    }

    pub(crate) fn about_mut(&mut self, at: u32) -> Option<&mut About> {
        self.about.get_mut(at as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ReaderSlot, &About)> {
        let both = self.slots.iter().zip(&self.about);
        both.filter_map(|(slot, about)| Some((slot, about.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut ReaderSlot, &mut About)> {
        let both = self.slots.iter_mut().zip(&mut self.about);
        both.filter_map(|(slot, about)| Some((slot, about.as_mut()?)))
    }

    /// The lowest position that a lossless reader still needs.
    pub(crate) fn pinned(&self) -> Option<u64> {
        if self.pinning == 0 {
            return None;
        }
        self.iter()
            .filter(|(slot, _)| slot.pins)
            .map(|(slot, _)| slot.hot.pos)
            .min()
    }

    /// Marks a reader as ended by somebody else.
    pub(crate) fn end(&mut self, id: u64, reason: EndReason) -> Option<(u32, Option<Token>)> {
        let at = self
            .about
            .iter()
            .position(|a| a.as_ref().is_some_and(|a| a.id == id))?;
        let slot = self.slots.get_mut(at)?;
        if slot.end.is_some() {
            return None;
        }
        slot.end = Some(reason);
        self.pinning -= u32::from(std::mem::take(&mut slot.pins));
        let token = self.about.get(at)?.as_ref()?.token.clone();
        Some((at as u32, token))
    }
}
