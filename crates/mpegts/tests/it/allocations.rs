//! Frames cost no allocation of their own; the allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use core_frame::bytes::BytesMut;
use core_frame::{Limits, Render, RenderOut};
use millstream_mpegts::{Demuxer, Events, MuxOptions, Muxer, TsRender};

use crate::sample::{self, USUAL, demux, ffmpeg};

/// The system's allocator, counting calls and the largest request per thread.
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
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64, usize) {
    let before = CALLS.get();
    LARGEST.set(0);
    let result = work();
    (result, CALLS.get() - before, LARGEST.get())
}

#[test]
fn demuxing_a_warm_stream_allocates_blocks_only() {
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25";
    for (name, options) in [
        ("h264-aac", USUAL.to_owned()),
        ("h265-ac3", format!("{h265} -c:a ac3")),
    ] {
        let bytes = sample::read(&ffmpeg(name, &options));
        let mut demuxer = Demuxer::new(&Limits::default());
        let mut events = Events::new();
        let (mut frames, mut kept) = (0_u64, std::collections::VecDeque::new());
        let mut pass = |demuxer: &mut Demuxer| {
            for part in bytes.chunks(1_316) {
                demuxer.push(part, &mut events);
                for event in events.drain() {
                    if let millstream_mpegts::Event::Frame(frame) = event {
                        frames += 1;
                        // As in a log: frames live on for a while.
                        kept.push_back(frame);
                        if kept.len() > 60 {
                            kept.pop_front();
                        }
                    }
                }
            }
        };
        pass(&mut demuxer);
        let ((), calls, largest) = counted(|| (0..10).for_each(|_| pass(&mut demuxer)));
        // Blocks of 64 KiB and 1 MiB, and a notice at each seam of the passes.
        assert!(frames > 1_000, "{frames}");
        assert!(calls * 20 < frames, "{name}: {calls} for {frames} frames");
        assert!(largest <= 1024 * 1024 + 4_096, "{largest}");
    }
}

#[test]
fn muxing_a_warm_stream_allocates_nothing() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let mut muxer = Muxer::new(MuxOptions::default());
    muxer.tracks(&media.table);
    let mut out = BytesMut::with_capacity(1024 * 1024);
    let mut pass = || {
        for frame in &media.frames {
            out.clear();
            muxer.frame(frame, &mut out).unwrap();
        }
    };
    pass();
    let ((), calls, _) = counted(|| (0..5).for_each(|_| pass()));
    assert_eq!(calls, 0, "for {} frames", 5 * media.frames.len());
}

#[test]
fn rendering_allocates_a_block_for_many_frames() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let mut render = TsRender::new();
    let mut out = RenderOut::new();
    render.tracks(&sample::table(&media), &mut out);
    let mut pass = || {
        for frame in &media.frames {
            render.frame(frame, 0, &mut out);
        }
        out.drain().for_each(drop);
    };
    pass();
    let ((), calls, _) = counted(|| (0..20).for_each(|_| pass()));
    let frames = 20 * media.frames.len() as u64;
    assert!(calls * 20 < frames, "{calls} for {frames} frames");
}

#[test]
fn declared_lengths_reserve_nothing() {
    let mut demuxer = Demuxer::new(&Limits::default());
    let mut events = Events::new();
    let mut packet = [0xFF; 188];
    packet[..10].copy_from_slice(&[0x47, 0x40, 0, 0x10, 0, 0, 0xBF, 0xFF, 0, 1]);
    let ((), _, largest) = counted(|| {
        for n in 0..10 {
            packet[3] = 0x10 | n;
            demuxer.push(&packet, &mut events);
        }
        demuxer.finish(&mut events);
    });
    assert!(largest < 16 * 1024, "{largest}");
}
