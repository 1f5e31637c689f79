//! How a session ended, in the words of the wire.

use std::io::ErrorKind;
use std::time::Duration;

use crate::Error;
use crate::error::causes;

/// What became of a session that reads slowly, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Still connected when its time was over.
    Open,
    /// The server ended it.
    Closed {
        /// The status it sent, and how the connection ended.
        how: String,
        /// From being let in; `None` when that cannot be seen from here.
        after: Option<Duration>,
    },
}

/// How a connection ended: what the server said before, and FIN, RST or what else it was.
pub(crate) fn how(said: Option<&str>, end: &Result<(), Error>) -> String {
    let end = match end {
        Ok(()) => "FIN".to_owned(),
        Err(Error::Io(e)) if is_reset(e.kind()) => "RST".to_owned(),
        Err(Error::Rtmp(ingest_rtmp::Error::Refused(why))) => return why.clone(),
        Err(e) => causes(e),
    };
    match said {
        Some(said) => format!("{said}, {end}"),
        None => end,
    }
}

const fn is_reset(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}

/// An error in words that are the same for all sessions of a kind, so that they can be counted: without the address.
pub(crate) fn reason(e: &Error) -> String {
    match e {
        Error::Status { status, .. } => format!("HTTP status {status}"),
        Error::Io(e) if e.kind() == ErrorKind::ConnectionAborted => {
            "closed by the server".to_owned()
        }
        Error::Io(e) if is_reset(e.kind()) => "connection lost: RST".to_owned(),
        e => causes(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_in_few_words() {
        assert_eq!(how(None, &Ok(())), "FIN");
        assert_eq!(how(Some("HTTP end"), &Ok(())), "HTTP end, FIN");
        let reset = Err(Error::Io(ErrorKind::ConnectionReset.into()));
        assert_eq!(how(None, &reset), "RST");
        let refused = ingest_rtmp::Error::Refused("NetStream.Play.Failed".to_owned());
        assert_eq!(how(None, &Err(refused.into())), "NetStream.Play.Failed");
        let status = Error::Status {
            status: 503,
            url: "http://h/live/cam77.flv".to_owned(),
        };
        assert_eq!(reason(&status), "HTTP status 503");
    }
}
