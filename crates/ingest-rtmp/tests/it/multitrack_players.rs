//! FFmpeg 9 publishes two pictures and two sounds; players get the tracks that they ask for.

use std::time::Duration;

use testkit::clients;

use crate::rig::{Rig, until};

const SOURCES: &str = "-re -f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i testsrc2=s=160x90:r=25 \
     -f lavfi -i sine=r=48000 -f lavfi -i sine=440:r=48000 -map 0 -map 1 -map 2 -map 3";
const CODECS: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a aac -f flv";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_get_the_tracks_they_ask_for() {
    let Some(publisher) = clients::ffmpeg9() else {
        return;
    };
    let rig = Rig::new();
    let publisher = publisher
        .line(SOURCES)
        .line("-t 20 -metadata title=News")
        .line(CODECS)
        .arg(rig.url("live/cam"))
        .spawn()
        .unwrap();
    let key = core_frame::StreamKey::new("live", "cam");
    until("four tracks are there", || {
        rig.engine
            .get_stream(&key)
            .is_ok_and(|s| s.tracks().tracks.len() == 4 && s.qos().frames_in > 50)
    })
    .await;
    for (query, videos, audios) in [
        ("", &["320x180"][..], 1),
        ("?video=2&audio=none", &["160x90"], 0),
        ("?video=all&audio=all", &["320x180", "160x90"], 2),
        ("?video=none&audio=2", &[], 1),
    ] {
        let Some(player) = clients::ffmpeg9() else {
            return;
        };
        let player = player
            .args(["-t", "1", "-i", &rig.url(&format!("live/cam{query}"))])
            .line("-map 0 -c copy -f framecrc -")
            .spawn()
            .unwrap();
        let done = tokio::task::spawn_blocking(|| player.finish_within(Duration::from_secs(20)));
        let done = done.await.unwrap();
        let out = done.text();
        let dimensions: Vec<&str> = out
            .lines()
            .filter_map(|l| l.strip_prefix("#dimensions ")?.split_once(": "))
            .map(|(_, size)| size)
            .collect();
        let sounds = out
            .lines()
            .filter(|l| l.starts_with("#sample_rate"))
            .count();
        assert_eq!(
            (&dimensions[..], sounds),
            (videos, audios),
            "{query}: {out}{}",
            done.stderr
        );
        for n in 0..videos.len() + audios {
            let packets = out
                .lines()
                .filter(|l| l.starts_with(&format!("{n},")))
                .count();
            assert!(packets >= 20, "{query}: {packets} packets of {n}: {out}");
        }
    }
    drop(publisher);
}
