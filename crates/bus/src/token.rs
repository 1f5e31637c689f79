//! What the log needs of tokio: the signal that ends a reader from outside, and the runtime of paces.

#[cfg(not(loom))]
pub(crate) type Runtime = tokio::runtime::Handle;

#[cfg(not(loom))]
pub(crate) type Token = tokio_util::sync::CancellationToken;

/// Loom models have no paces.
#[cfg(loom)]
pub(crate) struct Runtime;

/// Loom models poll; nobody waits for a signal there.
#[cfg(loom)]
#[derive(Clone, Debug)]
pub(crate) struct Token;

#[cfg(loom)]
impl Token {
    pub(crate) fn cancel(&self) {}
}
