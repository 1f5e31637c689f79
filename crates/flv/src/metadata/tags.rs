//! The members of `onMetaData` that describe no track: what goes on with the stream.

use core_frame::{TagValue, Tags};

use super::Metadata;
use crate::amf0::Value;

/// Members that tell of tracks, of a file, or of where things lie in a file. What holds of them is found out anew by
/// everyone who writes; the rest would be wrong there.
const NOT_TAGS: [&str; 48] = [
    "duration",
    "filesize",
    "width",
    "height",
    "displaywidth",
    "displayheight",
    "framewidth",
    "frameheight",
    "framerate",
    "fps",
    "videoframerate",
    "videodatarate",
    "videocodecid",
    "videosize",
    "videokeyframe_frequency",
    "avcprofile",
    "avclevel",
    "audiodatarate",
    "audiosamplerate",
    "audiosamplesize",
    "audiochannels",
    "audiocodecid",
    "audiosize",
    "audiodelay",
    "aacaot",
    "stereo",
    "totalduration",
    "totaldatarate",
    "bytelength",
    "datasize",
    "hasaudio",
    "hasvideo",
    "hasmetadata",
    "haskeyframes",
    "hascuepoints",
    "canseektoend",
    "lasttimestamp",
    "lastkeyframetimestamp",
    "lastkeyframelocation",
    "keyframes",
    "cuepoints",
    "starttime",
    "metadatacreator",
    "metadatadate",
    "audiotrackidinfomap",
    "videotrackidinfomap",
    "audiofourccinfomap",
    "videofourccinfomap",
];

/// Names by which OBS ticks the layout of its sound.
const LAYOUTS: [&str; 6] = ["2.1", "3.1", "4.0", "4.1", "5.1", "7.1"];

impl Metadata {
    /// The members that say something of the stream itself (title, encoder, whatever a sender adds), in its order:
    /// numbers, booleans and texts. Those that describe tracks or a file are not among them. Bounded as [`Tags`] are.
    #[must_use]
    pub fn tags(&self) -> Tags {
        let mut tags = Tags::default();
        for (name, value) in &self.members {
            let mut others = NOT_TAGS.iter().chain(&LAYOUTS);
            if others.any(|other| name.eq_ignore_ascii_case(other)) {
                continue;
            }
            let value = match value {
                Value::Number(n) => TagValue::Number(*n),
                Value::Boolean(b) => TagValue::Flag(*b),
                Value::String(text) | Value::LongString(text) => TagValue::Text(text.clone()),
                _ => continue,
            };
            tags.set(name.clone(), value);
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_describes_no_track_is_a_tag() {
        let value = Value::ecma_array([
            ("duration", Value::from(0.0)),
            ("Title", "Evening news".into()),
            ("frameRate", 25.0.into()),
            ("5.1", false.into()),
            ("cameras", 3.0.into()),
            ("keyframes", Value::object([("times", 1.0)])),
            ("rehearsal", true.into()),
            ("nested", Value::object([("a", 1.0)])),
            ("encoder", "obs-output module".into()),
        ]);
        let tags = Metadata::parse(&value, Bytes::new()).tags();
        let names: Vec<_> = tags.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Title", "cameras", "rehearsal", "encoder"]);
        assert_eq!(tags.text("Title"), Some("Evening news"));
    }
}
