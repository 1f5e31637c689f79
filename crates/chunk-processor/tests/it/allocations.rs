//! A frame costs no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

use core_frame::bytes::Bytes;
use core_frame::{FilterOut, FrameFilter, MediaFrame};
use millstream_chunk_processor::{
    ChunkProcessorConfig, ChunkSequencer, ChunkType, MediaChunk, Timeline,
};

use crate::sim::{audio, exact, ms, rtmp, table, video};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_frame_costs_no_allocation_not_even_a_broken_one() {
    let mut timeline = Timeline::default();
    timeline.tracks(&table(Some((30, 1)), 44_100));
    let (mut out, now) = (FilterOut::new(), Instant::now());
    let mut put = |frame: MediaFrame| {
        timeline.frame(now, frame, &mut out);
        assert!(out.drain().count() > 0);
    };
    put(video(ms(0), ms(0)));
    put(audio(ms(0)));
    let before = COUNT.with(Cell::get);
    for n in 1..10_000 {
        let jump = if n % 1_000 == 0 { ms(1_000_000) } else { ms(0) };
        let t = rtmp(exact(n, 1, 30)) + jump;
        put(video(t, t));
        put(audio(rtmp(exact(n, 1_024, 44_100))));
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0);
}

#[test]
fn a_chunk_costs_no_allocation_in_order_or_not() {
    let mut order = ChunkSequencer::new(ChunkProcessorConfig::default());
    let (now, mut out) = (Instant::now(), Vec::with_capacity(64));
    let name: std::sync::Arc<str> = "cam".into();
    let data = Bytes::from_static(b"media");
    let mut before = 0;
    for n in 0..20_000_u64 {
        if n == 100 {
            before = COUNT.with(Cell::get);
        }
        // Each twentieth comes after the four behind it.
        let number = match n % 20 {
            5..9 => n + 1,
            9 => n - 4,
            _ => n,
        };
        let chunk = MediaChunk::new(
            std::sync::Arc::clone(&name),
            number,
            ChunkType::Audio,
            data.clone(),
        );
        order.push(now, chunk.with_crc32(), &mut out).unwrap();
        out.clear();
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0);
    let stats = order.stats();
    assert_eq!(
        (stats.chunks_processed, stats.chunks_reordered),
        (20_000, 1_000)
    );
}
