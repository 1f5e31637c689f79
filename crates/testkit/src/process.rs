//! Programs under test: started, listened to, and never left behind.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program to run: arguments, input, and a limit of time.
#[derive(Debug)]
pub struct Program {
    command: Command,
    input: Option<Vec<u8>>,
    timeout: Duration,
}

impl Program {
    /// A program by name or path; 60 s to run, no input.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: None,
            timeout: Duration::from_secs(60),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Arguments as on a command line, split at white space.
    #[must_use]
    pub fn line(self, line: &str) -> Self {
        self.args(line.split_whitespace())
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// What it reads from standard input.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// After this it is stopped.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Runs to its end or to the limit.
    ///
    /// # Errors
    /// It could not be started.
    pub fn run(self) -> io::Result<Finished> {
        let limit = self.timeout;
        Ok(self.spawn()?.finish_within(limit))
    }

    /// Starts it, in a process group of its own, so that whatever it starts ends with it.
    ///
    /// # Errors
    /// It could not be started.
    pub fn spawn(mut self) -> io::Result<Running> {
        let stdin = if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = self.command.spawn()?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), self.input.take()) {
            // A program may stop reading when it has enough.
            std::thread::spawn(move || pipe.write_all(&input).is_ok());
        }
        let out = Capture::of(child.stdout.take());
        let err = Capture::of(child.stderr.take());
        Ok(Running {
            child,
            out,
            err,
            begun: Instant::now(),
            ended: false,
        })
    }
}

/// A running program; stopped when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Capture,
    err: Capture,
    begun: Instant,
    ended: bool,
}

impl Running {
    /// Its process id, which is also its group's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        self.out.bytes().clone()
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.err.bytes()).into_owned()
    }

    /// Waits until `done` is true of it; false when it is not in time, or when the program has ended without.
    pub fn wait_until(&mut self, within: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + within;
        loop {
            let ended = !self.is_running();
            if done(self) {
                return true;
            }
            if ended || Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end; stops it when that does not come in time.
    #[must_use]
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        let ended = self.wait_until(limit, |_| false) || !self.is_running();
        self.end("-TERM", !ended)
    }

    /// Asks it to end (SIGTERM), and ends it after 10 s.
    #[must_use]
    pub fn stop(mut self) -> Finished {
        self.end("-TERM", false)
    }

    /// Asks it to end the way Ctrl-C does (SIGINT), and ends it after 10 s.
    #[must_use]
    pub fn interrupt(mut self) -> Finished {
        self.end("-INT", false)
    }

    /// Ends it at once (SIGKILL).
    #[must_use]
    pub fn kill(mut self) -> Finished {
        self.end("-KILL", false)
    }

    fn end(&mut self, how: &str, timed_out: bool) -> Finished {
        if self.is_running() {
            signal(how, self.pid());
            let end = Instant::now() + Duration::from_secs(10);
            while self.is_running() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // The group may outlive its leader: a browser's helpers do.
        signal("-KILL", self.pid());
        let status = self.child.wait().ok();
        self.ended = true;
        let took = self.begun.elapsed();
        self.out.join();
        self.err.join();
        Finished {
            status,
            timed_out,
            stdout: std::mem::take(&mut *self.out.bytes()),
            stderr: String::from_utf8_lossy(&self.err.bytes()).into_owned(),
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        signal("-KILL", self.pid());
        // Nothing is left to be done about a failure here.
        let _ = self.child.wait();
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How, when that is known.
    pub status: Option<ExitStatus>,
    /// It did not end by itself in time.
    pub timed_out: bool,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// It ended by itself, with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        !self.timed_out && self.status.is_some_and(|s| s.success())
    }

    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A pipe read to its end by a thread.
#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let reader = pipe.map(|mut pipe| {
            let bytes = Arc::clone(&bytes);
            std::thread::spawn(move || {
                let mut part = [0; 65_536];
                while let Ok(n @ 1..) = pipe.read(&mut part) {
                    lock(&bytes).extend_from_slice(part.get(..n).unwrap_or_default());
                }
            })
        });
        Self { bytes, reader }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        lock(&self.bytes)
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It only ends early by a panic, which leaves what was read.
            let _ = reader.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Signals a process group that we made.
fn signal(signal: &str, group: u32) {
    let group = format!("-{group}");
    // A group that is gone already is what was wanted.
    let _ = Command::new("kill")
        .args([signal, "--", &group])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_input_and_status_come_back() {
        let done = Program::new("sh")
            .args(["-c", "cat; echo oops >&2; exit 3"])
            .input(b"hello".to_vec())
            .run()
            .unwrap();
        assert_eq!(
            (done.text().as_str(), done.stderr.as_str()),
            ("hello", "oops\n")
        );
        assert_eq!(done.status.unwrap().code(), Some(3));
        assert!(!done.succeeded());
    }

    #[test]
    fn what_hangs_is_stopped_with_its_children() {
        let done = Program::new("sh")
            .args(["-c", "sleep 77 & echo $!; wait"])
            .timeout(Duration::from_millis(300))
            .run()
            .unwrap();
        assert!(done.timed_out && done.took < Duration::from_secs(5));
        let child: u32 = done.text().trim().parse().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(crate::resources::rss_kib(child), None);
    }
}
