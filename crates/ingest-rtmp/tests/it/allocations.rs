//! Frames cost no allocation of their own on their way through a view; the allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use core_frame::{
    CodecId, MediaFrame, Render, RenderOut, TrackChoice, TrackId, TrackInfo, TrackTable,
};
use ingest_rtmp::RtmpRender;

/// The system's allocator, counting calls per thread.
pub(crate) struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain thread-local cell without a
// destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = CALLS.try_with(|c| c.set(c.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[test]
fn rendering_allocates_a_block_for_many_frames() {
    let track = |id, codec, config: &'static [u8]| {
        let mut track = TrackInfo::new(TrackId(id), codec);
        track.config = Bytes::from_static(config);
        track
    };
    let table = Arc::new(TrackTable::new([
        track(1, CodecId::H264, b"avcC"),
        track(2, CodecId::Aac, b"\x12\x10"),
        track(13, CodecId::Opus, b"\0\x02\0\0\0\0\xBB\x80\0\0\0"),
    ]));
    let mut layout = flv::Layout::of(TrackChoice::ALL);
    layout.multitrack = true;
    layout.nanos = true;
    for layout in [flv::Layout::default(), layout] {
        let mut render = RtmpRender::new(1, 65_536).layout(layout);
        let mut out = RenderOut::new();
        render.tracks(&table, &mut out);
        out.drain().for_each(drop);
        let picture = Bytes::from(vec![0; 2_000]);
        let sound = Bytes::from_static(b"sound");
        let mut script =
            MediaFrame::new_audio(0, Bytes::from_static(b"\x02\0\x01x"), CodecId::Script);
        script.track = TrackId::DATA;
        let before = CALLS.get();
        let rounds: u32 = 5_000;
        for n in 0..rounds {
            let ms = i64::from(n) * 20;
            let video = MediaFrame::new_video(ms, ms, picture.clone(), CodecId::H264, n % 50 == 0);
            render.frame(&video, 0, &mut out);
            render.frame(
                &MediaFrame::new_audio(ms, sound.clone(), CodecId::Aac),
                0,
                &mut out,
            );
            let mut second = MediaFrame::new_audio(ms, sound.clone(), CodecId::Opus);
            second.track = TrackId(13);
            render.frame(&second, 0, &mut out);
            render.frame(&script, 0, &mut out);
            if n % 8 == 7 {
                render.flush(&mut out);
                out.drain().for_each(drop);
            }
        }
        let calls = CALLS.get() - before;
        // A block of 256 KiB holds about 480 of these frames, and a run of them shares one count of references.
        assert!(
            calls * 16 < u64::from(rounds) * 4,
            "{calls} allocations for {rounds} rounds"
        );
    }
}
