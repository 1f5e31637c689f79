//! The clients that are installed start and do something.

use std::time::Duration;

use millstream_testkit::clients::{Page, chromium, ffmpeg, ffmpeg9, ffprobe, gstreamer};

#[test]
fn ffmpegs_tell_their_versions() {
    for (program, want) in [(ffmpeg(), "ffmpeg version"), (ffmpeg9(), " n9.")] {
        let Some(program) = program else { continue };
        let done = program.arg("-version").run().unwrap();
        let first = done.text().lines().next().unwrap_or_default().to_owned();
        println!("{first}");
        assert!(done.succeeded() && first.contains(want), "{first}");
    }
    if let Some(program) = ffprobe() {
        assert!(program.arg("-version").run().unwrap().succeeded());
    }
}

#[test]
fn gstreamer_runs_a_pipeline() {
    let Some(gst) = gstreamer() else { return };
    let done = gst
        .line("-q videotestsrc num-buffers=5 ! fakesink")
        .run()
        .unwrap();
    assert!(done.succeeded(), "{}", done.stderr);
}

#[test]
fn chromium_runs_a_page() {
    let page = Page::html("<script src=hls.js></script><script>window.n = 6 * 7;</script>")
        .library("hls.js/dist/hls.js")
        .done("window.n === 42")
        .result("[window.n, Hls.version]")
        .limit(Duration::from_secs(5));
    let Some(answer) = chromium(&page) else {
        return;
    };
    println!("{answer}");
    assert_eq!(answer["result"][0], 42, "{answer}");
    assert!(answer["result"][1].is_string());
}
