//! The other end of our connections where the server is on this machine: what its kernel says about its sockets. A reader
//! that does not read cannot see from its own end that it was closed; only the RST that some servers send shows there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// A reading is good for so long: one for all sessions.
const FRESH: Duration = Duration::from_millis(250);
/// Lines looked at: a machine may have a great many sockets.
const LINES: usize = 500_000;
/// `TCP_ESTABLISHED` and `TCP_CLOSE_WAIT` of Linux: the program has not closed its end.
const HELD: [u8; 2] = [1, 8];

/// What the server's end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The server holds it.
    Held,
    /// The server has closed it; the kernel may still have bytes to send.
    Closed,
    /// It is not on this machine, or gone altogether.
    Unknown,
}

/// The sockets of this machine, read when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<Option<Reading>>);

#[derive(Debug)]
struct Reading {
    at: Instant,
    /// By local and remote address.
    states: HashMap<(SocketAddr, SocketAddr), u8>,
}

impl Peers {
    /// The far end of this connection.
    pub(crate) fn of(&self, stream: &TcpStream) -> Peer {
        let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
            return Peer::Unknown;
        };
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.as_ref().is_none_or(|r| r.at.elapsed() > FRESH) {
            *reading = Some(Reading::take());
        }
        let state = reading
            .as_ref()
            .and_then(|r| r.states.get(&(theirs, ours)).copied());
        match state {
            Some(state) if HELD.contains(&state) => Peer::Held,
            Some(_) => Peer::Closed,
            None => Peer::Unknown,
        }
    }
}

impl Reading {
    fn take() -> Self {
        let mut states = HashMap::new();
        for file in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            states.extend(text.lines().skip(1).take(LINES).filter_map(line));
        }
        Self {
            at: Instant::now(),
            states,
        }
    }
}

/// `sl local_address rem_address st ...`, addresses as words of this machine's byte order.
fn line(text: &str) -> Option<((SocketAddr, SocketAddr), u8)> {
    let mut fields = text.split_whitespace().skip(1);
    let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    Some(((local, remote), state))
}

fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn lines_are_read() {
        let text = "   0: 0100007F:1F90 0200007F:C350 04 00000000:00000000 00:00000000 00000000";
        let ((local, remote), state) = line(text).unwrap();
        assert_eq!(
            (local.to_string().as_str(), remote.to_string().as_str()),
            ("127.0.0.1:8080", "127.0.0.2:50000")
        );
        assert_eq!(state, 4);
        let mapped = address("0000000000000000FFFF00000100007F:0050").unwrap();
        assert_eq!(mapped.to_string(), "127.0.0.1:80");
        assert_eq!(line("  sl  local_address rem_address   st"), None);
    }

    #[tokio::test]
    async fn a_close_is_seen_though_nothing_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let peers = Peers::default();
        assert_eq!(peers.of(&stream), Peer::Held);
        drop(theirs);
        tokio::time::sleep(2 * FRESH).await;
        assert_ne!(peers.of(&stream), Peer::Held);
    }
}
