//! Writing into a kept buffer does not allocate: the buffer neither moves nor grows.

use core_frame::{MediaTime, WallTime};
use millstream_m3u8::Writer;

fn write(text: &mut String, msn: u64) {
    text.clear();
    let mut w = Writer::new(text);
    w.tag("EXTM3U");
    w.tag_integer("EXT-X-MEDIA-SEQUENCE", msn);
    for n in msn..msn + 30 {
        w.program_date_time(WallTime::new(1_795_241_524 + n as i64 * 2, 0));
        w.extinf(MediaTime::from_millis(2_000), "");
        w.uri_with(|out| out.push_str("12.m4s"));
        w.attributes("EXT-X-PART")
            .decimal("DURATION", MediaTime::from_nanos(199_999_999))
            .quoted_with("URI", |out| out.push_str("12.3.m4s"))
            .yes_if("INDEPENDENT", n.is_multiple_of(2))
            .end();
    }
}

#[test]
fn a_kept_buffer_stays_where_it_is() {
    let mut text = String::new();
    write(&mut text, 100);
    let (at, capacity, len) = (text.as_ptr(), text.capacity(), text.len());
    for msn in 101..400 {
        write(&mut text, msn);
        assert_eq!(
            (text.as_ptr(), text.capacity(), text.len()),
            (at, capacity, len)
        );
    }
}
