//! H.264 and AAC in RTMP message bodies.

use core_frame::{CodecId, MediaFrame, MediaTime, TrackInfo};

/// A video body, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTag<'a> {
    /// A key frame.
    pub key: bool,
    /// The decoder configuration and not a picture.
    pub config: bool,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// An audio body, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioTag<'a> {
    /// The decoder configuration and not sound.
    pub config: bool,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Whole milliseconds, cut off, as encoders do.
pub(crate) fn millis(time: MediaTime) -> u32 {
    time.as_nanos().div_euclid(1_000_000) as u32
}

/// Video body of an H.264 frame.
#[must_use]
pub fn video_body(frame: &MediaFrame) -> Vec<u8> {
    let kind = if frame.is_keyframe() { 0x17 } else { 0x27 };
    let composition = millis(frame.pts)
        .wrapping_sub(millis(frame.dts))
        .to_be_bytes();
    let mut body = vec![kind, 1, composition[1], composition[2], composition[3]];
    body.extend_from_slice(&frame.payload);
    body
}

/// Audio body of an AAC frame.
#[must_use]
pub fn audio_body(frame: &MediaFrame) -> Vec<u8> {
    let mut body = vec![0xAF, 1];
    body.extend_from_slice(&frame.payload);
    body
}

/// Message type and body of the sequence header of each H.264 and AAC track.
#[must_use]
pub fn sequence_headers(tracks: &[TrackInfo]) -> Vec<(u8, Vec<u8>)> {
    let headers = tracks.iter().filter_map(|track| {
        let (kind, mut body) = match track.codec {
            CodecId::H264 => (9, vec![0x17, 0, 0, 0, 0]),
            CodecId::Aac => (8, vec![0xAF, 0]),
            _ => return None,
        };
        body.extend_from_slice(&track.config);
        Some((kind, body))
    });
    headers.collect()
}

/// Takes an H.264 body apart; `None` for other codecs and for what is too short.
#[must_use]
pub fn unwrap_video(body: &[u8]) -> Option<VideoTag<'_>> {
    let (head, payload) = body.split_first_chunk::<5>()?;
    (head[0] & 0x8F == 7).then_some(VideoTag {
        key: head[0] >> 4 == 1,
        config: head[1] == 0,
        payload,
    })
}

/// Takes an AAC body apart; `None` for other codecs and for what is too short.
#[must_use]
pub fn unwrap_audio(body: &[u8]) -> Option<AudioTag<'_>> {
    let (head, payload) = body.split_first_chunk::<2>()?;
    (head[0] >> 4 == 10).then_some(AudioTag {
        config: head[1] == 0,
        payload,
    })
}
