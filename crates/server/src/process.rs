//! What the process itself uses: memory, CPU time, open files.

use std::time::Duration;

/// A reading of the process's own use of the machine; a field that cannot be read is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// CPU time, user and system, since the start.
    pub cpu: Duration,
    /// Open file descriptors.
    pub open_files: u64,
    /// Soft limit of open file descriptors.
    pub max_files: u64,
    /// Threads.
    pub threads: u64,
}

/// Reads `/proc/self`.
#[must_use]
pub fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    Usage {
        resident_bytes: field("VmRSS:").saturating_mul(1024),
        cpu: cpu().unwrap_or_default(),
        open_files: std::fs::read_dir("/proc/self/fd")
            .map_or(0, |d| d.count().saturating_sub(1) as u64),
        max_files: max_files(),
        threads: field("Threads:"),
    }
}

/// Soft limit of open file descriptors; 0 when it is not known.
#[must_use]
pub fn max_files() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}

/// Raises the soft limit of open file descriptors to the hard one; returns what holds now.
pub fn raise_max_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    // Where this is refused the old limit stays, and the bound on sessions follows it.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: now.maximum,
            maximum: now.maximum,
        },
    );
    max_files()
}

/// `utime` and `stime` of `/proc/self/stat`, fields 14 and 15, counted behind the name in parentheses.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_add(fields.next()?.parse().ok()?)?;
    let hz = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis(ticks.saturating_mul(1_000) / hz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_process() {
        let usage = usage();
        assert!(usage.resident_bytes > 1 << 20, "{usage:?}");
        assert!(
            usage.open_files >= 3 && usage.max_files > usage.open_files,
            "{usage:?}"
        );
        assert!(usage.threads >= 1);
    }
}
