//! The partitions of several SSTables in one order: whose key comes next is known before it is read.
//!
//! Never here: what may go, and what is done with the partitions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use model::merge::merge_streams;
use model::partition::{PartitionStream, SourceError};
use model::{PartitionHeader, PartitionKey, Table, Unfiltered};
use sstable::{ReadError, SsTable, Walk};

/// An input could not be read.
#[derive(Debug)]
pub(crate) struct InputError {
    /// Which one.
    pub sstable: Arc<SsTableName>,
    /// Why.
    pub source: SourceError,
}

/// Names an SSTable in errors.
#[derive(Debug)]
pub(crate) struct SsTableName {
    pub id: u64,
    text: String,
}

impl SsTableName {
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(&self.text)
    }
}

impl InputError {
    /// True if its bytes contradict themselves.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self.source.downcast_ref(), Some(ReadError::Corrupt { .. }))
            || self.source.downcast_ref::<ReadError>().is_none()
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for InputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// A merge under way.
pub(crate) struct Merge {
    table: Arc<Table>,
    inputs: Vec<Input>,
    /// The keys where the inputs stand.
    heads: BinaryHeap<Reverse<(PartitionKey, usize)>>,
    /// Inputs whose partition was handed out last.
    lent: Vec<usize>,
    /// Of how many partitions so many inputs had a part.
    merged: BTreeMap<usize, u64>,
}

struct Input {
    walk: Walk,
    name: Arc<SsTableName>,
}

impl Input {
    fn failed(&self, source: ReadError) -> SourceError {
        Box::new(InputError { sstable: self.name.clone(), source: Box::new(source) })
    }
}

impl Merge {
    pub(crate) fn new(table: &Arc<Table>, sstables: &[Arc<SsTable>]) -> Result<Merge, SourceError> {
        let mut merge = Merge {
            table: table.clone(),
            inputs: Vec::with_capacity(sstables.len()),
            heads: BinaryHeap::with_capacity(sstables.len()),
            lent: (0..sstables.len()).collect(),
            merged: BTreeMap::new(),
        };
        for sstable in sstables {
            let descriptor = sstable.descriptor();
            let name = SsTableName { id: descriptor.id.as_u64(), text: descriptor.to_string() };
            let name = Arc::new(name);
            let walk = Walk::new(sstable, table).map_err(|error| -> SourceError {
                Box::new(InputError { sstable: name.clone(), source: Box::new(error) })
            })?;
            merge.inputs.push(Input { walk, name });
        }
        Ok(merge)
    }

    /// The key of the next partition. The stream of the last one must have been dropped.
    pub(crate) fn next_key(&mut self) -> Result<Option<&PartitionKey>, SourceError> {
        for index in self.lent.drain(..) {
            let input = &mut self.inputs[index];
            match input.walk.advance() {
                Ok(Some(key)) => self.heads.push(Reverse((key.clone(), index))),
                Ok(None) => {}
                Err(error) => return Err(input.failed(error)),
            }
        }
        Ok(self.heads.peek().map(|Reverse((key, _))| key))
    }

    /// Goes past the partition of [`Merge::next_key`] without reading it.
    pub(crate) fn skip(&mut self) {
        self.take_lent();
    }

    fn take_lent(&mut self) {
        let Some(Reverse((key, index))) = self.heads.pop() else { return };
        self.lent.push(index);
        while let Some(Reverse((other, index))) = self.heads.peek()
            && *other == key
        {
            self.lent.push(*index);
            self.heads.pop();
        }
    }

    /// Takes the partition of [`Merge::next_key`]: the walks of the inputs that have it stand there.
    pub(crate) fn take(&mut self) {
        self.take_lent();
        self.count_merged();
    }

    /// The inputs whose partition was taken last, ascending, and their walks.
    pub(crate) fn taken(&mut self) -> impl Iterator<Item = (usize, &mut Walk)> {
        let mut inputs = &mut self.inputs[..];
        let mut before = 0;
        // Equal keys leave the heap in this order.
        self.lent.iter().filter_map(move |index| {
            let (one, behind) =
                std::mem::take(&mut inputs).split_at_mut(index - before).1.split_first_mut()?;
            (inputs, before) = (behind, index + 1);
            Some((*index, &mut one.walk))
        })
    }

    /// The walk of an input.
    pub(crate) fn walk(&mut self, index: usize) -> &mut Walk {
        &mut self.inputs[index].walk
    }

    /// An error of one of the inputs whose partition was taken last.
    pub(crate) fn failed(&self, taken: usize, error: ReadError) -> SourceError {
        self.inputs[self.lent[taken]].failed(error)
    }

    /// The partition of [`Merge::next_key`].
    pub(crate) fn stream(&mut self) -> Result<Box<dyn PartitionStream>, SourceError> {
        self.take();
        self.rest()
    }

    fn count_merged(&mut self) {
        *self.merged.entry(self.lent.len()).or_default() += 1;
    }

    /// How many partitions so many inputs had a part of: those read so far.
    pub(crate) fn merged_partitions(&self) -> &BTreeMap<usize, u64> {
        &self.merged
    }

    /// What is left of the partition that was taken last.
    pub(crate) fn rest(&mut self) -> Result<Box<dyn PartitionStream>, SourceError> {
        let streams = self.lent.iter().map(|index| {
            let input = &mut self.inputs[*index];
            let stream = input.walk.stream();
            Box::new(Named { stream, name: input.name.clone() }) as Box<dyn PartitionStream>
        });
        // A single one, too: another's writer may have left what its own deletions shadow.
        merge_streams(self.table.clone(), streams.collect(), false)
    }

    /// Uncompressed bytes of the inputs that lie behind.
    pub(crate) fn position(&self) -> u64 {
        self.inputs.iter().map(|input| input.walk.position()).sum()
    }
}

/// A stream whose errors say where it comes from.
struct Named {
    stream: Box<dyn PartitionStream>,
    name: Arc<SsTableName>,
}

impl PartitionStream for Named {
    fn header(&self) -> &PartitionHeader {
        self.stream.header()
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        self.stream
            .next()
            .map_err(|source| -> SourceError { Box::new(InputError { sstable: self.name.clone(), source }) })
    }
}
