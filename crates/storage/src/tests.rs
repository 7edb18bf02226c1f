//! The engine as a whole, on the simulated and the real disk.

mod caches;
mod checker;
mod compaction;
mod crash;
mod damage;
mod flush;
mod hosts;
mod log;
mod log_damage;
mod merge_laws;
pub(crate) mod planted;
mod pressure;
mod read_speed;
mod schema;
mod skipping;
mod snapshots;
mod speed;
mod support;
mod tables;
mod ties;
