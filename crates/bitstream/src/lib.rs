//! Headers of H.264, H.265, AV1, VP9, AAC and Opus: parse, build codec configurations, codec strings.

#![forbid(unsafe_code)]
