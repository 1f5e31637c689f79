//! `connect` and its answer, with the negotiation of Enhanced RTMP.

use flv::FourCc;
use flv::amf0::Value;

use super::name::Name;
use crate::enhanced::{CAN_FORWARD, Enhanced};
use crate::wire::command::{Command, info};
use crate::wire::message::Control;

use super::outbox::Outbox;

/// What a peer said of itself in `connect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connect {
    /// The application path, without its query.
    pub app: String,
    /// The program, as it names itself (`flashVer`), control characters left out.
    pub agent: Option<String>,
    /// The AMF version it chose (`objectEncoding`): 3, or 0. Either is read in every message, and what we say is AMF0,
    /// which both allow; the answer repeats the number, since clients of version 3 look for it.
    pub object_encoding: u32,
    /// What it said about Enhanced RTMP, if anything.
    pub enhanced: Option<Enhanced>,
}

/// Longest program name that goes to logs.
const AGENT: usize = 64;

impl Connect {
    pub(super) fn parse(command: &Command) -> (Self, Name) {
        let text = |key| command.object.get(key).and_then(Value::as_str);
        let app = Name::app(text("app"), text("tcUrl"));
        let agent = text("flashVer").map(|agent| {
            let visible = agent.chars().filter(|c| !c.is_control());
            visible.take(AGENT).collect()
        });
        let connect = Self {
            app: app.path.clone(),
            agent,
            object_encoding: match command.object.get("objectEncoding") {
                Some(Value::Number(3.0)) => 3,
                _ => 0,
            },
            enhanced: Enhanced::parse(&command.object),
        };
        (connect, app)
    }
}

/// Answers an accepted `connect` (§7.2.1.1).
pub(super) fn accept(
    out: &mut Outbox,
    command: &Command,
    connect: &Connect,
    window: u32,
    chunk_size: u32,
) {
    out.control(Control::WindowAckSize(window));
    // 2: dynamic limit (§5.4.5).
    out.control(Control::SetPeerBandwidth(window, 2));
    out.control(Control::SetChunkSize(chunk_size));
    // What the field's servers have said here since Flash Media Server 3; encoders look for the prefix.
    let properties = Value::object([
        ("fmsVer", Value::from("FMS/3,0,1,123")),
        ("capabilities", Value::from(31.0)),
    ]);
    let Value::Object(mut information) = info(
        "status",
        "NetConnection.Connect.Success",
        "Connection succeeded.",
    ) else {
        return;
    };
    information.push(("objectEncoding".into(), connect.object_encoding.into()));
    if connect.enhanced.is_some() {
        // Whatever is published is forwarded as it is.
        let codes: Vec<String> = FourCc::all().map(|code| code.to_string()).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        information.extend(Enhanced::members(&codes, CAN_FORWARD));
    }
    out.command(
        0,
        &Command {
            name: "_result".into(),
            transaction: command.transaction,
            object: properties,
            args: vec![Value::Object(information)],
        },
    );
}

/// Answers a `connect` that is refused.
pub(super) fn refuse(out: &mut Outbox, command: &Command, why: &str) {
    let information = info("error", "NetConnection.Connect.Rejected", why);
    out.command(
        0,
        &Command::new("_error", command.transaction, vec![information]),
    );
}
