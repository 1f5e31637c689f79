//! What a process uses, read from /proc.

use std::fs;

/// Resident memory in KiB; `None` when the process is gone.
#[must_use]
pub fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Open file descriptors; `None` when the process is gone.
#[must_use]
pub fn open_files(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// Threads; `None` when the process is gone.
#[must_use]
pub fn threads(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/task")).ok()?.count())
}

/// CPU seconds used so far, user and system, at the kernel's usual 100 ticks a second; `None` when the process is gone.
#[must_use]
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields start behind the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_process() {
        let pid = std::process::id();
        assert!(rss_kib(pid).unwrap() > 500);
        assert!(open_files(pid).unwrap() >= 3);
        assert!(threads(pid).unwrap() >= 1);
        assert!(cpu_seconds(pid).is_some());
        assert_eq!(rss_kib(u32::MAX), None);
    }
}
