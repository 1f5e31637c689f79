//! What the engine and its streams share: the streams by key, and where events are told.

use std::collections::HashMap;
use std::sync::Arc;

use core_frame::StreamKey;
use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::stream::{Stream, Tell};
use crate::{EventBus, Observer, StreamEvent};

/// Shared by the engine and its streams. No event is told while the map is locked.
pub(crate) struct Hub {
    pub(crate) bus: EventBus,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) streams: RwLock<HashMap<StreamKey, Arc<Stream>>>,
    /// Woken whenever a reader leaves; the engine's shutdown waits on it.
    pub(crate) left: Notify,
}

impl Hub {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            bus: EventBus::new(),
            observer,
            streams: RwLock::default(),
            left: Notify::new(),
        }
    }

    pub(crate) fn tell(&self, event: StreamEvent) {
        if let Some(observer) = &self.observer {
            observer.event(&event);
        }
        self.bus.emit(event);
    }

    pub(crate) fn tell_all(&self, events: Tell) {
        for event in events {
            self.tell(event);
        }
    }

    /// Takes a stream that has ended off the map; another stream of the same key stays.
    pub(crate) fn forget(&self, stream: &Arc<Stream>) {
        let mut streams = self.streams.write();
        if streams
            .get(&stream.key)
            .is_some_and(|s| Arc::ptr_eq(s, stream))
        {
            streams.remove(&stream.key);
        }
    }
}
