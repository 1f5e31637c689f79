//! The server session against a model, by random operations: it never panics, never publishes without consent, holds and
//! says no more than it may, and tells the same story however the bytes are cut.

use proptest::prelude::*;

use crate::operations::run;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn random_operations_keep_to_the_model(
        data in proptest::collection::vec(any::<u8>(), 0..400),
        cut in prop_oneof![Just(1), Just(7), 1_usize..300],
    ) {
        let whole = run(&data, usize::MAX);
        let pieces = run(&data, cut);
        prop_assert_eq!(whole.story, pieces.story);
    }
}

#[test]
fn the_operations_reach_what_they_are_to_test() {
    let mut seed = 0x4D69_6C6C_7374_7265_u64;
    let mut roll = || {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        (seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    };
    let (mut granted, mut frames, mut refused, mut ended) = (0, 0, 0, 0);
    for _ in 0..500 {
        let data: Vec<u8> = std::iter::repeat_with(&mut roll).take(300).collect();
        let outcome = run(&data, usize::MAX);
        granted += outcome.granted;
        frames += outcome.frames;
        let told = |what: &str| outcome.story.iter().filter(|s| s.contains(what)).count();
        refused += told("Refused");
        ended += told("Unpublished") + told("Stopped");
    }
    assert!(
        granted > 250 && frames > 50 && refused > 100 && ended > 25,
        "{granted} granted, {frames} frames, {refused} refused, {ended} ended"
    );
}
