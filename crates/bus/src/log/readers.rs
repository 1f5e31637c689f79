//! The slab of readers: what the log knows about each cursor.

use std::sync::Arc;
use std::time::Instant;

use core_frame::MediaTime;

use super::cursor::EndReason;
use super::wait::Place;
use crate::ReaderInfo;
use crate::token::Token;

/// What is told to the owner of the log about one of its readers.
pub(crate) trait Hook: Send + Sync {
    /// It skipped to a sync point; `skipped` counts everything it missed so far.
    fn lagging(&self, id: u64, info: Option<&ReaderInfo>, skipped: u64);
    /// It is gone.
    fn left(&self, id: u64, info: Option<&ReaderInfo>, bytes: u64, skipped: u64);
}

/// One reader, as the log sees it: refreshed whenever the reader reads.
#[derive(Debug)]
pub(crate) struct ReaderSlot {
    pub(crate) id: u64,
    /// The next item it will read.
    pub(crate) pos: u64,
    /// Bytes published before `pos`, since the log began.
    pub(crate) cum: u64,
    /// Decode time of the last item it read.
    pub(crate) dts: Option<MediaTime>,
    pub(crate) skipped: u64,
    pub(crate) delivered: u64,
    /// Lossless: blocks from `pos` on stay, up to the spool bound.
    pub(crate) pins: bool,
    pub(crate) end: Option<EndReason>,
    pub(crate) info: Option<Arc<ReaderInfo>>,
    pub(crate) since: Instant,
    /// Fires when the reader is ended by somebody else.
    pub(crate) token: Option<Token>,
    /// Where it was when somebody last looked for stalled readers, and when it got there.
    pub(crate) seen: Option<(u64, Instant)>,
    /// The wake set it belongs to: 0 is woken by each publish, the others by their pace.
    pub(crate) set: u32,
    /// Its place in that set.
    pub(crate) place: Place,
}

impl ReaderSlot {
    /// A reader at `pos` that is not registered and waits for each publish.
    pub(crate) fn new(id: u64, pos: u64, now: Instant) -> Self {
        Self {
            id,
            pos,
            cum: 0,
            dts: None,
            skipped: 0,
            delivered: 0,
            pins: false,
            end: None,
            info: None,
            since: now,
            token: None,
            seen: None,
            set: 0,
            place: Place::default(),
        }
    }
}

/// Readers by slab index.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    slots: Vec<Option<ReaderSlot>>,
    free: Vec<u32>,
    /// Readers that pin.
    pub(crate) pinning: u32,
}

impl Readers {
    pub(crate) fn insert(&mut self, slot: ReaderSlot) -> u32 {
        self.pinning += u32::from(slot.pins);
        if let Some(at) = self.free.pop()
            && let Some(place) = self.slots.get_mut(at as usize)
        {
            *place = Some(slot);
            return at;
        }
        self.slots.push(Some(slot));
        (self.slots.len() - 1) as u32
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<ReaderSlot> {
        let slot = self.slots.get_mut(at as usize)?.take()?;
        self.free.push(at);
        self.pinning -= u32::from(slot.pins);
        Some(slot)
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut ReaderSlot> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ReaderSlot> {
        self.slots.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ReaderSlot> {
        self.slots.iter_mut().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The lowest position that a lossless reader still needs.
    pub(crate) fn pinned(&self) -> Option<u64> {
        if self.pinning == 0 {
            return None;
        }
        self.iter().filter(|r| r.pins).map(|r| r.pos).min()
    }

    /// Marks a reader as ended by somebody else.
    pub(crate) fn end(&mut self, id: u64, reason: EndReason) -> Option<(u32, Option<Token>)> {
        let at = self
            .slots
            .iter()
            .position(|s| s.as_ref().is_some_and(|s| s.id == id))?;
        let slot = self.slots.get_mut(at)?.as_mut()?;
        if slot.end.is_some() {
            return None;
        }
        slot.end = Some(reason);
        if slot.pins {
            slot.pins = false;
            self.pinning -= 1;
        }
        Some((at as u32, slot.token.clone()))
    }
}
