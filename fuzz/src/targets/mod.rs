//! The bodies of the fuzz targets: bytes in, no panic out, and what else must hold. Shared by the fuzzer and by the test
//! that replays the seeds.

mod codecs;
mod files;
pub(crate) mod input;
mod rtmp;
mod rtmp_server;
mod rtmp_words;
mod tags;

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// Targets by the name of their file in `fuzz_targets/` and of their folder in `seeds/`.
pub const ALL: &[Target] = &[
    ("aac_asc_adts", codecs::aac_asc_adts),
    ("ac3_units", codecs::ac3_units),
    ("amf0", tags::amf0),
    ("amf3", tags::amf3),
    ("av1_obu", codecs::av1_obu),
    ("codec_config", codecs::codec_config),
    ("describe_frame", codecs::describe_frame),
    ("flac_config", codecs::flac_config),
    ("flv_file", tags::flv_file),
    ("flv_layout", tags::flv_layout),
    ("flv_message", tags::flv_message),
    ("flv_tag", tags::flv_tag),
    ("h264_avcc_annexb", codecs::h264_avcc_annexb),
    ("h264_sps", codecs::h264_sps),
    ("h265_vps_sps_pps", codecs::h265_vps_sps_pps),
    ("m3u8", files::m3u8),
    ("mp3_frames", codecs::mp3_frames),
    ("mp4_boxes", files::mp4_boxes),
    ("opus_head", codecs::opus_head),
    ("rtmp_chunk", rtmp::rtmp_chunk),
    ("rtmp_client_session", rtmp::rtmp_client_session),
    ("rtmp_message", rtmp::rtmp_message),
    ("rtmp_server_bytes", rtmp::rtmp_server_bytes),
    ("rtmp_server_session", rtmp_server::rtmp_server_session),
    ("scte35_script", tags::scte35_script),
    ("stream_name", files::stream_name),
    ("vp9_header", codecs::vp9_header),
];
