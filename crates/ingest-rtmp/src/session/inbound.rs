//! What becomes of each message of the peer.

use std::time::Instant;

use super::{Event, Phase, Reject, Session};
use crate::Error;
use crate::media::Media;
use crate::wire::chunk::ChunkLimits;
use crate::wire::message::{Control, Message, MessageType};

/// Commands a second; a publisher or player sends about six in all.
const COMMANDS: u32 = 100;
/// Answers a second to pings and the like; the rest goes unanswered.
const REPLIES: u32 = 20;
impl Session {
    pub(super) fn message(&mut self, now: Instant, message: Message) -> Result<(), Error> {
        match message.kind {
            MessageType::Audio
            | MessageType::Video
            | MessageType::Data
            | MessageType::DataAmf3
            | MessageType::Aggregate => self.media(now, &message),
            MessageType::Command | MessageType::CommandAmf3 => {
                self.budget.commands = self.budget.commands.saturating_add(1);
                if self.budget.commands > COMMANDS {
                    return Err(Error::Limit("commands a second"));
                }
                self.command(now, &message)
            }
            _ => match Control::parse(&message) {
                Ok(control) => {
                    if let Some(control) = control {
                        self.control(control);
                    }
                    Ok(())
                }
                Err(rule) => Err(Error::protocol(self.reader.offset(), rule)),
            },
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::WindowAckSize(size) => self.ack_window = u64::from(size),
            Control::SetPeerBandwidth(size, _)
                if size != self.config.window && size > 0 && self.may_reply() =>
            {
                self.out.control(Control::WindowAckSize(size));
            }
            Control::PingRequest(time) if self.may_reply() => {
                self.out.control(Control::PingResponse(time));
            }
            // Chunk size and abort have done their work in the chunk reader; acknowledgements and buffer lengths ask
            // for nothing, since TCP paces us.
            _ => {}
        }
    }

    const fn may_reply(&mut self) -> bool {
        self.budget.replies = self.budget.replies.saturating_add(1);
        self.budget.replies <= REPLIES
    }

    fn media(&mut self, now: Instant, message: &Message) -> Result<(), Error> {
        if let Phase::Publishing { stream, ingest } = &mut self.phase {
            // A publisher's message stream is the one it asked on; encoders that send metadata on stream 0 mean it too.
            if message.stream == *stream || message.stream == 0 {
                let out = &mut self.out;
                let result = ingest.message(now, message, &mut |media| {
                    out.event(match media {
                        Media::Track(track) => Event::Track(track),
                        Media::Frame(frame) => Event::Frame(frame),
                        Media::Tags(tags) => Event::Tags(tags),
                        Media::Damaged(why) => Event::Damaged(why),
                    });
                });
                if let Err(e) = &result {
                    let code = Reject::Failed.publish_code();
                    self.out.error(*stream, code, &e.to_string());
                }
                return result;
            }
        } else if self.late_media || is_script(message.kind) {
            return Ok(());
        }
        let code = "NetStream.Publish.Denied";
        self.out.error(
            message.stream,
            code,
            "Media on a stream that is not published.",
        );
        Err(Error::protocol(
            self.reader.offset(),
            "media on a message stream that is not published",
        ))
    }

    pub(super) fn no_longer_publishing(&mut self, now: Instant) {
        self.phase = Phase::Idle { since: now };
        self.late_media = true;
        self.reader
            .set_limits(ChunkLimits::before_publish(&self.config.limits));
    }
}

const fn is_script(kind: MessageType) -> bool {
    matches!(kind, MessageType::Data | MessageType::DataAmf3)
}
