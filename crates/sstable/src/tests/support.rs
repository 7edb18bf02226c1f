//! Tables, streams and reference answers for the tests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::schema::TableOptions;
use model::{
    Column, ColumnId, ColumnKind, CqlType, Marker, PartitionHeader, Slices, Table, TableId, Unfiltered,
};

use crate::error::ReadError;
use crate::statistics::header::{HeaderColumn, SerializationHeader, key_types};

/// A partition, read whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Partition {
    pub(crate) header: PartitionHeader,
    pub(crate) items: Vec<Unfiltered>,
}

impl Partition {
    pub(crate) fn stream(&self) -> MemoryStream {
        MemoryStream { header: self.header.clone(), items: self.items.clone().into() }
    }

    /// What a stream of these slices must give.
    pub(crate) fn clipped(&self, slices: &Slices, reversed: bool) -> Partition {
        let mut items = Vec::new();
        for slice in &slices.0 {
            let (start, end) = (&slice.start.order, &slice.end.order);
            if start >= end {
                continue;
            }
            let before = self.items.iter().take_while(|item| item.order() <= start);
            let mut open = before.filter_map(marker).last().and_then(|marker| marker.open);
            if open.is_some() {
                items.push(Unfiltered::Marker(Marker { bound: slice.start.clone(), close: None, open }));
            }
            for item in &self.items {
                let is_unclustered = item.order().is_empty();
                if is_unclustered || (item.order() > start && item.order() < end) {
                    open = marker(item).map_or(open, |marker| marker.open);
                    items.push(item.clone());
                }
            }
            if open.is_some() {
                items.push(Unfiltered::Marker(Marker { bound: slice.end.clone(), close: open, open: None }));
            }
        }
        if reversed {
            items.reverse();
            items.iter_mut().for_each(turn);
        }
        Partition { header: self.header.clone(), items }
    }
}

fn marker(item: &Unfiltered) -> Option<&Marker> {
    match item {
        Unfiltered::Marker(marker) => Some(marker),
        Unfiltered::Row(_) => None,
    }
}

fn turn(item: &mut Unfiltered) {
    if let Unfiltered::Marker(marker) = item {
        std::mem::swap(&mut marker.open, &mut marker.close);
        if marker.open.is_some() && marker.close.is_some() {
            marker.bound = marker.bound.invert();
        }
    }
}

pub(crate) struct MemoryStream {
    header: PartitionHeader,
    items: VecDeque<Unfiltered>,
}

impl PartitionStream for MemoryStream {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }
    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        Ok(self.items.pop_front())
    }
}

pub(crate) fn drain(stream: &mut dyn PartitionStream) -> Result<Partition, SourceError> {
    let mut items = Vec::new();
    while let Some(item) = stream.next()? {
        items.push(item);
    }
    Ok(Partition { header: stream.header().clone(), items })
}

pub(crate) fn drain_all(scan: &mut dyn PartitionIterator) -> Result<Vec<Partition>, SourceError> {
    let mut partitions = Vec::new();
    while let Some(mut stream) = scan.next_partition()? {
        partitions.push(drain(&mut *stream)?);
    }
    Ok(partitions)
}

/// Builds tables.
pub(crate) struct TableBuilder(pub(super) Table);

impl TableBuilder {
    pub(crate) fn new(name: &str) -> TableBuilder {
        TableBuilder(Table {
            id: TableId(uuid::Uuid::nil()),
            keyspace: "ks".into(),
            name: name.into(),
            partition_key: Vec::new(),
            clustering: Vec::new(),
            statics: Vec::new(),
            regulars: Vec::new(),
            is_counter: false,
            is_compact: false,
            is_virtual: false,
            options: TableOptions::default(),
            dropped: BTreeMap::new(),
            next_column_id: 1000,
        })
    }

    pub(crate) fn column(
        mut self,
        name: &str,
        ty: CqlType,
        kind: ColumnKind,
        reversed: bool,
    ) -> TableBuilder {
        // Numbers fall while names rise, so that nothing can rely on their being in one order.
        self.0.next_column_id -= 1;
        let id = ColumnId(self.0.next_column_id);
        let list = match kind {
            ColumnKind::PartitionKey => &mut self.0.partition_key,
            ColumnKind::Clustering => &mut self.0.clustering,
            ColumnKind::Static => &mut self.0.statics,
            ColumnKind::Regular => &mut self.0.regulars,
        };
        let position = list.len() as u32;
        list.push(Column { id, name: name.into(), ty, kind, position, reversed });
        self
    }

    pub(crate) fn build(self) -> Arc<Table> {
        Arc::new(self.0)
    }
}

/// The table that a file's header describes.
pub(crate) fn table_of(header: &SerializationHeader, options: TableOptions) -> Result<Arc<Table>, ReadError> {
    let mut table = TableBuilder::new("t");
    table.0.options = options;
    for (i, ty) in key_types(&header.key_type)?.into_iter().enumerate() {
        table = table.column(&format!("k{i}"), ty, ColumnKind::PartitionKey, false);
    }
    for (i, column) in header.clustering.iter().enumerate() {
        table = table.column(&format!("c{i}"), column.ty.clone(), ColumnKind::Clustering, column.reversed);
    }
    let sorted = |columns: &[HeaderColumn]| {
        let mut columns = columns.to_vec();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        columns
    };
    for column in sorted(&header.statics) {
        table = table.column(&column.name, column.ty, ColumnKind::Static, false);
    }
    for column in sorted(&header.regulars) {
        table = table.column(&column.name, column.ty, ColumnKind::Regular, false);
    }
    Ok(table.build())
}
