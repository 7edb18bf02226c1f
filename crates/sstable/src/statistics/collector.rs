//! Gathers the statistics of what is being written.

use model::row::{NO_DELETION_TIME, NO_TIMESTAMP, NO_TTL};
use model::{Bound, BoundKind, Cell, ColumnData, DeletionTime, Liveness, PlainParts, Row, Unfiltered};

use super::cardinality::Cardinality;
use super::histogram::TombstoneHistogram;
use super::stats::{Stats, nothing};
use crate::copy::RowTimes;

/// What is known so far.
pub(crate) struct Collector {
    stats: Stats,
    cardinality: Cardinality,
    droppable: TombstoneHistogram,
    timestamps_us: Extremes<i64>,
    local_deletions_s: Extremes<u32>,
    ttls_s: Extremes<i32>,
    partition_cells: u64,
    pub(crate) partitions: u64,
    pub(crate) cells: u64,
}

#[derive(Clone, Copy)]
struct Extremes<T>(Option<(T, T)>);

impl<T: Ord + Copy> Extremes<T> {
    fn add(&mut self, value: T) {
        self.0 = Some(self.0.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
    }
}

impl Collector {
    pub(crate) fn new() -> Collector {
        Collector {
            stats: Stats::empty(),
            cardinality: Cardinality::new(),
            droppable: TombstoneHistogram::default(),
            timestamps_us: Extremes(None),
            local_deletions_s: Extremes(None),
            ttls_s: Extremes(None),
            partition_cells: 0,
            partitions: 0,
            cells: 0,
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.stats.rows as u64
    }

    pub(crate) fn begin_partition(&mut self, key: &[u8], deletion: &DeletionTime) {
        self.cardinality.add(key);
        self.partitions += 1;
        if self.stats.first_key.is_empty() {
            self.stats.first_key = key.to_vec();
        }
        self.stats.last_key.clear();
        self.stats.last_key.extend_from_slice(key);
        self.stats.has_partition_deletions |= !deletion.is_live();
        self.add_deletion(deletion);
        self.partition_cells = 0;
    }

    /// `bytes`: from the key's length to the end marker.
    pub(crate) fn end_partition(&mut self, bytes: u64) {
        self.stats.partition_sizes.add(bytes);
        self.stats.cell_counts.add(self.partition_cells);
        self.cells += self.partition_cells;
    }

    pub(crate) fn add_row(&mut self, row: &Row) {
        self.stats.rows += 1;
        self.add_liveness(&row.liveness);
        self.add_deletion(&row.deletion);
        for (_, data) in &row.columns {
            match data {
                ColumnData::Cell(cell) => {
                    self.stats.columns += 1;
                    self.add_cell(cell);
                }
                ColumnData::Complex { deletion, cells } => {
                    self.stats.columns += i64::from(!cells.is_empty());
                    self.add_deletion(deletion);
                    cells.iter().for_each(|(_, cell)| self.add_cell(cell));
                }
            }
        }
    }

    pub(crate) fn add_deletion(&mut self, deletion: &DeletionTime) {
        if !deletion.is_live() {
            self.timestamps_us.add(deletion.timestamp_us);
            self.add_local_deletion(deletion.local_deletion_s);
        }
    }

    /// Adds a plain row.
    pub(crate) fn add_plain(&mut self, parts: &PlainParts) {
        self.stats.rows += 1;
        self.stats.columns += parts.cells.len() as i64;
        self.partition_cells += parts.cells.len() as u64;
        self.add_liveness(&parts.liveness);
        for cell in &parts.cells {
            self.add_times(cell.timestamp_us, cell.ttl_s, cell.local_deletion_s);
        }
    }

    /// Adds a row in which nothing is deleted or expires.
    pub(crate) fn add_copied(&mut self, times: &RowTimes) {
        self.stats.rows += 1;
        self.stats.columns += times.columns as i64;
        self.partition_cells += times.cells;
        if let Some((min, max)) = times.timestamps_us {
            self.timestamps_us.add(min);
            self.timestamps_us.add(max);
            self.ttls_s.add(NO_TTL);
            self.local_deletions_s.add(NO_DELETION_TIME);
        }
    }

    /// True if rows at these places do not widen the covered slice.
    pub(crate) fn covers(&self, first: &[u8], last: &[u8]) -> bool {
        // A bound is never at a row's place. Nothing at all is covered by a slice that ends before it starts.
        let covered = &self.stats.covered;
        *covered.start.order < *first && *last < *covered.end.order
    }

    /// Widens the covered slice to a partition's first and last row or range tombstone.
    pub(crate) fn cover(&mut self, first: Bound, end: Bound) {
        let covered = &mut self.stats.covered;
        let is_first = *covered == nothing();
        if is_first || first.order < covered.start.order {
            covered.start = first;
        }
        if is_first || end.order > covered.end.order {
            covered.end = end;
        }
    }

    /// The statistics but for what only the writer knows, and the sketch of the keys.
    pub(crate) fn finish(self) -> (Stats, Vec<u8>) {
        let mut stats = self.stats;
        let none = (NO_TIMESTAMP, i64::MAX);
        (stats.min_timestamp_us, stats.max_timestamp_us) = self.timestamps_us.0.unwrap_or(none);
        let none = (NO_DELETION_TIME, NO_DELETION_TIME);
        (stats.min_local_deletion_s, stats.max_local_deletion_s) = self.local_deletions_s.0.unwrap_or(none);
        (stats.min_ttl_s, stats.max_ttl_s) = self.ttls_s.0.unwrap_or((NO_TTL, NO_TTL));
        stats.droppable = self.droppable.bins();
        (stats, self.cardinality.encode())
    }

    fn add_liveness(&mut self, liveness: &Liveness) {
        if !liveness.is_none() {
            self.timestamps_us.add(liveness.timestamp_us);
            self.ttls_s.add(liveness.ttl_s);
            self.add_local_deletion(liveness.local_deletion_s);
        }
    }

    fn add_cell(&mut self, cell: &Cell) {
        self.partition_cells += 1;
        self.add_times(cell.timestamp_us, cell.ttl_s, cell.local_deletion_s);
    }

    fn add_times(&mut self, timestamp_us: i64, ttl_s: i32, local_deletion_s: u32) {
        self.timestamps_us.add(timestamp_us);
        self.ttls_s.add(ttl_s);
        self.add_local_deletion(local_deletion_s);
    }

    fn add_local_deletion(&mut self, local_deletion_s: u32) {
        self.local_deletions_s.add(local_deletion_s);
        if local_deletion_s != NO_DELETION_TIME {
            self.droppable.add(local_deletion_s);
        }
    }
}

/// The bound of a range tombstone's side as it is, that of a row as `kind`.
pub(crate) fn bound_of(unfiltered: &Unfiltered, kind: BoundKind) -> Bound {
    match unfiltered {
        Unfiltered::Marker(marker) => marker.bound.clone(),
        Unfiltered::Row(row) => {
            let mut order = row.clustering.order.to_vec();
            order.pop();
            order.push(model::value::comparable::bound_terminator(kind));
            Bound { kind, values: row.clustering.values.clone(), order: order.into() }
        }
    }
}
