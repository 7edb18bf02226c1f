//! The engine as a whole, on the simulated and the real disk.

mod checker;
mod compaction;
mod crash;
mod damage;
mod flush;
mod log;
mod read_speed;
mod log_damage;
mod merge_laws;
pub(crate) mod planted;
mod pressure;
mod schema;
mod snapshots;
mod skipping;
mod speed;
mod support;
mod tables;
