//! F14: a peer that vanishes without a word is noticed. The network of the process is taken away under it.

use std::process::Command;
use std::time::{Duration, Instant};

use flv::TagKind;
use millstream_ingest_rtmp::client::Role;

use super::child;
use super::stage::{Stage, source};
use crate::rig::Client;

const NAME: &str = "net::half_open::peers_behind_a_dead_network_are_freed";
const OPUS: &[u8] = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0";

#[test]
fn peers_behind_a_dead_network_are_freed() {
    if child::is_inside() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(inside());
    }
    let may = Command::new("unshare").args(["-n", "ip", "link"]).output();
    if !may.is_ok_and(|o| o.status.success()) {
        println!("skipped: no network namespaces here (needs root, unshare and ip)");
        return;
    }
    let wrapper = ["unshare", "-n", "--"];
    let status = child::command(&wrapper, NAME).status().unwrap();
    assert!(status.success());
}

fn loopback(state: &str) {
    let mut ip = Command::new("ip");
    let status = ip.args(["link", "set", "lo", state]).status();
    assert!(status.unwrap().success());
}

async fn inside() {
    loopback("up");
    let stage = Stage::new();
    let app = |path: &str| format!("rtmp://{}/{path}", stage.address);
    // A player that is written to, one that waits for media, and a publisher.
    let _source = source(&stage.engine, 60);
    let mut publisher = Client::open(&app("live/vanishes"), Role::Publish).await;
    publisher.start().await.unwrap();
    publisher.send(TagKind::Audio, 0, &[OPUS]).await;
    publisher
        .send(TagKind::Audio, 0, &[b"\x91Opus", b"first"])
        .await;
    let mut busy = Client::open(&app("live/cam"), Role::Play).await;
    busy.start().await.unwrap();
    let mut idle = Client::open(&app("live/vanishes"), Role::Play).await;
    idle.start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stream = |name: &str| {
        stage
            .engine
            .get_stream(&core_frame::StreamKey::new("live", name))
    };
    let (cam, vanishes) = (stream("cam").unwrap(), stream("vanishes").unwrap());
    assert_eq!((cam.reader_count(), vanishes.reader_count()), (1, 1));

    loopback("down");
    let dead = Instant::now();
    let mut gone = [None; 3];
    while gone.contains(&None) && dead.elapsed() < Duration::from_secs(40) {
        let now = [
            vanishes.publisher().is_none(),
            cam.reader_count() == 0,
            vanishes.reader_count() == 0,
        ];
        for (gone, now) in gone.iter_mut().zip(now) {
            if now {
                gone.get_or_insert_with(|| dead.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("gone after (publisher, busy player, idle player): {gone:?}");
    let [publisher_gone, busy_gone, idle_gone] = gone.map(Option::unwrap_or_default);
    let freed = |after: Duration, limit| !after.is_zero() && after <= Duration::from_secs(limit);
    assert!(freed(publisher_gone, 15), "publisher: {gone:?}");
    assert!(freed(busy_gone, 30), "busy player: {gone:?}");
    assert!(freed(idle_gone, 30), "idle player: {gone:?}");
    drop((publisher, busy, idle));
}
