//! `relay`: a stream from here to there, with a word on how it goes.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millstream::core_frame::Secret;
use millstream::tools::relay::{RelayOptions, RelayReport, RelayStatus, relay};
use tokio_util::sync::CancellationToken;

use crate::args::Relay;
use crate::exit::{Exit, WrongUse};
use crate::signals::Signals;
use crate::{logs, say};

/// Between two lines where nothing changes.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn run(args: Relay) -> anyhow::Result<Exit> {
    logs::begin("warn", Default::default());
    let to_stdout = args.target == "-";
    if to_stdout && args.json {
        return Err(WrongUse("stdout cannot have media and JSON at once".to_owned()).into());
    }
    let mut options = RelayOptions::new(args.source, args.target);
    options.source_token = args.source_token.map(Secret::new);
    options.target_token = args.target_token.map(Secret::new);
    options.duration = args.duration;
    options.retry = args.retry.limit;
    options.looped = args.looped;
    options.overwrite = args.overwrite;
    options.tls = args.tls.into();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(drive(options, args.json));
    // A pipe that nobody reads must not keep us.
    runtime.shutdown_background();
    let (report, interrupted) = outcome?;
    if args.json {
        say::line(&event("end", &report)?);
    } else if to_stdout {
        report.table().lines().for_each(say::progress);
    } else {
        say::line(&report.table());
    }
    Ok(exit(&report, interrupted))
}

fn exit(report: &RelayReport, interrupted: bool) -> Exit {
    match (interrupted, report.has_media()) {
        (true, _) => Exit::Interrupted,
        (false, false) => Exit::Failed,
        _ if report.is_complete() => Exit::Done,
        _ if report.target_failed() => Exit::Failed,
        _ => Exit::Incomplete,
    }
}

/// Runs it; a first signal ends it cleanly, a second one at once. Tells whether there was one.
async fn drive(options: RelayOptions, json: bool) -> anyhow::Result<(RelayReport, bool)> {
    let mut signals = Signals::new().context("cannot take over the signals")?;
    let cancel = CancellationToken::new();
    let mut progress = Progress::new(json);
    let work = relay(options, cancel.clone(), |status| progress.show(status));
    let mut work = std::pin::pin!(work);
    let mut interrupted = false;
    let report = loop {
        tokio::select! {
            report = work.as_mut() => break report?,
            _ = signals.next() => {
                if interrupted {
                    std::process::exit(Exit::Interrupted as i32);
                }
                interrupted = true;
                cancel.cancel();
            }
        }
    };
    Ok((report, interrupted))
}

/// One line that changes on a terminal; lines, when something changes and now and then, elsewhere.
enum Progress {
    Bar(ProgressBar),
    Lines {
        json: bool,
        /// The states that were told, and when.
        told: Option<([&'static str; 2], Instant)>,
    },
}

impl Progress {
    fn new(json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() {
            return Self::Lines { json, told: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn show(&mut self, status: &RelayStatus) {
        match self {
            Self::Bar(bar) => bar.set_message(status.line()),
            Self::Lines { json, told } => {
                let states = [status.source.state, status.target.state];
                let is_new =
                    told.is_none_or(|(old, at)| old != states || at.elapsed() >= LINE_EVERY);
                if !is_new {
                    return;
                }
                *told = Some((states, Instant::now()));
                if !*json {
                    say::progress(&format!("{:.0} s: {}", status.seconds, status.line()));
                } else if let Ok(line) = event("status", status) {
                    say::line(&line);
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// One line of JSON.
fn event(name: &str, value: &impl serde::Serialize) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(value)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("event".to_owned(), name.into());
    }
    serde_json::to_string(&value)
}
