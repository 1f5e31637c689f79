//! `rml_rtmp`'s client publishes to our server session and plays from it; the crate `rtmp` takes our chunks apart.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use core_frame::{CodecId, MediaFrame, Render, RenderOut, RenderStep, TrackInfo, TrackTable};
use ingest_rtmp::RtmpRender;
use ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
};
use rml_rtmp::time::RtmpTimestamp;
use rtmp::chunk::unpacketizer::{ChunkUnpacketizer, UnpackResult};
use synth::{Options, Source};

/// Their client and our session, with a wire of vectors between them.
struct Pair {
    client: ClientSession,
    server: Session,
    /// What our session told, in order.
    told: Vec<Event>,
    /// What their client told, in order.
    raised: Vec<ClientSessionEvent>,
}

impl Pair {
    /// After the handshake and `connect`.
    fn connected() -> Self {
        let mut server = Session::new(SessionConfig::default(), Instant::now());
        let mut shake = Handshake::new(PeerType::Client);
        let mut to_server = shake.generate_outbound_p0_and_p1().unwrap();
        let rest = loop {
            server
                .handle_input(Instant::now(), Input::Bytes(&to_server))
                .unwrap();
            let mut back = Vec::new();
            while let Some(output) = server.poll_output() {
                if let Output::Transmit(bytes) = output {
                    back.extend_from_slice(&bytes);
                }
            }
            match shake.process_bytes(&back).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => to_server = response_bytes,
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    server
                        .handle_input(Instant::now(), Input::Bytes(&response_bytes))
                        .unwrap();
                    break remaining_bytes;
                }
            }
        };
        let mut config = ClientSessionConfig::new();
        config.tc_url = Some("rtmp://localhost/live".to_owned());
        let (client, first) = ClientSession::new(config).unwrap();
        let mut pair = Self {
            client,
            server,
            told: Vec::new(),
            raised: Vec::new(),
        };
        let to_client = pair.deliver(first);
        pair.exchange([rest, to_client].concat());
        let ask = pair.client.request_connection("live".to_owned()).unwrap();
        pair.say(ask);
        assert_eq!(
            pair.raised.remove(0),
            ClientSessionEvent::ConnectionRequestAccepted
        );
        pair
    }

    /// Their side says something, and everything that follows from it is carried to and fro.
    fn say(&mut self, result: ClientSessionResult) {
        let to_client = self.deliver(vec![result]);
        self.exchange(to_client);
    }

    fn exchange(&mut self, mut to_client: Vec<u8>) {
        while !to_client.is_empty() {
            let results = self.client.handle_input(&to_client).unwrap();
            to_client = self.deliver(results);
        }
    }

    /// Hands packets to our session, answers what it asks, and returns what it says.
    fn deliver(&mut self, results: Vec<ClientSessionResult>) -> Vec<u8> {
        let mut said = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    let input = Input::Bytes(&packet.bytes);
                    self.server.handle_input(Instant::now(), input).unwrap();
                    self.take(&mut said);
                }
                ClientSessionResult::RaisedEvent(event) => self.raised.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        said
    }

    fn take(&mut self, said: &mut Vec<u8>) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => said.extend_from_slice(&bytes),
                Output::Event(Event::Publish(_)) => {
                    self.server.accept_publish(Instant::now()).unwrap()
                }
                Output::Event(Event::Play(_)) => self.server.accept_play(Instant::now()).unwrap(),
                Output::Event(event) => self.told.push(event),
            }
        }
    }
}

/// A numbered stream: its tracks and 150 frames, some of them larger than a chunk.
fn stream() -> (Vec<TrackInfo>, Vec<MediaFrame>) {
    let mut options = Options::default().frames(150);
    options.bitrate = 6_000_000;
    let source = Source::new(options).unwrap();
    (source.tracks(), source.collect())
}

fn body(frame: &MediaFrame, tracks: &[TrackInfo]) -> Bytes {
    let track = tracks.iter().find(|t| t.id == frame.track).unwrap();
    let head = flv::body_head(frame, track).unwrap();
    [head.as_ref(), &frame.payload].concat().into()
}

#[test]
fn their_client_publishes_to_us() {
    let (tracks, frames) = stream();
    let mut pair = Pair::connected();
    let ask = pair
        .client
        .request_publishing("cam".to_owned(), PublishRequestType::Live)
        .unwrap();
    pair.say(ask);
    assert_eq!(
        pair.raised.remove(0),
        ClientSessionEvent::PublishRequestAccepted
    );
    for track in &tracks {
        let header = flv::sequence_header(track).unwrap();
        let at = RtmpTimestamp::new(0);
        let sent = match track.codec {
            CodecId::H264 => pair.client.publish_video_data(header, at, false),
            _ => pair.client.publish_audio_data(header, at, false),
        };
        pair.say(sent.unwrap());
    }
    // Times around the end of 24 bits, so that the extended form is met.
    let offset = 0xFF_FFFF - 2_000;
    for frame in &frames {
        let at = RtmpTimestamp::new(offset + flv::timestamp_ms(frame.dts));
        let sent = match frame.codec {
            CodecId::H264 => pair
                .client
                .publish_video_data(body(frame, &tracks), at, false),
            _ => pair
                .client
                .publish_audio_data(body(frame, &tracks), at, false),
        };
        pair.say(sent.unwrap());
    }
    let got: Vec<_> = pair
        .told
        .iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some(frame),
            _ => None,
        })
        .collect();
    assert_eq!(got.len(), frames.len());
    for (got, sent) in got.iter().zip(&frames) {
        assert_eq!(got.payload, sent.payload);
        assert_eq!(
            got.dts.as_millis(),
            i64::from(offset) + sent.dts.as_millis()
        );
        assert_eq!(got.is_keyframe(), sent.is_keyframe());
    }
}

/// The view of a stream as a player gets it: preamble and items, in order.
fn view(tracks: &[TrackInfo], frames: &[MediaFrame]) -> Vec<u8> {
    let mut render = RtmpRender::new(1, ingest_rtmp::CHUNK_SIZE);
    let mut out = RenderOut::new();
    render.tracks(&TrackTable::new(tracks.to_vec()).into(), &mut out);
    for (seq, frame) in frames.iter().enumerate() {
        render.frame(frame, seq as u64, &mut out);
    }
    render.flush(&mut out);
    let mut wire = Vec::new();
    for step in out.drain() {
        let slices = match step {
            RenderStep::Preamble(preamble) => preamble.join.clone(),
            RenderStep::Item(item) => item.slices,
        };
        slices
            .iter()
            .for_each(|slice| wire.extend_from_slice(slice));
    }
    wire
}

#[test]
fn their_client_plays_from_us() {
    let (tracks, frames) = stream();
    let mut pair = Pair::connected();
    let ask = pair.client.request_playback("cam".to_owned()).unwrap();
    pair.say(ask);
    let accepted = ClientSessionEvent::PlaybackRequestAccepted;
    assert!(pair.raised.contains(&accepted), "{:?}", pair.raised);
    pair.exchange(view(&tracks, &frames));
    let mut headers = 0;
    let mut got = Vec::new();
    for event in pair.raised {
        match event {
            ClientSessionEvent::StreamMetadataReceived { metadata } => {
                assert_eq!(metadata.video_width, Some(160));
                assert_eq!(metadata.audio_sample_rate, Some(48_000));
            }
            ClientSessionEvent::VideoDataReceived { timestamp, data }
            | ClientSessionEvent::AudioDataReceived { timestamp, data } => {
                if data[1] == 0 {
                    headers += 1;
                } else {
                    got.push((timestamp.value, data));
                }
            }
            _ => {}
        }
    }
    assert_eq!(headers, 2);
    let want: Vec<_> = frames
        .iter()
        .map(|f| (flv::timestamp_ms(f.dts), body(f, &tracks)))
        .collect();
    assert_eq!(got.len(), want.len());
    assert!(got == want, "the same bodies at the same times");
}

#[test]
fn the_crate_rtmp_takes_our_chunks_apart() {
    let (tracks, frames) = stream();
    let mut theirs = ChunkUnpacketizer::new();
    theirs.update_max_chunk_size(ingest_rtmp::CHUNK_SIZE as usize);
    theirs.extend_data(&view(&tracks, &frames));
    let mut got = Vec::new();
    while let Ok(UnpackResult::Chunks(chunks)) = theirs.read_chunks() {
        got.extend(chunks.into_iter().map(|c| {
            let header = c.message_header;
            (
                header.msg_type_id,
                header.timestamp,
                BytesMut::freeze(c.payload),
            )
        }));
    }
    // onMetaData and two configurations come first.
    let media = got.split_off(3);
    let want: Vec<_> = frames
        .iter()
        .map(|f| {
            let kind = if f.codec == CodecId::H264 { 9 } else { 8 };
            (kind, flv::timestamp_ms(f.dts), body(f, &tracks))
        })
        .collect();
    assert_eq!(media.len(), want.len());
    assert!(media == want, "the same messages");
}
