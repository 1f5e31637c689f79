//! Long work: with its progress on a terminal, as plain lines otherwise, until it is done or Ctrl-C.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::signals::Signals;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What a piece of work gave, and whether it was cut short.
pub(crate) struct Outcome<T> {
    pub(crate) value: T,
    pub(crate) interrupted: bool,
}

impl<T> Outcome<T> {
    /// The exit code: the work's own, unless somebody pressed Ctrl-C.
    pub(crate) fn exit(&self, clean: bool) -> Exit {
        match (self.interrupted, clean) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Done,
            (false, false) => Exit::Failed,
        }
    }
}

/// Runs `work`, which takes about `expected`. A first signal asks it to end and still gives its result; a second one
/// ends the process.
pub(crate) fn run<T, E, F>(
    what: &'static str,
    expected: Duration,
    work: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<Outcome<T>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<anyhow::Error>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut signals = Signals::new().context("cannot take over the signals")?;
        let cancel = CancellationToken::new();
        let mut progress = Progress::new(what, expected);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        let mut work = std::pin::pin!(work(cancel.clone()));
        let mut interrupted = false;
        loop {
            tokio::select! {
                value = work.as_mut() => {
                    progress.done();
                    return Ok(Outcome { value: value.map_err(Into::into)?, interrupted });
                }
                _ = signals.next() => {
                    if interrupted {
                        std::process::exit(Exit::Interrupted as i32);
                    }
                    interrupted = true;
                    cancel.cancel();
                }
                _ = tick.tick() => progress.show(),
            }
        }
    })
}

/// A bar over time, or lines.
struct Progress {
    what: &'static str,
    expected: Duration,
    begun: Instant,
    bar: Option<ProgressBar>,
    next_line: Duration,
}

impl Progress {
    fn new(what: &'static str, expected: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(expected.as_millis() as u64),
                ProgressDrawTarget::stderr(),
            );
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar:.cyan/blue} {elapsed}")
            {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar
        });
        Self {
            what,
            expected,
            begun: Instant::now(),
            bar,
            next_line: LINE_EVERY,
        }
    }

    fn show(&mut self) {
        let elapsed = self.begun.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_position(elapsed.min(self.expected).as_millis() as u64);
        } else if elapsed >= self.next_line {
            self.next_line += LINE_EVERY;
            crate::say::progress(&format!(
                "{}: {} of about {} s",
                self.what,
                elapsed.as_secs(),
                self.expected.as_secs()
            ));
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
