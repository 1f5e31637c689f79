//! The control API has the shape that was promised, ends what it is told to end, and says what is wrong in one form.

use serde_json::{Value, json};

use crate::support::{eventually, world};

/// The promised document, with a value of the right type in each place.
fn promised() -> Value {
    json!({"key":"live/cam","state":"publishing","publisher":{"protocol":"test","remote":null,"since":"2026-01-01T00:00:00.000Z"},
        "tracks":[{"id":1,"kind":"video","codec":"h264","codec_string":"avc1.64001f","width":1280,"height":720,"fps":30.0,
        "bitrate_bps":2_500_000},{"id":2,"kind":"audio","codec":"aac","codec_string":"mp4a.40.2","sample_rate":48_000,
        "channels":2,"bitrate_bps":128_000}],
        "tags":{"title":"x"},
        "readers":[{"id":"r-1","protocol":"http-flv","remote":"127.0.0.1:1","bytes":123,"lag_ms":40,"skipped_frames":0}],
        "frames_in":1,"bytes_in":1,"repairs":{"jump":0,"reorder":0,"gap":0,"drift":0},"uptime_s":1.5})
}

/// Same names, same types, nothing more and nothing less.
fn same_shape(path: &str, promised: &Value, got: &Value) {
    match (promised, got) {
        (Value::Object(a), Value::Object(b)) => {
            let names = |o: &serde_json::Map<String, Value>| o.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(a), names(b), "{path}");
            a.iter()
                .for_each(|(k, v)| same_shape(&format!("{path}.{k}"), v, &b[k]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{path}: {b:?}");
            a.iter()
                .zip(b)
                .enumerate()
                .for_each(|(i, (a, b))| same_shape(&format!("{path}[{i}]"), a, b));
        }
        (Value::Number(a), Value::Number(b)) => assert!(a.is_f64() || b.is_u64(), "{path}: {b}"),
        (a, b) => assert_eq!(
            std::mem::discriminant(a),
            std::mem::discriminant(b),
            "{path}: {b}"
        ),
    }
}

#[tokio::test]
async fn a_stream_has_the_promised_shape() {
    let world = world(&[]).await;
    let publisher = world.publish("live/cam").await;
    let mut tags = core_frame::Tags::default();
    tags.set("title", core_frame::TagValue::Text("news".to_owned()));
    publisher.handle.set_tags(tags).unwrap();
    let mut reader = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    reader.chunk().await.unwrap().unwrap();
    let got = world.json("/api/v1/streams/live/cam").await;
    same_shape("stream", &promised(), &got);
    assert_eq!(got["key"], "live/cam");
    assert_eq!(got["tags"], json!({"title": "news"}));
    assert_eq!(
        (
            got["tracks"][0]["width"].as_u64(),
            got["tracks"][0]["height"].as_u64()
        ),
        (Some(160), Some(96))
    );
    assert_eq!(got["tracks"][0]["fps"].as_f64(), Some(30.0));
    assert!(got["frames_in"].as_u64().unwrap() > 60 && got["bytes_in"].as_u64().unwrap() > 1_000);
    eventually("bytes of the reader are counted", || async {
        world.json("/api/v1/streams/live/cam").await["readers"][0]["bytes"]
            .as_u64()
            .unwrap()
            > 1_000
    })
    .await;

    let list = world.json("/api/v1/streams").await;
    same_shape("list", &json!({"items": [promised()], "next": null}), &list);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = world(&[]).await;
    let mut publishers = Vec::new();
    for name in ["live/a", "live/b", "live/c"] {
        publishers.push(world.publish(name).await);
    }
    let keys = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = world.json("/api/v1/streams?limit=2").await;
    assert_eq!(
        (keys(&first), first["next"].as_str()),
        (vec!["live/a".into(), "live/b".into()], Some("live/b"))
    );
    let second = world.json("/api/v1/streams?limit=2&after=live/b").await;
    assert_eq!(
        (keys(&second), &second["next"]),
        (vec!["live/c".into()], &Value::Null)
    );
    for bad in ["0", "-1", "1001", "x"] {
        assert_eq!(
            world.status(&format!("/api/v1/streams?limit={bad}")).await,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn sessions_and_publishers_end_when_told() {
    let world = world(&[("app.live.grace_s", "0")]).await;
    let publisher = world.publish("live/cam").await;
    let mut reader = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    reader.chunk().await.unwrap().unwrap();
    let stream = world.json("/api/v1/streams/live/cam").await;
    let id = stream["readers"][0]["id"].as_str().unwrap();
    let ended = world
        .client
        .delete(world.url(&format!("/api/v1/sessions/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 204);
    while reader.chunk().await.unwrap().is_some() {}
    let again = world
        .client
        .delete(world.url(&format!("/api/v1/sessions/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 404);

    let gone = world
        .client
        .delete(world.url("/api/v1/streams/live/cam/publisher"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    eventually("the publisher is gone", || async { publisher.is_over() }).await;
    eventually("the stream is gone", || async {
        world.status("/live/cam.flv").await == 404
    })
    .await;
}

#[tokio::test]
async fn errors_have_one_shape() {
    let world = world(&[]).await;
    for (path, status, code) in [
        ("/api/v1/streams/live/none", 404, "stream_not_found"),
        ("/api/v1/streams/live/..%2f..%2fetc", 404, "not_found"),
        ("/api/v2/streams", 404, "not_found"),
        ("/api/v1/streams?a=%zz", 400, "bad_query"),
        ("/live/none.flv", 404, "stream_not_found"),
        ("/live/none.mp4", 404, "stream_not_found"),
        ("/nothing.here", 404, "not_found"),
        ("/live/cam/whep", 501, "not_built_in"),
    ] {
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/json",
            "{path}"
        );
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        same_shape(
            path,
            &json!({"error": {"code": "x", "message": "x"}}),
            &body,
        );
        assert_eq!(body["error"]["code"], code, "{path}");
    }
    let whip = world
        .client
        .post(world.url("/live/cam/whip"))
        .body("v=0")
        .send()
        .await
        .unwrap();
    assert_eq!(whip.status(), 501);
    let big = world
        .client
        .delete(world.url("/api/v1/sessions/r-1"))
        .body(vec![b'x'; 2_000_000]);
    assert_eq!(big.send().await.unwrap().status(), 413);
    let wrong = world
        .client
        .post(world.url("/api/v1/streams"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            wrong.status().as_u16(),
            wrong.headers()["allow"].to_str().unwrap()
        ),
        (405, "GET, HEAD")
    );
    let wrong = world
        .client
        .get(world.url("/api/v1/sessions/r-1"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            wrong.status().as_u16(),
            wrong.headers()["allow"].to_str().unwrap()
        ),
        (405, "DELETE")
    );
}

#[tokio::test]
async fn the_document_names_every_route() {
    let source = [
        ("stream.live/far.source", "rtmp://127.0.0.1:1/live/far"),
        ("stream.live/far.on_demand", "true"),
    ];
    let world = world(&source).await;
    let document = world.json("/api/v1/openapi.json").await;
    let paths: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for path in [
        "/sources",
        "/pushes",
        "/streams",
        "/streams/{app}/{name}",
        "/streams/{app}/{name}/publisher",
        "/sessions/{id}",
    ] {
        assert!(paths.iter().any(|p| p == path), "{path} is not described");
    }
    // What it requires of a thing is what the thing has.
    let sources = world.json("/api/v1/sources").await;
    for (schema, thing) in [("Stream", &promised()), ("Link", &sources["items"][0])] {
        let mut required: Vec<_> = document["components"]["schemas"][schema]["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        required.sort_unstable();
        let mut has: Vec<_> = thing
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        has.sort_unstable();
        assert_eq!(required, has, "{schema}");
    }
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_ended() {
    let world = world(&[("publish.idle_s", "1"), ("app.live.grace_s", "0")]).await;
    // Its two seconds come at once, and then nothing more for a while that is longer than allowed.
    let ctx = bus::IngestContext::new(std::sync::Arc::clone(world.running.engine()) as _);
    let key = core_frame::StreamKey::new("live", "cam");
    let session = ctx.open_publish(key).await.unwrap();
    let source = synth::Source::new(synth::Options::default()).unwrap();
    session.set_tracks(source.tracks()).unwrap();
    session.publish_frames(source.take(30)).unwrap();
    assert_eq!(world.status("/api/v1/streams/live/cam").await, 200);
    session.kicked().cancelled().await;
    eventually("the stream is gone", || async {
        world.status("/live/cam.flv").await == 404
    })
    .await;
}
