//! The readable part of a partition as a stream: range deletions are closed before a gap and opened behind it, so
//! that none covers what is not known.

use std::collections::VecDeque;

use model::partition::{PartitionStream, SourceError};
use model::row::NO_DELETION_TIME;
use model::{
    Bound, BoundKind, Cell, Clustering, ColumnData, DeletionTime, Marker, PartitionHeader, Row, Unfiltered,
};

use super::survey::{BEFORE_ALL, BEHIND_ALL, Segment, Surveyor};
use crate::chunk::reader::DataCursor;
use crate::error::ReadError;
use crate::row::clustering::Places;
use crate::row::decode::Item;

/// The last second that 32 bits with a sign can say, but one.
const LAST_SHORT_S: u32 = i32::MAX as u32 - 1;

pub(super) struct Fragment<'a> {
    surveyor: &'a Surveyor,
    header: PartitionHeader,
    segments: VecDeque<Segment>,
    cursor: Option<DataCursor>,
    ready: VecDeque<Unfiltered>,
    /// A marker that opens a range: it is given once something follows it.
    held: Option<Marker>,
    /// Deletion that is open in what was given.
    open: Option<DeletionTime>,
    /// The next element is the first of its segment, where this is open.
    is_first: Option<Option<DeletionTime>>,
    last: Option<Clustering>,
    /// Expiries that overflowed are mended.
    mends: bool,
    pub(super) mended_cells: u64,
}

impl<'a> Fragment<'a> {
    pub(super) fn new(
        surveyor: &'a Surveyor,
        header: PartitionHeader,
        segments: &[Segment],
        mends: bool,
    ) -> Fragment<'a> {
        Fragment {
            surveyor,
            header,
            segments: segments.iter().copied().collect(),
            cursor: None,
            ready: VecDeque::new(),
            held: None,
            open: None,
            is_first: None,
            last: None,
            mends,
            mended_cells: 0,
        }
    }

    fn step(&mut self) -> Result<bool, ReadError> {
        let Some(segment) = self.segments.front().copied() else { return Ok(false) };
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            None => {
                self.is_first = Some(segment.open);
                self.cursor.insert(self.surveyor.cursor(segment.from))
            }
        };
        if cursor.position() >= segment.to {
            self.close();
            self.cursor = None;
            self.segments.pop_front();
            return Ok(true);
        }
        let layout = &self.surveyor.layout;
        let item = cursor.parse(|buffer, cursor| {
            layout.item(buffer, cursor, BEFORE_ALL, BEHIND_ALL, &mut Places::default())
        })?;
        match item {
            Item::Row(row) => self.row(row),
            Item::Marker(marker) => self.marker(marker),
            Item::Skipped(_) | Item::End | Item::Beyond => {}
        }
        Ok(true)
    }

    fn row(&mut self, mut row: Row) {
        if let Some(Some(open)) = self.is_first.take()
            && self.open.is_none()
            && !row.clustering.values.is_empty()
        {
            let bound = self.bound(BoundKind::InclusiveStart, &row.clustering);
            self.ready.push_back(Unfiltered::Marker(Marker { bound, close: None, open: Some(open) }));
            self.open = Some(open);
        }
        self.release();
        if self.mends {
            self.mended_cells += mend(&mut row);
        }
        self.last = Some(row.clustering.clone());
        self.ready.push_back(Unfiltered::Row(row));
    }

    fn marker(&mut self, mut marker: Marker) {
        self.is_first = None;
        self.release();
        // What closes here must be what is open here, or nothing.
        marker.close = self.open;
        if marker.close.is_none() && marker.open.is_none() {
            return;
        }
        if marker.open.is_some() {
            if marker.close.is_none() {
                marker.bound = opening(&marker.bound);
            }
            self.held = Some(marker);
        } else {
            self.open = None;
            self.ready.push_back(Unfiltered::Marker(marker));
        }
    }

    /// Gives the marker that was held back.
    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.open = held.open;
            self.ready.push_back(Unfiltered::Marker(held));
        }
    }

    /// Closes what is open at the end of a segment.
    fn close(&mut self) {
        if let Some(mut held) = self.held.take() {
            if held.close.is_some() {
                held.open = None;
                self.ready.push_back(Unfiltered::Marker(held));
            }
            self.open = None;
        }
        if let (Some(open), Some(last)) = (self.open.take(), self.last.clone()) {
            let bound = self.bound(BoundKind::InclusiveEnd, &last);
            self.ready.push_back(Unfiltered::Marker(Marker { bound, close: Some(open), open: None }));
        }
    }

    fn bound(&self, kind: BoundKind, clustering: &Clustering) -> Bound {
        Bound::new(kind, clustering.values.clone(), &self.surveyor.layout.clustering)
    }
}

/// The bound of a boundary whose closing side is gone.
fn opening(bound: &Bound) -> Bound {
    if bound.kind.is_start() { bound.clone() } else { bound.invert() }
}

/// Mends expiries before 1970: they overflowed. Returns how many.
fn mend(row: &mut Row) -> u64 {
    let mut count = 0;
    let is_over = |second: u32| second > i32::MAX as u32 && second != NO_DELETION_TIME;
    if row.liveness.is_expiring() && is_over(row.liveness.local_deletion_s) {
        row.liveness.local_deletion_s = LAST_SHORT_S;
        row.liveness.timestamp_us += 1;
        count += 1;
    }
    let mut cell = |cell: &mut Cell| {
        if cell.is_expiring() && is_over(cell.local_deletion_s) {
            cell.local_deletion_s = LAST_SHORT_S;
            cell.timestamp_us += 1;
            count += 1;
        }
    };
    for (_, data) in &mut row.columns {
        match data {
            ColumnData::Cell(one) => cell(one),
            ColumnData::Complex { cells, .. } => cells.iter_mut().for_each(|(_, one)| cell(one)),
        }
    }
    count
}

impl PartitionStream for Fragment<'_> {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        while self.ready.is_empty() {
            if !self.step().map_err(SourceError::from)? {
                return Ok(None);
            }
        }
        Ok(self.ready.pop_front())
    }
}
