//! The tools against servers in the same process, one file a scenario.

mod churn;
mod files;
mod hls;
mod http_flv;
mod misfits;
mod relay;
mod rig;
mod rtmp;
mod tls;
