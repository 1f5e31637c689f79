//! Damaged bytes never panic, never run long and never cost much memory: seeded mutations of every sample.

use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{CodecId, Limits, TrackId};
use millstream_bitstream::{
    Classifier, aac, ac3, av1, check_access_unit, classify, config_in_band, describe,
    describe_frame, flac, frame_audio, h264, h265, key_frame_size, mp3, nal, opus, sei, vp8, vp9,
};

use crate::allocations::counted;
use crate::sample::samples;
use crate::seeds;

const MUTATIONS: u64 = 10_000;

#[test]
fn of_configuration_records() {
    for sample in samples() {
        mutate(&sample.config, |bytes| read_everything(sample.codec, bytes));
    }
}

#[test]
fn of_access_units() {
    for sample in samples() {
        // A whole one is mostly pixels: its start is where the headers are.
        let packet = &sample.packets[sample.packets.len() / 2].data;
        for data in [&sample.packets[0].data, packet] {
            let start = data.slice(..data.len().min(600));
            mutate(&start, |bytes| read_everything(sample.codec, bytes));
        }
    }
}

#[test]
fn of_parameter_sets() {
    for sample in samples() {
        for unit in seeds::parameter_sets(sample.codec, &sample.config) {
            mutate(&unit, |bytes| read_everything(sample.codec, bytes));
        }
    }
}

/// Every entry point that takes peer bytes.
pub(crate) fn read_everything(codec: CodecId, bytes: &Bytes) {
    let _ = describe(TrackId::VIDEO, codec, bytes.clone());
    let _ = config_in_band(codec, bytes);
    let _ = key_frame_size(codec, bytes);
    let _ = describe_frame(TrackId::VIDEO, codec, bytes);
    let _ = frame_audio(codec, bytes);
    let _ = classify(codec, bytes);
    let _ = Classifier::new(codec, bytes).classify(bytes);
    let _ = check_access_unit(codec, bytes, &Limits::default());
    match codec {
        CodecId::H264 => {
            let _ = h264::Sps::parse(bytes)
                .map(|s| (s.video_info(), s.max_reorder_depth(), s.codec_string()));
            let _ = h264::Pps::parse(bytes);
            let _ = (
                h264::slice_type(bytes),
                h264::picture_type(bytes),
                h264::recovery_frames(bytes),
            );
            let _ = (
                h264::begins_access_unit(bytes),
                h264::find_user_data_unregistered(bytes, &[0; 16]),
            );
            sei::messages(bytes, 1).for_each(|m| drop(m.bytes()));
        }
        CodecId::H265 => {
            let _ = h265::Vps::parse(bytes);
            let _ = h265::Sps::parse(bytes).map(|s| (s.video_info(), s.profile.codec_suffix()));
            if let Ok(pps) = h265::Pps::parse(bytes) {
                let _ = (pps.parallelism(), h265::slice_type(bytes, &pps));
            }
            let _ = (
                h265::begins_access_unit(bytes),
                h265::find_user_data_unregistered(bytes, &[0; 16]),
            );
        }
        CodecId::Av1 => {
            let sequence = av1::SequenceHeader::parse(bytes).ok();
            let _ = av1::FrameHeader::parse(bytes, sequence.as_ref(), 0, 0);
            let _ = av1::Av1Config::from_sequence_header(bytes);
        }
        CodecId::Vp9 => {
            vp9::frames(bytes).for_each(|f| {
                let _ = vp9::FrameHeader::parse(f);
            });
        }
        CodecId::Vp8 => {
            let _ = vp8::FrameHeader::parse(bytes).map(|h| h.picture.map(|p| p.video_info()));
        }
        CodecId::Mp3 => {
            let mut frames = mp3::frames(bytes);
            for (header, frame) in frames.by_ref() {
                assert!(header.frame_length().is_none_or(|l| l == frame.len()));
                let _ = mp3::info_tag(frame);
            }
            assert!(frames.rest().len() <= bytes.len());
            let _ = (mp3::info_tag(bytes), mp3::tag_length(bytes));
        }
        CodecId::Ac3 | CodecId::Eac3 => {
            let mut units = ac3::access_units(bytes);
            for unit in units.by_ref() {
                let frames: usize = unit.headers().map(|h| h.frame_length).sum();
                assert_eq!(frames, unit.data.len());
                assert!((1..=22).contains(&unit.channels));
            }
            assert!(units.rest().len() <= bytes.len());
            if let Ok(config) = ac3::Ac3Config::parse(bytes) {
                assert_eq!(ac3::Ac3Config::parse(&config.write()), Ok(config));
            }
            if let Ok(config) = ac3::Eac3Config::parse(bytes) {
                let _ = config.audio_info();
                assert_eq!(ac3::Eac3Config::parse(&config.write()), Ok(config));
            }
        }
        CodecId::Flac => {
            if let Ok(header) = flac::FrameHeader::parse(bytes) {
                assert!(header.length <= bytes.len() && header.block_size > 0);
            }
            if let Ok(config) = flac::FlacConfig::parse(bytes) {
                assert_eq!(
                    flac::FlacConfig::parse(&config.write_with_magic()),
                    Ok(config)
                );
            }
            let _ = (flac::StreamInfo::parse(bytes), flac::blocks_length(bytes));
        }
        CodecId::Aac => {
            if let Ok(asc) = aac::AudioSpecificConfig::parse(bytes) {
                assert!(asc.sample_rate > 0 && asc.core_channels > 0);
                let _ = (
                    asc.audio_info(),
                    asc.write(),
                    aac::AdtsHeader::for_access_unit(&asc, bytes.len()),
                );
            }
            aac::adts_frames(bytes).for_each(drop);
        }
        _ => {
            let _ = opus::packet_samples(bytes);
            if let Ok(head) = opus::Head::parse(bytes) {
                assert_eq!(
                    opus::Head::parse(&head.write_opus_head()).as_ref(),
                    Ok(&head)
                );
            }
        }
    }
    if codec.is_nal() {
        for size in 1..=4 {
            let _ = nal::to_four_byte(bytes.clone(), size);
            let _ = nal::length_prefixed_to_annex_b(bytes, size);
        }
        let _ = (
            nal::annex_b_to_length_prefixed(bytes),
            nal::unescape_rbsp(bytes),
        );
    }
}

/// Truncates at every offset, then flips bits, overwrites bytes and lengths, deletes and repeats, by a fixed seed.
fn mutate(sample: &Bytes, read: impl Fn(&Bytes)) {
    let begun = Instant::now();
    for length in 0..=sample.len() {
        check(&sample.slice(..length), &read);
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ sample.len() as u64);
    for _ in 0..MUTATIONS {
        let mut bytes = sample.to_vec();
        for _ in 0..1 + random.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            match random.below(6) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
                3 => bytes.truncate(at),
                4 => drop(bytes.drain(at..(at + 1 + random.below(4)).min(bytes.len()))),
                _ => put_length(&mut bytes, at, &mut random),
            }
        }
        check(&bytes.into(), &read);
    }
    let limit = Duration::from_secs(120);
    assert!(
        begun.elapsed() < limit,
        "{MUTATIONS} mutations took {:?}",
        begun.elapsed()
    );
}

/// A two- or four-byte length gets one of the values that break parsers.
fn put_length(bytes: &mut [u8], at: usize, random: &mut Random) {
    let left = (bytes.len() - at) as u32;
    let value = [
        0,
        1,
        left.wrapping_sub(1),
        left,
        left + 1,
        1 << 31,
        u32::MAX,
    ][random.below(7)];
    let (wide, narrow) = (value.to_be_bytes(), (value as u16).to_be_bytes());
    let field: &[u8] = if random.below(2) == 0 { &wide } else { &narrow };
    for (slot, byte) in bytes[at..].iter_mut().zip(field) {
        *slot = *byte;
    }
}

fn check(bytes: &Bytes, read: &impl Fn(&Bytes)) {
    let ((), _, largest) = counted(|| read(bytes));
    let bound = 64 * 1024 + 64 * bytes.len();
    assert!(
        largest <= bound,
        "{} bytes cost an allocation of {largest}: {bytes:02x?}",
        bytes.len()
    );
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
