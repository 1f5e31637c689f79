//! `load`: many players or publishers, and what became of them.

use millstream::tools::load::{PlayOptions, Protocol, PublishOptions, play, publish};

use crate::args::{Load, LoadPlay, LoadPublish, PlayProtocol, Scenario};
use crate::exit::{Exit, WrongUse};
use crate::{logs, say, work};

pub(crate) fn run(args: Load) -> anyhow::Result<Exit> {
    logs::begin("warn", Default::default());
    match args.scenario {
        Scenario::Play(args) => players(args),
        Scenario::Publish(args) => publishers(args),
    }
}

fn players(args: LoadPlay) -> anyhow::Result<Exit> {
    let protocol = match args.protocol {
        Some(PlayProtocol::Rtmp) => Protocol::Rtmp,
        Some(PlayProtocol::Flv) => Protocol::Flv,
        Some(PlayProtocol::Hls) => Protocol::Hls,
        None => Protocol::guess(&args.url).ok_or_else(|| {
            WrongUse(format!(
                "what {:?} speaks cannot be guessed: say --protocol",
                args.url
            ))
        })?,
    };
    let mut options = PlayOptions::new(protocol, args.url);
    options.count = args.count;
    options.probes = args.probes;
    options.duration = args.duration;
    options.ramp = args.ramp;
    options.timeout = args.timeout;
    options.buffer = std::time::Duration::from_millis(args.buffer);
    options.details = args.details;
    let expected = args.ramp + args.duration;
    let outcome = work::run("playing", expected, |cancel| play(options, cancel))?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    Ok(outcome.exit(outcome.value.is_clean()))
}

fn publishers(args: LoadPublish) -> anyhow::Result<Exit> {
    let mut options = PublishOptions::new(args.url);
    options.count = args.count;
    options.duration = args.duration;
    options.bitrate = args.bitrate;
    options.fps = args.fps;
    options.gop = args.gop;
    options.size = args.size;
    options.audio = !args.no_audio;
    options.file = args.file;
    options.ramp = args.ramp;
    options.timeout = args.timeout;
    let expected = args.ramp + args.duration;
    let outcome = work::run("publishing", expected, |cancel| publish(options, cancel))?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    Ok(outcome.exit(outcome.value.is_clean()))
}
