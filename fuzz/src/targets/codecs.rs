//! Headers and records of codecs.

use bitstream::{ac3, flac, mp3};
use bytes::Bytes;
use core_frame::{CodecId, Limits, TrackId};

use super::input::Input;

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

/// A frame of the codec that the first byte names; a description that it makes can be made again from its record.
pub fn describe_frame(data: &[u8]) {
    const CODECS: [CodecId; 18] = [
        CodecId::H264,
        CodecId::H265,
        CodecId::H266,
        CodecId::Av1,
        CodecId::Vp8,
        CodecId::Vp9,
        CodecId::Mjpeg,
        CodecId::Mpeg2Video,
        CodecId::Aac,
        CodecId::Opus,
        CodecId::Mp3,
        CodecId::Ac3,
        CodecId::Eac3,
        CodecId::Flac,
        CodecId::Pcma,
        CodecId::Pcmu,
        CodecId::Webvtt,
        CodecId::Script,
    ];
    let mut input = Input(data);
    let codec = input.of(&CODECS);
    let frame = Bytes::copy_from_slice(input.0);
    let _ = bitstream::frame_audio(codec, &frame);
    let _ = bitstream::key_frame_size(codec, &frame);
    let _ = bitstream::classify(codec, &frame);
    let _ = bitstream::check_access_unit(codec, &frame, &Limits::default());
    if let Some(info) = bitstream::describe_frame(TrackId::VIDEO, codec, &frame) {
        let _ = bitstream::Classifier::new(codec, &info.config);
        let again = bitstream::describe(TrackId::VIDEO, codec, info.config.clone())
            .expect("the record that a frame makes describes its track");
        assert_eq!(
            (again.config, again.codec),
            (info.config, info.codec),
            "another record"
        );
    }
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

/// A byte stream of MPEG audio: every frame is one, whole, and none is told twice.
pub fn mp3_frames(data: &[u8]) {
    let mut frames = mp3::frames(data);
    let mut taken = 0;
    for (header, frame) in frames.by_ref() {
        assert_eq!(mp3::FrameHeader::parse(frame).as_ref(), Ok(&header));
        assert_eq!(header.frame_length().unwrap_or(frame.len()), frame.len());
        taken += frame.len();
        let _ = (header.audio_info(), header.codec_string());
        let _ = mp3::info_tag(frame);
    }
    assert!(taken + frames.rest().len() <= data.len());
    let _ = (mp3::info_tag(data), mp3::tag_length(data));
}

/// A byte stream of AC-3 or Enhanced AC-3, and their records, which survive being written.
pub fn ac3_units(data: &[u8]) {
    let mut units = ac3::access_units(data);
    let mut taken = 0;
    for unit in units.by_ref() {
        assert!(unit.headers().count() > 0);
        assert_eq!(
            ac3::AccessUnit::first(unit.data).map(|u| u.data.len()),
            Some(unit.data.len())
        );
        taken += unit.data.len();
        let _ = unit.audio_info();
        if let Some(config) = ac3::Ac3Config::from_frame(unit.data) {
            assert_eq!(ac3::Ac3Config::parse(&config.write()), Ok(config));
        }
        if let Some(config) = ac3::Eac3Config::from_access_unit(unit.data) {
            let _ = config.audio_info();
            assert_eq!(ac3::Eac3Config::parse(&config.write()), Ok(config));
        }
    }
    assert!(taken + units.rest().len() <= data.len());
    if let Ok(config) = ac3::Ac3Config::parse(data) {
        let _ = config.audio_info();
        assert_eq!(ac3::Ac3Config::parse(&config.write()), Ok(config));
    }
    if let Ok(config) = ac3::Eac3Config::parse(data) {
        let _ = config.audio_info();
        assert_eq!(ac3::Eac3Config::parse(&config.write()), Ok(config));
    }
}

/// FLAC's metadata blocks in any of their forms, which mean the same, and frame headers.
pub fn flac_config(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(config) = flac::FlacConfig::parse(&bytes) {
        let _ = config.info.audio_info();
        assert_eq!(
            flac::FlacConfig::parse(&config.write()).as_ref(),
            Ok(&config)
        );
        assert_eq!(
            flac::FlacConfig::parse(&config.write_with_magic()),
            Ok(config)
        );
    }
    if flac::FrameHeader::parse(data).is_ok()
        && let Some(config) = flac::FlacConfig::from_frame(data)
    {
        assert_eq!(flac::FlacConfig::parse(&config.write()), Ok(config));
    }
}
