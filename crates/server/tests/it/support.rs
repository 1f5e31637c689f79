//! A server of its own for each test, on free ports, with numbered frames to serve.

use std::sync::Arc;

use bus::{IngestContext, Peer, PublishRequest};
use core_frame::StreamKey;
use millstream_server::config::Config;
use millstream_server::{Running, Server};
use synth::{Options, Source};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

/// A running server and a client for it.
pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) client: reqwest::Client,
}

/// A server with these settings.
pub(crate) async fn world(settings: &[(&str, &str)]) -> World {
    let mut config = Config::default();
    for (key, value) in [
        ("http.listen", "127.0.0.1:0"),
        ("rtmp.listen", "127.0.0.1:0"),
        ("storage.url", "memory:"),
    ] {
        config.set(key, value).unwrap();
    }
    for (key, value) in settings {
        config.set(key, value).unwrap();
    }
    let running = Server::start(config).await.unwrap();
    World {
        running,
        client: client(),
    }
}

/// A client without redirects, so that they can be looked at.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl World {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses().http.unwrap())
    }

    pub(crate) fn ws(&self, path: &str) -> String {
        format!("ws://{}{path}", self.running.addresses().http.unwrap())
    }

    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.client
            .get(self.url(path))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// Publishes numbered frames in real time until the result is dropped; the first two seconds come at once.
    pub(crate) async fn publish(&self, key: &str) -> Publisher {
        self.publish_with(key, Options::default()).await
    }

    pub(crate) async fn publish_with(&self, key: &str, options: Options) -> Publisher {
        let key = StreamKey::parse(key).unwrap();
        let source = Source::new(options).unwrap();
        let ctx = IngestContext::new(Arc::clone(self.running.engine()) as _);
        let request = PublishRequest::new(key).peer(Peer::new("test"));
        let session = ctx.open_publish_as(request).await.unwrap();
        session.set_tracks(source.tracks()).unwrap();
        let handle = session.handle().clone();
        let (told, began) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let head = Duration::from_secs(2);
            let begun = Instant::now();
            let mut told = Some(told);
            for frame in source {
                let due = frame.dts.to_duration();
                if due > head {
                    if let Some(told) = told.take() {
                        let _ = told.send(());
                    }
                    tokio::time::sleep_until(begun + due - head).await;
                }
                if session.publish_frame(frame).is_err() {
                    return;
                }
            }
            let _ = session.finish().await;
        });
        began.await.unwrap();
        Publisher { task, handle }
    }
}

/// Ends its stream when it is dropped.
pub(crate) struct Publisher {
    task: JoinHandle<()>,
    /// The stream, with the publisher's rights.
    pub(crate) handle: bus::StreamHandle,
}

impl Publisher {
    /// True once the stream was taken away from it.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Polls until `check` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
