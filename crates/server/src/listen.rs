//! Sockets: binding what the configuration names, and the options every connection gets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::Error;
use crate::config::Listen;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Bytes that may wait unsent in the kernel for one reader, beyond what is on its way: a slow reader's media stays in
/// the log, where it can still be skipped.
const UNSENT: u32 = 256 * 1024;
/// After this long without an acknowledgement the peer is gone.
const GONE: Duration = Duration::from_secs(15);

/// Listens where the configuration says; `None` when that is nowhere.
///
/// # Errors
/// Names protocol and address.
pub(crate) fn bind(protocol: &'static str, listen: Listen) -> Result<Option<TcpListener>, Error> {
    with(listen, bind_to).map_err(|source| Error::Bind {
        protocol,
        address: listen.to_string(),
        source,
    })
}

/// Binds by `bind`. A port of every interface means both families by one socket; where there is no IPv6, IPv4 alone.
pub(crate) fn with<T>(
    listen: Listen,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<Option<T>> {
    match listen {
        Listen::Off => Ok(None),
        Listen::At(addr) => bind(addr).map(Some),
        Listen::Any(port) => match bind((Ipv6Addr::UNSPECIFIED, port).into()) {
            Err(e) if e.kind() != io::ErrorKind::AddrInUse => {
                bind((Ipv4Addr::UNSPECIFIED, port).into()).map(Some)
            }
            outcome => outcome.map(Some),
        },
    }
}

fn bind_to(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Options of an accepted connection. A kernel that knows one of them not is no reason to refuse the peer.
pub(crate) fn tune(stream: &tokio::net::TcpStream) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(GONE)
            .with_interval(Duration::from_secs(5))
            .with_retries(3),
    );
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        let _ = socket.set_tcp_user_timeout(Some(GONE));
    }
}

/// True when the process or the system has no file descriptor left (EMFILE, ENFILE), or no memory for one.
pub(crate) fn is_exhausted(e: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| e.raw_os_error() == Some(errno.raw_os_error()))
}

/// `::ffff:192.0.2.1` as the IPv4 address it is, for limits, logs and the API.
pub(crate) fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_taken() {
        let first = bind("http", Listen::At("127.0.0.1:0".parse().unwrap()))
            .unwrap()
            .unwrap();
        let addr = first.local_addr().unwrap();
        let e = bind("rtmp", Listen::At(addr)).unwrap_err();
        assert!(
            e.to_string()
                .starts_with(&format!("rtmp cannot listen on {addr}")),
            "{e}"
        );
        assert!(bind("rtmp", Listen::Off).unwrap().is_none());
    }
}
