//! Views: rendered once, read by many, joined without a seam.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use core_frame::{MediaFrame, Preamble, Render, RenderOut, Slices, TrackTable, ViewItem, bytes};
use millstream_bus::{
    Pace, StreamHandle, SubscribeOptions, ViewHandle, ViewReader, ViewSpec, core_frame,
};

use crate::support::{audio, engine, number, session, video};

/// Writes each frame's number as text, and says at the start which tracks there are.
struct Numbers {
    generation: u32,
}

impl Render for Numbers {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        self.generation += 1;
        let text = format!("{} tracks;", table.tracks.len());
        out.preamble(Preamble {
            generation: self.generation,
            epoch: table.epoch.id,
            join: std::iter::once(Bytes::from(text)).collect(),
            ..Preamble::default()
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        let text = Bytes::from(format!("{} ", number(frame)));
        out.item(ViewItem::of(frame, seq, std::iter::once(text).collect()));
    }

    fn end(&mut self, out: &mut RenderOut) {
        let last = video(0, false);
        let text: Slices = std::iter::once(Bytes::from_static(b"end")).collect();
        out.item(ViewItem::of(&last, u64::MAX, text));
    }
}

static MADE: AtomicUsize = AtomicUsize::new(0);

fn open(handle: &StreamHandle, name: &str, pace: Pace) -> ViewHandle {
    let spec = ViewSpec::new(name, pace, || {
        MADE.fetch_add(1, Ordering::Relaxed);
        Box::new(Numbers { generation: 0 })
    });
    handle.view(spec).unwrap()
}

async fn text_until(reader: &mut ViewReader, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let Some(batch) = reader.next_batch().await else {
            text.push_str("<end>");
            return text;
        };
        if let Some(preamble) = batch.new_header() {
            for slice in &preamble.join {
                text.push_str(std::str::from_utf8(slice).unwrap());
            }
        }
        for (_, item) in batch.iter() {
            for slice in &item.slices {
                text.push_str(std::str::from_utf8(slice).unwrap());
            }
        }
    }
    text
}

#[tokio::test]
async fn one_rendering_serves_all_readers() {
    for pace in [Pace::EachFrame, Pace::Every(Duration::from_millis(50))] {
        let engine = engine();
        let publisher = session(&engine).await;
        for n in 0..12 {
            publisher.publish_frame(video(n, n % 5 == 0)).unwrap();
        }
        let before = MADE.load(Ordering::Relaxed);
        let view = open(publisher.handle(), "numbers", pace);
        let mut first = view.reader(SubscribeOptions::default()).unwrap();
        let text = text_until(&mut first, "11 ").await;
        assert_eq!(text, "1 tracks;10 11 ", "the kept GOP comes first");
        publisher.publish_frame(video(12, false)).unwrap();
        assert_eq!(text_until(&mut first, "12 ").await, "12 ");
        let again = open(publisher.handle(), "numbers", pace);
        let mut second = again.reader(SubscribeOptions::default()).unwrap();
        assert_eq!(text_until(&mut second, "12 ").await, "1 tracks;10 11 12 ");
        assert_eq!(MADE.load(Ordering::Relaxed) - before, 1);
        publisher.publish_frame(audio(12)).unwrap();
        publisher.finish().await.unwrap();
        for reader in [&mut first, &mut second] {
            assert_eq!(text_until(reader, "never").await, "2 tracks;12 end<end>");
        }
    }
}
