//! Where a SELECT's partitions come from: replicas, or a virtual table's computed rows.

use std::sync::Arc;

use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::read::{Place, Position};
use model::{
    DeletionTime, PartitionHeader, PartitionKey, PartitionSelection, QueryError, ReadCommand, Row, Slices,
    Unfiltered,
};

use super::Executor;
use crate::select::RowSource;
use crate::system::virtual_table::{VirtualContext, virtual_table};

pub(super) struct Source<'e> {
    pub(super) executor: &'e Executor,
}

impl RowSource for Source<'_> {
    fn read(&self, command: ReadCommand) -> Result<Box<dyn PartitionIterator>, QueryError> {
        if !command.table.is_virtual {
            return self.executor.coordinator.read(&command);
        }
        let Some(table) = virtual_table(command.table.id) else {
            return Err(QueryError::Invalid(format!(
                "Virtual table {}.{} is not yet served by Helenus",
                command.table.keyspace, command.table.name
            )));
        };
        let schema = self.executor.schema();
        let node: Arc<_> = self.executor.node_state.read().clone();
        let rows = table.rows(&VirtualContext { schema: &schema, node: &node });
        Ok(Box::new(partitions_of(rows, &command)))
    }
}

/// Rows in memory as partitions, those that a command selects.
pub fn partitions_of(rows: Vec<(PartitionKey, Row)>, command: &ReadCommand) -> MemoryPartitions {
    let mut partitions: Vec<(PartitionKey, Vec<Row>)> = Vec::new();
    for (key, row) in rows {
        if !selects(&command.partitions, &key) || !in_slices(&command.slices, &row) {
            continue;
        }
        match partitions.last_mut() {
            Some((last, rows)) if *last == key => rows.push(row),
            _ => partitions.push((key, vec![row])),
        }
    }
    for (_, rows) in &mut partitions {
        if command.reversed {
            rows.reverse();
        }
    }
    MemoryPartitions { partitions: partitions.into_iter() }
}

fn selects(selection: &PartitionSelection, key: &PartitionKey) -> bool {
    match selection {
        PartitionSelection::Key(wanted) => key == wanted,
        PartitionSelection::Range { start, end } => {
            let position = Position { token: key.token, place: Place::Key(key.key.clone()) };
            start.as_ref().is_none_or(|start| position > *start)
                && end.as_ref().is_none_or(|end| position <= *end)
        }
    }
}

fn in_slices(slices: &Slices, row: &Row) -> bool {
    let order = &row.clustering.order;
    row.clustering.values.is_empty()
        || slices.0.iter().any(|slice| slice.start.order < *order && *order < slice.end.order)
}

/// Partitions held in memory.
pub struct MemoryPartitions {
    partitions: std::vec::IntoIter<(PartitionKey, Vec<Row>)>,
}

impl PartitionIterator for MemoryPartitions {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        let Some((key, rows)) = self.partitions.next() else { return Ok(None) };
        let header = PartitionHeader { key, deletion: DeletionTime::LIVE, static_row: None };
        Ok(Some(Box::new(MemoryPartition { header, rows: rows.into_iter() })))
    }
}

struct MemoryPartition {
    header: PartitionHeader,
    rows: std::vec::IntoIter<Row>,
}

impl PartitionStream for MemoryPartition {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        Ok(self.rows.next().map(Unfiltered::Row))
    }
}
