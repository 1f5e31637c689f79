//! LL-HLS over HTTP: what is listed can be fetched, what is asked for early is waited for, viewers count once.

use std::time::Instant;

use crate::support::{World, world};

/// The first line of a playlist that is a URI.
fn uris(playlist: &str) -> Vec<String> {
    playlist
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn attribute(line: &str, name: &str) -> Option<String> {
    let at = line.find(&format!("{name}=\""))? + name.len() + 2;
    Some(line[at..].split('"').next()?.to_owned())
}

/// The media playlist of the picture: its address below the stream, and its text.
async fn media(world: &World, query: &str) -> (String, String) {
    let response = world
        .client
        .get(world.url(&format!("/live/cam/index.m3u8{query}")))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.apple.mpegurl"
    );
    let multivariant = response.text().await.unwrap();
    assert!(multivariant.contains("CODECS=\"avc1.42"), "{multivariant}");
    let uri = uris(&multivariant).remove(0);
    let text = world
        .client
        .get(world.url(&format!("/live/cam/{uri}")))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    (uri, text)
}

#[tokio::test]
async fn what_is_listed_can_be_fetched() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (uri, playlist) = media(&world, "").await;
    let folder = format!("/live/cam/{}", uri.rsplit_once('/').unwrap().0);
    assert!(playlist.contains("CAN-BLOCK-RELOAD=YES"), "{playlist}");
    let map = attribute(
        playlist
            .lines()
            .find(|l| l.starts_with("#EXT-X-MAP"))
            .unwrap(),
        "URI",
    )
    .unwrap();
    let mut files = vec![map];
    files.extend(uris(&playlist));
    files.extend(
        playlist
            .lines()
            .filter(|l| l.starts_with("#EXT-X-PART:"))
            .map(|l| attribute(l, "URI").unwrap()),
    );
    assert!(files.len() > 5, "{playlist}");
    for file in &files {
        let response = world
            .client
            .get(world.url(&format!("{folder}/{file}")))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{file}");
        assert_eq!(response.headers()["content-type"], "video/mp4", "{file}");
        let length: usize = response.headers()["content-length"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let etag = response.headers()["etag"].clone();
        let body = response.bytes().await.unwrap();
        assert_eq!(body.len(), length, "{file}");
        let again = world
            .client
            .get(world.url(&format!("{folder}/{file}")))
            .header("if-none-match", &etag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304, "{file}");
        let part = world
            .client
            .get(world.url(&format!("{folder}/{file}")))
            .header("range", "bytes=4-7")
            .send()
            .await
            .unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(
            part.headers()["content-range"].to_str().unwrap(),
            format!("bytes 4-7/{length}")
        );
        assert_eq!(part.bytes().await.unwrap(), body.slice(4..8));
    }
    assert_eq!(
        world.status(&format!("{folder}/1.m4s")).await,
        410,
        "long gone"
    );
    assert_eq!(world.status(&format!("{folder}/nothing.m4s")).await, 404);
}

#[tokio::test]
async fn the_next_part_is_waited_for() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (uri, playlist) = media(&world, "").await;
    let folder = format!("/live/cam/{}", uri.rsplit_once('/').unwrap().0);
    let hint = playlist
        .lines()
        .find(|l| l.starts_with("#EXT-X-PRELOAD-HINT"))
        .unwrap();
    let hint = attribute(hint, "URI").unwrap();
    let (msn, part) = hint.trim_end_matches(".m4s").split_once('.').unwrap();
    let begun = Instant::now();
    let (reloaded, hinted) = tokio::join!(
        world
            .client
            .get(world.url(&format!("/live/cam/{uri}?_HLS_msn={msn}&_HLS_part={part}")))
            .send(),
        world
            .client
            .get(world.url(&format!("{folder}/{hint}")))
            .send(),
    );
    let waited = begun.elapsed();
    assert!(waited.as_millis() < 1_500, "{waited:?}");
    let (reloaded, hinted) = (reloaded.unwrap(), hinted.unwrap());
    assert_eq!(
        (reloaded.status().as_u16(), hinted.status().as_u16()),
        (200, 200)
    );
    let text = reloaded.text().await.unwrap();
    assert!(
        text.lines()
            .any(|l| l.starts_with("#EXT-X-PART:") && l.contains(&hint)),
        "{hint} in {text}"
    );
    for bad in ["_HLS_msn=99999999999999", "_HLS_part=1", "_HLS_msn=x"] {
        assert_eq!(
            world.status(&format!("/live/cam/{uri}?{bad}")).await,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn playlists_are_compressed_for_those_who_ask() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let get = |coding: &'static str| {
        world
            .client
            .get(world.url("/live/cam/index.m3u8"))
            .header("accept-encoding", coding)
            .send()
    };
    let packed = get("gzip, br").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "Accept-Encoding");
    assert_eq!(&packed.bytes().await.unwrap()[..2], [0x1F, 0x8B]);
    let plain = get("identity").await.unwrap();
    assert!(plain.text().await.unwrap().starts_with("#EXTM3U"));
}

#[tokio::test]
async fn a_viewer_counts_once_with_its_bytes() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (uri, playlist) = media(&world, "").await;
    let folder = format!("/live/cam/{}", uri.rsplit_once('/').unwrap().0);
    let segment = uris(&playlist).pop().unwrap();
    let body = world
        .client
        .get(world.url(&format!("{folder}/{segment}")))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let stream = world.json("/api/v1/streams/live/cam").await;
    let readers = stream["readers"].as_array().unwrap();
    assert_eq!(readers.len(), 1, "{readers:?}");
    assert_eq!(readers[0]["protocol"], "hls");
    assert!(readers[0]["bytes"].as_u64().unwrap() >= body.len() as u64);
    // Ended by the operator: it gets no more.
    let id = readers[0]["id"].as_str().unwrap();
    let ended = world
        .client
        .delete(world.url(&format!("/api/v1/sessions/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 204);
    assert_eq!(world.status("/live/cam/index.m3u8").await, 410);
}

#[tokio::test]
async fn a_token_reaches_every_address_of_a_playlist() {
    let world = world(&[("auth.play_token", "watch")]).await;
    let _publisher = world.publish("live/cam").await;
    assert_eq!(world.status("/live/cam/index.m3u8").await, 401);
    let (uri, playlist) = media(&world, "?token=watch").await;
    assert!(uri.ends_with("index.m3u8?token=watch"), "{uri}");
    let folder = format!("/live/cam/{}", uri.rsplit_once('/').unwrap().0);
    for file in uris(&playlist) {
        assert_eq!(
            world.status(&format!("{folder}/{file}")).await,
            200,
            "{file}"
        );
        assert_eq!(
            world
                .status(&format!("{folder}/{}", file.split('?').next().unwrap()))
                .await,
            401,
            "{file}"
        );
    }
}
