//! SSTables: Cassandra's component files, written and read.
//!
//! A flush or a compaction feeds a [`Writer`] with partitions in token order and gets a set of files that
//! Cassandra 5.0 takes as its own; reads open the set as an [`SsTable`] and get streams of partitions back.
//! The files never change after that, but for `Statistics.db`.
//!
//! Read in order: [`Descriptor`] (which files), [`SsTable`] (reads), [`Writer`] (writes), [`Metadata`] (what
//! an SSTable says of itself), then inside: `row` (the bytes of Data.db), `chunk` (compression), `trie`,
//! `index`, `filter`, `statistics`, and `cache` (blocks that many reads share). [`verify`] and [`scrub`] judge and
//! save what is there.
//!
//! Never here: schema changes, which SSTables there are, policy.

pub mod cache;
pub mod description;
pub mod descriptor;
pub mod elements;
pub mod error;
pub mod metadata;

mod chunk;
mod cursor;
mod filter;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod header_table;
mod index;
pub mod partitioner;
mod row;
mod scan;
mod source;
mod statistics;
mod stream;
mod trie;

pub mod change;
pub mod histograms;

pub mod copy;
pub mod reader;
pub mod scrub;
pub mod verify;
pub mod walk;
pub mod writer;

pub use cache::keys::KeyCache;
pub use cache::{BlockCache, BlockCacheStats, Caches};
pub use change::{StatisticsChange, change_statistics};
pub use copy::{Copied, CopyError, CopyInput, CopyMap};
pub use description::Description;
pub use descriptor::{Component, Descriptor, SsTableId, Version};
pub use elements::Elements;
pub use error::{ReadError, WriteError};
pub use histograms::{Histograms, read_histograms};
pub use metadata::{CommitLogInterval, EncodingStats, Metadata, Partitioner};
pub use reader::SsTable;
pub use scrub::{ScrubError, ScrubOptions, ScrubReport, scrub};
pub use statistics::change::{set_level, set_repaired};
pub use verify::{Progress, VerifyFinding, VerifyOptions, VerifyReport, verify};
pub use walk::Walk;
pub use writer::{Compression, Compressor, WriteOptions, Writer, Written};

#[cfg(test)]
mod tests;
