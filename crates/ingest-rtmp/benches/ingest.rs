//! What a publisher costs: bytes of the wire to frames, by the sender's chunk size, read in pieces of 64 KiB.
//!
//! `cargo bench -p millstream-ingest-rtmp --bench ingest`. 1 GB/s is 1 ms a MB.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use core_frame::MediaKind;
use divan::Bencher;
use divan::counter::BytesCount;
use flv::TagKind;
use millstream_ingest_rtmp::client::{self, Config, Role, Target};
use millstream_ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};

fn main() {
    divan::main();
}

/// Ten seconds of 4.2 Mb/s as an encoder sends them, after the publish was accepted.
fn publisher(chunk_size: u32) -> (Bytes, Bytes) {
    let mut config = Config::new(Target::parse("rtmp://h/live/cam").unwrap(), Role::Publish);
    config.chunk_size = chunk_size;
    let mut client = client::Session::new(config, Instant::now());
    let mut server = Session::new(SessionConfig::default(), Instant::now());
    let mut hello = BytesMut::new();
    let mut moved = true;
    while moved {
        moved = false;
        while let Some(output) = client.poll_output() {
            let client::Output::Transmit(bytes) = output else {
                continue;
            };
            hello.extend_from_slice(&bytes);
            moved = true;
            server
                .handle_input(Instant::now(), Input::Bytes(&bytes))
                .unwrap();
            while let Some(output) = server.poll_output() {
                match output {
                    Output::Transmit(bytes) => client
                        .handle_input(Instant::now(), Input::Bytes(&bytes))
                        .unwrap(),
                    Output::Event(Event::Publish(_)) => {
                        server.accept_publish(Instant::now()).unwrap();
                    }
                    Output::Event(_) => {}
                }
            }
        }
    }
    let options = synth::Options::default().fps(30).gop(60).bitrate(4_200_000);
    let source = synth::Source::new(options).unwrap();
    let tracks = source.tracks();
    let kind = |kind| match kind {
        MediaKind::Video => TagKind::Video,
        _ => TagKind::Audio,
    };
    for track in &tracks {
        let header = flv::sequence_header(track).unwrap();
        client.send(kind(track.kind()), 0, &[&header]).unwrap();
    }
    for frame in source.take(770) {
        let track = tracks.iter().find(|t| t.id == frame.track).unwrap();
        let head = flv::body_head(&frame, track).unwrap();
        let time = flv::timestamp_ms(frame.dts);
        let body: [&[u8]; 2] = [head.as_ref(), &frame.payload];
        client.send(kind(frame.kind()), time, &body).unwrap();
    }
    let mut media = BytesMut::new();
    while let Some(output) = client.poll_output() {
        if let client::Output::Transmit(bytes) = output {
            media.extend_from_slice(&bytes);
        }
    }
    (hello.freeze(), media.freeze())
}

fn publishing(hello: &[u8]) -> Session {
    let mut session = Session::new(SessionConfig::default(), Instant::now());
    session
        .handle_input(Instant::now(), Input::Bytes(hello))
        .unwrap();
    while session.poll_output().is_some() {}
    session.accept_publish(Instant::now()).unwrap();
    while session.poll_output().is_some() {}
    session
}

#[divan::bench(args = [128, 4_096, 65_536])]
fn session(bencher: Bencher<'_, '_>, chunk_size: u32) {
    let (hello, media) = publisher(chunk_size);
    bencher
        .counter(BytesCount::new(media.len()))
        .with_inputs(|| publishing(&hello))
        .bench_local_values(|mut session| {
            let now = Instant::now();
            let mut frames = 0;
            for part in media.chunks(64 * 1024) {
                session.handle_input(now, Input::Bytes(part)).unwrap();
                while let Some(output) = session.poll_output() {
                    if let Output::Event(Event::Frame(frame)) = output {
                        frames += divan::black_box(frame.payload.len()).min(1);
                    }
                }
            }
            assert_eq!(frames, 770);
            session
        });
}
