//! The mutex, the atomics and the write-once slot of the log; loom's under `cfg(loom)`.

#[cfg(not(loom))]
mod real {
    use std::sync::OnceLock;

    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

    /// A slot that is written once and then read by many; emptied only by its sole owner.
    #[derive(Debug)]
    pub(crate) struct Slot<T>(OnceLock<T>);

    impl<T> Slot<T> {
        pub(crate) const fn new() -> Self {
            Self(OnceLock::new())
        }

        /// Writes the slot; a slot that is written already keeps what it has.
        pub(crate) fn set(&self, value: T) {
            let _ = self.0.set(value);
        }

        #[inline]
        pub(crate) fn get(&self) -> Option<&T> {
            self.0.get()
        }

        pub(crate) fn clear(&mut self) {
            self.0.take();
        }
    }
}

#[cfg(loom)]
mod real {
    use std::sync::OnceLock;

    use loom::sync::atomic::AtomicBool;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

    /// Loom's mutex with the signature of parking_lot's.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);
    pub(crate) type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            match self.0.lock() {
                Ok(guard) => guard,
                Err(poisoned) => poisoned.into_inner(),
            }
        }
    }

    /// The slot, with a flag that loom can reorder: a reader that looks too early sees an empty slot.
    #[derive(Debug)]
    pub(crate) struct Slot<T> {
        full: AtomicBool,
        value: OnceLock<T>,
    }

    impl<T> Slot<T> {
        pub(crate) fn new() -> Self {
            Self {
                full: AtomicBool::new(false),
                value: OnceLock::new(),
            }
        }

        pub(crate) fn set(&self, value: T) {
            let _ = self.value.set(value);
            self.full.store(true, Ordering::Release);
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.full.load(Ordering::Acquire) {
                self.value.get()
            } else {
                None
            }
        }

        pub(crate) fn clear(&mut self) {
            self.full = AtomicBool::new(false);
            self.value.take();
        }
    }
}

pub(crate) use real::{AtomicU64, Mutex, MutexGuard, Ordering, Slot};
