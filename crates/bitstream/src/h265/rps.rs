//! H.265 short-term reference picture sets (ISO/IEC 23008-2 §7.3.7, §7.4.8): read only to get past them.

use smallvec::SmallVec;

use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};

const WHAT: &str = "H.265 SPS";
const MAX_PICTURES: usize = 16;

/// Picture order count distances of one set: negative ones first, each list by growing distance.
#[derive(Clone, Debug, Default)]
struct Set {
    negative: SmallVec<[i32; MAX_PICTURES]>,
    positive: SmallVec<[i32; MAX_PICTURES]>,
}

/// Passes over `count` sets (at most 64 by the caller's check).
pub(super) fn skip_sets(r: &mut BitReader<'_>, count: u32) -> Result<()> {
    let mut previous: Option<Set> = None;
    for _ in 0..count {
        let predicted = previous.is_some() && r.flag()?;
        let set = match &previous {
            Some(reference) if predicted => read_predicted(r, reference)?,
            _ => read_explicit(r)?,
        };
        ensure(
            set.negative.len() + set.positive.len() <= MAX_PICTURES,
            WHAT,
            "reference picture set of more than 16 pictures",
        )?;
        previous = Some(set);
    }
    Ok(())
}

fn read_explicit(r: &mut BitReader<'_>) -> Result<Set> {
    const MANY: &str = "reference picture set of more than 16 pictures";
    let negative = r.ue_max(MAX_PICTURES as u32, MANY)?;
    let positive = r.ue_max(MAX_PICTURES as u32, MANY)?;
    let mut set = Set::default();
    read_list(r, negative, -1, &mut set.negative)?;
    read_list(r, positive, 1, &mut set.positive)?;
    Ok(set)
}

fn read_list(
    r: &mut BitReader<'_>,
    count: u32,
    sign: i32,
    list: &mut SmallVec<[i32; MAX_PICTURES]>,
) -> Result<()> {
    let mut poc = 0_i32;
    for _ in 0..count {
        let step = r.ue_max(0x7FFF, "delta_poc_minus1 above 32767")? as i32 + 1;
        r.skip(1)?; // used_by_curr_pic_flag
        poc = poc.saturating_add(sign * step);
        list.push(poc);
    }
    Ok(())
}

/// A set told as the one before it, shifted (equations 7-61 and 7-62).
fn read_predicted(r: &mut BitReader<'_>, reference: &Set) -> Result<Set> {
    let backwards = r.flag()?;
    let distance = r.ue_max(0x7FFF, "abs_delta_rps_minus1 above 32767")? as i32 + 1;
    let shift = if backwards { -distance } else { distance };
    // The reference's pictures in its own order, then the reference itself.
    let pocs = reference
        .negative
        .iter()
        .chain(&reference.positive)
        .copied();
    let mut kept: SmallVec<[(i32, bool); MAX_PICTURES + 1]> = SmallVec::new();
    for poc in pocs.chain([0]) {
        let used = r.flag()?;
        let keep = used || r.flag()?;
        kept.push((poc.saturating_add(shift), keep));
    }
    let own = kept
        .pop()
        .ok_or(Error::invalid(WHAT, "empty reference picture set"))?;
    let (negative, positive) = kept
        .split_at_checked(reference.negative.len())
        .ok_or(Error::invalid(WHAT, "empty reference picture set"))?;
    let pick = |wanted: fn(i32) -> bool, first: &[(i32, bool)], last: &[(i32, bool)]| {
        first
            .iter()
            .rev()
            .chain([&own])
            .chain(last)
            .filter(|(poc, keep)| *keep && wanted(*poc))
            .map(|(poc, _)| *poc)
            .collect()
    };
    Ok(Set {
        negative: pick(|poc| poc < 0, positive, negative),
        positive: pick(|poc| poc > 0, negative, positive),
    })
}
