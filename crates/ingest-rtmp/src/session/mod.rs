//! The server's side of a connection as a state machine.

mod timer;

pub use timer::TimerReason;
