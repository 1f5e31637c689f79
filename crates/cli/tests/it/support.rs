//! Running the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary with these arguments.
pub(crate) fn millstream(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(args).env_remove("RUST_LOG");
    command
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    millstream(args).output().unwrap()
}

/// What it said on stdout and stderr, and its exit code.
pub(crate) fn said(args: &[&str]) -> (String, String, i32) {
    let output = run(args);
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap(),
    )
}

/// A server of its own in a folder of its own.
pub(crate) struct Demo {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) http: String,
    pub(crate) rtmp: String,
    pub(crate) began: Duration,
    _data: tempfile::TempDir,
}

impl Demo {
    /// `millstream demo` on free ports.
    pub(crate) fn start(more: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let mut child = millstream(&[
            "demo",
            "--set",
            "http.listen=127.0.0.1:0",
            "--set",
            "rtmp.listen=127.0.0.1:0",
        ])
        .arg("--data")
        .arg(data.path())
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut url = |what: &str| {
            let line = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|l| l.trim_start().starts_with(what))
                .unwrap();
            let url = line.split("://").nth(1).unwrap().to_owned();
            url.split('/')
                .next()
                .unwrap()
                .replace("localhost", "127.0.0.1")
        };
        let (http, rtmp) = (url("watch"), url("RTMP"));
        Self {
            child,
            http,
            rtmp,
            began: begun.elapsed(),
            _data: data,
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// The answer to a GET, as far as `most` bytes.
    pub(crate) fn get(&self, path: &str, most: usize) -> Vec<u8> {
        let mut socket = TcpStream::connect(&self.http).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 16_384];
        while answer.len() < most {
            match socket.read(&mut piece).unwrap() {
                0 => break,
                n => answer.extend_from_slice(&piece[..n]),
            }
        }
        answer
    }

    /// Sends a signal; returns the exit code, how long it took, and what was logged.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Duration, String) {
        let begun = Instant::now();
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), begun.elapsed(), log)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
