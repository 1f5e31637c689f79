//! Behaviour of the origin, rule by rule. The numbers in test names are those of the project's packaging rules: 59 to 83
//! are about the media playlist, 84 to 95 about answers, 96 to 99 about the multivariant playlist.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod blocking;
mod caching;
mod delta;
mod golden;
mod live;
mod media_answers;
mod media_playlist;
mod multivariant;
mod over_time;
mod segmented;
mod viewer_query;
