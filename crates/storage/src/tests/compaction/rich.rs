//! A table with all kinds of columns, random changes of it, and what a reader sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::merge::{merge_updates, update_stream};
use model::partition::PartitionStream;
use model::row::NO_TTL;
use model::{
    Bound, BoundKind, Cell, Column, ColumnData, ColumnId, ColumnKind, CqlType, DeletionTime, Liveness,
    Mutation, PartitionUpdate, RangeTombstone, Row, Slices, Table, Unfiltered,
};
use runtime::Runtime;
use sstable::{Component, Descriptor};
use stdx::prng::Prng;

use super::super::support::{clustering, key, table_in};
use crate::Engine;
use crate::table::table_dir;

/// The second at which simulations begin.
pub(super) const START_S: i64 = 1_767_225_600;

const PLACES: u64 = 12;
/// Timestamps of one change lie within.
pub(super) const SPAN_US: i64 = 40_000_000;

/// `(k blob, c tinyint, s text static, v text, w text, m map<tinyint, text>, PRIMARY KEY (k, c))`
pub(super) fn rich_table(gc_grace_s: i32, options: &[(&str, &str)]) -> Arc<Table> {
    let mut table = table_in("ks", "rich", 200);
    let column = |id: u32, name: &str, ty: CqlType, kind: ColumnKind| Column {
        id: ColumnId(id),
        name: name.into(),
        ty,
        kind,
        position: 0,
        reversed: false,
    };
    table.statics.push(column(3, "s", CqlType::Text, ColumnKind::Static));
    table.regulars.push(column(4, "w", CqlType::Text, ColumnKind::Regular));
    let map = CqlType::map(CqlType::Tinyint, CqlType::Text, false);
    table.regulars.push(column(5, "m", map, ColumnKind::Regular));
    table.next_column_id = 6;
    table.options.gc_grace_seconds = gc_grace_s;
    if !options.is_empty() {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        table.options.compaction = options.iter().map(owned).collect();
    }
    Arc::new(table)
}

pub(super) fn bound(place: u8, is_start: bool, before: bool) -> Bound {
    let kind = match (is_start, before) {
        (true, true) => BoundKind::InclusiveStart,
        (true, false) => BoundKind::ExclusiveStart,
        (false, true) => BoundKind::ExclusiveEnd,
        (false, false) => BoundKind::InclusiveEnd,
    };
    let order = Bytes::copy_from_slice(&[0x40, place ^ 0x80, if before { 0x20 } else { 0x60 }]);
    Bound { kind, values: vec![Some(Bytes::copy_from_slice(&[place]))], order }
}

/// Some seconds around now: half of it is past.
fn second(prng: &mut Prng) -> u32 {
    (START_S as u64 - 100 + prng.below(200)) as u32
}

/// Times with many ties from `base` on.
fn time(prng: &mut Prng, base: i64) -> i64 {
    base + prng.below(SPAN_US as u64 / 1_000_000) as i64 * 1_000_000
}

/// Times without ties: what expires becomes a tombstone, and ties of tombstones have other winners.
fn time_of_expiring(prng: &mut Prng, base: i64) -> i64 {
    base + (prng.below(SPAN_US as u64) as i64 | 1)
}

fn deletion(prng: &mut Prng, base: i64) -> DeletionTime {
    DeletionTime { timestamp_us: time(prng, base), local_deletion_s: second(prng) }
}

fn cell(prng: &mut Prng, base: i64) -> Cell {
    let timestamp_us = time(prng, base);
    let value: Bytes = prng.below(100).to_string().into();
    match prng.below(4) {
        0 => Cell::tombstone(timestamp_us, second(prng)),
        1 => {
            let timestamp_us = time_of_expiring(prng, base);
            Cell::expiring(timestamp_us, 1 + prng.below(50) as i32, second(prng), value)
        }
        _ => Cell::live(timestamp_us, value),
    }
}

fn row(prng: &mut Prng, place: u8, base: i64) -> Row {
    let mut row = Row::empty(clustering(place));
    if prng.chance(0.4) {
        let is_expiring = prng.chance(0.4);
        let (ttl_s, second) = (1 + prng.below(50) as i32, second(prng));
        row.liveness.timestamp_us = time(prng, base);
        if is_expiring {
            row.liveness.timestamp_us = time_of_expiring(prng, base);
            row.liveness = Liveness { ttl_s, local_deletion_s: second, ..row.liveness };
        }
    }
    if prng.chance(0.1) {
        row.deletion = deletion(prng, base);
    }
    for id in [2, 4] {
        if prng.chance(0.5) {
            row.columns.push((ColumnId(id), ColumnData::Cell(cell(prng, base))));
        }
    }
    if prng.chance(0.3) {
        let deletion = if prng.chance(0.4) { deletion(prng, base) } else { DeletionTime::LIVE };
        let mut cells = Vec::new();
        for path in 0..3_u8 {
            if prng.chance(0.5) {
                cells.push((Bytes::copy_from_slice(&[path]), cell(prng, base)));
            }
        }
        if !deletion.is_live() || !cells.is_empty() {
            row.columns.push((ColumnId(5), ColumnData::Complex { deletion, cells }));
        }
    }
    row
}

/// A change of one partition of few.
pub(super) fn random_change(prng: &mut Prng, table: &Arc<Table>, number: u32, base: i64) -> Mutation {
    let mut update = PartitionUpdate::default();
    match prng.below(12) {
        0 => update.deletion = deletion(prng, base),
        1..=3 => {
            let (from, to) = (prng.below(PLACES) as u8, prng.below(5) as u8);
            let start = bound(from, true, prng.chance(0.5));
            let end = bound(from + to, false, prng.chance(0.5));
            if start.order < end.order {
                let deletion = deletion(prng, base);
                update.range_tombstones.push(RangeTombstone { start, end, deletion });
            }
        }
        4 => {
            let mut row = Row::empty(model::Clustering::EMPTY);
            row.columns.push((ColumnId(3), ColumnData::Cell(cell(prng, base))));
            update.static_row = Some(row);
        }
        _ => {
            let place = prng.below(PLACES) as u8;
            let row = row(prng, place, base);
            update.rows.extend(Some(row).filter(|row| !row.is_empty()));
        }
    }
    Mutation { table: table.clone(), key: key(number), update }
}

/// All changes of each partition, merged.
#[derive(Default)]
pub(super) struct Model(pub BTreeMap<u32, PartitionUpdate>);

impl Model {
    pub(super) fn add(&mut self, number: u32, mutation: &Mutation) {
        let known = self.0.remove(&number).unwrap_or_default();
        self.0.insert(number, merge_updates(&mutation.table, known, mutation.update.clone()));
    }

    /// Each read of the engine shows what this knows.
    #[track_caller]
    pub(super) fn check(&self, engine: &Engine, table: &Arc<Table>, now_s: u32, exactly: bool, what: &str) {
        for (number, update) in &self.0 {
            for reversed in [false, true] {
                let slices = Slices::all();
                let read = engine.read_partition(table, &key(*number), &slices, reversed).unwrap();
                let expected = update_stream(key(*number), update.clone(), &slices, reversed);
                if exactly {
                    assert_eq!(all(read), all(Some(expected)), "{what}: partition {number}");
                } else {
                    let (found, expected) = (seen(read, now_s), seen(Some(expected), now_s));
                    assert_eq!(found, expected, "{what}: partition {number} at {now_s}");
                }
            }
        }
    }
}

/// Everything of a partition.
pub(super) fn all(stream: Option<Box<dyn PartitionStream>>) -> (DeletionTime, Option<Row>, Vec<Unfiltered>) {
    let Some(mut stream) = stream else { return (DeletionTime::LIVE, None, Vec::new()) };
    let header = stream.header().clone();
    let rest = std::iter::from_fn(|| stream.next().unwrap()).collect();
    (header.deletion, header.static_row.filter(|row| !row.is_empty()), rest)
}

/// What a reader sees of a row: whether it lives, and its values.
pub(super) type SeenRow = (Bytes, bool, Vec<(u32, Bytes, Bytes, i64)>);

/// What a reader sees of a partition.
pub(super) fn seen(stream: Option<Box<dyn PartitionStream>>, now_s: u32) -> Vec<SeenRow> {
    let (_, static_row, rest) = all(stream);
    let rows = rest.into_iter().filter_map(|one| match one {
        Unfiltered::Row(row) => Some(row),
        Unfiltered::Marker(_) => None,
    });
    let see = |row: Row| {
        let mut values = Vec::new();
        let mut add = |id: ColumnId, path: &Bytes, cell: &Cell| {
            if cell.is_live(now_s) {
                values.push((id.0, path.clone(), cell.value.clone(), cell.timestamp_us));
            }
        };
        for (id, data) in &row.columns {
            match data {
                ColumnData::Cell(cell) => add(*id, &Bytes::new(), cell),
                ColumnData::Complex { cells, .. } => {
                    cells.iter().for_each(|(path, cell)| add(*id, path, cell))
                }
            }
        }
        let is_live = row.liveness.is_live(now_s);
        (is_live || !values.is_empty()).then_some((row.clustering.order, is_live, values))
    };
    static_row.into_iter().chain(rows).filter_map(see).collect()
}

/// True if a tombstone, or anything that expires, is in it.
pub(super) fn has_tombstones(stream: Option<Box<dyn PartitionStream>>) -> bool {
    let (deletion, static_row, rest) = all(stream);
    let of_cell = |cell: &Cell| cell.is_tombstone() || cell.ttl_s != NO_TTL;
    let of_row = |row: &Row| {
        !row.deletion.is_live()
            || row.liveness.is_expiring()
            || row.columns.iter().any(|(_, data)| match data {
                ColumnData::Cell(cell) => of_cell(cell),
                ColumnData::Complex { deletion, cells } => {
                    !deletion.is_live() || cells.iter().any(|(_, cell)| of_cell(cell))
                }
            })
    };
    let of = |one: &Unfiltered| match one {
        Unfiltered::Row(row) => of_row(row),
        Unfiltered::Marker(_) => true,
    };
    !deletion.is_live() || static_row.as_ref().is_some_and(of_row) || rest.iter().any(of)
}

/// The SSTables whose files are there, and names of files that should not be.
pub(super) fn files(runtime: &Runtime, node: &Path, table: &Table) -> (Vec<Descriptor>, Vec<String>) {
    let dir = table_dir(node, table);
    let (mut found, mut leftovers) = (Vec::new(), Vec::new());
    if !runtime.disk().exists(&dir).unwrap() {
        return (found, leftovers);
    }
    for entry in runtime.disk().list(&dir).unwrap() {
        match Descriptor::parse(&dir, &entry.name).unwrap() {
            Some((descriptor, component)) if component == Component::Toc.file_name() => {
                found.push(descriptor)
            }
            Some((descriptor, _)) => {
                if !runtime.disk().exists(&descriptor.path(Component::Toc)).unwrap() {
                    leftovers.push(entry.name);
                }
            }
            None if entry.name.starts_with("truncated") => {}
            None => leftovers.push(entry.name),
        }
    }
    (found, leftovers)
}
