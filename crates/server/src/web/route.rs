//! Which thing a path means. Pure: no stream is looked up here.

use core_frame::StreamKey;

use super::query::segments;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`
    Console,
    /// `/player.js` and the like: a file of the pages.
    Asset(String),
    /// `/healthz`
    Healthz,
    /// `/readyz`
    Readyz,
    /// `/time`
    Time,
    /// `/metrics`
    Metrics,
    /// `/api/…`, by the segments behind it.
    Api(Vec<String>),
    /// `/live/cam.flv`
    Flv(StreamKey),
    /// `/live/cam.ts`
    Ts(StreamKey),
    /// `/live/cam.mp4`
    Mp4(StreamKey),
    /// `/live/cam`: the player page lives one slash further.
    PlayerRedirect(StreamKey),
    /// `/live/cam/`
    Player(StreamKey),
    /// `/live/cam/index.m3u8`, `/live/cam/v1/7.2.m4s`: a playlist, an init segment, a segment or a part.
    Hls(Vec<Below>),
    /// A path that belongs to a protocol of the contract that is not built in.
    NotBuiltIn(&'static str),
    /// None of these.
    Unknown,
}

/// Something below a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Below {
    pub(crate) key: StreamKey,
    /// The path below the stream.
    pub(crate) path: String,
}

impl Route {
    /// True for what players fetch: it is open to every site.
    pub(crate) const fn is_media(&self) -> bool {
        matches!(
            self,
            Self::Flv(_)
                | Self::Ts(_)
                | Self::Mp4(_)
                | Self::Hls(_)
                | Self::Time
                | Self::NotBuiltIn(_)
                | Self::PlayerRedirect(_)
        )
    }

    pub(crate) fn of(path: &str) -> Self {
        let Some((segments, slash)) = segments(path) else {
            return Self::Unknown;
        };
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (words.as_slice(), slash) {
            ([], true) => Self::Console,
            ([one], false) => match *one {
                "healthz" => Self::Healthz,
                "readyz" => Self::Readyz,
                "time" => Self::Time,
                "metrics" => Self::Metrics,
                other => Self::Asset(other.to_owned()),
            },
            (["api", rest @ ..], _) => Self::Api(rest.iter().map(|s| (*s).to_owned()).collect()),
            ([app @ .., last], slash) => Self::media(app, last, slash),
            _ => Self::Unknown,
        }
    }

    fn media(app: &[&str], last: &str, slash: bool) -> Self {
        let key = |name: &str| StreamKey::from_parts(&app.join("/"), name);
        if slash {
            return key(last).map_or(Self::Unknown, Self::Player);
        }
        let below = || StreamKey::parse(&app.join("/")).is_ok();
        match last {
            "whip" | "whep" if below() => return Self::NotBuiltIn("WebRTC"),
            "manifest.mpd" if below() => return Self::NotBuiltIn("DASH"),
            "snapshot.jpg" if below() => return Self::NotBuiltIn("snapshots"),
            "index.m3u8" if app.last() == Some(&"ts") => {
                return Self::NotBuiltIn("HLS with MPEG-TS");
            }
            _ => {}
        }
        let hls = hls(app, last);
        if !hls.is_empty() {
            return Self::Hls(hls);
        }
        if let Some(name) = last.strip_suffix(".flv") {
            return key(name).map_or(Self::Unknown, Self::Flv);
        }
        if let Some(name) = last.strip_suffix(".mp4") {
            return key(name).map_or(Self::Unknown, Self::Mp4);
        }
        if let Some(name) = last.strip_suffix(".ts") {
            return match is_ts_segment(app, name) {
                true => Self::NotBuiltIn("HLS with MPEG-TS"),
                false => key(name).map_or(Self::Unknown, Self::Ts),
            };
        }
        key(last).map_or(Self::Unknown, Self::PlayerRedirect)
    }
}

/// What a file may be: one of the stream itself, or one in the folder of one of its tracks (`v1`, `a2`). A stream may have
/// the name of such a folder, so there can be two readings; the one for the shorter key comes first.
fn hls(app: &[&str], file: &str) -> Vec<Below> {
    let mut found = Vec::new();
    if let [app @ .., folder] = app
        && is_track(folder)
        && (file == "index.m3u8"
            || file.ends_with(".m4s")
            || (file.starts_with("init.") && file.ends_with(".mp4")))
        && let Ok(key) = StreamKey::parse(&app.join("/"))
    {
        found.push(Below {
            key,
            path: format!("{folder}/{file}"),
        });
    }
    if file == "index.m3u8"
        && let Ok(key) = StreamKey::parse(&app.join("/"))
    {
        found.push(Below {
            key,
            path: file.to_owned(),
        });
    }
    found
}

/// True for `7.ts` or `7.2.ts` in the folder `ts` of a stream, or in the folder of a track below that: a name of a segment.
/// A stream of such a name has HTTP-TS under no path.
fn is_ts_segment(app: &[&str], name: &str) -> bool {
    let below = match app {
        [app @ .., "ts"] => app,
        [app @ .., "ts", folder] if is_track(folder) => app,
        _ => return false,
    };
    StreamKey::parse(&below.join("/")).is_ok()
        && name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_track(folder: &str) -> bool {
    folder
        .strip_prefix(['v', 'a'])
        .is_some_and(|n| !n.is_empty() && n.len() <= 5 && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StreamKey {
        StreamKey::parse(text).unwrap()
    }

    fn below(text: &str, path: &str) -> Below {
        Below {
            key: key(text),
            path: path.to_owned(),
        }
    }

    #[test]
    fn every_path_has_one_meaning() {
        for (path, want) in [
            ("/", Route::Console),
            ("/time", Route::Time),
            ("/player.js", Route::Asset("player.js".into())),
            (
                "/api/v1/streams/live/cam",
                Route::Api(vec![
                    "v1".into(),
                    "streams".into(),
                    "live".into(),
                    "cam".into(),
                ]),
            ),
            ("/live/cam", Route::PlayerRedirect(key("live/cam"))),
            ("/live/cam/", Route::Player(key("live/cam"))),
            ("/live/eu/cam/", Route::Player(key("live/eu/cam"))),
            ("/live/cam.flv", Route::Flv(key("live/cam"))),
            ("/live/eu/cam.mp4", Route::Mp4(key("live/eu/cam"))),
            ("/live/v1/cam.mp4", Route::Mp4(key("live/v1/cam"))),
            ("/live/cam.ts", Route::Ts(key("live/cam"))),
            ("/live/eu/cam.ts", Route::Ts(key("live/eu/cam"))),
            ("/live/7.ts", Route::Ts(key("live/7"))),
            ("/live/ts/7.ts", Route::Ts(key("live/ts/7"))),
            ("/live/cam/ts/north.ts", Route::Ts(key("live/cam/ts/north"))),
            ("/live/cam/ts/7.ts", Route::NotBuiltIn("HLS with MPEG-TS")),
            (
                "/live/cam/ts/v1/7.2.ts",
                Route::NotBuiltIn("HLS with MPEG-TS"),
            ),
            ("/live/.ts", Route::Unknown),
            ("/live/cam.flv.ts", Route::Unknown),
            ("/live/cam/whip", Route::NotBuiltIn("WebRTC")),
            (
                "/live/cam/ts/index.m3u8",
                Route::NotBuiltIn("HLS with MPEG-TS"),
            ),
            (
                "/live/cam/index.m3u8",
                Route::Hls(vec![below("live/cam", "index.m3u8")]),
            ),
            (
                "/live/cam/v1/7.2.m4s",
                Route::Hls(vec![below("live/cam", "v1/7.2.m4s")]),
            ),
            (
                "/live/cam/a2/init.0.00ab12cd.mp4",
                Route::Hls(vec![below("live/cam", "a2/init.0.00ab12cd.mp4")]),
            ),
            (
                "/live/cam/v1/index.m3u8",
                Route::Hls(vec![
                    below("live/cam", "v1/index.m3u8"),
                    below("live/cam/v1", "index.m3u8"),
                ]),
            ),
            (
                "/live/v1/index.m3u8",
                Route::Hls(vec![below("live/v1", "index.m3u8")]),
            ),
            ("/live/%2e%2e/%2e%2e/etc/passwd", Route::Unknown),
            ("/live/..%2f..%2fetc", Route::Unknown),
            ("/live//cam", Route::Unknown),
            ("/live/a%00b", Route::Unknown),
            ("/live/a%0ab/", Route::Unknown),
            ("/live/a\\b", Route::Unknown),
            ("//evil/", Route::Unknown),
            ("/%5cevil/", Route::Unknown),
            ("/live/<script>/", Route::Unknown),
        ] {
            assert_eq!(Route::of(path), want, "{path}");
        }
    }
}
