//! The view of a stream that a player or a remote server is written from.

use bus::{StreamHandle, ViewHandle, ViewSpec};
use core_frame::{MediaKind, Pick, TrackTable};
use flv::Layout;

use super::FanOut;
use crate::render::{RtmpRender, view_name};

/// One view for all who get the same bytes at the same pace.
pub(super) fn open(
    handle: &StreamHandle,
    layout: &Layout,
    message_stream: u32,
    chunk_size: u32,
    fan_out: FanOut,
) -> core_frame::Result<ViewHandle> {
    let layout = fitted(layout, &handle.tracks());
    let name = view_name(&layout, message_stream, chunk_size);
    let choice = layout.choice.clone();
    let spec = ViewSpec::new(format!("{name}/{fan_out:?}"), fan_out.pace(), move || {
        Box::new(RtmpRender::new(message_stream, chunk_size).layout(layout))
    });
    handle.view(spec.choice(choice))
}

/// Where the main track of a kind is in a codec that this layout cannot carry, the first one that it can: a player that
/// knows H.264 alone gets the H.264 track of a publisher whose first is AV1. Judged by the tracks at opening.
fn fitted(layout: &Layout, table: &TrackTable) -> Layout {
    let mut fitted = layout.clone();
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let pick = |layout: &mut Layout, pick| match kind {
            MediaKind::Video => std::mem::replace(&mut layout.choice.video, pick),
            _ => std::mem::replace(&mut layout.choice.audio, pick),
        };
        let carries = |layout: &Layout| layout.plan(table).tracks().any(|t| t.kind() == kind);
        let wanted = pick(&mut fitted, Pick::Main);
        let is_main = wanted == Pick::Main;
        pick(&mut fitted, wanted);
        if !is_main || carries(&fitted) {
            continue;
        }
        let count = table.tracks.iter().filter(|t| t.kind() == kind).count();
        for n in 2..=u8::try_from(count).unwrap_or(u8::MAX) {
            pick(&mut fitted, Pick::Nth(n));
            if carries(&fitted) {
                break;
            }
            pick(&mut fitted, Pick::Main);
        }
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_frame::{CodecId, TrackId, TrackInfo};
    use flv::CodecForm;

    fn table(codecs: &[CodecId]) -> TrackTable {
        let tracks = codecs.iter().zip(10..);
        TrackTable::new(tracks.map(|(codec, id)| TrackInfo::new(TrackId(id), *codec)))
    }

    #[test]
    fn a_player_gets_the_first_track_that_it_knows() {
        let mut legacy = Layout::default();
        legacy.codecs = CodecForm::Legacy;
        let (av1, h264, aac) = (CodecId::Av1, CodecId::H264, CodecId::Aac);
        for (tracks, want) in [
            (vec![h264, av1, aac], "video=main&audio=main&codecs=legacy"),
            (vec![av1, h264, aac], "video=2&audio=main&codecs=legacy"),
            (vec![av1, av1, h264], "video=3&audio=main&codecs=legacy"),
            (vec![av1, aac], "video=main&audio=main&codecs=legacy"),
            (vec![CodecId::Opus, aac], "video=main&audio=2&codecs=legacy"),
        ] {
            assert_eq!(
                fitted(&legacy, &table(&tracks)).to_string(),
                want,
                "{tracks:?}"
            );
        }
        let usual = Layout::default();
        assert_eq!(fitted(&usual, &table(&[av1, h264])), usual);
    }
}
