//! HTTP-TS: other people's players, the tables in front, WebSocket, tracks, and readers that are too slow.

use std::collections::BTreeMap;

use core_frame::{CodecId, Limits, MediaFrame};
use futures_util::StreamExt;
use mpegts::{Damage, DamageKind, Demuxer, Event, Events, PACKET};
use testkit::clients::{ffmpeg, ffmpeg9, ffprobe, gstreamer};
use testkit::{NumberCheck, Program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{World, eventually, world};

/// What a transport stream held.
#[derive(Default)]
struct Held {
    /// How many streams the last map has.
    streams: usize,
    frames: Vec<MediaFrame>,
    damage: Vec<Damage>,
}

impl Held {
    fn of(bytes: &[u8]) -> Self {
        let mut demuxer = Demuxer::new(&Limits::default());
        let mut events = Events::new();
        demuxer.push(bytes, &mut events);
        demuxer.finish(&mut events);
        let mut held = Self::default();
        for event in events.drain() {
            match event {
                Event::Program(program) => held.streams = program.streams.len(),
                Event::Frame(frame) => held.frames.push(frame),
                Event::Damage(damage) => held.damage.push(damage),
                _ => {}
            }
        }
        held
    }

    /// Numbers of the frames of a codec, in order, with their key marks.
    fn numbers(&self, codec: CodecId) -> Vec<(u64, bool)> {
        let of = self.frames.iter().filter(|f| f.codec == codec);
        of.filter_map(|f| Some((synth::read_number(f)?.n, f.is_keyframe())))
            .collect()
    }
}

/// Whole packets of the beginning of an endless answer, at least `n` bytes.
async fn head(world: &World, path: &str, n: usize) -> (reqwest::Response, Vec<u8>) {
    let mut response = world.client.get(world.url(path)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let mut got = Vec::new();
    while got.len() < n {
        got.extend_from_slice(&response.chunk().await.unwrap().expect("the stream goes on"));
    }
    got.truncate(got.len() / PACKET * PACKET);
    (response, got)
}

#[tokio::test]
async fn it_begins_with_its_tables_and_a_key_frame() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (response, got) = head(&world, "/live/cam.ts", 60_000).await;
    let headers = response.headers();
    assert_eq!(headers["content-type"], "video/mp2t");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(!headers.contains_key("content-length"));
    let pids: Vec<_> = got
        .chunks(PACKET)
        .map(|p| {
            assert_eq!(p[0], 0x47, "whole packets");
            u16::from_be_bytes([p[1] & 0x1F, p[2]])
        })
        .collect();
    assert_eq!(pids[..2], [0, 0x1000], "the tables");
    let held = Held::of(&got);
    assert_eq!(held.damage, []);
    let video = held.numbers(CodecId::H264);
    assert!(video[0].1 && video.len() > 10, "{video:?}");

    let stream = world.json("/api/v1/streams/live/cam").await;
    assert_eq!(stream["readers"][0]["protocol"], "http-ts");
    let metrics = world
        .client
        .get(world.url("/metrics"))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = "millstream_stream_readers{stream=\"live/cam\",protocol=\"http-ts\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    drop(response);
    eventually("it is counted when it has left", || async {
        let metrics = world
            .client
            .get(world.url("/metrics"))
            .send()
            .await
            .unwrap();
        let metrics = metrics.text().await.unwrap();
        let bytes = metrics
            .lines()
            .find_map(|l| l.strip_prefix("millstream_bytes_out_total{protocol=\"http-ts\"} "));
        !metrics.contains(line) && bytes.is_some_and(|n| n.parse::<usize>().unwrap() >= got.len())
    })
    .await;
}

/// Runs a player that writes gray pictures, and reads their numbers.
fn pictures(name: &str, player: Program) -> NumberCheck {
    let done = player.timeout(Duration::from_secs(60)).run().unwrap();
    let mut check = NumberCheck::default();
    for picture in done.stdout.chunks_exact(160 * 96) {
        check.number(synth::read_barcode(picture, 160, 160, 96));
    }
    assert!(
        done.succeeded() && done.stderr.trim().is_empty(),
        "{name}: {}",
        done.stderr
    );
    assert!(check.is_whole() && check.seen >= 90, "{name}: {check}");
    check
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_players_show_every_picture() {
    let world = world(&[("app.live.grace_s", "0")]).await;
    let options = synth::Options::default().frames(300);
    let _publisher = world.publish_with("live/cam", options).await;
    let url = world.url("/live/cam.ts");
    // They stop before the stream does: FFmpeg 9 takes the orderly end of a chunked body for an error.
    let gray = |player: Program| {
        player
            .args(["-v", "warning", "-t", "5", "-i", &url])
            .line("-map 0:v -fps_mode passthrough -pix_fmt gray -f rawvideo -")
            .line("-map 0:a -f null -")
    };
    let players = [
        ("ffmpeg 5.1", ffmpeg().map(gray)),
        ("FFmpeg 9", ffmpeg9().map(gray)),
        (
            "GStreamer",
            gstreamer().map(|gst| {
                gst.args(["-q", "souphttpsrc", &format!("location={url}")]).line(
                    "! tsdemux name=d d. ! queue ! aacparse ! avdec_aac ! fakesink \
                     d. ! queue ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8 ! fdsink",
                )
            }),
        ),
    ];
    let mut running = tokio::task::JoinSet::new();
    for (name, player) in players {
        if let Some(player) = player {
            running.spawn_blocking(move || pictures(name, player));
        }
    }
    if let Some(ffprobe) = ffprobe() {
        let ffprobe = ffprobe
            .line("-v warning -of json -show_streams -read_intervals %+1 -i")
            .arg(&url);
        running.spawn_blocking(move || {
            let done = ffprobe.run().unwrap();
            assert!(done.stderr.trim().is_empty(), "{}", done.stderr);
            let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
            let streams = told["streams"].as_array().unwrap();
            let codecs: Vec<_> = streams.iter().map(|s| &s["codec_name"]).collect();
            assert_eq!(codecs, ["h264", "aac"]);
            assert_eq!(
                (&streams[0]["width"], &streams[0]["height"]),
                (&160.into(), &96.into())
            );
            assert_eq!(streams[1]["sample_rate"], "48000");
            NumberCheck::default()
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn over_a_websocket_each_message_is_whole_packets() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (mut socket, _) = tokio_tungstenite::connect_async(world.ws("/live/cam.ts"))
        .await
        .unwrap();
    let mut got = Vec::new();
    while got.len() < 40_000 {
        match socket.next().await.unwrap().unwrap() {
            Message::Binary(message) => {
                assert_eq!((message.len() % PACKET, message[0]), (0, 0x47));
                got.extend_from_slice(&message);
            }
            other => assert!(other.is_ping(), "{other:?}"),
        }
    }
    let held = Held::of(&got);
    assert_eq!(held.damage, []);
    assert!(held.numbers(CodecId::H264)[0].1);
    let stream = world.json("/api/v1/streams/live/cam").await;
    assert_eq!(stream["readers"][0]["protocol"], "ws-ts");
}

/// The data of a body in HTTP chunks, as far as it is there.
fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(at) = body.windows(2).position(|w| w == b"\r\n") {
        let len = std::str::from_utf8(&body[..at]).unwrap();
        let len = usize::from_str_radix(len, 16).unwrap();
        let Some(chunk) = body.get(at + 2..at + 2 + len) else {
            break;
        };
        data.extend_from_slice(chunk);
        body = body.get(at + 4 + len..).unwrap_or_default();
    }
    data
}

/// What a reader gets that takes 2.5 MB/s of 5 MB/s: it falls behind slowly, so that it passes every stage of the policy.
async fn taken_slowly(path: &str) -> Vec<u8> {
    let world = world(&[]).await;
    let options = synth::Options::default().bitrate(40_000_000).b_frames(2);
    let _publisher = world.publish_with("live/cam", options).await;
    let socket = TcpSocket::new_v4().unwrap();
    // The lag is to be the server's, not the kernel's.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let addr = world.running.addresses().http.unwrap();
    let mut socket = socket.connect(addr).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(ask.as_bytes()).await.unwrap();
    let (begun, mut got) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(8) {
        let read = socket.read_buf(&mut got);
        assert!(
            timeout(Duration::from_secs(5), read)
                .await
                .unwrap()
                .unwrap()
                > 0
        );
        sleep(Duration::from_secs_f64(got.len() as f64 / 2.5e6).saturating_sub(begun.elapsed()))
            .await;
    }
    let stream = world.json("/api/v1/streams/live/cam").await;
    let reader = &stream["readers"][0];
    assert!(reader["skipped_frames"].as_u64().unwrap() > 30, "{reader}");
    let body = got.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    dechunk(&got[body..])
}

/// Neighbours between which something is missing.
fn gaps(numbers: &[(u64, bool)]) -> Vec<((u64, bool), (u64, bool))> {
    let pairs = numbers.windows(2).map(|w| (w[0], w[1]));
    pairs.filter(|(a, b)| b.0 != a.0 + 1).collect()
}

/// What it loses ends at a key frame, and until it loses something it loses nothing: no frame in mid-GOP, no picture
/// without its sound.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_goes_on_at_a_key_frame_and_loses_nothing_inside_a_gop() {
    let held = Held::of(&taken_slowly("/live/cam.ts").await);
    let skips = gaps(&held.numbers(CodecId::H264));
    assert!(!skips.is_empty());
    assert!(skips.iter().all(|(_, to)| to.1), "{skips:?}");
    // Sound is skipped where pictures are, and nowhere else.
    assert_eq!(gaps(&held.numbers(CodecId::Aac)).len(), skips.len());
    // Receivers notice by the counters, at most once for each stream.
    let mut damage: BTreeMap<_, usize> = BTreeMap::new();
    let jumps = held
        .damage
        .iter()
        .filter(|d| d.kind == DamageKind::Continuity);
    for jump in jumps {
        *damage.entry(jump.pid).or_default() += 1;
    }
    assert!(damage.values().all(|n| *n <= skips.len()), "{damage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_fragmented_mp4_loses_nothing_inside_a_gop_either() {
    let got = taken_slowly("/live/cam.mp4").await;
    // Samples lie in their fragments as they were published: the mark in front of the number is found as it is.
    let mark = b"millst\x4e\x9d";
    let numbers: Vec<_> = got
        .windows(mark.len())
        .enumerate()
        .filter(|(_, w)| w == mark)
        .filter_map(|(at, _)| synth::read_number_in(CodecId::H264, &got[at..]))
        .map(|number| (number.n, number.n % 30 == 0))
        .collect();
    let skips = gaps(&numbers);
    assert!(!skips.is_empty());
    assert!(skips.iter().all(|(_, to)| to.1), "{skips:?}");
}
