//! What is a secret stands in no log line, at no level, and in no answer.

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::support::{eventually, world};

/// Writes down every event and span of the house, whatever its level.
struct Everything;

fn log() -> &'static Mutex<String> {
    static LOG: OnceLock<Mutex<String>> = OnceLock::new();
    LOG.get_or_init(Mutex::default)
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn keep(line: Line) {
    let mut log = log().lock().unwrap_or_else(PoisonError::into_inner);
    log.push_str(&line.0);
    log.push('\n');
}

impl tracing::Subscriber for Everything {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("millstream")
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(attributes.metadata().name().to_owned());
        attributes.record(&mut line);
        keep(line);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        keep(line);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(format!(
            "{} {}",
            event.metadata().level(),
            event.metadata().target()
        ));
        event.record(&mut line);
        keep(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

const SECRETS: [&str; 5] = [
    "tok-publish-77",
    "tok-play-77",
    "tok-api-77",
    "key-of-push-77",
    "sig-77",
];

#[tokio::test]
async fn no_secret_is_said_anywhere() {
    tracing::subscriber::set_global_default(Everything).unwrap();
    let far = world(&[
        ("auth.publish_token", "tok-publish-77"),
        ("auth.play_token", "tok-play-77"),
    ])
    .await;
    let rtmp = far.running.addresses().rtmp.unwrap();
    let _cam = far.publish("live/cam").await;
    let settings = [
        (
            "stream.in/cam.source",
            format!("rtmp://{rtmp}/live/cam?token=tok-play-77"),
        ),
        // Two pushes to one key: the second is refused, in words that may hold the key.
        (
            "push.in/cam.target",
            format!("rtmp://{rtmp}/out/key-of-push-77?token=tok-publish-77&x=sig-77"),
        ),
        (
            "push.in/*.target",
            format!("rtmp://{rtmp}/out/key-of-push-77?token=tok-publish-77&n={{name}}"),
        ),
        // Wrong and missing credentials are told without them.
        (
            "stream.bad/cam.source",
            format!("rtmp://{rtmp}/live/cam?token=sig-77"),
        ),
        ("api.token", "tok-api-77".to_owned()),
    ];
    let settings: Vec<_> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let near = world(&settings).await;
    let get = async |path: &str| {
        let request = near.client.get(near.url(path)).bearer_auth("tok-api-77");
        request.send().await.unwrap().text().await.unwrap()
    };
    eventually("one push is up and one refused, one source too", || async {
        let pushes = get("/api/v1/pushes").await;
        let sources = get("/api/v1/sources").await;
        pushes.contains("\"up\"")
            && pushes.contains("\"error\":\"")
            && sources.contains("\"error\":\"")
    })
    .await;
    let mut said = String::new();
    for path in [
        "/api/v1/streams",
        "/api/v1/sources",
        "/api/v1/pushes",
        "/metrics",
        "/",
        "/live/none.flv?token=tok-play-77",
    ] {
        said.push_str(&get(path).await);
    }
    for path in [
        "/live/cam.flv?token=sig-77",
        "/live/cam?token=tok-play-77&x=1",
        "/live/cam/index.m3u8?token=sig-77",
    ] {
        let answer = far.client.get(far.url(path)).send().await.unwrap();
        said.push_str(&answer.text().await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert!(!said.contains("key-of-push-77"), "{said}");
    let said = said + &log().lock().unwrap();
    assert!(said.contains("out/***"), "it does speak of the push");
    let is_up =
        |l: &&str| l.contains("::links") && l.contains("key=in/cam") && l.contains("message=up");
    let up = said.lines().filter(is_up).count();
    assert_eq!(up, 2, "one line a change: a source and a push came up");
    for secret in SECRETS {
        // The other server is in this process, and there the key of the push is the name of a stream.
        let own = |line: &&str| {
            !secret.starts_with("key-of") || line.contains("::links") || line.contains("::client")
        };
        let line = said.lines().filter(own).find(|l| l.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
