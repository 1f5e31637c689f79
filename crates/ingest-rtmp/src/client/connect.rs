//! What a client says in `connect`, and what servers answer: results, refusals, redirects, statuses.

use flv::amf0::Value;

use super::{Config, Role};
use crate::Error;
use crate::enhanced::{CAN_DECODE, CAN_ENCODE, CAN_FORWARD, Enhanced};
use crate::wire::command::Command;

/// Longest text of a server that goes to errors and events, in characters.
const TEXT: usize = 256;

/// The `connect` command (§7.2.1.1).
pub(super) fn command(config: &Config) -> Command {
    let target = &config.target;
    let mut object: Vec<(String, Value)> = Vec::with_capacity(16);
    let mut put = |key: &str, value: Value| object.push((key.to_owned(), value));
    put("app", target.app.as_str().into());
    if config.role == Role::Publish {
        put("type", "nonprivate".into());
    }
    put("flashVer", config.agent.as_str().into());
    if let Some(url) = &config.swf_url {
        put("swfUrl", url.as_str().into());
    }
    put("tcUrl", target.tc_url.as_str().into());
    if config.role == Role::Play {
        // What Flash Player said of itself; some servers choose by it.
        put("fpad", false.into());
        put("capabilities", 15.0.into());
        put("audioCodecs", 4_071.0.into());
        put("videoCodecs", 252.0.into());
        put("videoFunction", 1.0.into());
    }
    if let Some(url) = &config.page_url {
        put("pageUrl", url.as_str().into());
    }
    if config.enhanced {
        let mask = match config.role {
            Role::Publish => CAN_ENCODE | CAN_FORWARD,
            Role::Play => CAN_DECODE | CAN_FORWARD,
        };
        object.extend(Enhanced::members(&["*"], mask));
    }
    Command {
        name: "connect".to_owned(),
        transaction: super::CONNECT,
        object: Value::Object(object),
        args: Vec::new(),
    }
}

/// What the answer to `connect` says about Enhanced RTMP: in its properties or in its information, as servers differ.
pub(super) fn enhanced(result: &Command) -> Option<Enhanced> {
    Enhanced::parse(&result.object).or_else(|| result.args.first().and_then(Enhanced::parse))
}

/// A status (§7.2.2) without what does not belong in a log line.
pub(super) struct Status {
    pub(super) code: String,
    pub(super) description: String,
    pub(super) is_error: bool,
    pub(super) tc_url: Option<String>,
}

impl Status {
    pub(super) fn of(command: &Command) -> Self {
        let info = command.args.first();
        let text = |key| {
            let value = info.and_then(|i| i.get(key));
            value.and_then(Value::as_str)
        };
        Self {
            code: visible(text("code").unwrap_or_default()),
            description: visible(text("description").unwrap_or_default()),
            is_error: text("level") == Some("error"),
            tc_url: text("tcUrl").map(visible),
        }
    }
}

/// A refusal, or the redirect that Flash Media Server and its kin wrap into one: code 302 and an URL in `ex`.
pub(super) fn refused(command: &Command) -> Error {
    let ex = command.args.first().and_then(|info| info.get("ex"));
    let code = ex.and_then(|ex| ex.get("code")).and_then(Value::as_f64);
    let to = ex.and_then(|ex| ex.get("redirect")).and_then(Value::as_str);
    if let (Some(302.0), Some(to)) = (code, to) {
        return Error::Redirected {
            tc_url: visible(to),
        };
    }
    let code = Status::of(command).code;
    Error::Refused(if code.is_empty() {
        command.name.clone()
    } else {
        code
    })
}

fn visible(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(TEXT).collect()
}
