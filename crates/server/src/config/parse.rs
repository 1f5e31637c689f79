//! From a TOML file and `--set` arguments to a [`Config`], or to everything that is wrong with them.

use std::path::Path;

use core_frame::StreamKey;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, APP_KEYS, Key, PUSH_KEYS, STREAM_KEYS};
use super::value::Raw;
use super::{App, Config, ConfigError, Mistake, Origin, Push, Source};

impl Config {
    /// Defaults, then the file, then the `KEY=VALUE` settings in order.
    ///
    /// # Errors
    /// Names file, line and reason of every mistake.
    pub fn load<S: AsRef<str>>(
        file: Option<&Path>,
        sets: impl IntoIterator<Item = S>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|e| ConfigError::read(path, e))?;
            config.read_toml(&text, path, &mut mistakes);
        }
        for set in sets {
            let set = set.as_ref();
            let outcome = match set.split_once('=') {
                Some((key, value)) => config.set_text(key.trim(), value),
                None => Err(format!("\"{set}\" is not of the form KEY=VALUE")),
            };
            mistakes.extend(outcome.err().map(|reason| Mistake {
                origin: Origin::CommandLine,
                reason,
            }));
        }
        config.check(&mut mistakes);
        mistakes
            .is_empty()
            .then_some(config)
            .ok_or_else(|| ConfigError::mistakes(mistakes))
    }

    /// Reads a configuration from TOML text; `name` stands for the file in messages.
    ///
    /// # Errors
    /// Names line and reason of every mistake.
    pub fn parse(text: &str, name: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        config.read_toml(text, name, &mut mistakes);
        config.check(&mut mistakes);
        mistakes
            .is_empty()
            .then_some(config)
            .ok_or_else(|| ConfigError::mistakes(mistakes))
    }

    /// Sets one key from text, as `--set` does. Keys of a table of a list are named by what it is about:
    /// `app.live.grace_s`, `stream.live/cam.source`, `push.live/*.target`; the table is made when there is none.
    ///
    /// # Errors
    /// When the key is not known (the nearest one is named) or the value does not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        self.set_text(key, value).map_err(|reason| {
            ConfigError::Mistakes(vec![Mistake {
                origin: Origin::CommandLine,
                reason,
            }])
        })
    }

    fn set_text(&mut self, key: &str, value: &str) -> Result<(), String> {
        let raw = Raw::Text(value.to_owned());
        let origin = Origin::CommandLine;
        let done = set_member(
            key,
            &raw,
            "app.",
            APP_KEYS,
            &mut self.apps,
            |a| &a.name,
            |name| App::new(name),
        )
        .or_else(|| {
            let make = |key: &str| Source {
                key: key.to_owned(),
                ..Source::default()
            };
            set_member(
                key,
                &raw,
                "stream.",
                STREAM_KEYS,
                &mut self.streams,
                |s| &s.key,
                make,
            )
        })
        .or_else(|| {
            let make = |key: &str| Push {
                key: key.to_owned(),
                ..Push::default()
            };
            set_member(
                key,
                &raw,
                "push.",
                PUSH_KEYS,
                &mut self.pushes,
                |p| &p.key,
                make,
            )
        });
        match done {
            Some(outcome) => {
                outcome?;
                self.origins.insert(key.to_owned(), origin);
                Ok(())
            }
            None => self.set_raw(key, &raw, origin),
        }
    }

    fn set_raw(&mut self, key: &str, raw: &Raw, origin: Origin) -> Result<(), String> {
        let def = keys::single()
            .find(|k| k.name == key)
            .ok_or_else(|| unknown(key))?;
        (def.set)(self, raw).map_err(|e| format!("{key}: {e}"))?;
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    fn read_toml(&mut self, text: &str, path: &Path, mistakes: &mut Vec<Mistake>) {
        let lines = Lines { text, path };
        match DeTable::parse(text) {
            Ok(table) => self.read_table("", table.get_ref(), &lines, mistakes),
            Err(e) => mistakes.push(Mistake {
                origin: lines.origin(e.span().map_or(0, |s| s.start)),
                reason: one_line(e.message()),
            }),
        }
    }

    fn read_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        lines: &Lines<'_>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let origin = lines.origin(key.span().start);
            match (name.as_str(), value.get_ref()) {
                ("app", DeValue::Array(items)) => {
                    for item in items.iter() {
                        let mut app = App::new("");
                        read_members(item, &mut app, APP_KEYS, "app", lines, mistakes);
                        if app.name.is_empty() {
                            let reason = "[[app]] needs a name".to_owned();
                            mistakes.push(Mistake {
                                origin: lines.origin(item.span().start),
                                reason,
                            });
                        } else if self.apps.iter().any(|a| a.name == app.name) {
                            let reason = format!(
                                "a second [[app]] of the name \"{}\"",
                                app.name.escape_debug()
                            );
                            mistakes.push(Mistake {
                                origin: lines.origin(item.span().start),
                                reason,
                            });
                        } else {
                            self.note(
                                &format!("app.{}", app.name),
                                lines.origin(item.span().start),
                            );
                            self.apps.push(app);
                        }
                    }
                }
                ("stream", DeValue::Array(items)) => {
                    for item in items.iter() {
                        let mut source = Source::default();
                        read_members(item, &mut source, STREAM_KEYS, "stream", lines, mistakes);
                        self.note(
                            &format!("stream.{}", source.key),
                            lines.origin(item.span().start),
                        );
                        self.streams.push(source);
                    }
                }
                ("push", DeValue::Array(items)) => {
                    for item in items.iter() {
                        let mut push = Push::default();
                        read_members(item, &mut push, PUSH_KEYS, "push", lines, mistakes);
                        let at = lines.origin(item.span().start);
                        self.note(&format!("push.{}", push.key), at);
                        self.pushes.push(push);
                    }
                }
                ("app" | "stream" | "push", _) => mistakes.push(Mistake {
                    origin,
                    reason: format!("{name} is a list of tables: write [[{name}]]"),
                }),
                // A section that is not known is gone through too, so that each of its keys gets its hint.
                (_, DeValue::Table(inner)) if is_section(&name) || !inner.is_empty() => {
                    self.read_table(&format!("{name}."), inner, lines, mistakes);
                }
                (section, _) if is_section(section) => mistakes.push(Mistake {
                    origin,
                    reason: format!("{name} is a section: write [{name}] or {name}.KEY"),
                }),
                _ => {
                    if let Err(reason) = self.set_raw(&name, &raw(value.get_ref()), origin.clone())
                    {
                        mistakes.push(Mistake { origin, reason });
                    }
                }
            }
        }
    }

    fn note(&mut self, key: &str, origin: Origin) {
        self.origins.insert(key.to_owned(), origin);
    }

    /// Rules that look at more than one key, or at more than the type.
    fn check(&self, mistakes: &mut Vec<Mistake>) {
        let mut wrong = |key: &str, reason: String| {
            mistakes.push(Mistake {
                origin: self.origin(key),
                reason: format!("{key}: {reason}"),
            });
        };
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => wrong("tls.certificate", "tls.key is missing beside it".to_owned()),
            (None, Some(_)) => wrong("tls.key", "tls.certificate is missing beside it".to_owned()),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if !(50..=2_000).contains(&self.hls.part_ms) {
            wrong(
                "hls.part_ms",
                format!("{} is outside 50 to 2000", self.hls.part_ms),
            );
        }
        if !(500..=30_000).contains(&self.hls.segment_ms) {
            wrong(
                "hls.segment_ms",
                format!("{} is outside 500 to 30000", self.hls.segment_ms),
            );
        } else if self.hls.part_ms > self.hls.segment_ms {
            wrong(
                "hls.part_ms",
                "a part cannot be longer than hls.segment_ms".to_owned(),
            );
        }
        if self.dvr.window_s.saturating_mul(1_000) < self.hls.segment_ms.saturating_mul(3) {
            wrong(
                "dvr.window_s",
                "needs to hold three segments at least".to_owned(),
            );
        }
        if self.dvr.memory_mb == 0 {
            wrong("dvr.memory_mb", "needs to be 1 at least".to_owned());
        }
        let url = &self.storage.url;
        if !url.is_empty()
            && !["file:", "memory:", "s3:"]
                .iter()
                .any(|s| url.starts_with(s))
        {
            wrong(
                "storage.url",
                "expected file:///path, memory: or s3://bucket/prefix".to_owned(),
            );
        }
        for app in &self.apps {
            if let Err(e) = StreamKey::from_parts(&app.name, "x") {
                wrong(&format!("app.{}", app.name.escape_debug()), e.to_string());
            }
        }
        for source in &self.streams {
            let name = format!("stream.{}", source.key.escape_debug());
            if source.key.is_empty() {
                wrong(&name, "needs a key".to_owned());
            } else if let Err(e) = StreamKey::parse(&source.key) {
                wrong(&name, format!("key: {e}"));
            }
            if source.source.is_empty() {
                wrong(&name, "needs a source".to_owned());
            } else if let Err(e) = address(source.source.expose()) {
                wrong(&name, format!("source: {e}"));
            }
        }
        for push in &self.pushes {
            let name = format!("push.{}", push.key.escape_debug());
            // Any stream stands for all of an application.
            let key = push.key.strip_suffix("/*").map(|app| format!("{app}/x"));
            match StreamKey::parse(key.as_deref().unwrap_or(&push.key)) {
                _ if push.key.is_empty() => wrong(&name, "needs a key".to_owned()),
                Err(e) => wrong(&name, format!("key: {e}")),
                Ok(_) if push.target.is_empty() => wrong(&name, "needs a target".to_owned()),
                Ok(key) => {
                    if let Err(e) = address(push.target_of(&key).expose()) {
                        wrong(&name, format!("target: {e}"));
                    } else if push.key.ends_with("/*") && !push.target.expose().contains("{name}") {
                        let reason =
                            "needs {name} in its target: several streams cannot go to one place";
                        wrong(&name, reason.to_owned());
                    }
                }
            }
        }
    }
}

/// Reads one table of a list of tables.
fn read_members<T>(
    item: &Spanned<DeValue<'_>>,
    into: &mut T,
    known: &[Key<T>],
    list: &str,
    lines: &Lines<'_>,
    mistakes: &mut Vec<Mistake>,
) {
    let DeValue::Table(table) = item.get_ref() else {
        let reason = format!("{list} is a list of tables: write [[{list}]]");
        mistakes.push(Mistake {
            origin: lines.origin(item.span().start),
            reason,
        });
        return;
    };
    for (key, value) in table {
        let inner = match value.get_ref() {
            DeValue::Table(inner) if key.get_ref() == "auth" => inner
                .iter()
                .map(|(k, v)| {
                    (
                        format!("{}.{}", key.get_ref(), k.get_ref()),
                        k.span().start,
                        raw(v.get_ref()),
                    )
                })
                .collect(),
            other => vec![(key.get_ref().to_string(), key.span().start, raw(other))],
        };
        for (name, at, raw) in inner {
            let outcome = match known.iter().find(|k| k.name == name) {
                Some(def) => (def.set)(into, &raw).map_err(|e| format!("{name}: {e}")),
                None => Err(unknown_of(
                    &name,
                    known.iter().map(|k| k.name),
                    &format!("[[{list}]]"),
                )),
            };
            if let Err(reason) = outcome {
                mistakes.push(Mistake {
                    origin: lines.origin(at),
                    reason,
                });
            }
        }
    }
}

/// What is wrong with the address of another server, as far as its protocol is built in. The address itself is not
/// repeated: it may hold secrets.
fn address(url: &str) -> Result<(), String> {
    match url.split_once(':') {
        None => Err("expected a URL such as rtmp://host/app/name".to_owned()),
        Some(("rtmp" | "rtmps", _)) => ingest_rtmp::client::Target::parse(url)
            .map(|_| ())
            .map_err(|e| e.to_string()),
        Some(_) => Ok(()),
    }
}

/// Sets `LIST.NAME.KEY`, where NAME may hold dots; `None` when the key is of another form.
fn set_member<T>(
    key: &str,
    raw: &Raw,
    list: &str,
    known: &[Key<T>],
    members: &mut Vec<T>,
    name_of: impl Fn(&T) -> &String,
    make: impl FnOnce(&str) -> T,
) -> Option<Result<(), String>> {
    let rest = key.strip_prefix(list)?;
    let (name, def) = known
        .iter()
        .filter_map(|def| Some((rest.strip_suffix(def.name)?.strip_suffix('.')?, def)))
        .filter(|(name, _)| !name.is_empty())
        .max_by_key(|(_, def)| def.name.len())?;
    let at = members
        .iter()
        .position(|m| name_of(m) == name)
        .unwrap_or_else(|| {
            members.push(make(name));
            members.len() - 1
        });
    let member = members.get_mut(at)?;
    Some((def.set)(member, raw).map_err(|e| format!("{key}: {e}")))
}

fn is_section(name: &str) -> bool {
    let prefix = format!("{name}.");
    keys::single().any(|k| k.name.starts_with(&prefix))
}

fn unknown(key: &str) -> String {
    let members: Vec<_> = APP_KEYS
        .iter()
        .map(|k| format!("app.NAME.{}", k.name))
        .chain(STREAM_KEYS.iter().map(|k| format!("stream.KEY.{}", k.name)))
        .chain(PUSH_KEYS.iter().map(|k| format!("push.KEY.{}", k.name)))
        .collect();
    let known = keys::single()
        .map(|k| k.name)
        .chain(members.iter().map(String::as_str))
        .chain(["app", "stream", "push"]);
    unknown_of(key, known, "the configuration")
}

fn unknown_of<'a>(key: &str, known: impl IntoIterator<Item = &'a str>, place: &str) -> String {
    let shown: String = key.escape_debug().take(120).collect();
    match keys::nearest(key, known) {
        Some(near) => format!("unknown key \"{shown}\" in {place}; did you mean \"{near}\"?"),
        None => format!("unknown key \"{shown}\" in {place}"),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(s) => Raw::Str(s.to_string()),
        DeValue::Integer(i) => i64::from_str_radix(&i.as_str().replace('_', ""), i.radix())
            .map_or(Raw::Other("an integer out of range"), Raw::Int),
        DeValue::Float(x) => x.as_str().parse().map_or(Raw::Other("a float"), Raw::Float),
        DeValue::Boolean(b) => Raw::Bool(*b),
        DeValue::Array(items) => Raw::List(items.iter().map(|i| raw(i.get_ref())).collect()),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

/// Byte positions to lines.
struct Lines<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Lines<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(at);
        Origin::File {
            path: self.path.to_owned(),
            line: before.filter(|b| **b == b'\n').count() + 1,
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
