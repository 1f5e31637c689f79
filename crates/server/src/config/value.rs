//! Values of configuration keys: how each type is read from TOML or from `--set` text, and how it is shown again.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use core_frame::Secret;

use super::{SourceUrl, TargetUrl};

/// A value before its type is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    /// Text of the command line: whatever type the key has is read from it.
    Text(String),
    /// A TOML string.
    Str(String),
    /// A TOML integer.
    Int(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array.
    List(Vec<Raw>),
    /// Anything else, by the name of its type.
    Other(&'static str),
}

impl Raw {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Str(_) => "a string",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Other(name) => name,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(s) | Self::Str(s) => Some(s),
            _ => None,
        }
    }
}

/// A type a configuration key may have.
pub(crate) trait Value: Sized {
    /// What to write, for messages: "a number", "a listen address such as …".
    const WANTS: &'static str;

    /// Reads it; `None` when the value is not of this form.
    fn read(raw: &Raw) -> Option<Self>;

    /// As a TOML literal.
    fn show(&self) -> String;
}

/// Reads a value into its place.
pub(crate) fn assign<T: Value>(place: &mut T, raw: &Raw) -> Result<(), String> {
    match T::read(raw) {
        Some(value) => {
            *place = value;
            Ok(())
        }
        None => Err(format!("expected {}, found {}", T::WANTS, found(raw))),
    }
}

fn found(raw: &Raw) -> String {
    match raw {
        Raw::Text(s) | Raw::Str(s) if s.len() <= 80 => quote(s),
        Raw::Int(i) => i.to_string(),
        Raw::Float(x) => x.to_string(),
        Raw::Bool(b) => b.to_string(),
        other => other.type_name().to_owned(),
    }
}

/// A TOML basic string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Where a protocol listens. In the configuration: `"127.0.0.1:1935"`, `"[::1]:1935"`, `":1935"` or the bare port
/// (every interface), `"localhost:1935"`, or `""` (off). Port 0 takes a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Listen {
    /// Nowhere: the protocol is switched off.
    #[default]
    Off,
    /// On this port of every interface, IPv6 and IPv4.
    Any(u16),
    /// On this address.
    At(SocketAddr),
}

impl Listen {
    /// Reads the text form; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text == "off" {
            return Some(Self::Off);
        }
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Some(Self::Any(port));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return Some(Self::At(SocketAddr::from((
                [127, 0, 0, 1],
                port.parse().ok()?,
            ))));
        }
        text.parse().ok().map(Self::At)
    }

    /// True when the protocol is switched off.
    #[must_use]
    pub const fn is_off(self) -> bool {
        matches!(self, Self::Off)
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => Ok(()),
            Self::Any(port) => write!(f, ":{port}"),
            Self::At(addr) => addr.fmt(f),
        }
    }
}

impl Value for Listen {
    const WANTS: &'static str =
        "a listen address such as \"127.0.0.1:1935\" or \":1935\", or \"\" to switch it off";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Int(port) => u16::try_from(*port).ok().map(Self::Any),
            _ => Self::parse(raw.text()?),
        }
    }

    fn show(&self) -> String {
        quote(&self.to_string())
    }
}

macro_rules! number {
    ($($int:ty: $wants:literal),*) => {$(
        impl Value for $int {
            const WANTS: &'static str = $wants;

            fn read(raw: &Raw) -> Option<Self> {
                match raw {
                    Raw::Int(i) => Self::try_from(*i).ok(),
                    Raw::Text(s) => s.trim().replace('_', "").parse().ok(),
                    _ => None,
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
number!(
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number, 0 or more",
    usize: "a whole number, 0 or more"
);

impl Value for bool {
    const WANTS: &'static str = "true or false";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Bool(b) => Some(*b),
            Raw::Text(s) => s.trim().parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const WANTS: &'static str = "a string";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(str::to_owned)
    }

    fn show(&self) -> String {
        quote(self)
    }
}

impl Value for Option<PathBuf> {
    const WANTS: &'static str = "a path";

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?;
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn show(&self) -> String {
        quote(
            &self
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
        )
    }
}

impl Value for Secret {
    const WANTS: &'static str = "a string";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(Self::new)
    }

    fn show(&self) -> String {
        quote(if self.is_empty() { "" } else { "***" })
    }
}

macro_rules! urls {
    ($($url:ty),*) => {$(
        impl Value for $url {
            const WANTS: &'static str = "a URL";

            fn read(raw: &Raw) -> Option<Self> {
                raw.text().map(|t| Self::new(t.trim()))
            }

            fn show(&self) -> String {
                quote(&self.to_string())
            }
        }
    )*};
}
urls!(SourceUrl, TargetUrl);

impl Value for Vec<IpAddr> {
    const WANTS: &'static str = "a list of IP addresses such as [\"203.0.113.7\"]";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => items
                .iter()
                .map(|i| i.text()?.trim().parse().ok())
                .collect(),
            Raw::Text(s) if s.trim().is_empty() => Some(Self::new()),
            Raw::Text(s) => s.split(',').map(|i| i.trim().parse().ok()).collect(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        let items: Vec<_> = self.iter().map(|ip| quote(&ip.to_string())).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A value that is one of a few words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $wants:literal, { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            $($(#[$vmeta])* $variant),+
        }

        impl $name {
            /// The word the configuration uses.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl Value for $name {
            const WANTS: &'static str = $wants;

            fn read(raw: &Raw) -> Option<Self> {
                match raw.text()?.trim() {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn show(&self) -> String {
                quote(self.word())
            }
        }
    };
}

words! {
    /// How RTMP players are written to: the trade between delay and the cost of a system call.
    FanOut, "\"default\", \"latency-first\" or \"throughput-first\"", {
        /// About 30 ms of media a write.
        #[default]
        Default = "default",
        /// Every frame at once.
        LatencyFirst = "latency-first",
        /// Large writes, up to about 200 ms of media.
        ThroughputFirst = "throughput-first",
    }
}

impl From<FanOut> for ingest_rtmp::net::FanOut {
    fn from(fan_out: FanOut) -> Self {
        match fan_out {
            FanOut::Default => Self::Default,
            FanOut::LatencyFirst => Self::LatencyFirst,
            FanOut::ThroughputFirst => Self::ThroughputFirst,
        }
    }
}

words! {
    /// The form of log lines.
    LogFormat, "\"text\" or \"json\"", {
        /// One readable line an event.
        #[default]
        Text = "text",
        /// One JSON object an event.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_listen_addresses() {
        for (text, want) in [
            ("", Some(Listen::Off)),
            (":1935", Some(Listen::Any(1935))),
            ("1935", Some(Listen::Any(1935))),
            (
                "127.0.0.1:0",
                Some(Listen::At("127.0.0.1:0".parse().unwrap())),
            ),
            ("[::1]:80", Some(Listen::At("[::1]:80".parse().unwrap()))),
            (
                "localhost:80",
                Some(Listen::At("127.0.0.1:80".parse().unwrap())),
            ),
            ("127.0.0.1", None),
            ("70000", None),
            ("host.example:80", None),
        ] {
            assert_eq!(Listen::parse(text), want, "{text:?}");
        }
        assert_eq!(Listen::read(&Raw::Int(8080)), Some(Listen::Any(8080)));
    }

    #[test]
    fn secrets_are_never_shown() {
        assert_eq!(Secret::new("hunter2").show(), "\"***\"");
        assert_eq!(Secret::default().show(), "\"\"");
    }
}
