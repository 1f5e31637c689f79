//! What a process of this machine uses, read from `/proc`: memory, files, threads, CPU time; and how that grows.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// Readings that a report keeps; of longer runs each second one goes, again and again.
const KEPT: usize = 512;
/// `USER_HZ`, which Linux fixes at 100 towards programs.
const TICKS: f64 = 100.0;

/// One reading of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Seconds since the first reading.
    pub at_seconds: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// Threads.
    pub threads: u64,
    /// CPU seconds used since the process began, user and system, in steps of 10 ms.
    pub cpu_seconds: f64,
}

impl Usage {
    /// Of the process with this id; `None` when there is none, or when it may not be read.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let folder = format!("/proc/{pid}");
        let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // A process that has ended and waits for its parent has no memory any more.
        let rss = field("VmRSS:")?;
        Some(Self {
            at_seconds: 0.0,
            rss_bytes: rss.saturating_mul(1_024),
            fds: std::fs::read_dir(format!("{folder}/fd")).ok()?.count() as u64,
            threads: field("Threads:")?,
            cpu_seconds: cpu_seconds(&std::fs::read_to_string(format!("{folder}/stat")).ok()?)?,
        })
    }

    /// Of this process; zeros where the system does not tell.
    #[must_use]
    pub fn own() -> Self {
        Self::of(std::process::id()).unwrap_or_default()
    }
}

/// The second field is the program's name in brackets, which may hold anything; `utime` and `stime` are fields 14 and 15
/// of the file, 12 and 13 behind the name.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some((user.parse::<f64>().ok()? + system.parse::<f64>().ok()?) / TICKS)
}

/// CPU seconds this process has used, user and system, in steps of 10 ms; 0 where the system does not tell.
#[must_use]
pub fn own_cpu_seconds() -> f64 {
    std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| cpu_seconds(&stat))
        .unwrap_or(0.0)
}

/// How a process fared during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Watched {
    /// The process.
    pub pid: u32,
    /// Before the run.
    pub start: Usage,
    /// The greatest of each figure.
    pub peak: Usage,
    /// After the run and its time to settle.
    pub end: Usage,
    /// From start to end, in per cent of the start.
    pub change: Change,
    /// It was gone before the end.
    pub died: bool,
    /// Readings in between.
    pub readings: Vec<Usage>,
}

/// How much more there is at the end than at the start, in per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// Resident memory.
    pub rss_percent: f64,
    /// Open file descriptors.
    pub fds_percent: f64,
    /// Threads.
    pub threads_percent: f64,
}

/// Reads a process every so often, until it is asked for the result.
pub(crate) struct Watch {
    pid: u32,
    start: Usage,
    stop: CancellationToken,
    reader: JoinHandle<Readings>,
}

struct Readings {
    kept: Vec<Usage>,
    peak: Usage,
    last: Usage,
    died: bool,
}

impl Watch {
    /// From now on. Runs on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such process.
    pub(crate) fn start(pid: u32, every: Duration) -> Result<Self> {
        let start = Usage::of(pid).ok_or_else(|| {
            Error::Usage(format!(
                "process {pid} cannot be read: there is none, or it is another user's"
            ))
        })?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let every = every.max(Duration::from_millis(100));
        let reader = tokio::spawn(async move {
            let begun = Instant::now();
            let mut all = Readings {
                kept: Vec::new(),
                peak: start,
                last: start,
                died: false,
            };
            let mut each = 1;
            for n in 1_u64.. {
                let stop_now = tokio::select! {
                    () = tokio::time::sleep(every) => false,
                    () = stopped.cancelled() => true,
                };
                let Some(mut now) = Usage::of(pid) else {
                    all.died = true;
                    break;
                };
                now.at_seconds = begun.elapsed().as_secs_f64();
                all.take(now, n.is_multiple_of(each));
                if all.kept.len() > KEPT {
                    let mut at = 0_usize;
                    all.kept.retain(|_| {
                        at += 1;
                        at.is_multiple_of(2)
                    });
                    each *= 2;
                }
                if stop_now {
                    break;
                }
            }
            all
        });
        Ok(Self {
            pid,
            start,
            stop,
            reader,
        })
    }

    /// One last reading, and the result.
    pub(crate) async fn finish(self) -> Watched {
        self.stop.cancel();
        let readings = self.reader.await.unwrap_or(Readings {
            kept: Vec::new(),
            peak: self.start,
            last: self.start,
            died: true,
        });
        Watched::new(self.pid, self.start, readings)
    }
}

impl Readings {
    fn take(&mut self, now: Usage, keep: bool) {
        let peak = &mut self.peak;
        peak.at_seconds = now.at_seconds;
        peak.rss_bytes = peak.rss_bytes.max(now.rss_bytes);
        peak.fds = peak.fds.max(now.fds);
        peak.threads = peak.threads.max(now.threads);
        peak.cpu_seconds = peak.cpu_seconds.max(now.cpu_seconds);
        self.last = now;
        if keep {
            self.kept.push(now);
        }
    }
}

impl Watched {
    fn new(pid: u32, start: Usage, all: Readings) -> Self {
        let percent = |of: fn(&Usage) -> u64| {
            let (before, after) = (of(&start) as f64, of(&all.last) as f64);
            (after - before) * 100.0 / before.max(1.0)
        };
        Self {
            pid,
            start,
            peak: all.peak,
            end: all.last,
            change: Change {
                rss_percent: percent(|u| u.rss_bytes),
                fds_percent: percent(|u| u.fds),
                threads_percent: percent(|u| u.threads),
            },
            died: all.died,
            readings: all.kept,
        }
    }

    /// CPU seconds from start to end.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.end.cpu_seconds - self.start.cpu_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_grows_with_work() {
        let before = own_cpu_seconds();
        let start = Instant::now();
        let mut x = 1_u64;
        while start.elapsed() < Duration::from_millis(120) {
            x = std::hint::black_box(x.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        assert!(own_cpu_seconds() > before);
    }

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        let stat = "7 (a b) c) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a"), None);
    }

    #[tokio::test]
    async fn open_files_are_seen() {
        let watch = Watch::start(std::process::id(), Duration::from_millis(100)).unwrap();
        let files: Vec<_> = (0..200)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        tokio::time::sleep(Duration::from_millis(350)).await;
        drop(files);
        let seen = watch.finish().await;
        assert!(seen.peak.fds >= seen.start.fds + 150, "{seen:?}");
        assert!(seen.end.fds < seen.peak.fds, "{seen:?}");
        assert!(!seen.died && seen.readings.len() >= 2 && seen.end.rss_bytes > 1 << 20);
        assert!(Watch::start(u32::MAX, Duration::ZERO).is_err());
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_seen() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let watch = Watch::start(child.id(), Duration::from_millis(100)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(watch.finish().await.died);
    }
}
