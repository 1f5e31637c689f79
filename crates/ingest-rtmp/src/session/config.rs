//! What a session is set up with.

use core_frame::Limits;

/// Options of a server session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Bounds and time limits.
    pub limits: Limits,
    /// Varies the bytes of the handshake; they keep no secret. Any value will do.
    pub seed: u64,
    /// Size of the chunks we send, announced with the answer to `connect`, in bytes. Media of a play session is cut with
    /// the same size (see [`crate::render::RtmpRender`]).
    pub chunk_size: u32,
    /// How many bytes the peer sends between acknowledgements of ours, and we between its own.
    pub window: u32,
    /// Answers `connect` with `NetConnection.Connect.Rejected` and these words: for a server that is full, so that the
    /// peer learns why. `None` accepts.
    pub refuse: Option<&'static str>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            seed: 0,
            chunk_size: crate::CHUNK_SIZE,
            window: 2_500_000,
            refuse: None,
        }
    }
}

impl SessionConfig {
    /// The defaults with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }
}
