//! Tags that both kinds of playlist have (§4.4.2), and those with shared shapes.

use super::Context;
use super::attributes::Attributes;
use crate::{Define, Key, Method, Result, Start};

/// What a shared tag says; `None` where its value is broken.
pub(super) enum Shared {
    Version(Option<u32>),
    IndependentSegments,
    Start(Option<Start>),
    Define(Option<Define>),
    /// Not one of the shared tags.
    Other,
}

pub(super) fn shared(context: &mut Context<'_>, name: &str, value: &str) -> Result<Shared> {
    Ok(match name {
        "EXT-X-VERSION" => {
            let version = value.trim().parse().ok();
            if version.is_none() {
                context.broken("EXT-X-VERSION is a number (§4.4.1.2)")?;
            }
            Shared::Version(version)
        }
        "EXT-X-INDEPENDENT-SEGMENTS" => Shared::IndependentSegments,
        "EXT-X-START" => Shared::Start(start(context, value)?),
        "EXT-X-DEFINE" => Shared::Define(define(context, value)?),
        _ => Shared::Other,
    })
}

/// `EXT-X-START` (§4.4.2.2).
fn start(context: &mut Context<'_>, value: &str) -> Result<Option<Start>> {
    let mut a = Attributes::parse(context, value)?;
    let precise = a.yes(context, "PRECISE")?;
    match a.seconds(context, "TIME-OFFSET", true)? {
        Some(time_offset) => Ok(Some(Start {
            time_offset,
            precise,
        })),
        None => {
            context.broken("EXT-X-START needs TIME-OFFSET (§4.4.2.2)")?;
            Ok(None)
        }
    }
}

/// `EXT-X-DEFINE` (§4.4.2.3).
fn define(context: &mut Context<'_>, value: &str) -> Result<Option<Define>> {
    let mut a = Attributes::parse(context, value)?;
    if let Some(name) = a.quoted(context, "NAME")? {
        let rule = "EXT-X-DEFINE with NAME needs VALUE (§4.4.2.3)";
        let value = a.required(context, "VALUE", rule)?;
        context.define(&name, value.clone())?;
        return Ok(Some(Define::Value { name, value }));
    }
    let options = context.options;
    let (name, from, query) = match a.quoted(context, "IMPORT")? {
        Some(name) => (name, &options.imports, false),
        None => match a.quoted(context, "QUERYPARAM")? {
            Some(name) => (name, &options.query, true),
            None => {
                context.broken("EXT-X-DEFINE needs NAME, IMPORT or QUERYPARAM (§4.4.2.3)")?;
                return Ok(None);
            }
        },
    };
    match from.iter().find(|(n, _)| *n == name) {
        Some((_, value)) => context.define(&name, value.clone())?,
        None => context.broken("the variable to take over is not there (§4.4.2.3)")?,
    }
    Ok(Some(if query {
        Define::QueryParam(name)
    } else {
        Define::Import(name)
    }))
}

/// `EXT-X-KEY` and `EXT-X-SESSION-KEY` (§4.4.4.4). `None` for METHOD=NONE.
pub(super) fn key(context: &mut Context<'_>, value: &str) -> Result<Option<Key>> {
    let mut a = Attributes::parse(context, value)?;
    let method = match a.keyword(context, "METHOD")? {
        Some("NONE") => return Ok(None),
        Some(word) if !word.is_empty() => Method::from_word(word),
        _ => {
            context.broken("a key needs METHOD (§4.4.4.4)")?;
            Method::Aes128
        }
    };
    let iv = match a.hex(context, "IV")? {
        None => None,
        Some(bytes) if bytes.len() <= 16 => {
            let mut iv = [0; 16];
            for (slot, b) in iv.iter_mut().rev().zip(bytes.iter().rev()) {
                *slot = *b;
            }
            Some(iv)
        }
        Some(_) => {
            context.broken("an IV has 128 bits (§4.4.4.4)")?;
            None
        }
    };
    let uri = a.quoted(context, "URI")?;
    if uri.is_none() {
        context.broken("a key needs URI (§4.4.4.4)")?;
    }
    Ok(Some(Key {
        method,
        uri,
        iv,
        key_format: a.quoted(context, "KEYFORMAT")?,
        key_format_versions: a.quoted(context, "KEYFORMATVERSIONS")?,
    }))
}
