//! Transport streams, and the engine that frames are published into.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bus::{
    AppSpec, Engine, IngestContext, KeepAll, PublishSession, Start, SubscribeOptions, Subscriber,
    TrackMask, TryBatch,
};
use bytes::Bytes;
use core_frame::{CodecId, Limits, MediaFrame, StreamKey, TrackId, TrackInfo};
use mpegts::{Demuxer, Event, Events, PesStart, Programs};

use crate::targets::Target;
use crate::targets::input::{Input, crc32};

/// The targets of this file.
pub const ALL: &[Target] = &[
    ("bus", bus),
    ("pes_pts", pes_pts),
    ("ts_packet_psi", ts_packet_psi),
];

/// A transport stream. The first byte says how it is cut, which must make no difference, and which programs are followed;
/// the second, whether bytes follow, or sections whose checksum is made here.
pub fn ts_packet_psi(data: &[u8]) {
    let mut input = Input(data);
    let (cut, form) = (input.byte(), input.byte());
    let programs = input_programs(form);
    if form & 1 == 0 {
        demuxed_alike(input.0, cut, programs);
        return;
    }
    let mut out = Vec::new();
    let mut counters = [0; 16];
    while !input.is_empty() {
        let slot = usize::from(input.byte() & 15);
        // The association table, and maps and streams where it may say that they are.
        let pid = if slot == 0 { 0 } else { 0x1F + slot as u16 };
        let mut section = input.long_row().to_vec();
        if form & 8 == 0 {
            finish(&mut section);
        }
        let counter = &mut counters[slot];
        packets(pid, counter, &[&[0], &section[..]].concat(), &mut out);
    }
    demuxed_alike(&out, cut, programs);
}

/// PES packets of every kind of stream under a sound map, and PES headers by themselves. After the byte for the cut come
/// rows: which stream, what its packets say, a payload, times.
pub fn pes_pts(data: &[u8]) {
    const STREAMS: [u8; 12] = [
        0x1B, 0x24, 0x02, 0x0F, 0x11, 0x03, 0x81, 0x87, 0x06, 0x86, 0x15, 0x06,
    ];
    if let PesStart::Header(header) = mpegts::read_header(data) {
        assert!(header.length <= data.len());
        assert!(header.pts.is_none_or(|t| t < 1 << 33) && header.dts.is_none_or(|t| t < 1 << 33));
    }
    let mut input = Input(data);
    let cut = input.byte();
    let mut out = Vec::new();
    let mut association = vec![0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0, 0x20];
    finish(&mut association);
    packets(0, &mut 0, &[&[0], &association[..]].concat(), &mut out);
    let mut map = vec![2, 0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 0x00, 0xF0, 0];
    for (n, kind) in STREAMS.into_iter().enumerate() {
        // What is private says by its registration what it is.
        let format: &[u8] = [&b"Opus"[..], b"AV01"][usize::from(n > 8)];
        map.extend([kind, 0xE1, n as u8, 0xF0, if kind == 6 { 6 } else { 0 }]);
        if kind == 6 {
            map.extend([5, 4]);
            map.extend(format);
        }
    }
    finish(&mut map);
    packets(0x20, &mut 0, &[&[0], &map[..]].concat(), &mut out);
    let mut counters = [0; STREAMS.len()];
    while !input.is_empty() {
        let stream = usize::from(input.byte());
        let odd = input.byte();
        let payload = input.long_row();
        let stream = stream % STREAMS.len();
        let pid = 0x100 + stream as u16;
        let header = stamped(odd, &mut input);
        let begin = out.len();
        let whole = [&header[..], payload].concat();
        packets(pid, &mut counters[stream], &whole, &mut out);
        match odd & 3 {
            // A packet is lost, or scrambled.
            1 => out.truncate(out.len().saturating_sub(188).max(begin)),
            2 if out.len() > begin => out[begin + 3] |= 0x80,
            _ => {}
        }
    }
    demuxed_alike(&out, cut, Programs::First);
}

/// A PES header with the times that the input has; none where the payload has its own.
fn stamped(odd: u8, input: &mut Input<'_>) -> Vec<u8> {
    let stamp = |prefix: u8, ticks: u64| {
        [
            prefix << 4 | (ticks >> 29) as u8 & 0x0E | 1,
            (ticks >> 22) as u8,
            (ticks >> 14) as u8 | 1,
            (ticks >> 7) as u8,
            (ticks << 1) as u8 | 1,
        ]
    };
    let head = |flags: u8, length: u8| vec![0, 0, 1, 0xE0, 0, 0, 0x84, flags, length];
    match odd >> 2 & 3 {
        0 => Vec::new(),
        1 => head(0, 0),
        2 => [&head(0x80, 5)[..], &stamp(2, u64::from(input.word()) << 1)].concat(),
        _ => {
            let time = u64::from(input.word()) << 1;
            let ahead = u64::from(input.word());
            [
                &head(0xC0, 10)[..],
                &stamp(3, time.wrapping_add(ahead)),
                &stamp(1, time),
            ]
            .concat()
        }
    }
}

fn input_programs(form: u8) -> Programs {
    match form >> 1 & 3 {
        0 => Programs::First,
        1 => Programs::Number(1),
        _ => Programs::All,
    }
}

/// Gives a section its length and its checksum.
fn finish(section: &mut Vec<u8>) {
    section.truncate(4_090);
    if section.len() < 3 {
        return;
    }
    let [high, low] = ((section.len() - 3 + 4) as u16).to_be_bytes();
    (section[1], section[2]) = (0xB0 | high, low);
    section.extend(crc32(section).to_be_bytes());
}

/// Cuts a payload into packets; the last is filled up by its adaptation field, as PES packets need it.
fn packets(pid: u16, counter: &mut u8, payload: &[u8], out: &mut Vec<u8>) {
    for (n, part) in payload.chunks(184).enumerate() {
        let [high, low] = pid.to_be_bytes();
        let start = if n == 0 { 0x40 } else { 0 };
        let fill = 184 - part.len();
        let kind = if fill > 0 { 0x30 } else { 0x10 };
        out.extend([0x47, start | high, low, kind | *counter & 15]);
        *counter = counter.wrapping_add(1);
        if fill > 0 {
            out.push(fill as u8 - 1);
            out.extend([0].iter().take(fill - 1));
            out.extend(std::iter::repeat_n(0xFF, fill.saturating_sub(2)));
        }
        out.extend(part);
    }
}

/// Whole and in pieces the same comes out of it, and no more media than went in.
fn demuxed_alike(bytes: &[u8], cut: u8, programs: Programs) {
    let whole = demuxed(bytes, usize::MAX, programs);
    let pieces = demuxed(bytes, usize::from(cut).max(1) * 3, programs);
    assert_eq!(whole, pieces, "cut into pieces of {}", usize::from(cut) * 3);
}

fn demuxed(bytes: &[u8], piece: usize, programs: Programs) -> Vec<Event> {
    let mut demuxer = Demuxer::with_programs(&Limits::default(), programs);
    let mut events = Events::new();
    let mut all = Vec::new();
    for part in bytes.chunks(piece) {
        demuxer.push(part, &mut events);
        all.extend(events.drain());
    }
    demuxer.finish(&mut events);
    all.extend(events.drain());
    let media: usize = all
        .iter()
        .map(|event| match event {
            Event::Frame(frame) => frame.payload.len(),
            Event::Data(data) => data.payload.len(),
            _ => 0,
        })
        .sum();
    // A start code of three bytes becomes a length of four.
    assert!(media <= 2 * bytes.len(), "{media} bytes of {}", bytes.len());
    all
}

/// What a frame was, in the model of a log.
#[derive(Clone, Copy)]
struct Known {
    sound: bool,
    key: bool,
}

/// A reader in that model: it looks at each frame from `next` on.
struct Reader {
    cursor: Subscriber,
    next: usize,
    needs_sync: bool,
    open: bool,
    sound_only: bool,
    begun: bool,
    skipped: u64,
}

/// Publishing, joining, reading, falling behind and leaving, with the log's answers beside those of a plain model. The
/// first bytes are the bounds of the log.
pub fn bus(data: &[u8]) {
    let mut input = Input(data);
    let mut limits = Limits::default();
    limits.log_frames = u32::from(input.byte()) + 1;
    limits.log_bytes = (u64::from(input.byte()) + 1) * 100;
    let (most_frames, most_bytes) = (u64::from(limits.log_frames), limits.log_bytes);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(limits)
        .build();
    let context = IngestContext::new(Arc::clone(&engine) as _);
    let open = || at_once(context.open_publish(StreamKey::new("live", "cam")));
    let publisher = open().expect("free").expect("the key is free");
    let handle = publisher.handle().clone();
    let tracks = [
        (TrackId::VIDEO, CodecId::H264),
        (TrackId::AUDIO, CodecId::Aac),
    ];
    publisher
        .set_tracks(tracks.map(|(id, codec)| TrackInfo::new(id, codec)))
        .expect("tracks");
    let mut frames = Vec::new();
    let mut readers: Vec<Reader> = Vec::new();
    while !input.is_empty() {
        let held = handle.qos();
        assert!(held.log_frames <= most_frames);
        assert!(held.log_bytes <= most_bytes || held.log_frames <= 8);
        let oldest = frames.len() - held.log_frames as usize;
        match input.byte() {
            op @ 0..=191 => {
                let many = if op >= 160 { input.byte() } else { 1 };
                for _ in 0..many {
                    let known = Known {
                        sound: op & 1 == 0,
                        key: op & 6 == 0,
                    };
                    publish(&publisher, frames.len(), known, usize::from(op / 8) * 9);
                    frames.push(known);
                }
            }
            op @ 192..=207 if readers.len() < 6 => {
                let start = [Start::NewestSync, Start::Live, Start::Oldest][usize::from(op % 3)];
                readers.push(Reader::join(&handle, start, op & 8 != 0, &frames, oldest));
            }
            // The key is taken, whoever asks.
            op @ 192..=207 => assert!(op > 0 && open().is_some_and(|p| p.is_err())),
            op if readers.is_empty() => assert!(op >= 208 && handle.reader_count() == 0),
            op @ 208..=247 => {
                let n = readers.len();
                readers[usize::from(op) % n].read(&frames, oldest);
            }
            op => {
                let n = readers.len();
                readers.swap_remove(usize::from(op) % n);
            }
        }
        assert_eq!(handle.reader_count(), readers.len());
    }
    let oldest = frames.len() - handle.qos().log_frames as usize;
    drop(publisher);
    for mut reader in readers {
        reader.read(&frames, oldest);
        assert!(matches!(reader.cursor.try_batch(), TryBatch::Ended));
    }
}

/// The result of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn publish(publisher: &PublishSession, n: usize, known: Known, more: usize) {
    let mut payload = n.to_be_bytes().to_vec();
    payload.resize(8 + more, 0);
    let (time, payload) = (n as i64, Bytes::from(payload));
    let frame = if known.sound {
        MediaFrame::new_audio(time, payload, CodecId::Aac)
    } else {
        MediaFrame::new_video(time, time, payload, CodecId::H264, known.key)
    };
    publisher.publish_frame(frame).expect("published");
}

fn is_sync(frame: &Known) -> bool {
    !frame.sound && frame.key
}

fn newest_sync(frames: &[Known], oldest: usize) -> Option<usize> {
    (oldest..frames.len()).rev().find(|n| is_sync(&frames[*n]))
}

impl Reader {
    fn join(
        handle: &bus::StreamHandle,
        start: Start,
        sound_only: bool,
        frames: &[Known],
        oldest: usize,
    ) -> Self {
        let newest = newest_sync(frames, oldest);
        let (next, needs_sync) = match start {
            Start::NewestSync => (newest.unwrap_or(frames.len()), newest.is_none()),
            Start::Live => (frames.len(), true),
            Start::Oldest => (oldest, false),
        };
        let mut options = SubscribeOptions::default();
        options.start = start;
        options.shed = Some(Arc::new(KeepAll));
        if sound_only {
            options.tracks = TrackMask::of([TrackId::AUDIO]);
        }
        Self {
            cursor: handle.subscribe(options).expect("a reader"),
            next,
            needs_sync,
            open: start == Start::Oldest,
            sound_only,
            begun: false,
            skipped: 0,
        }
    }

    /// Reads to the end, and expects what the model says.
    fn read(&mut self, frames: &[Known], oldest: usize) {
        let expected = self.expected(frames, oldest);
        let mut got = Vec::new();
        while let TryBatch::Batch(batch) = self.cursor.try_batch() {
            for (sequence, frame) in &batch {
                assert_eq!(frame.payload[..8], sequence.to_be_bytes());
                got.push(sequence);
            }
        }
        assert_eq!(got, expected);
        assert_eq!(self.cursor.skipped(), self.skipped);
    }

    fn expected(&mut self, frames: &[Known], oldest: usize) -> Vec<u64> {
        if self.next < oldest {
            let newest = newest_sync(frames, oldest);
            let to = newest.unwrap_or(frames.len());
            self.skipped += (to - self.next) as u64;
            (self.next, self.open, self.needs_sync) = (to, false, newest.is_none());
            self.begun |= self.skipped > 0;
        }
        let mut expected = Vec::new();
        for (n, frame) in frames.iter().enumerate().skip(self.next) {
            if self.needs_sync && !is_sync(frame) && !self.sound_only {
                self.skipped += u64::from(self.begun);
                continue;
            }
            self.needs_sync = false;
            if frame.sound || (!self.sound_only && (frame.key || self.open)) {
                self.open |= !frame.sound;
                expected.push(n as u64);
            }
        }
        self.next = frames.len();
        self.begun |= !expected.is_empty();
        expected
    }
}
