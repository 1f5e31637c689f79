//! Who gets in: the API and the metrics, media with tokens, and what pages of other sites may do.

use crate::support::world;

#[tokio::test]
async fn without_a_token_the_api_answers_this_machine_alone() {
    let world = world(&[]).await;
    for path in ["/api/v1/streams", "/metrics"] {
        assert_eq!(world.status(path).await, 200, "{path}");
        for (name, value) in [
            ("host", "example.org"),
            ("x-forwarded-for", "192.0.2.1"),
            ("origin", "http://example.org"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let response = world
                .client
                .get(world.url(path))
                .header(name, value)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 403, "{path} with {name}: {value}");
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-origin")
            );
        }
    }
}

#[tokio::test]
async fn with_a_token_the_api_wants_it() {
    let world = world(&[("api.token", "s3cret")]).await;
    let get = |token: Option<&str>| {
        let mut request = world.client.get(world.url("/api/v1/streams"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send()
    };
    let missing = get(None).await.unwrap();
    assert_eq!(
        (
            missing.status().as_u16(),
            missing.headers()["www-authenticate"].to_str().unwrap()
        ),
        (401, "Bearer")
    );
    assert_eq!(get(Some("s3cret")).await.unwrap().status(), 200);
    let begun = std::time::Instant::now();
    assert_eq!(get(Some("guess")).await.unwrap().status(), 401);
    assert!(
        begun.elapsed().as_millis() >= 2_000,
        "a wrong guess takes its time"
    );
    assert_eq!(world.status("/metrics?token=s3cret").await, 200);
    // A page on another site cannot use a browser that knows the token.
    let other = world
        .client
        .get(world.url("/api/v1/streams"))
        .bearer_auth("s3cret")
        .header("origin", "https://example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 403);
}

#[tokio::test]
async fn media_wants_its_token() {
    let world = world(&[("app.live.auth.play_token", "watch")]).await;
    let _publisher = world.publish("live/cam").await;
    let _open = world.publish("open/cam").await;
    assert_eq!(world.status("/live/cam.flv").await, 401);
    let response = world
        .client
        .get(world.url("/live/cam.flv?token=watch"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let response = world
        .client
        .get(world.url("/live/cam.mp4"))
        .bearer_auth("watch")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let response = world
        .client
        .get(world.url("/open/cam.flv"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    // A name that stands there twice could be read in two ways.
    assert_eq!(world.status("/live/cam.flv?token=x&token=watch").await, 400);
}

#[tokio::test]
async fn media_is_open_to_other_sites_and_the_api_is_not() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    for (path, open) in [
        ("/live/cam.flv", true),
        ("/live/cam.mp4", true),
        ("/live/none.flv", true),
        ("/live/cam/index.m3u8", true),
        ("/live/none/index.m3u8", true),
        ("/time", true),
        ("/", false),
        ("/healthz", false),
        ("/metrics", false),
        ("/api/v1/streams", false),
    ] {
        let request = world.client.get(world.url(path));
        let response = request.send().await.unwrap();
        assert_eq!(
            response
                .headers()
                .contains_key("access-control-allow-origin"),
            open,
            "{path}"
        );
        assert_eq!(
            response.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
        let preflight = world
            .client
            .request(reqwest::Method::OPTIONS, world.url(path))
            .header("origin", "http://example.org")
            .header("access-control-request-method", "GET")
            .send()
            .await
            .unwrap();
        let allowed = preflight
            .headers()
            .contains_key("access-control-allow-methods");
        assert_eq!(allowed && preflight.status() == 204, open, "{path}");
    }
}
