//! `probe`: what a stream or file holds.

use millstream::tools::probe::{ProbeOptions, probe};

use crate::args::Probe;
use crate::exit::Exit;
use crate::{logs, say, work};

pub(crate) fn run(args: Probe) -> anyhow::Result<Exit> {
    logs::begin("warn", Default::default());
    let mut options = ProbeOptions::default();
    options.duration = args.duration;
    options.timeout = args.timeout;
    options.tls = args.tls.into();
    let source = args.source;
    let outcome = work::run("probing", args.duration, async |cancel| {
        probe(&source, &options, cancel).await
    })?;
    say::report(args.json, &outcome.value, || outcome.value.table())?;
    // Damage is a finding, not a failure of the probe.
    Ok(outcome.exit(true))
}
