//! Fuzz targets of Millstream's parsers and sessions.

#![forbid(unsafe_code)]

pub mod targets;
