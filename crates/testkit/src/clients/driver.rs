//! The script that drives Chromium.

/// Serves the page and the libraries it wants, opens it (or a URL), lets it run, and prints what `result` evaluates to.
pub(super) const DRIVER: &str = include_str!("driver.mjs");
