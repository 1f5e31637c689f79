//! The frame number as a bar of black and white cells along the bottom of the picture.
//!
//! ```text
//!  ┌────────────────────────────┐   40 cells of equal width: 32 bits of number, most significant first, then
//!  │           grey             │   8 check bits. White is 1. The bar is about a sixth of the picture high, so it
//!  ├────────────────────────────┤   survives scaling and re-encoding.
//!  │█ █  ██ █ ███  █ █ █ ██  █ █│
//!  └────────────────────────────┘
//! ```

/// Cells across the picture.
pub(crate) const CELLS: u32 = 40;

/// Luma of a white cell (limited range).
pub(crate) const WHITE: u8 = 235;
/// Luma of a black cell (limited range).
pub(crate) const BLACK: u8 = 16;

/// Macroblock rows that the bar takes of a picture of `rows` macroblock rows.
pub(crate) const fn bar_rows(rows: u32) -> u32 {
    let bar = (rows + 3) / 6;
    if bar == 0 { 1 } else { bar }
}

/// The 40 cells that show a number: its low 32 bits and their check.
pub(crate) fn encode(number: u64) -> u64 {
    let number = number as u32;
    (u64::from(number) << 8) | u64::from(check(number))
}

/// True when the cell at `index` (from the left) is white.
pub(crate) const fn cell(cells: u64, index: u32) -> bool {
    (cells >> (CELLS - 1 - index)) & 1 == 1
}

/// Reads the number (its low 32 bits) off the luma plane of a decoded picture of `width` by `height`, at any scale that
/// leaves at least two samples a cell. `None` when no bar with a right check is there.
///
/// `stride` is the distance between lines in bytes.
#[must_use]
pub fn read_barcode(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<u64> {
    // Three lines inside the bar vote: scalers blur its upper edge, and croppers may shave the lower one.
    let mut votes = [None; 3];
    for (vote, part) in votes.iter_mut().zip([16, 24, 40]) {
        let line = height.checked_sub(1 + height / part)?;
        let start = line.checked_mul(stride)?;
        *vote = read_line(luma.get(start..start.checked_add(width)?)?);
    }
    votes.into_iter().flatten().next()
}

fn read_line(line: &[u8]) -> Option<u64> {
    let width = line.len();
    let cells = CELLS as usize;
    if width < cells * 2 {
        return None;
    }
    let mut levels = [0_u32; CELLS as usize];
    for (index, level) in levels.iter_mut().enumerate() {
        // The middle half of the cell.
        let from = (width * (4 * index + 1)) / (4 * cells);
        let to = ((width * (4 * index + 3)) / (4 * cells)).max(from + 1);
        let part = line.get(from..to)?;
        *level = part.iter().map(|&v| u32::from(v)).sum::<u32>() / part.len() as u32;
    }
    let (low, high) = (levels.iter().min()?, levels.iter().max()?);
    if high - low < 64 {
        return None;
    }
    let middle = (low + high) / 2;
    let bits = levels
        .iter()
        .fold(0_u64, |bits, &level| bits << 1 | u64::from(level > middle));
    let number = (bits >> 8) as u32;
    (check(number) == bits as u8).then_some(u64::from(number))
}

/// CRC-8 (polynomial 0x07) with a start value that makes number 0 show white cells too.
fn check(number: u32) -> u8 {
    number.to_be_bytes().into_iter().fold(0xA5, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| {
            if crc & 0x80 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x07
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(number: u64, width: usize, height: usize) -> Vec<u8> {
        let cells = encode(number);
        let mut luma = vec![126; width * height];
        for y in height - height / 6..height {
            for x in 0..width {
                let white = cell(cells, (x * 40 / width) as u32);
                luma[y * width + x] = if white { WHITE } else { BLACK };
            }
        }
        luma
    }

    #[test]
    fn reads_what_was_painted_at_any_scale() {
        for (w, h) in [(160, 96), (80, 48), (1920, 1080), (641, 359)] {
            for n in [0, 1, 2, 77, 65_535, 4_000_000_000] {
                assert_eq!(
                    read_barcode(&paint(n, w, h), w, w, h),
                    Some(n),
                    "{w}x{h} {n}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_cell_is_refused() {
        for at in 0..40 {
            let mut luma = paint(1234, 160, 96);
            for y in 0..96 {
                for x in at * 4..at * 4 + 4 {
                    luma[y * 160 + x] = if luma[y * 160 + x] > 126 { 16 } else { 235 };
                }
            }
            assert_eq!(read_barcode(&luma, 160, 160, 96), None, "cell {at}");
        }
        assert_eq!(read_barcode(&[126; 160 * 96], 160, 160, 96), None);
        assert_eq!(read_barcode(&[], 160, 160, 96), None);
        assert_eq!(read_barcode(&[0; 10], 1, 1, 1), None);
    }
}
