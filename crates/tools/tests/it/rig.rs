//! Small servers to run the tools against, and media to serve.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bus::{AppSpec, Engine};
use bytes::{Bytes, BytesMut};
use core_frame::{Limits, MediaFrame, TrackTable};
use ingest_rtmp::net::{Config, RtmpProtocol};
use synth::{Options, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// An RTMP server; it ends with the guard.
pub(crate) struct Rtmp {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    stop: CancellationToken,
}

impl Rtmp {
    pub(crate) fn start() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), limits)
    }

    /// At an address that was used before.
    pub(crate) fn at(address: SocketAddr, limits: Limits) -> Self {
        let engine = Engine::builder()
            .allow_any_app(AppSpec::new("live"))
            .build();
        let mut config = Config::new(address);
        config.limits = limits;
        let rtmp = RtmpProtocol::bind(config)
            .expect("a free port")
            .with_playback(engine.clone());
        let address = rtmp.local_addr();
        let stop = CancellationToken::new();
        let (shutdown, serving) = (stop.clone(), Arc::clone(&engine));
        tokio::spawn(async move { serving.serve(Arc::new(rtmp), shutdown).await });
        Self {
            address,
            engine,
            stop,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.address)
    }
}

impl Drop for Rtmp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A numbered source and its first frames.
pub(crate) fn media(frames: u64) -> (TrackTable, Vec<MediaFrame>) {
    let options = Options::default().fps(25).gop(25).bitrate(400_000);
    let source = Source::new(options.frames(frames)).expect("a source");
    // ffmpeg lists a variant only if the sender tells a bit rate.
    let tracks = source.tracks().into_iter().map(|mut track| {
        track.bitrate_bps = Some(200_000);
        track
    });
    (TrackTable::new(tracks), source.collect())
}

/// An FLV file of these frames.
pub(crate) fn flv(table: &TrackTable, frames: &[MediaFrame]) -> Bytes {
    let mut out = BytesMut::new();
    let mut writer = flv::FileWriter::new();
    writer.tracks(table, &mut out);
    for frame in frames {
        writer.frame(frame, &mut out).expect("writable");
    }
    out.freeze()
}

/// How an answer is written.
#[derive(Clone)]
pub(crate) enum Answer {
    /// All at once, with its length.
    Whole(Bytes),
    /// In pieces of chunked transfer coding, with a pause before each, then the end.
    Chunked(Vec<(Duration, Bytes)>),
    /// In chunks of 100 bytes, all at once.
    Packed(Bytes),
    /// Elsewhere.
    Redirect(String),
}

/// An HTTP server of fixed answers; anything else is 404.
pub(crate) async fn http(answers: HashMap<String, Answer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, answers: Arc<HashMap<String, Answer>>) {
    let mut head = Vec::new();
    loop {
        while !head.windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read_buf(&mut head).await {
                Ok(n) if n > 0 => {}
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
        let sent = match answers.get(&path) {
            None => {
                stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    .await
            }
            Some(Answer::Redirect(to)) => {
                let text =
                    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(text.as_bytes()).await
            }
            Some(Answer::Whole(body)) => {
                let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
                stream.write_all(body).await
            }
            Some(Answer::Packed(body)) => {
                let mut all = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for piece in body.chunks(100) {
                    all.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    all.extend_from_slice(piece);
                    all.extend_from_slice(b"\r\n");
                }
                all.extend_from_slice(b"0\r\n\r\n");
                stream.write_all(&all).await
            }
            Some(Answer::Chunked(pieces)) => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let _ = stream.write_all(head.as_bytes()).await;
                for (pause, piece) in pieces {
                    tokio::time::sleep(*pause).await;
                    let size = format!("{:x}\r\n", piece.len());
                    let chunk = [size.as_bytes(), piece, b"\r\n"].concat();
                    if stream.write_all(&chunk).await.is_err() {
                        return;
                    }
                }
                stream.write_all(b"0\r\n\r\n").await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Runs ffmpeg in `folder`. False, with a word on stderr, when there is none.
pub(crate) fn ffmpeg(folder: &std::path::Path, args: &[&str]) -> bool {
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(args)
        .current_dir(folder)
        .output();
    match run {
        Ok(out) => {
            let errors = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "ffmpeg {args:?}: {errors}");
            true
        }
        Err(_) => {
            eprintln!("skipped: no ffmpeg");
            false
        }
    }
}

/// A sample of the flv crate, by its name.
pub(crate) fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../flv/tests/it/data")
        .join(name)
}
