//! Options of an accepted socket.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::Config;

/// Small writes go out at once, and a peer that vanished is noticed whether or not we have something to send it.
pub(super) fn set_up(stream: &TcpStream, config: &Config) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // First probe after half of the time, the others spread over the rest.
    let half = (config.dead_after / 2).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new()
        .with_time(half)
        .with_interval((half / 3).max(Duration::from_secs(1)));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(config.dead_after))?;
        if config.unsent_bytes > 0 {
            socket.set_tcp_notsent_lowat(config.unsent_bytes)?;
        }
    }
    Ok(())
}
