//! Strict mode: the first broken rule, with its line.

use millstream_m3u8::*;

#[test]
fn names_line_and_rule() {
    for (text, line, rule) in [
        ("#EXTM3U \n", 1, "first line"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4\na\n",
            3,
            "comma",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:5,\na\n",
            5,
            "longer than EXT-X-TARGETDURATION",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3.5,\na\n",
            5,
            "VERSION is lower",
        ),
        ("#EXTM3U\n#EXTINF:3,\na\n", 4, "TARGETDURATION is required"),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"x\"\nv\n",
            2,
            "BANDWIDTH",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
            3,
            "followed by its URI",
        ),
        (
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a\"\n",
            2,
            "GROUP-ID",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:HOLD-BACK=5\n",
            4,
            "HOLD-BACK",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART:DURATION=1,URI=\"a\"\n",
            4,
            "PART-INF",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n\
             #EXT-X-SERVER-CONTROL:PART-HOLD-BACK=3\n#EXT-X-PART:DURATION=1.1,URI=\"a\"\n",
            6,
            "PART-TARGET",
        ),
    ] {
        match parse(text.as_bytes(), &ParseOptions::strict()) {
            Err(Error::Broken {
                line: at,
                rule: why,
            }) => {
                assert!(why.contains(rule), "{text}: {why}");
                assert_eq!(at, line, "{text}: {why}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn good_samples_pass() {
    let mut passed = 0;
    for (path, bytes) in super::fixtures::all() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if [
            "8.1-",
            "8.2-",
            "8.3-",
            "8.4-",
            "8.5-",
            "bipbop_16x9",
            "img_bipbop",
        ]
        .iter()
        .any(|p| name.starts_with(p))
        {
            if let Err(e) = parse(&bytes, &ParseOptions::strict()) {
                panic!("{name}: {e}");
            }
            passed += 1;
        }
    }
    assert!(passed >= 7, "{passed}");
}
