//! Links to other servers: sources that are fetched, targets that are pushed to, each kept up for as long as it is
//! wanted, with a state that can be looked at.

mod demand;
mod entry;
mod fleet;

pub(crate) use demand::OnDemand;
pub(crate) use entry::{Entry, Kind, Snapshot};
pub(crate) use fleet::Links;
