//! Histograms of an SSTable: read from `Statistics.db` when somebody asks, not kept.

use std::sync::Arc;

use runtime::Disk;

use crate::descriptor::{Component, Descriptor};
use crate::error::ReadError;
use crate::statistics::Statistics;

/// How large the partitions of an SSTable are: ends of buckets, and how many are in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histograms {
    /// Bytes of partitions.
    pub partition_bytes: Vec<(u64, u64)>,
    /// Cells of partitions.
    pub partition_cells: Vec<(u64, u64)>,
}

/// Reads them.
pub fn read_histograms(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Histograms, ReadError> {
    let path = descriptor.path(Component::Statistics);
    let bytes = disk.read_all(&path).map_err(|source| ReadError::io(Component::Statistics, 0, source))?;
    let stats = Statistics::parse(&bytes, descriptor.version)?.stats;
    Ok(Histograms {
        partition_bytes: stats.partition_sizes.pairs(),
        partition_cells: stats.cell_counts.pairs(),
    })
}
