//! Frames to CMAF chunks to parts to segments to the window: the one store behind HLS, DASH and recording.
//!
//! ```text
//!  stream log ──run()──▶ Segmenter (pure) ──publish──▶ Window ──snapshot()──▶ Arc<Snapshot>
//!   lossless     shell     │      ▲                      │                      ├ TrackWindow  one a track, equal numbers
//!   reader                 │      │ spilled()            └ version_watch()      │   ├ Segment  msn, start, init, discontinuity
//!                          ▼      │                                             │   │   ├ Part = one CMAF chunk, or a gap
//!                       Spill ──▶ storage                                       │   │   └ Location: Memory or Stored(key)
//!                                                                               │   └ open Segment, last in the list
//! ```
//!
//! ```
//! use std::time::Instant;
//!
//! use bytes::Bytes;
//! use core_frame::{CodecId, MediaFrame, MediaTime, TrackId, TrackInfo, TrackTable};
//! use millstream_segmenter::{Config, Segmenter, Window};
//!
//! let window = Window::new();
//! let mut segmenter = Segmenter::new(Config::default(), window.clone());
//! let mut track = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
//! track.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
//! segmenter.tracks(&TrackTable::new([track]).into());
//! let now = Instant::now();
//! for n in 0..250 {
//!     let unit = Bytes::from_static(b"\0\0\0\x02\x65\x88");
//!     let frame = MediaFrame::new_video(n * 40, n * 40, unit, CodecId::H264, n % 50 == 0);
//!     segmenter.frame(now, &frame);
//! }
//! segmenter.end(now);
//!
//! let snapshot = window.snapshot();
//! let video = snapshot.track(TrackId::VIDEO).ok_or("no video")?;
//! assert_eq!(video.closed.len(), 5);
//! assert_eq!(video.closed[0].duration, MediaTime::from_secs(2));
//! assert_eq!(snapshot.part_target, MediaTime::from_millis(200));
//! assert_eq!(snapshot.target_duration_s, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The rules it keeps
//!
//! * **Parts.** PART-TARGET is chosen once, from the frame durations seen in the first moments of all tracks
//!   ([`part_target`]); a part is closed *before* it would exceed it. A part is one CMAF chunk.
//! * **Segments** end at the first sync point of the lead track (first video, else first audio) at or after a grid of
//!   whole targets, so errors never add up. The other tracks cut at the same media time, to within one frame, under the
//!   same number.
//! * **EXT-X-TARGETDURATION** is fixed when the first segment is complete, with a quarter of headroom
//!   ([`target_duration`]). A GOP that gets longer later is cut at the limit without a sync point rather than raise it
//!   (no discontinuity: the frames follow each other); [`Snapshot::independent_segments`] is false from then on.
//! * **Time.** A segment's start is presentation time; its date follows from the one wall-clock mapping of its epoch. `tfdt`
//!   is the exact sum of what came before.
//! * **Discontinuities**: a new epoch, another configuration, another set of tracks, or nothing at all for longer than a
//!   segment may last.
//! * **Holes.** A frame that stands for longer than a part is listed with gap parts behind it and keeps its full length in the
//!   chunk. A track that falls silent gets gap segments, so that the numbers stay equal; it returns at a sync point.
//! * **The list** is as deep as the window, in time; memory and storage may only make it shorter. What left it can be
//!   fetched for the length of the list and of the segment more.
//!
//! # Why it is shaped so
//!
//! Origins render text from an immutable snapshot and never see a lock or a half-updated list; a version number tells them
//! when to look again. Cutting, keeping and naming are pure, so hours pass in a test in milliseconds; writing to the
//! storage is the thin shell's ([`run`]).

#![forbid(unsafe_code)]

mod config;

mod feed;
mod keep;
mod lane;
mod plan;
mod segmenter;

mod shell;
mod window;

pub use config::Config;
pub use keep::Spill;
pub use plan::{FrameTiming, part_target, target_duration};
pub use segmenter::{Segmenter, Stats};
pub use shell::{contiguous, run};
pub use window::{Bandwidth, Init, Location, Part, Segment, Snapshot, TrackWindow, Window};
