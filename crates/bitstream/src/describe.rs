//! From a configuration record to the description of a track.

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, MediaKind, TrackId, TrackInfo, VideoInfo};

use crate::aac::AudioSpecificConfig;
use crate::ac3::{self, Ac3Config, Eac3Config};
use crate::av1::Av1Config;
use crate::error::{Error, Result};
use crate::flac::{self, FlacConfig};
use crate::h264::AvcConfig;
use crate::h265::HevcConfig;
use crate::opus::Head;
use crate::vp9::{self, VpcConfig};
use crate::{g711, mp3, vp8};

/// Describes a track from its configuration record: the body of `avcC`, `hvcC`, `av1C`, `vpcC`, `dOps`, `dac3`, `dec3` or
/// `dfLa`, or an AudioSpecificConfig. `OpusHead` is taken for Opus too, a `vpcC` or `dfLa` with the version and flags of
/// its box, and FLAC's blocks behind `fLaC` or a bare STREAMINFO; in all these cases [`TrackInfo::config`] holds the form
/// without. Fills configuration, codec string, and what the record says of
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
                _ => record.vp8_codec_string(),
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
        CodecId::Ac3 => {
            info.audio = Some(Ac3Config::parse(&config)?.audio_info());
            info.codec_string = Some("ac-3".to_owned());
        }
        CodecId::Eac3 => {
            info.audio = Some(Eac3Config::parse(&config)?.audio_info());
            info.codec_string = Some("ec-3".to_owned());
        }
        CodecId::Flac => {
            let record = FlacConfig::parse(&config)?;
            info.audio = Some(record.info.audio_info());
            info.codec_string = Some("flac".to_owned());
            info.config = record.write();
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
/// has none, they are not complete, or the codec keeps none there. For H.264, H.265, AV1, VP8 and VP9 (key frames), AC-3,
/// Enhanced AC-3 and FLAC.
#[must_use]
pub fn config_in_band(codec: CodecId, access_unit: &Bytes) -> Option<Bytes> {
    match codec {
        CodecId::H264 => AvcConfig::from_access_unit(access_unit).map(|c| c.write()),
        CodecId::H265 => HevcConfig::from_access_unit(access_unit).map(|c| c.write()),
        CodecId::Av1 => Av1Config::from_temporal_unit(access_unit).map(|c| c.write()),
        CodecId::Vp9 => VpcConfig::from_key_frame(access_unit).map(|c| c.write()),
        CodecId::Vp8 => VpcConfig::from_vp8_key_frame(access_unit).map(|c| c.write()),
        CodecId::Ac3 => Ac3Config::from_frame(access_unit).map(|c| c.write()),
        CodecId::Eac3 => Eac3Config::from_access_unit(access_unit).map(|c| c.write()),
        CodecId::Flac => FlacConfig::from_frame(access_unit).map(|c| c.write()),
        _ => None,
    }
}

/// Describes a track from one of its frames, for senders that tell no configuration: [`describe`] with the record that the
/// frame makes ([`config_in_band`]), completed by what only the frame tells (the size of VP8 and VP9 pictures, the sound
/// of MP3, the length of Enhanced AC-3 frames).
///
/// Nothing when the frame does not tell enough: a delta frame, an access unit without parameter sets, damaged bytes, and
/// raw AAC and H.266, which need their record from elsewhere. Codecs that have neither record nor header (Opus in mono or
/// stereo, G.711, motion JPEG, text, data) are described by what they are by default, whatever the frame holds.
#[must_use]
pub fn describe_frame(id: TrackId, codec: CodecId, frame: &Bytes) -> Option<TrackInfo> {
    let config = match codec {
        CodecId::Aac | CodecId::H266 => return None,
        CodecId::H264
        | CodecId::H265
        | CodecId::Av1
        | CodecId::Vp8
        | CodecId::Vp9
        | CodecId::Ac3
        | CodecId::Eac3
        | CodecId::Flac => config_in_band(codec, frame)?,
        _ => Bytes::new(),
    };
    let mut info = describe(id, codec, config).ok()?;
    if let (Some(video), Some((width, height))) = (&mut info.video, key_frame_size(codec, frame)) {
        (video.width, video.height) = (width, height);
    }
    match codec {
        CodecId::Mp3 => {
            let header = mp3::FrameHeader::parse(frame).ok()?;
            info.audio = Some(header.audio_info());
            info.codec_string = Some(header.codec_string().to_owned());
        }
        CodecId::Eac3 => info.audio = frame_audio(codec, frame).or(info.audio),
        _ => {}
    }
    Some(info)
}

/// Rate, channels and samples of this very frame, for codecs whose every frame tells them: MP3, AC-3, Enhanced AC-3, and
/// FLAC where the rate does not stand in STREAMINFO only. Nothing for other codecs and for damaged frames.
///
/// Allocates nothing, so that a demuxer can look at each frame for a change that calls for [`describe_frame`]. The last
/// frame of a FLAC stream is shorter; that is no change.
#[must_use]
pub fn frame_audio(codec: CodecId, frame: &[u8]) -> Option<AudioInfo> {
    match codec {
        CodecId::Mp3 => Some(mp3::FrameHeader::parse(frame).ok()?.audio_info()),
        CodecId::Ac3 | CodecId::Eac3 => Some(ac3::AccessUnit::first(frame)?.audio_info()),
        CodecId::Flac => {
            let header = flac::FrameHeader::parse(frame).ok()?;
            Some(AudioInfo {
                sample_rate: header.sample_rate?,
                channels: u16::from(header.channels),
                frame_samples: header.block_size,
            })
        }
        _ => None,
    }
}

/// The picture's size where no configuration record has it: from a VP8 (RFC 6386 §9.1) or VP9 key frame.
#[must_use]
pub fn key_frame_size(codec: CodecId, packet: &[u8]) -> Option<(u32, u32)> {
    match codec {
        CodecId::Vp8 => {
            let picture = vp8::FrameHeader::parse(packet).ok()?.picture?;
            Some((picture.width, picture.height))
        }
        CodecId::Vp9 => {
            let picture = vp9::FrameHeader::parse(vp9::frames(packet).next()?)
                .ok()?
                .picture?;
            Some((picture.width, picture.height))
        }
        _ => None,
    }
}

/// RFC 6381 strings of codecs that need no configuration to know it. FLAC and Opus go by the lower-case names that
/// Media Source implementations and FFmpeg's manifests use for `fLaC` and `Opus`.
const fn fixed_codec_string(codec: CodecId) -> Option<&'static str> {
    match codec {
        CodecId::Vp8 => Some("vp8"),
        CodecId::Mjpeg => Some("mp4v.6C"),
        CodecId::Mpeg2Video => Some("mp4v.61"),
        CodecId::Opus => Some("opus"),
        // MPEG-1 audio; that of lower rates is "mp4a.69", which the first frame tells.
        CodecId::Mp3 => Some("mp4a.6B"),
        CodecId::Ac3 => Some("ac-3"),
        CodecId::Eac3 => Some("ec-3"),
        CodecId::Flac => Some("flac"),
        CodecId::Pcma => Some("alaw"),
        CodecId::Pcmu => Some("ulaw"),
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
        CodecId::Pcma | CodecId::Pcmu => Some(g711::DEFAULT),
        _ => None,
    }
}
