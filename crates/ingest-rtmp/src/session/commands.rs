//! The commands of a peer (RTMP 1.0 §7.2), and those that encoders send beside the specification.

use std::time::Instant;

use flv::amf0::Value;

use super::connect::{self, Connect};
use super::name::{self, Name};
use super::{Event, Phase, Session, play, publish};
use crate::Error;
use crate::wire::command::{Command, info};
use crate::wire::message::Message;

impl Session {
    pub(super) fn command(&mut self, now: Instant, message: &Message) -> Result<(), Error> {
        let command = match Command::parse(message, self.limits()) {
            Ok(command) => command,
            Err(e) => {
                let why = "The command is no AMF0.";
                let error = info("error", "NetConnection.Call.BadFormat", why);
                self.out
                    .command(message.stream, &Command::new("_error", 0.0, vec![error]));
                return Err(Error::protocol(self.reader.offset(), e.rule));
            }
        };
        if matches!(self.phase, Phase::Greeted) {
            return self.greet(now, &command);
        }
        let stream = message.stream;
        match command.name.as_str() {
            "createStream" => self.create_stream(&command),
            "publish" => self.publish(stream, &command),
            "play" => self.play(stream, &command),
            "deleteStream" => {
                let id = command.number(0).unwrap_or(0.0) as u32;
                self.close_stream(now, id);
                self.streams &= !bit(id);
            }
            "closeStream" => self.close_stream(now, stream),
            "pause" => self.pause(stream, &command),
            "receiveAudio" => self.receive(core_frame::MediaKind::Audio, &command),
            "receiveVideo" => self.receive(core_frame::MediaKind::Video, &command),
            "seek" => {
                let why = "A live stream cannot be sought.";
                self.out.error(stream, "NetStream.Seek.Failed", why);
            }
            // Flash Media Live Encoder's ways: asked for by OBS, ffmpeg, vMix, Larix and GStreamer before `publish`.
            "FCPublish" => self.fc(&command, "onFCPublish", "NetStream.Publish.Start"),
            "FCUnpublish" => self.fc(&command, "onFCUnpublish", "NetStream.Unpublish.Success"),
            // What content delivery networks want before `play`.
            "FCSubscribe" => self.fc(&command, "onFCSubscribe", "NetStream.Play.Start"),
            "releaseStream" | "_checkbw" | "checkBandwidth" | "FCUnsubscribe" => {
                self.result(&command, Value::Undefined);
            }
            // ffmpeg asks before `play`; a live stream has no length.
            "getStreamLength" => self.result(&command, Value::from(0.0)),
            "connect" => {
                let why = "The connection is made already.";
                connect::refuse(&mut self.out, &command, why);
                return Err(Error::protocol(
                    self.reader.offset(),
                    "connect comes once (§7.2.1.1)",
                ));
            }
            "_result" | "_error" | "onStatus" => {}
            _ => self.call_failed(&command, "There is no such method."),
        }
        Ok(())
    }

    /// The first command, which must be `connect`.
    fn greet(&mut self, now: Instant, command: &Command) -> Result<(), Error> {
        if command.name != "connect" {
            self.call_failed(command, "connect comes first.");
            return Err(Error::protocol(
                self.reader.offset(),
                "connect comes first (§7.2.1.1)",
            ));
        }
        if let Some(why) = self.config.refuse {
            connect::refuse(&mut self.out, command, why);
            return Err(Error::Limit(why));
        }
        let (connect, app) = Connect::parse(command);
        self.app = app;
        connect::accept(
            &mut self.out,
            command,
            &connect,
            self.config.window,
            self.config.chunk_size,
        );
        // The time to start counts from accept, as the other two do.
        self.phase = Phase::Idle {
            since: self.accepted,
        };
        let _ = now;
        self.out.event(Event::Connected(connect));
        Ok(())
    }

    fn create_stream(&mut self, command: &Command) {
        let free = (1..=self.limits().rtmp_message_streams.min(31))
            .find(|id| self.streams & bit(*id) == 0);
        match free {
            Some(id) => {
                self.streams |= bit(id);
                self.result(command, Value::from(id));
            }
            None => self.call_failed(command, "Too many streams."),
        }
    }

    fn publish(&mut self, stream: u32, command: &Command) {
        if !matches!(self.phase, Phase::Idle { .. }) {
            let why = "This connection publishes or plays already.";
            return self.refuse_publish(stream, why.to_owned());
        }
        if !self.has_stream(stream) {
            return self.refuse_publish(stream, "createStream comes first.".to_owned());
        }
        let name = Name::parse(command.text(0).unwrap_or_default());
        match name::key(&self.app, &name) {
            Ok(key) => {
                let queries = [name.query.as_str(), self.app.query.as_str()];
                let request = publish::Request {
                    key,
                    token: name::token(queries),
                    query: name::query(queries),
                    kind: command.text(1).unwrap_or("live").to_owned(),
                };
                self.phase = Phase::PublishAsked { stream };
                self.out.event(Event::Publish(request));
            }
            Err(e) => self.refuse_publish(stream, e.to_string()),
        }
    }

    fn refuse_publish(&mut self, stream: u32, reason: String) {
        let code = publish::Reject::BadName.publish_code();
        self.out.error(stream, code, &reason);
        self.late_media = true;
        self.out.event(Event::Refused {
            command: "publish",
            code,
            reason,
        });
    }

    fn play(&mut self, stream: u32, command: &Command) {
        if !matches!(self.phase, Phase::Idle { .. }) {
            let why = "This connection publishes or plays already.";
            return self.refuse_play(stream, publish::Reject::Failed, why.to_owned());
        }
        if !self.has_stream(stream) {
            let why = "createStream comes first.".to_owned();
            return self.refuse_play(stream, publish::Reject::Failed, why);
        }
        // Start and duration (-2000, -1000, -2, -1, …) choose between live and recorded; all streams are live here.
        let name = Name::parse(command.text(0).unwrap_or_default());
        match name::key(&self.app, &name) {
            Ok(key) => {
                let queries = [name.query.as_str(), self.app.query.as_str()];
                let request = play::Request {
                    token: name::token(queries),
                    query: name::query(queries),
                    stream,
                    key,
                };
                self.phase = Phase::PlayAsked {
                    stream,
                    reset: command.flag(3).unwrap_or(true),
                    name: request.key.to_string(),
                };
                self.out.event(Event::Play(request));
            }
            Err(e) => self.refuse_play(stream, publish::Reject::NotFound, e.to_string()),
        }
    }

    fn refuse_play(&mut self, stream: u32, reject: publish::Reject, reason: String) {
        let code = reject.play_code();
        self.out.error(stream, code, &reason);
        self.out.event(Event::Refused {
            command: "play",
            code,
            reason,
        });
    }

    fn close_stream(&mut self, now: Instant, id: u32) {
        match self.phase {
            Phase::Publishing { stream, .. } if stream == id => {
                self.no_longer_publishing(now);
                let code = "NetStream.Unpublish.Success";
                self.out.status(id, code, "Publishing has ended.");
                self.out.event(Event::Unpublished);
            }
            Phase::Playing { stream } if stream == id => {
                self.phase = Phase::Idle { since: now };
                self.out.event(Event::Stopped);
            }
            _ => {}
        }
    }

    fn pause(&mut self, stream: u32, command: &Command) {
        if !matches!(self.phase, Phase::Playing { .. }) {
            return;
        }
        let pause = command.flag(0).unwrap_or(true);
        let (code, text) = if pause {
            ("NetStream.Pause.Notify", "Paused.")
        } else {
            ("NetStream.Unpause.Notify", "Going on, live.")
        };
        self.out.status(stream, code, text);
        self.out.event(Event::Pause(pause));
    }

    fn receive(&mut self, kind: core_frame::MediaKind, command: &Command) {
        if matches!(self.phase, Phase::Playing { .. }) {
            let wanted = command.flag(0).unwrap_or(true);
            self.out.event(Event::Receive(kind, wanted));
        }
    }

    fn fc(&mut self, command: &Command, answer: &str, code: &str) {
        self.result(command, Value::Undefined);
        let status = Command::status("status", code, command.text(0).map_or("", |_| "OK."));
        self.out.command(
            0,
            &Command {
                name: answer.to_owned(),
                ..status
            },
        );
    }

    fn result(&mut self, command: &Command, value: Value) {
        if command.transaction != 0.0 {
            let answer = Command::new("_result", command.transaction, vec![value]);
            self.out.command(0, &answer);
        }
    }

    fn call_failed(&mut self, command: &Command, why: &str) {
        let error = info("error", "NetConnection.Call.Failed", why);
        let answer = Command::new("_error", command.transaction, vec![error]);
        self.out.command(0, &answer);
    }

    const fn has_stream(&self, id: u32) -> bool {
        self.streams & bit(id) != 0
    }
}

/// The bit of a message stream id; none for ids that are never given out.
const fn bit(id: u32) -> u32 {
    match id {
        1..=31 => 1 << id,
        _ => 0,
    }
}
