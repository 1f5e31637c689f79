//! Text for people: results on stdout, problems on stderr. A closed pipe ends nothing with a panic.

use std::io::Write;

/// A line of what was asked for.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What is wrong.
pub(crate) fn problem(text: &str) {
    let mut out = std::io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(out, "millstream: {line}");
    }
}

/// A report: as JSON for programs, or as a table for people.
pub(crate) fn report(
    json: bool,
    value: &impl serde::Serialize,
    table: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if json {
        line(&serde_json::to_string_pretty(value)?);
    } else {
        line(table().trim_end());
    }
    Ok(())
}

/// How far long work has come, where no bar can be drawn.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
