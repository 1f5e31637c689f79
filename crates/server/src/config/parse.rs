//! From a TOML file and `--set` arguments to a [`Config`], or to everything that is wrong with them.

use std::path::Path;

use core_frame::{Limits, StreamKey};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, APP_KEYS, KEYS, STREAM_KEYS};
use super::value::Raw;
use super::{App, Config, ConfigError, Mistake, Origin, Source};

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

    /// Sets one key from text, as `--set` does. Keys of a table of `[[app]]` or `[[stream]]` are named by what it is
    /// about: `app.live.grace_s`, `stream.live/cam.source`; the table is made when there is none.
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
        if let Some((name, key_name)) = member(key, "app.", APP_KEYS.iter().map(|k| k.name)) {
            let at = match self.apps.iter().position(|a| a.name == name) {
                Some(at) => at,
                None => {
                    self.apps.push(App::new(name));
                    self.apps.len() - 1
                }
            };
            let def = APP_KEYS.iter().find(|k| k.name == key_name);
            if let (Some(def), Some(app)) = (def, self.apps.get_mut(at)) {
                (def.set)(app, &raw).map_err(|e| format!("{key}: {e}"))?;
            }
            self.origins.insert(key.to_owned(), origin);
            return Ok(());
        }
        if let Some((name, key_name)) = member(key, "stream.", STREAM_KEYS.iter().map(|k| k.name)) {
            let at = match self.streams.iter().position(|s| s.key == name) {
                Some(at) => at,
                None => {
                    self.streams.push(Source {
                        key: name.to_owned(),
                        ..Source::default()
                    });
                    self.streams.len() - 1
                }
            };
            let def = STREAM_KEYS.iter().find(|k| k.name == key_name);
            if let (Some(def), Some(source)) = (def, self.streams.get_mut(at)) {
                (def.set)(source, &raw).map_err(|e| format!("{key}: {e}"))?;
            }
            self.origins.insert(key.to_owned(), origin);
            return Ok(());
        }
        self.set_raw(key, &raw, origin)
    }

    fn set_raw(&mut self, key: &str, raw: &Raw, origin: Origin) -> Result<(), String> {
        if let Some(def) = KEYS.iter().find(|k| k.name == key) {
            (def.set)(self, raw).map_err(|e| format!("{key}: {e}"))?;
        } else if let Some(name) = limit_name(key) {
            keys::set_limit(&mut self.limits, &name, raw).map_err(|e| format!("{key}: {e}"))?;
        } else {
            return Err(unknown(key));
        }
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
                ("app" | "stream", _) => mistakes.push(Mistake {
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
            if let Err(e) = StreamKey::parse(&source.key) {
                wrong(&name, format!("key: {e}"));
            }
            if source.source.is_empty() {
                wrong(&name, "needs a source".to_owned());
            }
        }
    }
}

/// Reads one table of a list of tables.
fn read_members<T>(
    item: &Spanned<DeValue<'_>>,
    into: &mut T,
    known: &[keys::Key<T>],
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

/// `app.NAME.KEY` into NAME and KEY, where NAME may hold dots.
fn member<'a>(
    text: &'a str,
    list: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<(&'a str, &'static str)> {
    let rest = text.strip_prefix(list)?;
    known
        .filter_map(|key| Some((rest.strip_suffix(key)?.strip_suffix('.')?, key)))
        .filter(|(name, _)| !name.is_empty())
        .max_by_key(|(_, key)| key.len())
}

fn limit_name(key: &str) -> Option<String> {
    let name = key.strip_prefix("limits.")?;
    keys::limits(&Limits::default())
        .into_iter()
        .map(|(n, _)| n)
        .find(|n| n == name)
}

fn is_section(name: &str) -> bool {
    let prefix = format!("{name}.");
    name == "limits" || KEYS.iter().any(|k| k.name.starts_with(&prefix))
}

fn unknown(key: &str) -> String {
    let limits: Vec<_> = keys::limits(&Limits::default())
        .into_iter()
        .map(|(n, _)| format!("limits.{n}"))
        .collect();
    let members: Vec<_> = APP_KEYS
        .iter()
        .map(|k| format!("app.NAME.{}", k.name))
        .chain(STREAM_KEYS.iter().map(|k| format!("stream.KEY.{}", k.name)))
        .collect();
    let known = KEYS
        .iter()
        .map(|k| k.name)
        .chain(limits.iter().map(String::as_str))
        .chain(members.iter().map(String::as_str))
        .chain(["app", "stream"]);
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
