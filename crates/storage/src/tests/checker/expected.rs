//! The model: what a partition must show, from the list of writes alone. It knows no streams, no merge and no order
//! bytes: for each cell it looks at every write there was.

use std::collections::BTreeMap;

use super::operations::{Cells, Change, Edge, Place, SetMap, SetText};

/// A write as it was carried out.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub partition: u32,
    pub timestamp_us: i64,
    /// The clock when it was made.
    pub at_s: i64,
    pub change: Change,
    /// Which of the columns that come and go there were.
    pub columns: [bool; 4],
}

/// A value with what `WRITETIME` and `TTL` say of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub timestamp_us: i64,
    pub ttl_s: i32,
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShownRow {
    /// Write time of the row's marker.
    pub marker: Option<(i64, i32)>,
    /// By column and, in maps, key.
    pub cells: BTreeMap<(&'static str, Option<i8>), Shown>,
}

impl ShownRow {
    pub(super) fn is_empty(&self) -> bool {
        self.marker.is_none() && self.cells.is_empty()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShownPartition {
    pub statics: ShownRow,
    pub rows: BTreeMap<Place, ShownRow>,
}

/// What the columns that come and go are called: regular ones, then static ones.
pub(super) const COLUMNS: [&str; 4] = ["other", "map", "sother", "smap"];

/// The table as the model knows it.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// The second clustering column descends.
    pub is_reversed: bool,
    /// Which columns there are.
    pub columns: [bool; 4],
    /// When each was dropped last: nothing that was written before is shown.
    pub dropped_at_us: [i64; 4],
}

impl Definition {
    /// The order of rows.
    pub(super) fn rank(&self, prefix: &[i8]) -> Vec<i16> {
        let signs = [1, if self.is_reversed { -1 } else { 1 }];
        prefix.iter().zip(signs).map(|(value, sign)| i16::from(*value) * sign).collect()
    }

    /// True if the row lies between the two sides.
    pub(super) fn covers(&self, start: &Edge, end: &Edge, place: Place) -> bool {
        let row = self.rank(&[place.0, place.1]);
        let (start_at, end_at) = (self.rank(&start.prefix), self.rank(&end.prefix));
        let after_start = row[..start_at.len()].cmp(&start_at);
        let before_end = row[..end_at.len()].cmp(&end_at);
        (after_start.is_gt() || (after_start.is_eq() && start.is_inclusive))
            && (before_end.is_lt() || (before_end.is_eq() && end.is_inclusive))
    }
}

/// One version of a cell.
struct Version<'a> {
    timestamp_us: i64,
    /// `None`: a tombstone.
    value: Option<&'a str>,
    ttl_s: Option<i32>,
    at_s: i64,
}

/// What one partition must show at second `now_s`.
pub(super) fn partition(writes: &[Write], number: u32, now_s: i64, table: &Definition) -> ShownPartition {
    let writes: Vec<&Write> = writes.iter().filter(|write| write.partition == number).collect();
    let mut shown = ShownPartition { statics: static_row(&writes, now_s, table), rows: BTreeMap::new() };
    let mut places: Vec<Place> = writes.iter().filter_map(|write| place_of(&write.change)).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let row = row(&writes, place, now_s, table);
        if !row.is_empty() {
            shown.rows.insert(place, row);
        }
    }
    shown
}

fn place_of(change: &Change) -> Option<Place> {
    match change {
        Change::Row { place, .. } => Some(*place),
        _ => None,
    }
}

fn row(writes: &[&Write], place: Place, now_s: i64, table: &Definition) -> ShownRow {
    let mut deleted_us = i64::MIN;
    let mut markers = Vec::new();
    for write in writes {
        let is_deleted = match &write.change {
            Change::DeletePartition => true,
            Change::DeleteRow(deleted) => *deleted == place,
            Change::DeleteRange(start, end) => table.covers(start, end, place),
            Change::Row { place: written, has_marker, cells } => {
                if *has_marker && *written == place {
                    let expires_s = cells.ttl_s.map_or(i64::MAX, |ttl_s| write.at_s + i64::from(ttl_s));
                    markers.push((write.timestamp_us, cells.ttl_s.is_some(), expires_s, cells.ttl_s));
                }
                false
            }
            Change::Static { .. } => false,
        };
        if is_deleted {
            deleted_us = deleted_us.max(write.timestamp_us);
        }
    }
    let marker = markers.into_iter().filter(|(timestamp_us, ..)| *timestamp_us > deleted_us).max();
    let mut shown = ShownRow::default();
    if let Some((timestamp_us, _, expires_s, ttl_s)) = marker
        && now_s < expires_s
    {
        shown.marker = Some((timestamp_us, ttl_s.unwrap_or(0)));
    }
    let cells_of = |write: &'_ Write| match &write.change {
        Change::Row { place: written, .. } => *written == place,
        _ => false,
    };
    show_cells(&mut shown, writes, cells_of, deleted_us, now_s, table, false);
    shown
}

fn static_row(writes: &[&Write], now_s: i64, table: &Definition) -> ShownRow {
    let deletions = writes.iter().filter(|write| matches!(write.change, Change::DeletePartition));
    let deleted_us = deletions.map(|write| write.timestamp_us).max().unwrap_or(i64::MIN);
    let mut shown = ShownRow::default();
    let cells_of = |write: &'_ Write| matches!(write.change, Change::Static { .. });
    show_cells(&mut shown, writes, cells_of, deleted_us, now_s, table, true);
    shown
}

fn show_cells(
    shown: &mut ShownRow,
    writes: &[&Write],
    is_of_row: impl Fn(&Write) -> bool,
    deleted_us: i64,
    now_s: i64,
    table: &Definition,
    is_static: bool,
) {
    let writes: Vec<(&Write, &Cells)> = writes
        .iter()
        .filter(|write| is_of_row(write))
        .map(|write| match &write.change {
            Change::Row { cells, .. } | Change::Static { cells } => (*write, cells),
            _ => unreachable!("no cells"),
        })
        .collect();
    let offset = if is_static { 2 } else { 0 };
    let mut show = |name,
                    key,
                    column: Option<usize>,
                    said: &dyn Fn(&Cells, i64) -> (Option<i64>, Option<Option<String>>)| {
        let mut deleted_us = deleted_us;
        if let Some(column) = column {
            if !table.columns[column] {
                return;
            }
            deleted_us = deleted_us.max(table.dropped_at_us[column]);
        }
        let there = writes.iter().filter(|(write, _)| column.is_none_or(|column| write.columns[column]));
        let there: Vec<_> =
            there.map(|(write, cells)| (write, cells, said(cells, write.timestamp_us))).collect();
        for (_, _, (deletion_us, _)) in &there {
            deleted_us = deleted_us.max(deletion_us.unwrap_or(i64::MIN));
        }
        let mut best: Option<Version<'_>> = None;
        for (write, cells, (_, value)) in &there {
            let Some(value) = value else { continue };
            if write.timestamp_us <= deleted_us {
                continue;
            }
            // A deletion has no time to live.
            let ttl_s = if value.is_some() { cells.ttl_s } else { None };
            let version = Version {
                timestamp_us: write.timestamp_us,
                value: value.as_deref(),
                ttl_s,
                at_s: write.at_s,
            };
            if best.as_ref().is_none_or(|best| wins(&version, best)) {
                best = Some(version);
            }
        }
        if let Some(Version { timestamp_us, value: Some(value), ttl_s, at_s }) = best
            && ttl_s.is_none_or(|ttl_s| now_s < at_s + i64::from(ttl_s))
        {
            let value = value.to_owned();
            shown.cells.insert((name, key), Shown { timestamp_us, ttl_s: ttl_s.unwrap_or(0), value });
        }
    };
    let simple = |set: &SetText| (None, set.clone());
    show(if is_static { "stext" } else { "text" }, None, None, &|cells, _| simple(&cells.text));
    show(COLUMNS[offset], None, Some(offset), &|cells, _| simple(&cells.other));
    for key in -1..3 {
        show(COLUMNS[offset + 1], Some(key), Some(offset + 1), &|cells, timestamp_us| match &cells.map {
            None => (None, None),
            Some(SetMap::Clear) => (Some(timestamp_us), None),
            Some(SetMap::Remove(removed)) => (None, (*removed == key).then_some(None)),
            Some(SetMap::Put(put, value)) => (None, (*put == key).then(|| Some(value.clone()))),
            Some(SetMap::Replace(all)) => {
                let value = all.iter().find(|(put, _)| *put == key).map(|(_, value)| Some(value.clone()));
                // What was there before goes, what comes with it stays.
                (Some(timestamp_us - 1), value)
            }
        });
    }
}

/// The tie rules, once more: later; deletion over data; what expires over what stays; later expiry; larger value.
fn wins(a: &Version<'_>, b: &Version<'_>) -> bool {
    if a.timestamp_us != b.timestamp_us {
        return a.timestamp_us > b.timestamp_us;
    }
    let class = |version: &Version<'_>| match (version.value, version.ttl_s) {
        (None, _) => 2,
        (Some(_), Some(_)) => 1,
        (Some(_), None) => 0,
    };
    if class(a) != class(b) {
        return class(a) > class(b);
    }
    let expires = |version: &Version<'_>| version.at_s + i64::from(version.ttl_s.unwrap_or(0));
    if class(a) == 1 && expires(a) != expires(b) {
        return expires(a) > expires(b);
    }
    a.value.map(str::as_bytes) > b.value.map(str::as_bytes)
}
