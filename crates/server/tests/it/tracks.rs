//! A reader gets the tracks and the codec form it asks for.

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, TrackId, TrackInfo};
use serde_json::Value;

use crate::support::{World, world};

/// Publishes two pictures and two languages that differ in what they hold.
async fn publish(world: &World) -> bus::PublishSession {
    let ctx = bus::IngestContext::new(std::sync::Arc::clone(world.running.engine()) as _);
    let session = ctx
        .open_publish(core_frame::StreamKey::new("live", "cam"))
        .await
        .unwrap();
    let source = synth::Source::new(synth::Options::default().frames(60)).unwrap();
    let tracks = source.tracks();
    let second = |kind: TrackId, id: u16, language: &str| {
        let mut track: TrackInfo = tracks.iter().find(|t| t.id == kind).unwrap().clone();
        (track.id, track.language) = (TrackId(id), Some(language.to_owned()));
        track
    };
    let mut all = vec![
        second(TrackId::VIDEO, 11, ""),
        second(TrackId::AUDIO, 12, "de-AT"),
    ];
    all[0].language = None;
    all.push(second(TrackId::AUDIO, TrackId::AUDIO.0, "en"));
    all.push(
        tracks
            .iter()
            .find(|t| t.id == TrackId::VIDEO)
            .unwrap()
            .clone(),
    );
    session.set_tracks(all).unwrap();
    for frame in source {
        let mark = |id: u16| {
            let mut copy: MediaFrame = frame.clone();
            copy.track = TrackId(id);
            // One byte longer: told apart by its length.
            let mut payload = copy.payload.to_vec();
            payload.push(0);
            copy.payload = Bytes::from(payload);
            copy
        };
        let other = mark(if frame.codec == CodecId::H264 { 11 } else { 12 });
        session.publish_frames([frame, other]).unwrap();
    }
    session
}

/// Lengths of the first picture and the first sound in an FLV, without tag and codec headers; and the tag types seen.
async fn flv(world: &World, query: &str) -> (Option<usize>, Option<usize>) {
    let mut response = world
        .client
        .get(world.url(&format!("/live/cam.flv{query}")))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{query}");
    let mut got = Vec::new();
    while got.len() < 60_000 {
        match tokio::time::timeout(std::time::Duration::from_secs(1), response.chunk()).await {
            Ok(Ok(Some(chunk))) => got.extend_from_slice(&chunk),
            _ => break,
        }
    }
    let (mut video, mut audio, mut at) = (None, None, 13);
    while let Some(head) = got.get(at..at + 13) {
        let len = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        match (head[0], head[12]) {
            (9, 1) => video = video.or(Some(len - 5)),
            (8, 1) => audio = audio.or(Some(len - 2)),
            _ => {}
        }
        at += 11 + len + 4;
    }
    (video, audio)
}

#[tokio::test]
async fn a_reader_gets_the_tracks_it_asks_for() {
    let world = world(&[]).await;
    let _session = publish(&world).await;
    let main = flv(&world, "").await;
    let (video, audio) = (main.0.unwrap(), main.1.unwrap());
    for (query, want) in [
        ("?video=1&audio=en", (Some(video), Some(audio))),
        ("?video=2", (Some(video + 1), Some(audio))),
        ("?audio=de", (Some(video), Some(audio + 1))),
        ("?video=none&audio=2", (None, Some(audio + 1))),
        ("?audio=none&form=legacy", (Some(video), None)),
    ] {
        assert_eq!(flv(&world, query).await, want, "{query}");
    }

    let stream = world.json("/api/v1/streams/live/cam").await;
    let languages: Vec<_> = stream["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["language"].as_str())
        .collect();
    assert_eq!(languages, [None, Some("en"), None, Some("de-AT")]);
}

#[tokio::test]
async fn fragmented_mp4_has_the_tracks_it_was_asked_for() {
    let world = world(&[]).await;
    let _session = publish(&world).await;
    for (query, handlers) in [
        ("", vec!["vide", "soun"]),
        ("?video=none&audio=de", vec!["soun"]),
        ("?audio=none&video=2", vec!["vide"]),
    ] {
        let request = world
            .client
            .get(world.url(&format!("/live/cam.mp4{query}")));
        let mut response = request.send().await.unwrap();
        let mut got = Vec::new();
        while !got.windows(4).any(|w| w == b"mdat") {
            got.extend_from_slice(&response.chunk().await.unwrap().unwrap());
        }
        let found: Vec<_> = got
            .windows(4)
            .filter(|w| *w == b"vide" || *w == b"soun")
            .map(|w| String::from_utf8(w.to_vec()).unwrap())
            .collect();
        assert_eq!(found, handlers, "{query}");
    }
}

#[tokio::test]
async fn a_transport_stream_has_the_tracks_it_was_asked_for() {
    let world = world(&[]).await;
    let _session = publish(&world).await;
    for (query, want) in [
        ("", &[0x1B, 0x0F][..]),
        ("?video=none&audio=de", &[0x0F]),
        ("?audio=none", &[0x1B]),
        ("?audio=all", &[0x1B, 0x0F, 0x0F]),
    ] {
        let request = world.client.get(world.url(&format!("/live/cam.ts{query}")));
        let mut response = request.send().await.unwrap();
        let mut demuxer = mpegts::Demuxer::new(&core_frame::Limits::default());
        let mut events = mpegts::Events::new();
        // What is there comes at once, and nothing comes after it.
        let pause = std::time::Duration::from_millis(500);
        while let Ok(chunk) = tokio::time::timeout(pause, response.chunk()).await {
            demuxer.push(&chunk.unwrap().unwrap(), &mut events);
        }
        demuxer.finish(&mut events);
        let program = events.drain().find_map(|event| match event {
            mpegts::Event::Program(program) => Some(program),
            _ => None,
        });
        let streams = program.unwrap().streams;
        let mut types: Vec<_> = streams.iter().map(|s| s.stream_type).collect();
        types.sort_by_key(|t| *t != 0x1B);
        assert_eq!(types, want, "{query}");
    }
}

#[tokio::test]
async fn a_choice_that_means_nothing_is_told() {
    let world = world(&[]).await;
    let _session = publish(&world).await;
    for (path, code, says) in [
        ("/live/cam.flv?audio=0", "bad_choice", "audio="),
        ("/live/cam.mp4?video=-1", "bad_choice", "video="),
        ("/live/cam.ts?audio=0", "bad_choice", "audio="),
        ("/live/cam.flv?form=old", "bad_form", "form="),
    ] {
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], code, "{path}");
        assert!(
            body["error"]["message"].as_str().unwrap().starts_with(says),
            "{body}"
        );
    }
}
