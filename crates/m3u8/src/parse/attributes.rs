//! Attribute lists (§4.2): split once, then taken one by one; what is not taken stays as extra.

use core_frame::{MediaTime, WallTime};

use super::Context;
use crate::{Attribute, ByteRange, Decimal, Error, Resolution, Result, datetime, decimal};

/// Far more than any tag has; bounds the search for one written twice.
const MAX_ATTRIBUTES: usize = 256;

/// Attributes of one tag that are still to be taken.
pub(super) struct Attributes<'t> {
    list: Vec<Option<Item<'t>>>,
}

#[derive(Clone, Copy)]
struct Item<'t> {
    name: &'t str,
    value: &'t str,
    quoted: bool,
}

impl<'t> Attributes<'t> {
    /// Splits `NAME=value,NAME="quoted, value",...`.
    pub(super) fn parse(context: &mut Context<'_>, text: &'t str) -> Result<Self> {
        let mut list: Vec<Option<Item<'t>>> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((name, after)) = split_name(rest) else {
                context.broken("an attribute has the form NAME=value (§4.2)")?;
                rest = rest
                    .split_once(',')
                    .map_or("", |(_, tail)| tail.trim_start());
                continue;
            };
            let (value, quoted, tail) = match after.strip_prefix('"') {
                Some(inside) => match inside.split_once('"') {
                    Some((value, tail)) => (value, true, tail),
                    None => {
                        context.broken("a quoted string ends with a quote (§4.2)")?;
                        (inside, true, "")
                    }
                },
                None => {
                    let end = after.find(',').unwrap_or(after.len());
                    let (value, tail) = after.split_at(end);
                    (value.trim(), false, tail)
                }
            };
            let clean = name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
            if !clean {
                context.broken("an attribute name has capitals, digits and - only (§4.2)")?;
            }
            if list.len() >= MAX_ATTRIBUTES {
                return Err(Error::Limit {
                    what: "attributes in a tag",
                    max: MAX_ATTRIBUTES,
                });
            }
            if list.iter().flatten().any(|i| i.name == name) {
                context.broken("an attribute stands once in a list (§4.2)")?;
            } else {
                list.push(Some(Item {
                    name,
                    value,
                    quoted,
                }));
            }
            let tail = tail.trim_start();
            rest = match tail.strip_prefix(',') {
                Some(next) => {
                    if next.starts_with(' ') {
                        context.broken("no blanks in an attribute list (§4.2)")?;
                    }
                    next.trim_start()
                }
                None if tail.is_empty() => tail,
                None => {
                    context.broken("attributes are parted by commas (§4.2)")?;
                    tail
                }
            };
        }
        Ok(Self { list })
    }

    fn take(&mut self, name: &str) -> Option<Item<'t>> {
        self.list
            .iter_mut()
            .find(|i| i.is_some_and(|i| i.name == name))
            .and_then(Option::take)
    }

    /// True when the attribute has this value, without quotes.
    pub(super) fn is_bare(&self, name: &str, value: &str) -> bool {
        let mut items = self.list.iter().flatten();
        items.any(|i| i.name == name && i.value == value && !i.quoted)
    }

    /// A quoted string, variables replaced.
    pub(super) fn quoted(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<String>> {
        let Some(item) = self.take(name) else {
            return Ok(None);
        };
        if !item.quoted {
            context.broken("a string attribute is quoted (§4.2)")?;
        }
        Ok(Some(context.expand(item.value)?.into_owned()))
    }

    /// A quoted string that must be there; empty when it is not.
    pub(super) fn required(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        rule: &'static str,
    ) -> Result<String> {
        match self.quoted(context, name)? {
            Some(value) => Ok(value),
            None => {
                context.broken(rule)?;
                Ok(String::new())
            }
        }
    }

    /// An enumerated string.
    pub(super) fn keyword(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<&'t str>> {
        let Some(item) = self.take(name) else {
            return Ok(None);
        };
        if item.quoted {
            context.broken("a keyword is not quoted (§4.2)")?;
        }
        Ok(Some(item.value))
    }

    /// `YES` or `NO`.
    pub(super) fn yes(&mut self, context: &mut Context<'_>, name: &str) -> Result<bool> {
        match self.keyword(context, name)? {
            Some("YES") => Ok(true),
            Some("NO") | None => Ok(false),
            Some(other) => {
                context.broken("the attribute is YES or NO (§4.2)")?;
                Ok(other.eq_ignore_ascii_case("yes"))
            }
        }
    }

    /// A decimal integer of at most 64 bits.
    pub(super) fn integer(&mut self, context: &mut Context<'_>, name: &str) -> Result<Option<u64>> {
        self.typed(context, name, |v| {
            v.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| v.parse().ok())?
        })
    }

    /// Seconds; negative ones only where `signed`.
    pub(super) fn seconds(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        signed: bool,
    ) -> Result<Option<MediaTime>> {
        self.typed(context, name, |v| {
            decimal::parse_time(v).filter(|t| signed || *t >= MediaTime::ZERO)
        })
    }

    /// A decimal number.
    pub(super) fn number(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<Decimal>> {
        self.typed(context, name, |v| {
            decimal::parse(v)
                .filter(|n| *n >= 0)
                .map(Decimal::from_nanos)
        })
    }

    /// `WIDTHxHEIGHT`.
    pub(super) fn resolution(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<Resolution>> {
        self.typed(context, name, |v| {
            let (width, height) = v.split_once(['x', 'X'])?;
            Some(Resolution {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
            })
        })
    }

    /// `0x` and hexadecimal digits.
    pub(super) fn hex(&mut self, context: &mut Context<'_>, name: &str) -> Result<Option<Vec<u8>>> {
        self.typed(context, name, |v| {
            let digits = v.strip_prefix("0x").or_else(|| v.strip_prefix("0X"))?;
            let mut bytes = Vec::with_capacity(digits.len() / 2 + 1);
            let mut high = (digits.len() % 2 == 1).then_some(0);
            for c in digits.chars() {
                let digit = c.to_digit(16)? as u8;
                match high.take() {
                    None => high = Some(digit),
                    Some(h) => bytes.push(h << 4 | digit),
                }
            }
            Some(bytes)
        })
    }

    /// A quoted ISO 8601 date.
    pub(super) fn date(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<WallTime>> {
        let Some(text) = self.quoted(context, name)? else {
            return Ok(None);
        };
        let parsed = datetime::parse(&text);
        if parsed.is_none() {
            context.broken("a date is ISO 8601 (§4.4.5.1)")?;
        }
        Ok(parsed.map(|p| p.time))
    }

    /// A quoted `LENGTH[@OFFSET]`.
    pub(super) fn byte_range(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
    ) -> Result<Option<ByteRange>> {
        let Some(text) = self.quoted(context, name)? else {
            return Ok(None);
        };
        let range = parse_range(&text);
        if range.is_none() {
            context.broken("a byte range is LENGTH[@OFFSET] (§4.4.4.2)")?;
        }
        Ok(range)
    }

    /// What nobody took.
    pub(super) fn rest(self, context: &mut Context<'_>) -> Result<Vec<Attribute>> {
        let mut rest = Vec::new();
        for item in self.list.into_iter().flatten() {
            context.item()?;
            rest.push(if item.quoted {
                Attribute::quoted(item.name, context.expand(item.value)?)
            } else {
                Attribute::bare(item.name, item.value)
            });
        }
        Ok(rest)
    }

    fn typed<T>(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(item) = self.take(name) else {
            return Ok(None);
        };
        if item.quoted {
            context.broken("a number is not quoted (§4.2)")?;
        }
        let text = context.expand(item.value)?;
        let value = read(text.trim());
        if value.is_none() {
            context.broken("the attribute has a value of another type (§4.2)")?;
        }
        Ok(value)
    }
}

/// `LENGTH[@OFFSET]`
pub(super) fn parse_range(text: &str) -> Option<ByteRange> {
    let text = text.trim();
    let (length, offset) = match text.split_once('@') {
        Some((length, offset)) => (length, Some(offset.parse().ok()?)),
        None => (text, None),
    };
    Some(ByteRange {
        length: length.parse().ok()?,
        offset,
    })
}

/// `NAME=` at the start, when an equals sign comes before any comma.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('=')?;
    let name = name.trim();
    (!name.is_empty() && !name.contains([',', '"'])).then(|| (name, after.trim_start()))
}
