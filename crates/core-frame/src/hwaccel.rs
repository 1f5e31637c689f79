//! Hardware encoders and decoders, as seen from above.

use crate::CodecId;

/// A hardware backend (NVENC, VAAPI, QSV, …), registered at start-up when its hardware is there.
pub trait HwAccelBackend: Send + Sync {
    /// Its name, unique (`"nvenc"`).
    fn id(&self) -> &'static str;

    /// True when it can be used on this machine now.
    fn is_available(&self) -> bool;

    /// Codecs it encodes.
    fn supported_encoders(&self) -> &[CodecId];

    /// Codecs it decodes.
    fn supported_decoders(&self) -> &[CodecId];
}
