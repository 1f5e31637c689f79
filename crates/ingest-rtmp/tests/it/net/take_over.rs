//! R10: a second publisher of the same stream.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Authenticator, Engine, PlayRequest, PublishRequest};
use core_frame::{Result, StreamError, StreamKey};
use flv::TagKind;
use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::client::Role;

use crate::rig::{Rig, config, until};

const OPUS: &[u8] = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0";

struct TwoTokens;

#[async_trait]
impl Authenticator for TwoTokens {
    async fn publish(&self, request: &PublishRequest) -> Result<()> {
        match &request.token {
            Some(token) if token.matches("one") || token.matches("two") => Ok(()),
            _ => Err(StreamError::Unauthorized("bad token".into())),
        }
    }

    async fn play(&self, _: &PlayRequest) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_silent_publisher_yields_to_its_own_credential_only() {
    let mut config = config();
    config.denied_delay = (Duration::ZERO, Duration::ZERO);
    let rig = Rig::with(config, Engine::builder().authenticator(Arc::new(TwoTokens)));
    let refused = |code: &str| Err(Error::Refused(code.to_owned()));
    let mut first = rig.client("live/cam?token=one", Role::Publish).await;
    first.start().await.unwrap();
    first.send(TagKind::Audio, 0, &[OPUS]).await;
    first.send(TagKind::Audio, 0, &[b"\x91Opus", b"0"]).await;
    let handle = rig
        .engine
        .get_stream(&StreamKey::new("live", "cam"))
        .unwrap();
    until("it publishes", || handle.qos().frames_in == 1).await;
    let since = handle.publisher().unwrap().since;

    let mut early = rig.client("live/cam?token=one", Role::Publish).await;
    assert_eq!(early.start().await, refused("NetStream.Publish.BadName"));
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let mut bad = rig.client("live/cam?token=no", Role::Publish).await;
    assert_eq!(bad.start().await, refused("NetStream.Publish.Denied"));
    let mut other = rig.client("live/cam?token=two", Role::Publish).await;
    assert_eq!(other.start().await, refused("NetStream.Publish.BadName"));
    assert_eq!(
        handle.publisher().unwrap().since,
        since,
        "nobody touched it"
    );

    let mut second = rig.client("live/cam?token=one", Role::Publish).await;
    second.start().await.unwrap();
    let told = loop {
        match first.next().await {
            Ok(Some(_)) => {}
            told => break told,
        }
    };
    assert_eq!(told, Err(Error::Refused("NetStream.Publish.Failed".into())));
    second.send(TagKind::Audio, 0, &[OPUS]).await;
    second.send(TagKind::Audio, 0, &[b"\x91Opus", b"1"]).await;
    until("the second goes on", || handle.qos().frames_in == 2).await;
}
