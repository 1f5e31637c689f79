//! Delivery directives of a playlist request (rfc8216bis §6.2.5).

use crate::Refusal;

/// What `_HLS_*` parameters ask for, and whether the plain form was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Directives {
    /// `_HLS_msn`.
    pub(crate) msn: Option<u64>,
    /// `_HLS_part`; only with `_HLS_msn`.
    pub(crate) part: Option<u32>,
    /// `_HLS_skip` is `YES` or `v2`.
    pub(crate) skip: bool,
    /// `ll=0`: no low-latency tags, for players that stumble over them.
    pub(crate) plain: bool,
}

impl Directives {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut found = Self::default();
        for (name, value) in parameters(query) {
            match name {
                "_HLS_msn" => found.msn = Some(number(value)?),
                "_HLS_part" => {
                    let part = number(value)?;
                    // More parts than anybody makes is as far ahead as any such number.
                    found.part = Some(u32::try_from(part).unwrap_or(u32::MAX));
                }
                "_HLS_skip" => found.skip = matches!(value, "YES" | "v2"),
                "ll" => found.plain = value == "0",
                _ => {}
            }
        }
        if found.part.is_some() && found.msn.is_none() {
            return Err(Refusal::new(400, "_HLS_part needs _HLS_msn"));
        }
        Ok(found)
    }
}

/// Name and value of each parameter, as they stand.
pub(crate) fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .unwrap_or("")
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
}

fn number(text: &str) -> Result<u64, Refusal> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::new(400, "a delivery directive is not a number"));
    }
    // Digits that do not fit are a number, and far ahead.
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_directives_among_other_parameters() {
        let d =
            Directives::parse(Some("token=a&_HLS_msn=12&_HLS_part=3&_HLS_skip=v2&ll=1")).unwrap();
        assert_eq!(
            d,
            Directives {
                msn: Some(12),
                part: Some(3),
                skip: true,
                plain: false
            }
        );
        assert_eq!(Directives::parse(None).unwrap(), Directives::default());
        assert!(Directives::parse(Some("ll=0&_HLS_skip=NO")).unwrap().plain);
        let far = Directives::parse(Some(
            "_HLS_msn=99999999999999999999999&_HLS_part=9999999999",
        ))
        .unwrap();
        assert_eq!((far.msn, far.part), (Some(u64::MAX), Some(u32::MAX)));
    }

    #[test]
    fn r085_refuses_what_is_no_number() {
        for query in [
            "_HLS_msn=",
            "_HLS_msn=-1",
            "_HLS_msn=1e3",
            "_HLS_msn=+1",
            "_HLS_msn=1&_HLS_part=x",
            "_HLS_part=0",
        ] {
            assert_eq!(
                Directives::parse(Some(query)).unwrap_err().status,
                400,
                "{query}"
            );
        }
    }
}
