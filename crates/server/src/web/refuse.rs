//! Connections that there is no room for: told so in HTTP, at once, and let go.

use std::io::{Read, Write};
use std::time::Duration;

use http::{StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a refused peer gets to take its answer, TLS handshake included.
const PATIENCE: Duration = Duration::from_secs(1);
/// When to come again, in seconds.
const RETRY_AFTER_S: u32 = 5;
/// Bytes of the request that are read so that closing does not take the answer back (a close with unread data is a reset).
const UNREAD: usize = 64 * 1024;

/// Says why, and waits until the peer has had it.
pub(crate) async fn tell<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, why: &str) {
    let told = async {
        stream.write_all(answer(why).as_bytes()).await?;
        stream.shutdown().await?;
        let mut left = UNREAD;
        let mut unread = [0; 2048];
        while left > 0 {
            match stream.read(&mut unread).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    // Whoever does not take it in time goes without.
    let _ = timeout(PATIENCE, told).await;
}

/// Says why without waiting for anything: there is no file descriptor to wait with.
pub(crate) fn tell_now(stream: TcpStream, why: &str) {
    // The runtime has not looked at the socket yet and would say "not ready", so the socket itself is asked.
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    let mut unread = [0; 2048];
    let _ = stream.read(&mut unread);
    let _ = stream.write(answer(why).as_bytes());
}

/// The whole answer, in the one shape of errors.
fn answer(why: &str) -> String {
    let body = serde_json::json!({"error": {"code": "overloaded", "message": why}}).to_string();
    format!(
        "{:?} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: {RETRY_AFTER_S}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        Version::HTTP_11,
        StatusCode::SERVICE_UNAVAILABLE,
        body.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_whole() {
        let text = answer("the server is full");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert_eq!(
            body,
            r#"{"error":{"code":"overloaded","message":"the server is full"}}"#
        );
    }
}
