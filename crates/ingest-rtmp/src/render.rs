//! The RTMP view of a stream: frames as chunked messages, ready to be written to any player.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use core_frame::{Epoch, MediaFrame, Preamble, Render, RenderOut, Slices, TrackTable, ViewItem};
use flv::{Layout, Plan, TagKind};
use smallvec::smallvec;

use crate::wire::chunk::put_message;
use crate::wire::message::MessageType;

/// Chunk stream of audio.
pub const AUDIO: u32 = 4;
/// Chunk stream of metadata and other script messages.
pub const DATA: u32 = 5;
/// Chunk stream of video.
pub const VIDEO: u32 = 6;

/// Bytes of a run of messages; one is made whenever the last is full.
const BLOCK: usize = 256 * 1024;
/// Longest tag head and message header together.
const HEADS: usize = 18 + flv::Head::MAX;

/// Renders a stream as RTMP messages: one item a frame, each a whole message with a type 0 header and absolute time, so
/// that a player may begin with any of them and skip any.
///
/// Which tracks, and in which form, its [`Layout`] says. Script messages of the publisher go out as data messages, in
/// order with the media.
///
/// Joiners get `onMetaData` and the codec configurations; players that are under way get them again when they change,
/// and all of them in a new epoch. Times are the stream's own, in milliseconds of 32 bits.
///
/// The messages of the frames that are rendered together lie one behind the other in memory ([`ViewItem::run`]), so that
/// all a player has to write is usually one piece. That costs one copy of the media for each stream, whatever the number
/// of players.
#[derive(Debug)]
pub struct RtmpRender {
    message_stream: u32,
    chunk_size: u32,
    layout: Layout,
    plan: Plan,
    headers: Option<(Epoch, Vec<(TagKind, Bytes)>)>,
    generation: u32,
    block: BytesMut,
    /// Items whose bytes are in the block, each with the place where they end.
    pending: Vec<(ViewItem, usize)>,
    left_out: u64,
}

/// What names a view of such bytes: all that they depend on. Players and remote servers with the same name can share
/// one.
#[must_use]
pub fn view_name(layout: &Layout, message_stream: u32, chunk_size: u32) -> String {
    format!("rtmp/{message_stream}/{chunk_size}/{layout}")
}

impl RtmpRender {
    /// A view for players that play on message stream `message_stream` (nearly always 1) and were told `chunk_size`, of
    /// the first video and the first audio track.
    #[must_use]
    pub fn new(message_stream: u32, chunk_size: u32) -> Self {
        Self {
            message_stream,
            chunk_size: chunk_size.max(1),
            layout: Layout::default(),
            plan: Plan::default(),
            headers: None,
            generation: 0,
            block: BytesMut::new(),
            pending: Vec::new(),
            left_out: 0,
        }
    }

    /// The same view of other tracks, or in other codec forms.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Frames that RTMP cannot carry and that were left out.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn message(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) -> flv::Result<()> {
        let Some(body) = self.plan.body(frame)? else {
            return Ok(());
        };
        let (chunk_stream, kind) = carrier(body.kind);
        let chunks = 1 + body.payload.len() / self.chunk_size as usize;
        let need = HEADS
            .saturating_add(body.payload.len())
            .saturating_add(chunks.saturating_mul(8));
        if self.block.capacity().saturating_sub(self.block.len()) < need {
            self.emit(out);
            self.block = BytesMut::with_capacity(need.max(BLOCK));
        }
        // The one copy of the media in this view: see the type's documentation.
        put_message(
            chunk_stream,
            kind,
            self.message_stream,
            body.timestamp_ms,
            self.chunk_size,
            &[body.head.as_ref(), &body.payload],
            &mut self.block,
        );
        let item = ViewItem::of(frame, seq, Slices::new());
        self.pending.push((item, self.block.len()));
        Ok(())
    }

    fn header_messages<'a>(
        &self,
        time: u32,
        headers: impl IntoIterator<Item = &'a (TagKind, Bytes)>,
    ) -> Bytes {
        let mut bytes = BytesMut::new();
        for (kind, body) in headers {
            // Metadata is of no time: FFmpeg takes `onMetaData` at any time but 0 for a packet of a subtitle track.
            let time = if *kind == TagKind::Script { 0 } else { time };
            let (chunk_stream, kind) = carrier(*kind);
            let (stream, size) = (self.message_stream, self.chunk_size);
            put_message(chunk_stream, kind, stream, time, size, &[body], &mut bytes);
        }
        bytes.freeze()
    }

    /// Lets out what is pending, as one run of memory.
    fn emit(&mut self, out: &mut RenderOut) {
        if self.pending.is_empty() {
            return;
        }
        let run = self.block.split().freeze();
        let mut start = 0;
        for (mut item, end) in self.pending.drain(..) {
            item.slices.push(run.slice(start..end));
            item.len = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
            item.run = run.slice(start..);
            out.item(item);
            start = end;
        }
    }
}

/// Chunk stream and message type of a body.
pub(crate) const fn carrier(kind: TagKind) -> (u32, MessageType) {
    match kind {
        TagKind::Audio => (AUDIO, MessageType::Audio),
        TagKind::Script => (DATA, MessageType::Data),
        TagKind::Video => (VIDEO, MessageType::Video),
    }
}

impl Render for RtmpRender {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        self.emit(out);
        self.plan = self.layout.plan(table);
        let headers = self.plan.headers();
        let epoch = table.epoch.id;
        let before = match &self.headers {
            Some((was, before)) if *was == epoch => before.as_slice(),
            _ => &[],
        };
        if headers == before {
            return;
        }
        let changed = headers.iter().filter(|header| !before.contains(header));
        let time = flv::timestamp_ms(table.epoch.origin);
        let update = self.header_messages(time, changed);
        let join = if before.is_empty() {
            update.clone()
        } else {
            self.header_messages(time, &headers)
        };
        self.headers = Some((epoch, headers));
        self.generation = self.generation.wrapping_add(1);
        out.preamble(Preamble {
            generation: self.generation,
            epoch,
            join: smallvec![join],
            update: smallvec![update],
            text: None,
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        if self.message(frame, seq, out).is_err() {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    fn flush(&mut self, out: &mut RenderOut) {
        self.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enhanced::{self, Enhanced};
    use crate::media::{Ingest, Media};
    use crate::wire::chunk::{ChunkLimits, ChunkReader};
    use crate::wire::message::Message;
    use core_frame::{CodecId, Limits, RenderStep, TrackId, TrackInfo};
    use std::time::Instant;

    fn read(bytes: &[u8], chunk_size: u32) -> Vec<Message> {
        let mut reader = ChunkReader::new(ChunkLimits::publishing(&Limits::default()), 0);
        let mut announce = BytesMut::new();
        let size = chunk_size.to_be_bytes();
        put_message(
            2,
            MessageType::SetChunkSize,
            0,
            0,
            128,
            &[&size],
            &mut announce,
        );
        reader.read(&mut &announce[..]).unwrap();
        let (mut input, mut out) = (bytes, Vec::new());
        while let Some(message) = reader.read(&mut input).unwrap() {
            out.push(message);
        }
        out
    }

    fn table() -> Arc<TrackTable> {
        let mut video = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
        video.config = Bytes::from_static(b"avcC");
        let mut audio = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
        audio.config = Bytes::from_static(b"\x12\x10");
        Arc::new(TrackTable::new([audio, video]))
    }

    #[test]
    fn payloads_come_out_as_they_went_in_and_adjacent() {
        for chunk_size in [128, 65_536] {
            let mut render = RtmpRender::new(1, chunk_size);
            let mut out = RenderOut::new();
            render.tracks(&table(), &mut out);
            let video: Bytes = (0..100_000_u32).map(|i| i as u8).collect();
            render.frame(
                &MediaFrame::new_video(80, 40, video.clone(), CodecId::H264, true),
                0,
                &mut out,
            );
            let audio = Bytes::from_static(b"aac");
            render.frame(&MediaFrame::new_audio(41, audio, CodecId::Aac), 1, &mut out);
            assert_eq!(out.steps().len(), 1, "items come out together");
            render.flush(&mut out);
            let steps: Vec<_> = out.drain().collect();
            let [
                RenderStep::Preamble(preamble),
                RenderStep::Item(a),
                RenderStep::Item(b),
            ] = &steps[..]
            else {
                panic!("{steps:?}");
            };
            assert_eq!(a.slices[0].as_ptr_range().end, b.slices[0].as_ptr());
            assert_eq!(a.run, [&a.slices[0][..], &b.slices[0]].concat());
            assert_eq!(b.run, b.slices[0]);
            assert_eq!(a.len as usize, a.slices[0].len());
            let messages = read(&preamble.join[0], chunk_size);
            let kinds: Vec<_> = messages.iter().map(|m| m.kind).collect();
            assert_eq!(
                kinds,
                [MessageType::Data, MessageType::Video, MessageType::Audio]
            );
            assert_eq!(messages[1].body, b"\x17\0\0\0\0avcC"[..]);
            assert_eq!(messages[2].body, b"\xAF\0\x12\x10"[..]);
            let messages = read(&a.slices[0], chunk_size);
            assert_eq!((messages[0].timestamp, messages[0].stream), (40, 1));
            assert_eq!(messages[0].body[..5], *b"\x17\x01\0\0\x28");
            assert_eq!(messages[0].body[5..], video);
            let messages = read(&b.slices[0], chunk_size);
            assert_eq!(
                (messages[0].timestamp, &messages[0].body[..]),
                (41, &b"\xAF\x01aac"[..])
            );
        }
    }

    #[test]
    fn the_same_tracks_say_nothing_twice() {
        let mut render = RtmpRender::new(1, 65_536);
        let mut out = RenderOut::new();
        render.tracks(&table(), &mut out);
        render.tracks(&table(), &mut out);
        assert_eq!(out.steps().len(), 1);
        let mut changed = (*table()).clone();
        changed.epoch.id = Epoch(1);
        render.tracks(&Arc::new(changed), &mut out);
        assert_eq!(out.steps().len(), 2);
    }

    #[test]
    fn a_change_tells_running_players_only_what_changed() {
        let mut render = RtmpRender::new(1, 65_536);
        let mut out = RenderOut::new();
        render.tracks(&table(), &mut out);
        let mut tagged = (*table()).clone();
        let mut tags = core_frame::Tags::default();
        assert!(tags.set("title", core_frame::TagValue::Text("News".to_owned())));
        tagged.tags = Arc::new(tags);
        render.tracks(&Arc::new(tagged.clone()), &mut out);
        tagged.epoch.id = Epoch(1);
        render.tracks(&Arc::new(tagged), &mut out);
        let kinds = |slices: &Slices| -> Vec<u8> {
            let messages = read(&slices[0], 65_536);
            messages.iter().map(|m| m.kind.into()).collect()
        };
        let told: Vec<_> = out
            .drain()
            .map(|step| match step {
                RenderStep::Preamble(p) => (kinds(&p.join), kinds(&p.update)),
                RenderStep::Item(item) => panic!("{item:?}"),
            })
            .collect();
        let all = vec![18, 9, 8];
        assert_eq!(
            told,
            [
                (all.clone(), all.clone()),
                (all.clone(), vec![18]),
                (all.clone(), all)
            ]
        );
    }

    #[test]
    fn multitrack_and_scripts_come_back_as_they_were() {
        let track = |id, codec, config: &'static [u8]| {
            let mut track = TrackInfo::new(TrackId(id), codec);
            track.config = Bytes::from_static(config);
            track
        };
        let opus = b"\0\x02\0\0\0\0\xBB\x80\0\0\0";
        let table = Arc::new(TrackTable::new([
            track(2, CodecId::Aac, b"\x12\x10"),
            track(13, CodecId::Opus, opus),
            track(15, CodecId::Aac, b"\x11\x90"),
        ]));
        let choose = |query: &str, caps: Option<u32>| {
            let said = caps.map(|caps| flv::amf0::Value::object([("capsEx", caps)]));
            let said = said.as_ref().and_then(Enhanced::parse);
            enhanced::layout(query, said.as_ref()).unwrap()
        };
        for (layout, want) in [
            (choose("", None), &[2, 3][..]),
            (choose("audio=2", None), &[2, 3]),
            (choose("audio=all", None), &[2, 13, 15, 3]),
            (choose("", Some(enhanced::MULTITRACK)), &[2, 13, 15, 3]),
            (choose("audio=none", Some(15)), &[3]),
        ] {
            let mut render = RtmpRender::new(1, 65_536).layout(layout.clone());
            let mut out = RenderOut::new();
            render.tracks(&table, &mut out);
            for track in &table.tracks {
                let mut frame = MediaFrame::new_audio(40, Bytes::from_static(b"unit"), track.codec);
                frame.track = track.id;
                render.frame(&frame, 0, &mut out);
            }
            let cue = flv::amf0::write(&["onCuePoint".into(), "ad".into()]);
            let mut script = MediaFrame::new_audio(40, cue, CodecId::Script);
            script.track = TrackId::DATA;
            render.frame(&script, 0, &mut out);
            render.flush(&mut out);
            let mut ingest = Ingest::new(&Limits::default());
            let mut tracks = Vec::new();
            for step in out.drain() {
                let slices = match step {
                    RenderStep::Preamble(p) => p.join.clone(),
                    RenderStep::Item(item) => item.slices,
                };
                for message in slices.iter().flat_map(|s| read(s, 65_536)) {
                    let mut take = |media| match media {
                        Media::Frame(f) => tracks.push((f.track.0, f.dts.as_millis())),
                        Media::Damaged(why) => panic!("{why}"),
                        _ => {}
                    };
                    ingest.message(Instant::now(), &message, &mut take).unwrap();
                }
            }
            let want: Vec<_> = want.iter().map(|id| (*id, 40)).collect();
            assert_eq!(tracks, want, "{layout}");
        }
    }

    #[test]
    fn tracks_that_rtmp_does_not_carry_are_left_out() {
        let mut render = RtmpRender::new(1, 65_536);
        let mut out = RenderOut::new();
        render.frame(
            &MediaFrame::new_audio(0, Bytes::new(), CodecId::Aac),
            0,
            &mut out,
        );
        assert!(out.steps().is_empty());
        let odd = TrackInfo::new(TrackId::VIDEO, CodecId::Mjpeg);
        render.tracks(&Arc::new(TrackTable::new([odd])), &mut out);
        let frame = MediaFrame::new_video(0, 0, Bytes::from_static(b"x"), CodecId::Mjpeg, true);
        render.frame(&frame, 1, &mut out);
        assert_eq!(render.left_out(), 1);
    }
}
