//! What is wrong with a configuration, where, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file, at this line (from 1).
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
    },
    /// `--set` on the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::CommandLine => f.write_str("--set"),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong and what would be right, in one line.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.reason)
    }
}

/// Why there is no configuration. Everything wrong is told at once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or the command line has mistakes.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

impl ConfigError {
    pub(crate) fn mistakes(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|m| match m.origin {
            Origin::File { line, .. } => line,
            _ => usize::MAX,
        });
        Self::Mistakes(mistakes)
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<_> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}
