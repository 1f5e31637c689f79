//! Sample media, made once by the encoders that are installed and kept in the build folder.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use testkit::clients::{ffmpeg, ffmpeg9};

use super::secs;

/// A kind of sample: 12 s of moving picture, 320x180 at 30 frames a second with a key frame each second, and a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    H264Aac,
    HevcAac,
    Av1Aac,
    Av1Opus,
    Vp9Opus,
}

impl Sample {
    /// Codec names as the API tells them.
    pub(crate) fn codecs(self) -> [&'static str; 2] {
        match self {
            Self::H264Aac => ["h264", "aac"],
            Self::HevcAac => ["h265", "aac"],
            Self::Av1Aac => ["av1", "aac"],
            Self::Av1Opus => ["av1", "opus"],
            Self::Vp9Opus => ["vp9", "opus"],
        }
    }

    fn encoders(self) -> &'static str {
        match self {
            // 44.1 kHz, so that no access unit is a whole number of milliseconds long; B-frames, so that order matters.
            Self::H264Aac => {
                "-c:v libx264 -preset veryfast -bf 2 -sc_threshold 0 -c:a aac -ar 44100 -b:a 96k"
            }
            Self::HevcAac => {
                "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30:min-keyint=30 -c:a aac -ar 48000"
            }
            Self::Av1Aac => "-c:v libsvtav1 -preset 12 -svtav1-params keyint=30 -c:a aac -ar 44100",
            Self::Av1Opus => {
                "-c:v libsvtav1 -preset 12 -svtav1-params keyint=30 -c:a libopus -ar 48000"
            }
            Self::Vp9Opus => {
                "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus -ar 48000"
            }
        }
    }
}

/// The sample as a Matroska file and, for tests that send tags themselves, as FLV; `None` where the encoder is not installed.
pub(crate) fn sample(kind: Sample, container: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{kind:?}.{container}").to_lowercase());
    if path.exists() {
        return Some(path);
    }
    let program = if kind == Sample::H264Aac {
        ffmpeg()?
    } else {
        ffmpeg9()?
    };
    let part = path.with_extension(format!("part.{container}"));
    let done = program
        .line("-y -f lavfi -i testsrc2=s=320x180:r=30 -f lavfi -i sine=frequency=440 -t 12 -g 30 -pix_fmt yuv420p -b:v 400k")
        .line(kind.encoders())
        .arg(&part)
        .timeout(secs(120))
        .run()
        .unwrap();
    assert!(done.succeeded(), "{kind:?}: {}", done.stderr);
    std::fs::rename(part, &path).unwrap();
    Some(path)
}
