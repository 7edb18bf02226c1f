//! What a read leaves out makes no difference: an engine that has flushed again and again answers as one that has
//! everything in one memtable.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use model::partition::PartitionStream;
use model::read::{Place, Position};
use model::{
    Bound, BoundKind, Cell, Clustering, Column, ColumnData, ColumnId, ColumnKind, CqlType, DeletionTime,
    Liveness, Mutation, PartitionSelection, PartitionUpdate, RangeTombstone, ReadCommand, Row, Slice, Slices,
    Table, Unfiltered,
};
use runtime::sim::SimRuntime;
use stdx::prng::Prng;

use super::support::{key, open, options, table_in};
use crate::{Engine, FlushTarget};

const KEYS: u64 = 6;
const PLACES: u64 = 8;
const NOW_S: u32 = 2_000_000;

/// `(k, c tinyint DESC or ASC, s static, v, w)`, or without `c` and `s`.
fn table(has_clustering: bool, reversed: bool) -> Arc<Table> {
    let mut table = table_in("ks", "skip", 300);
    let column = |id: u32, name: &str, kind| Column {
        id: ColumnId(id),
        name: name.into(),
        ty: CqlType::Text,
        kind,
        position: 0,
        reversed: false,
    };
    table.regulars.push(column(5, "w", ColumnKind::Regular));
    if has_clustering {
        table.clustering[0].reversed = reversed;
        table.statics.push(column(4, "s", ColumnKind::Static));
    } else {
        table.clustering.clear();
    }
    Arc::new(table)
}

fn clustering(table: &Table, place: u64) -> Clustering {
    if table.clustering.is_empty() {
        return Clustering::EMPTY;
    }
    Clustering::new(vec![Some(Bytes::copy_from_slice(&[place as u8]))], &table.clustering_types())
}

fn bound(table: &Table, kind: BoundKind, place: u64) -> Bound {
    Bound::new(kind, clustering(table, place).values, &table.clustering_types())
}

/// A slice between two places, in the order of the table.
fn slice(prng: &mut Prng, table: &Table) -> Slice {
    let is_reversed = table.clustering[0].reversed;
    let (a, b) = (prng.below(PLACES), prng.below(PLACES));
    let (a, b) = if (a > b) != is_reversed { (b, a) } else { (a, b) };
    let start = *prng.choose(&[BoundKind::InclusiveStart, BoundKind::ExclusiveStart]).unwrap();
    let end = *prng.choose(&[BoundKind::InclusiveEnd, BoundKind::ExclusiveEnd]).unwrap();
    let mut slice = Slice { start: bound(table, start, a), end: bound(table, end, b) };
    if prng.chance(0.2) {
        slice.start = Bound::bottom();
    }
    if prng.chance(0.2) {
        slice.end = Bound::top();
    }
    slice
}

fn one_row(table: &Table, place: u64) -> Slices {
    if table.clustering.is_empty() {
        return Slices::all();
    }
    let start = bound(table, BoundKind::InclusiveStart, place);
    Slices(vec![Slice { start, end: bound(table, BoundKind::InclusiveEnd, place) }])
}

fn random_row(prng: &mut Prng, clustering: Clustering, columns: &[Column], time: i64) -> Row {
    let mut row = Row::empty(clustering);
    if prng.chance(0.7) {
        row.liveness = Liveness { timestamp_us: time, ..Liveness::NONE };
        if prng.chance(0.1) {
            row.liveness.ttl_s = 100;
            row.liveness.local_deletion_s = NOW_S - 50 + prng.below(100) as u32;
        }
    }
    if prng.chance(0.1) {
        row.deletion = DeletionTime { timestamp_us: time - 1, local_deletion_s: 1_000_000 };
    }
    for column in columns {
        if prng.chance(0.8) {
            let cell = if prng.chance(0.15) {
                Cell::tombstone(time, 1_000_000)
            } else {
                Cell::live(time, Bytes::from(format!("{}", prng.below(100))))
            };
            row.columns.push((column.id, ColumnData::Cell(cell)));
        }
    }
    row
}

fn random_mutation(prng: &mut Prng, table: &Arc<Table>, step: i64) -> Mutation {
    // Most writes come in the order of their times; ties are frequent.
    let time = 1000 + step / 3 + if prng.chance(0.2) { prng.below(200) as i64 - 100 } else { 0 };
    let deletion = DeletionTime { timestamp_us: time, local_deletion_s: 1_000_000 };
    let mut update = PartitionUpdate::default();
    match prng.below(20) {
        0 => update.deletion = deletion,
        1 | 2 if !table.clustering.is_empty() => {
            let Slice { start, end } = slice(prng, table);
            if start.order < end.order {
                update.range_tombstones.push(RangeTombstone { start, end, deletion });
            }
        }
        3 if !table.statics.is_empty() => {
            update.static_row = Some(random_row(prng, Clustering::EMPTY, &table.statics, time));
            if let Some(row) = &mut update.static_row {
                (row.liveness, row.deletion) = (Liveness::NONE, DeletionTime::LIVE);
            }
        }
        _ => {
            let clustering = clustering(table, prng.below(PLACES));
            update.rows.push(random_row(prng, clustering, &table.regulars, time));
        }
    }
    Mutation { table: table.clone(), key: key(prng.below(KEYS) as u32), update }
}

/// What a client would see: values that live, with their times.
fn shown(stream: &mut dyn PartitionStream, place: &str) -> Vec<String> {
    let cells = |row: &Row| -> String {
        let live = row.columns.iter().filter_map(|(id, data)| match data {
            ColumnData::Cell(cell) if cell.is_live(NOW_S) => {
                Some(format!(" {}={:?}@{}", id.0, cell.value, cell.timestamp_us))
            }
            _ => None,
        });
        live.collect()
    };
    let mut out = Vec::new();
    if let Some(row) = &stream.header().static_row
        && !cells(row).is_empty()
    {
        out.push(format!("static{}", cells(row)));
    }
    while let Some(item) = stream.next().unwrap_or_else(|error| panic!("{place}: {error}")) {
        if let Unfiltered::Row(row) = item {
            let text = cells(&row);
            if !text.is_empty() || row.liveness.is_live(NOW_S) {
                out.push(format!("{:?}{text}", row.clustering.values));
            }
        }
    }
    out
}

fn one(
    engine: &Engine,
    table: &Arc<Table>,
    number: u32,
    slices: &Slices,
    reversed: bool,
    place: &str,
) -> Vec<String> {
    let stream = engine.read_partition(table, &key(number), slices, reversed).unwrap();
    stream.map_or_else(Vec::new, |mut stream| shown(&mut *stream, place))
}

fn range(
    engine: &Engine,
    table: &Arc<Table>,
    slices: &Slices,
    start: Option<Position>,
    place: &str,
) -> Vec<Vec<String>> {
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start, end: None },
        slices: slices.clone(),
        reversed: false,
    };
    let mut partitions = engine.read(&command).unwrap();
    let mut out = Vec::new();
    while let Some(mut partition) = partitions.next_partition().unwrap() {
        let key = format!("{:?}", partition.header().key.key);
        let rows = shown(&mut *partition, place);
        if !rows.is_empty() {
            out.push([vec![key], rows].concat());
        }
    }
    out
}

#[test]
fn sstables_that_are_skipped_make_no_difference() {
    for seed in 0..24 {
        let sim = SimRuntime::with_shards(seed, 2);
        sim.block_on(move |runtime| async move {
            let mut prng = Prng::from_seed(seed);
            let table = table(seed % 4 != 0, seed % 2 == 0);
            let engine = |name: &str| {
                let mut options = options(&PathBuf::from(format!("/{name}")));
                options.auto_compaction = false;
                open(&runtime, options, &[&table])
            };
            let (plain, flushed) = (engine("plain"), engine("flushed"));
            for step in 0..400 {
                let mutation = random_mutation(&mut prng, &table, step);
                drop(plain.apply(std::slice::from_ref(&mutation)).unwrap());
                drop(flushed.apply(&[mutation]).unwrap());
                if prng.chance(0.04) {
                    flushed.flush(FlushTarget::All).await.unwrap();
                }
                if !prng.chance(0.3) {
                    continue;
                }
                let (number, reversed) = (prng.below(KEYS) as u32, prng.chance(0.5));
                let slices = match prng.below(4) {
                    0 => Slices::all(),
                    1 | 2 => one_row(&table, prng.below(PLACES)),
                    _ if table.clustering.is_empty() || prng.chance(0.2) => Slices(Vec::new()),
                    _ => {
                        let slice = slice(&mut prng, &table);
                        Slices(if slice.start.order < slice.end.order { vec![slice] } else { Vec::new() })
                    }
                };
                let place = format!("seed {seed} step {step} key {number} {slices:?} reversed {reversed}");
                let read = |engine: &Engine| one(engine, &table, number, &slices, reversed, &place);
                assert_eq!(read(&flushed), read(&plain), "{place}");
                let token = key(prng.below(KEYS) as u32).token;
                let start = prng.chance(0.5).then_some(Position { token, place: Place::AfterAll });
                let place = format!("seed {seed} step {step} {slices:?} from {start:?}");
                let read = |engine: &Engine| range(engine, &table, &slices, start.clone(), &place);
                assert_eq!(read(&flushed), read(&plain), "{place}");
            }
        });
    }
}
