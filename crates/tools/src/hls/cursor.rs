//! The walk along a media playlist: where players begin, and what they want next.

use std::sync::Arc;

use core_frame::{MediaTime, WallTime};
use m3u8::{ByteRange, Map, MediaPlaylist};
use reqwest::Url;

/// Where a player is in a media playlist: the next thing it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) sequence: u64,
    /// The next part of that segment; 0 for the segment as a whole.
    pub(crate) part: usize,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Item(Item),
    /// So many segments have left the list before they were loaded.
    Lost(u64),
    /// It is marked as missing.
    Gap,
    /// Not there yet.
    Wait,
    /// The list has ended.
    End,
}

/// A segment or part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) uri: String,
    pub(crate) range: Option<ByteRange>,
    pub(crate) map: Option<Arc<Map>>,
    pub(crate) duration: MediaTime,
    pub(crate) is_encrypted: bool,
    /// Wall-clock time of its first sample, where told.
    pub(crate) wall: Option<WallTime>,
}

impl Cursor {
    /// Where a player begins: at a live list so far from its end as the server asks for, else at its beginning. With
    /// parts at one that can be decoded by itself.
    pub(crate) fn start(list: &MediaPlaylist) -> Self {
        let beginning = Self {
            sequence: list.first_listed(),
            part: 0,
        };
        if list.end_list {
            return beginning;
        }
        let control = list.server_control.unwrap_or_default();
        let target = MediaTime::from_secs(i64::try_from(list.target_duration).unwrap_or(i64::MAX));
        let (hold, has_parts) = match list.part_target {
            Some(part) => (control.part_hold_back.unwrap_or(part + part + part), true),
            None => (control.hold_back.unwrap_or(target + target + target), false),
        };
        let open = list.open.as_deref().filter(|_| has_parts);
        let all = list
            .sequenced()
            .chain(open.map(|o| (list.next_sequence(), o)));
        let mut left = hold;
        for (sequence, segment) in all.collect::<Vec<_>>().into_iter().rev() {
            if !has_parts || segment.parts.is_empty() {
                left -= segment.duration;
                if left <= MediaTime::ZERO {
                    return Self { sequence, part: 0 };
                }
                continue;
            }
            for (part, p) in segment.parts.iter().enumerate().rev() {
                left -= p.duration;
                if left <= MediaTime::ZERO && (p.independent || part == 0) {
                    return Self { sequence, part };
                }
            }
        }
        beginning
    }

    /// What is next in this list. The cursor does not move by it.
    pub(crate) fn next(&self, list: &MediaPlaylist) -> Next {
        let first = list.first_listed();
        if self.sequence < first {
            return Next::Lost(first - self.sequence);
        }
        if let Some(segment) = list.segment(self.sequence) {
            let wall = list
                .program_date_times()
                .nth(usize::try_from(self.sequence - first).unwrap_or(usize::MAX))
                .flatten();
            if self.part == 0 {
                if segment.gap {
                    return Next::Gap;
                }
                return Next::Item(Item {
                    uri: segment.uri.clone(),
                    range: segment.byte_range,
                    map: segment.map.clone(),
                    duration: segment.duration,
                    is_encrypted: !segment.keys.is_empty(),
                    wall,
                });
            }
            return match segment.parts.get(self.part) {
                Some(_) => part(segment, self.part, wall),
                // The parts of a finished segment are gone: go on with the next one.
                None => Self {
                    sequence: self.sequence.saturating_add(1),
                    part: 0,
                }
                .next(list),
            };
        }
        if let Some(open) = &list.open
            && self.sequence == list.next_sequence()
            && open.parts.len() > self.part
        {
            return part(open, self.part, open.program_date_time);
        }
        if list.end_list { Next::End } else { Next::Wait }
    }

    /// Behind the item that [`Cursor::next`] gave in this list.
    pub(crate) fn advance(&mut self, list: &MediaPlaylist) {
        let segment = list.segment(self.sequence);
        let parts = segment.map_or(0, |s| s.parts.len());
        match segment {
            // Taken as a whole, or its last part.
            Some(_) if self.part == 0 || self.part + 1 == parts => {
                *self = Self {
                    sequence: self.sequence.saturating_add(1),
                    part: 0,
                };
            }
            // Its parts left the list: `next` gave the segment behind it.
            Some(_) if self.part >= parts => {
                *self = Self {
                    sequence: self.sequence.saturating_add(2),
                    part: 0,
                };
            }
            _ => self.part += 1,
        }
    }

    /// The address to reload a live list at, so that the answer has what is wanted next (LL-HLS blocking reload).
    pub(crate) fn reload(&self, list: &MediaPlaylist, url: &Url) -> Option<Url> {
        if !list.server_control.as_ref()?.can_block_reload {
            return None;
        }
        let mut url = url.clone();
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(k, _)| !k.starts_with("_HLS_"))
            .map(|(k, v)| (k.into_owned(), v.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair("_HLS_msn", &self.sequence.to_string());
        if list.part_target.is_some() {
            url.query_pairs_mut()
                .append_pair("_HLS_part", &self.part.to_string());
        }
        Some(url)
    }
}

fn part(segment: &m3u8::Segment, at: usize, wall: Option<WallTime>) -> Next {
    let Some(p) = segment.parts.get(at) else {
        return Next::Wait;
    };
    if p.gap {
        return Next::Gap;
    }
    let before = segment.parts.iter().take(at);
    let offset = before.fold(MediaTime::ZERO, |sum, p| sum + p.duration);
    Next::Item(Item {
        uri: p.uri.clone(),
        range: p.byte_range,
        map: segment.map.clone(),
        duration: p.duration,
        is_encrypted: !segment.keys.is_empty(),
        wall: wall.map(|w| w.offset(offset)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use m3u8::ParseOptions;

    const LIVE: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:10\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n\
        #EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\n10.m4s\n\
        #EXT-X-PART:DURATION=0.5,URI=\"11.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"11.1.m4s\"\n\
        #EXT-X-PART:DURATION=0.5,URI=\"11.2.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"11.3.m4s\"\n#EXTINF:2,\n11.m4s\n\
        #EXT-X-PART:DURATION=0.5,URI=\"12.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"12.1.m4s\"\n";

    fn list(text: &str) -> MediaPlaylist {
        m3u8::parse_media(text.as_bytes(), &ParseOptions::default())
            .unwrap()
            .playlist
    }

    fn uri(next: Next) -> String {
        match next {
            Next::Item(item) => item.uri,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn walks_over_segments_and_parts() {
        let live = list(LIVE);
        let mut cursor = Cursor::start(&live);
        // 1.5 s from the end is part 11.3; the one before it that stands alone is 11.0.
        assert_eq!(
            cursor,
            Cursor {
                sequence: 11,
                part: 0
            }
        );
        let mut walked = Vec::new();
        loop {
            match cursor.next(&live) {
                Next::Item(item) => walked.push(item.uri),
                other => break assert_eq!(other, Next::Wait),
            }
            cursor.advance(&live);
        }
        assert_eq!(walked, ["11.m4s", "12.0.m4s", "12.1.m4s"]);
        assert_eq!(
            cursor,
            Cursor {
                sequence: 12,
                part: 2
            }
        );
        let base = Url::parse("http://h/a/index.m3u8?token=x&_HLS_msn=3").unwrap();
        assert_eq!(
            cursor.reload(&live, &base).unwrap().as_str(),
            "http://h/a/index.m3u8?token=x&_HLS_msn=12&_HLS_part=2"
        );
        // The segment was finished meanwhile, with one more part.
        let later = list(&format!(
            "{LIVE}#EXT-X-PART:DURATION=0.5,URI=\"12.2.m4s\"\n#EXTINF:1.5,\n12.m4s\n\
             #EXT-X-PART:DURATION=0.5,URI=\"13.0.m4s\",INDEPENDENT=YES\n"
        ));
        assert_eq!(uri(cursor.next(&later)), "12.2.m4s");
        cursor.advance(&later);
        assert_eq!(uri(cursor.next(&later)), "13.0.m4s");
    }

    #[test]
    fn parts_that_left_the_list_are_stepped_over() {
        let mut cursor = Cursor {
            sequence: 10,
            part: 4,
        };
        let live = list(LIVE);
        assert_eq!(uri(cursor.next(&live)), "11.m4s");
        cursor.advance(&live);
        assert_eq!(uri(cursor.next(&live)), "12.0.m4s");
        let lost = Cursor {
            sequence: 7,
            part: 1,
        };
        assert_eq!(lost.next(&live), Next::Lost(3));
    }

    #[test]
    fn begins_where_players_begin() {
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n".to_owned();
        for n in 0..10 {
            text.push_str(&format!("#EXTINF:2,\n{n}.m4s\n"));
        }
        let live = list(&text);
        assert_eq!(Cursor::start(&live).sequence, 7);
        let ended = list(&format!("{text}#EXT-X-ENDLIST\n"));
        assert_eq!(Cursor::start(&ended).sequence, 0);
        let end = Cursor {
            sequence: 10,
            part: 0,
        };
        assert_eq!((end.next(&live), end.next(&ended)), (Next::Wait, Next::End));
    }
}
