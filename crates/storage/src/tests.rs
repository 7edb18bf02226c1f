//! The engine as a whole, on the simulated and the real disk.

mod crash;
mod log;
mod schema;
mod flush;
mod speed;
mod support;
mod tables;
