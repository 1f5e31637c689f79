//! Holds no code: the opinions are asked in `tests/`.
