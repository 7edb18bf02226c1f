//! The head of a partition: its static row, its first rows and what is deleted among them, packed as in a memtable.

use model::partition::{PartitionStream, SourceError};
use model::{
    Bound, BoundKind, ColumnData, PartitionKey, PartitionUpdate, RangeTombstone, Row, Slice, Slices, Table,
    Unfiltered,
};
use sstable::cache::reads::leave_thread;

use crate::memtable::Partition;

/// A head with more elements is made where a read may take its time.
const SHORT_COUNT: usize = 1_000;

/// See the module.
pub(crate) struct Head {
    partition: Partition,
    /// Nothing is known behind it; `None`: it is the whole partition.
    end: Option<Bound>,
    pub bytes: usize,
}

/// What came of making a head.
pub(crate) enum Built {
    Head(Head),
    /// It takes more bytes than it may.
    TooLarge,
}

impl Head {
    /// True if all that these slices show is in it.
    pub(crate) fn covers(&self, slices: &Slices) -> bool {
        let Some(end) = &self.end else { return true };
        slices.0.iter().all(|slice| slice.end.order <= end.order)
    }

    /// Where it ends, if a part of these slices is in it: such a read goes from the head to the rest.
    pub(crate) fn end_within(&self, slices: &Slices) -> Option<&Bound> {
        let end = self.end.as_ref()?;
        slices.0.first().filter(|slice| slice.start.order < end.order).map(|_| end)
    }

    /// Rows of slices that it covers; `None` if there is nothing at all.
    pub(crate) fn stream(
        &self,
        key: PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Option<Box<dyn PartitionStream>> {
        self.partition.clone().stream(key, slices, reversed, None)
    }
}

/// The part of slices up to `end`.
pub(crate) fn head_slices(slices: &Slices, end: &Bound) -> Slices {
    let within = slices.0.iter().filter(|slice| slice.start.order < end.order);
    let cut = |slice: &Slice| match slice.end.order <= end.order {
        true => slice.clone(),
        false => Slice { start: slice.start.clone(), end: end.clone() },
    };
    Slices(within.map(cut).collect())
}

/// The part of slices behind `end`.
pub(crate) fn rest_slices(slices: &Slices, end: &Bound) -> Slices {
    let behind = slices.0.iter().filter(|slice| slice.end.order > end.order);
    let cut = |slice: &Slice| match slice.start.order >= end.order {
        true => slice.clone(),
        false => Slice { start: end.invert(), end: slice.end.clone() },
    };
    Slices(behind.map(cut).collect())
}

/// Makes a head of a whole partition's stream, which runs forward: so many rows that are live at second `now_s`, and
/// what is before and among them.
pub(crate) fn build(
    stream: &mut dyn PartitionStream,
    table: &Table,
    rows_count_max: usize,
    bytes_max: usize,
    now_s: u32,
) -> Result<Built, SourceError> {
    let mut partition = Partition::default();
    let mut scratch = Vec::new();
    let header = stream.header();
    let mut update = PartitionUpdate {
        deletion: header.deletion,
        static_row: header.static_row.clone(),
        ..PartitionUpdate::default()
    };
    let mut bytes = partition.apply(table, &update, &mut scratch);
    update = PartitionUpdate::default();
    let (mut rows_count, mut elements_count) = (0, 0);
    let mut open: Option<RangeTombstone> = None;
    let mut last = Vec::new();
    let end = loop {
        let Some(element) = stream.next()? else { break None };
        if rows_count == rows_count_max {
            break Some(Bound::new(BoundKind::InclusiveEnd, last, &table.clustering_types()));
        }
        elements_count += 1;
        if elements_count == SHORT_COUNT && leave_thread() {
            return Err("the head of the partition is long".into());
        }
        match element {
            Unfiltered::Row(row) => {
                rows_count += usize::from(is_live(&row, now_s));
                last.clone_from(&row.clustering.values);
                update.rows.push(row);
            }
            Unfiltered::Marker(marker) => {
                if let (Some(_), Some(mut ends)) = (marker.close, open.take()) {
                    ends.end = marker.bound.clone();
                    update.range_tombstones.push(ends);
                }
                open = marker.open.map(|deletion| {
                    let is_boundary = marker.close.is_some();
                    let start = if is_boundary { marker.bound.invert() } else { marker.bound };
                    RangeTombstone { start, end: Bound::top(), deletion }
                });
            }
        }
        bytes += partition.apply(table, &update, &mut scratch);
        update.rows.clear();
        update.range_tombstones.clear();
        if bytes > bytes_max as isize {
            return Ok(Built::TooLarge);
        }
    };
    if let (Some(mut ends), Some(end)) = (open, &end) {
        ends.end = end.clone();
        update.range_tombstones.push(ends);
        bytes += partition.apply(table, &update, &mut scratch);
    }
    Ok(Built::Head(Head { partition, end, bytes: usize::try_from(bytes).unwrap_or(0) }))
}

fn is_live(row: &Row, now_s: u32) -> bool {
    row.liveness.is_live(now_s)
        || row.columns.iter().any(|(_, data)| match data {
            ColumnData::Cell(cell) => cell.is_live(now_s),
            ColumnData::Complex { cells, .. } => cells.iter().any(|(_, cell)| cell.is_live(now_s)),
        })
}
