//! The written reference says what the program says.

use std::fs;
use std::path::Path;
use std::process::Command;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_configuration_page_lists_every_key_with_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "").unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .arg("check-config")
        .arg(&empty)
        .output()
        .unwrap();
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    let (_, keys) = text.split_once("\n\n").unwrap();
    assert!(keys.contains("[http]"), "{keys}");
    let page = page("docs/configuration.md");
    assert!(
        page.contains(keys.trim_end()),
        "docs/configuration.md is out of step with check-config:\n{keys}"
    );
}

#[test]
fn the_readme_names_every_command() {
    let out = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    let (_, commands) = help.split_once("Commands:").unwrap();
    let readme = page("README.md");
    let mut seen = 0;
    for line in commands.lines().take_while(|l| !l.starts_with("Options")) {
        let name = line.split_whitespace().next().unwrap_or("help");
        if name != "help" {
            seen += 1;
            assert!(
                readme.contains(&format!("`millstream {name}")),
                "README.md does not name {name}"
            );
        }
    }
    assert!(seen >= 5, "{help}");
}
