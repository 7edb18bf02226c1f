//! What may go and what must stay, case by case.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{
    Cell, ColumnData, ColumnId, DeletionTime, Liveness, Mutation, PartitionUpdate, RangeTombstone, Row,
    Slices, Table, Unfiltered,
};
use runtime::Runtime;
use runtime::sim::SimRuntime;

use super::super::support::{clustering, key, open, options, put};
use super::rich::{START_S, all, bound, files, has_tombstones, rich_table, seen};
use crate::{CompactScope, Engine, FlushTarget};

const NODE: &str = "/node";
const LONG_AGO: u32 = START_S as u32 - 1_000;
const JUST_NOW: u32 = START_S as u32;

/// Runs a case with a table whose tombstones stay for 100 seconds.
fn case<Fut: Future<Output = ()> + 'static>(
    run: impl FnOnce(Arc<Engine>, Arc<Table>, Runtime) -> Fut + 'static,
) {
    let sim = SimRuntime::with_shards(7, 2);
    sim.block_on(move |runtime| async move {
        let table = rich_table(100, &[]);
        let mut options = options(Path::new(NODE));
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        run(engine, table, runtime).await;
    });
}

async fn flush(engine: &Engine, mutations: &[Mutation]) {
    drop(engine.apply(mutations).unwrap());
    engine.flush(FlushTarget::All).await.unwrap();
}

async fn compact(engine: &Engine, table: &Arc<Table>) {
    engine.compact(&[table.id], CompactScope::All).await.unwrap();
}

fn change(table: &Arc<Table>, number: u32, update: PartitionUpdate) -> Mutation {
    Mutation { table: table.clone(), key: key(number), update }
}

fn delete_partition(table: &Arc<Table>, number: u32, timestamp_us: i64, local_deletion_s: u32) -> Mutation {
    let deletion = DeletionTime { timestamp_us, local_deletion_s };
    change(table, number, PartitionUpdate { deletion, ..PartitionUpdate::default() })
}

fn delete_range(
    table: &Arc<Table>,
    (from, to): (u8, u8),
    timestamp_us: i64,
    local_deletion_s: u32,
) -> Mutation {
    let deletion = DeletionTime { timestamp_us, local_deletion_s };
    let (start, end) = (bound(from, true, true), bound(to, false, true));
    let range_tombstones = vec![RangeTombstone { start, end, deletion }];
    change(table, 1, PartitionUpdate { range_tombstones, ..PartitionUpdate::default() })
}

fn read(
    engine: &Engine,
    table: &Arc<Table>,
    number: u32,
) -> Option<Box<dyn model::partition::PartitionStream>> {
    engine.read_partition(table, &key(number), &Slices::all(), false).unwrap()
}

fn rows(engine: &Engine, table: &Arc<Table>, number: u32) -> usize {
    seen(read(engine, table, number), JUST_NOW).len()
}

async fn sstables_count(runtime: &Runtime, table: &Table) -> usize {
    runtime.sleep(Duration::from_millis(100)).await;
    files(runtime, Path::new(NODE), table).0.len()
}

#[test]
fn a_tombstone_stays_for_gc_grace_and_then_goes_with_all_it_shadows() {
    for (second, goes) in [(LONG_AGO, true), (JUST_NOW - 90, false)] {
        case(move |engine, table, runtime| async move {
            flush(&engine, &[put(&table, 1, 1, "v", 1)]).await;
            flush(&engine, &[delete_partition(&table, 1, 2, second)]).await;
            compact(&engine, &table).await;
            assert_eq!(rows(&engine, &table, 1), 0);
            assert_eq!(has_tombstones(read(&engine, &table, 1)), !goes);
            assert_eq!(
                sstables_count(&runtime, &table).await,
                usize::from(!goes),
                "an empty one is not written"
            );
        });
    }
}

#[test]
fn a_tombstone_stays_while_an_sstable_outside_may_hold_what_it_shadows() {
    case(|engine, table, runtime| async move {
        flush(&engine, &[put(&table, 1, 1, "v", 1)]).await;
        let old = files(&runtime, Path::new(NODE), &table).0;
        flush(&engine, &[delete_partition(&table, 1, 2, LONG_AGO)]).await;
        flush(&engine, &[put(&table, 2, 1, "other", 3)]).await;
        let mut newer = files(&runtime, Path::new(NODE), &table).0;
        newer.retain(|one| !old.contains(one));
        engine.compact(&[table.id], CompactScope::SsTables(newer)).await.unwrap();
        assert_eq!(rows(&engine, &table, 1), 0);
        assert!(has_tombstones(read(&engine, &table, 1)));
    });
}

#[test]
fn a_tombstone_stays_while_a_memtable_holds_what_it_shadows() {
    case(|engine, table, _| async move {
        flush(&engine, &[delete_partition(&table, 1, 2, LONG_AGO)]).await;
        drop(engine.apply(&[put(&table, 1, 1, "v", 1)]).unwrap());
        compact(&engine, &table).await;
        assert_eq!(rows(&engine, &table, 1), 0);
        assert!(has_tombstones(read(&engine, &table, 1)));
        engine.flush(FlushTarget::All).await.unwrap();
        compact(&engine, &table).await;
        assert!(!has_tombstones(read(&engine, &table, 1)));
    });
}

#[test]
fn newer_data_elsewhere_does_not_keep_a_tombstone() {
    case(|engine, table, runtime| async move {
        flush(&engine, &[delete_partition(&table, 1, 2, LONG_AGO)]).await;
        let old = files(&runtime, Path::new(NODE), &table).0;
        flush(&engine, &[put(&table, 1, 1, "v", 3)]).await;
        engine.compact(&[table.id], CompactScope::SsTables(old)).await.unwrap();
        assert_eq!(rows(&engine, &table, 1), 1);
        assert!(!has_tombstones(read(&engine, &table, 1)));
    });
}

/// One row, written at 5 us, that expires at this second.
fn expiring(table: &Arc<Table>, ttl_s: i32, at: u32) -> Mutation {
    let mut mutation = put(table, 1, 1, "v", 5);
    let row = &mut mutation.update.rows[0];
    row.liveness = Liveness { timestamp_us: 5, ttl_s, local_deletion_s: at };
    let cell = Cell::expiring(5, ttl_s, at, Bytes::from_static(b"v"));
    row.columns = vec![(ColumnId(2), ColumnData::Cell(cell))];
    mutation
}

/// A tombstone would win the tie that the expired cell loses to the one that expires later.
#[test]
fn an_expired_cell_stays_while_an_sstable_outside_may_hold_one_of_its_time() {
    case(|engine, table, runtime| async move {
        flush(&engine, &[expiring(&table, 50, JUST_NOW - 10)]).await;
        let old = files(&runtime, Path::new(NODE), &table).0;
        flush(&engine, &[expiring(&table, 500, JUST_NOW + 400)]).await;
        let before = seen(read(&engine, &table, 1), JUST_NOW);
        engine.compact(&[table.id], CompactScope::SsTables(old)).await.unwrap();
        assert_eq!(seen(read(&engine, &table, 1), JUST_NOW), before);
        compact(&engine, &table).await;
        assert_eq!(seen(read(&engine, &table, 1), JUST_NOW), before);
    });
}

/// Bugs 13643 and 14071: what has expired becomes a tombstone, and goes in time.
#[test]
fn expired_cells_become_tombstones_as_of_their_write_and_go() {
    // Expired 10 s ago: within gc_grace by its expiry, without by its write, which is what counts for the cell.
    for (ttl_s, is_left) in [(50, true), (200, false)] {
        case(move |engine, table, runtime| async move {
            flush(&engine, &[expiring(&table, ttl_s, JUST_NOW - 10)]).await;
            compact(&engine, &table).await;
            let (_, _, rest) = all(read(&engine, &table, 1));
            let [Unfiltered::Row(row)] = &rest[..] else { panic!("{rest:?}") };
            assert!(row.liveness.is_expiring(), "the marker goes by its expiry");
            let expected = Cell::tombstone(5, JUST_NOW - 10 - ttl_s as u32);
            let expected: Vec<_> =
                is_left.then_some((ColumnId(2), ColumnData::Cell(expected))).into_iter().collect();
            assert_eq!(row.columns, expected);
            runtime.sleep(Duration::from_secs(200)).await;
            compact(&engine, &table).await;
            assert_eq!(sstables_count(&runtime, &table).await, 0);
        });
    }
}

/// Bug 14672: of a boundary only one side may be old enough.
#[test]
fn half_of_a_boundary_goes() {
    for (first_s, second_s) in [(LONG_AGO, JUST_NOW), (JUST_NOW, LONG_AGO), (LONG_AGO, LONG_AGO)] {
        case(move |engine, table, _| async move {
            let keep = |second: u32| second == JUST_NOW;
            flush(
                &engine,
                &[
                    delete_range(&table, (1, 5), 10, first_s),
                    delete_range(&table, (5, 9), 11, second_s),
                    put(&table, 1, 3, "hidden", 1),
                    put(&table, 1, 7, "hidden", 1),
                    put(&table, 1, 8, "seen", 20),
                    put(&table, 2, 1, "other", 1),
                ],
            )
            .await;
            compact(&engine, &table).await;
            for reversed in [false, true] {
                let read = engine.read_partition(&table, &key(1), &Slices::all(), reversed).unwrap();
                let (_, _, rest) = all(read);
                let mut open = None;
                let mut kinds = Vec::new();
                for one in &rest {
                    match one {
                        Unfiltered::Row(_) => kinds.push("row"),
                        Unfiltered::Marker(marker) => {
                            assert_eq!(marker.close, open, "markers open and close in turn");
                            open = marker.open;
                            kinds.push("marker");
                        }
                    }
                }
                assert_eq!(open, None);
                let mut expected = vec![];
                if keep(first_s) {
                    expected.extend(["marker", "marker"]);
                }
                if keep(second_s) {
                    expected.extend(["marker", "row", "marker"]);
                } else {
                    expected.push("row");
                }
                if reversed {
                    expected.reverse();
                }
                assert_eq!(kinds, expected, "{first_s} {second_s} {reversed}");
            }
        });
    }
}

#[test]
fn a_row_that_loses_everything_vanishes_and_the_static_row_stays() {
    case(|engine, table, runtime| async move {
        let mut statics = Row::empty(model::Clustering::EMPTY);
        statics.columns.push((ColumnId(3), ColumnData::Cell(Cell::live(1, Bytes::from_static(b"s")))));
        let update = PartitionUpdate { static_row: Some(statics), ..PartitionUpdate::default() };
        let mut deleted = Row::empty(clustering(1));
        deleted.columns.push((ColumnId(2), ColumnData::Cell(Cell::tombstone(9, LONG_AGO))));
        let deleted = PartitionUpdate { rows: vec![deleted], ..PartitionUpdate::default() };
        flush(&engine, &[change(&table, 1, update), change(&table, 1, deleted.clone())]).await;
        flush(&engine, &[change(&table, 2, deleted), put(&table, 3, 1, "v", 1)]).await;
        compact(&engine, &table).await;
        let (_, static_row, rest) = all(read(&engine, &table, 1));
        assert!(static_row.is_some() && rest.is_empty());
        assert!(read(&engine, &table, 2).is_none_or(|read| all(Some(read)).2.is_empty()));
        let partitions: u64 = engine.table_stats(table.id).map(|stats| stats.sstables_count as u64).unwrap();
        assert_eq!((partitions, sstables_count(&runtime, &table).await), (1, 1));
    });
}

#[test]
fn only_repaired_tombstones_go_where_the_option_says_so() {
    let sim = SimRuntime::new(3);
    sim.block_on(|runtime| async move {
        let options_of =
            [("class", "SizeTieredCompactionStrategy"), ("only_purge_repaired_tombstones", "true")];
        let table = rich_table(0, &options_of);
        let mut options = options(Path::new(NODE));
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        flush(&engine, &[delete_partition(&table, 1, 2, LONG_AGO)]).await;
        compact(&engine, &table).await;
        assert!(has_tombstones(read(&engine, &table, 1)));
    });
}

#[test]
fn garbage_collection_takes_what_newer_sstables_shadow() {
    for option in [crate::TombstoneOption::Row, crate::TombstoneOption::Cell] {
        case(move |engine, table, runtime| async move {
            flush(
                &engine,
                &[
                    put(&table, 1, 1, "deleted", 1),
                    put(&table, 1, 2, "overwritten", 1),
                    put(&table, 1, 3, "kept", 1),
                ],
            )
            .await;
            let old = files(&runtime, Path::new(NODE), &table).0;
            let mut row = Row::empty(clustering(1));
            row.deletion = DeletionTime { timestamp_us: 5, local_deletion_s: JUST_NOW };
            let rows_of = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
            flush(&engine, &[change(&table, 1, rows_of), put(&table, 1, 2, "newer", 5)]).await;
            let before = all(read(&engine, &table, 1));
            engine.garbage_collect(&[table.id], option).await.unwrap();
            assert_eq!(all(read(&engine, &table, 1)), before);
            runtime.sleep(Duration::from_secs(1)).await;
            let now = files(&runtime, Path::new(NODE), &table).0;
            assert!(now.len() == 2 && !now.contains(&old[0]));
            let least = now.iter().min_by_key(|one| one.id).unwrap();
            let sstable = sstable::SsTable::open(runtime.disk(), least).unwrap();
            // Of an overwritten row the time of its INSERT stays.
            let cells = if option == crate::TombstoneOption::Cell { 1 } else { 2 };
            let metadata = sstable.metadata();
            assert_eq!((metadata.rows, metadata.columns), (2, cells), "{option:?}");
        });
    }
}
