//! Hardware encoders put reference picture sets into the H.265 SPS: ffmpeg finds what follows them where we find it.

use bytes::Bytes;
use millstream_bitstream::bits::BitWriter;
use millstream_bitstream::h265::{HevcConfig, Sps, nal_type};
use millstream_bitstream::nal;

use crate::sample::{run_for_log, samples, scratch};

#[test]
fn explicit_and_predicted_sets() {
    let sample = samples().iter().find(|s| s.name == "h265-no-b").unwrap();
    let config = HevcConfig::parse(&sample.config).unwrap();
    let vps = config.units(nal_type::VPS).next().unwrap();
    let pps = config.units(nal_type::PPS).next().unwrap();
    let folder = scratch();
    let mut predicted = 0;
    for seed in 1..=24 {
        let tick = 1_000 + seed;
        let mut random = Random(seed);
        let (unit, sets) = sps(&mut random, tick);
        predicted += sets;
        let ours = Sps::parse(&unit).unwrap();
        assert_eq!((ours.width, ours.height), (320, 180), "seed {seed}");
        let vui = ours.vui.unwrap();
        assert!(vui.complete, "seed {seed}");
        assert_eq!(vui.timing, Some((tick as u32, 90_000)), "seed {seed}");

        let stream =
            nal::length_prefixed_to_annex_b(&nal::join([&vps[..], &unit, pps]), 4).unwrap();
        let slice = nal::length_prefixed_to_annex_b(&sample.packets[0].data, 4).unwrap();
        let path = folder.path().join("sets.hevc");
        std::fs::write(&path, [&stream[..], &slice].concat()).unwrap();
        let log = run_for_log(
            "ffmpeg",
            &[
                "-hide_banner",
                "-f",
                "hevc",
                "-i",
                path.to_str().unwrap(),
                "-c",
                "copy",
                "-bsf:v",
                "trace_headers",
                "-f",
                "null",
                "-",
            ],
        );
        let told = log
            .lines()
            .find(|l| l.contains("vui_num_units_in_tick"))
            .unwrap_or_else(|| panic!("{log}"));
        assert!(told.ends_with(&format!("= {tick}")), "seed {seed}: {told}");
    }
    assert!(predicted > 50, "only {predicted} sets were predicted");
}

/// An SPS with reference picture sets by chance, and how many of them are predicted from the one before.
fn sps(random: &mut Random, tick: u64) -> (Bytes, usize) {
    let mut w = BitWriter::new();
    w.bits(0, 4);
    w.bits(0, 3);
    w.flag(true);
    // Main profile, main tier, level 3.
    w.bits(1, 8);
    w.bits(0x6000_0000, 32);
    w.bits(0x9000, 16);
    w.bits(0, 32);
    w.bits(90, 8);
    w.ue(0);
    w.ue(1);
    w.ue(320);
    w.ue(184);
    w.flag(true);
    for side in [0, 0, 0, 2] {
        w.ue(side);
    }
    w.ue(0);
    w.ue(0);
    w.ue(4);
    w.flag(true);
    for value in [15, 0, 0] {
        w.ue(value);
    }
    for value in [0, 3, 0, 3, 0, 0] {
        w.ue(value);
    }
    w.flag(false);
    w.bits(0, 3);
    let count = 2 + random.below(12);
    w.ue(count);
    let (mut previous, mut predicted) = (Vec::new(), 0);
    for at in 0..count {
        let by_prediction = at > 0 && random.below(3) > 0;
        if at > 0 {
            w.flag(by_prediction);
        }
        predicted += usize::from(by_prediction);
        previous = if by_prediction {
            predict(&mut w, random, &previous)
        } else {
            explicit(&mut w, random)
        };
    }
    w.flag(false);
    w.bits(0, 2);
    // VUI: nothing but the timing.
    w.flag(true);
    w.bits(0, 4);
    w.bits(0, 3);
    w.flag(false);
    w.flag(true);
    w.bits(tick as u32, 32);
    w.bits(90_000, 32);
    w.flag(false);
    w.flag(false);
    w.flag(false);
    w.flag(false);
    w.flag(true);
    let mut unit = vec![nal_type::SPS << 1, 1];
    unit.extend(nal::escape_rbsp(&w.finish()));
    (unit.into(), predicted)
}

/// Distances of a set told in full, in the standard's order: backwards by growing distance, then forwards.
fn explicit(w: &mut BitWriter, random: &mut Random) -> Vec<i32> {
    let (negative, positive) = (random.below(5), random.below(4));
    w.ue(negative);
    w.ue(positive);
    let mut set = Vec::new();
    for (count, sign) in [(negative, -1), (positive, 1)] {
        let mut poc = 0;
        for _ in 0..count {
            let step = random.below(6);
            w.ue(step);
            w.flag(random.below(2) == 0);
            poc += sign * (step as i32 + 1);
            set.push(poc);
        }
    }
    set
}

/// A set told as the one before it shifted: the model is a sorted set, not the standard's loops.
fn predict(w: &mut BitWriter, random: &mut Random, reference: &[i32]) -> Vec<i32> {
    let distance = 1 + random.below(4) as i32;
    let shift = if random.below(2) == 0 {
        -distance
    } else {
        distance
    };
    w.flag(shift < 0);
    w.ue(distance as u32 - 1);
    let mut kept = Vec::new();
    for poc in reference.iter().copied().chain([0]) {
        let used = random.below(2) == 0;
        // A picture cannot refer to itself, and the set must not grow past the picture buffer.
        let keep = poc + shift != 0 && kept.len() < 14 && (used || random.below(2) == 0);
        if keep && used {
            w.flag(true);
        } else {
            w.flag(false);
            w.flag(keep);
        }
        if keep {
            kept.push(poc + shift);
        }
    }
    kept.sort_by_key(|poc| (*poc > 0, poc.abs()));
    kept.dedup();
    kept
}

/// A small linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}
