//! The engine as a whole, on the simulated and the real disk.

mod checker;
mod compaction;
mod crash;
mod flush;
mod log;
mod merge_laws;
pub(crate) mod planted;
mod schema;
mod snapshots;
mod speed;
mod support;
mod tables;
