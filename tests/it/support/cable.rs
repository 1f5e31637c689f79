//! A piece of network that can be cut: forwards TCP until it is told not to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Forwards every connection to another address.
#[derive(Debug)]
pub(crate) struct Cable {
    at: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    made: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Cable {
    /// A cable to `target`, from an address of its own.
    pub(crate) fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let at = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.cut.load(Ordering::Relaxed) {
                    continue;
                }
                // A target that is down is what a cut looks like.
                let _ = shared.plug(&near, target);
            }
        });
        Ok(Self { at, state })
    }

    /// Its near end.
    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Breaks every connection; new ones are closed at once until [`Cable::mend`].
    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::Relaxed);
        let mut open = self
            .state
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for socket in open.drain(..) {
            // One that has ended by itself needs no cutting.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Connections go through again.
    pub(crate) fn mend(&self) {
        self.state.cut.store(false, Ordering::Relaxed);
    }

    /// Connections made so far.
    pub(crate) fn made(&self) -> usize {
        self.state.made.load(Ordering::Relaxed)
    }
}

impl State {
    fn plug(&self, near: &TcpStream, target: SocketAddr) -> io::Result<()> {
        let far = TcpStream::connect(target)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        for (from, to) in [(near, &far), (&far, near)] {
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            std::thread::spawn(move || forward(from, to));
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend([near.try_clone()?, far]);
        Ok(())
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut part = [0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut part) {
        if to.write_all(&part[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
