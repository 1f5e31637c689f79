//! The view of a stream that a player or a remote server is written from.

use bus::{StreamHandle, ViewHandle, ViewSpec};
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
    let name = view_name(layout, message_stream, chunk_size);
    let (choice, layout) = (layout.choice.clone(), layout.clone());
    let spec = ViewSpec::new(format!("{name}/{fan_out:?}"), fan_out.pace(), move || {
        Box::new(RtmpRender::new(message_stream, chunk_size).layout(layout))
    });
    handle.view(spec.choice(choice))
}
