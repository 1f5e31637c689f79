//! The protocol version a playlist needs (§8).

use crate::{Define, Media, MediaPlaylist, MediaType, Method, MultivariantPlaylist, Segment};

impl MediaPlaylist {
    /// The lowest `EXT-X-VERSION` a client must know to play this.
    #[must_use]
    pub fn required_version(&self) -> u32 {
        let mut need = defines(&self.defines);
        if let Some(skip) = &self.skip {
            need = need.max(9);
            if !skip.recently_removed_date_ranges.is_empty() {
                need = need.max(10);
            }
        }
        if self.i_frames_only {
            need = need.max(4);
        }
        for segment in self.segments.iter().chain(self.open.as_deref()) {
            need = need.max(segment_version(segment, self.i_frames_only));
        }
        need
    }
}

impl MultivariantPlaylist {
    /// The lowest `EXT-X-VERSION` a client must know to play this.
    #[must_use]
    pub fn required_version(&self) -> u32 {
        let mut need = defines(&self.defines);
        for media in &self.media {
            need = need.max(instream(media));
        }
        let variants = self.variants.iter().chain(&self.i_frame_variants);
        if variants.clone().any(|v| {
            v.req_video_layout.is_some() || v.extra.iter().any(|a| a.name.starts_with("REQ-"))
        }) {
            need = need.max(12);
        }
        need
    }
}

fn defines(defines: &[Define]) -> u32 {
    let one = |d: &Define| match d {
        Define::QueryParam(_) => 11,
        _ => 8,
    };
    defines.iter().map(one).max().unwrap_or(1)
}

fn segment_version(segment: &Segment, i_frames_only: bool) -> u32 {
    let mut need = 1;
    if segment.duration.as_nanos() % 1_000_000_000 != 0 {
        need = 3;
    }
    if segment.byte_range.is_some() {
        need = need.max(4);
    }
    if segment.map.is_some() {
        need = need.max(if i_frames_only { 5 } else { 6 });
    }
    for key in segment.keys.iter() {
        if key.iv.is_some() {
            need = need.max(2);
        }
        if key.key_format.is_some()
            || key.key_format_versions.is_some()
            || matches!(key.method, Method::SampleAes | Method::SampleAesCtr)
        {
            need = need.max(5);
        }
    }
    need
}

/// SERVICE values came with version 7, other types with an INSTREAM-ID with version 13.
fn instream(media: &Media) -> u32 {
    match (&media.instream_id, media.kind) {
        (None, _) => 1,
        (Some(_), kind) if kind != MediaType::ClosedCaptions => 13,
        (Some(id), _) if id.starts_with("SERVICE") => 7,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use core_frame::MediaTime;

    use super::*;
    use crate::{ByteRange, Key, Map, Skip};

    #[test]
    fn is_no_higher_than_the_tags_need() {
        let mut list = MediaPlaylist {
            segments: vec![Segment {
                duration: MediaTime::from_secs(4),
                ..Segment::default()
            }],
            ..MediaPlaylist::default()
        };
        assert_eq!(list.required_version(), 1);
        let mut key = Key::new(Method::Aes128, "k");
        key.iv = Some([0; 16]);
        list.segments[0].keys = Arc::from([key]);
        assert_eq!(list.required_version(), 2);
        list.segments[0].duration = MediaTime::from_millis(4_100);
        assert_eq!(list.required_version(), 3);
        list.segments[0].byte_range = Some(ByteRange::new(0, 1));
        assert_eq!(list.required_version(), 4);
        list.segments[0].keys = Arc::from([Key::new(Method::SampleAes, "k")]);
        assert_eq!(list.required_version(), 5);
        list.segments[0].map = Some(Arc::new(Map::default()));
        assert_eq!(list.required_version(), 6);
        list.defines = vec![Define::Import("a".into())];
        assert_eq!(list.required_version(), 8);
        let mut skip = Skip::default();
        list.skip = Some(skip.clone());
        assert_eq!(list.required_version(), 9);
        skip.recently_removed_date_ranges = vec!["x".into()];
        list.skip = Some(skip);
        assert_eq!(list.required_version(), 10);
        list.defines = vec![Define::QueryParam("a".into())];
        assert_eq!(list.required_version(), 11);
    }
}
