//! The only door outside: clock, randomness, files, network, threads.
//!
//! Everything the rest of the house does to the world goes through a [`Runtime`] handle. There are two
//! kinds behind it: [`real`] (one OS thread per shard, tokio, the machine's disk) and [`sim`] (one thread,
//! virtual time, a disk with fsync semantics and a network in memory, every choice drawn from a seed).
//! Code above cannot tell which one it has; one test suite runs on both.
//!
//! What keeps code above deterministic: everything from a [`Runtime`]; `tokio::sync` is welcome, `tokio::time`,
//! `net`, `task` and `fs` are not; `select!` only with `biased;`; no order taken from a randomly seeded hash map.
//!
//! Read in order: [`Runtime`] (what callers hold), [`Clock`], [`Random`], [`Disk`], [`net`], then
//! [`real::RealRuntime`] and [`sim::SimRuntime`] (who starts it).
//!
//! Never here: CQL, SSTables, logging, any knowledge of what the bytes mean.

mod handle;

pub mod clock;

pub mod random;

pub mod disk;

pub mod net;

pub mod real;

pub mod sim;

pub use clock::Clock;
pub use disk::{Disk, DiskEntry, DiskFile, DiskLock, DiskSpace, Locked, OpenMode};
pub use handle::{Job, Runtime, Signal, TimedOut};
pub use net::{DetachedStream, Listener, ReadHalf, Stream, WriteHalf};
pub use random::Random;

#[cfg(test)]
mod suite;
