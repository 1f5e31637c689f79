//! What goes in by RTMP comes out by RTMP, byte for byte.

use std::time::{Duration, Instant};

use core_frame::Limits;
use core_frame::bytes::Bytes;
use flv::{Demuxer, Events, TagKind};
use testkit::rtmp::{Message, Peer, chunked};
use testkit::{Overlap, Server, overlap, payload_hash};

use crate::support::{FlvStream, Sample, read_flv, sample, take};

/// Sends a file's tags at twice its pace; what a reader that joined on the way got.
fn through(server: &Server, tags: &[(u8, u32, Bytes)]) -> FlvStream {
    let mut publisher = Peer::publish(server.rtmp(), "live", "same").unwrap();
    publisher.message(1, 0, &65_536_u32.to_be_bytes()).unwrap();
    let (begun, to) = (Instant::now(), server.rtmp());
    let mut reader = None;
    for (kind, time, body) in tags {
        let due = begun + Duration::from_millis(u64::from(*time) / 2);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publisher
            .write(&chunked(6, *kind, 1, *time, body, 65_536))
            .unwrap();
        if reader.is_none() && *time > 1_500 {
            reader = Some(std::thread::spawn(move || {
                let mut peer = Peer::play(to, "live", "same").unwrap();
                let mut got = Vec::new();
                while let Ok(message) = peer.receive() {
                    let ended =
                        message.says("NetStream.Play.UnpublishNotify") || message.says("Play.Stop");
                    got.push(message);
                    if ended {
                        break;
                    }
                }
                got
            }));
        }
    }
    // Everything is on its way; what was written before the end is still delivered.
    std::thread::sleep(Duration::from_millis(500));
    drop(publisher);
    // The stream outlives its publisher by the grace time, so silence is the end.
    demux(&reader.unwrap().join().unwrap())
}

fn demux(messages: &[Message]) -> FlvStream {
    let (mut demuxer, mut events) = (Demuxer::new(&Limits::default()), Events::new());
    let mut stream = FlvStream::default();
    for message in messages {
        let kind = match message.kind {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            _ => continue,
        };
        demuxer
            .push(
                kind,
                message.timestamp,
                Bytes::from(message.body.clone()),
                &mut events,
            )
            .unwrap();
    }
    take(&mut stream, &mut events);
    stream
}

fn check(kind: Sample) {
    let Some(path) = sample(kind, "flv") else {
        return;
    };
    let sent = read_flv(&std::fs::read(path).unwrap());
    let server = Server::start(&[]).unwrap();
    let got = through(&server, &sent.tags);
    assert_eq!(got.codecs(), sent.codecs(), "{}", server.log());
    for (there, here) in sent.tracks.iter().zip(&got.tracks) {
        assert_eq!(
            there.config, here.config,
            "{kind:?}: configuration of {}",
            there.codec
        );
        let hashes = |stream: &FlvStream| -> Vec<u64> {
            let frames = stream.frames.iter().filter(|f| f.track == there.id);
            frames.map(|f| payload_hash(&f.payload)).collect()
        };
        let (whole, part) = (hashes(&sent), hashes(&got));
        let found = overlap(&whole, &part).expect("the first payload was sent");
        println!(
            "{kind:?} {}: {} sent, {} received, {found:?}",
            there.codec,
            whole.len(),
            part.len()
        );
        let Overlap {
            offset,
            compared,
            different,
        } = found;
        assert_eq!(different, 0, "{kind:?} {}", there.codec);
        assert_eq!(offset + compared, whole.len(), "the last payload arrived");
        assert!(compared > 200, "{compared}");
    }
    // Times: never back, and no further from the sender's than its own rounding.
    for track in &got.tracks {
        let times: Vec<_> = got
            .frames
            .iter()
            .filter(|f| f.track == track.id)
            .map(|f| f.dts)
            .collect();
        assert!(times.is_sorted());
    }
}

#[test]
fn h264_with_b_frames_and_aac() {
    check(Sample::H264Aac);
}

#[test]
fn hevc_and_aac() {
    check(Sample::HevcAac);
}

#[test]
fn av1_and_opus() {
    check(Sample::Av1Opus);
}

#[test]
fn vp9_and_opus() {
    check(Sample::Vp9Opus);
}
