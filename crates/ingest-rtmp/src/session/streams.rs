//! Message streams (RTMP 1.0 §7.2.1.3, §7.2.2): made, published on, played on, closed.

use std::time::Instant;

use core_frame::MediaKind;
use flv::amf0::Value;

use super::name::{self, Name};
use super::{Event, Phase, Session, play, publish};
use crate::enhanced;
use crate::wire::command::Command;
use crate::wire::message::Control;

impl Session {
    pub(super) fn create_stream(&mut self, command: &Command) {
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

    pub(super) fn publish(&mut self, now: Instant, stream: u32, command: &Command) {
        // Flash players end a publish so.
        if command.flag(0) == Some(false) {
            return self.close_stream(now, stream);
        }
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
                    kind: publish::kind(command.text(1)),
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

    pub(super) fn play(&mut self, now: Instant, stream: u32, command: &Command) {
        // Flash players end a play so.
        if command.flag(0) == Some(false) {
            return self.close_stream(now, stream);
        }
        if !matches!(self.phase, Phase::Idle { .. }) {
            let why = "This connection publishes or plays already.";
            return self.refuse_play(stream, publish::Reject::Failed, why.to_owned());
        }
        if !self.has_stream(stream) {
            let why = "createStream comes first.".to_owned();
            return self.refuse_play(stream, publish::Reject::Failed, why);
        }
        // Start and duration (arguments 1 and 2: -2000, -1000, -2, -1, 0, …) choose between live and recorded, and what
        // part of a recording; all streams are live here, and a player that has had enough closes its stream.
        let name = Name::parse(command.text(0).unwrap_or_default());
        let key = match name::key(&self.app, &name) {
            Ok(key) => key,
            Err(e) => return self.refuse_play(stream, publish::Reject::NotFound, e.to_string()),
        };
        let queries = [name.query.as_str(), self.app.query.as_str()];
        let query = name::query(queries);
        let layout = match enhanced::layout(query.expose(), self.enhanced.as_ref()) {
            Ok(layout) => layout,
            Err(why) => return self.refuse_play(stream, publish::Reject::Failed, why),
        };
        let request = play::Request {
            token: name::token(queries),
            query,
            stream,
            key,
            layout,
        };
        self.phase = Phase::PlayAsked {
            stream,
            reset: play::reset(command.args.get(3)),
            name: request.key.to_string(),
        };
        self.out.event(Event::Play(request));
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

    pub(super) fn delete_stream(&mut self, now: Instant, id: u32) {
        self.close_stream(now, id);
        self.streams &= !bit(id);
    }

    /// Ends what goes on on a message stream; the stream itself stays.
    pub(super) fn close_stream(&mut self, now: Instant, id: u32) {
        match self.phase {
            Phase::Publishing { stream, .. } if stream == id => self.unpublish(now),
            Phase::Playing { stream } if stream == id => {
                self.phase = Phase::Idle { since: now };
                let code = "NetStream.Play.Stop";
                self.out.status(id, code, "Playing has stopped.");
                self.out.event(Event::Stopped);
            }
            _ => {}
        }
    }

    /// Ends the publish, if there is one.
    pub(super) fn unpublish(&mut self, now: Instant) {
        let Phase::Publishing { stream, .. } = self.phase else {
            return;
        };
        self.no_longer_publishing(now);
        let code = "NetStream.Unpublish.Success";
        self.out.status(stream, code, "Publishing has ended.");
        self.out.event(Event::Unpublished);
    }

    pub(super) fn pause(&mut self, stream: u32, command: &Command) {
        let Phase::Playing { stream: playing } = self.phase else {
            return;
        };
        if playing != stream {
            return;
        }
        let pause = command.flag(0).unwrap_or(true);
        if pause {
            self.out.status(stream, "NetStream.Pause.Notify", "Paused.");
            self.out.control(Control::StreamEof(stream));
        } else {
            self.out.control(Control::StreamBegin(stream));
            let text = "Going on, live.";
            self.out.status(stream, "NetStream.Unpause.Notify", text);
        }
        self.out.event(Event::Pause(pause));
    }

    pub(super) fn receive(&mut self, kind: MediaKind, command: &Command) {
        if matches!(self.phase, Phase::Playing { .. }) {
            let wanted = command.flag(0).unwrap_or(true);
            self.out.event(Event::Receive(kind, wanted));
        }
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
