//! The committed seeds: small records and access units of every codec, for fuzzing and for tests without ffmpeg.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use core_frame::{CodecId, TrackId};
use millstream_bitstream::h264::AvcConfig;
use millstream_bitstream::h265::HevcConfig;
use millstream_bitstream::{av1, classify, describe};

use crate::mutations::read_everything;
use crate::sample::{codec_of, samples};

/// `UPDATE_SEEDS=1 cargo test -p millstream-bitstream --test it seeds` writes them anew from the samples.
#[test]
fn seeds_read_well() {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        write_seeds();
    }
    let (mut records, mut key_frames, mut total) = (0, 0, 0);
    for (path, bytes) in all() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let codec = codec_of(name);
        total += bytes.len();
        read_everything(codec, &bytes);
        if name.ends_with(".config") {
            describe(TrackId::VIDEO, codec, bytes).unwrap();
            records += 1;
        } else if name.ends_with(".0.au") {
            assert!(
                classify(codec, &bytes).contains(core_frame::FrameFlags::KEY),
                "{name}"
            );
            key_frames += 1;
        }
    }
    assert!(
        records >= 10 && key_frames >= 6,
        "{records} records, {key_frames} key frames"
    );
    assert!(total < 200 * 1_024, "the seeds have {total} bytes");
}

/// The units inside a record that have parsers of their own.
pub(crate) fn parameter_sets(codec: CodecId, config: &Bytes) -> Vec<Bytes> {
    match codec {
        CodecId::H264 => {
            let config = AvcConfig::parse(config).unwrap();
            config.sps.into_iter().chain(config.pps).collect()
        }
        CodecId::H265 => {
            let config = HevcConfig::parse(config).unwrap();
            let units = config.arrays.into_iter().flat_map(|a| a.units);
            units.map(|u| u.slice(..u.len().min(200))).collect()
        }
        CodecId::Av1 => {
            let obus = config.slice(4..);
            let first = av1::obus(&obus).next().unwrap().unwrap();
            vec![Bytes::copy_from_slice(first.payload)]
        }
        _ => Vec::new(),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn all() -> Vec<(PathBuf, Bytes)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes.into())
        })
        .collect()
}

/// Each record; of a few samples the parameter sets and the first access units, cut to what a parser reads.
fn write_seeds() {
    const WITH_FRAMES: [&str; 12] = [
        "h264-tiny",
        "h264-interlaced",
        "h265-temporal-layers",
        "av1-gray",
        "vp9-altref",
        "aac-48000-mono",
        "opus-mono",
        "vp8-temporal-layers",
        "mp3-8000-mono",
        "ac3-44100-mono",
        "eac3-metadata",
        "flac-8000-small-blocks",
    ];
    std::fs::create_dir_all(folder()).unwrap();
    for sample in samples() {
        let put = |suffix: &str, bytes: &[u8]| {
            std::fs::write(folder().join(format!("{}.{suffix}", sample.name)), bytes).unwrap();
        };
        if !sample.config.is_empty() {
            put("config", &sample.config);
        }
        if !WITH_FRAMES.contains(&sample.name) {
            continue;
        }
        for (at, unit) in parameter_sets(sample.codec, &sample.config)
            .iter()
            .enumerate()
        {
            put(&format!("{at}.set"), unit);
        }
        let small = sample
            .packets
            .iter()
            .skip(1)
            .filter(|p| p.data.len() < 3_000)
            .take(3);
        for (at, packet) in sample.packets.iter().take(1).chain(small).enumerate() {
            let whole = packet.data.len() < 12_000 || sample.codec.is_nal();
            put(
                &format!("{at}.au"),
                if whole {
                    &packet.data
                } else {
                    &packet.data[..12_000]
                },
            );
        }
    }
}
