//! The commands of a peer (RTMP 1.0 §7.2), and those that encoders and players send beside the specification.

use std::time::Instant;

use core_frame::MediaKind;
use flv::amf0::Value;

use super::connect::{self, Connect};
use super::{Event, Phase, Session};
use crate::Error;
use crate::wire::command::{Command, info};
use crate::wire::message::Message;

impl Session {
    pub(super) fn command(&mut self, now: Instant, message: &Message) -> Result<(), Error> {
        let command = match Command::parse(message, self.limits()) {
            Ok(command) => command,
            Err(e) => {
                let why = "The command is no AMF.";
                let error = info("error", "NetConnection.Call.BadFormat", why);
                self.out
                    .command(message.stream, &Command::new("_error", 0.0, vec![error]));
                return Err(Error::protocol(self.reader.offset(), e.rule));
            }
        };
        if matches!(self.phase, Phase::Greeted) {
            return self.greet(&command);
        }
        let stream = message.stream;
        match command.name.as_str() {
            "createStream" => self.create_stream(&command),
            "publish" => self.publish(now, stream, &command),
            "play" => self.play(now, stream, &command),
            "deleteStream" => {
                let id = command.number(0).unwrap_or(0.0) as u32;
                self.delete_stream(now, id);
            }
            "closeStream" => self.close_stream(now, stream),
            "pause" | "pauseRaw" => self.pause(stream, &command),
            "receiveAudio" => self.receive(MediaKind::Audio, &command),
            "receiveVideo" => self.receive(MediaKind::Video, &command),
            "seek" => {
                let why = "A live stream cannot be sought.";
                self.out.error(stream, "NetStream.Seek.Failed", why);
            }
            // Players that change quality by another stream name: they play that one anew instead.
            "play2" => {
                let why = "play2 is not known here: play the other stream.";
                self.out.error(stream, "NetStream.Play.Failed", why);
            }
            // Flash Media Live Encoder's ways: asked for by OBS, ffmpeg, vMix, Larix and GStreamer before `publish`.
            "FCPublish" => self.fc(&command, "onFCPublish", "NetStream.Publish.Start"),
            "FCUnpublish" => {
                self.fc(&command, "onFCUnpublish", "NetStream.Unpublish.Success");
                self.unpublish(now);
            }
            // What content delivery networks want before `play`.
            "FCSubscribe" => self.fc(&command, "onFCSubscribe", "NetStream.Play.Start"),
            "FCUnsubscribe" => self.fc(&command, "onFCUnsubscribe", "NetStream.Play.Stop"),
            // Nothing is to be done for these, and who sends them waits for an answer or goes on without one:
            // `releaseStream` frees a name that its holder gives up by itself; the others measure the way to us.
            "releaseStream" | "_checkbw" | "checkBandwidth" | "setDataFrame" | "onBWDone" => {
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
            // Answers to what we did not ask, or did not ask for an answer to.
            "_result" | "_error" | "onStatus" => {}
            _ => self.call_failed(&command, "There is no such method."),
        }
        Ok(())
    }

    /// The first command, which must be `connect`.
    fn greet(&mut self, command: &Command) -> Result<(), Error> {
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
        self.enhanced.clone_from(&connect.enhanced);
        let (window, chunk_size) = (self.config.window, self.config.chunk_size);
        connect::accept(&mut self.out, command, &connect, window, chunk_size);
        // The time to start counts from accept, as the other two do.
        self.phase = Phase::Idle {
            since: self.accepted,
        };
        self.out.event(Event::Connected(connect));
        Ok(())
    }

    /// A result, and the status as a command of its own that these calls are known for.
    fn fc(&mut self, command: &Command, answer: &str, code: &str) {
        self.result(command, Value::Undefined);
        let status = Command::status("status", code, "OK.");
        let name = answer.to_owned();
        self.out.command(0, &Command { name, ..status });
    }

    pub(super) fn result(&mut self, command: &Command, value: Value) {
        if command.transaction != 0.0 {
            let answer = Command::new("_result", command.transaction, vec![value]);
            self.out.command(0, &answer);
        }
    }

    pub(super) fn call_failed(&mut self, command: &Command, why: &str) {
        let error = info("error", "NetConnection.Call.Failed", why);
        let answer = Command::new("_error", command.transaction, vec![error]);
        self.out.command(0, &answer);
    }
}
