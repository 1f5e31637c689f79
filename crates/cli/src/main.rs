//! The `millstream` binary: arguments, progress bars, exit codes.

fn main() {}
