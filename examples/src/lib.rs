//! Holds no code: the programs are in `examples/`.

#![forbid(unsafe_code)]
