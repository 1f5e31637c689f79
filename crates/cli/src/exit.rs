//! Exit codes, and which of them an error gets.

use std::process::ExitCode;

use millstream::server::config::ConfigError;
use millstream::tools::Error as ToolError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Used or configured wrongly.
    WrongUse = 2,
    /// Ended, but something is missing.
    Incomplete = 3,
    /// Ended by Ctrl-C, after a clean close.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Wrong use that is only seen once the command runs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub String);

/// The exit code of an error.
pub(crate) fn of(e: &anyhow::Error) -> Exit {
    let usage = e
        .downcast_ref::<ToolError>()
        .is_some_and(|e| matches!(e, ToolError::Usage(_) | ToolError::Url { .. }));
    if usage || e.is::<ConfigError>() || e.is::<WrongUse>() {
        Exit::WrongUse
    } else {
        Exit::Failed
    }
}
