//! What can be wrong with codec headers.

/// The result of every parser here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a header, configuration record or access unit was refused. All of them are the peer's doing: the frame or the
/// publisher is refused, nothing else is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside a field.
    #[error("{what} ends too early")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
    },
    /// A field has a value its standard does not allow.
    #[error("bad {what}: {rule}")]
    Invalid {
        /// The structure that was being read.
        what: &'static str,
        /// The rule that was broken.
        rule: &'static str,
    },
    /// Legal, but not handled here.
    #[error("{what} not supported: {feature}")]
    Unsupported {
        /// The structure that was being read.
        what: &'static str,
        /// What is not handled.
        feature: &'static str,
    },
    /// A bound of [`core_frame::Limits`] was passed.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}

impl Error {
    pub(crate) const fn invalid(what: &'static str, rule: &'static str) -> Self {
        Self::Invalid { what, rule }
    }
}

/// `Ok` when the rule holds.
pub(crate) fn ensure(holds: bool, what: &'static str, rule: &'static str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Invalid { what, rule })
    }
}
