//! Writes one SSTable.

use std::sync::Arc;

use model::partition::PartitionStream;
use model::{ColumnId, Table};
use runtime::Disk;
use uuid::Uuid;

use crate::descriptor::Descriptor;
use crate::error::WriteError;
use crate::metadata::{CommitLogInterval, EncodingStats};

/// How an SSTable is written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// What times are stored relative to: the least ones, as far as known. Any value is correct.
    pub bases: EncodingStats,
    /// Static columns that may occur. Those seen, not all of the table: files get smaller.
    pub statics: Vec<ColumnId>,
    /// Regular columns that may occur.
    pub regulars: Vec<ColumnId>,
    /// How many partitions will come; the Bloom filter is made for that many.
    pub expected_partitions: u64,
    /// How Data.db is compressed.
    pub compression: Option<Compression>,
    /// A partition gets an index entry for each so many bytes.
    pub column_index_bytes: u64,
    /// This node.
    pub host_id: Option<Uuid>,
    /// Which writes of this node's commit log it holds, ascending.
    pub commit_log_intervals: Vec<CommitLogInterval>,
    /// When it was repaired, milliseconds; 0: never.
    pub repaired_at_ms: i64,
    /// Repair session that it is part of.
    pub pending_repair: Option<Uuid>,
    /// Level of leveled compaction.
    pub level: i32,
}

/// Compression of Data.db.
#[derive(Clone, Debug, PartialEq)]
pub struct Compression {
    /// Uncompressed bytes of a chunk, a power of two.
    pub chunk_bytes: u32,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which files.
    pub descriptor: Descriptor,
    /// Partitions.
    pub partitions: u64,
    /// Rows, non-empty static ones included.
    pub rows: u64,
    /// Cells, tombstones included.
    pub cells: u64,
    /// Uncompressed bytes of Data.db.
    pub data_bytes: u64,
    /// Bytes of all components.
    pub bytes_on_disk: u64,
}

impl WriteOptions {
    /// For all columns of `table`, with its options' compression.
    pub fn for_table(table: &Table) -> Result<WriteOptions, WriteError> {
        let _ = table;
        todo!()
    }
}

/// Writes one SSTable: [`Writer::append`] partitions in order, then [`Writer::finish`] or [`Writer::abort`].
pub struct Writer {
    descriptor: Descriptor,
}

impl Writer {
    /// Begins an SSTable. None of its files may exist yet.
    pub fn create(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        table: &Arc<Table>,
        options: WriteOptions,
    ) -> Result<Writer, WriteError> {
        let _ = (disk, descriptor, table, options);
        todo!()
    }

    /// Writes a partition, which must come after the previous one. A partition with nothing in it is left out.
    pub fn append(&mut self, stream: &mut dyn PartitionStream) -> Result<(), WriteError> {
        let _ = stream;
        todo!()
    }

    /// Uncompressed bytes of Data.db so far.
    pub fn data_bytes(&self) -> u64 {
        todo!()
    }

    /// Writes the indexes and metadata and makes everything outlast a power loss, TOC.txt last.
    ///
    /// At least one partition must have been written: an SSTable without any does not exist in Cassandra.
    pub fn finish(self) -> Result<Written, WriteError> {
        todo!()
    }

    /// Removes what was written.
    pub fn abort(self) {
        let _ = self.descriptor;
        todo!()
    }
}
