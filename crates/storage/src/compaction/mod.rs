//! Compaction: SSTables of one table become others that hold the same data, in fewer files and without what
//! nobody can see any more.
//!
//! Read in order: [`operation`] (what others ask for and see), [`history`] (what is kept of it), [`strategy`] (which SSTables next, a decision without
//! I/O), `transaction` (how SSTables take the place of others, whatever happens), `merge`, `purge` and `shadow` (what of
//! a partition stays), `task` (one rewrite, step by step), `cut` (into which SSTables), `finish` (its commit), `context`
//! (what all of them share), then `engine::compact` (what callers use).
//!
//! Never here: schema changes, locks across I/O.

pub mod operation;
pub use operation::{CompactScope, CompactionStats, Operation, OperationKind, TombstoneOption};

pub mod history;
pub use history::{CompactionRecord, History};

pub mod strategy;

pub(crate) mod transaction;

pub(crate) mod merge;
pub(crate) mod purge;
pub(crate) mod shadow;

pub(crate) mod cut;
pub(crate) mod task;

pub(crate) mod finish;
pub(crate) mod replace;

pub(crate) mod context;
mod rate;

pub(crate) mod facts;
