//! What newer SSTables shadow of a partition goes: `garbagecollect`.
//!
//! Only what is certainly older goes: of two equal versions neither, so that two SSTables that are cleaned of each
//! other's data never both lose it. A range tombstone goes where a newer one covers it; one that is covered at its end, or
//! in its midst, stays whole, and one that is covered at its start begins where the newer one ends.
//!
//! Never here: what is old enough to be purged.
//!
//! Source: `CompactionIterator.GarbageSkipper`.

use model::merge::shadow_row;
use model::partition::{PartitionStream, SourceError};
use model::{ColumnData, DeletionTime, Marker, PartitionHeader, Row, Unfiltered};

/// A partition without what a newer version of it shadows.
pub(crate) struct Shadowed {
    stream: Box<dyn PartitionStream>,
    header: PartitionHeader,
    newer: Box<dyn PartitionStream>,
    newer_head: Option<Unfiltered>,
    newer_open: Option<DeletionTime>,
    /// Read, and not handed out yet.
    head: Option<Unfiltered>,
    /// The range tombstone that is open in `stream`, and the one that was handed out and not closed.
    open: Option<DeletionTime>,
    handed_out: Option<DeletionTime>,
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
        Ok(Shadowed {
            stream,
            header,
            newer,
            newer_head,
            newer_open: None,
            head: None,
            open: None,
            handed_out: None,
            cells_too,
        })
    }

    /// The newest deletion of the newer version here.
    fn active(&self) -> DeletionTime {
        let of_partition = self.newer.header().deletion;
        self.newer_open.map_or(of_partition, |open| open.max(of_partition))
    }

    /// True if nothing is to be said of the range tombstone that is open here.
    fn is_open_shadowed(&self) -> bool {
        let active = self.active();
        self.open.is_none_or(|open| active.supersedes(&open))
    }

    /// Goes past the newer version's next element. A range tombstone that was shadowed up to here may begin.
    fn pass_newer(&mut self) -> Result<Option<Marker>, SourceError> {
        let passed = std::mem::replace(&mut self.newer_head, self.newer.next()?);
        let Some(Unfiltered::Marker(marker)) = passed else { return Ok(None) };
        self.newer_open = marker.open;
        if self.handed_out.is_some() || self.is_open_shadowed() {
            return Ok(None);
        }
        self.handed_out = self.open;
        let bound = if marker.bound.kind.is_start() { marker.bound } else { marker.bound.invert() };
        Ok(Some(Marker { bound, close: None, open: self.open }))
    }

    fn row(&self, row: Row) -> Row {
        let newer = match &self.newer_head {
            Some(Unfiltered::Row(newer)) if newer.clustering == row.clustering => Some(newer),
            _ => None,
        };
        without_shadowed(row, newer, self.active(), self.cells_too)
    }

    /// What begins or ends in the newer version at the place of `marker` counts for what begins there.
    fn meet(&mut self, marker: &Marker) -> Result<(), SourceError> {
        if let Some(Unfiltered::Marker(newer)) = &self.newer_head
            && newer.bound.order == marker.bound.order
        {
            self.newer_open = newer.open;
            self.newer_head = self.newer.next()?;
        }
        Ok(())
    }

    fn marker(&mut self, marker: Marker) -> Option<Marker> {
        let close = self.handed_out.take().and(marker.close);
        self.open = marker.open;
        self.handed_out = if self.is_open_shadowed() { None } else { marker.open };
        let bound = match (close, self.handed_out) {
            (None, None) => return None,
            // Of a boundary, whose bound is that of its closing side, the opening side is left.
            (None, Some(_)) if marker.close.is_some() => marker.bound.invert(),
            _ => marker.bound,
        };
        Some(Marker { bound, close, open: self.handed_out })
    }
}

impl PartitionStream for Shadowed {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        loop {
            let head = match self.head.take() {
                Some(head) => head,
                None => match self.stream.next()? {
                    Some(head) => head,
                    None => return Ok(None),
                },
            };
            if self.newer_head.as_ref().is_some_and(|newer| newer.order() < head.order()) {
                self.head = Some(head);
                if let Some(begins) = self.pass_newer()? {
                    return Ok(Some(Unfiltered::Marker(begins)));
                }
                continue;
            }
            let kept = match head {
                Unfiltered::Row(row) => {
                    Some(self.row(row)).filter(|row| !row.is_empty()).map(Unfiltered::Row)
                }
                Unfiltered::Marker(marker) => {
                    self.meet(&marker)?;
                    self.marker(marker).map(Unfiltered::Marker)
                }
            };
            if kept.is_some() {
                return Ok(kept);
            }
        }
    }
}

/// What is left of a row under the deletion that holds it in the newer version, and under the newer row. The time of its
/// INSERT stays, as in Cassandra.
fn without_shadowed(row: Row, newer: Option<&Row>, active: DeletionTime, cells_too: bool) -> Row {
    let active = newer.map_or(active, |newer| newer.deletion.max(active));
    let mut row = shadow_row(row, active);
    let Some(newer) = newer.filter(|_| cells_too) else { return row };
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
