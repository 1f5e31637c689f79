//! Sources that are fetched and targets that are pushed to: the same bytes at the other end, over losses, and no secrets
//! in what is said about them.

use std::collections::BTreeMap;

use bus::SubscribeOptions;
use bytes::Bytes;
use core_frame::{CodecId, StreamKey};
use serde_json::Value;
use tokio::time::{Duration, sleep, timeout};

use crate::support::{World, eventually, world};

/// The first `n` frames of each track that a server has of a stream, by the number that is in them.
async fn frames(world: &World, key: &str, n: usize) -> BTreeMap<(CodecId, u64), Bytes> {
    let handle = world
        .running
        .engine()
        .get_stream(&StreamKey::parse(key).unwrap())
        .unwrap();
    let mut reader = handle.subscribe(SubscribeOptions::everything()).unwrap();
    let mut frames = BTreeMap::new();
    let collect = async {
        while frames.len() < n {
            let batch = reader.next_batch().await.expect("the stream goes on");
            for (_, frame) in &batch {
                if let Some(number) = synth::read_number(frame) {
                    frames.insert((frame.codec, number.n), frame.payload.clone());
                }
            }
        }
    };
    timeout(Duration::from_secs(15), collect).await.unwrap();
    frames
}

/// Both have the same payload wherever both have the frame, and that is most of them.
fn same(a: &BTreeMap<(CodecId, u64), Bytes>, b: &BTreeMap<(CodecId, u64), Bytes>) {
    let both = a.iter().filter_map(|(k, x)| Some((x, b.get(k)?)));
    let (equal, all) = both.fold((0, 0), |(e, n), (x, y)| (e + usize::from(x == y), n + 1));
    assert!(all > 100, "{all} of {} and {}", a.len(), b.len());
    assert_eq!(equal, all);
}

async fn is_there(world: &World, key: &str) -> bool {
    let key = StreamKey::parse(key).unwrap();
    let stream = world.running.engine().get_stream(&key);
    stream.is_ok_and(|s| s.qos().frames_in > 30)
}

async fn items(world: &World, path: &str) -> Vec<Value> {
    let list = world.json(path).await;
    assert_eq!(list["next"], Value::Null);
    list["items"].as_array().unwrap().clone()
}

fn rtmp(world: &World) -> String {
    format!("rtmp://{}", world.running.addresses().rtmp.unwrap())
}

#[tokio::test]
async fn a_source_is_fetched_and_fetched_again() {
    let origin = world(&[("auth.play_token", "w4tch")]).await;
    let url = format!("{}/live/cam?token=w4tch", rtmp(&origin));
    // It takes the credential of its own server by itself.
    let edge = world(&[
        ("stream.edge/cam.source", &url),
        ("auth.publish_token", "publ1sh"),
    ])
    .await;
    let publisher = origin.publish("live/cam").await;
    eventually("the stream is at the edge", || is_there(&edge, "edge/cam")).await;
    let (a, b) = tokio::join!(
        frames(&origin, "live/cam", 300),
        frames(&edge, "edge/cam", 300)
    );
    same(&a, &b);

    let sources = items(&edge, "/api/v1/sources").await;
    let source = &sources[0];
    assert_eq!(
        (&source["key"], &source["state"]),
        (&"edge/cam".into(), &"up".into())
    );
    assert_eq!(source["url"], format!("{}/live/cam?***", rtmp(&origin)));
    assert_eq!(
        source["remote"],
        origin.running.addresses().rtmp.unwrap().to_string()
    );
    assert!(source["bytes"].as_u64().unwrap() > 10_000 && source["connects"] == 1);
    let stream = edge.json("/api/v1/streams/edge/cam").await;
    assert!(
        stream["publisher"]["protocol"]
            .as_str()
            .unwrap()
            .starts_with("rtmp")
    );
    let metrics = edge
        .client
        .get(edge.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let id = source["id"].as_str().unwrap();
    let up = format!("millstream_source_up{{id=\"{id}\",stream=\"edge/cam\"}} 1");
    assert!(metrics.contains(&up), "{metrics}");

    // The origin cuts it off; the stream here survives, and it comes back.
    let readers = origin.json("/api/v1/streams/live/cam").await;
    let reader = readers["readers"][0]["id"].as_str().unwrap();
    let kick = |world: &World, id: &str| {
        let request = world
            .client
            .delete(world.url(&format!("/api/v1/sessions/{id}")));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(kick(&origin, reader).await, 204);
    eventually("it is up again", || async {
        let source = &items(&edge, "/api/v1/sources").await[0];
        source["connects"] == 2 && source["state"] == "up" && source["error"] == Value::Null
    })
    .await;
    // So does an operator of this side.
    assert_eq!(kick(&edge, id).await, 204);
    eventually("it is up once more", || async {
        let source = &items(&edge, "/api/v1/sources").await[0];
        source["connects"] == 3 && source["state"] == "up"
    })
    .await;
    assert_eq!(kick(&edge, "source-99").await, 404);
    drop(publisher);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_origin_says_of_the_connection_is_no_part_of_the_stream() {
    let origin = world(&[]).await;
    let _publisher = origin.publish("live/cam").await;
    let url = format!("{}/live/cam", rtmp(&origin));
    let edge = world(&[("stream.edge/cam.source", &url)]).await;
    eventually("the stream is at the edge", || is_there(&edge, "edge/cam")).await;
    // `onStatus` and `|RtmpSampleAccess` come in front of the media: as frames they would be a stream of text.
    let mut response = edge
        .client
        .get(edge.url("/edge/cam.flv"))
        .send()
        .await
        .unwrap();
    let mut got = Vec::new();
    while got.len() < 30_000 {
        got.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    let (mut at, mut scripts) = (13, 0);
    while let Some(head) = got.get(at..at + 11) {
        scripts += usize::from(head[0] == 18);
        at += 15 + u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
    }
    assert_eq!(scripts, 1, "onMetaData alone");
    // Nor is onMetaData taken for text: FFmpeg does that with one whose time is not 0.
    let Some(ffprobe) = testkit::clients::ffprobe() else {
        return;
    };
    let ffprobe = ffprobe
        .line("-show_entries stream=codec_type -of csv=p=0 -read_intervals %+1 -i")
        .arg(edge.url("/edge/cam.flv"));
    let run = tokio::task::spawn_blocking(move || ffprobe.run().unwrap());
    assert_eq!(run.await.unwrap().text().trim(), "video\naudio");
}

#[tokio::test]
async fn a_source_that_is_not_there_says_why() {
    let edge = world(&[(
        "stream.edge/cam.source",
        "rtmp://127.0.0.1:1/live/cam?token=s3cret",
    )])
    .await;
    eventually("it has failed", || async {
        let source = &items(&edge, "/api/v1/sources").await[0];
        source["state"] == "waiting" && source["error"].is_string()
    })
    .await;
    let all = edge
        .client
        .get(edge.url("/api/v1/sources"))
        .send()
        .await
        .unwrap();
    assert!(!all.text().await.unwrap().contains("s3cret"));
}

#[tokio::test]
async fn streams_are_pushed_one_by_one_and_by_pattern() {
    let far = world(&[("auth.publish_token", "publ1sh")]).await;
    let near = world(&[("app.live.grace_s", "0")]).await;
    // Addresses are known only now; a server of its own takes them.
    let targets = [
        (
            "push.live/cam.target",
            format!("{}/in/s3cret?token=publ1sh", rtmp(&far)),
        ),
        (
            "push.all/*.target",
            format!("{}/{{app}}/far-{{name}}?token=publ1sh", rtmp(&far)),
        ),
        ("app.all.grace_s", "0".to_owned()),
        ("app.live.grace_s", "0".to_owned()),
    ];
    drop(near);
    let settings: Vec<_> = targets.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let near = world(&settings).await;
    let pushes = items(&near, "/api/v1/pushes").await;
    assert_eq!((pushes.len(), &pushes[0]["state"]), (1, &"idle".into()));
    assert_eq!(pushes[0]["url"], format!("{}/in/***?***", rtmp(&far)));

    let cam = near.publish("live/cam").await;
    let one = near.publish("all/one").await;
    let two = near.publish("all/two").await;
    for key in ["in/s3cret", "all/far-one", "all/far-two"] {
        eventually(key, || is_there(&far, key)).await;
    }
    let (a, b) = tokio::join!(
        frames(&near, "live/cam", 300),
        frames(&far, "in/s3cret", 300)
    );
    same(&a, &b);
    let pushes = items(&near, "/api/v1/pushes").await;
    assert_eq!(pushes.len(), 3);
    assert!(pushes.iter().all(|p| p["state"] == "up"), "{pushes:?}");
    let text = serde_json::to_string(&pushes).unwrap();
    for secret in ["s3cret", "publ1sh", "far-one"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    // What a pattern pushes goes with its stream and comes with it; what is named stays.
    drop((cam, one));
    eventually("two are left", || async {
        let pushes = items(&near, "/api/v1/pushes").await;
        pushes.len() == 2
            && pushes
                .iter()
                .any(|p| p["key"] == "live/cam" && p["state"] == "idle")
    })
    .await;
    let _one = near.publish("all/one").await;
    eventually("it is pushed again", || async {
        let pushes = items(&near, "/api/v1/pushes").await;
        pushes
            .iter()
            .any(|p| p["key"] == "all/one" && p["state"] == "up")
    })
    .await;
    drop(two);
}

#[tokio::test]
async fn a_source_on_demand_comes_with_its_reader_and_goes_after() {
    let origin = world(&[]).await;
    let _publisher = origin.publish("live/cam").await;
    let url = format!("{}/live/cam", rtmp(&origin));
    let edge = world(&[
        ("stream.edge/cam.source", &url),
        ("stream.edge/cam.on_demand", "true"),
        ("app.edge.grace_s", "0"),
        ("app.edge.auth.play_token", "w4tch"),
    ])
    .await;
    let state = || async { items(&edge, "/api/v1/sources").await[0]["state"].clone() };
    sleep(Duration::from_millis(300)).await;
    assert_eq!(state().await, "asleep");
    // Who may not watch does not wake it.
    assert_eq!(edge.status("/edge/cam.flv").await, 401);
    assert_eq!(state().await, "asleep");
    let mut reader = edge
        .client
        .get(edge.url("/edge/cam.flv?token=w4tch"))
        .send()
        .await
        .unwrap();
    assert_eq!(reader.status(), 200);
    assert_eq!(&reader.chunk().await.unwrap().unwrap()[..3], b"FLV");
    assert_eq!(state().await, "up");
    drop(reader);
    let gone = async {
        while state().await != "asleep" {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(20), gone)
        .await
        .expect("it went to sleep");
    assert_eq!(
        items(&origin, "/api/v1/streams").await[0]["readers"],
        serde_json::json!([])
    );
    // HLS wakes it too.
    let playlist = edge
        .client
        .get(edge.url("/edge/cam/index.m3u8?token=w4tch"))
        .send()
        .await
        .unwrap();
    assert!(
        [200, 503].contains(&playlist.status().as_u16()),
        "{}",
        playlist.status()
    );
    assert_eq!(state().await, "up");
}
