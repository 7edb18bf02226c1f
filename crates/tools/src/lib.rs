//! The offline tools: they look at SSTables, judge them, save what can be saved, and bring Cassandra's data in.
//!
//! Read in order: [`command`] (the subcommands), [`dump`], [`metadata`], [`judge`] (verify and scrub), [`export`],
//! [`import`] (SSTables into a data directory), [`cassandra`] (a whole data directory of Cassandra's).
//!
//! Never here: what bytes mean (`sstable`), what a running node does (`nodetool`).

pub mod command;

pub mod cassandra;
pub mod dump;
pub mod export;
pub mod import;
pub mod judge;
pub mod metadata;

pub mod error;
pub mod json;
pub mod node;
pub mod place;
pub mod progress;
pub mod target;

pub use command::{ImportCommand, SsTableCommand};
pub use error::ToolError;
