//! ffmpeg decodes every frame without a complaint and shows the right number on each.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use core_frame::{MediaFrame, TrackId};
use millstream_synth::{Options, Source, read_barcode};

/// Runs ffmpeg over `input`; what it wrote, or `None` when there is no ffmpeg here. Any complaint fails the test.
fn ffmpeg(args: &[&str], input: Vec<u8>) -> Option<Vec<u8>> {
    let child = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "warning", "-xerror"])
        .args(["-err_detect", "explode"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no ffmpeg on this machine");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let mut stderr = child.stderr.take().unwrap();
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let status = child.wait().unwrap();
    writer.join().unwrap().unwrap();
    let complaints = complaints.join().unwrap().unwrap();
    // The raw H.264 demuxer has no times of its own and says so of pictures shown out of order.
    let complaints: Vec<_> = complaints
        .lines()
        .filter(|l| !l.contains("Timestamps are unset"))
        .collect();
    assert!(
        status.success() && complaints.is_empty(),
        "{status}: {complaints:#?}"
    );
    Some(out)
}

fn annex_b(source: &Source, frames: &[MediaFrame]) -> Vec<u8> {
    let avcc = source.tracks()[0].config.clone();
    let mut out = Vec::new();
    let sps_len = usize::from(avcc[7]);
    let (sps, rest) = avcc[8..].split_at(sps_len);
    for nal in [sps, &rest[3..]] {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
    }
    for frame in frames.iter().filter(|f| f.track == TrackId::VIDEO) {
        let mut rest = &frame.payload[..];
        while let Some((len, tail)) = rest.split_first_chunk::<4>() {
            let (nal, tail) = tail.split_at(u32::from_be_bytes(*len) as usize);
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(nal);
            rest = tail;
        }
    }
    out
}

fn check_video(options: Options, scale: Option<(usize, usize)>) {
    let (w, h) = (options.width as usize, options.height as usize);
    let frames_wanted = options.frames.unwrap();
    let mut source = Source::new(options.clone()).unwrap();
    let frames: Vec<_> = source.by_ref().collect();
    let input = annex_b(&source, &frames);
    let bytes = input.len();
    let (w, h) = scale.unwrap_or((w, h));
    let filter = format!("scale={w}:{h}");
    let args = [
        "-f",
        "h264",
        "-i",
        "-",
        "-fps_mode",
        "passthrough",
        "-vf",
        &filter,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ];
    let Some(luma) = ffmpeg(&args, input) else {
        return;
    };
    let numbers: Vec<_> = luma
        .chunks(w * h)
        .map(|p| read_barcode(p, w, w, h))
        .collect();
    let want: Vec<_> = (0..frames_wanted).map(Some).collect();
    assert_eq!(numbers, want, "{options:?}");
    println!(
        "{}x{} gop {} b {}: {frames_wanted} pictures, {bytes} bytes, all numbers right",
        options.width, options.height, options.gop, options.b_frames
    );
}

#[test]
fn every_picture_shows_its_number() {
    let base = || Options::default().sample_rate(None);
    check_video(base().frames(300), None);
    check_video(base().frames(90).gop(90).bitrate(4_200_000), None);
    check_video(base().frames(20).gop(1), None);
    check_video(base().frames(60).b_frames(2), None);
    check_video(base().frames(63).gop(7).b_frames(3), None);
    check_video(base().frames(30).size(80, 48), None);
    check_video(base().frames(30).size(160, 16), None);
    check_video(base().frames(10).gop(5).size(1_920, 1_088), None);
    check_video(base().frames(10).size(1_280, 720), Some((400, 224)));
    check_video(
        base()
            .frames(30)
            .size(176, 144)
            .frame_rate(Some((30_000, 1_001))),
        Some((352, 288)),
    );
}

#[test]
fn silence_decodes() {
    for (rate, channels) in [
        (48_000, 2),
        (44_100, 2),
        (32_000, 1),
        (8_000, 1),
        (96_000, 2),
    ] {
        let options = Options::default()
            .frame_rate(None)
            .sample_rate(Some(rate))
            .channels(channels)
            .frames(50);
        let mut source = Source::new(options).unwrap();
        let config = source.tracks()[0].config.clone();
        let index = (config[0] & 7) << 1 | config[1] >> 7;
        let mut adts = Vec::new();
        for frame in &mut source {
            let len = frame.payload.len() + 7;
            adts.extend_from_slice(&[
                0xFF,
                0xF1,
                1 << 6 | index << 2,
                (channels as u8) << 6 | (len >> 11) as u8,
            ]);
            adts.extend_from_slice(&[(len >> 3) as u8, (len << 5) as u8 | 0x1F, 0xFC]);
            adts.extend_from_slice(&frame.payload);
        }
        let args = ["-f", "aac", "-i", "-", "-f", "s16le", "-"];
        let Some(samples) = ffmpeg(&args, adts) else {
            return;
        };
        let count = samples.len() / 2 / usize::from(channels);
        assert_eq!(count, 50 * 1_024, "{rate} Hz");
        assert!(samples.iter().all(|&b| b == 0), "{rate} Hz is silent");
        println!("{rate} Hz x{channels}: {count} silent samples");
    }
}
