//! Writes the index of an SSTable of either kind.

use std::sync::Arc;

use bytes::Bytes;
use model::{DeletionTime, PartitionKey, Unfiltered};
use runtime::Disk;

use super::big::BigIndexWriter;
use super::partitions::{PartitionIndexWriter, Target};
use super::promoted::{PromotedWriter, Shape};
use super::rows::RowIndexWriter;
use crate::chunk::writer::Appender;
use crate::descriptor::{Component, Descriptor};
use crate::error::WriteError;

/// The index under construction.
pub(crate) enum IndexWriter {
    Bti { rows: Appender, partitions: PartitionIndexWriter },
    Big { index: BigIndexWriter, shape: Shape },
}

/// The row index of one partition under construction.
pub(crate) enum PartitionRows {
    Bti(RowIndexWriter),
    Big(PromotedWriter),
}

/// An element of a partition, for its row index.
pub(crate) struct Element<'a> {
    pub(crate) unfiltered: &'a Unfiltered,
    /// Its place, byte-comparable.
    pub(crate) place: &'a Bytes,
    /// Where it starts and ends, from the partition's start.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The range deletion that is open before it, and behind it.
    pub(crate) open_before: Option<DeletionTime>,
    pub(crate) open_behind: Option<DeletionTime>,
}

/// A partition that is complete.
pub(crate) struct Finished<'a> {
    pub(crate) key: &'a PartitionKey,
    pub(crate) deletion: &'a DeletionTime,
    /// Its first byte in Data.db.
    pub(crate) data: u64,
    /// Bytes before the first element.
    pub(crate) header: u64,
    /// Offset of the end marker.
    pub(crate) end: u64,
}

impl IndexWriter {
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        shape: Shape,
    ) -> Result<IndexWriter, WriteError> {
        if !descriptor.version.is_bti() {
            let index = BigIndexWriter::new(Appender::create(disk, descriptor, Component::Index)?);
            return Ok(IndexWriter::Big { index, shape });
        }
        let rows = Appender::create(disk, descriptor, Component::Rows)?;
        let partitions = Appender::create(disk, descriptor, Component::Partitions).inspect_err(|_| {
            // What the caller hears of is the first error.
            let _ = disk.remove_file(&descriptor.path(Component::Rows));
        })?;
        Ok(IndexWriter::Bti { rows, partitions: PartitionIndexWriter::new(partitions) })
    }

    /// For the rows of the next partition, with a block for each so many bytes.
    pub(crate) fn begin(&self, granularity: u64) -> PartitionRows {
        match self {
            IndexWriter::Bti { .. } => PartitionRows::Bti(RowIndexWriter::new(granularity)),
            IndexWriter::Big { shape, .. } => {
                PartitionRows::Big(PromotedWriter::new(shape.clone(), granularity))
            }
        }
    }

    /// Takes note of an element.
    pub(crate) fn element(
        &mut self,
        index: &mut PartitionRows,
        element: &Element<'_>,
    ) -> Result<(), WriteError> {
        let (start, end) = (element.start, element.end);
        match (self, index) {
            (IndexWriter::Bti { rows, .. }, PartitionRows::Bti(index)) => {
                index.add(element.place, start, end, element.open_before, rows)
            }
            (_, PartitionRows::Big(index)) => index.add(element.unfiltered, start, end, element.open_behind),
            _ => unreachable!("a row index belongs to the index that began it"),
        }
    }

    /// Takes note of a row outside of range tombstones. Of trie-indexed SSTables only.
    pub(crate) fn row(
        &mut self,
        index: &mut PartitionRows,
        place: &[u8],
        start: u64,
        end: u64,
    ) -> Result<(), WriteError> {
        match (self, index) {
            (IndexWriter::Bti { rows, .. }, PartitionRows::Bti(index)) => {
                index.add(place, start, end, None, rows)
            }
            _ => unreachable!("rows are copied into trie-indexed SSTables only"),
        }
    }

    /// Adds a partition.
    pub(crate) fn end(&mut self, index: PartitionRows, partition: &Finished<'_>) -> Result<(), WriteError> {
        let Finished { key, deletion, data, header, end } = *partition;
        match (self, index) {
            (IndexWriter::Bti { rows, partitions }, PartitionRows::Bti(index)) => {
                let indexed = index.finish(key, data, deletion, end, rows)?;
                partitions.add(key, indexed.map_or(Target::Data(data), Target::Rows))
            }
            (IndexWriter::Big { index: file, .. }, PartitionRows::Big(index)) => {
                file.add(&key.key, data, &index.finish(header, deletion, end)?)
            }
            _ => unreachable!("a row index belongs to the index that began it"),
        }
    }

    /// Completes and syncs its files but for Summary.db: their lengths, and the bytes of that.
    #[expect(clippy::type_complexity, reason = "used in one place")]
    pub(crate) fn finish(self) -> Result<(Vec<(Component, u64)>, Option<Vec<u8>>), WriteError> {
        match self {
            IndexWriter::Bti { rows, partitions } => {
                let rows = rows.finish()?;
                Ok((vec![(Component::Rows, rows), (Component::Partitions, partitions.finish()?)], None))
            }
            IndexWriter::Big { index, .. } => {
                let (bytes, summary) = index.finish()?;
                Ok((vec![(Component::Index, bytes)], Some(summary)))
            }
        }
    }
}
