//! RTMP streams.

use std::time::Instant;

use flv::TagKind;
use ingest_rtmp::client::{Event, Role};
use ingest_rtmp::wire::message::MessageType;

use super::container::FlvMedia;
use super::report::ProbeReport;
use super::{ProbeOptions, Stop};
use crate::error::causes;
use crate::net::Dialer;
use crate::rtmp::Connection;
use crate::{Error, Result};

pub(super) async fn probe(
    source: &str,
    options: &ProbeOptions,
    stop: &Stop,
) -> Result<ProbeReport> {
    let dialer = Dialer::new(source, options.timeout, &options.tls)?;
    let mut connection = Connection::open(source, Role::Play, 0, &dialer).await?;
    connection.start(options.timeout).await?;
    let mut media = FlvMedia::new();
    let mut begun = None;
    let waiting = Instant::now();
    loop {
        let next = match begun {
            Some(begun) => stop.unless(begun, connection.next()).await,
            None => {
                let left = options.timeout.saturating_sub(waiting.elapsed());
                match tokio::time::timeout(left, connection.next()).await {
                    Ok(next) => Some(next),
                    Err(_) => {
                        return Err(Error::Timeout {
                            what: "media",
                            after: options.timeout,
                        });
                    }
                }
            }
        };
        match next {
            None | Some(Ok(None | Some(Event::Ended))) => break,
            Some(Ok(Some(Event::Message(message)))) => {
                let kind = match message.kind {
                    MessageType::Audio => TagKind::Audio,
                    MessageType::Video => TagKind::Video,
                    MessageType::Data => TagKind::Script,
                    _ => continue,
                };
                if kind != TagKind::Script {
                    begun.get_or_insert_with(Instant::now);
                }
                media.push(kind, message.timestamp, message.body);
            }
            Some(Ok(Some(_))) => {}
            Some(Err(e)) if media.meter.is_empty() => return Err(e),
            Some(Err(e)) => {
                media.meter.complain(causes(&e));
                break;
            }
        }
    }
    let mut report = ProbeReport::new(source, "rtmp");
    report.is_live = true;
    report.bytes = connection.bytes_in;
    Ok(media.finish(report))
}
