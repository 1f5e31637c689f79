//! AMF0, the one of this project: values, a bounded reader, a writer.
//!
//! Action Message Format 0 specification (2007-12-13). RTMP commands and FLV script tags are lists of such values. A value
//! may be switched to AMF3, which [`crate::amf3`] reads.
//!
//! ```
//! use core_frame::Limits;
//! use millstream_flv::amf0::{self, Value};
//!
//! let bytes = amf0::write(&["connect".into(), 1.0.into(), Value::object([("app", "live")])]);
//! let values = amf0::read(&bytes, &Limits::default())?;
//! assert_eq!(values[0].as_str(), Some("connect"));
//! assert_eq!(values[2].get("app").and_then(Value::as_str), Some("live"));
//! # Ok::<(), amf0::Error>(())
//! ```

mod read;
mod value;
mod write;

pub(crate) use read::DEPTH_CEILING;
pub use read::{Error, Reader, read};
pub use value::Value;
pub use write::{Writer, write};

/// Type markers, AMF0 §2.1.
mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const REFERENCE: u8 = 0x07;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0A;
    pub(super) const DATE: u8 = 0x0B;
    pub(super) const LONG_STRING: u8 = 0x0C;
    pub(super) const XML: u8 = 0x0F;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
    pub(super) const AVM_PLUS: u8 = 0x11;
}
