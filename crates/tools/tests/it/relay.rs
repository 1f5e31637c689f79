//! The relay: what goes in comes out, whatever becomes of either side.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Engine, SubscribeOptions};
use bytes::Bytes;
use core_frame::{CodecId, Limits, StreamKey, TrackId};
use millstream_tools::load::{PublishOptions, publish};
use millstream_tools::probe::{ProbeOptions, probe};
use millstream_tools::relay::{RelayEnd, RelayOptions, RelayReport, relay};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Rtmp};

const SECOND: Duration = Duration::from_secs(1);

/// Payloads by track and the number in them.
type Payloads = BTreeMap<(TrackId, u64), Bytes>;

/// Gathers what a server gets, from before it gets anything.
fn gather(engine: &Arc<Engine>, name: &str) -> Arc<Mutex<Payloads>> {
    let all = Arc::new(Mutex::new(Payloads::new()));
    let (engine, key, into) = (
        Arc::clone(engine),
        StreamKey::new("live", name),
        Arc::clone(&all),
    );
    tokio::spawn(async move {
        let handle = loop {
            match engine.get_stream(&key) {
                Ok(handle) => break handle,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let Ok(mut reader) = handle.subscribe(SubscribeOptions::everything()) else {
            return;
        };
        while let Some(frame) = reader.recv().await {
            if let Some(number) = synth::read_number_in(frame.codec, &frame.payload) {
                let mut all = into.lock().expect("no panic");
                // The stamp of a frame is in its payload, so a frame sent twice would differ.
                all.insert((frame.track, number.n), frame.payload.clone());
            }
        }
    });
    all
}

fn send(url: &str, duration: Duration, retries: u32) -> JoinHandle<()> {
    let mut options = PublishOptions::new(url);
    options.duration = duration;
    options.bitrate = 600_000;
    options.gop = 15;
    options.retries = retries;
    tokio::spawn(async move {
        let report = publish(options, CancellationToken::new()).await;
        assert!(report.expect("a fitting wish").is_clean());
    })
}

fn start(options: RelayOptions) -> (CancellationToken, JoinHandle<RelayReport>) {
    let cancel = CancellationToken::new();
    let running = relay(options, cancel.clone(), |_| ());
    let running = tokio::spawn(async move { running.await.expect("a fitting wish") });
    (cancel, running)
}

/// The payloads of one track that both have, which must be equal; and the numbers the second lacks between its first and
/// its last.
fn compare(sent: &Payloads, got: &Payloads, track: TrackId) -> (usize, usize) {
    let of = |all: &Payloads| -> BTreeMap<u64, Bytes> {
        let all = all.iter().filter(|((id, _), _)| *id == track);
        all.map(|((_, n), bytes)| (*n, bytes.clone())).collect()
    };
    let (sent, got) = (of(sent), of(got));
    let equal = got.iter().filter(|(n, bytes)| sent.get(n) == Some(bytes));
    assert_eq!(equal.count(), got.len(), "a payload was changed");
    let range = got.keys().next().zip(got.keys().last());
    let missing = range.map_or(0, |(first, last)| {
        (*first..=*last).filter(|n| !got.contains_key(n)).count()
    });
    (got.len(), missing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_stay_equal_to_the_byte() {
    let (near, far) = (Rtmp::start(), Rtmp::start());
    let (sent, got) = (gather(&near.engine, "cam"), gather(&far.engine, "out"));
    let sending = send(&near.url("cam"), 5 * SECOND, 0);
    tokio::time::sleep(SECOND).await;
    let mut options = RelayOptions::new(near.url("cam"), far.url("out"));
    options.duration = Some(3 * SECOND);
    let mut lines = Vec::new();
    let report = relay(options, CancellationToken::new(), |s| lines.push(s.line())).await;
    let report = report.unwrap();
    let table = report.table();
    assert_eq!(report.end, RelayEnd::Duration, "{table}");
    assert!(report.is_complete() && report.has_media(), "{table}");
    assert!(lines.len() >= 6, "{lines:?}");
    assert!(lines[4].contains("source up; target up"), "{lines:?}");
    sending.await.unwrap();
    let (sent, got) = (sent.lock().unwrap(), got.lock().unwrap());
    for (track, least) in [(TrackId::VIDEO, 75), (TrackId::AUDIO, 110)] {
        let (count, missing) = compare(&sent, &got, track);
        assert!(count > least, "{count} frames of {track:?}; {table}");
        assert_eq!(missing, 0, "{track:?}; {table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_stays_while_the_source_is_away() {
    let (near, far) = (Rtmp::start(), Rtmp::start());
    let (address, url) = (near.address, near.url("cam"));
    let got = gather(&far.engine, "out");
    let sending = send(&url, 11 * SECOND, 20);
    tokio::time::sleep(SECOND).await;
    let (cancel, running) = start(RelayOptions::new(&url, far.url("out")));
    tokio::time::sleep(2 * SECOND).await;
    let key = StreamKey::new("live", "out");
    let before = far.engine.get_stream(&key).unwrap().publisher().unwrap();
    drop(near);
    tokio::time::sleep(SECOND).await;
    let near = Rtmp::at(address, Limits::default());
    let sent = gather(&near.engine, "cam");
    // Both the publisher and the relay have to come back first, each after a pause of its own.
    tokio::time::sleep(6 * SECOND).await;
    let after = far.engine.get_stream(&key).unwrap().publisher().unwrap();
    assert_eq!(before.since, after.since, "the same publisher all the time");
    cancel.cancel();
    let report = running.await.unwrap();
    let table = report.table();
    assert_eq!(report.end, RelayEnd::Stopped, "{table}");
    assert!(report.last.source.reconnects >= 1, "{table}");
    assert_eq!(report.last.target.reconnects, 0, "{table}");
    assert!(!report.is_complete(), "{table}");
    sending.await.unwrap();
    // What the server that came back had is there too.
    let (sent, got) = (sent.lock().unwrap(), got.lock().unwrap());
    let both = sent.iter().filter(|(n, bytes)| got.get(n) == Some(bytes));
    assert!(both.count() > 60, "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_comes_back_is_served_again() {
    let (near, far) = (Rtmp::start(), Rtmp::start());
    let (address, to) = (far.address, far.url("out"));
    let sent = gather(&near.engine, "cam");
    let sending = send(&near.url("cam"), 8 * SECOND, 0);
    tokio::time::sleep(SECOND).await;
    let (cancel, running) = start(RelayOptions::new(near.url("cam"), &to));
    tokio::time::sleep(2 * SECOND).await;
    drop(far);
    tokio::time::sleep(SECOND).await;
    let far = Rtmp::at(address, Limits::default());
    let got = gather(&far.engine, "out");
    tokio::time::sleep(3 * SECOND).await;
    cancel.cancel();
    let report = running.await.unwrap();
    let table = report.table();
    assert_eq!(report.last.target.reconnects, 1, "{table}");
    assert_eq!(report.last.source.reconnects, 0, "{table}");
    sending.await.unwrap();
    let (sent, got) = (sent.lock().unwrap(), got.lock().unwrap());
    let (count, missing) = compare(&sent, &got, TrackId::VIDEO);
    assert!(count > 40 && missing == 0, "{count}, {missing}: {table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_can_be_read_and_says_how_long_it_is() {
    let near = Rtmp::start();
    let folder = tempfile::tempdir().unwrap();
    let sending = send(&near.url("cam"), 6 * SECOND, 0);
    tokio::time::sleep(SECOND).await;
    for name in ["cam.flv", "cam.mp4"] {
        let file = folder.path().join(name);
        let (cancel, running) = start(RelayOptions::new(near.url("cam"), file.to_string_lossy()));
        tokio::time::sleep(3 * SECOND / 2).await;
        // It can be read while it grows.
        assert_eq!(tracks(&file).await, 2);
        cancel.cancel();
        let report = running.await.unwrap();
        let table = report.table();
        assert_eq!(report.end, RelayEnd::Stopped, "{table}");
        assert!(report.is_complete(), "{table}");
        assert_eq!(report.files, std::slice::from_ref(&file), "{table}");
        let len = std::fs::metadata(&file).unwrap().len();
        assert_eq!(report.last.target.bytes, len, "{table}");
        let found = look(&file).await;
        assert!(found.is_clean(), "{}", found.table());
        assert!((1.0..4.0).contains(&found.seconds), "{}", found.table());
        if name == "cam.flv" {
            let said: f64 = found.metadata["duration"].parse().unwrap();
            assert!((said - found.seconds).abs() < 0.2, "{}", found.table());
            assert_eq!(found.metadata["filesize"], len.to_string());
        }
        let names = ["-i", name, "-f", "null", "-"];
        rig::ffmpeg(folder.path(), &names);
    }
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_sent_at_its_own_pace_and_ends() {
    let sample = rig::sample("ffmpeg5_h264_aac.flv");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.flv");
    let begun = std::time::Instant::now();
    let (_cancel, running) = start(RelayOptions::new(
        sample.to_string_lossy(),
        copy.to_string_lossy(),
    ));
    let report = running.await.unwrap();
    let table = report.table();
    assert_eq!(report.end, RelayEnd::SourceEnded, "{table}");
    assert!(report.is_complete(), "{table}");
    // The sample lasts 1.5 s.
    let took = begun.elapsed().as_secs_f64();
    assert!((1.2..4.0).contains(&took), "{took} s; {table}");
    for codec in [CodecId::H264, CodecId::Aac] {
        let (was, is) = (frames(&sample, codec), frames(&copy, codec));
        assert!(was.len() == is.len() && was.len() > 10, "{table}");
        // Times of sound are made even on the way: less than a millisecond, which is a tick of FLV.
        let same = |((time, payload), (at, copied)): (&(i64, Bytes), &(i64, Bytes))| {
            payload == copied && (time - at).abs() <= 1
        };
        assert!(was.iter().zip(&is).all(same), "{codec:?}: {table}");
    }
    // Into a file that is there only when that is asked for.
    let mut options = RelayOptions::new(sample.to_string_lossy(), copy.to_string_lossy());
    let refused = relay(options.clone(), CancellationToken::new(), |_| ()).await;
    assert!(refused.unwrap_err().to_string().contains("there already"));
    options.overwrite = true;
    options.looped = true;
    options.duration = Some(4 * SECOND);
    let (_cancel, running) = start(options);
    let report = running.await.unwrap();
    assert_eq!(report.end, RelayEnd::Duration, "{}", report.table());
    let found = look(&copy).await;
    assert!(found.is_clean(), "{}", found.table());
    assert!((3.5..4.5).contains(&found.seconds), "{}", found.table());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sides_that_are_not_there_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let nobody = "rtmp://127.0.0.1:1/live/cam";
    let sample = rig::sample("ffmpeg5_h264_aac.flv");
    let mut options = RelayOptions::new(nobody, file("a.flv"));
    options.retry = Some(1);
    let (_cancel, running) = start(options);
    let report = running.await.unwrap();
    assert_eq!(report.end, RelayEnd::SourceFailed, "{}", report.table());
    assert!(!report.has_media() && report.last.source.why.is_some());
    let mut options = RelayOptions::new(sample.to_string_lossy(), nobody);
    options.retry = Some(0);
    let (_cancel, running) = start(options);
    let report = running.await.unwrap();
    assert_eq!(report.end, RelayEnd::TargetFailed, "{}", report.table());
    // A disk that is full.
    let full = folder.path().join("full.flv");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let mut options = RelayOptions::new(sample.to_string_lossy(), full.to_string_lossy());
    options.overwrite = true;
    let (_cancel, running) = start(options);
    let report = running.await.unwrap();
    assert_eq!(report.end, RelayEnd::TargetFailed, "{}", report.table());
    let why = report.last.target.why.unwrap();
    assert!(why.contains("No space left"), "{why}");
    for (from, to) in [
        ("/no/such.flv", "x.flv"),
        (file("a.flv").as_str(), "x.flv"),
        (nobody, "x.mkv"),
        ("-", "x.flv"),
        ("srt://h:1", "x.flv"),
    ] {
        let to = if to.starts_with('x') {
            file(to)
        } else {
            to.to_owned()
        };
        let result = relay(
            RelayOptions::new(from, to),
            CancellationToken::new(),
            |_| (),
        )
        .await;
        assert!(result.is_err(), "{from}");
    }
}

async fn look(path: &Path) -> millstream_tools::probe::ProbeReport {
    let source = path.to_string_lossy();
    let options = ProbeOptions::default();
    let report = probe(&source, &options, CancellationToken::new()).await;
    report.expect("a file")
}

async fn tracks(path: &Path) -> usize {
    look(path).await.tracks.len()
}

/// Time in milliseconds and payload of every frame of a file with this codec.
fn frames(path: &Path, codec: CodecId) -> Vec<(i64, Bytes)> {
    let limits = Limits::default();
    let mut reader = flv::FileReader::new(&limits);
    let mut demuxer = flv::Demuxer::new(&limits);
    let mut events = flv::Events::new();
    reader.push(&std::fs::read(path).expect("a file"));
    reader.finish();
    let mut frames = Vec::new();
    while let Some(event) = reader.next_event().expect("sound") {
        if let flv::FileEvent::Tag {
            kind,
            timestamp_ms,
            body,
            ..
        } = event
        {
            demuxer
                .push(kind, timestamp_ms, body, &mut events)
                .expect("sound");
            frames.extend(events.drain().filter_map(|e| match e {
                flv::Event::Frame(f) if f.codec == codec => Some((f.dts.as_millis(), f.payload)),
                _ => None,
            }));
        }
    }
    frames
}
