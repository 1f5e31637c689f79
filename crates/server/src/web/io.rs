//! The byte stream under a connection: a write that makes no progress for too long is an error, so is a request that
//! takes too long to come, and a connection that asks for nothing ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::phase::Phase;

/// Wraps a stream so that a peer that stops reading cannot hold it for ever.
pub(crate) struct Guarded<T> {
    io: T,
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    asking: Option<Asking>,
}

/// The patience with an HTTP/1.1 peer between two requests.
struct Asking {
    phase: Arc<Phase>,
    /// From the first byte of a request to the whole header; for the first request, from the beginning.
    header: Duration,
    /// From the end of an answer to the first byte of the next request.
    idle: Duration,
    /// Requests seen so far.
    seen: u64,
    /// True once a byte of the next request is here.
    heard: bool,
    deadline: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Asking {
    /// What becomes of a read of so many bytes; `None` is one that has to wait.
    fn judge(&mut self, cx: &mut Context<'_>, got: Option<usize>) -> Poll<io::Result<()>> {
        let (begun, busy) = self.phase.now();
        if begun != self.seen {
            (self.seen, self.heard, self.deadline) = (begun, false, None);
        }
        let now = Instant::now();
        match got {
            Some(n) => {
                if n > 0 && !busy && !self.heard {
                    self.heard = true;
                    if begun > 0 {
                        self.deadline = Some(now + self.header);
                    }
                }
                return Poll::Ready(Ok(()));
            }
            None if busy => {
                // Once answered, hyper does not ask again by itself, and nobody would look at the clock.
                self.phase.wake_when_quiet(cx.waker());
                return Poll::Pending;
            }
            None => {}
        }
        let span = if begun == 0 { self.header } else { self.idle };
        let deadline = *self.deadline.get_or_insert(now + span);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            // Nothing is under way: the connection ends as if the peer had closed it.
            Poll::Ready(()) if !self.heard => Poll::Ready(Ok(())),
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the header took too long",
            ))),
        }
    }
}

impl<T> Guarded<T> {
    /// Also bounds the time between requests, which `phase` tells apart.
    pub(crate) fn asking(mut self, phase: Arc<Phase>, header: Duration, idle: Duration) -> Self {
        let deadline = Instant::now() + header;
        self.asking = Some(Asking {
            phase,
            header,
            idle,
            seen: 0,
            heard: false,
            deadline: Some(deadline),
            timer: Box::pin(tokio::time::sleep_until(deadline)),
        });
        self
    }

    /// Writes fail once they have made no progress for `stall`.
    pub(crate) fn new(io: T, stall: Duration) -> Self {
        Self {
            io,
            stall,
            timer: None,
            waiting: false,
            asking: None,
        }
    }

    fn judge<R>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waiting = false;
            return outcome;
        }
        let deadline = Instant::now() + self.stall;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(deadline);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer takes no data",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(cx, buf);
        let Some(asking) = &mut self.asking else {
            return outcome;
        };
        match outcome {
            Poll::Ready(Ok(())) => asking.judge(cx, Some(buf.filled().len() - before)),
            Poll::Pending => asking.judge(cx, None),
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, buf);
        self.judge(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        self.judge(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(cx);
        self.judge(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.judge(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Guarded::new(near, Duration::from_millis(400));
        near.write_all(&[0; 16]).await.unwrap();
        let begun = Instant::now();
        let e = near.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
        assert!(
            begun.elapsed() >= Duration::from_millis(400),
            "{:?}",
            begun.elapsed()
        );
        // One that reads slowly is not.
        let mut got = [0; 16];
        far.read_exact(&mut got).await.unwrap();
        let slow = tokio::spawn(async move {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                far.read_exact(&mut got[..2]).await.unwrap();
            }
            far
        });
        near.write_all(&[0; 32]).await.unwrap();
        slow.await.unwrap();
    }
}
