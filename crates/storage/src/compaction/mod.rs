//! Compaction: SSTables of one table become others that hold the same data, in fewer files and without what
//! nobody can see any more.
//!
//! Read in order: [`operation`] (what others ask for and see), [`strategy`] (which SSTables next, a decision without
//! I/O).
//!
//! Never here: schema changes.

pub mod operation;
pub use operation::{
    CompactScope, CompactionStats, Operation, OperationKind, ScrubOptions, ScrubReport, TombstoneOption,
    VerifyFinding, VerifyOptions,
};

pub mod strategy;
