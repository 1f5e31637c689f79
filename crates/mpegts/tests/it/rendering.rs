//! The view: items that stand alone, marks, preambles; and who joins in the middle.

use std::sync::Arc;

use core_frame::bytes::BytesMut;
use core_frame::{FrameFlags, MediaKind, Render, RenderOut, RenderStep, TrackTable};
use millstream_mpegts::TsRender;

use crate::sample::{self, Media, USUAL, demux, ffmpeg};

fn rendered(media: &Media) -> Vec<RenderStep> {
    let mut render = TsRender::new();
    let mut out = RenderOut::new();
    render.tracks(&sample::table(media), &mut out);
    render.tracks(&sample::table(media), &mut out);
    for (seq, frame) in media.frames.iter().enumerate() {
        render.frame(frame, seq as u64, &mut out);
    }
    render.end(&mut out);
    assert_eq!(render.left_out(), 0);
    out.drain().collect()
}

#[test]
fn items_are_whole_packets_with_marks() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let steps = rendered(&media);
    let RenderStep::Preamble(preamble) = &steps[0] else {
        panic!("a preamble first")
    };
    assert_eq!(
        preamble.join.iter().map(|s| s.len()).sum::<usize>(),
        2 * 188
    );
    assert_eq!(steps.len(), 1 + media.frames.len());
    for (step, frame) in steps[1..].iter().zip(&media.frames) {
        let RenderStep::Item(item) = step else {
            panic!("one preamble")
        };
        assert_eq!(
            (item.track, item.dts, item.flags),
            (frame.track, frame.dts, frame.flags)
        );
        assert_eq!(item.len as usize % 188, 0);
        let bytes = &item.slices[0];
        assert_eq!(bytes[0], 0x47);
        if item.kind == MediaKind::Video && item.flags.contains(FrameFlags::KEY) {
            // Tables first, and they say that their counters jump for those who join.
            assert_eq!((bytes[1] & 0x5F, bytes[2]), (0x40, 0));
            assert_eq!(bytes[5] & 0x80, 0x80);
        }
    }
}

#[test]
fn joiners_lose_nothing_from_their_key_frame_on() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let steps = rendered(&media);
    let RenderStep::Preamble(preamble) = &steps[0] else {
        panic!("a preamble first")
    };
    let starts: Vec<usize> = (1..steps.len())
        .filter(|&n| matches!(&steps[n], RenderStep::Item(i) if i.kind == MediaKind::Video && i.flags.contains(FrameFlags::KEY)))
        .collect();
    assert_eq!(starts.len(), 2);
    for start in starts {
        let mut bytes = BytesMut::new();
        preamble
            .join
            .iter()
            .for_each(|s| bytes.extend_from_slice(s));
        for step in &steps[start..] {
            let RenderStep::Item(item) = step else {
                continue;
            };
            item.slices.iter().for_each(|s| bytes.extend_from_slice(s));
        }
        let joined = demux(&bytes);
        assert_eq!(joined.damage, []);
        let want: Vec<_> = media.frames[start - 1..]
            .iter()
            .map(|f| &f.payload)
            .collect();
        let mut got: Vec<_> = joined.frames.iter().map(|f| &f.payload).collect();
        assert_eq!(got.len(), want.len());
        got.sort();
        let mut want = want;
        want.sort();
        assert_eq!(got, want);
    }
}

#[test]
fn another_epoch_is_another_preamble() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let mut render = TsRender::new();
    let mut out = RenderOut::new();
    let mut table = TrackTable::clone(&media.table);
    render.tracks(&Arc::new(table.clone()), &mut out);
    table.epoch.id = core_frame::Epoch(1);
    render.tracks(&Arc::new(table), &mut out);
    let generations: Vec<u32> = out
        .drain()
        .filter_map(|s| match s {
            RenderStep::Preamble(p) => Some(p.generation),
            RenderStep::Item(_) => None,
        })
        .collect();
    assert_eq!(generations, [1, 2]);
}
