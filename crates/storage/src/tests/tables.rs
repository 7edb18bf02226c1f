//! Reads and writes of one engine, memtables and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::merge::{merge_updates, update_stream};
use model::partition::PartitionStream;
use model::read::{Place, Position};
use model::{
    Bound, BoundKind, DeletionTime, Mutation, PartitionUpdate, RangeTombstone, Row, Slice, Slices, Table,
    Unfiltered,
};
use stdx::prng::Prng;

use super::support::{clustering, key, on_both, open, options, put, scan, system_table, table};
use crate::{Engine, FlushTarget};

#[test]
fn what_is_written_is_read_in_token_order_across_shards() {
    on_both("order", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let mutations: Vec<_> = (0..300).map(|number| put(&table, number, 1, "v", 1)).collect();
        engine.apply(&mutations).unwrap().synced().await.unwrap();
        // The scan itself checks the order.
        assert_eq!(scan(&engine, &table).len(), 300);
        engine
            .apply(&[put(&table, 7, 1, "later", 2), put(&table, 8, 1, "earlier", 0)])
            .unwrap()
            .synced()
            .await
            .unwrap();
        let all = scan(&engine, &table);
        assert_eq!(all[7], (7, 1, "later".to_owned()));
        assert_eq!(all[8], (8, 1, "v".to_owned()));
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&table]);
        assert_eq!(scan(&engine, &table), all);
        assert_eq!(engine.stats().replayed_entries_count, 302);
    });
}

#[test]
fn a_table_without_clustering_has_one_row_a_partition() {
    on_both("plain", |runtime, dir| async move {
        let mut plain = Table::clone(&table());
        plain.clustering.clear();
        let table = Arc::new(plain);
        let engine = open(&runtime, options(&dir), &[&table]);
        let row = |number, value: &str, timestamp| {
            let mut mutation = put(&table, number, 0, value, timestamp);
            mutation.update.rows[0].clustering = model::Clustering::EMPTY;
            mutation
        };
        let read = |engine: &Engine, number, slices: &Slices| {
            drain(engine.read_partition(&table, &key(number), slices, false).unwrap()).len()
        };
        for round in 0..3 {
            for number in 0..5 {
                engine.apply(&[row(number, "v", round)]).unwrap().synced().await.unwrap();
            }
            for reversed in [false, true] {
                let partitions = model::PartitionSelection::Range { start: None, end: None };
                let command =
                    model::ReadCommand { table: table.clone(), partitions, slices: Slices::all(), reversed };
                let mut all = engine.read(&command).unwrap();
                let mut count = 0;
                while let Some(partition) = all.next_partition().unwrap() {
                    assert_eq!(drain(Some(partition)).len(), 1, "round {round}");
                    count += 1;
                }
                assert_eq!(count, 5);
            }
            assert_eq!(read(&engine, 3, &Slices::all()), 1, "round {round}");
            assert_eq!(read(&engine, 3, &Slices(Vec::new())), 0, "round {round}");
            assert_eq!(read(&engine, 9, &Slices::all()), 0, "round {round}");
            engine.flush(FlushTarget::All).await.unwrap();
            assert_eq!(read(&engine, 3, &Slices::all()), 1, "flushed, round {round}");
        }
    });
}

#[test]
fn a_change_of_several_system_tables_is_one_entry() {
    on_both("system", |runtime, dir| async move {
        let table = system_table();
        let engine = open(&runtime, options(&dir), &[]);
        let mutations: Vec<_> = (0..50).map(|number| put(&table, number, 1, "v", 1)).collect();
        engine.apply(&mutations).unwrap().synced().await.unwrap();
        assert_eq!(engine.stats().log_entries_count, 1);
        drop(engine);
        let mut seen = 0;
        let schema = super::support::schema(&[]);
        let engine = Engine::open(&runtime, options(&dir), vec![system_table()], |engine| {
            seen = scan(engine, &system_table()).len();
            Ok(schema)
        });
        engine.unwrap();
        assert_eq!(seen, 50, "the schema's loader sees what was replayed");
    });
}

#[test]
fn a_log_of_other_shards_is_read_by_those_that_are() {
    use runtime::sim::SimRuntime;
    let table = table();
    let mut disk_image: Option<Vec<(std::path::PathBuf, Vec<u8>)>> = None;
    for shards_count in [3, 1, 4, 2] {
        let sim = SimRuntime::with_shards(1, shards_count);
        let (image, table) = (disk_image.take(), table.clone());
        disk_image = Some(sim.block_on(move |runtime| async move {
            let dir = std::path::Path::new("/node/commitlog");
            runtime.disk().create_dir_all(dir).unwrap();
            for (path, bytes) in image.into_iter().flatten() {
                let file = runtime.disk().open(&path, runtime::OpenMode::CreateNew).unwrap();
                file.write_all_at(&bytes, 0).unwrap();
            }
            let engine = open(&runtime, options(dir.parent().unwrap()), &[&table]);
            let count = scan(&engine, &table).len() as u32;
            for number in count..count + 40 {
                engine.apply(&[put(&table, number, 1, "v", 1)]).unwrap().synced().await.unwrap();
            }
            assert_eq!(scan(&engine, &table).len() as u32, count + 40, "{shards_count} shards");
            engine.drain().await.unwrap();
            let names = runtime.disk().list(dir).unwrap();
            let files = names.into_iter().map(|entry| {
                let path = dir.join(entry.name);
                let bytes = runtime.disk().read_all(&path).unwrap();
                (path, bytes)
            });
            files.collect()
        }));
    }
}

fn bound(place: u8, is_start: bool, before: bool) -> Bound {
    let kind = match (is_start, before) {
        (true, true) => BoundKind::InclusiveStart,
        (true, false) => BoundKind::ExclusiveStart,
        (false, true) => BoundKind::ExclusiveEnd,
        (false, false) => BoundKind::InclusiveEnd,
    };
    let order = Bytes::copy_from_slice(&[0x40, place ^ 0x80, if before { 0x20 } else { 0x60 }]);
    Bound { kind, values: vec![Some(Bytes::copy_from_slice(&[place]))], order }
}

/// A change with few rows of many, and all kinds of deletions.
pub(super) fn random_mutation(prng: &mut Prng, table: &Arc<Table>, number: u32) -> Mutation {
    let time = |prng: &mut Prng| DeletionTime { timestamp_us: prng.below(50) as i64, local_deletion_s: 100 };
    let mut update = PartitionUpdate::default();
    match prng.below(12) {
        0 => update.deletion = time(prng),
        1 | 2 => {
            let (from, to) = (prng.below(200) as u8, prng.below(40) as u8);
            let (start, end) = (bound(from, true, true), bound(from + to, false, prng.chance(0.5)));
            if start.order < end.order {
                update.range_tombstones.push(RangeTombstone { start, end, deletion: time(prng) });
            }
        }
        3 => {
            let mut row = Row::empty(clustering(prng.below(240) as u8));
            row.deletion = time(prng);
            update.rows.push(row);
        }
        _ => {
            let place = prng.below(240) as u8;
            let value = prng.below(1000).to_string();
            update = put(table, number, place, &value, prng.below(50) as i64).update;
        }
    }
    Mutation { table: table.clone(), key: key(number), update }
}

fn drain(stream: Option<Box<dyn PartitionStream>>) -> Vec<Unfiltered> {
    let Some(mut stream) = stream else { return Vec::new() };
    std::iter::from_fn(|| stream.next().unwrap()).collect()
}

/// What is known of each partition, all its changes merged.
pub(super) fn add_to_model(model: &mut BTreeMap<u32, PartitionUpdate>, number: u32, mutation: &Mutation) {
    let known = model.remove(&number).unwrap_or_default();
    model.insert(number, merge_updates(&mutation.table, known, mutation.update.clone()));
}

/// Compares every read with the model: all changes of a partition merged into one.
#[track_caller]
pub(super) fn compare(
    engine: &Engine,
    table: &Arc<Table>,
    model: &BTreeMap<u32, PartitionUpdate>,
    prng: &mut Prng,
    seed: u64,
) {
    for (number, update) in model {
        let (from, to) = (prng.below(240) as u8, prng.below(240) as u8);
        let slice = Slice { start: bound(from.min(to), true, true), end: bound(from.max(to), false, false) };
        for slices in [Slices::all(), Slices(vec![slice])] {
            for reversed in [false, true] {
                let read = engine.read_partition(table, &key(*number), &slices, reversed).unwrap();
                let deletion = read.as_ref().map_or(DeletionTime::LIVE, |read| read.header().deletion);
                let expected = update_stream(key(*number), update.clone(), &slices, reversed);
                assert_eq!(drain(read), drain(Some(expected)), "seed {seed}, partition {number}, {reversed}");
                assert_eq!(deletion, update.deletion, "seed {seed}, partition {number}");
            }
        }
    }
}

#[test]
fn reads_are_what_all_changes_merged_would_be() {
    on_both("model", |runtime, dir| async move {
        let table = table();
        let seed = runtime.random().next_u64();
        let mut prng = Prng::from_seed(seed);
        let mut model: BTreeMap<u32, PartitionUpdate> = BTreeMap::new();
        for _ in 0..3 {
            let engine = open(&runtime, options(&dir), &[&table]);
            for _ in 0..2_000 {
                let number = prng.below(6) as u32;
                let mutation = random_mutation(&mut prng, &table, number);
                add_to_model(&mut model, number, &mutation);
                drop(engine.apply(&[mutation]).unwrap());
            }
            compare(&engine, &table, &model, &mut prng, seed);
            engine.drain().await.unwrap();
        }
    });
}

#[test]
fn a_read_sees_a_partition_as_it_was() {
    on_both("snapshot", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let write = |value: &str, timestamp| {
            for place in 0..200 {
                drop(engine.apply(&[put(&table, 1, place, value, timestamp)]).unwrap());
            }
        };
        write("first", 1);
        let before = engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap();
        write("second", 2);
        let rows = drain(before);
        assert_eq!(rows.len(), 200);
        for row in rows {
            let Unfiltered::Row(row) = row else { panic!("no tombstones were written") };
            assert_eq!(row.liveness.timestamp_us, 1);
        }
    });
}

#[test]
fn locks_of_a_partition_exclude_each_other() {
    on_both("lock", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let key = key(1);
        let held = engine.partition_lock(table.id, &key).await;
        let late =
            runtime.timeout(std::time::Duration::from_millis(5), engine.partition_lock(table.id, &key));
        assert!(late.await.is_err());
        drop(held);
        let keys = [(table.id, key.clone()), (table.id, super::support::key(2)), (table.id, key)];
        assert_eq!(engine.partition_locks(&keys).await.len(), 2);
    });
}

#[test]
fn a_node_goes_on_with_another_number_of_shards() {
    let dir = std::env::temp_dir().join(format!("helenus-storage-{}-shards", std::process::id()));
    for (index, shards_count) in [3, 1, 2, 4].into_iter().enumerate() {
        let real = runtime::real::RealRuntime::start(shards_count).unwrap();
        let dir = dir.clone();
        real.block_on(move |runtime| async move {
            let table = table();
            let engine = open(&runtime, options(&dir), &[&table]);
            let count = index as u32 * 50;
            assert_eq!(scan(&engine, &table).len() as u32, count, "{shards_count} shards");
            for number in count..count + 50 {
                engine.apply(&[put(&table, number, 1, "v", 1)]).unwrap().synced().await.unwrap();
                if number % 50 == 25 {
                    engine.flush(FlushTarget::All).await.unwrap();
                }
            }
            assert_eq!(scan(&engine, &table).len() as u32, count + 50, "{shards_count} shards");
            engine.drain().await.unwrap();
            if index == 3 {
                runtime.disk().remove_dir_all(&dir).unwrap();
            }
        });
    }
}

#[test]
fn a_range_is_cut_at_positions() {
    on_both("range", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let mut keys: Vec<_> = (0..60).map(key).collect();
        keys.sort();
        for number in 0..60 {
            drop(engine.apply(&[put(&table, number, 1, "v", 1)]).unwrap());
            if number == 30 {
                engine.flush(FlushTarget::All).await.unwrap();
            }
        }
        let mut prng = Prng::from_seed(runtime.random().next_u64());
        for _ in 0..200 {
            let mut position = || -> Option<Position> {
                let key = &keys[prng.index(keys.len())];
                let places = [Place::BeforeAll, Place::Key(key.key.clone()), Place::AfterAll];
                let token = if prng.chance(0.1) { model::Token::MAX } else { key.token };
                prng.chance(0.9).then(|| Position { token, place: prng.choose(&places).unwrap().clone() })
            };
            let (start, end) = (position(), position());
            let of =
                |key: &model::PartitionKey| Position { token: key.token, place: Place::Key(key.key.clone()) };
            let expected: Vec<_> = keys
                .iter()
                .filter(|key| start.as_ref().is_none_or(|start| of(key) > *start))
                .filter(|key| end.as_ref().is_none_or(|end| of(key) <= *end))
                .cloned()
                .collect();
            let partitions = model::PartitionSelection::Range { start: start.clone(), end: end.clone() };
            let command = model::ReadCommand {
                table: table.clone(),
                partitions,
                slices: Slices::all(),
                reversed: false,
            };
            let mut read = engine.read(&command).unwrap();
            let mut found = Vec::new();
            while let Some(partition) = read.next_partition().unwrap() {
                found.push(partition.header().key.clone());
            }
            assert_eq!(found, expected, "{start:?} to {end:?}");
        }
    });
}

#[test]
fn writes_of_a_keyspace_without_durable_writes_skip_the_log() {
    on_both("undurable", |runtime, dir| async move {
        let table = table();
        let mut schema = model::Schema::clone(&super::support::schema(&[&table]));
        for keyspace in schema.keyspaces.values_mut() {
            Arc::make_mut(keyspace).durable_writes = false;
        }
        let engine = open(&runtime, options(&dir), &[&table]);
        engine.update_tables(&schema).unwrap();
        engine.apply(&[put(&table, 1, 1, "v", 1)]).unwrap().synced().await.unwrap();
        assert_eq!(engine.stats().log_entries_count, 0);
        assert_eq!(scan(&engine, &table).len(), 1);
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&table]);
        assert_eq!(scan(&engine, &table), []);
    });
}
