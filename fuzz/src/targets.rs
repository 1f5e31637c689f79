//! The bodies of the fuzz targets: bytes in, no panic out. Shared by the fuzzer and by the test that replays the seeds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{CodecId, Limits, StreamKey, TrackId};

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its file in `fuzz_targets/` and of its folder in `seeds/`.
pub const ALL: &[Target] = &[
    ("aac_asc_adts", aac_asc_adts),
    ("amf0", amf0),
    ("av1_obu", av1_obu),
    ("codec_config", codec_config),
    ("flv_file", flv_file),
    ("flv_message", flv_message),
    ("flv_tag", flv_tag),
    ("h264_avcc_annexb", h264_avcc_annexb),
    ("h264_sps", h264_sps),
    ("h265_vps_sps_pps", h265_vps_sps_pps),
    ("m3u8", m3u8),
    ("mp4_boxes", mp4_boxes),
    ("opus_head", opus_head),
    ("rtmp_chunk", rtmp_chunk),
    ("rtmp_message", rtmp_message),
    ("rtmp_server_session", rtmp_server_session),
    ("stream_name", stream_name),
    ("vp9_header", vp9_header),
];

/// AMF0 values; what was read can be written and read again.
pub fn amf0(data: &[u8]) {
    if let Ok(values) = flv::amf0::read(data, &Limits::default()) {
        let again = flv::amf0::write(&values);
        let _ = flv::amf0::read(&again, &Limits::default());
    }
}

/// A chunk stream, cut by its first byte.
pub fn rtmp_chunk(data: &[u8]) {
    use ingest_rtmp::wire::chunk::{ChunkLimits, ChunkReader};
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let limits = Limits::default();
    let mut reader = ChunkReader::new(ChunkLimits::before_publish(&limits), 0);
    for mut part in rest.chunks(usize::from(*first).max(1)) {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => drop(message),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.held() <= 4 << 20, "more held than allowed");
    }
}

/// One message: its type, then its body, as control message and as command.
pub fn rtmp_message(data: &[u8]) {
    use ingest_rtmp::wire::command::Command;
    use ingest_rtmp::wire::message::{Control, Message, MessageType};
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    let message = Message {
        chunk_stream: 3,
        timestamp: 0,
        kind: MessageType::from(*kind),
        stream: 0,
        body: Bytes::copy_from_slice(body),
    };
    let _ = Control::parse(&message);
    let _ = Command::parse(&message, &Limits::default());
}

/// A server session: bytes and pauses, cut by their own lengths.
pub fn rtmp_server_session(data: &[u8]) {
    use ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};
    let begun = Instant::now();
    let mut now = begun;
    let mut session = Session::new(SessionConfig::default(), now);
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first() {
        let (part, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let result = if *length == 0 {
            now += Duration::from_millis(700);
            session.handle_input(now, Input::Timeout)
        } else {
            session.handle_input(now, Input::Bytes(part))
        };
        let mut result = result;
        while let Some(output) = session.poll_output() {
            result = result.and(match output {
                Output::Event(Event::Publish(_)) => session.accept_publish(now),
                Output::Event(Event::Play(_)) => session.accept_play(now),
                _ => Ok(()),
            });
        }
        if result.is_err() {
            return;
        }
    }
}

/// One tag body, as audio and as video.
pub fn flv_tag(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let _ = flv::tag::parse_audio(&body);
    let _ = flv::tag::parse_video(&body);
}

/// A row of media messages: kind, length, body.
pub fn flv_message(data: &[u8]) {
    let mut demuxer = flv::Demuxer::new(&Limits::default());
    let mut events = flv::Events::default();
    let mut rest = data;
    let mut time = 0_u32;
    while let Some((head, tail)) = rest.split_at_checked(3) {
        let kind = match head[0] % 3 {
            0 => flv::TagKind::Audio,
            1 => flv::TagKind::Video,
            _ => flv::TagKind::Script,
        };
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let (body, tail) = tail.split_at(length.min(tail.len()));
        rest = tail;
        time = time.wrapping_add(u32::from(head[0]) << (head[0] >> 3));
        let _ = demuxer.push(kind, time, Bytes::copy_from_slice(body), &mut events);
        events.drain().for_each(drop);
    }
}

/// An FLV file, cut by its first byte.
pub fn flv_file(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut reader = flv::FileReader::new(&Limits::default());
    for part in rest.chunks(usize::from(*first).max(1) * 16) {
        reader.push(part);
        while let Ok(Some(event)) = reader.next_event() {
            drop(event);
        }
    }
}

/// A configuration record of the codec that the first byte names.
pub fn codec_config(data: &[u8]) {
    let Some((codec, record)) = data.split_first() else {
        return;
    };
    let codec = match codec % 7 {
        0 => CodecId::H264,
        1 => CodecId::H265,
        2 => CodecId::Av1,
        3 => CodecId::Vp9,
        4 => CodecId::Aac,
        5 => CodecId::Opus,
        _ => CodecId::Vp8,
    };
    let _ = bitstream::describe(TrackId::VIDEO, codec, Bytes::copy_from_slice(record));
    let _ = bitstream::classify(codec, record);
    let _ = bitstream::check_access_unit(codec, record, &Limits::default());
}

/// An H.264 sequence or picture parameter set.
pub fn h264_sps(data: &[u8]) {
    if let Ok(sps) = bitstream::h264::Sps::parse(data) {
        let _ = (
            sps.frame_rate(),
            sps.reorder_depth(),
            sps.video_info(),
            sps.codec_string(),
        );
    }
    let _ = bitstream::h264::Pps::parse(data);
}

/// Annex B to lengths and back, and `avcC`.
pub fn h264_avcc_annexb(data: &[u8]) {
    let lengths = bitstream::nal::annex_b_to_length_prefixed(data);
    assert!(bitstream::nal::length_prefixed(&lengths, 4).all(|unit| unit.is_ok()));
    let _ = bitstream::h264::AvcConfig::parse(&Bytes::copy_from_slice(data));
    for size in 1..=4 {
        let _ = bitstream::nal::to_four_byte(Bytes::copy_from_slice(data), size);
    }
}

/// H.265 records and access units.
pub fn h265_vps_sps_pps(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(config) = bitstream::h265::HevcConfig::parse(&bytes) {
        let _ = config.sequence();
    }
    let _ = bitstream::h265::Sps::parse(data);
    let _ = bitstream::classify(CodecId::H265, data);
}

/// AV1 temporal units and `av1C`.
pub fn av1_obu(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let _ = bitstream::av1::Av1Config::parse(&bytes);
    let _ = bitstream::av1::Av1Config::from_temporal_unit(&bytes);
    let _ = bitstream::classify(CodecId::Av1, data);
}

/// VP9 frames and `vpcC`.
pub fn vp9_header(data: &[u8]) {
    let _ = bitstream::vp9::FrameHeader::parse(data);
    assert!(bitstream::vp9::frames(data).count() <= 8);
    let _ = bitstream::vp9::VpcConfig::parse(&Bytes::copy_from_slice(data));
}

/// AudioSpecificConfig and ADTS.
pub fn aac_asc_adts(data: &[u8]) {
    if let Ok(config) = bitstream::aac::AudioSpecificConfig::parse(data) {
        let _ = (
            config.output_sample_rate(),
            config.frame_samples(),
            config.codec_string(),
        );
    }
    let _ = bitstream::aac::AdtsHeader::parse(data);
}

/// Opus heads and packets.
pub fn opus_head(data: &[u8]) {
    let _ = bitstream::opus::Head::parse(&Bytes::copy_from_slice(data));
    let _ = bitstream::opus::packet_samples(data);
}

/// Playlists; what was read can be written and read again.
pub fn m3u8(data: &[u8]) {
    let _ = m3u8::parse(data, &m3u8::ParseOptions::default());
    let _ = m3u8::parse(data, &m3u8::ParseOptions::strict());
}

/// ISO base media, cut by its first byte.
pub fn mp4_boxes(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut reader = cmaf::read::Reader::new(&Limits::default());
    for part in rest.chunks(usize::from(*first).max(1) * 64) {
        reader.push(part);
        while let Ok(Some(event)) = reader.next_event() {
            drop(event);
        }
    }
}

/// Names of streams; what is accepted is safe.
pub fn stream_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = StreamKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert!(!text.chars().any(char::is_control));
        assert!(
            text.split('/')
                .all(|s| !s.is_empty() && s != "." && s != "..")
        );
    }
}
