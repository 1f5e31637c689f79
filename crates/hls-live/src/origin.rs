//! The origin: takes a request apart and finds its answer in a snapshot.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{MediaKind, TrackId};
use segmenter::{Location, Segment, Snapshot, TrackWindow};

use crate::answer::reached;
use crate::cache::{Cache, Key};
use crate::directives::Directives;
use crate::names::{self, File, Name};
use crate::query::Suffix;
use crate::{Answer, Condition, Config, Refusal, Request, media, multivariant};

/// `application/vnd.apple.mpegurl` (rfc8216bis §10).
const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";

/// The LL-HLS origin of one stream.
#[derive(Debug)]
pub struct Origin {
    config: Config,
    cache: Cache,
    media_cache_control: Cow<'static, str>,
}

impl Origin {
    /// An origin with nothing rendered yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let age = config.media_max_age.as_secs();
        Self {
            media_cache_control: Cow::Owned(format!("max-age={age}, immutable")),
            config,
            cache: Cache::default(),
        }
    }

    /// The answer to `request` as things stand in `snapshot`. After [`Answer::Wait`] ask again with the same request.
    #[must_use]
    pub fn respond(&self, snapshot: &Snapshot, request: &Request<'_>, now: Instant) -> Answer {
        let answer = match Name::parse(request.path) {
            None => Err(Refusal::new(404, "no such resource")),
            Some(Name::Multivariant) => self.multivariant(snapshot, request, now),
            Some(Name::Track(letter, id, file)) => match (served(snapshot, letter, id), file) {
                (Some(track), File::Playlist) => self.playlist(snapshot, track, request, now),
                (Some(track), file) => self.media(snapshot, track, file, request, now),
                // A player that knows its URLs may come back before the stream does.
                (None, File::Playlist) if snapshot.tracks.is_empty() => {
                    self.wait_for_start(snapshot, request, now)
                }
                (None, _) => Err(Refusal::new(404, "no such track")),
            },
        };
        answer.unwrap_or_else(Answer::Refused)
    }

    fn multivariant(
        &self,
        snapshot: &Snapshot,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let suffix = self.suffix(request)?;
        let any = snapshot.tracks.iter().any(|t| is_playable(snapshot, t));
        if !any || !(snapshot.ready || snapshot.ended) {
            return self.wait_for_start(snapshot, request, now);
        }
        let key = Key {
            track: None,
            plain: false,
            skip: false,
            query: &suffix.playlists,
        };
        let body = self.cache.body(snapshot.version, &key, || {
            multivariant::render(snapshot, &suffix)
        });
        let age = max_age(half(snapshot.target_duration_s));
        Ok(playlist_answer(&body, request, age))
    }

    fn playlist(
        &self,
        snapshot: &Snapshot,
        track: &TrackWindow,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let suffix = self.suffix(request)?;
        // Directives mean nothing once the list is final (§6.2.5.2), however they are spelt.
        let directives = match Directives::parse(request.query) {
            Err(_) if snapshot.ended => Directives::default(),
            other => other?,
        };
        if !is_playable(snapshot, track) {
            return self.wait_for_start(snapshot, request, now);
        }
        let mut age = half(snapshot.target_duration_s);
        if let Some(msn) = directives
            .msn
            .filter(|_| !snapshot.ended && !directives.plain)
        {
            self.check_ahead(snapshot, track, msn, directives.part)?;
            if !reached(track, msn, directives.part) {
                let until = match directives.part {
                    None => Condition::Segment {
                        track: track.id,
                        msn,
                    },
                    Some(part) => Condition::Part {
                        track: track.id,
                        msn,
                        part,
                    },
                };
                return wait(snapshot, request, now, until)
                    .ok_or(Refusal::new(503, "the stream stalled").retry(1));
            }
            if msn >= track.first_msn() {
                // The URL names a state that stays answered by this list or a newer one.
                age = snapshot.target_duration_s.saturating_mul(6);
            }
        }
        let key = Key {
            track: Some(track.id),
            plain: directives.plain,
            skip: directives.skip,
            query: &suffix.playlists,
        };
        let body = self.cache.body(snapshot.version, &key, || {
            media::render(
                snapshot,
                track,
                &media::Options {
                    config: &self.config,
                    suffix: &suffix,
                    plain: directives.plain,
                    skip: directives.skip,
                },
            )
        });
        Ok(playlist_answer(&body, request, max_age(age)))
    }

    /// Refuses what lies too far ahead to wait for (§6.2.5.2): more than two segments, or more parts than the Advance
    /// Part Limit.
    fn check_ahead(
        &self,
        snapshot: &Snapshot,
        track: &TrackWindow,
        msn: u64,
        part: Option<u32>,
    ) -> Result<(), Refusal> {
        const FAR: Refusal = Refusal::new(400, "too far ahead of the live edge");
        let last = track.last().map_or(track.next_msn, |s| s.msn);
        if msn > last.saturating_add(2) {
            return Err(FAR);
        }
        // What left the window is answered, not refused (§6.2.5.2).
        let Some(part) = part.filter(|_| msn >= track.first_msn()) else {
            return Ok(());
        };
        let target = snapshot.part_target.as_nanos().max(1);
        let limit = if target < 1_000_000_000 {
            u64::try_from((3_000_000_000 + target - 1) / target).unwrap_or(3)
        } else {
            3
        };
        let have = match track.open.as_ref().filter(|o| o.msn == msn) {
            Some(open) => open.parts.len() as u64,
            // Parts behind the end of a complete segment stand for those of the next one.
            None => track
                .segment(msn)
                .map_or(0, |s| (s.parts.len() as u64).max(1)),
        };
        // The last part there is has index `have - 1`.
        if (u64::from(part) + 1).saturating_sub(have) > limit {
            return Err(FAR);
        }
        Ok(())
    }

    fn media(
        &self,
        snapshot: &Snapshot,
        track: &TrackWindow,
        file: File,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let content_type = match track.info.kind() {
            MediaKind::Audio => "audio/mp4",
            _ => "video/mp4",
        };
        let (etag, place) = match file {
            File::Playlist => return Err(Refusal::new(404, "no such resource")),
            File::Init { id, hash } => {
                let init = track
                    .init(id)
                    .filter(|i| names::hash(&i.bytes) == hash)
                    .ok_or(Refusal::new(404, "no such init segment"))?;
                (
                    format!("\"i{id}-{hash:08x}\""),
                    Place::Memory(vec![init.bytes.clone()]),
                )
            }
            File::Segment { msn } => {
                let segment = track.segment(msn).ok_or_else(|| missing(track, msn))?;
                if segment.gap {
                    return Err(GAP);
                }
                if !segment.complete {
                    let until = Condition::Segment {
                        track: track.id,
                        msn,
                    };
                    return wait(snapshot, request, now, until).ok_or(GIVEN_UP);
                }
                (etag(segment, None), whole(segment))
            }
            File::Part { msn, part } => {
                let segment = track.segment(msn);
                let found =
                    segment.and_then(|s| Some((s, s.parts.iter().find(|p| p.index == part)?)));
                match found {
                    Some((_, p)) if p.gap => return Err(GAP),
                    Some((s, p)) => (
                        etag(s, Some(part)),
                        match &s.location {
                            Location::Memory => Place::Memory(p.slices.to_vec()),
                            Location::Stored(key) => Place::Stored(
                                Arc::clone(key),
                                p.offset..p.offset.saturating_add(p.len),
                            ),
                        },
                    ),
                    // The one part that was hinted and is still to come (§6.2.6).
                    None if track.next_part() == (msn, part) && !snapshot.ended => {
                        let until = Condition::Part {
                            track: track.id,
                            msn,
                            part,
                        };
                        return wait(snapshot, request, now, until).ok_or(GIVEN_UP);
                    }
                    None => return Err(missing(track, msn)),
                }
            }
        };
        let cache_control = self.media_cache_control.clone();
        if request.has(&etag) {
            return Ok(Answer::NotModified {
                etag,
                cache_control,
            });
        }
        Ok(match place {
            Place::Memory(slices) => Answer::Media {
                len: slices.iter().map(|s| s.len() as u64).sum(),
                slices,
                content_type,
                cache_control,
                etag,
            },
            Place::Stored(key, range) => Answer::Stored {
                key,
                range,
                content_type,
                cache_control,
                etag,
            },
        })
    }

    fn suffix(&self, request: &Request<'_>) -> Result<Suffix, Refusal> {
        if request
            .query
            .is_some_and(|q| q.len() > self.config.query_bytes)
        {
            return Err(Refusal::new(400, "the query is too long"));
        }
        Ok(Suffix::of(request.query))
    }

    /// A stream that has just begun gets a moment to make its first segments.
    fn wait_for_start(
        &self,
        snapshot: &Snapshot,
        request: &Request<'_>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let deadline = request.arrived + self.config.start_wait;
        if snapshot.ended {
            return Err(Refusal::new(404, "the stream ended without media"));
        }
        if now >= deadline {
            return Err(Refusal::new(503, "the stream has no segment yet").retry(1));
        }
        Ok(Answer::Wait {
            until: Condition::Ready,
            deadline,
        })
    }
}

/// Where the bytes of an answer are.
enum Place {
    Memory(Vec<Bytes>),
    Stored(Arc<str>, std::ops::Range<u64>),
}

const GAP: Refusal = Refusal::new(404, "a gap has no media");
const GIVEN_UP: Refusal = Refusal::new(404, "it did not come");

/// The track of a folder, when the letter is that of its kind.
fn served(snapshot: &Snapshot, letter: char, id: TrackId) -> Option<&Arc<TrackWindow>> {
    snapshot
        .track(id)
        .filter(|t| names::letter(t.info.kind()) == Some(letter))
}

fn is_playable(snapshot: &Snapshot, track: &TrackWindow) -> bool {
    snapshot.target_duration_s > 0 && !track.closed.is_empty()
}

/// A number before the oldest segment is gone for good, any other is not there.
fn missing(track: &TrackWindow, msn: u64) -> Refusal {
    let oldest = track.retained.first().or(track.closed.first());
    if oldest.is_some_and(|s| msn < s.msn) {
        Refusal::new(410, "it left the window")
    } else {
        Refusal::new(404, "no such segment or part")
    }
}

/// Waiting ends three target durations after the request arrived; `None` then.
fn wait(
    snapshot: &Snapshot,
    request: &Request<'_>,
    now: Instant,
    until: Condition,
) -> Option<Answer> {
    let most = Duration::from_secs(3 * u64::from(snapshot.target_duration_s.max(1)));
    let deadline = request.arrived + most;
    (now < deadline).then_some(Answer::Wait { until, deadline })
}

fn whole(segment: &Segment) -> Place {
    match &segment.location {
        Location::Stored(key) => Place::Stored(Arc::clone(key), 0..segment.len),
        Location::Memory => Place::Memory(
            segment
                .parts
                .iter()
                .flat_map(|p| p.slices.iter().cloned())
                .collect(),
        ),
    }
}

/// Numbers are never used again, so number, start and place say which bytes these are.
fn etag(segment: &Segment, part: Option<u32>) -> String {
    let Segment {
        msn, start_ticks, ..
    } = segment;
    match part {
        None => format!("\"{msn}-{start_ticks:x}-{:x}\"", segment.len),
        Some(part) => format!("\"{msn}.{part}-{start_ticks:x}\""),
    }
}

fn playlist_answer(
    body: &crate::cache::Body,
    request: &Request<'_>,
    cache_control: Cow<'static, str>,
) -> Answer {
    let packed = if request.accept_gzip {
        body.gzip()
    } else {
        None
    };
    // The two forms are two representations, with a strong tag each.
    let etag = match &packed {
        Some(_) => format!("{}-gz\"", body.etag.trim_end_matches('"')),
        None => body.etag.clone(),
    };
    if request.has(&etag) {
        return Answer::NotModified {
            etag,
            cache_control,
        };
    }
    Answer::Playlist {
        gzip: packed.is_some(),
        body: packed.unwrap_or_else(|| body.text.clone()),
        etag,
        cache_control,
        content_type: PLAYLIST_TYPE,
    }
}

/// Half a target duration in whole seconds: how old a plain list may get in a cache (rule of thumb of §B.1).
const fn half(target_duration_s: u32) -> u32 {
    target_duration_s / 2
}

fn max_age(seconds: u32) -> Cow<'static, str> {
    match seconds {
        0 => Cow::Borrowed("no-cache"),
        n => Cow::Owned(format!("max-age={n}")),
    }
}
