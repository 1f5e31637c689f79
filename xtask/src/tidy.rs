//! `cargo xtask tidy`: the house rules that a machine can check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cmd::{Cmd, Failure, cargo, root, step};

/// Crates without socket, clock, task or runtime, whole.
const PURE: [&str; 8] = [
    "core-frame",
    "bitstream",
    "flv",
    "cmaf",
    "m3u8",
    "mpegts",
    "synth",
    "hls-live",
];

/// Crates of which all but the shell (`src/net`, `src/runtime`) is pure.
const PURE_BUT_SHELL: [&str; 2] = ["ingest-rtmp", "chunk-processor"];

/// What no pure file says. Types may be named (`now: Instant`); reading the clock may not.
const IMPURE: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "tokio::",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::fs",
    "UdpSocket",
    "TcpStream",
];

/// What no file says.
const UNFINISHED: [&str; 4] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
];

/// Longest file a person is asked to read in one go, tests included.
const LONGEST: usize = 1_200;

/// Runs every check; the first that fails ends it.
pub(crate) fn run() -> Result<(), Failure> {
    step("tidy: floors, module lines, pure cores");
    let metadata = metadata()?;
    let mut faults = floors(&metadata);
    faults.extend(sources()?);
    faults.extend(architecture(&metadata)?);
    if !faults.is_empty() {
        return Err(Failure::new(format!("\n  {}", faults.join("\n  "))));
    }
    no_runtime_in_cores()?;
    cargo(["fmt", "--all", "--check"])?;
    cargo([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    deny()?;
    features()
}

fn metadata() -> Result<Value, Failure> {
    let text = Cmd::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .or_else(|_| {
            Cmd::new("cargo")
                .args(["metadata", "--format-version", "1", "--no-deps"])
                .output()
        })?;
    serde_json::from_str(&text).map_err(|e| Failure::new(format!("cargo metadata: {e}")))
}

/// Packages under `crates/`: name, floor, folder.
fn rooms(metadata: &Value) -> BTreeMap<String, (Option<i64>, String)> {
    let mut rooms = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let path = package["manifest_path"].as_str().unwrap_or_default();
        let folder = path
            .split("/crates/")
            .nth(1)
            .and_then(|p| p.split('/').next());
        if let Some(folder) = folder {
            let floor = package["metadata"]["house"]["floor"].as_i64();
            rooms.insert(name, (floor, folder.to_owned()));
        }
    }
    rooms
}

/// Every dependency between our crates goes strictly down. `testkit` stands beside the house: tests may use it
/// anywhere, code nowhere.
fn floors(metadata: &Value) -> Vec<String> {
    let rooms = rooms(metadata);
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((floor, _)) = rooms.get(name) else {
            continue;
        };
        let Some(floor) = floor else {
            faults.push(format!("{name}: no [package.metadata.house] floor"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let Some((Some(below), _)) = rooms.get(to) else {
                continue;
            };
            if to == "millstream-testkit" {
                if !for_tests {
                    faults.push(format!("{name}: testkit is for tests only"));
                }
            } else if below >= floor {
                faults.push(format!(
                    "{name} (floor {floor}) depends on {to} (floor {below}): arrows point strictly down"
                ));
            }
        }
    }
    faults
}

/// Reads every source file once and checks what can be seen in its text.
fn sources() -> Result<Vec<String>, Failure> {
    let mut faults = Vec::new();
    let top = root();
    for folder in ["crates", "xtask", "tests", "examples", "fuzz"] {
        let mut files = Vec::new();
        rust_files(&top.join(folder), &mut files)?;
        for file in files {
            let text = fs::read_to_string(&file)?;
            let shown = file
                .strip_prefix(&top)
                .unwrap_or(&file)
                .display()
                .to_string();
            check_file(&shown, &text, &mut faults);
        }
    }
    Ok(faults)
}

fn check_file(shown: &str, text: &str, faults: &mut Vec<String>) {
    let parts: Vec<&str> = shown.split('/').collect();
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: begins with no //! line"));
    }
    for word in UNFINISHED {
        if text.contains(word) {
            faults.push(format!("{shown}: says {word}"));
        }
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{shown}: {lines} lines; split it by noun"));
    }
    let [_, room, "src", inside @ ..] = parts.as_slice() else {
        return;
    };
    if parts.first() != Some(&"crates") {
        return;
    }
    if inside == ["lib.rs"] && !text.contains("#![forbid(unsafe_code)]") {
        faults.push(format!("{shown}: no #![forbid(unsafe_code)]"));
    }
    let in_shell = matches!(inside.first(), Some(&"net" | &"runtime"));
    let is_test = inside.last() == Some(&"tests.rs");
    let is_pure = PURE.contains(room) || (PURE_BUT_SHELL.contains(room) && !in_shell);
    if is_pure && !is_test {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
        for (at, line) in code.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") {
                continue;
            }
            for word in IMPURE.into_iter().filter(|w| line.contains(w)) {
                faults.push(format!("{shown}:{}: a pure core says {word}", at + 1));
            }
        }
    }
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if path
                .file_name()
                .is_none_or(|n| n != "target" && n != "node_modules")
            {
                rust_files(&path, into)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

/// ARCHITECTURE.md has a paragraph for each crate.
fn architecture(metadata: &Value) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    Ok(rooms(metadata)
        .into_values()
        .filter(|(_, folder)| !text.contains(&format!("**{folder}**")))
        .map(|(_, folder)| format!("ARCHITECTURE.md has no paragraph **{folder}**"))
        .collect())
}

/// The pure crates have no async runtime anywhere in their tree.
fn no_runtime_in_cores() -> Result<(), Failure> {
    for room in PURE
        .iter()
        .filter(|r| **r != "hls-live")
        .chain(&PURE_BUT_SHELL)
    {
        let tree = Cmd::new("cargo")
            .args([
                "tree",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--no-default-features",
            ])
            .args(["--package", &format!("millstream-{room}")])
            .output()?;
        if tree.lines().any(|l| l.starts_with("tokio ")) {
            return Err(Failure::new(format!(
                "{room}: tokio is in the tree of a pure core"
            )));
        }
    }
    Ok(())
}

/// Licences, bans, sources and known advisories, without a network.
fn deny() -> Result<(), Failure> {
    unpack_advisories()?;
    let cmd = Cmd::new("cargo").args([
        "deny",
        "--offline",
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
    ]);
    step("cargo deny --offline check");
    cmd.run()
}

/// The advisory database comes with the project, as data; `cargo deny` wants it as a git repository of its own.
fn unpack_advisories() -> Result<(), Failure> {
    let top = root();
    // cargo-deny names the folder after the database's address and a hash of it.
    let db = top.join("target/advisory-dbs/advisory-db-3157b0e258782691");
    if db.join(".git").is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&db)?;
    let at = db.display().to_string();
    Cmd::new("tar")
        .args(["xzf", "xtask/data/advisory-db.tar.gz", "-C", &at])
        .quiet()
        .run()?;
    let git = |args: &[&str]| {
        Cmd::new("git")
            .args([
                "-C",
                &at,
                "-c",
                "user.name=tidy",
                "-c",
                "user.email=tidy@localhost",
            ])
            .args(args.iter().copied())
            .quiet()
            .run()
    };
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-qm", "advisories"])?;
    // A fetch is what gives a database its age.
    fs::write(db.join(".git/FETCH_HEAD"), "")?;
    Ok(())
}

/// The facade builds with no feature and with each alone.
fn features() -> Result<(), Failure> {
    cargo([
        "hack",
        "check",
        "--quiet",
        "--each-feature",
        "--package",
        "millstream",
    ])?;
    cargo([
        "check",
        "--quiet",
        "--no-default-features",
        "--package",
        "millstream-ingest-rtmp",
    ])?;
    cargo([
        "check",
        "--quiet",
        "--no-default-features",
        "--package",
        "millstream-chunk-processor",
    ])
}
