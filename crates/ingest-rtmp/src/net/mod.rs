//! The server on tokio: listener, admission, one task per connection. The only place with sockets, tasks and a clock.

mod admission;
mod config;
mod connection;
mod error;
mod listen;
mod play;
mod publish;
mod socket;
mod writer;

pub use config::{Config, FanOut};
pub use error::Error;
pub use listen::RtmpProtocol;
