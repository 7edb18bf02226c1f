//! The offline tools: they look at SSTables, judge them, save what can be saved, and bring Cassandra's data in.
//!
//! Read in order: [`run`] (the subcommands), [`dump`], [`metadata`], [`verify`], [`scrub`], [`export`],
//! [`import`] (SSTables into a data directory), [`cassandra`] (a whole data directory of Cassandra's).
//!
//! Never here: what bytes mean (`sstable`), what a running node does (`nodetool`).

pub mod error;
pub mod json;
pub mod progress;
pub mod target;

pub mod dump;
pub mod metadata;

pub use error::ToolError;
