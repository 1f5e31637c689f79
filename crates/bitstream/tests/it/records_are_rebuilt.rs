//! Records are written as they were read, and built from parameter sets as ffmpeg builds them.

use bytes::Bytes;
use core_frame::{CodecId, TrackId};
use millstream_bitstream::aac::AudioSpecificConfig;
use millstream_bitstream::ac3::{Ac3Config, Eac3Config};
use millstream_bitstream::av1::Av1Config;
use millstream_bitstream::flac::FlacConfig;
use millstream_bitstream::h264::AvcConfig;
use millstream_bitstream::h265::{HevcConfig, nal_type};
use millstream_bitstream::opus::Head;
use millstream_bitstream::vp9::VpcConfig;
use millstream_bitstream::{config_in_band, describe, nal};

use crate::sample::{ffmpeg, of, samples};

#[test]
fn byte_for_byte() {
    for sample in samples() {
        let written = match sample.codec {
            CodecId::H264 => AvcConfig::parse(&sample.config).unwrap().write(),
            CodecId::H265 => HevcConfig::parse(&sample.config).unwrap().write(),
            CodecId::Av1 => Av1Config::parse(&sample.config).unwrap().write(),
            // The box's own version and flags stand in front in the file.
            CodecId::Vp9 => [
                &[1, 0, 0, 0][..],
                &VpcConfig::parse(&sample.config).unwrap().write(),
            ]
            .concat()
            .into(),
            CodecId::Opus => Head::parse(&sample.config).unwrap().write_dops(),
            CodecId::Ac3 => Ac3Config::parse(&sample.config).unwrap().write(),
            CodecId::Eac3 => Eac3Config::parse(&sample.config).unwrap().write(),
            CodecId::Flac => [
                &[0; 4][..],
                &FlacConfig::parse(&sample.config).unwrap().write(),
            ]
            .concat()
            .into(),
            CodecId::Vp8 | CodecId::Mp3 => continue,
            _ => AudioSpecificConfig::parse(&sample.config)
                .unwrap()
                .write()
                .unwrap(),
        };
        assert_eq!(written, sample.config, "{}", sample.name);
        if sample.codec == CodecId::Opus {
            let head = Head::parse(&sample.config).unwrap().write_opus_head();
            let info = describe(TrackId::AUDIO, CodecId::Opus, head).unwrap();
            assert_eq!(info.config, sample.config, "describe keeps the box form");
        }
    }
}

#[test]
fn from_parameter_sets_in_band() {
    for sample in of(CodecId::H264).chain(of(CodecId::H265)) {
        let path = sample.path.to_str().unwrap();
        let format = if sample.codec == CodecId::H264 {
            "h264"
        } else {
            "hevc"
        };
        // ffmpeg puts the parameter sets before each key frame.
        let stream = ffmpeg(&[
            "-i",
            path,
            "-c",
            "copy",
            "-frames:v",
            "1",
            "-f",
            format,
            "-",
        ]);
        let unit = nal::annex_b_to_length_prefixed(&stream);
        let built = config_in_band(sample.codec, &unit).unwrap();
        if sample.codec == CodecId::H264 {
            assert_eq!(built, sample.config, "{}", sample.name);
            continue;
        }
        // The file's record also keeps the encoder's SEI message, which need not be there.
        let mut wanted = HevcConfig::parse(&sample.config).unwrap();
        wanted.arrays.retain(|a| a.nal_type != nal_type::SEI_PREFIX);
        for array in &mut wanted.arrays {
            array.complete = true;
        }
        assert_eq!(
            HevcConfig::parse(&built).unwrap(),
            wanted,
            "{}",
            sample.name
        );
    }
    for sample in of(CodecId::Av1) {
        let built = config_in_band(CodecId::Av1, &sample.packets[0].data).unwrap();
        // SVT-AV1 writes another sequence header into the record than into the stream; libaom the same.
        if sample.name.starts_with("av1-main") {
            assert_eq!(built[..4], sample.config[..4], "{}", sample.name);
            assert_eq!(built.len(), sample.config.len(), "{}", sample.name);
        } else {
            assert_eq!(built, sample.config, "{}", sample.name);
        }
    }
}

#[test]
fn nothing_is_built_from_frames_without_parameter_sets() {
    let every_frame = [CodecId::Ac3, CodecId::Eac3, CodecId::Flac];
    for sample in samples().iter().filter(|s| !every_frame.contains(&s.codec)) {
        let delta = sample.packets.iter().find(|p| !p.key);
        let data = delta
            .map(|p| p.data.clone())
            .unwrap_or_else(|| Bytes::from_static(&[0; 4]));
        assert_eq!(config_in_band(sample.codec, &data), None, "{}", sample.name);
    }
}
