//! From a configuration record to the description of a track.

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, MediaKind, TrackId, TrackInfo, VideoInfo};

use crate::aac::AudioSpecificConfig;
use crate::av1::Av1Config;
use crate::error::{Error, Result};
use crate::h264::AvcConfig;
use crate::h265::HevcConfig;
use crate::opus::Head;
use crate::vp9::{self, VpcConfig};

/// Describes a track from its configuration record: the body of `avcC`, `hvcC`, `av1C`, `vpcC` or `dOps`, or an
/// AudioSpecificConfig. `OpusHead` is taken for Opus too, and a `vpcC` with the version and flags of its box; in both
/// cases [`TrackInfo::config`] holds the form without. Fills configuration, codec string, and what the record says of
/// picture or sound; the clock stays at milliseconds until the caller knows better.
///
/// An empty record describes a track that is not ready ([`TrackInfo::is_ready`]) where the codec needs one.
///
/// # Errors
/// When the record is damaged, or has no parameter set to read size or rate from.
pub fn describe(id: TrackId, codec: CodecId, config: Bytes) -> Result<TrackInfo> {
    let mut info = TrackInfo::new(id, codec);
    if config.is_empty() {
        info.codec_string = fixed_codec_string(codec).map(str::to_owned);
        match codec.kind() {
            MediaKind::Video => info.video = Some(VideoInfo::default()),
            MediaKind::Audio => info.audio = fixed_audio(codec),
            _ => {}
        }
        return Ok(info);
    }
    match codec {
        CodecId::H264 => {
            let record = AvcConfig::parse(&config)?;
            info.video = Some(record.sequence()?.video_info());
            info.codec_string = Some(record.codec_string());
        }
        CodecId::H265 => {
            let record = HevcConfig::parse(&config)?;
            let mut video = record.sequence()?.video_info();
            // The VPS may tell the rate where the SPS does not.
            video.frame_rate = video
                .frame_rate
                .or_else(|| record.video().ok()?.frame_rate());
            info.video = Some(video);
            info.codec_string = Some(record.codec_string());
        }
        CodecId::Av1 => {
            let record = Av1Config::parse(&config)?;
            let sequence = record.sequence()?;
            info.video = Some(sequence.map(|s| s.video_info()).unwrap_or_default());
            info.codec_string = Some(record.codec_string());
        }
        CodecId::Vp9 | CodecId::Vp8 => {
            let record = VpcConfig::parse(&config)?;
            info.video = Some(record.video_info());
            info.codec_string = Some(match codec {
                CodecId::Vp9 => record.codec_string(),
                _ => "vp8".to_owned(),
            });
            info.config = record.write();
            return Ok(info);
        }
        CodecId::Aac => {
            let record = AudioSpecificConfig::parse(&config)?;
            info.audio = Some(record.audio_info());
            info.codec_string = Some(record.codec_string());
        }
        CodecId::Opus => {
            let head = Head::parse(&config)?;
            info.audio = Some(head.audio_info());
            info.codec_string = Some("opus".to_owned());
            info.config = head.write_dops();
            return Ok(info);
        }
        CodecId::H266 => {
            return Err(Error::Unsupported {
                what: "vvcC",
                feature: "H.266 configuration records",
            });
        }
        _ => {
            info.codec_string = fixed_codec_string(codec).map(str::to_owned);
            match codec.kind() {
                MediaKind::Video => info.video = Some(VideoInfo::default()),
                MediaKind::Audio => info.audio = fixed_audio(codec),
                _ => {}
            }
        }
    }
    info.config = config;
    Ok(info)
}

/// The configuration record of the parameter sets or headers that stand in an access unit in bus form; nothing when it
/// has none, they are not complete, or the codec keeps none there. For H.264, H.265, AV1, VP9.
#[must_use]
pub fn config_in_band(codec: CodecId, access_unit: &Bytes) -> Option<Bytes> {
    match codec {
        CodecId::H264 => AvcConfig::from_access_unit(access_unit).map(|c| c.write()),
        CodecId::H265 => HevcConfig::from_access_unit(access_unit).map(|c| c.write()),
        CodecId::Av1 => Av1Config::from_temporal_unit(access_unit).map(|c| c.write()),
        CodecId::Vp9 => VpcConfig::from_key_frame(access_unit).map(|c| c.write()),
        _ => None,
    }
}

/// The picture's size where no configuration record has it: from a VP8 (RFC 6386 §9.1) or VP9 key frame.
#[must_use]
pub fn key_frame_size(codec: CodecId, packet: &[u8]) -> Option<(u32, u32)> {
    match codec {
        CodecId::Vp8 => match packet {
            [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] if tag & 1 == 0 => {
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                Some((side(*w0, *w1), side(*h0, *h1)))
            }
            _ => None,
        },
        CodecId::Vp9 => {
            let picture = vp9::FrameHeader::parse(vp9::frames(packet).next()?)
                .ok()?
                .picture?;
            Some((picture.width, picture.height))
        }
        _ => None,
    }
}

/// RFC 6381 strings of codecs that need no configuration to know it.
const fn fixed_codec_string(codec: CodecId) -> Option<&'static str> {
    match codec {
        CodecId::Vp8 => Some("vp8"),
        CodecId::Mjpeg => Some("mp4v.6C"),
        CodecId::Mpeg2Video => Some("mp4v.61"),
        CodecId::Opus => Some("opus"),
        CodecId::Mp3 => Some("mp4a.40.34"),
        CodecId::Ac3 => Some("ac-3"),
        CodecId::Eac3 => Some("ec-3"),
        CodecId::Flac => Some("fLaC"),
        CodecId::Webvtt => Some("wvtt"),
        _ => None,
    }
}

/// Sound of codecs whose rate is the same everywhere (RFC 3551 for G.711 in mono).
fn fixed_audio(codec: CodecId) -> Option<AudioInfo> {
    match codec {
        CodecId::Opus => Some(AudioInfo {
            sample_rate: crate::opus::SAMPLE_RATE,
            channels: 2,
            frame_samples: 0,
        }),
        CodecId::Pcma | CodecId::Pcmu => Some(AudioInfo {
            sample_rate: 8_000,
            channels: 1,
            frame_samples: 0,
        }),
        _ => None,
    }
}
