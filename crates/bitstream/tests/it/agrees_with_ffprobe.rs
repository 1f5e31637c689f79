//! What the records and headers say is what ffprobe says.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, Limits, TrackId};
use millstream_bitstream::{
    Classifier, aac, av1, check_access_unit, classify, config_in_band, describe, describe_frame,
    h264, h265, key_frame_size, nal, opus,
};

use crate::sample::{Sample, of, run, samples};

#[test]
fn size_rate_aspect_and_reordering() {
    for sample in samples()
        .iter()
        .filter(|s| s.codec.kind() == core_frame::MediaKind::Video)
    {
        let name = sample.name;
        let info = match sample.codec {
            CodecId::Vp8 => describe_frame(TrackId::VIDEO, sample.codec, &sample.packets[0].data),
            codec => describe(TrackId::VIDEO, codec, sample.config.clone()).ok(),
        }
        .unwrap();
        assert!(info.is_ready());
        let video = info.video.unwrap();
        let size = match sample.codec {
            CodecId::Vp9 => key_frame_size(CodecId::Vp9, &sample.packets[0].data).unwrap(),
            _ => (video.width, video.height),
        };
        assert_eq!(size.0.to_string(), sample.told("width"), "{name}");
        assert_eq!(size.1.to_string(), sample.told("height"), "{name}");
        // Only H.264 and H.265 tell a rate in these samples.
        if let Some((num, den)) = video.frame_rate {
            assert_eq!(
                format!("{num}/{den}"),
                sample.told("r_frame_rate"),
                "{name}"
            );
        }
        assert_eq!(video.frame_rate.is_some(), sample.codec.is_nal(), "{name}");
        if let Some((w, h)) = video.sample_aspect {
            assert_eq!(
                format!("{w}:{h}"),
                sample.told("sample_aspect_ratio"),
                "{name}"
            );
        }
        let depth = video
            .reorder_depth
            .unwrap_or_else(|| panic!("{name} tells no reorder depth"));
        assert_eq!(depth.to_string(), sample.told("has_b_frames"), "{name}");
    }
}

#[test]
fn colour() {
    for sample in samples() {
        let info = describe(TrackId::VIDEO, sample.codec, sample.config.clone()).unwrap();
        let Some(video) = info.video else { continue };
        let name = sample.name;
        let names = |code: u8, table: &[(u8, &str)]| {
            table
                .iter()
                .find(|(c, _)| *c == code)
                .map(|(_, n)| (*n).to_owned())
                .unwrap_or_default()
        };
        let color = video.color.unwrap_or(core_frame::ColorInfo {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            full_range: false,
        });
        let primaries = names(color.primaries, &[(1, "bt709"), (9, "bt2020")]);
        let transfer = names(
            color.transfer,
            &[(1, "bt709"), (13, "iec61966-2-1"), (16, "smpte2084")],
        );
        let matrix = names(color.matrix, &[(0, "gbr"), (1, "bt709"), (9, "bt2020nc")]);
        assert_eq!(primaries, sample.told("color_primaries"), "{name}");
        assert_eq!(transfer, sample.told("color_transfer"), "{name}");
        assert_eq!(matrix, sample.told("color_space"), "{name}");
        let full = sample.told("color_range") == "pc";
        assert_eq!(color.full_range, full, "{name}");
    }
}

#[test]
fn profile_level_depth_and_format() {
    for sample in of(CodecId::H264) {
        let config = h264::AvcConfig::parse(&sample.config).unwrap();
        let sps = config.sequence().unwrap();
        assert_eq!(config.profile_idc, sps.profile_idc, "{}", sample.name);
        let intra = sps.is_intra_only();
        let profile = match (sps.profile_idc, intra) {
            (66, _) if sps.constraint_flags & 0x40 != 0 => "Constrained Baseline",
            (77, _) => "Main",
            (100, _) => "High",
            (110, true) => "High 10 Intra",
            (110, false) => "High 10",
            (122, _) => "High 4:2:2",
            (244, _) => "High 4:4:4 Predictive",
            _ => "another",
        };
        assert_eq!(profile, sample.told("profile"), "{}", sample.name);
        assert_eq!(
            sps.level_idc.to_string(),
            sample.told("level"),
            "{}",
            sample.name
        );
        assert_format(sample, sps.chroma_format_idc, sps.bit_depth_luma);
        let interlaced = sample.told("field_order") != "progressive";
        assert_eq!(!sps.frame_mbs_only, interlaced, "{}", sample.name);
        assert!(sps.vui.is_some_and(|v| v.complete), "{}", sample.name);
        let pps = h264::Pps::parse(&config.pps[0]).unwrap();
        assert_eq!((pps.id, pps.sps_id), (0, sps.id));
        assert_eq!(pps.cabac, sps.profile_idc != 66, "{}", sample.name);
    }
    for sample in of(CodecId::H265) {
        let config = h265::HevcConfig::parse(&sample.config).unwrap();
        let sps = config.sequence().unwrap();
        let profile = match sps.profile.idc {
            1 => "Main",
            2 => "Main 10",
            4 => "Rext",
            _ => "another",
        };
        assert_eq!(config.profile, sps.profile, "{}", sample.name);
        assert_eq!(profile, sample.told("profile"), "{}", sample.name);
        assert_eq!(
            sps.profile.level_idc.to_string(),
            sample.told("level"),
            "{}",
            sample.name
        );
        assert_format(sample, sps.chroma_format_idc, sps.bit_depth_luma);
        assert!(sps.vui.is_some_and(|v| v.complete), "{}", sample.name);
        let vps = config.video().unwrap();
        assert_eq!(vps.profile, sps.profile);
        assert_eq!(vps.sub_layers, sps.sub_layers);
        assert_eq!(sps.sub_layers > 1, sample.name == "h265-temporal-layers");
        assert_eq!(sps.profile.high_tier, sample.name == "h265-hrd-lists");
    }
    for sample in of(CodecId::Av1) {
        let config = av1::Av1Config::parse(&sample.config).unwrap();
        let profile = ["Main", "High", "Professional"][usize::from(config.profile)];
        assert_eq!(profile, sample.told("profile"), "{}", sample.name);
        assert_eq!(
            config.level.to_string(),
            sample.told("level"),
            "{}",
            sample.name
        );
        let idc = match (
            config.monochrome,
            config.subsampling_x,
            config.subsampling_y,
        ) {
            (true, ..) => 0,
            (_, true, true) => 1,
            (_, true, false) => 2,
            _ => 3,
        };
        assert_format(sample, idc, config.bit_depth);
        let sequence = config.sequence().unwrap().unwrap();
        assert_eq!(sequence.profile, config.profile);
        assert_eq!(sequence.color.bit_depth, config.bit_depth);
    }
    for sample in of(CodecId::Vp9) {
        let config = millstream_bitstream::vp9::VpcConfig::parse(&sample.config).unwrap();
        assert_eq!(
            format!("Profile {}", config.profile),
            sample.told("profile")
        );
        assert_format(sample, config.chroma_subsampling.max(1), config.bit_depth);
    }
}

#[test]
fn sound() {
    for sample in of(CodecId::Aac).chain(of(CodecId::Opus)) {
        let info = describe(TrackId::AUDIO, sample.codec, sample.config.clone()).unwrap();
        let audio = info.audio.unwrap();
        assert_eq!(
            audio.sample_rate.to_string(),
            sample.told("sample_rate"),
            "{}",
            sample.name
        );
        assert_eq!(
            audio.channels.to_string(),
            sample.told("channels"),
            "{}",
            sample.name
        );
        if sample.codec == CodecId::Aac {
            let asc = aac::AudioSpecificConfig::parse(&sample.config).unwrap();
            let profile = ["", "Main", "LC"][usize::from(asc.object_type)];
            assert_eq!(profile, sample.told("profile"), "{}", sample.name);
            let seconds = f64::from(audio.frame_samples) / f64::from(audio.sample_rate);
            assert!(
                (seconds - sample.packets[1].duration_time).abs() < 1e-4,
                "{}",
                sample.name
            );
        } else {
            for packet in &sample.packets[..sample.packets.len() - 1] {
                let samples = opus::packet_samples(&packet.data).unwrap();
                let seconds = f64::from(samples) / 48_000.0;
                assert!(
                    (seconds - packet.duration_time).abs() < 1e-4,
                    "{}",
                    sample.name
                );
            }
        }
    }
}

#[test]
fn key_frames() {
    for sample in samples() {
        let classifier = Classifier::new(sample.codec, &sample.config);
        for (at, packet) in sample.packets.iter().enumerate() {
            let flags = classify(sample.codec, &packet.data);
            let open_gop =
                sample.codec == CodecId::H264 && flags.contains(FrameFlags::RECOVERY_POINT);
            // ffprobe counts an I picture with a recovery point as a key frame; it is no IDR picture.
            assert_eq!(
                flags.contains(FrameFlags::KEY) || open_gop,
                packet.key,
                "{} packet {at}: {flags:?}",
                sample.name
            );
            let more = classifier.classify(&packet.data);
            assert_eq!(
                more - FrameFlags::DISPOSABLE,
                flags - FrameFlags::DISPOSABLE,
                "{} packet {at}",
                sample.name
            );
            check_access_unit(sample.codec, &packet.data, &Limits::default()).unwrap();
        }
    }
    let open = samples()
        .iter()
        .find(|s| s.name == "h264-open-gop")
        .unwrap();
    let points = open.packets.iter().filter(|p| {
        let flags = classify(CodecId::H264, &p.data);
        flags.contains(FrameFlags::RECOVERY_POINT) && !flags.contains(FrameFlags::KEY)
    });
    assert!(
        points.count() >= 2,
        "an open GOP begins with a recovery point"
    );
}

/// ffprobe's `pict_type` of each picture is that of its slices.
#[test]
fn slice_types() {
    for sample in of(CodecId::H264) {
        let ours = sample
            .packets
            .iter()
            .map(|p| format!("{:?}", h264::picture_type(&p.data).unwrap()));
        assert_eq!(
            ours.collect::<Vec<_>>(),
            picture_types(sample),
            "{}",
            sample.name
        );
    }
    for sample in of(CodecId::H265) {
        let config = h265::HevcConfig::parse(&sample.config).unwrap();
        let pps = h265::Pps::parse(config.units(h265::nal_type::PPS).next().unwrap()).unwrap();
        let ours = sample.packets.iter().map(|p| {
            let mut units = nal::length_prefixed(&p.data, 4).map(Result::unwrap);
            let first = units.find(|u| h265::is_first_slice(u)).unwrap();
            format!("{:?}", h265::slice_type(first, &pps).unwrap())
        });
        assert_eq!(
            ours.collect::<Vec<_>>(),
            picture_types(sample),
            "{}",
            sample.name
        );
    }
}

/// What ffprobe says of each picture, in decode order.
fn picture_types(sample: &Sample) -> Vec<String> {
    let path = sample.path.to_str().unwrap();
    let out = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-of",
            "json",
            "-show_entries",
            "frame=pict_type,pkt_pos",
            path,
        ],
    );
    let told: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let mut pictures: Vec<(u64, String)> = told["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            (
                f["pkt_pos"].as_str().unwrap().parse().unwrap(),
                f["pict_type"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    pictures.sort();
    pictures.into_iter().map(|(_, kind)| kind).collect()
}

#[test]
fn vp9_records_come_from_key_frames() {
    for sample in of(CodecId::Vp9) {
        let made = config_in_band(CodecId::Vp9, &sample.packets[0].data).unwrap();
        let told = describe(TrackId::VIDEO, CodecId::Vp9, sample.config.clone()).unwrap();
        // The file's level may allow for the rate as well.
        assert_eq!(made[0], told.config[0], "{}", sample.name);
        assert_eq!(made[2] >> 4, told.config[2] >> 4, "{}", sample.name);
        let delta = sample.packets.iter().find(|p| !p.key).unwrap();
        assert_eq!(config_in_band(CodecId::Vp9, &delta.data), None);
        assert_eq!(config_in_band(CodecId::Vp9, &Bytes::new()), None);
    }
}

fn assert_format(sample: &Sample, chroma_format_idc: u8, depth: u8) {
    let base = match (chroma_format_idc, sample.told("pix_fmt").contains('j')) {
        // ffmpeg decodes monochrome H.264 to 4:2:0.
        (0, _) if sample.codec == CodecId::H264 => "yuvj420p",
        (0, _) => "gray",
        (1, true) => "yuvj420p",
        (1, false) => "yuv420p",
        (2, _) => "yuv422p",
        _ => "yuv444p",
    };
    let format = if depth == 8 {
        base.to_owned()
    } else {
        format!("{base}{depth}le")
    };
    assert_eq!(format, sample.told("pix_fmt"), "{}", sample.name);
}
