//! The server from outside: one file a behaviour.

mod access;
mod api;
mod config;
mod hls;
mod live;
mod support;
mod web;
