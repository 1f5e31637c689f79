//! G.711 A-law and µ-law: nothing but samples of one byte (RFC 3551 §4.5.14).

use core_frame::AudioInfo;

/// What senders that say nothing mean.
pub const SAMPLE_RATE: u32 = 8_000;

/// What a track without further description is: 8 kHz, one channel, packets of any length.
pub const DEFAULT: AudioInfo = AudioInfo {
    sample_rate: SAMPLE_RATE,
    channels: 1,
    frame_samples: 0,
};

/// Samples of a packet for each channel: a byte is a sample, channels take turns.
#[must_use]
pub const fn packet_samples(packet: &[u8], channels: u16) -> u32 {
    let channels = if channels == 0 { 1 } else { channels as usize };
    let samples = packet.len() / channels;
    if samples > u32::MAX as usize {
        u32::MAX
    } else {
        samples as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_sample() {
        assert_eq!(packet_samples(&[0; 160], 1), 160);
        assert_eq!(packet_samples(&[0; 321], 2), 160);
        assert_eq!(packet_samples(&[], 0), 0);
    }
}
