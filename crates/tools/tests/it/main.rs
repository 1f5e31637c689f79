//! The tools against servers in the same process, one file a scenario.

mod files;
mod hls;
mod http_flv;
mod rig;
mod rtmp;
