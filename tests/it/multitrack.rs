//! FFmpeg 9 publishes two pictures and two sounds; players get the tracks they ask for.

use testkit::clients::ffmpeg9;
use testkit::{Program, Running, Server};

use crate::support::secs;

/// A server and a publisher of 320x180 H.264, 160x90 H.264, a tone of 440 Hz and one of 880 Hz.
fn published() -> Option<(Server, Running)> {
    let program = ffmpeg9()?;
    let server = Server::start(&[]).unwrap();
    let publisher = program
        .line("-v error -re -f lavfi -i testsrc2=s=320x180:r=25 -re -f lavfi -i testsrc=s=160x90:r=25")
        .line("-re -f lavfi -i sine=440:r=48000 -re -f lavfi -i sine=880:r=48000")
        .line("-map 0:v -map 1:v -map 2:a -map 3:a -c:v libx264 -preset ultrafast -tune zerolatency -g 25")
        .line("-c:a aac -f flv")
        .arg(server.rtmp_url("live/multi?lang=en,de"))
        .timeout(secs(120))
        .spawn()
        .unwrap();
    let known = server.wait_for_stream("live/multi", 4, secs(20));
    assert!(known, "{}\n{}", publisher.stderr(), server.log());
    Some((server, publisher))
}

/// The streams that an ffmpeg sees: `video 320x180`, `audio`.
fn streams(program: Program, url: &str) -> Vec<String> {
    let done = program
        .line("-v info -nostats -i")
        .arg(url)
        .line("-t 1 -map 0 -f null -")
        .timeout(secs(40))
        .run()
        .unwrap();
    let head = done.stderr.lines().take_while(|l| !l.starts_with("Output"));
    let seen: Vec<String> = head
        .filter_map(|line| {
            if line.contains("Audio: ") {
                return Some("audio".to_owned());
            }
            let (_, rest) = line.split_once("Video: ")?;
            let size = rest.split([' ', ',']).find(|w| {
                w.split_once('x')
                    .is_some_and(|(a, b)| a.parse::<u32>().is_ok() && b.parse::<u32>().is_ok())
            })?;
            Some(format!("video {size}"))
        })
        .collect();
    assert!(done.succeeded(), "{}", done.stderr);
    seen
}

/// The pitch of the first sound, by its zero crossings.
fn pitch(program: Program, url: &str) -> f64 {
    let done = program
        .line("-v error -i")
        .arg(url)
        .line("-t 2 -map 0:a:0 -ac 1 -ar 48000 -f s16le -")
        .timeout(secs(40))
        .run()
        .unwrap();
    let samples: Vec<i16> = done
        .stdout
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    // The encoder's first moments are left out.
    let steady = samples.get(24_000..).unwrap_or_default();
    let rises = steady.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
    rises as f64 * 48_000.0 / steady.len().max(1) as f64
}

#[test]
fn players_get_the_tracks_they_ask_for() {
    let Some((server, _publisher)) = published() else {
        return;
    };
    let tracks = server.api("streams/live/multi")["tracks"].clone();
    println!("{tracks}");
    let languages: Vec<_> = tracks
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["kind"] == "audio")
        .map(|t| t["language"].as_str().unwrap_or("-").to_owned())
        .collect();
    assert_eq!(languages, ["en", "de"]);
    let rtmp = |query: &str| server.rtmp_url(&format!("live/multi{query}"));
    let flv = |query: &str| server.http_url(&format!("live/multi.flv{query}"));
    let player = || ffmpeg9().unwrap();
    for url in [&rtmp as &dyn Fn(&str) -> String, &flv] {
        assert_eq!(streams(player(), &url("")), ["video 320x180", "audio"]);
        assert_eq!(
            streams(player(), &url("?video=2&audio=2")),
            ["video 160x90", "audio"]
        );
        let mut all = streams(player(), &url("?video=all&audio=all"));
        all.sort();
        assert_eq!(
            all,
            ["audio", "audio", "video 160x90", "video 320x180"],
            "{}",
            server.log()
        );
        for (query, hertz) in [("", 440.0), ("?audio=de", 880.0), ("?audio=2", 880.0)] {
            let heard = pitch(player(), &url(query));
            println!("{query:?}: {heard:.0} Hz");
            assert!((heard - hertz).abs() < 5.0, "{query:?}: {heard} Hz");
        }
        assert_eq!(streams(player(), &url("?video=none")), ["audio"]);
    }
    // Other containers, and what makes no sense.
    let heard = pitch(player(), &server.http_url("live/multi.mp4?audio=de"));
    assert!((heard - 880.0).abs() < 5.0, "{heard} Hz");
    let (status, body) = server.get("live/multi.flv?audio=0").unwrap();
    assert_eq!(status, 400, "{}", String::from_utf8_lossy(&body));
}

#[test]
fn ll_hls_offers_the_languages() {
    let Some((server, _publisher)) = published() else {
        return;
    };
    let (status, body) = server.get("live/multi/index.m3u8").unwrap();
    assert_eq!(status, 200);
    let text = String::from_utf8(body).unwrap();
    println!("{text}");
    let parsed = m3u8::parse(text.as_bytes(), &m3u8::ParseOptions::default()).unwrap();
    assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    let m3u8::Playlist::Multivariant(list) = parsed.playlist else {
        panic!("no multivariant playlist")
    };
    let languages: Vec<_> = list
        .media
        .iter()
        .filter_map(|m| m.language.as_deref())
        .collect();
    assert_eq!(languages, ["en", "de"]);
    assert_eq!(list.variants.len(), 2);
    let sizes: Vec<_> = list
        .variants
        .iter()
        .filter_map(|v| v.resolution.map(|r| r.height))
        .collect();
    assert_eq!(sizes, [180, 90]);
    // Each rendition plays and is the one it says.
    for (rendition, hertz) in list.media.iter().zip([440.0, 880.0]) {
        let uri = rendition.uri.as_deref().unwrap();
        let heard = pitch(
            ffmpeg9().unwrap(),
            &server.http_url(&format!("live/multi/{uri}")),
        );
        println!("{:?}: {heard:.0} Hz", rendition.language);
        assert!((heard - hertz).abs() < 5.0, "{heard} Hz");
    }
}
