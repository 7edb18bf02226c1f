//! What newer SSTables shadow of a partition goes: `garbagecollect`.
//!
//! Only what is certainly older goes: of two equal versions neither, so that two SSTables that are cleaned of each
//! other's data never both lose it. Range tombstones stay.
//!
//! Never here: what is old enough to be purged.
//!
//! Source: `CompactionIterator.GarbageSkipper`.

use model::merge::shadow_row;
use model::partition::{PartitionStream, SourceError};
use model::{ColumnData, DeletionTime, Liveness, PartitionHeader, Row, Unfiltered};

/// A partition without what a newer version of it shadows.
pub(crate) struct Shadowed {
    stream: Box<dyn PartitionStream>,
    header: PartitionHeader,
    newer: Box<dyn PartitionStream>,
    newer_head: Option<Unfiltered>,
    newer_open: Option<DeletionTime>,
    /// Overwritten cells go, too.
    cells_too: bool,
}

impl Shadowed {
    /// Both are of one partition and go forward.
    pub(crate) fn new(
        stream: Box<dyn PartitionStream>,
        mut newer: Box<dyn PartitionStream>,
        cells_too: bool,
    ) -> Result<Shadowed, SourceError> {
        let mut header = stream.header().clone();
        let newer_deletion = newer.header().deletion;
        if newer_deletion.supersedes(&header.deletion) {
            header.deletion = DeletionTime::LIVE;
        }
        let newer_static = newer.header().static_row.as_ref();
        header.static_row = header
            .static_row
            .map(|row| without_shadowed(row, newer_static, newer_deletion, cells_too))
            .filter(|row| !row.is_empty());
        let newer_head = newer.next()?;
        Ok(Shadowed { stream, header, newer, newer_head, newer_open: None, cells_too })
    }

    fn row(&mut self, row: Row) -> Result<Row, SourceError> {
        while let Some(head) = &self.newer_head
            && head.order() < &*row.clustering.order
        {
            if let Unfiltered::Marker(marker) = head {
                self.newer_open = marker.open;
            }
            self.newer_head = self.newer.next()?;
        }
        let newer = match &self.newer_head {
            Some(Unfiltered::Row(newer)) if newer.clustering == row.clustering => Some(newer),
            _ => None,
        };
        let active = self.newer_open.unwrap_or(self.newer.header().deletion);
        Ok(without_shadowed(row, newer, active, self.cells_too))
    }
}

impl PartitionStream for Shadowed {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        while let Some(unfiltered) = self.stream.next()? {
            let row = match unfiltered {
                Unfiltered::Row(row) => self.row(row)?,
                marker => return Ok(Some(marker)),
            };
            if !row.is_empty() {
                return Ok(Some(Unfiltered::Row(row)));
            }
        }
        Ok(None)
    }
}

/// What is left of a row under the deletion that holds it in the newer version, and under the newer row.
fn without_shadowed(row: Row, newer: Option<&Row>, active: DeletionTime, cells_too: bool) -> Row {
    let active = newer.map_or(active, |newer| newer.deletion.max(active));
    let mut row = shadow_row(row, active);
    let Some(newer) = newer.filter(|_| cells_too) else { return row };
    if newer.liveness.timestamp_us > row.liveness.timestamp_us {
        row.liveness = Liveness::NONE;
    }
    row.columns.retain_mut(|(id, data)| match (data, newer.column(*id)) {
        (ColumnData::Cell(cell), Some(ColumnData::Cell(newer))) => newer.timestamp_us <= cell.timestamp_us,
        (
            ColumnData::Complex { deletion, cells },
            Some(ColumnData::Complex { deletion: newer_deletion, cells: newer }),
        ) => {
            if newer_deletion.supersedes(deletion) {
                *deletion = DeletionTime::LIVE;
            }
            let newer: std::collections::BTreeMap<_, _> =
                newer.iter().map(|(path, cell)| (path, cell)).collect();
            cells.retain(|(path, cell)| {
                let newer = newer.get(path);
                !newer_deletion.deletes(cell.timestamp_us)
                    && newer.is_none_or(|newer| newer.timestamp_us <= cell.timestamp_us)
            });
            !deletion.is_live() || !cells.is_empty()
        }
        _ => true,
    });
    row
}
