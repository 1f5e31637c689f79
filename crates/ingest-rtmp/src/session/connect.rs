//! `connect` and its answer, with the negotiation of Enhanced RTMP.

use flv::amf0::Value;

use super::name::Name;
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
    /// What it said about Enhanced RTMP, if anything.
    pub enhanced: Option<Enhanced>,
}

/// Enhanced RTMP v2, "Enhancing NetConnection connect Command".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enhanced {
    /// FourCCs of v1 (`fourCcList`); `*` is any.
    pub four_ccs: Vec<String>,
    /// FourCCs of video with their ability mask (1 decode, 2 encode, 4 forward).
    pub video: Vec<(String, u32)>,
    /// The same for audio.
    pub audio: Vec<(String, u32)>,
    /// `capsEx`: 1 reconnect, 2 multitrack, 4 ModEx, 8 nanosecond time stamps.
    pub caps: u32,
}

/// Abilities of the other side: whatever is published is forwarded as it is.
const FORWARD: u32 = 4;
const VIDEO: [&str; 6] = ["avc1", "hvc1", "av01", "vp09", "vp08", "vvc1"];
const AUDIO: [&str; 6] = ["mp4a", "Opus", ".mp3", "ac-3", "ec-3", "fLaC"];
/// Multitrack, ModEx, nanosecond time stamps.
const CAPS: u32 = 2 | 4 | 8;

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
            enhanced: Enhanced::parse(&command.object),
        };
        (connect, app)
    }
}

impl Enhanced {
    fn parse(object: &Value) -> Option<Self> {
        let map = |key| {
            let members = object.get(key).and_then(Value::members);
            let pairs = members.unwrap_or_default().iter();
            pairs
                .map(|(k, v)| (k.clone(), v.as_f64().unwrap_or(0.0) as u32))
                .collect::<Vec<_>>()
        };
        let list = object.get("fourCcList").and_then(Value::items);
        let caps = object.get("capsEx").and_then(Value::as_f64);
        let (video, audio) = (map("videoFourCcInfoMap"), map("audioFourCcInfoMap"));
        if list.is_none() && caps.is_none() && video.is_empty() && audio.is_empty() {
            return None;
        }
        let texts = list.unwrap_or_default().iter().filter_map(Value::as_str);
        Some(Self {
            four_ccs: texts.map(str::to_owned).collect(),
            video,
            audio,
            caps: caps.unwrap_or(0.0) as u32,
        })
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
    // AMF0, whatever the peer asked for.
    information.push(("objectEncoding".into(), Value::from(0.0)));
    if connect.enhanced.is_some() {
        let map = |list: [&str; 6]| Value::object(list.map(|cc| (cc, FORWARD)));
        let list = VIDEO.into_iter().chain(AUDIO).map(Value::from).collect();
        information.push(("fourCcList".into(), Value::StrictArray(list)));
        information.push(("videoFourCcInfoMap".into(), map(VIDEO)));
        information.push(("audioFourCcInfoMap".into(), map(AUDIO)));
        information.push(("capsEx".into(), Value::from(CAPS)));
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
