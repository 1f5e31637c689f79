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
