//! Compaction: joining SSTables, and what is purged on the way.
//!
//! Read in order: [`strategy`] (which SSTables, a decision without I/O).

pub mod strategy;
