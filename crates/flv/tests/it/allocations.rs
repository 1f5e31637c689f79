//! Frames cost no allocation of their own; the allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use core_frame::{Limits, Render, RenderOut};
use millstream_flv::{Demuxer, Events, FlvRender, TagKind, body_head};

use crate::sample;

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
fn demuxing_a_frame_allocates_nothing() {
    for name in ["ffmpeg5_h264_aac", "ffmpeg9_hevc_aac", "ffmpeg9_svtav1_aac"] {
        let mut demuxer = Demuxer::new(&Limits::default());
        let mut events = Events::new();
        let tags = sample::tags(sample::named(name));
        let (configs, frames): (Vec<_>, Vec<_>) = tags.into_iter().partition(|(_, _, body)| {
            !matches!(
                body[..2],
                [0x27 | 0x17 | 0xAF, 1] | [0xA1 | 0xA3 | 0x91 | 0x93, _]
            )
        });
        for (kind, time, body) in configs {
            demuxer.push(kind, time, body, &mut events).unwrap();
            events.drain().for_each(drop);
        }
        let warm = frames.len() / 4;
        for (n, (kind, time, body)) in frames.into_iter().enumerate() {
            let (result, calls, _) = counted(|| {
                let result = demuxer.push(kind, time, body, &mut events);
                let track = events.drain().count();
                result.map(|()| track)
            });
            let events = result.unwrap();
            assert!(
                n < warm || calls == 0,
                "{name}: {calls} for frame {n} ({events} events)"
            );
        }
    }
}

#[test]
fn rendering_allocates_a_block_for_many_frames() {
    let media = sample::demux(sample::named("ffmpeg5_h264_aac"));
    let mut render = FlvRender::new();
    let mut out = RenderOut::new();
    render.tracks(&Arc::new(media.table.clone()), &mut out);
    out.drain().for_each(drop);
    let ((), calls, _) = counted(|| {
        for round in 0..100 {
            for frame in &media.frames {
                render.frame(frame, round, &mut out);
            }
            out.drain().for_each(drop);
        }
    });
    let frames = 100 * media.frames.len() as u64;
    // Blocks of 256 KiB, the room for steps, and nothing else.
    assert!(calls * 100 < frames, "{calls} for {frames} frames");
    let track = media.table.video().unwrap();
    let (head, calls, _) = counted(|| body_head(&media.frames[0], track));
    assert!(head.is_ok() && calls == 0);
}

#[test]
fn declared_lengths_reserve_nothing() {
    let limits = Limits::default();
    let mut events = Events::new();
    let mut demuxer = Demuxer::new(&limits);
    let bodies: [&'static [u8]; 4] = [
        b"\x02\0\x0aonMetaData\x08\xFF\xFF\xFF\xFF\0\x01a\x05\0\0\x09",
        b"\x02\0\x0aonMetaData\x0A\xFF\xFF\xFF\xFF\x05",
        b"\x02\0\x0aonMetaData\x0C\xFF\xFF\xFF\xFF",
        b"\x02\xFF\xFF",
    ];
    for body in bodies {
        let (_, _, largest) =
            counted(|| demuxer.push(TagKind::Script, 0, body.into(), &mut events));
        assert!(largest < 4_096, "{largest} for {body:x?}");
        events.drain().for_each(drop);
    }
    let (_, _, largest) = counted(|| {
        let mut reader = millstream_flv::FileReader::new(&limits);
        reader.push(b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\x9F\xFF\xFF\0\0\0\0\0\0\0\x17\x01");
        reader.next_event()
    });
    assert!(largest < 4_096, "{largest}");
}
