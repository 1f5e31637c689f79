//! `parse(write(x)) == x` for every playlist the model can hold.

use std::sync::Arc;

use bytes::Bytes;
use core_frame::{MediaTime, WallTime};
use millstream_m3u8::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._/?=&-]{0,11}"
}

/// Anything a quoted string can hold, but a variable reference.
fn quoted() -> impl Strategy<Value = String> {
    "[ -!#-z|~äé€,=]{0,12}"
}

fn time() -> impl Strategy<Value = MediaTime> {
    prop_oneof![
        (0i64..100).prop_map(MediaTime::from_secs),
        (0i64..100_000_000_000).prop_map(MediaTime::from_nanos),
    ]
}

fn date() -> impl Strategy<Value = WallTime> {
    (0i128..4_000_000_000_000_000_000).prop_map(WallTime::from_unix_nanos)
}

fn range() -> impl Strategy<Value = ByteRange> {
    (any::<u32>(), any::<u32>()).prop_map(|(o, l)| ByteRange::new(o.into(), l.into()))
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Aes128),
        Just(Method::SampleAes),
        Just(Method::SampleAesCtr),
        Just(Method::Other("X-OWN".into())),
    ]
}

/// At most one key of each format.
fn keys() -> impl Strategy<Value = Arc<[Key]>> {
    let one = (
        method(),
        of(word()),
        any::<Option<[u8; 16]>>(),
        of(quoted()),
    );
    prop_oneof![
        Just(Arc::default()),
        (vec(one, 1..4), any::<u8>()).prop_map(|(list, rotate)| {
            let formats = [None, Some("com.a"), Some("com.b"), Some("com.c")];
            list.into_iter()
                .enumerate()
                .map(|(i, (method, uri, iv, versions))| Key {
                    method,
                    uri,
                    iv,
                    key_format: formats[(i + usize::from(rotate)) % 4].map(Into::into),
                    key_format_versions: versions,
                })
                .collect()
        }),
    ]
}

fn map() -> impl Strategy<Value = Arc<Map>> {
    (word(), of(range())).prop_map(|(uri, byte_range)| Arc::new(Map { uri, byte_range }))
}

fn part() -> impl Strategy<Value = Part> {
    (word(), time(), any::<bool>(), of(range()), any::<bool>()).prop_map(
        |(uri, duration, independent, byte_range, gap)| Part {
            uri,
            duration,
            independent,
            byte_range,
            gap,
        },
    )
}

fn unknown() -> impl Strategy<Value = Vec<String>> {
    vec("#EXT-X-VENDOR[A-Z]{0,4}:[a-z0-9=]{1,5}", 0..2)
}

fn segment() -> impl Strategy<Value = Segment> {
    (
        (
            word(),
            time(),
            quoted(),
            of(range()),
            any::<bool>(),
            of(date()),
        ),
        (
            keys(),
            map(),
            any::<bool>(),
            1u64..9_000_000,
            vec(part(), 0..3),
            unknown(),
        ),
    )
        .prop_map(
            |(
                (uri, duration, title, byte_range, discontinuity, date),
                (keys, map, gap, kbps, parts, unknown),
            )| {
                Segment {
                    uri,
                    duration,
                    title: title.trim().to_owned(),
                    byte_range,
                    discontinuity,
                    program_date_time: date,
                    keys,
                    map: Some(map),
                    gap,
                    bitrate_kbps: Some(kbps),
                    parts,
                    unknown,
                }
            },
        )
}

fn attribute() -> impl Strategy<Value = Vec<Attribute>> {
    vec(
        prop_oneof![
            quoted().prop_map(|v| Attribute::quoted("X-A", v)),
            "[0-9]{1,9}".prop_map(|v| Attribute::bare("X-A", v)),
        ],
        0..2,
    )
}

fn date_range() -> impl Strategy<Value = DateRange> {
    let hex = || of(vec(any::<u8>(), 0..9).prop_map(Bytes::from));
    (
        (
            quoted(),
            quoted(),
            of(date()),
            of(word()),
            of(date()),
            of(time()),
            of(time()),
        ),
        (hex(), hex(), hex(), any::<bool>(), attribute()),
    )
        .prop_map(
            |(
                (id, class, start_date, cue, end_date, duration, planned),
                (cmd, out, in_, next, extra),
            )| DateRange {
                id,
                class: Some(class),
                start_date,
                cue,
                end_date,
                duration,
                planned_duration: planned,
                scte35_cmd: cmd,
                scte35_out: out,
                scte35_in: in_,
                end_on_next: next,
                extra,
            },
        )
}

fn control() -> impl Strategy<Value = ServerControl> {
    (
        of(time()),
        any::<bool>(),
        of(time()),
        of(time()),
        any::<bool>(),
    )
        .prop_map(|(skip, dates, hold, part, block)| ServerControl {
            can_skip_until: skip,
            can_skip_date_ranges: dates,
            hold_back: hold,
            part_hold_back: part,
            can_block_reload: block,
        })
}

fn start() -> impl Strategy<Value = Start> {
    (-99_000_000_000i64..99_000_000_000, any::<bool>()).prop_map(|(n, precise)| Start {
        time_offset: MediaTime::from_nanos(n),
        precise,
    })
}

fn defines() -> impl Strategy<Value = Vec<Define>> {
    vec(quoted(), 0..3).prop_map(|values| {
        values
            .into_iter()
            .enumerate()
            .map(|(i, value)| Define::Value {
                name: format!("v{i}"),
                value,
            })
            .collect()
    })
}

prop_compose! {
    fn media()(
        (version, independent_segments, start, defines, target_duration, media_sequence, discontinuity_sequence) in
            (of(1u32..14), any::<bool>(), of(start()), defines(), any::<u64>(), any::<u64>(), any::<Option<u64>>()),
        playlist_type in of(prop_oneof![Just(PlaylistType::Event), Just(PlaylistType::Vod)]),
        (i_frames_only, server_control, part_target, unknown) in
            (any::<bool>(), of(control()), of(time()), unknown()),
        skip in of((any::<u32>(), vec("[a-z ]{1,5}", 0..3), 0usize..5)),
        date_ranges in vec(date_range(), 0..3),
        mut segments in vec(segment(), 0..5),
        open in of((segment(), part())),
        hints in vec((word(), any::<bool>(), any::<u64>(), any::<Option<u64>>()), 0..3),
        reports in vec((word(), any::<Option<u64>>(), any::<Option<u64>>()), 0..3),
        end_list in any::<bool>(),
    ) -> MediaPlaylist {
        let mut open = open.map(|(segment, part)| {
            let mut parts = segment.parts;
            parts.push(part);
            Box::new(Segment {
                uri: String::new(), title: String::new(), duration: MediaTime::ZERO, byte_range: None, parts, ..segment
            })
        });
        let skip = skip.map(|(skipped, removed, inherit)| {
            // What comes before the first tag in the text has nothing of its own.
            let all = segments.len();
            let inherit = if inherit < all { inherit } else { all + 1 };
            for (i, s) in segments.iter_mut().chain(open.as_deref_mut()).enumerate() {
                if i < inherit {
                    (s.keys, s.map, s.bitrate_kbps) = (Arc::default(), None, None);
                }
            }
            Skip {
                skipped_segments: skipped.into(),
                recently_removed_date_ranges: removed.into_iter().map(|r| r.trim().to_owned()).filter(|r| !r.is_empty()).collect(),
                inherit_keys: inherit, inherit_map: inherit, inherit_bitrate: inherit,
            }
        });
        MediaPlaylist {
            version, independent_segments, start, defines, target_duration, media_sequence, discontinuity_sequence,
            playlist_type, i_frames_only, server_control, part_target, unknown, skip, date_ranges, segments, open,
            preload_hints: hints.into_iter().map(|(uri, part, start, length)| PreloadHint {
                kind: if part { HintKind::Part } else { HintKind::Map }, uri, start, length,
            }).collect(),
            rendition_reports: reports.into_iter().map(|(uri, last_msn, last_part)| RenditionReport {
                uri, last_msn, last_part,
            }).collect(),
            end_list,
        }
    }
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (0i64..120_000_000_000).prop_map(Decimal::from_nanos)
}

prop_compose! {
    fn variant(i_frames: bool)(
        (uri, bandwidth, average_bandwidth, score) in (word(), any::<u64>(), any::<Option<u64>>(), of(decimal())),
        strings in proptest::array::uniform10(of(quoted())),
        words in proptest::array::uniform2(of("[A-Z0-9-]{1,8}")),
        resolution in any::<Option<(u64, u64)>>(),
        frame_rate in of(decimal()),
        captions in of(prop_oneof![Just(ClosedCaptions::None), quoted().prop_map(ClosedCaptions::Group)]),
        extra in attribute(),
    ) -> Variant {
        let [codecs, supplemental, cpc, layout, stable, audio, video, subtitles, pathway, name] = strings;
        let [hdcp_level, video_range] = words;
        let full = !i_frames;
        Variant {
            uri, bandwidth, average_bandwidth, score, codecs, supplemental_codecs: supplemental,
            resolution: resolution.map(|(width, height)| Resolution { width, height }),
            frame_rate: frame_rate.filter(|_| full), hdcp_level, allowed_cpc: cpc, video_range, req_video_layout: layout,
            stable_variant_id: stable, audio: audio.filter(|_| full), video, subtitles: subtitles.filter(|_| full),
            closed_captions: captions.filter(|_| full), pathway_id: pathway, name, extra,
        }
    }
}

prop_compose! {
    fn rendition()(
        kind in prop_oneof![
            Just(MediaType::Audio), Just(MediaType::Video), Just(MediaType::Subtitles), Just(MediaType::ClosedCaptions),
        ],
        (group, name) in (quoted(), quoted()),
        strings in proptest::array::uniform7(of(quoted())),
        (default, autoselect, forced) in any::<(bool, bool, bool)>(),
        (bit_depth, sample_rate) in any::<(Option<u64>, Option<u64>)>(),
        extra in attribute(),
    ) -> Media {
        let [uri, language, assoc_language, stable_rendition_id, instream_id, characteristics, channels] = strings;
        Media {
            uri, language, assoc_language, stable_rendition_id, default, autoselect, forced, instream_id, bit_depth,
            sample_rate, characteristics, channels, extra, ..Media::new(kind, group, name)
        }
    }
}

prop_compose! {
    fn multivariant()(
        (version, independent_segments, start, defines) in (of(1u32..14), any::<bool>(), of(start()), defines()),
        steering in of((quoted(), of(quoted()))),
        data in vec((quoted(), of(quoted()), of(quoted()), of("[A-Z]{1,4}"), of(quoted())), 0..3),
        session_keys in keys(),
        media in vec(rendition(), 0..4),
        variants in vec(variant(false), 1..4),
        i_frame_variants in vec(variant(true), 0..3),
        unknown in unknown(),
    ) -> MultivariantPlaylist {
        MultivariantPlaylist {
            version, independent_segments, start, defines,
            content_steering: steering.map(|(server_uri, pathway_id)| ContentSteering { server_uri, pathway_id }),
            session_data: data.into_iter().map(|(data_id, value, uri, format, language)| SessionData {
                data_id, value, uri, format, language,
            }).collect(),
            session_keys: session_keys.to_vec(),
            media, variants, i_frame_variants, unknown,
        }
    }
}

fn trip(list: &Playlist) -> Result<(), TestCaseError> {
    let text = list.to_string();
    let back = parse(text.as_bytes(), &ParseOptions::default());
    match back {
        Ok(back) => prop_assert_eq!(&back.playlist, list, "{}", text),
        Err(e) => prop_assert!(false, "{e}: {text}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn media_playlists_survive_the_trip(list in media()) {
        prop_assume!(!(list.segments.is_empty() && list.open.is_none() && list.part_target.is_none() && list.target_duration == 0));
        trip(&Playlist::Media(list))?;
    }

    #[test]
    fn multivariant_playlists_survive_the_trip(list in multivariant()) {
        trip(&Playlist::Multivariant(list))?;
    }
}
