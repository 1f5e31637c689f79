//! The end of a server under load: nobody new gets in, everybody is told, nothing takes longer than it may.

use ingest_rtmp::client::{Event, Role, Target};
use ingest_rtmp::net::client::{Client, Connect};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::support::{eventually, world};

#[tokio::test]
async fn everybody_is_told_and_nobody_new_gets_in() {
    let world = world(&[
        ("shutdown.drain_s", "3"),
        ("rtmp.reconnect_to", "rtmp://other.example/live"),
    ])
    .await;
    // 40 Mb/s: a reader that stands still fills its buffers and holds up the drain.
    let options = synth::Options::default().bitrate(40_000_000);
    let _publisher = world.publish_with("live/cam", options).await;
    let (http, rtmp) = (
        world.running.addresses().http.unwrap(),
        world.running.addresses().rtmp.unwrap(),
    );
    let connect = Connect::default();
    let target = Target::parse(&format!("rtmp://{rtmp}/live/cam")).unwrap();
    let mut player = Client::open(&connect, connect.config(target, Role::Play))
        .await
        .unwrap();
    player.start().await.unwrap();
    let stuck = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    let readers = || async {
        let stream = world.json("/api/v1/streams/live/cam").await;
        stream["readers"].as_array().unwrap().len()
    };
    eventually("both read", || async { readers().await == 2 }).await;

    let told = tokio::spawn(async move {
        let (mut reconnect, mut ended) = (None, false);
        while let Ok(Some(event)) = player.next().await {
            match event {
                Event::Reconnect { tc_url, .. } => reconnect = tc_url,
                Event::Ended => ended = true,
                _ => {}
            }
        }
        (reconnect, ended)
    });
    let begun = Instant::now();
    let over = tokio::spawn(world.running.shutdown());
    sleep(Duration::from_millis(300)).await;
    for addr in [http, rtmp] {
        let got = timeout(Duration::from_secs(1), TcpStream::connect(addr)).await;
        assert!(got.unwrap().is_err(), "{addr} is closed at once");
    }
    over.await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let (reconnect, _) = timeout(Duration::from_secs(2), told)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reconnect.as_deref(), Some("rtmp://other.example/live"));
    drop(stuck);
}
