//! Enhanced RTMP: FFmpeg 9 publishes, and one who joins late gets both tracks.

use testkit::Server;
use testkit::clients::{ffmpeg9, ffprobe};

use crate::support::{Sample, sample, secs, watch};

fn late_joiner(kind: Sample, names: [&str; 2]) {
    let Some(program) = ffmpeg9() else { return };
    let Some(media) = sample(kind, "mkv") else {
        return;
    };
    let server = Server::start(&[]).unwrap();
    let url = server.rtmp_url("live/new");
    let publisher = program
        .line("-re -stream_loop -1 -i")
        .arg(media)
        .line("-c copy -f flv")
        .arg(&url)
        .spawn()
        .unwrap();
    assert!(
        server.wait_for_stream("live/new", 2, secs(15)),
        "{}\n{}",
        publisher.stderr(),
        server.log()
    );
    // Late: the sequence headers went by long ago.
    std::thread::sleep(secs(3));
    let stream = server.api("streams/live/new");
    println!("{}", stream["tracks"]);
    for (at, codec) in kind.codecs().into_iter().enumerate() {
        assert_eq!(stream["tracks"][at]["codec"], codec);
    }
    for url in [url, server.http_url("live/new.flv")] {
        let Some(player) = ffmpeg9() else { return };
        println!("{url}");
        watch(player, &url, 2).assert(names, 40);
    }
    // Fragmented MP4 is read by the old ones too.
    let Some(ffprobe) = ffprobe() else { return };
    let done = ffprobe
        .line("-show_entries stream=codec_name -of csv=p=0 -read_intervals %+1 -i")
        .arg(server.http_url("live/new.mp4"))
        .run()
        .unwrap();
    let told: Vec<_> = done.text().lines().map(str::to_owned).collect();
    println!("ffprobe of .mp4: {told:?} {}", done.stderr);
    assert_eq!(told, names);
    assert!(!server.log().contains("panicked"));
}

#[test]
fn hevc_and_aac() {
    late_joiner(Sample::HevcAac, ["hevc", "aac"]);
}

#[test]
fn av1_and_aac() {
    late_joiner(Sample::Av1Aac, ["av1", "aac"]);
}

#[test]
fn av1_and_opus() {
    late_joiner(Sample::Av1Opus, ["av1", "opus"]);
}

#[test]
fn vp9_and_opus() {
    late_joiner(Sample::Vp9Opus, ["vp9", "opus"]);
}
