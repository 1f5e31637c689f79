//! H.264 pictures without an encoder: flat grey, skipped macroblocks, and a bar of raw samples.
//!
//! ```text
//!  key frame                      other frame
//!  I16x16 DC, no residual         P_Skip
//!  ...                            ...
//!  I_PCM   (first row of bar)     I_PCM where a cell changed, else P_Skip
//!  I16x16 vertical (the others)   I16x16 vertical below a changed one, else P_Skip
//! ```
//!
//! A flat macroblock costs a few bits and a raw one 384 bytes, so a picture of any size is cheap to make and decodes
//! exactly: the loop filter is off and no coefficient is coded.

use crate::barcode::{self, BLACK, WHITE};
use crate::bits::{BitWriter, put_nal};
use crate::number;

/// A coder of one stream.
#[derive(Debug)]
pub(crate) struct Coder {
    columns: u32,
    rows: u32,
    reorder: bool,
    sps: Vec<u8>,
    pps: Vec<u8>,
    /// Bar of the last reference picture.
    reference: u64,
    frame_num: u32,
    idr: u32,
}

/// What to code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    /// In decode order; goes into the SEI message.
    pub(crate) number: u64,
    /// Unix nanoseconds, 0 = none.
    pub(crate) wall: u64,
    /// What the bar shows: the number in display order.
    pub(crate) shown: u64,
    pub(crate) key: bool,
    /// False for a picture that no other refers to.
    pub(crate) reference: bool,
    /// Pictures since the key frame, in display order.
    pub(crate) order: u32,
    /// Size that filler data brings the access unit up to.
    pub(crate) min_bytes: usize,
}

/// Level limits: `level_idc`, macroblocks a second, macroblocks a frame (H.264 table A-1).
const LEVELS: [(u8, u32, u32); 11] = [
    (10, 1_485, 99),
    (12, 6_000, 396),
    (21, 19_800, 792),
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (40, 245_760, 8_192),
    (42, 522_240, 8_704),
    (50, 589_824, 22_080),
    (51, 983_040, 36_864),
    (52, 2_073_600, 36_864),
    (62, 16_711_680, 139_264),
];

impl Coder {
    /// Size in macroblocks; frames a second as a fraction; whether pictures are shown out of decode order.
    pub(crate) fn new(columns: u32, rows: u32, frame_rate: (u32, u32), reorder: bool) -> Self {
        let per_frame = columns * rows;
        let per_second = u64::from(per_frame) * u64::from(frame_rate.0) / u64::from(frame_rate.1);
        let level = LEVELS
            .iter()
            .find(|l| u64::from(l.1) >= per_second && l.2 >= per_frame)
            .map_or(62, |l| l.0);
        // Constrained baseline; out-of-order output wants main.
        let (profile, constraints) = if reorder { (77, 0x40) } else { (66, 0xC0) };
        let header = [profile, constraints, level];
        let mut sps = vec![0x67];
        sps.extend_from_slice(&escaped(&sequence(
            header, columns, rows, frame_rate, reorder,
        )));
        let mut pps = vec![0x68];
        pps.extend_from_slice(&escaped(&picture_parameters()));
        Self {
            columns,
            rows,
            reorder,
            sps,
            pps,
            reference: 0,
            frame_num: 0,
            idr: 0,
        }
    }

    /// AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1.
    pub(crate) fn config(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.extend_from_slice(self.profile());
        out.extend_from_slice(&[0xFF, 0xE1]);
        out.extend_from_slice(&(self.sps.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.sps);
        out.push(1);
        out.extend_from_slice(&(self.pps.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.pps);
        out
    }

    /// `avc1.ppccll`.
    pub(crate) fn codec_string(&self) -> String {
        self.profile()
            .iter()
            .fold(String::from("avc1."), |s, b| s + &format!("{b:02x}"))
    }

    /// The access unit of a picture: 4-byte length-prefixed NAL units.
    pub(crate) fn access_unit(&mut self, picture: &Picture) -> Vec<u8> {
        let mut out = Vec::with_capacity(picture.min_bytes.max(2_048));
        put_nal(&mut out, 0x06, &sei(picture.number, picture.wall));
        if picture.key {
            self.frame_num = 0;
            self.idr ^= 1;
        }
        let cells = barcode::encode(picture.shown);
        let slice = self.slice(picture, cells);
        let header = match (picture.key, picture.reference) {
            (true, _) => 0x65,
            (false, true) => 0x41,
            (false, false) => 0x01,
        };
        put_nal(&mut out, header, &slice);
        if picture.key || picture.reference {
            self.reference = cells;
            self.frame_num = (self.frame_num + 1) & 0xFFFF;
        }
        // filler_data_rbsp(), §7.3.2.7: length, header and trailing bits take 6 bytes.
        if let Some(fill) = picture.min_bytes.checked_sub(out.len() + 6) {
            out.extend_from_slice(&(fill as u32 + 2).to_be_bytes());
            out.push(0x0C);
            out.resize(out.len() + fill, 0xFF);
            out.push(0x80);
        }
        out
    }

    fn profile(&self) -> &[u8] {
        self.sps.get(1..4).unwrap_or_default()
    }

    /// `slice_layer_without_partitioning_rbsp()`, §7.3.2.8: the whole picture in one slice.
    fn slice(&self, picture: &Picture, cells: u64) -> Vec<u8> {
        let mut w = BitWriter::with_capacity(if picture.key { 16_384 } else { 2_048 });
        w.ue(0);
        w.ue(if picture.key { 7 } else { 5 });
        w.ue(0);
        w.put(self.frame_num, 16);
        if picture.key {
            w.ue(self.idr);
        }
        if self.reorder {
            w.put((picture.order * 2) & 0xFFFF, 16);
        }
        if !picture.key {
            // num_ref_idx_active_override_flag, ref_pic_list_modification_flag_l0
            w.put(0, 2);
        }
        if picture.key {
            w.put(0, 2);
        } else if picture.reference {
            w.put(0, 1);
        }
        w.se(0);
        w.ue(1);
        if picture.key {
            self.key_data(&mut w, cells);
        } else {
            self.skip_data(&mut w, cells);
        }
        w.trailing();
        w.finish()
    }

    fn key_data(&self, w: &mut BitWriter, cells: u64) {
        let bar = self.rows - barcode::bar_rows(self.rows);
        for row in 0..self.rows {
            for column in 0..self.columns {
                if row < bar {
                    w.ue(3);
                    flat(w, 0);
                } else if row == bar {
                    w.ue(25);
                    self.raw(w, column, cells);
                } else {
                    w.ue(1);
                    // Above is raw (counts as 16 coefficients) in the first of these rows; the left one never is.
                    let above: u32 = if row == bar + 1 { 16 } else { 0 };
                    flat(
                        w,
                        if column == 0 {
                            above
                        } else {
                            above.div_ceil(2)
                        },
                    );
                }
            }
        }
    }

    fn skip_data(&self, w: &mut BitWriter, cells: u64) {
        let bar = self.rows - barcode::bar_rows(self.rows);
        let changed = cells ^ self.reference;
        let mut run = bar * self.columns;
        for row in bar..self.rows {
            for column in 0..self.columns {
                if !self.touches(column, changed) {
                    run += 1;
                    continue;
                }
                w.ue(run);
                run = 0;
                if row == bar {
                    w.ue(30);
                    self.raw(w, column, cells);
                } else {
                    w.ue(6);
                    let above: u32 = if row == bar + 1 { 16 } else { 0 };
                    flat(
                        w,
                        if column == 0 {
                            above
                        } else {
                            above.div_ceil(2)
                        },
                    );
                }
            }
        }
        if run > 0 {
            w.ue(run);
        }
    }

    /// True when a changed cell lies at least partly in this macroblock column.
    fn touches(&self, column: u32, changed: u64) -> bool {
        (0..16).any(|x| barcode::cell(changed, self.cell_at(column, x)))
    }

    fn cell_at(&self, column: u32, x: u32) -> u32 {
        (column * 16 + x) * barcode::CELLS / (self.columns * 16)
    }

    /// The samples of an I_PCM macroblock (§7.3.5): 16 equal luma lines of the bar, no colour.
    fn raw(&self, w: &mut BitWriter, column: u32, cells: u64) {
        let mut line = [BLACK; 16];
        for (x, sample) in line.iter_mut().enumerate() {
            if barcode::cell(cells, self.cell_at(column, x as u32)) {
                *sample = WHITE;
            }
        }
        w.align();
        for _ in 0..16 {
            w.bytes(&line);
        }
        w.repeat(128, 128);
    }
}

/// The rest of an Intra_16x16 macroblock without residual: chroma DC, no QP change, and an empty luma DC block whose
/// `coeff_token` depends on the coefficients around it (`nc`, §9.2.1).
fn flat(w: &mut BitWriter, nc: u32) {
    w.ue(0);
    w.se(0);
    match nc {
        0..=1 => w.put(1, 1),
        2..=3 => w.put(0b11, 2),
        4..=7 => w.put(0b1111, 4),
        _ => w.put(0b00_0011, 6),
    }
}

/// `seq_parameter_set_data()`, §7.3.2.1.1.
fn sequence(
    header: [u8; 3],
    columns: u32,
    rows: u32,
    frame_rate: (u32, u32),
    reorder: bool,
) -> Vec<u8> {
    let mut w = BitWriter::with_capacity(64);
    w.bytes(&header);
    w.ue(0);
    w.ue(12);
    if reorder {
        w.ue(0);
        w.ue(12);
    } else {
        w.ue(2);
    }
    w.ue(1);
    w.put(0, 1);
    w.ue(columns - 1);
    w.ue(rows - 1);
    // frame_mbs_only, direct_8x8_inference, no cropping, VUI
    w.put(0b1101, 4);
    // No aspect ratio, overscan, video signal or chroma location; timing follows (annex E.1.1).
    w.put(0b00001, 5);
    w.put(frame_rate.1, 32);
    w.put(frame_rate.0.saturating_mul(2), 32);
    // fixed_frame_rate, no HRD (two), no pic_struct, bitstream_restriction, motion over boundaries
    w.put(0b10_0011, 6);
    w.ue(0);
    w.ue(0);
    w.ue(10);
    w.ue(10);
    w.ue(u32::from(reorder));
    w.ue(if reorder { 2 } else { 1 });
    w.trailing();
    w.finish()
}

/// `pic_parameter_set_rbsp()`, §7.3.2.2: CAVLC, loop filter control.
fn picture_parameters() -> Vec<u8> {
    let mut w = BitWriter::with_capacity(8);
    w.ue(0);
    w.ue(0);
    w.put(0, 2);
    w.ue(0);
    w.ue(0);
    w.ue(0);
    w.put(0, 3);
    w.se(0);
    w.se(0);
    w.se(0);
    w.put(0b100, 3);
    w.trailing();
    w.finish()
}

/// `user_data_unregistered()`, annex D.1.7.
fn sei(number: u64, wall: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.extend_from_slice(&[5, 36]);
    out.extend_from_slice(&number::UUID);
    out.extend_from_slice(&number::fields(number, wall));
    out.push(0x80);
    out
}

fn escaped(rbsp: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_nal(&mut out, 0, rbsp);
    out.split_off(5)
}
