//! Running other programs: printed before they start, failing with the command that failed.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Why a verb failed, in words for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// From words.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self(e.to_string())
    }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// Announces what comes next.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) fn step(what: &str) {
    println!("── {what}");
}

/// A program with its arguments, run from the root of the checkout.
pub(crate) struct Cmd {
    program: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    quiet: bool,
}

impl Cmd {
    /// The program to run.
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            quiet: false,
        }
    }

    /// One more argument.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Prints nothing unless it fails.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs it to the end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let line = self.line();
        let mut command = self.command();
        if self.quiet {
            let out = command
                .stdin(Stdio::null())
                .output()
                .map_err(|e| Failure::new(format!("`{line}`: {e}")))?;
            if !out.status.success() {
                let text = [out.stdout, out.stderr].concat();
                return Err(Failure::new(format!(
                    "`{line}` failed ({}):\n{}",
                    out.status,
                    String::from_utf8_lossy(&text)
                )));
            }
            return Ok(());
        }
        let status = command
            .stdin(Stdio::null())
            .status()
            .map_err(|e| Failure::new(format!("`{line}`: {e}")))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("`{line}` failed ({status})")))
        }
    }

    /// Runs it and gives what it prints on stdout.
    pub(crate) fn output(self) -> Result<String, Failure> {
        let line = self.line();
        let out = self
            .command()
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| Failure::new(format!("`{line}`: {e}")))?;
        if !out.status.success() {
            return Err(Failure::new(format!("`{line}` failed ({})", out.status)));
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// True when it can be started and succeeds; prints nothing.
    pub(crate) fn succeeds(self) -> bool {
        self.command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    }

    /// For those who need the child itself.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(root());
        command.envs(self.envs.iter().map(|(k, v)| (k, v)));
        command
    }

    fn line(&self) -> String {
        let mut line = self.program.clone();
        for arg in &self.args {
            line.push(' ');
            line.push_str(arg);
        }
        line
    }
}

/// `cargo` with these arguments.
pub(crate) fn cargo<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Result<(), Failure> {
    let cmd = Cmd::new("cargo").args(args);
    step(&cmd.line());
    cmd.run()
}
