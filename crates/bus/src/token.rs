//! The signal that ends a reader or a publisher from outside.

#[cfg(not(loom))]
pub(crate) type Token = tokio_util::sync::CancellationToken;

/// Loom models poll; nobody waits for a signal there.
#[cfg(loom)]
#[derive(Clone, Debug)]
pub(crate) struct Token;

#[cfg(loom)]
impl Token {
    pub(crate) fn cancel(&self) {}
}
