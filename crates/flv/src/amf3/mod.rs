//! AMF3, read only: what a sender with `objectEncoding` 3 puts behind the switch marker of AMF0.
//!
//! Action Message Format 3 specification (2013-01). A value comes out as the AMF0 [`Value`] that means the same, so that
//! commands and script messages are looked at in one way: integers are numbers; an array with named members is an
//! [`Value::EcmaArray`] whose dense items are named by their index; vectors are arrays; a dictionary is an associative
//! array of its keys' texts; a byte array is a [`Value::ByteArray`].
//!
//! Messages of the RTMP types 15 and 17 are AMF0 with such switches: [`amf0::Reader::of_amf3_message`] reads them.
//!
//! ```
//! use core_frame::Limits;
//! use millstream_flv::amf3;
//!
//! // An anonymous object of one dynamic member, and the same object again by reference.
//! let bytes = b"\x0A\x0B\x01\x07app\x06\x09live\x01\x0A\x00";
//! let values = amf3::read(bytes, &Limits::default())?;
//! assert_eq!(values[0].get("app").and_then(|v| v.as_str()), Some("live"));
//! assert_eq!(values[0], values[1]);
//! # Ok::<(), millstream_flv::amf0::Error>(())
//! ```

mod graph;
mod read;
#[cfg(test)]
mod tests;

use core_frame::Limits;

use crate::amf0::{self, Value};

pub use read::Reader;

/// Type markers, AMF3 §3.1.
pub(crate) mod marker {
    pub(crate) const UNDEFINED: u8 = 0x00;
    pub(crate) const NULL: u8 = 0x01;
    pub(crate) const FALSE: u8 = 0x02;
    pub(crate) const TRUE: u8 = 0x03;
    pub(crate) const INTEGER: u8 = 0x04;
    pub(crate) const DOUBLE: u8 = 0x05;
    pub(crate) const STRING: u8 = 0x06;
    pub(crate) const XML_DOCUMENT: u8 = 0x07;
    pub(crate) const DATE: u8 = 0x08;
    pub(crate) const ARRAY: u8 = 0x09;
    pub(crate) const OBJECT: u8 = 0x0A;
    pub(crate) const XML: u8 = 0x0B;
    pub(crate) const BYTE_ARRAY: u8 = 0x0C;
    pub(crate) const VECTOR_INT: u8 = 0x0D;
    pub(crate) const VECTOR_UINT: u8 = 0x0E;
    pub(crate) const VECTOR_DOUBLE: u8 = 0x0F;
    pub(crate) const VECTOR_OBJECT: u8 = 0x10;
    pub(crate) const DICTIONARY: u8 = 0x11;
}

/// Reads every value of a run of AMF3 values, which share their reference tables.
///
/// # Errors
/// See [`Reader::read`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, amf0::Error> {
    Reader::new(bytes, limits).collect()
}
