//! The merge laws on real files: whatever a partition's changes are, in whichever order they come, however they are
//! split over memtables and SSTables, and however often some of them come, a read shows the same, from either end.
//!
//! What it must show is `model::merge` over all changes as one; that these rules are the right ones is what
//! [`super::checker`] sees, with a model of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use model::counter::{self, Shard, ShardKind};
use model::merge::{merge_updates, update_stream};
use model::partition::PartitionStream;
use model::row::EXPIRED_TTL;
use model::schema::TableOptions;
use model::{
    Bound, BoundKind, Cell, Clustering, Column, ColumnData, ColumnId, ColumnKind, CqlType, DeletionTime,
    Liveness, Mutation, PartitionHeader, PartitionSelection, PartitionUpdate, PlainParts, PlainRow,
    RangeTombstone, ReadCommand, Row, Slice, Slices, Table, TableId, Unfiltered,
};
use runtime::sim::SimRuntime;
use stdx::prng::Prng;
use uuid::Uuid;

use super::support::{key, open, options};
use crate::{CompactScope, Engine, FlushTarget};

const CASES_COUNT: u32 = 10_000;
/// Partitions that share files.
const BATCH_COUNT: u32 = 250;
/// 2100: nothing is expired, and no tombstone is old enough to be purged.
const LATER_S: u32 = 4_102_444_800;

fn table(is_counter: bool, is_reversed: bool) -> Arc<Table> {
    let column = |id: u32, name: &str, ty: CqlType, kind: ColumnKind| Column {
        id: ColumnId(id),
        name: name.into(),
        ty,
        kind,
        position: 0,
        reversed: is_reversed && kind == ColumnKind::Clustering,
    };
    let value = || if is_counter { CqlType::Counter } else { CqlType::Text };
    let map = CqlType::map(CqlType::Tinyint, CqlType::Text, false);
    let mut table = Table {
        id: TableId(Uuid::from_u128(400)),
        keyspace: "ks".into(),
        name: "laws".into(),
        partition_key: vec![column(0, "k", CqlType::Blob, ColumnKind::PartitionKey)],
        clustering: vec![column(1, "c", CqlType::Tinyint, ColumnKind::Clustering)],
        statics: vec![column(2, "s", value(), ColumnKind::Static)],
        regulars: vec![
            column(3, "v", value(), ColumnKind::Regular),
            column(4, "w", value(), ColumnKind::Regular),
        ],
        is_counter,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 6,
    };
    if !is_counter {
        table.regulars.push(column(5, "x", map, ColumnKind::Regular));
    }
    Arc::new(table)
}

fn value_of(place: i8) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(&place.to_be_bytes()))
}

fn bound(table: &Table, prng: &mut Prng, is_start: bool) -> Bound {
    if prng.chance(0.1) {
        return if is_start { Bound::bottom() } else { Bound::top() };
    }
    let kind = match (is_start, prng.chance(0.5)) {
        (true, true) => BoundKind::InclusiveStart,
        (true, false) => BoundKind::ExclusiveStart,
        (false, true) => BoundKind::InclusiveEnd,
        (false, false) => BoundKind::ExclusiveEnd,
    };
    Bound::new(kind, vec![value_of(prng.below(7) as i8 - 3)], &table.clustering_types())
}

fn range(table: &Table, prng: &mut Prng) -> (Bound, Bound) {
    loop {
        let (start, end) = (bound(table, prng, true), bound(table, prng, false));
        if start.order < end.order {
            return (start, end);
        }
    }
}

/// Few, so that there are ties.
fn timestamp(prng: &mut Prng) -> i64 {
    10 + prng.below(6) as i64
}

fn second(prng: &mut Prng) -> u32 {
    LATER_S + prng.below(3) as u32
}

fn deletion(prng: &mut Prng, probability: f64) -> DeletionTime {
    if !prng.chance(probability) {
        return DeletionTime::LIVE;
    }
    DeletionTime { timestamp_us: timestamp(prng), local_deletion_s: second(prng) }
}

fn text(prng: &mut Prng) -> Bytes {
    Bytes::from_static(prng.choose(&[&b""[..], b"a", b"b", b"bb"]).expect("some"))
}

fn cell(prng: &mut Prng) -> Cell {
    // A cell may be older than 1970, a deletion not: the format has no room for that.
    match prng.below(5) {
        0 => Cell::tombstone(timestamp(prng), second(prng)),
        1 => Cell::expiring(timestamp(prng), 1 + prng.below(2) as i32, second(prng), text(prng)),
        2 if prng.chance(0.1) => Cell::live(-5, text(prng)),
        _ => Cell::live(timestamp(prng), text(prng)),
    }
}

fn counter_cell(prng: &mut Prng) -> Cell {
    if prng.chance(0.1) {
        return Cell::tombstone(timestamp(prng), second(prng));
    }
    let mut shards = Vec::new();
    for id in 0..3 {
        if prng.chance(0.6) {
            let kind = *prng.choose(&[ShardKind::Global, ShardKind::Local, ShardKind::Remote]).expect("some");
            shards.push(Shard {
                id: [id; 16],
                kind,
                clock: prng.below(3) as i64,
                count: prng.below(3) as i64,
            });
        }
    }
    Cell::live(timestamp(prng), counter::serialise(&shards))
}

fn columns(table: &Table, prng: &mut Prng, ids: &[u32]) -> Vec<(ColumnId, ColumnData)> {
    let mut columns = Vec::new();
    for &id in ids {
        if !prng.chance(0.5) || (table.is_counter && id == 5) {
            continue;
        }
        let data = if table.is_counter {
            ColumnData::Cell(counter_cell(prng))
        } else if id == 5 {
            let keys = (0..3).filter(|_| prng.chance(0.5)).collect::<Vec<u8>>();
            let deletion = deletion(prng, 0.4);
            let cells: Vec<_> =
                keys.into_iter().map(|key| (Bytes::copy_from_slice(&[key]), cell(prng))).collect();
            if deletion.is_live() && cells.is_empty() {
                continue;
            }
            ColumnData::Complex { deletion, cells }
        } else {
            ColumnData::Cell(cell(prng))
        };
        columns.push((ColumnId(id), data));
    }
    columns
}

fn update(table: &Table, prng: &mut Prng) -> PartitionUpdate {
    let mut update = PartitionUpdate::default();
    // A counter's cell takes the latest time of what it was merged from: what a deletion leaves of it depends on the
    // order, in Cassandra as well ("delete and re-add is undefined").
    if !table.is_counter {
        update.deletion = deletion(prng, 0.15);
        for _ in 0..prng.below(4) {
            let (start, end) = range(table, prng);
            update.range_tombstones.push(RangeTombstone { start, end, deletion: deletion(prng, 1.0) });
        }
        update.range_tombstones.sort_by(|a, b| a.start.order.cmp(&b.start.order));
    }
    if prng.chance(0.5) {
        let mut row = Row::empty(Clustering::EMPTY);
        row.columns = columns(table, prng, &[2]);
        update.static_row = (!row.is_empty()).then_some(row);
    }
    for place in -3..4 {
        if !prng.chance(0.4) {
            continue;
        }
        let mut row = Row::empty(Clustering::new(vec![value_of(place)], &table.clustering_types()));
        row.columns = columns(table, prng, &[3, 4, 5]);
        if !table.is_counter {
            row.deletion = deletion(prng, 0.15);
            let (timestamp_us, local_deletion_s) = (timestamp(prng), second(prng));
            row.liveness = match prng.below(6) {
                0 => Liveness { timestamp_us, ttl_s: 5, local_deletion_s },
                1 => Liveness { timestamp_us, ttl_s: EXPIRED_TTL, local_deletion_s },
                2 | 3 => Liveness { timestamp_us, ..Liveness::NONE },
                _ => Liveness::NONE,
            };
        }
        if !row.is_empty() {
            update.rows.push(row);
        }
    }
    update.rows.sort_by(|a, b| a.clustering.cmp(&b.clustering));
    update
}

fn slices(table: &Table, prng: &mut Prng) -> Slices {
    if prng.chance(0.5) {
        return Slices::all();
    }
    let mut slices: Vec<Slice> = Vec::new();
    for _ in 0..1 + prng.below(3) {
        let (start, end) = range(table, prng);
        if slices.iter().all(|slice| end.order <= slice.start.order || slice.end.order <= start.order) {
            slices.push(Slice { start, end });
        }
    }
    slices.sort_by(|a, b| a.start.order.cmp(&b.start.order));
    Slices(slices)
}

type Read = (PartitionHeader, Vec<Unfiltered>);

fn drain(stream: Box<dyn PartitionStream>) -> Option<Read> {
    drain_mixed(stream, |_| false)
}

/// Reads a stream; `in_place` says of each step whether a row in place is asked for first.
fn drain_mixed(
    mut stream: Box<dyn PartitionStream>,
    mut in_place: impl FnMut(usize) -> bool,
) -> Option<Read> {
    let mut all = Vec::new();
    let mut parts = PlainParts::default();
    loop {
        if in_place(all.len()) {
            let before = all.len();
            let take = &mut |row: &PlainRow<'_>| {
                all.push(Unfiltered::Row(row.to_row()));
                if in_place(all.len()) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let count = stream.plain_rows(&mut parts, take).expect("a stream");
            assert_eq!(count, (all.len() - before) as u64);
            IN_PLACE_COUNT.fetch_add(count, Ordering::Relaxed);
        }
        let Some(one) = stream.next().expect("a stream") else { break };
        all.push(one);
    }
    let header = stream.header().clone();
    let is_nothing = header.deletion.is_live() && header.static_row.is_none() && all.is_empty();
    (!is_nothing).then_some((header, all))
}

/// Rows that were seen in place.
static IN_PLACE_COUNT: AtomicU64 = AtomicU64::new(0);

/// What is known of one partition: all that was written to it as one change, and how to make a read of it.
struct Case {
    number: u32,
    whole: PartitionUpdate,
    slices: Slices,
}

impl Case {
    fn expected(&self, slices: &Slices, is_reversed: bool) -> Option<Read> {
        drain(update_stream(key(self.number), self.whole.clone(), slices, is_reversed))
    }

    #[track_caller]
    fn check(&self, engine: &Engine, table: &Arc<Table>, what: &str) {
        for (slices, is_reversed) in
            [(&Slices::all(), false), (&Slices::all(), true), (&self.slices, false), (&self.slices, true)]
        {
            // All rows taken out; all in place that can be; now so, now so.
            for mask in [0, u64::MAX, 0b1011_0101 << (self.number % 4)] {
                let read = engine.read_partition(table, &key(self.number), slices, is_reversed);
                let read = read.expect("a read");
                assert_eq!(
                    read.and_then(|stream| drain_mixed(stream, |step| mask >> (step % 64) & 1 == 1)),
                    self.expected(slices, is_reversed),
                    "{what}, partition {}, reversed: {is_reversed}, in place: {mask:b}, {slices:?}",
                    self.number
                );
            }
        }
    }
}

fn check_scan(engine: &Engine, table: &Arc<Table>, cases: &[Case], what: &str) {
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start: None, end: None },
        slices: Slices::all(),
        reversed: false,
    };
    let mut partitions = engine.read(&command).expect("a scan");
    let mut shown = BTreeMap::new();
    while let Some(stream) = partitions.next_partition().expect("a partition") {
        let number = u32::from_be_bytes(stream.header().key.key[..].try_into().expect("four bytes"));
        shown.extend(drain_mixed(stream, |_| true).map(|read| (number, read)));
    }
    for case in cases {
        assert_eq!(
            shown.remove(&case.number),
            case.expected(&Slices::all(), false),
            "{what}, {}",
            case.number
        );
    }
    assert_eq!(shown.len(), 0, "{what}: partitions that nobody wrote");
}

/// `BATCH_COUNT` cases in the same files.
fn batch(seed: u64) {
    let sim = SimRuntime::with_shards(seed, 1 + (seed % 2) as usize);
    sim.block_on(move |runtime| async move {
        let prng = &mut Prng::from_seed(seed);
        let what = format!("seed {seed}");
        let table = table(seed % 5 == 4, seed % 2 == 1);
        let mut options = options(Path::new("/node"));
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        let phases_count = 1 + prng.index(4);
        let mut phases: Vec<Vec<Mutation>> = vec![Vec::new(); phases_count + 1];
        let mut cases = Vec::new();
        for number in 0..BATCH_COUNT {
            let updates: Vec<PartitionUpdate> = (0..2 + prng.below(4))
                .map(|_| update(&table, prng))
                .filter(|update| *update != PartitionUpdate::default())
                .collect();
            for update in &updates {
                // Some come twice.
                for _ in 0..1 + usize::from(prng.chance(0.2)) {
                    let mutation =
                        Mutation { table: table.clone(), key: key(number), update: update.clone() };
                    phases[prng.index(phases_count + 1)].push(mutation);
                }
            }
            let whole = updates.into_iter().reduce(|a, b| merge_updates(&table, a, b));
            cases.push(Case { number, whole: whole.unwrap_or_default(), slices: slices(&table, prng) });
        }
        for (phase, mut mutations) in phases.into_iter().enumerate() {
            prng.shuffle(&mut mutations);
            for mutation in mutations {
                drop(engine.apply(&[mutation]).expect("a write"));
            }
            // The last phase stays in the memtables.
            if phase < phases_count {
                engine.flush(FlushTarget::All).await.expect("a flush");
            }
        }
        cases.iter().for_each(|case| case.check(&engine, &table, &what));
        check_scan(&engine, &table, &cases, &what);
        engine.compact(&[table.id], CompactScope::All).await.expect("a compaction");
        let what = format!("{what}, compacted");
        cases.iter().for_each(|case| case.check(&engine, &table, &what));
        check_scan(&engine, &table, &cases, &what);
    });
}

#[test]
fn any_split_over_files_and_memtables_reads_the_same() {
    for seed in 0..u64::from(CASES_COUNT / BATCH_COUNT) {
        batch(seed);
    }
    let count = IN_PLACE_COUNT.load(Ordering::Relaxed);
    assert!(count > 10_000, "only {count} rows were seen in place");
}
