//! Endless fragmented MP4 as a view of a stream: `/live/cam.mp4` over HTTP and WebSocket.

use std::sync::Arc;

use core_frame::{
    Epoch, MediaFrame, MediaKind, MediaTime, Preamble, Render, RenderOut, Slices, TrackId,
    TrackInfo, TrackTable, ViewItem,
};

use crate::{ChunkWriter, InitSegment, TrackWriter, needs_new_init};

/// Renders the first video and the first audio track that MP4 can carry into one endless fragmented MP4, one chunk a
/// frame.
///
/// * [`Preamble::join`] is the init segment of both tracks; [`Preamble::text`] is
///   `{"codecs":"avc1.64001f,mp4a.40.2","epoch":0,"wall_ms":1795241524000}`, where `wall_ms` is the wall-clock time (Unix
///   milliseconds) of media time zero of the file, so a player knows its latency: *now* − (`wall_ms` + playback position).
/// * A frame leaves at once, not when the next one is known: its duration in the chunk is what the sender told, or else the
///   distance of the two frames before. The `tfdt` of every chunk is exact, so a wrong estimate (the frame before a
///   change of rate) never moves what follows.
/// * A new epoch or codec configuration is a new preamble, whose update is the new init segment.
#[derive(Debug, Default)]
pub struct Fmp4Render {
    tracks: Vec<Track>,
    /// Media time of tick 0; the same for the life of the view unless time goes back behind it.
    zero: MediaTime,
    epoch: Option<Epoch>,
    generation: u32,
    sequence: u32,
}

#[derive(Debug)]
struct Track {
    id: TrackId,
    info: TrackInfo,
    writer: TrackWriter,
    chunks: ChunkWriter,
}

impl Fmp4Render {
    /// A renderer that waits for its tracks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Render for Fmp4Render {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        let chosen: Vec<&TrackInfo> = [MediaKind::Video, MediaKind::Audio]
            .into_iter()
            .filter_map(|kind| {
                table
                    .tracks
                    .iter()
                    .map(Arc::as_ref)
                    .filter(|t| t.kind() == kind && t.is_ready())
                    .find(|t| InitSegment::build(&[t]).is_ok())
            })
            .collect();
        let Ok(init) = InitSegment::build(&chosen) else {
            self.tracks.clear();
            return;
        };
        let same = self.tracks.len() == chosen.len()
            && self
                .tracks
                .iter()
                .zip(&chosen)
                .all(|(old, new)| !needs_new_init(&old.info, new));
        if same && self.epoch == Some(table.epoch.id) {
            return;
        }
        if table.epoch.origin < self.zero {
            // Another track may begin a little before the first frame of all.
            self.zero = table.epoch.origin - MediaTime::from_secs(1);
        }
        self.tracks = chosen
            .iter()
            .zip(&init.tracks)
            .map(|(info, track)| Track {
                id: info.id,
                info: TrackInfo::clone(info),
                writer: TrackWriter::new(info, track, self.zero),
                chunks: ChunkWriter::new(track),
            })
            .collect();
        // The clock rounds its zero down to a whole second.
        if let Some(track) = self.tracks.first() {
            self.zero = track.writer.clock().zero();
        }
        self.epoch = Some(table.epoch.id);
        self.generation = self.generation.wrapping_add(1);
        let mut join = Slices::new();
        join.push(init.bytes);
        let text = format!(
            r#"{{"codecs":"{}","epoch":{},"wall_ms":{}}}"#,
            init.codecs,
            table.epoch.id,
            table.epoch.wall_at(self.zero).unix_millis()
        );
        out.preamble(Preamble {
            generation: self.generation,
            epoch: table.epoch.id,
            update: join.clone(),
            join,
            text: Some(text.into()),
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        let Some(track) = self.tracks.iter_mut().find(|t| t.id == frame.track) else {
            return;
        };
        let sample = track.writer.push_now(frame);
        track.chunks.set_sequence(self.sequence);
        let chunk = track.chunks.chunk_of_one(sample);
        self.sequence = self.sequence.wrapping_add(1);
        out.item(ViewItem::of(frame, seq, chunk.slices));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use core_frame::{AudioInfo, CodecId, EpochInfo, RenderStep, WallTime};

    fn table(epoch: u32, origin_ms: i64) -> Arc<TrackTable> {
        let mut video = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
        video.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
        video.codec_string = Some("avc1.64001f".into());
        let mut audio = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
        audio.config = Bytes::from_static(&[0x12, 0x10]);
        audio.codec_string = Some("mp4a.40.2".into());
        audio.audio = Some(AudioInfo {
            sample_rate: 44_100,
            channels: 2,
            frame_samples: 1_024,
        });
        let mut table = TrackTable::new([video, audio]);
        table.epoch = EpochInfo {
            id: Epoch(epoch),
            origin: MediaTime::from_millis(origin_ms),
            wall: WallTime::new(1_000, 0),
        };
        Arc::new(table)
    }

    fn steps(out: &mut RenderOut) -> (Vec<Arc<Preamble>>, Vec<ViewItem>) {
        let (mut p, mut i) = (Vec::new(), Vec::new());
        for step in out.drain() {
            match step {
                RenderStep::Preamble(x) => p.push(x),
                RenderStep::Item(x) => i.push(x),
            }
        }
        (p, i)
    }

    #[test]
    fn a_frame_is_a_chunk_at_once() {
        let mut render = Fmp4Render::new();
        let mut out = RenderOut::new();
        render.tracks(&table(0, 500), &mut out);
        let payload = Bytes::from_static(b"\0\0\0\x01\x65");
        let frame = MediaFrame::new_video(540, 500, payload.clone(), CodecId::H264, true);
        render.frame(&frame, 7, &mut out);
        let (preambles, items) = steps(&mut out);
        assert_eq!(
            preambles[0].text.as_deref(),
            Some(r#"{"codecs":"avc1.64001f,mp4a.40.2","epoch":0,"wall_ms":999500}"#)
        );
        assert_eq!(preambles[0].join.len(), 1);
        assert_eq!(items[0].seq, 7);
        assert_eq!(items[0].slices[1].as_ptr(), payload.as_ptr());
        assert_eq!(items[0].len as usize, 112 + 5);
    }

    #[test]
    fn only_an_epoch_or_a_configuration_makes_a_new_preamble() {
        let mut render = Fmp4Render::new();
        let mut out = RenderOut::new();
        render.tracks(&table(0, 0), &mut out);
        render.tracks(&table(0, 0), &mut out);
        assert_eq!(steps(&mut out).0.len(), 1);
        render.tracks(&table(1, 90_000), &mut out);
        let (preambles, _) = steps(&mut out);
        assert_eq!(preambles.len(), 1);
        assert_eq!(preambles[0].epoch, Epoch(1));
        assert_eq!(preambles[0].update, preambles[0].join);
        // Before 90 s of media time, which lie at 1000 s: zero is at 910 s.
        assert!(
            preambles[0]
                .text
                .as_deref()
                .is_some_and(|t| t.contains("910000"))
        );
    }

    #[test]
    fn nothing_to_carry_is_no_preamble() {
        let mut render = Fmp4Render::new();
        let mut out = RenderOut::new();
        let table = Arc::new(TrackTable::new([TrackInfo::new(
            TrackId::AUDIO,
            CodecId::Pcma,
        )]));
        render.tracks(&table, &mut out);
        render.frame(
            &MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Pcma),
            0,
            &mut out,
        );
        assert!(out.steps().is_empty());
    }
}
