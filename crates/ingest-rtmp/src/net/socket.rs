//! Options of a connection's socket.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Small writes go out at once, and a peer that vanished is noticed within `dead_after` whether or not there is something
/// to send to it. `unsent`: bytes that the kernel keeps unsent at most, where it can be told; 0 leaves it to the system.
pub(super) fn set_up(stream: &TcpStream, dead_after: Duration, unsent: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // First probe after half of the time, the others spread over the rest.
    let half = (dead_after / 2).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new()
        .with_time(half)
        .with_interval((half / 3).max(Duration::from_secs(1)));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(dead_after))?;
        if unsent > 0 {
            socket.set_tcp_notsent_lowat(unsent)?;
        }
    }
    Ok(())
}
