//! The engine: streams, fan-out log, cursors, views, publish sessions and events.

#![forbid(unsafe_code)]
