//! The viewer's own query parameters, copied onto the URIs in a playlist.

use crate::directives::parameters;

/// The query to append to each URI of a playlist: everything but the directives, with what could break a line or end a
/// quoted string percent-encoded. Empty, or begins with `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suffix {
    /// On playlists: with `ll=0`, so that a viewer who asked for plain playlists gets only such.
    pub(crate) playlists: String,
    /// On media.
    pub(crate) media: String,
}

impl Suffix {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let mut suffix = Self::default();
        for parameter in query.unwrap_or("").split('&').filter(|p| !p.is_empty()) {
            let Some((name, value)) = parameters(Some(parameter)).next() else {
                continue;
            };
            if name.starts_with("_HLS_") {
                continue;
            }
            push(&mut suffix.playlists, parameter);
            if (name, value) != ("ll", "0") {
                push(&mut suffix.media, parameter);
            }
        }
        suffix
    }
}

fn push(out: &mut String, parameter: &str) {
    out.push(if out.is_empty() { '?' } else { '&' });
    for b in parameter.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~%!$'()*+,;=:@/?".contains(&b) {
            out.push(char::from(b));
        } else {
            let digit = |n: u8| {
                char::from(
                    b"0123456789ABCDEF"
                        .get(usize::from(n))
                        .copied()
                        .unwrap_or(b'0'),
                )
            };
            out.extend(['%', digit(b >> 4), digit(b & 0xF)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_everything_but_the_directives() {
        let s = Suffix::of(Some(
            "_HLS_msn=3&token=a%20b&_HLS_part=1&x=%22&ll=0&_HLS_skip=YES&&y",
        ));
        assert_eq!(s.playlists, "?token=a%20b&x=%22&ll=0&y");
        assert_eq!(s.media, "?token=a%20b&x=%22&y");
        assert_eq!(Suffix::of(Some("_HLS_msn=3")), Suffix::default());
        assert_eq!(Suffix::of(None), Suffix::default());
    }

    #[test]
    fn nothing_breaks_out_of_a_playlist_line() {
        let s = Suffix::of(Some("t=a\"b\n#EXT-X-ENDLIST c<é"));
        assert_eq!(s.media, "?t=a%22b%0A%23EXT-X-ENDLIST%20c%3C%C3%A9");
    }
}
