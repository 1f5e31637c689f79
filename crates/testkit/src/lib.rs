//! For tests: virtual clock, lossy link, numbered-frame checks and the real-client runner.

#![forbid(unsafe_code)]
