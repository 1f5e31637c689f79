//! Sources of our own making: numbered frames, and the clip of the demo.

#![forbid(unsafe_code)]
