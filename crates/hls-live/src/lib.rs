//! The LL-HLS origin: which bytes answer a request below a stream, worked out from a window snapshot, without IO.
//!
//! ```text
//!             GET index.m3u8 · v1/index.m3u8?_HLS_msn=7&_HLS_part=3 · v1/7.m4s · v1/7.3.m4s · v1/init.0.ab12cd34.mp4
//!                                     │
//!  segmenter::Snapshot ──▶ Origin::respond(snapshot, request, now) ──▶ Answer::Playlist     these bytes, this ETag
//!   (one version of             │ one rendering and one gzip                  ::NotModified  you have them
//!    the window)                └ a version, shared by all viewers            ::Media        these slices of the window
//!                                                                             ::Stored       this object and range
//!                                                                             ::Wait         not before part 7.3
//!                                                                             ::Refused      400 404 410 503
//! ```
//!
//! ```
//! use std::{sync::Arc, time::Instant};
//! use millstream_hls_live::{Answer, Config, Origin, Request};
//!
//! let origin = Origin::new(Config::default());
//! let now = Instant::now();
//! let empty = Arc::new(segmenter::Snapshot::default());
//! // Nothing is there yet, so a player that comes first is asked to wait rather than turned away.
//! let answer = origin.respond(&empty, &Request::new("index.m3u8", now), now);
//! let Answer::Wait { until, .. } = answer else { return };
//! assert!(!until.is_met(&empty));
//! assert!(matches!(origin.respond(&empty, &Request::new("../etc/passwd", now), now), Answer::Refused(_)));
//! ```
//!
//! # Driving it
//!
//! **On [`Answer::Wait`], watch the window's version; whenever [`Condition::is_met`] says so for the newest snapshot, or at
//! the deadline, call [`Origin::respond`] again with the same [`Request`].** The request holds the time it arrived, so a
//! wait never lasts longer than three target durations in all.
//!
//! # Why it is shaped so
//!
//! * An answer is a function of snapshot, request and time. A blocked reload, a window that slides, a stream that ends:
//!   all are tested in microseconds, and the same origin works behind any HTTP server.
//! * Body and ETag come from the same snapshot, so an update is atomic. A body is rendered on the first request after a
//!   change and kept for the version; nobody asking costs nothing.
//! * URLs name content: segment numbers never repeat and init segments carry a hash, so everything but the playlists may
//!   be cached for good.
//! * Query parameters other than `_HLS_*` are copied onto the URIs in a playlist, so a token travels with the viewer.

#![forbid(unsafe_code)]

mod answer;
mod cache;
mod config;
mod directives;
mod media;
mod multivariant;
mod names;
mod origin;
mod query;
mod request;

pub use answer::{Answer, Condition, Refusal};
pub use config::Config;
pub use origin::Origin;
pub use request::Request;

pub use segmenter;
