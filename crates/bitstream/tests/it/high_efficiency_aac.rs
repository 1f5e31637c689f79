//! HE-AAC: ffprobe reads a file whose configuration we replaced as we read the configuration.
//!
//! No free encoder here makes HE-AAC, but the signalling is all in the configuration: a low complexity stream under an
//! HE configuration is decoded with an empty upper half.

use bytes::Bytes;
use millstream_bitstream::aac::{AudioSpecificConfig, Signalling};

use crate::sample::{run, samples, scratch};

#[test]
fn explicit_signalling_of_sbr_and_ps() {
    for (name, signalling, ps) in [
        ("aac-22050-stereo", Signalling::Hierarchical, None),
        ("aac-22050-stereo", Signalling::BackwardCompatible, None),
        ("aac-22050-mono", Signalling::Hierarchical, Some(true)),
    ] {
        let sample = samples().iter().find(|s| s.name == name).unwrap();
        let mut asc = AudioSpecificConfig::parse(&sample.config).unwrap();
        asc.signalling = signalling;
        asc.sbr = Some(true);
        asc.ps = ps;
        asc.extension_sample_rate = Some(44_100);
        let mut written = asc.write().unwrap().to_vec();
        assert!(written.len() <= sample.config.len());
        written.resize(sample.config.len(), 0);

        let mut file = std::fs::read(&sample.path).unwrap();
        // The descriptor's tag 5 and its length in four bytes stand before the configuration.
        let mut wanted = vec![5, 0x80, 0x80, 0x80, sample.config.len() as u8];
        wanted.extend(&sample.config);
        let at = file
            .windows(wanted.len())
            .position(|w| w == wanted)
            .unwrap()
            + 5;
        file[at..at + written.len()].copy_from_slice(&written);
        let folder = scratch();
        let path = folder.path().join("he.mp4");
        std::fs::write(&path, file).unwrap();
        let out = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-of",
                "json",
                "-show_streams",
                path.to_str().unwrap(),
            ],
        );
        let probe: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let told = &probe["streams"][0];

        let read = AudioSpecificConfig::parse(&Bytes::from(written)).unwrap();
        assert_eq!(
            read.codec_string(),
            if ps.is_some() {
                "mp4a.40.29"
            } else {
                "mp4a.40.5"
            }
        );
        assert_eq!(
            told["sample_rate"],
            read.output_sample_rate().to_string(),
            "{name} {signalling:?}"
        );
        assert_eq!(
            told["channels"],
            u64::from(read.output_channels()),
            "{name} {signalling:?}"
        );
        assert_eq!(read.frame_samples(), 2_048);
    }
}
