//! Chromium plays: with mpegts.js, with hls.js, with its own HLS, and on our own page.

use serde_json::Value;
use testkit::clients::{Page, chromium};
use testkit::synth::Options;

use crate::support::{numbered, secs};

/// Reads the bar of the numbered source off each picture that is shown.
const WATCH: &str = r#"
const seen = [], canvas = document.createElement("canvas");
const cells = 40, check = (n) => { let crc = 0xA5; for (const s of [24, 16, 8, 0]) { crc ^= (n >>> s) & 255;
  for (let i = 0; i < 8; i++) crc = crc & 128 ? ((crc << 1) ^ 7) & 255 : (crc << 1) & 255; } return crc; };
function read(v) {
  const w = canvas.width = v.videoWidth, h = canvas.height = v.videoHeight, g = canvas.getContext("2d", { willReadFrequently: true });
  g.drawImage(v, 0, 0);
  const line = g.getImageData(0, h - 1 - Math.floor(h / 24), w, 1).data;
  let bits = "";
  for (let c = 0; c < cells; c++) bits += line[4 * Math.floor((c + 0.5) * w / cells) + 1] > 128 ? "1" : "0";
  const n = parseInt(bits.slice(0, 32), 2);
  return check(n) === parseInt(bits.slice(32), 2) ? n : null;
}
function watch(v) {
  const next = () => { seen.push(read(v)); v.requestVideoFrameCallback(next); };
  v.requestVideoFrameCallback(next);
  window.report = () => ({ seen, time: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames,
    dropped: v.getVideoPlaybackQuality().droppedVideoFrames, audio: v.webkitAudioDecodedByteCount, error: v.error && v.error.message });
}
"#;

fn document(libraries: &str, script: &str) -> String {
    format!(
        "<!doctype html><video id=v muted autoplay playsinline crossorigin=anonymous></video>{libraries}<script>\
         {WATCH} const v = document.getElementById('v'); watch(v); {script}</script>"
    )
}

fn play(what: &str, page: Page) -> Option<Value> {
    let page = page
        .limit(secs(20))
        .done("window.report().seen.filter((n) => n !== null).length >= 75")
        .result("window.report()");
    let answer = chromium(&page)?;
    let result = &answer["result"];
    let numbers: Vec<_> = result["seen"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    println!(
        "{what}: {} pictures read, {:?} to {:?}, time {}, decoded {}, dropped {}, audio bytes {}, HTTP errors {}, log {}",
        numbers.len(),
        numbers.first(),
        numbers.last(),
        result["time"],
        result["frames"],
        result["dropped"],
        result["audio"],
        answer["bad"],
        answer["log"]
    );
    assert_eq!(answer["failure"], Value::Null, "{what}: {answer}");
    assert!(numbers.len() >= 75, "{what}: {answer}");
    assert!(numbers.is_sorted(), "{what}: {numbers:?}");
    assert!(
        result["audio"].as_u64() > Some(0),
        "{what} has no sound: {answer}"
    );
    assert_eq!(
        answer["bad"].as_array().map(Vec::len),
        Some(0),
        "{what}: {answer}"
    );
    Some(answer)
}

#[test]
fn mpegts_js_plays_http_flv_and_websocket_flv() {
    let (server, _publisher) = numbered("cam", Options::default());
    for url in [
        server.http_url("live/cam.flv"),
        server.http_url("live/cam.flv").replace("http:", "ws:"),
    ] {
        let script = format!(
            "const p = mpegts.createPlayer({{ type: 'flv', isLive: true, url: '{url}' }}, {{ enableStashBuffer: false }});\
             p.on(mpegts.Events.ERROR, (...e) => console.log('ERROR', ...e)); p.attachMediaElement(v); p.load(); p.play();"
        );
        let page = Page::html(document("<script src=mpegts.js></script>", &script))
            .library("mpegts.js/dist/mpegts.js");
        play(&format!("mpegts.js {url}"), page);
    }
}

#[test]
fn hls_js_plays_low_latency_hls() {
    let (server, _publisher) = numbered("cam", Options::default());
    std::thread::sleep(secs(3));
    let url = server.http_url("live/cam/index.m3u8");
    let script = format!(
        "const h = new Hls({{ lowLatencyMode: true }}); h.on(Hls.Events.ERROR, (_, d) => console.log('ERROR', d.details));\
         h.loadSource('{url}'); h.attachMedia(v);"
    );
    let page =
        Page::html(document("<script src=hls.js></script>", &script)).library("hls.js/dist/hls.js");
    play("hls.js", page);
}

#[test]
fn chromiums_own_hls_plays() {
    let (server, _publisher) = numbered("cam", Options::default());
    std::thread::sleep(secs(7));
    let url = server.http_url("live/cam/index.m3u8");
    // Reading pixels of its own HLS makes this browser give up the stream, so pictures are only counted.
    let page = Page::html(format!(
        "<!doctype html><video id=v muted autoplay playsinline></video><script>const v = document.getElementById('v');\
         window.can = v.canPlayType('application/vnd.apple.mpegurl'); if (window.can) v.src = '{url}';</script>"
    ))
    .limit(secs(20))
    .done("!window.can || v.getVideoPlaybackQuality().totalVideoFrames >= 90")
    .result("({ can: window.can, time: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames, audio: v.webkitAudioDecodedByteCount, error: v.error && v.error.message })");
    let Some(answer) = chromium(&page) else {
        return;
    };
    println!("{answer}");
    let result = &answer["result"];
    if result["can"] == "" {
        println!("skipped: this Chromium has no HLS of its own");
        return;
    }
    assert_eq!(result["error"], Value::Null, "{answer}");
    assert!(result["frames"].as_u64() >= Some(90), "{answer}");
    assert!(result["audio"].as_u64() > Some(0), "{answer}");
    assert_eq!(answer["bad"].as_array().map(Vec::len), Some(0), "{answer}");
}

#[test]
fn fragmented_mp4_plays_in_a_video_element() {
    let (server, _publisher) = numbered("cam", Options::default());
    let url = server.http_url("live/cam.mp4");
    play(
        "video src=.mp4",
        Page::html(document("", &format!("v.src = '{url}';"))),
    );
}

#[test]
fn our_player_page_plays() {
    let (server, _publisher) = numbered("cam", Options::default());
    let page = Page::at(server.http_url("live/cam/"))
        .limit(secs(15))
        .done("(() => { const v = document.querySelector('video'); return v && v.currentTime > 3 && v.getVideoPlaybackQuality().totalVideoFrames > 60; })()")
        .result(
            "(() => { const v = document.querySelector('video'); return { time: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames, \
             audio: v.webkitAudioDecodedByteCount, text: document.body.innerText }; })()",
        );
    let Some(answer) = chromium(&page) else {
        return;
    };
    println!("{answer}");
    let result = &answer["result"];
    assert_eq!(answer["failure"], Value::Null);
    assert!(
        result["frames"].as_u64() > Some(60),
        "{answer}\n{}",
        server.log()
    );
    assert!(result["audio"].as_u64() > Some(0), "{answer}");
    assert_eq!(answer["bad"].as_array().map(Vec::len), Some(0), "{answer}");
}
