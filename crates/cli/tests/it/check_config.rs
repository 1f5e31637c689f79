//! `check-config`: exit 2 with file, line and reason; otherwise what is in effect.

use crate::support::said;

#[test]
fn mistakes_are_named_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(&file, "[rtmp]\nlisten = ':1935'\n\n[hls]\npart_ns = 3\n").unwrap();
    let path = file.to_str().unwrap();
    let (out, err, code) = said(&["check-config", path]);
    assert_eq!((out.as_str(), code), ("", 2));
    let want = format!(
        "millstream: {path}:5: unknown key \"hls.part_ns\" in the configuration; did you mean \"hls.part_ms\"?\n"
    );
    assert_eq!(err, want);
    // The server refuses it in the same words.
    let (_, err, code) = said(&["serve", "--config", path]);
    assert_eq!((err, code), (want, 2));
}

#[test]
fn a_good_file_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(
        &file,
        "[api]\ntoken = 'geheim'\n[srt]\nlisten = ':9'\n[hls]\npart_ms = 250\n",
    )
    .unwrap();
    let (out, err, code) = said(&["check-config", file.to_str().unwrap()]);
    assert_eq!((err.as_str(), code), ("", 0));
    assert!(
        out.contains("part_ms = 250") && out.contains("(line 6)"),
        "{out}"
    );
    assert!(
        out.contains("#   srt.listen has no effect: SRT is not built in yet"),
        "{out}"
    );
    assert!(!out.contains("geheim"), "{out}");
}
