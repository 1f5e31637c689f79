//! FLV and Enhanced RTMP media messages: tags to frames and frames to tags.

#![forbid(unsafe_code)]
