//! What a parse carries along: where it is, what was wrong, what is defined, how much there is.

use std::borrow::Cow;

use crate::{Error, Mode, ParseOptions, Result, Warning};

pub(super) struct Context<'o> {
    pub(super) options: &'o ParseOptions,
    line: u32,
    warnings: Vec<Warning>,
    variables: Vec<(String, String)>,
    items: usize,
    /// Bytes that variables were expanded to, in all.
    expanded: usize,
}

impl<'o> Context<'o> {
    pub(super) fn new(options: &'o ParseOptions) -> Self {
        Self {
            options,
            line: 1,
            warnings: Vec::new(),
            variables: Vec::new(),
            items: 0,
            expanded: 0,
        }
    }

    pub(super) fn at_line(&mut self, line: u32) {
        self.line = line;
    }

    /// The sender broke a rule: an error in strict mode, a warning otherwise.
    pub(super) fn broken(&mut self, rule: &'static str) -> Result<()> {
        let line = self.line;
        if self.options.mode == Mode::Strict {
            return Err(Error::Broken { line, rule });
        }
        if self.warnings.len() < self.options.limits.warnings {
            self.warnings.push(Warning { line, rule });
        }
        Ok(())
    }

    /// One thing more to keep.
    pub(super) fn item(&mut self) -> Result<()> {
        self.items += 1;
        if self.items > self.options.limits.items {
            return Err(Error::Limit {
                what: "items",
                max: self.options.limits.items,
            });
        }
        Ok(())
    }

    /// `EXT-X-DEFINE` (§4.4.2.3).
    pub(super) fn define(&mut self, name: &str, value: String) -> Result<()> {
        self.item()?;
        if self.variables.iter().any(|(n, _)| n == name) {
            return self.broken("a variable is defined once (§4.4.2.3)");
        }
        self.variables.push((name.to_owned(), value));
        Ok(())
    }

    /// Replaces `{$name}` by the values defined before (§4.3).
    pub(super) fn expand<'t>(&mut self, text: &'t str) -> Result<Cow<'t, str>> {
        if !text.contains("{$") {
            return Ok(Cow::Borrowed(text));
        }
        let max = self.options.limits.line_bytes;
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{$") {
            out.push_str(before);
            let known = after.split_once('}').and_then(|(name, tail)| {
                let (_, value) = self.variables.iter().find(|(n, _)| n == name)?;
                Some((value, tail))
            });
            match known {
                Some((value, tail)) => {
                    out.push_str(value);
                    rest = tail;
                }
                None => {
                    self.broken("a variable is defined before it is used (§4.3)")?;
                    out.push_str("{$");
                    rest = after;
                }
            }
            if out.len() > max {
                return Err(Error::Limit {
                    what: "bytes in a line",
                    max,
                });
            }
        }
        out.push_str(rest);
        // A short reference to a long value makes a small text large: both bounds hold for what it becomes.
        self.expanded = self.expanded.saturating_add(out.len());
        if self.expanded > self.options.limits.bytes {
            return Err(Error::Limit {
                what: "bytes",
                max: self.options.limits.bytes,
            });
        }
        Ok(Cow::Owned(out))
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}
