//! What `check-config` prints: the effective configuration as TOML, and what of it has no effect yet.

use super::keys::{self, APP_KEYS, KEYS, Key, PUSH_KEYS, STREAM_KEYS};
use super::{Config, Origin};

impl Config {
    /// The effective configuration as a TOML file that says of each value who set it and what it does. Secrets are
    /// shown as `***`.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut out = String::new();
        let mut section = "";
        for key in keys::single() {
            let (head, name) = key.name.split_once('.').unwrap_or(("", key.name));
            if head != section {
                out.push_str(&format!(
                    "{}[{head}]\n",
                    if out.is_empty() { "" } else { "\n" }
                ));
                section = head;
            }
            self.line(
                &mut out,
                name,
                &(key.show)(self),
                &self.origin(key.name),
                key.doc,
            );
        }
        for app in &self.apps {
            out.push_str("\n[[app]]\n");
            members(&mut out, app, APP_KEYS);
        }
        for source in &self.streams {
            out.push_str("\n[[stream]]\n");
            members(&mut out, source, STREAM_KEYS);
        }
        for push in &self.pushes {
            out.push_str("\n[[push]]\n");
            members(&mut out, push, PUSH_KEYS);
        }
        out
    }

    /// What was set on purpose and has no effect in this build, one line each.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = KEYS
            .iter()
            .filter(|k| !k.built)
            .filter(|k| self.origin(k.name) != Origin::Default)
            .filter(|k| (k.show)(self) != "\"\"")
            .map(|k| {
                format!(
                    "{} has no effect: {} is not built in yet",
                    k.name,
                    protocol(k.name)
                )
            })
            .collect();
        for (key, listen) in [
            ("http.tls_listen", self.http.tls_listen),
            ("rtmps.listen", self.rtmps.listen),
        ] {
            let set = self.origin(key) != Origin::Default && !listen.is_off();
            if set && self.tls.certificate.is_none() {
                notices.push(format!(
                    "{key} has no effect: tls.certificate and tls.key are not set"
                ));
            }
        }
        for app in &self.apps {
            let fresh = super::App::new(app.name.clone());
            let unbuilt = APP_KEYS
                .iter()
                .filter(|k| !k.built && (k.show)(app) != (k.show)(&fresh));
            notices.extend(unbuilt.map(|k| {
                format!(
                    "app.{}.{} has no effect: it is not built in yet",
                    app.name, k.name
                )
            }));
        }
        let not_built = |what: String, kind: &str, scheme: &str| {
            let scheme: String = scheme.chars().take(16).collect();
            format!(
                "{what} is not started: {kind} of the kind \"{}:\" are not built in yet",
                scheme.escape_debug()
            )
        };
        for source in &self.streams {
            match source.source.scheme() {
                "demo" if source.on_demand => notices.push(format!(
                    "stream.{}.on_demand has no effect: the demo always plays",
                    source.key
                )),
                "demo" | "rtmp" | "rtmps" => {}
                other => {
                    notices.push(not_built(
                        format!("stream.{}", source.key),
                        "sources",
                        other,
                    ));
                }
            }
        }
        for push in &self.pushes {
            if !matches!(push.target.scheme(), "rtmp" | "rtmps") {
                let what = format!("push.{}", push.key);
                notices.push(not_built(what, "targets", push.target.scheme()));
            }
        }
        if self.storage.url.starts_with("s3:") {
            notices.push(
                "storage.url has no effect: s3: is not built in yet, the data directory is used"
                    .to_owned(),
            );
        }
        notices
    }

    fn line(&self, out: &mut String, name: &str, value: &str, origin: &Origin, doc: &str) {
        let from = match origin {
            Origin::Default => String::new(),
            Origin::File { line, .. } => format!(" (line {line})"),
            Origin::CommandLine => " (--set)".to_owned(),
        };
        let line = format!("{name} = {value}");
        match (doc, from.as_str()) {
            ("", "") => out.push_str(&line),
            ("", from) => out.push_str(&format!("{line:<44} #{from}")),
            (doc, from) => out.push_str(&format!("{line:<44} # {doc}{from}")),
        }
        out.push('\n');
    }
}

fn members<T>(out: &mut String, of: &T, known: &[Key<T>]) {
    for key in known {
        let line = format!("{} = {}", key.name, (key.show)(of));
        out.push_str(&format!("{line:<44} # {}\n", key.doc));
    }
}

fn protocol(key: &str) -> &str {
    match key.split('.').next() {
        Some("rtmps") => "RTMPS",
        Some("rtsp") => "RTSP",
        Some("srt") => "SRT",
        Some("webrtc") => "WebRTC",
        _ => "it",
    }
}
