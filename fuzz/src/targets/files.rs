//! Playlists, boxes and names.

use core_frame::{Limits, StreamKey};

/// Playlists; what was read can be written and read again.
pub fn m3u8(data: &[u8]) {
    let _ = m3u8::parse(data, &m3u8::ParseOptions::default());
    let _ = m3u8::parse(data, &m3u8::ParseOptions::strict());
}

/// ISO base media, cut by its first byte.
pub fn mp4_boxes(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut reader = cmaf::read::Reader::new(&Limits::default());
    for part in rest.chunks(usize::from(*first).max(1) * 64) {
        reader.push(part);
        while let Ok(Some(event)) = reader.next_event() {
            drop(event);
        }
    }
}

/// Names of streams; what is accepted is safe.
pub fn stream_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = StreamKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert!(!text.chars().any(char::is_control));
        assert!(
            text.split('/')
                .all(|s| !s.is_empty() && s != "." && s != "..")
        );
    }
}
