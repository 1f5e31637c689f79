//! Damaged playlists: ten thousand seeded mutations of the samples, truncation at every offset, no panic.

use millstream_m3u8::*;

/// xorshift64*, so that a failure is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Everything a consumer would do with a list; what was read must be writable and readable.
fn use_it(bytes: &[u8]) {
    let _ = parse(bytes, &ParseOptions::strict());
    let Ok(parsed) = parse(bytes, &ParseOptions::default()) else {
        return;
    };
    let text = parsed.playlist.to_string();
    let again = parse(text.as_bytes(), &ParseOptions::default());
    if let Playlist::Media(list) = parsed.playlist {
        let _ = (list.edge(), list.duration(), list.required_version());
        let _ = list.program_date_times().chain([None]).last();
        let _ = list.discontinuity_sequences().last();
        let _ = list.clone().apply_delta(&list);
        if let Ok(Parsed {
            playlist: Playlist::Media(again),
            ..
        }) = again
        {
            let _ = again.apply_delta(&list);
        }
    }
}

#[test]
fn mutated_samples_never_panic() {
    const NUMBERS: [&str; 8] = [
        "0",
        "1",
        "-1",
        "2147483648",
        "4294967295",
        "18446744073709551615",
        "1e308",
        "NaN",
    ];
    let samples = super::fixtures::all();
    let mut random = Random(0x4D31_5333_5538_0001);
    for round in 0..12_000 {
        let (_, sample) = &samples[round % samples.len()];
        let mut bytes = sample.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at),
                2 => bytes
                    .splice(at..at, [b"\n\r,=\"#:@{}$\0"[random.below(12)]])
                    .for_each(drop),
                3 => {
                    // A number becomes an awkward one.
                    if let Some(start) = bytes.iter().skip(at).position(u8::is_ascii_digit) {
                        let start = at + start;
                        let end = bytes[start..].iter().position(|b| !b.is_ascii_digit());
                        let end = end.map_or(bytes.len(), |e| start + e);
                        let number = NUMBERS[random.below(NUMBERS.len())];
                        bytes.splice(start..end, number.bytes()).for_each(drop);
                    }
                }
                4 => {
                    // Lines change places with those of another sample.
                    let (_, other) = &samples[random.below(samples.len())];
                    let lines: Vec<_> = other.split(|b| *b == b'\n').collect();
                    let mut line = lines[random.below(lines.len())].to_vec();
                    line.push(b'\n');
                    let at = bytes[..at]
                        .iter()
                        .rposition(|b| *b == b'\n')
                        .map_or(0, |n| n + 1);
                    bytes.splice(at..at, line).for_each(drop);
                }
                _ => {
                    let end = (at + random.below(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        use_it(&bytes);
    }
}

#[test]
fn truncated_samples_never_panic() {
    for (_, bytes) in super::fixtures::all() {
        for end in 0..bytes.len().min(1_500) {
            let _ = parse(&bytes[..end], &ParseOptions::default());
        }
    }
}
