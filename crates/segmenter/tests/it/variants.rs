//! Less usual streams: several video tracks, times below zero, huge segments, producer reference times.

use core_frame::{CodecId, MediaFrame, MediaTime, TrackId};

use crate::harness::{
    Harness, Video, audio_info, audio_until, config, merge, table, total, video_info,
};

fn second_video() -> core_frame::TrackInfo {
    let mut info = video_info();
    info.id = TrackId(3);
    info
}

fn on_track(mut frames: Vec<MediaFrame>, id: u16) -> Vec<MediaFrame> {
    frames.iter_mut().for_each(|f| f.track = TrackId(id));
    frames
}

#[test]
fn a_second_picture_is_cut_at_its_own_sync_points() {
    let end = MediaTime::from_secs(30);
    // The same grid, and one that is a third of a second late.
    for (gop, offset) in [(50, 0), (50, 8), (25, 8)] {
        let first = Video::fps(25, 1, 50).until(end);
        let mut second = on_track(Video::fps(25, 1, gop).until(end), 3);
        for f in &mut second {
            f.dts += MediaTime::from_millis(40 * offset);
            f.pts = f.dts;
        }
        let frames = merge(first, second);
        let mut h = Harness::new(config());
        h.tolerate(MediaTime::from_secs(2));
        h.tracks(&table(
            vec![video_info(), second_video()],
            0,
            MediaTime::ZERO,
        ));
        h.feed(&frames);
        let snapshot = h.end();
        let list = h.history(TrackId(3));
        assert!(list.iter().all(|s| s.independent), "{gop} {offset}");
        assert!(snapshot.independent_segments);
        assert_eq!(list.len(), h.history(TrackId::VIDEO).len());
        assert_eq!(total(&list), 750);
    }
}

#[test]
fn times_below_zero_are_shifted_by_whole_seconds() {
    let end = MediaTime::from_secs(10);
    let mut v = Video::fps(25, 1, 50);
    v.b_frames = 2;
    let mut frames = merge(v.until(end), audio_until(CodecId::Aac, 48_000, 1_024, end));
    for f in &mut frames {
        f.dts -= MediaTime::from_millis(40);
        f.pts -= MediaTime::from_millis(40);
    }
    let mut h = Harness::new(config());
    h.tracks(&table(
        vec![video_info(), audio_info(CodecId::Aac, 48_000, 1_024)],
        0,
        MediaTime::ZERO,
    ));
    for f in &frames {
        h.segmenter.frame(h.start, f);
    }
    h.end();
    let list = h.history(TrackId::VIDEO);
    // Decoded 40 ms before zero, shown at zero; in the file everything is a second later.
    assert_eq!(list[0].start, MediaTime::ZERO);
    assert_eq!(list[0].start_ticks, 90_000 - 3_600);
    assert_eq!(total(&list), 250);
    assert_eq!(h.history(TrackId::AUDIO)[0].start_ticks, 48_000 + 128);
}

#[test]
fn a_segment_of_too_many_bytes_is_cut() {
    let mut c = config();
    c.segment_bytes = 20_000;
    let mut h = Harness::new(c);
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&Video::fps(25, 1, 250).until(MediaTime::from_secs(20)));
    let snapshot = h.end();
    assert!(snapshot.tracks[0].closed.iter().all(|s| s.len <= 24_000));
    assert!(!snapshot.independent_segments);
}

#[test]
fn producer_reference_times_are_those_of_the_playlist() {
    let mut c = config();
    c.producer_reference = true;
    let mut h = Harness::new(c);
    let origin = MediaTime::from_secs(500);
    h.tracks(&table(vec![video_info()], 0, origin));
    h.feed(&Video::fps(25, 1, 50).until(MediaTime::from_secs(9)));
    h.end();
    let list = h.history(TrackId::VIDEO);
    for segment in &list {
        let first = &segment.parts[0].slices[0];
        assert_eq!(&first[4..8], b"prft");
        let ntp = u64::from_be_bytes(first[16..24].try_into().unwrap());
        let time = u64::from_be_bytes(first[24..32].try_into().unwrap());
        assert_eq!(time, segment.start_ticks);
        assert_eq!(ntp, segment.program_date_time.to_ntp());
        assert!(
            segment.parts[1..]
                .iter()
                .all(|p| &p.slices[0][4..8] == b"moof")
        );
    }
    assert_eq!(list.len(), 5);
}
