//! Ctrl-C and SIGTERM: the first ends cleanly, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// Both signals, from now on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// Which one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signals {
    /// Takes both signals over.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Which {
        tokio::select! {
            _ = self.interrupt.recv() => Which::Interrupt,
            _ = self.terminate.recv() => Which::Terminate,
        }
    }

    /// Runs a clean ending; another signal cuts it short.
    pub(crate) async fn finish(&mut self, ending: impl Future<Output = ()>) -> Option<Exit> {
        tokio::select! {
            () = ending => None,
            which = self.next() => Some(match which {
                Which::Interrupt => Exit::Interrupted,
                Which::Terminate => Exit::Failed,
            }),
        }
    }
}
