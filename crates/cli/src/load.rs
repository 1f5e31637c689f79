//! `load`: many players or publishers.
use crate::args::Load;
use crate::exit::Exit;
pub(crate) fn run(_: Load) -> anyhow::Result<Exit> {
    Ok(Exit::Done)
}
