//! Silent AAC-LC access units that carry a number in a data stream element.

use crate::bits::BitWriter;
use crate::number;

/// Samples per access unit.
pub(crate) const FRAME_SAMPLES: u32 = 1_024;

/// Sampling frequency indices, ISO/IEC 14496-3 table 1.18.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Index of a sample rate, if AAC has one for it.
pub(crate) fn rate_index(rate: u32) -> Option<u32> {
    RATES.iter().position(|&r| r == rate).map(|i| i as u32)
}

/// AudioSpecificConfig, ISO/IEC 14496-3 §1.6.2.1: AAC-LC, 1 or 2 channels.
pub(crate) fn config(rate_index: u32, channels: u16) -> Vec<u8> {
    let mut w = BitWriter::with_capacity(2);
    w.put(2, 5);
    w.put(rate_index, 4);
    w.put(u32::from(channels), 4);
    w.put(0, 3);
    w.finish()
}

/// `raw_data_block()`, ISO/IEC 14496-3 §4.4.2.1: a data stream element, then silence, then the end.
pub(crate) fn access_unit(n: u64, wall: u64, channels: u16) -> Vec<u8> {
    let mut w = BitWriter::with_capacity(64);
    // data_stream_element: id, tag, byte align, count; the 16 bits leave the data aligned.
    w.put(4, 3);
    w.put(0, 4);
    w.put(1, 1);
    w.put((number::DSE_MARK.len() + 20) as u32, 8);
    w.bytes(&number::DSE_MARK);
    w.bytes(&number::fields(n, wall));
    if channels == 2 {
        // channel_pair_element with a common window and no mid/side.
        w.put(1, 3);
        w.put(0, 4);
        w.put(1, 1);
        ics_info(&mut w);
        w.put(0, 2);
        silent_channel(&mut w, false);
        silent_channel(&mut w, false);
    } else {
        w.put(0, 3);
        w.put(0, 4);
        silent_channel(&mut w, true);
    }
    w.put(7, 3);
    w.finish()
}

/// Long window, no scale factor band, no prediction.
fn ics_info(w: &mut BitWriter) {
    w.put(0, 1);
    w.put(0, 2);
    w.put(0, 1);
    w.put(0, 6);
    w.put(0, 1);
}

/// `individual_channel_stream()` with nothing in it.
fn silent_channel(w: &mut BitWriter, own_info: bool) {
    w.put(100, 8);
    if own_info {
        ics_info(w);
    }
    // No pulse data, no TNS, no gain control.
    w.put(0, 3);
}
