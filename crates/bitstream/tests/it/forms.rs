//! One form becomes the other, as ffmpeg does it: Annex B and length prefixes, ADTS and raw.

use bytes::Bytes;
use core_frame::CodecId;
use millstream_bitstream::aac::{AdtsHeader, AudioSpecificConfig, adts_frames};
use millstream_bitstream::{h264, h265, nal};

use crate::sample::{Sample, ffmpeg, of};

#[test]
fn annex_b_of_ffmpeg_has_the_same_slices() {
    for sample in of(CodecId::H264).chain(of(CodecId::H265)) {
        let format = if sample.codec == CodecId::H264 {
            "h264"
        } else {
            "hevc"
        };
        let stream = copied_to(sample, format);
        let is_slice = |unit: &&[u8]| match sample.codec {
            CodecId::H264 => h264::is_slice(h264::unit_type(unit)),
            _ => h265::is_slice(h265::unit_type(unit)),
        };
        let theirs: Vec<&[u8]> = nal::annex_b(&stream).filter(is_slice).collect();
        let ours: Vec<&[u8]> = sample
            .packets
            .iter()
            .flat_map(|p| nal::length_prefixed(&p.data, 4).map(Result::unwrap))
            .filter(is_slice)
            .collect();
        assert!(ours.len() >= sample.packets.len());
        // A trailing zero byte of a slice belongs to the start code after it in Annex B.
        let trimmed = |u: &[u8]| u.len() - u.iter().rev().take_while(|b| **b == 0).count();
        assert_eq!(ours.len(), theirs.len(), "{}", sample.name);
        for (a, b) in ours.iter().zip(&theirs) {
            assert_eq!(a[..trimmed(a)], b[..trimmed(b)], "{}", sample.name);
        }
    }
}

#[test]
fn access_units_survive_the_round_trip() {
    for sample in of(CodecId::H264).chain(of(CodecId::H265)) {
        for packet in &sample.packets {
            let stream = nal::length_prefixed_to_annex_b(&packet.data, 4).unwrap();
            assert!(nal::looks_like_annex_b(&stream));
            assert_eq!(
                nal::annex_b_to_length_prefixed(&stream),
                packet.data,
                "{}",
                sample.name
            );
            let two = shorten(&packet.data);
            assert_eq!(nal::to_four_byte(two, 2).unwrap(), packet.data);
            let same = nal::to_four_byte(packet.data.clone(), 4).unwrap();
            assert_eq!(
                same.as_ptr(),
                packet.data.as_ptr(),
                "4-byte lengths are not copied"
            );
        }
    }
}

/// The first slice of each access unit, and it alone, begins one.
#[test]
fn access_units_are_found_in_annex_b() {
    for sample in of(CodecId::H264).chain(of(CodecId::H265)) {
        let (mut begun, mut slices_before) = (0, true);
        for packet in &sample.packets {
            for unit in nal::length_prefixed(&packet.data, 4).map(Result::unwrap) {
                let (begins, slice) = match sample.codec {
                    CodecId::H264 => (
                        h264::begins_access_unit(unit),
                        h264::is_slice(h264::unit_type(unit)),
                    ),
                    _ => (
                        h265::begins_access_unit(unit),
                        h265::is_slice(h265::unit_type(unit)),
                    ),
                };
                if begins && slices_before {
                    begun += 1;
                    slices_before = false;
                }
                slices_before |= slice;
            }
        }
        assert_eq!(begun, sample.packets.len(), "{}", sample.name);
    }
}

#[test]
fn adts_is_the_one_ffmpeg_writes() {
    for sample in of(CodecId::Aac) {
        let theirs = copied_to(sample, "adts");
        let config = AudioSpecificConfig::parse(&sample.config).unwrap();
        let mut ours = Vec::new();
        for packet in &sample.packets {
            ours.extend(
                AdtsHeader::for_access_unit(&config, packet.data.len())
                    .unwrap()
                    .write(),
            );
            ours.extend(&packet.data);
        }
        assert!(ours == theirs, "{}", sample.name);
        let mut frames = adts_frames(&theirs);
        for packet in &sample.packets {
            let (header, body) = frames.next().unwrap();
            assert_eq!(body, packet.data, "{}", sample.name);
            let read = AudioSpecificConfig::from_adts(&header).unwrap();
            assert_eq!(
                (read.object_type, read.sample_rate, read.core_channels),
                (config.object_type, config.sample_rate, config.core_channels)
            );
        }
        assert!(frames.next().is_none());
    }
}

fn copied_to(sample: &Sample, format: &str) -> Vec<u8> {
    let path = sample.path.to_str().unwrap();
    ffmpeg(&["-i", path, "-c", "copy", "-f", format, "-"])
}

/// 2-byte lengths from 4-byte ones.
fn shorten(data: &Bytes) -> Bytes {
    let mut out = Vec::new();
    for unit in nal::length_prefixed(data, 4).map(Result::unwrap) {
        out.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
        out.extend(unit);
    }
    out.into()
}
