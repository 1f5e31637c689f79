//! The real server as a process: built, started on free ports, watched, and ended.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use crate::{Finished, Program, Running, free_port, wait_for_listener};

/// Path of the `millstream` binary: `$MILLSTREAM_BIN`, else the one of this build, made first if need be.
///
/// # Errors
/// It cannot be built or is not there.
pub fn binary() -> io::Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PATH.get_or_init(|| build().map_err(|e| e.to_string()))
        .clone()
        .map_err(io::Error::other)
}

fn build() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("MILLSTREAM_BIN") {
        return Ok(path.into());
    }
    // target/PROFILE/deps/it-0123
    let exe = std::env::current_exe()?;
    let folder = exe.ancestors().nth(2).unwrap_or(&exe).to_owned();
    let release = folder.ends_with("release");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Program::new(cargo)
        .line("build --quiet --package millstream-cli")
        .args(release.then_some("--release"))
        .timeout(Duration::from_secs(900))
        .run()?;
    let path = folder.join("millstream");
    if built.succeeded() && path.is_file() {
        return Ok(path);
    }
    Err(io::Error::other(format!(
        "cannot build {}: {}",
        path.display(),
        built.stderr
    )))
}

/// A running server with RTMP and HTTP on free ports of 127.0.0.1 and everything else off; ended when dropped.
#[derive(Debug)]
pub struct Server {
    running: Running,
    rtmp: SocketAddr,
    http: SocketAddr,
    data: tempfile::TempDir,
}

impl Server {
    /// `millstream serve` with more arguments (`--set`, `dvr.window_s=10`, ...), ready to be used.
    ///
    /// # Errors
    /// It did not come up; the error carries its log.
    pub fn start(args: &[&str]) -> io::Result<Self> {
        Self::start_in(args, &[])
    }

    /// The same, with environment variables.
    ///
    /// # Errors
    /// It did not come up; the error carries its log.
    pub fn start_in(args: &[&str], environment: &[(&str, &str)]) -> io::Result<Self> {
        let address = || Ok::<_, io::Error>(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let (rtmp, http) = (address()?, address()?);
        let data = tempfile::tempdir()?;
        let mut program = Program::new(binary()?)
            .arg("serve")
            .arg("--data")
            .arg(data.path());
        for set in [
            format!("rtmp.listen={rtmp}"),
            format!("http.listen={http}"),
            "http.tls_listen=".to_owned(),
            "rtmps.listen=".to_owned(),
            "rtsp.listen=".to_owned(),
            "srt.listen=".to_owned(),
            "webrtc.udp_listen=".to_owned(),
            "webrtc.tcp_listen=".to_owned(),
        ] {
            program = program.args(["--set", &set]);
        }
        for (key, value) in environment {
            program = program.env(key, value);
        }
        let running = program.args(args).spawn()?;
        let server = Self {
            running,
            rtmp,
            http,
            data,
        };
        let up = Duration::from_secs(20);
        if wait_for_listener(http, up) && wait_for_listener(rtmp, up) {
            return Ok(server);
        }
        Err(io::Error::other(format!(
            "the server did not come up:\n{}",
            server.log()
        )))
    }

    /// Where it takes RTMP.
    #[must_use]
    pub fn rtmp(&self) -> SocketAddr {
        self.rtmp
    }

    /// Where it answers HTTP.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// `rtmp://127.0.0.1:PORT/` and the key.
    #[must_use]
    pub fn rtmp_url(&self, key: &str) -> String {
        format!("rtmp://{}/{key}", self.rtmp)
    }

    /// `http://127.0.0.1:PORT/` and the path.
    #[must_use]
    pub fn http_url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.http)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        self.running.is_running()
    }

    /// Asks it to end (SIGTERM) and waits for that.
    #[must_use]
    pub fn stop(self) -> Finished {
        self.running.stop()
    }

    /// A GET over a connection of its own: status and body.
    ///
    /// # Errors
    /// No answer, or none that is HTTP.
    pub fn get(&self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        request(self.http, "GET", path)
    }

    /// GET of a JSON document of the API; `Null` when there is none.
    #[must_use]
    pub fn api(&self, path: &str) -> serde_json::Value {
        let answer = self.get(&format!("api/v1/{path}"));
        answer
            .ok()
            .and_then(|(_, body)| serde_json::from_slice(&body).ok())
            .unwrap_or_default()
    }

    /// Waits until a stream is published and its tracks are known.
    #[must_use]
    pub fn wait_for_stream(&self, key: &str, tracks: usize, within: Duration) -> bool {
        let end = std::time::Instant::now() + within;
        while std::time::Instant::now() < end {
            let stream = self.api(&format!("streams/{key}"));
            let known = stream["tracks"].as_array().map_or(0, Vec::len);
            if stream["state"] == "publishing"
                && known >= tracks
                && stream["frames_in"].as_u64() > Some(0)
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

/// One HTTP/1.1 request over a connection of its own: status and body.
///
/// # Errors
/// No answer, or none that is HTTP.
pub fn request(to: SocketAddr, method: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        socket,
        "{method} /{path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let bad = || io::Error::other("the answer is not HTTP");
    let split = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(bad)?;
    let (head, body) = answer.split_at(split);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(bad)?;
    let body = body.get(4..).unwrap_or_default();
    if head.contains("transfer-encoding: chunked") {
        return Ok((status, unchunk(body)));
    }
    Ok((status, body.to_vec()))
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let (size, rest) = body.split_at(end);
        let size = std::str::from_utf8(size).unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(part) = rest.get(2..2 + size) else {
            break;
        };
        out.extend_from_slice(part);
        body = rest.get(4 + size..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    out
}
