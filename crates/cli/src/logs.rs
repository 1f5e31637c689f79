//! Logs: to stderr, as text or JSON, by `RUST_LOG` or the configuration.

use std::io::IsTerminal;

use millstream::server::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Begins to log. `RUST_LOG` wins over `level`; a level that cannot be read is reported and `info` is taken.
pub(crate) fn begin(level: &str, format: LogFormat) {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|v| !v.trim().is_empty());
    let wanted = wanted.as_deref().unwrap_or(level);
    let (filter, wrong) = match EnvFilter::try_new(wanted) {
        Ok(filter) => (filter, None),
        Err(e) => (EnvFilter::new("info"), Some(e)),
    };
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Somebody else may have set up logging in this process; then theirs stands.
    let _ = match format {
        LogFormat::Json => logger.json().flatten_event(true).try_init(),
        LogFormat::Text => logger.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    if let Some(e) = wrong {
        tracing::warn!(error = %e, "the log level cannot be read, logging at info");
    }
}
