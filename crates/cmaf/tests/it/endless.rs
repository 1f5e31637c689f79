//! The endless MP4 of both tracks, one chunk a frame, as a player gets it.

use std::sync::Arc;

use core_frame::{Render, RenderOut, RenderStep, TrackTable};
use millstream_cmaf::Fmp4Render;

use crate::rewrite::read;
use crate::sample::{AUDIO, VIDEO, alike, decoded, file, make, probe_packets};

#[test]
fn ffmpeg_plays_the_view() {
    for (name, video, audio) in [
        ("h264-b+aac", VIDEO[1].1, AUDIO[0].1),
        ("h265-b+opus", VIDEO[2].1, AUDIO[2].1),
        ("av1+aac", VIDEO[3].1, AUDIO[0].1),
    ] {
        let flags = "+frag_keyframe+delay_moov+default_base_moof";
        let Some(bytes) = make(name, Some(video), Some(audio), flags) else {
            continue;
        };
        let (movie, frames) = read(&bytes, 65_536);
        let mut table = TrackTable::new(movie.tracks.iter().filter_map(|t| t.info.clone()));
        table.epoch.origin = frames[0].dts;
        let table = Arc::new(table);
        let mut render = Fmp4Render::new();
        let mut out = RenderOut::new();
        render.tracks(&table, &mut out);
        for (seq, frame) in frames.iter().enumerate() {
            // What the wire does not tell is estimated.
            let mut frame = frame.clone();
            frame.duration = core_frame::MediaTime::ZERO;
            render.frame(&frame, seq as u64, &mut out);
        }
        let mut ours = Vec::new();
        let mut items = 0;
        for step in out.drain() {
            match step {
                RenderStep::Preamble(p) => ours.extend(p.join.iter().flat_map(|s| s.to_vec())),
                RenderStep::Item(i) => {
                    items += 1;
                    ours.extend(i.slices.iter().flat_map(|s| s.to_vec()));
                }
            }
        }
        assert_eq!(items, frames.len());
        let (path, theirs) = (
            file(&format!("{name}-view.mp4"), &ours),
            file(&format!("{name}-source.mp4"), &bytes),
        );
        let (a, b) = (probe_packets(&path), probe_packets(&theirs));
        assert_eq!(a.len(), b.len(), "{name}");
        let shift = a[0].1 - b[0].1;
        for (x, y) in a.iter().zip(&b) {
            assert!((x.1 - y.1 - shift).abs() <= 23, "{name}: {x:?} {y:?}");
        }
        alike(name, &decoded(&path), &decoded(&theirs));
    }
}
