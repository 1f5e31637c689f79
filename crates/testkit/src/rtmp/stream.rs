//! A healthy publisher and a healthy reader of a numbered stream, each on a thread of its own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use core_frame::{CodecId, MediaKind};
use synth::{Options, Source};

use crate::StreamCheck;
use crate::rtmp::media::millis;
use crate::rtmp::{
    Peer, Target, audio_body, chunked, sequence_headers, unwrap_audio, unwrap_video, video_body,
};

/// Publishes a numbered stream at its own pace until it is stopped.
#[derive(Debug)]
pub struct Publisher {
    stop: Arc<AtomicBool>,
    /// The connection stays when sending ends.
    keep: Arc<AtomicBool>,
    socket: TcpStream,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

const CHUNK: usize = 65_536;

impl Publisher {
    /// Publishes `app/name`.
    ///
    /// # Errors
    /// The source cannot be made, or the server refuses.
    pub fn start(
        to: impl Into<Target>,
        app: &str,
        name: &str,
        options: Options,
    ) -> io::Result<Self> {
        let source = Source::new(options).map_err(io::Error::other)?;
        let mut peer = Peer::publish(to, app, name)?;
        peer.message(1, 0, &(CHUNK as u32).to_be_bytes())?;
        for (kind, body) in sequence_headers(&source.tracks()) {
            peer.write(&chunked(lane(kind), kind, 1, 0, &body, CHUNK))?;
        }
        // Whatever the server says is read and let go, so that its side never blocks.
        let mut ears = peer.socket().try_clone()?;
        std::thread::spawn(move || {
            let mut part = [0; 4_096];
            while !matches!(ears.read(&mut part), Ok(0) | Err(_)) {}
        });
        peer.socket().set_read_timeout(None)?;
        let (stop, keep) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (stopped, kept) = (Arc::clone(&stop), Arc::clone(&keep));
        let socket = peer.socket().try_clone()?;
        let thread = std::thread::spawn(move || {
            let sent = send(&mut peer, source, &stopped)?;
            if !kept.load(Ordering::Relaxed) {
                // The other handles keep the connection open otherwise.
                peer.socket().shutdown(Shutdown::Both)?;
            }
            Ok(sent)
        });
        Ok(Self {
            stop,
            keep,
            socket,
            thread: Some(thread),
        })
    }

    /// False when it has ended, by itself or because the server closed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Stops; frames sent.
    ///
    /// # Errors
    /// The server closed the connection before.
    pub fn stop(mut self) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Falls silent, like an encoder that hangs: nothing more is sent, and the connection stays until what is returned
    /// is dropped.
    ///
    /// # Errors
    /// The server closed the connection before.
    pub fn freeze(mut self) -> io::Result<TcpStream> {
        self.keep.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
        self.join()?;
        self.socket.try_clone()
    }

    fn join(&mut self) -> io::Result<u64> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(sent)) => sent,
            _ => Err(io::Error::other("the publisher's thread panicked")),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn lane(kind: u8) -> u8 {
    if kind == 9 { 6 } else { 4 }
}

fn send(peer: &mut Peer, mut source: Source, stop: &AtomicBool) -> io::Result<u64> {
    let begun = Instant::now();
    let mut sent = 0;
    while let Some(time) = source.next_time() {
        let due = begun + time.to_duration();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        source.stamp(SystemTime::now().into());
        let Some(frame) = source.next() else {
            break;
        };
        let (kind, body) = match frame.kind() {
            MediaKind::Video => (9, video_body(&frame)),
            _ => (8, audio_body(&frame)),
        };
        peer.write(&chunked(
            lane(kind),
            kind,
            1,
            millis(frame.dts),
            &body,
            CHUNK,
        ))?;
        sent += 1;
    }
    Ok(sent)
}

/// Plays a numbered stream and checks every frame, until it is stopped.
#[derive(Debug)]
pub struct Reader {
    socket: TcpStream,
    check: Arc<Mutex<StreamCheck>>,
    thread: Option<JoinHandle<io::Error>>,
}

impl Reader {
    /// Plays `app/name`.
    ///
    /// # Errors
    /// The server refuses.
    pub fn start(to: impl Into<Target>, app: &str, name: &str) -> io::Result<Self> {
        let mut peer = Peer::play(to, app, name)?;
        peer.socket().set_read_timeout(None)?;
        let socket = peer.socket().try_clone()?;
        let check = Arc::new(Mutex::new(StreamCheck::default()));
        let shared = Arc::clone(&check);
        let thread = std::thread::spawn(move || read(&mut peer, &shared));
        Ok(Self {
            socket,
            check,
            thread: Some(thread),
        })
    }

    /// What it has seen so far.
    #[must_use]
    pub fn check(&self) -> StreamCheck {
        self.check
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has seen this many more video frames; false when they do not come in time.
    #[must_use]
    pub fn wait_for(&self, frames: u64, within: Duration) -> bool {
        let (end, wanted) = (Instant::now() + within, self.check().video.seen + frames);
        while Instant::now() < end {
            if self.check().video.seen >= wanted {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Stops; what it saw, and whether the server had closed the connection before.
    #[must_use]
    pub fn stop(mut self) -> (StreamCheck, bool) {
        let closed = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        self.hang_up();
        (self.check(), closed)
    }

    fn hang_up(&mut self) {
        // A socket that is closed already is what was wanted.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn read(peer: &mut Peer, check: &Mutex<StreamCheck>) -> io::Error {
    let mut received = 0_u32;
    let mut acknowledged = 0_u32;
    loop {
        let message = match peer.receive() {
            Ok(message) => message,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return error,
        };
        received = received.wrapping_add(message.body.len() as u32 + 12);
        if received.wrapping_sub(acknowledged) > 500_000 {
            acknowledged = received;
            let ack = chunked(2, 3, 0, 0, &received.to_be_bytes(), 128);
            if let Err(error) = peer.socket().write_all(&ack) {
                return error;
            }
        }
        let mut check = check.lock().unwrap_or_else(PoisonError::into_inner);
        match message.kind {
            9 => match unwrap_video(&message.body) {
                Some(tag) if !tag.config => check.frame(CodecId::H264, tag.payload),
                _ => {}
            },
            8 => match unwrap_audio(&message.body) {
                Some(tag) if !tag.config => check.frame(CodecId::Aac, tag.payload),
                _ => {}
            },
            _ => {}
        }
    }
}
