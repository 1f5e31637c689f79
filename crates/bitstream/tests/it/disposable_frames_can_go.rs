//! Frames marked disposable can be left out: every other picture decodes to the same samples.

use std::path::Path;

use core_frame::{CodecId, FrameFlags};
use millstream_bitstream::{Classifier, h264, h265, nal};

use crate::sample::{Sample, of, picture_hashes, scratch};

#[test]
fn of_h264() {
    let dropped: usize = of(CodecId::H264).map(drop_and_decode).sum();
    assert!(
        dropped > 20,
        "only {dropped} pictures were disposable in all samples"
    );
}

#[test]
fn of_h265() {
    let dropped: usize = of(CodecId::H265).map(drop_and_decode).sum();
    assert!(
        dropped > 20,
        "only {dropped} pictures were disposable in all samples"
    );
}

#[test]
fn of_av1() {
    let dropped: usize = of(CodecId::Av1).map(drop_and_decode).sum();
    assert!(
        dropped > 10,
        "only {dropped} pictures were disposable in all samples"
    );
}

#[test]
fn of_vp9() {
    let dropped: usize = of(CodecId::Vp9).map(drop_and_decode).sum();
    assert!(
        dropped > 5,
        "only {dropped} pictures were disposable in all samples"
    );
}

#[test]
fn of_vp8() {
    let dropped: usize = of(CodecId::Vp8).map(drop_and_decode).sum();
    assert!(
        dropped > 5,
        "only {dropped} pictures were disposable in all samples"
    );
}

/// Decodes the sample with and without its disposable frames; returns how many there were.
fn drop_and_decode(sample: &Sample) -> usize {
    let classifier = Classifier::new(sample.codec, &sample.config);
    let is_disposable = |data: &[u8]| classifier.classify(data).contains(FrameFlags::DISPOSABLE);
    let dropped = sample
        .packets
        .iter()
        .filter(|p| is_disposable(&p.data))
        .count();
    let folder = scratch();
    let all = write(sample, &folder.path().join("all"), |_| true);
    let kept = write(sample, &folder.path().join("kept"), |data| {
        !is_disposable(data)
    });
    let (all, kept) = (picture_hashes(&all), picture_hashes(&kept));
    assert_eq!(all.len(), sample.packets.len(), "{}", sample.name);
    assert_eq!(kept.len(), all.len() - dropped, "{}", sample.name);
    let mut rest = all.iter();
    for hash in &kept {
        assert!(
            rest.any(|h| h == hash),
            "{}: a picture that was kept is damaged",
            sample.name
        );
    }
    dropped
}

/// Writes the access units that pass as a bare stream ffmpeg can read.
fn write(sample: &Sample, path: &Path, pass: impl Fn(&[u8]) -> bool) -> String {
    let mut out = Vec::new();
    let extension = match sample.codec {
        CodecId::H264 => {
            let config = h264::AvcConfig::parse(&sample.config).unwrap();
            let sets = config.sps.iter().chain(&config.pps).map(|u| &u[..]);
            out.extend(nal::length_prefixed_to_annex_b(&nal::join(sets), 4).unwrap());
            "h264"
        }
        CodecId::H265 => {
            let config = h265::HevcConfig::parse(&sample.config).unwrap();
            let sets = config.arrays.iter().flat_map(|a| &a.units).map(|u| &u[..]);
            out.extend(nal::length_prefixed_to_annex_b(&nal::join(sets), 4).unwrap());
            "hevc"
        }
        codec => {
            let fourcc = match codec {
                CodecId::Av1 => b"AV01",
                CodecId::Vp8 => b"VP80",
                _ => b"VP90",
            };
            let (width, height) = (sample.told("width"), sample.told("height"));
            out.extend(b"DKIF\0\0\x20\0");
            out.extend(fourcc);
            out.extend(width.parse::<u16>().unwrap().to_le_bytes());
            out.extend(height.parse::<u16>().unwrap().to_le_bytes());
            out.extend([25, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            "ivf"
        }
    };
    for (at, packet) in sample
        .packets
        .iter()
        .enumerate()
        .filter(|(_, p)| pass(&p.data))
    {
        if sample.codec.is_nal() {
            out.extend(nal::length_prefixed_to_annex_b(&packet.data, 4).unwrap());
        } else {
            let delimiter: &[u8] = if sample.codec == CodecId::Av1 {
                &[0x12, 0]
            } else {
                &[]
            };
            out.extend(((packet.data.len() + delimiter.len()) as u32).to_le_bytes());
            out.extend((at as u64).to_le_bytes());
            out.extend(delimiter);
            out.extend(&packet.data);
        }
    }
    let path = path.with_extension(extension);
    std::fs::write(&path, out).unwrap();
    path.to_str().unwrap().to_owned()
}
