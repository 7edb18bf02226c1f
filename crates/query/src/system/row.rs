//! Rows that the node writes for its own tables, with an end to their life.
//!
//! Never here: which rows, and when.

use bytes::Bytes;
use model::{Cell, Clustering, ColumnData, DeletionTime, Liveness, Row, Table};

/// When a row is written, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    us: i64,
    ttl_s: i32,
    expires_s: u32,
}

impl Times {
    /// Written at `us`, gone `ttl_s` seconds later.
    pub(crate) fn new(us: i64, ttl_s: i32) -> Times {
        let now_s = u32::try_from(us.div_euclid(1_000_000)).unwrap_or(0);
        Times { us, ttl_s, expires_s: now_s.saturating_add(ttl_s.unsigned_abs()) }
    }
}

/// A row in the making. Columns must be those of the table.
pub(crate) struct RowBuilder<'t> {
    table: &'t Table,
    times: Times,
    pub(crate) row: Row,
}

impl<'t> RowBuilder<'t> {
    pub(crate) fn new(table: &'t Table, clustering: Clustering, times: Times) -> RowBuilder<'t> {
        let mut row = Row::empty(clustering);
        row.liveness =
            Liveness { timestamp_us: times.us, ttl_s: times.ttl_s, local_deletion_s: times.expires_s };
        RowBuilder { table, times, row }
    }

    fn cell(&self, value: Bytes) -> Cell {
        Cell::expiring(self.times.us, self.times.ttl_s, self.times.expires_s, value)
    }

    fn put(&mut self, name: &str, data: ColumnData) {
        let id = self.table.column(name).expect("the system's tables are ours").id;
        let place = self.row.columns.partition_point(|(known, _)| *known < id);
        self.row.columns.insert(place, (id, data));
    }

    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        let cell = self.cell(Bytes::copy_from_slice(value));
        self.put(name, ColumnData::Cell(cell));
    }

    /// A map that is not frozen; its keys' bytes are ordered as the keys are.
    pub(crate) fn set_map<E: AsRef<[u8]>, F: AsRef<[u8]>>(&mut self, name: &str, entries: &[(E, F)]) {
        let bytes = Bytes::copy_from_slice;
        let mut cells: Vec<(Bytes, Cell)> = entries
            .iter()
            .map(|(key, value)| (bytes(key.as_ref()), self.cell(bytes(value.as_ref()))))
            .collect();
        cells.sort_by(|a, b| a.0.cmp(&b.0));
        cells.dedup_by(|a, b| a.0 == b.0);
        let deletion = DeletionTime::LIVE;
        self.put(name, ColumnData::Complex { deletion, cells });
    }
}
