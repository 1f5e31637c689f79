//! Storage URLs: which backend a configuration value means.

use std::sync::Arc;

use crate::{Error, MemoryStorage, Result, StorageBackend};

/// Opens the store a URL names:
///
/// | URL | store |
/// |---|---|
/// | `memory:` | [`MemoryStorage`] without a bound |
/// | `file:///var/lib/media` | the file system below an absolute folder, created when missing |
/// | `file:media` | the same, relative to the working directory |
///
/// In `file:` URLs `%20` and the like are decoded.
///
/// # Errors
/// [`Error::BadUrl`] for anything else, with what would work; [`Error::Io`] when the folder cannot be used.
pub async fn open(url: &str) -> Result<Arc<dyn StorageBackend>> {
    let (scheme, rest) = url
        .split_once(':')
        .ok_or_else(|| Error::BadUrl("needs a scheme, e.g. file:media or memory:".into()))?;
    match scheme.to_ascii_lowercase().as_str() {
        "memory" if rest.is_empty() || rest == "//" => Ok(Arc::new(MemoryStorage::new())),
        "memory" => Err(Error::BadUrl("memory: takes nothing behind it".into())),
        "file" => open_folder(&folder(rest)?).await,
        "s3" | "gs" | "az" => Err(Error::BadUrl(format!(
            "{scheme}:// is not built in yet; file: and memory: are"
        ))),
        _ => Err(Error::BadUrl(
            "unknown scheme; file: and memory: are known".into(),
        )),
    }
}

#[cfg(feature = "fs")]
async fn open_folder(path: &str) -> Result<Arc<dyn StorageBackend>> {
    let store = crate::FileStorage::open(path, crate::FileOptions::default()).await?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "fs"))]
async fn open_folder(_path: &str) -> Result<Arc<dyn StorageBackend>> {
    Err(Error::BadUrl(
        "file: needs the feature `fs` of this crate".into(),
    ))
}

/// The path in a `file:` URL (RFC 8089), without its authority, decoded.
fn folder(rest: &str) -> Result<String> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(after) => {
            let slash = after.find('/').unwrap_or(after.len());
            let (host, path) = after.split_at(slash);
            if !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
                return Err(Error::BadUrl(
                    "file: cannot name another host; use file:///absolute/path or file:relative/path"
                        .into(),
                ));
            }
            path
        }
    };
    let decoded = percent_decode(path)
        .ok_or_else(|| Error::BadUrl("has a broken %XX sequence or is not UTF-8".into()))?;
    if decoded.is_empty() || decoded.contains('\0') {
        return Err(Error::BadUrl("file: needs a path behind it".into()));
    }
    Ok(decoded)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_urls() {
        for (rest, path) in [
            ("///var/lib/m%20s", "/var/lib/m s"),
            ("//localhost/var", "/var"),
            ("media/store", "media/store"),
            ("./media", "./media"),
            ("/abs", "/abs"),
        ] {
            assert_eq!(folder(rest).unwrap(), path);
        }
        for bad in ["", "//", "//host/x", "/a%2", "/a%zz", "/a%00", "/%ff"] {
            assert!(folder(bad).is_err(), "{bad}");
        }
    }
}
