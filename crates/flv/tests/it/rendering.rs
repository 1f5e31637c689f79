//! The HTTP-FLV view: what joiners and running readers get, and how it lies in memory.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use core_frame::{
    Epoch, Limits, MediaTime, Preamble, Render, RenderOut, RenderStep, TrackChoice, TrackTable,
    ViewItem,
};
use millstream_flv::{FileEvent, FileReader, FlvRender, Layout, TagKind};

use crate::sample::{self, ALL};

fn split(out: &mut RenderOut) -> (Vec<Arc<Preamble>>, Vec<ViewItem>) {
    let (mut preambles, mut items) = (Vec::new(), Vec::new());
    for step in out.drain() {
        match step {
            RenderStep::Preamble(p) => preambles.push(p),
            RenderStep::Item(item) => items.push(item),
        }
    }
    (preambles, items)
}

fn join(parts: impl IntoIterator<Item = Bytes>) -> Bytes {
    let mut all = BytesMut::new();
    for part in parts {
        all.extend_from_slice(&part);
    }
    all.freeze()
}

#[test]
fn preamble_and_items_are_a_file() {
    for (name, bytes) in ALL {
        let media = sample::demux(bytes);
        let mut render = FlvRender::new();
        let mut out = RenderOut::new();
        render.tracks(&Arc::new(media.table.clone()), &mut out);
        for (seq, frame) in media.frames.iter().enumerate() {
            render.frame(frame, seq as u64, &mut out);
        }
        render.end(&mut out);
        let (preambles, items) = split(&mut out);
        assert_eq!((preambles.len(), render.left_out()), (1, 0), "{name}");
        let joined = preambles[0].join.iter().cloned();
        let file = join(joined.chain(items.iter().flat_map(|i| i.slices.iter().cloned())));
        let back = sample::demux(&file);
        assert_eq!(back.errors, []);
        let first = |kind| media.table.primary(kind).map(|t| t.id);
        let want: Vec<_> = media
            .frames
            .iter()
            .filter(|f| first(f.kind()) == Some(f.track))
            .map(|f| &f.payload)
            .collect();
        let got: Vec<_> = back.frames.iter().map(|f| &f.payload).collect();
        assert_eq!(got, want, "{name}");
        for (item, payload) in items.iter().zip(want) {
            assert_eq!(item.len as usize, item.slices[0].len());
            assert!(item.slices[0].len() > payload.len());
        }
    }
}

#[test]
fn successive_tags_lie_adjacent() {
    let media = sample::demux(sample::named("ffmpeg5_h264_aac"));
    let mut render = FlvRender::new();
    let mut out = RenderOut::new();
    render.tracks(&Arc::new(media.table.clone()), &mut out);
    for (seq, frame) in media.frames.iter().enumerate() {
        render.frame(frame, seq as u64, &mut out);
    }
    let (_, items) = split(&mut out);
    assert!(
        items
            .windows(2)
            .all(|w| { w[0].slices[0].as_ptr_range().end == w[1].slices[0].as_ptr_range().start })
    );
}

#[test]
fn a_preamble_is_made_when_something_changes() {
    let media = sample::demux(sample::named("ffmpeg9_multitrack"));
    let mut render = FlvRender::new();
    let mut out = RenderOut::new();
    let mut table: TrackTable = media.table.clone();
    render.tracks(&Arc::new(table.clone()), &mut out);
    table.generation += 1;
    render.tracks(&Arc::new(table.clone()), &mut out);
    let (preambles, _) = split(&mut out);
    assert_eq!(preambles.len(), 1, "an equal table says nothing new");
    table.epoch.id = Epoch(1);
    render.tracks(&Arc::new(table.clone()), &mut out);
    let (preambles, _) = split(&mut out);
    assert_eq!(preambles[0].epoch, Epoch(1));
    assert_eq!(preambles[0].generation, 2);
    assert!(preambles[0].join[0].starts_with(b"FLV\x01\x05"));
    assert_eq!(preambles[0].join[1..], preambles[0].update[..]);
}

#[test]
fn picks_other_tracks() {
    let media = sample::demux(sample::named("ffmpeg9_multitrack"));
    let second = media.table.tracks.iter().find(|t| t.id.0 == 12).unwrap();
    let choice = TrackChoice::from_query("video=2&audio=none").unwrap();
    let mut render = FlvRender::with_layout(Layout::of(choice));
    let mut out = RenderOut::new();
    render.tracks(&Arc::new(media.table.clone()), &mut out);
    for (seq, frame) in media.frames.iter().enumerate() {
        render.frame(frame, seq as u64, &mut out);
    }
    let (preambles, items) = split(&mut out);
    assert!(preambles[0].join[0].starts_with(b"FLV\x01\x01"));
    assert!(!items.is_empty() && items.iter().all(|i| i.track == second.id));
}

#[test]
fn metadata_is_of_no_time() {
    // A stream that begins at 2 s: what stands in front of the media is of that time, metadata is not.
    let (_, bytes) = ALL[0];
    let mut table = sample::demux(bytes).table;
    table.epoch.origin = MediaTime::from_secs(2);
    let mut out = RenderOut::new();
    FlvRender::new().tracks(&table.into(), &mut out);
    let Some(RenderStep::Preamble(preamble)) = out.drain().next() else {
        panic!("no preamble");
    };
    let mut reader = FileReader::new(&Limits::default());
    preamble.join.iter().for_each(|slice| reader.push(slice));
    let mut times = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let FileEvent::Tag {
            kind, timestamp_ms, ..
        } = event
        {
            times.push((kind, timestamp_ms));
        }
    }
    assert_eq!(
        times,
        [
            (TagKind::Script, 0),
            (TagKind::Video, 2_000),
            (TagKind::Audio, 2_000),
        ]
    );
}
