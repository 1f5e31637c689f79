//! One reader on a WebSocket: a text about the configuration, its init, then a message an item.

use std::time::Duration;

use bus::{EndReason, TryBatch, ViewReader};
use bytes::{Buf, Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::body::Run;
use super::live::head;
use super::ws::{self, CloseCode, Incoming, Opcode};

/// One write gathers up to about this many bytes of what lies ready.
const RUN_BYTES: usize = 128 * 1024;
/// A silent reader is pinged this often, so that a dead one is noticed and proxies keep the connection.
const PING: Duration = Duration::from_secs(15);

/// Serves the reader until it or the stream ends.
pub(crate) async fn run(upgrade: OnUpgrade, mut reader: ViewReader, stall: Duration) {
    let io = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(e) => {
            debug!(error = %e, "no WebSocket");
            return;
        }
    };
    let (input, mut output) = tokio::io::split(io);
    let (code, reason) = drive(input, &mut output, &mut reader, stall).await;
    // The peer may be gone or stuck already; the connection is dropped in any case.
    let _ = timeout(Duration::from_secs(1), async {
        output.write_all(&ws::close_frame(code, reason)).await?;
        output.shutdown().await
    })
    .await;
}

async fn drive(
    mut input: impl AsyncRead + Unpin,
    output: &mut (impl AsyncWrite + Unpin),
    reader: &mut ViewReader,
    stall: Duration,
) -> (CloseCode, &'static str) {
    let ended = reader.ended_by_other();
    let mut heard = BytesMut::new();
    let mut quiet = tokio::time::interval_at(Instant::now() + PING, PING);
    loop {
        let mut run = Run::default();
        tokio::select! {
            batch = reader.next_batch() => {
                let Some(mut batch) = batch else {
                    return match reader.end_reason() {
                        Some(EndReason::Kicked) => (CloseCode::GoingAway, "ended by the operator"),
                        Some(EndReason::Lagging) => (CloseCode::GoingAway, "too far behind"),
                        _ => (CloseCode::Normal, "the stream ended"),
                    };
                };
                loop {
                    if let Some(preamble) = batch.new_header() {
                        // The text says what follows, so an init that the text belongs to follows it each time.
                        if let Some(text) = &preamble.text {
                            message(&mut run, Opcode::Text, [Bytes::copy_from_slice(text.as_bytes())]);
                            message(&mut run, Opcode::Binary, preamble.join.iter().cloned());
                        } else {
                            message(&mut run, Opcode::Binary, head(preamble, batch.is_join()).iter().cloned());
                        }
                    }
                    for (_, item) in &batch {
                        message(&mut run, Opcode::Binary, item.slices.iter().cloned());
                    }
                    if run.remaining() >= RUN_BYTES {
                        break;
                    }
                    match reader.try_batch() {
                        TryBatch::Batch(next) => batch = next,
                        _ => break,
                    }
                }
            }
            got = input.read_buf(&mut heard) => {
                if !matches!(got, Ok(n) if n > 0) {
                    return (CloseCode::Normal, "");
                }
                loop {
                    match ws::take_frame(&mut heard) {
                        Ok(Some(Incoming::Ping(payload))) => message(&mut run, Opcode::Pong, [payload]),
                        Ok(Some(Incoming::Close)) => return (CloseCode::Normal, ""),
                        Ok(Some(Incoming::Other)) => {}
                        Ok(None) => break,
                        Err(code) => return (code, "this is no WebSocket frame"),
                    }
                }
            }
            _ = quiet.tick() => message(&mut run, Opcode::Ping, []),
        }
        let bytes = run.remaining() as u64;
        tokio::select! {
            outcome = write(output, run, stall) => if outcome.is_err() {
                return (CloseCode::GoingAway, "too slow");
            },
            () = ended.cancelled() => return (CloseCode::GoingAway, "ended by the operator"),
        }
        reader.delivered(bytes);
    }
}

/// One whole message: its header, then the slices as they are. An empty one is left out unless it is a control frame.
fn message(run: &mut Run, opcode: Opcode, slices: impl IntoIterator<Item = Bytes>) {
    let slices: smallvec::SmallVec<[Bytes; 8]> = slices.into_iter().collect();
    let len = slices.iter().map(Bytes::len).sum();
    if len == 0 && matches!(opcode, Opcode::Text | Opcode::Binary) {
        return;
    }
    run.push(ws::frame_header(opcode, len));
    run.extend(slices);
}

/// Writes everything; fails when no byte was taken for `stall`.
async fn write(
    output: &mut (impl AsyncWrite + Unpin),
    mut run: Run,
    stall: Duration,
) -> std::io::Result<()> {
    while run.has_remaining() {
        timeout(stall, output.write_buf(&mut run)).await??;
    }
    timeout(stall, output.flush()).await?
}
