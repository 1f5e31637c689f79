//! How a client reaches a server: names, addresses, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use core_frame::Limits;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::{Config, Role, Target};
use crate::net::transport::Transport;
use crate::net::{Error, socket};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 16;
/// How long an attempt has before the next address is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Options of an outgoing connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connect {
    /// Whom to trust behind `rtmps://`; see [`Trust`](super::Trust). `None` is the trust store of the system.
    #[cfg(feature = "tls")]
    pub tls: Option<std::sync::Arc<rustls::ClientConfig>>,
    /// How long looking up the name and reaching one of its addresses may take, together. The handshakes come after
    /// that, within `limits.handshake_ms`.
    pub connect_timeout: Duration,
    /// After how much silence of the network a connection counts as dead, both ways.
    pub dead_after: Duration,
    /// Bounds on what the server sends, and the time it has for each answer.
    pub limits: Limits,
    /// Size of the chunks we send, in bytes.
    pub chunk_size: u32,
    /// Unsent bytes the kernel keeps at most, where the system can bound them; 0 leaves it to the system.
    pub unsent_bytes: u32,
    /// How we name ourselves (`flashVer`); `None` is the default of [`Config`].
    pub agent: Option<String>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            #[cfg(feature = "tls")]
            tls: None,
            connect_timeout: Duration::from_secs(10),
            dead_after: Duration::from_secs(12),
            limits: Limits::default(),
            chunk_size: crate::CHUNK_SIZE,
            unsent_bytes: 128 * 1024,
            agent: None,
        }
    }
}

impl Connect {
    /// The session's options that go with these.
    #[must_use]
    pub fn config(&self, target: Target, role: Role) -> Config {
        let mut config = Config::new(target, role);
        config.limits = self.limits.clone();
        config.chunk_size = self.chunk_size;
        config.seed = crate::net::random();
        if let Some(agent) = &self.agent {
            config.agent.clone_from(agent);
        }
        config
    }

    /// Reaches the server; TLS has begun where it is wanted, and nothing has been said yet.
    pub(super) async fn dial(&self, target: &Target) -> Result<(Transport, SocketAddr), Error> {
        #[cfg(feature = "tls")]
        let tls = target.tls.then(|| self.trust(target)).transpose()?;
        #[cfg(not(feature = "tls"))]
        if target.tls {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this program is built without TLS",
            )
            .into());
        }
        let reached = tokio::time::timeout(self.connect_timeout, reach(target));
        let stream = reached.await.map_err(|_| {
            let waited = self.connect_timeout;
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {waited:?}"),
            )
        })??;
        socket::set_up(&stream, self.dead_after, self.unsent_bytes)?;
        let remote = stream.peer_addr()?;
        #[cfg(feature = "tls")]
        if let Some((config, name)) = tls {
            return Ok((Transport::connect(stream, &config, name)?, remote));
        }
        Ok((Transport::Plain(stream), remote))
    }

    #[cfg(feature = "tls")]
    #[allow(clippy::type_complexity, reason = "one caller, which takes it apart")]
    fn trust(
        &self,
        target: &Target,
    ) -> Result<
        (
            std::sync::Arc<rustls::ClientConfig>,
            rustls::pki_types::ServerName<'static>,
        ),
        Error,
    > {
        let config = match &self.tls {
            Some(config) => std::sync::Arc::clone(config),
            None => super::trust::of_the_system()?,
        };
        let name = rustls::pki_types::ServerName::try_from(target.host.clone())
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        Ok((config, name))
    }
}

/// Tries the addresses of the name one after the other, each a little later than the one before, and takes the first that
/// answers (RFC 8305): a dead IPv6 route then costs a quarter of a second and not a time-out.
async fn reach(target: &Target) -> io::Result<TcpStream> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await?;
    let mut waiting = by_turns(found.take(ADDRESSES).collect()).into_iter();
    let mut attempts = JoinSet::new();
    let mut error = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(error.unwrap_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, "the name has no address")
            }));
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(e)) => error = Some(e),
                Err(e) => error = Some(io::Error::other(e)),
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
        }
    }
}

/// The resolver's order, with the two families by turns, so that a family without a route is left after one attempt
/// (RFC 8305 §4).
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let total = addresses.len();
    let (own, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut own, mut other) = (own.into_iter(), other.into_iter());
    let mut order = Vec::with_capacity(total);
    while order.len() < total {
        order.extend(own.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let list = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|t| t.parse().unwrap()).collect()
        };
        let mixed = list(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let turns = list(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(by_turns(mixed), turns);
        assert!(by_turns(Vec::new()).is_empty());
    }
}
