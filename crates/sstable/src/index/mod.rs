//! Where partitions and their rows are: one face for the two kinds of index.
//!
//! Of trie-indexed SSTables (BTI) that is [`partitions`] and [`rows`]; of those with Index.db (BIG) it is [`big`]
//! with a [`summary`] and, inside the entries of wide partitions, a [`promoted`] index.
//!
//! Never here: Data.db. Whatever an index says of it is checked by who reads there.

pub(crate) mod big;
pub(crate) mod partitions;
pub(crate) mod promoted;
pub(crate) mod rows;
pub(crate) mod summary;
pub(crate) mod writer;

use bytes::Bytes;
use model::read::Position;
use model::{DeletionTime, PartitionKey};

use crate::descriptor::Component;
use crate::error::ReadError;
use crate::metadata::Partitioner;
use crate::statistics::stats::Stats;
use crate::trie::pages::Pages;
use big::BigIndex;
use partitions::{PartitionIndex, Target};

/// The index of an open SSTable.
pub(crate) enum Index {
    /// Partitions.db and Rows.db.
    Bti { partitions: PartitionIndex, rows: Pages },
    /// Index.db and Summary.db.
    Big(BigIndex),
    /// It cannot be read, which only a scrub puts up with: nothing is looked up.
    Lost {
        /// The order of its partitions.
        partitioner: Partitioner,
        /// About how many partitions, by the statistics.
        count: u64,
        /// The first and the last key by the statistics; empty in versions that do not say them.
        ends: (PartitionKey, PartitionKey),
    },
}

/// Where a partition is.
pub(crate) struct Located {
    /// Its first byte in the uncompressed stream of Data.db.
    pub(crate) data: u64,
    /// Its key, if the index has it whole.
    pub(crate) key: Option<Vec<u8>>,
    /// The index of its rows, if it is wide.
    pub(crate) rows: Option<RowIndex>,
}

/// The index of a wide partition's rows.
pub(crate) enum RowIndex {
    /// The root of its trie in Rows.db.
    Bti(u64),
    /// Inside Index.db.
    Big(promoted::Promoted),
}

/// A block of a wide partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Nothing in it stands before this place.
    pub(crate) separator: Vec<u8>,
    /// Its first element stands right there.
    pub(crate) is_exact: bool,
    /// Its first byte, from the partition's start.
    pub(crate) offset: u64,
    /// The range deletion that is open where it starts.
    pub(crate) open: Option<DeletionTime>,
}

/// An iteration over partitions in their order.
pub(crate) enum Targets {
    Bti(partitions::Targets),
    Big(big::Targets),
}

/// The blocks of a partition from one downwards.
pub(crate) enum Blocks {
    Bti(rows::Blocks),
    Big(promoted::Blocks),
}

impl Index {
    /// What the statistics know of it; `data_bytes`: how much there can be at most.
    pub(crate) fn lost(partitioner: Partitioner, stats: &Stats, data_bytes: u64) -> Index {
        const PARTITION_BYTES_MIN: u64 = 5;
        let key = |bytes: &[u8]| partitioner.key(Bytes::copy_from_slice(bytes));
        let ends = (key(&stats.first_key), key(&stats.last_key));
        let count = stats.partition_sizes.count().min(data_bytes / PARTITION_BYTES_MIN);
        Index::Lost { partitioner, count, ends }
    }

    /// The first and the last partition.
    pub(crate) fn ends(&self) -> (&PartitionKey, &PartitionKey) {
        match self {
            Index::Bti { partitions, .. } => (&partitions.first, &partitions.last),
            Index::Big(big) => (&big.first, &big.last),
            Index::Lost { ends, .. } => (&ends.0, &ends.1),
        }
    }

    /// How many partitions.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Index::Bti { partitions, .. } => partitions.count,
            Index::Big(big) => big.count,
            Index::Lost { count, .. } => *count,
        }
    }

    /// Bytes of memory that it takes beside the block cache.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Index::Bti { partitions, rows } => partitions.held_bytes() + rows.held_bytes(),
            Index::Big(big) => big.held_bytes(),
            Index::Lost { .. } => 0,
        }
    }

    /// The order of its partitions.
    pub(crate) fn partitioner(&self) -> &Partitioner {
        match self {
            Index::Bti { partitions, .. } => &partitions.partitioner,
            Index::Big(big) => &big.partitioner,
            Index::Lost { partitioner, .. } => partitioner,
        }
    }

    /// Where the partition may be: its key must be compared with the one in Data.db.
    /// `is_cached`: the key cache is asked first, and told of what was found.
    pub(crate) fn find(&self, key: &PartitionKey, is_cached: bool) -> Result<Option<Located>, ReadError> {
        match self {
            Index::Bti { partitions, rows } => {
                partitions.find(key)?.map(|target| located(rows, target)).transpose()
            }
            Index::Big(big) => big.find(key, is_cached),
            Index::Lost { .. } => Err(no_index()),
        }
    }

    /// All partitions behind `start`, and perhaps a few before.
    pub(crate) fn from(&self, start: Option<&Position>) -> Result<Targets, ReadError> {
        Ok(match self {
            Index::Bti { partitions, .. } => {
                let encoded =
                    start.map_or_else(Vec::new, |start| partitions.partitioner.encode_position(start));
                Targets::Bti(partitions.from(&encoded)?)
            }
            Index::Big(big) => Targets::Big(big.from(start)?),
            Index::Lost { .. } => return Err(no_index()),
        })
    }

    /// The next one of them.
    pub(crate) fn next(&self, targets: &mut Targets) -> Result<Option<Located>, ReadError> {
        match (self, targets) {
            (Index::Bti { partitions, rows }, Targets::Bti(targets)) => {
                partitions.next(targets)?.map(|target| located(rows, target)).transpose()
            }
            (Index::Big(big), Targets::Big(targets)) => big.next(targets),
            _ => unreachable!("an iteration belongs to the index that began it"),
        }
    }

    /// The blocks of a partition that may hold something before `place` (byte-comparable), the last first.
    pub(crate) fn blocks(&self, rows: &RowIndex, place: &[u8]) -> Result<Blocks, ReadError> {
        Ok(match (self, rows) {
            (Index::Bti { rows: pages, .. }, RowIndex::Bti(root)) => {
                Blocks::Bti(rows::Blocks::down_from(pages, *root, place)?)
            }
            (Index::Big(big), RowIndex::Big(promoted)) => {
                Blocks::Big(promoted::Blocks::down_from(&big.file, promoted, place)?)
            }
            _ => unreachable!("a row index belongs to the index that gave it"),
        })
    }

    /// The next one of them.
    pub(crate) fn next_block(&self, blocks: &mut Blocks) -> Result<Option<Block>, ReadError> {
        match (self, blocks) {
            (Index::Bti { rows, .. }, Blocks::Bti(blocks)) => blocks.next(rows),
            (Index::Big(big), Blocks::Big(blocks)) => blocks.next(&big.file),
            _ => unreachable!("blocks belong to the index that gave them"),
        }
    }
}

fn no_index() -> ReadError {
    ReadError::corrupt(Component::Partitions, 0, "it was done without")
}

fn located(rows: &Pages, target: Target) -> Result<Located, ReadError> {
    Ok(match target {
        Target::Data(data) => Located { data, key: None, rows: None },
        Target::Rows(position) => {
            let entry = rows::entry(rows, position)?;
            Located { data: entry.data, key: Some(entry.key), rows: Some(RowIndex::Bti(entry.root)) }
        }
    })
}
