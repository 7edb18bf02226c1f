//! An open SSTable: what reads use.

use std::sync::Arc;

use model::partition::{PartitionIterator, PartitionStream};
use model::read::Position;
use model::{PartitionKey, Slices, Table};
use runtime::Disk;

use crate::descriptor::Descriptor;
use crate::error::ReadError;
use crate::metadata::Metadata;

/// An open SSTable. Immutable; shared by all reads.
pub struct SsTable {
    descriptor: Descriptor,
    metadata: Metadata,
}

impl SsTable {
    /// Opens it: reads and checks all but the partitions. Needs no schema.
    pub fn open(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Arc<SsTable>, ReadError> {
        let _ = (disk, descriptor);
        todo!()
    }

    /// Which files.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// False only if it does not hold this partition: key range and Bloom filter, no I/O.
    pub fn may_contain(&self, key: &PartitionKey) -> bool {
        let _ = key;
        todo!()
    }

    /// What it holds of one partition; `None` if nothing. Rows of `slices` only (these in clustering order),
    /// the last first if `reversed`; the header always.
    pub fn read(
        self: &Arc<Self>,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let _ = (table, key, slices, reversed);
        todo!()
    }

    /// Its partitions after `start` up to and including `end`, in order.
    pub fn scan(
        self: &Arc<Self>,
        table: &Arc<Table>,
        start: Option<Position>,
        end: Option<Position>,
        slices: Slices,
        reversed: bool,
    ) -> Result<Box<dyn PartitionIterator>, ReadError> {
        let _ = (table, start, end, slices, reversed);
        todo!()
    }
}
