//! Marks cost no allocation; the allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use core_frame::Limits;
use millstream_bitstream::{Classifier, check_access_unit, classify, nal};

use crate::sample::samples;

/// The system's allocator, counting calls and bytes per thread.
pub(crate) struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain thread-local cells without
// destructors, which allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = CALLS.try_with(|c| c.set(c.get() + 1));
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Allocations of this thread while `work` runs, and the largest of them in bytes.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, u64, usize) {
    let before = CALLS.get();
    LARGEST.set(0);
    let result = work();
    (result, CALLS.get() - before, LARGEST.get())
}

#[test]
fn marks_and_checks_allocate_nothing() {
    let limits = Limits::default();
    for sample in samples() {
        for packet in &sample.packets {
            let (_, calls, _) = counted(|| {
                let flags = classify(sample.codec, &packet.data);
                (
                    flags,
                    check_access_unit(sample.codec, &packet.data, &limits),
                )
            });
            assert_eq!(calls, 0, "{}", sample.name);
        }
    }
    let sample = &samples()[0];
    let classifier = Classifier::new(sample.codec, &sample.config);
    let data = sample.packets[0].data.clone();
    let (_, calls, _) = counted(|| {
        (
            classifier.classify(&data),
            nal::to_four_byte(data.clone(), 4),
        )
    });
    assert_eq!(calls, 0);
}
