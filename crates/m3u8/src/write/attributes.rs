//! Attribute lists (§4.2), written one attribute at a time.

use core_frame::{MediaTime, WallTime};

use crate::{Attribute, AttributeValue, ByteRange, Decimal, datetime, decimal};

/// Writes the attributes of one tag; made by [`Writer::attributes`](crate::Writer::attributes).
#[derive(Debug)]
#[must_use = "the line is finished by `end`"]
pub struct AttributeWriter<'b> {
    out: &'b mut String,
    digits: usize,
    any: bool,
}

impl<'b> AttributeWriter<'b> {
    pub(super) const fn new(out: &'b mut String, digits: usize) -> Self {
        Self {
            out,
            digits,
            any: false,
        }
    }

    /// `NAME="VALUE"`
    pub fn quoted(self, name: &str, value: &str) -> Self {
        self.quoted_with(name, |out| {
            if value.contains(['"', '\n', '\r']) {
                out.extend(value.chars().filter(|c| !matches!(c, '"' | '\n' | '\r')));
            } else {
                out.push_str(value);
            }
        })
    }

    /// `NAME="VALUE"` when there is one.
    pub fn maybe_quoted(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.quoted(name, value),
            None => self,
        }
    }

    /// `NAME="..."` with a value the caller writes, piece by piece; it must hold no quote and no line end.
    pub fn quoted_with(mut self, name: &str, write: impl FnOnce(&mut String)) -> Self {
        self.begin(name);
        self.out.push('"');
        write(self.out);
        self.out.push('"');
        self
    }

    /// `NAME=WORD`
    pub fn keyword(mut self, name: &str, word: &str) -> Self {
        self.begin(name);
        self.out.extend(
            word.chars()
                .filter(|c| !matches!(c, '"' | ',' | '\n' | '\r')),
        );
        self
    }

    /// `NAME=YES`, or nothing.
    pub fn yes_if(self, name: &str, yes: bool) -> Self {
        if yes { self.keyword(name, "YES") } else { self }
    }

    /// `NAME=N`
    pub fn integer(mut self, name: &str, n: u64) -> Self {
        self.begin(name);
        decimal::integer(self.out, n);
        self
    }

    /// `NAME=N` when there is one.
    pub fn maybe_integer(self, name: &str, n: Option<u64>) -> Self {
        match n {
            Some(n) => self.integer(name, n),
            None => self,
        }
    }

    /// `NAME=SECONDS`
    pub fn decimal(mut self, name: &str, time: MediaTime) -> Self {
        self.begin(name);
        decimal::write(self.out, time.as_nanos(), self.digits);
        self
    }

    /// `NAME=SECONDS` when there are any.
    pub fn maybe_decimal(self, name: &str, time: Option<MediaTime>) -> Self {
        match time {
            Some(time) => self.decimal(name, time),
            None => self,
        }
    }

    /// `NAME=DECIMAL` with at least three digits behind the point, when there is one.
    pub fn maybe_number(mut self, name: &str, number: Option<Decimal>) -> Self {
        if let Some(number) = number {
            self.begin(name);
            decimal::write(self.out, number.as_nanos(), 3);
        }
        self
    }

    /// `NAME="DATE"` in UTC, when there is one.
    pub fn maybe_date(self, name: &str, time: Option<WallTime>) -> Self {
        match time {
            Some(time) => self.quoted_with(name, |out| datetime::write(out, time)),
            None => self,
        }
    }

    /// `NAME=0xHEX`, when there is any.
    pub fn maybe_hex(mut self, name: &str, bytes: Option<&[u8]>) -> Self {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
        ];
        if let Some(bytes) = bytes {
            self.begin(name);
            self.out.push_str("0x");
            let nibbles = bytes.iter().flat_map(|b| [b >> 4, b & 0xF]);
            self.out
                .extend(nibbles.filter_map(|n| DIGITS.get(usize::from(n))));
        }
        self
    }

    /// `NAME="LENGTH@OFFSET"`, when there is one.
    pub fn maybe_range(self, name: &str, range: Option<ByteRange>) -> Self {
        match range {
            Some(range) => self.quoted_with(name, |out| push_range(out, range)),
            None => self,
        }
    }

    /// Attributes the model has no field for.
    pub fn extra(mut self, extra: &[Attribute]) -> Self {
        for attribute in extra {
            self = match &attribute.value {
                AttributeValue::Quoted(v) => self.quoted(&attribute.name, v),
                AttributeValue::Bare(v) => self.keyword(&attribute.name, v),
            };
        }
        self
    }

    /// Ends the line.
    pub fn end(self) {
        self.out.push('\n');
    }

    fn begin(&mut self, name: &str) {
        if self.any {
            self.out.push(',');
        }
        self.any = true;
        self.out.push_str(name);
        self.out.push('=');
    }
}

/// `LENGTH[@OFFSET]`
pub(super) fn push_range(out: &mut String, range: ByteRange) {
    decimal::integer(out, range.length);
    if let Some(offset) = range.offset {
        out.push('@');
        decimal::integer(out, offset);
    }
}
