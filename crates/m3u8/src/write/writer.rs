//! Tags one by one, into a buffer the caller keeps: what an origin writes its live playlists with.

use core_frame::{MediaTime, WallTime};

use super::AttributeWriter;
use crate::{datetime, decimal};

/// Writes playlist lines into a string. Apart from the growth of that string nothing is allocated, so a buffer that is
/// kept makes the next version free of allocation.
///
/// ```
/// use millstream_m3u8::Writer;
/// use core_frame::MediaTime;
///
/// let mut text = String::new();
/// let mut w = Writer::new(&mut text);
/// w.tag("EXTM3U");
/// w.tag_integer("EXT-X-TARGETDURATION", 2);
/// w.extinf(MediaTime::from_millis(2_000), "");
/// w.uri("video/7.m4s");
/// w.attributes("EXT-X-PART")
///     .decimal("DURATION", MediaTime::from_millis(200))
///     .quoted("URI", "video/8.0.m4s")
///     .keyword("INDEPENDENT", "YES")
///     .end();
/// assert_eq!(text, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.00000,\nvideo/7.m4s\n\
///     #EXT-X-PART:DURATION=0.20000,URI=\"video/8.0.m4s\",INDEPENDENT=YES\n");
/// ```
///
/// Text that would break a line (CR, LF) or end a quoted string (`"`) is written without those characters.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut String,
    digits: usize,
}

impl<'b> Writer<'b> {
    /// Appends to `out`. Durations get at least five decimals, as live playlists want (§4.4.4.9, rule of Apple).
    pub const fn new(out: &'b mut String) -> Self {
        Self { out, digits: 5 }
    }

    /// The same with another least number of decimals in durations (0 to 9). No more are cut than are zero.
    #[must_use]
    pub const fn decimals(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    /// `#NAME`
    pub fn tag(&mut self, name: &str) {
        self.out.push('#');
        self.out.push_str(name);
        self.out.push('\n');
    }

    /// `#NAME:VALUE`
    pub fn tag_value(&mut self, name: &str, value: &str) {
        self.begin(name);
        push_line(self.out, value);
        self.out.push('\n');
    }

    /// `#NAME:N`
    pub fn tag_integer(&mut self, name: &str, n: u64) {
        self.begin(name);
        decimal::integer(self.out, n);
        self.out.push('\n');
    }

    /// `#NAME:ATTRIBUTE=..,..`; call [`AttributeWriter::end`] when done.
    pub fn attributes(&mut self, name: &str) -> AttributeWriter<'_> {
        self.begin(name);
        AttributeWriter::new(self.out, self.digits)
    }

    /// `#EXTINF:DURATION,TITLE`
    pub fn extinf(&mut self, duration: MediaTime, title: &str) {
        self.begin("EXTINF");
        decimal::write(self.out, duration.as_nanos(), self.digits);
        self.out.push(',');
        push_line(self.out, title);
        self.out.push('\n');
    }

    /// `#EXT-X-PROGRAM-DATE-TIME:..`, in UTC.
    pub fn program_date_time(&mut self, time: WallTime) {
        self.begin("EXT-X-PROGRAM-DATE-TIME");
        datetime::write(self.out, time);
        self.out.push('\n');
    }

    /// A URI line.
    pub fn uri(&mut self, uri: &str) {
        push_line(self.out, uri);
        self.out.push('\n');
    }

    /// A URI line written by the caller, piece by piece.
    pub fn uri_with(&mut self, write: impl FnOnce(&mut String)) {
        write(self.out);
        self.out.push('\n');
    }

    /// A whole line that is not looked at.
    pub fn line(&mut self, line: &str) {
        push_line(self.out, line);
        self.out.push('\n');
    }

    fn begin(&mut self, name: &str) {
        self.out.push('#');
        self.out.push_str(name);
        self.out.push(':');
    }
}

/// Appends text that must stay on its line.
fn push_line(out: &mut String, text: &str) {
    if text.contains(['\n', '\r']) {
        out.extend(text.chars().filter(|c| !matches!(c, '\n' | '\r')));
    } else {
        out.push_str(text);
    }
}
