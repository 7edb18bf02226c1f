//! Row and key cache: what is kept, what makes it go, what outlasts a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::partition::PartitionStream;
use model::schema::DroppedColumn;
use model::{Bound, BoundKind, ColumnId, Slice, Slices, Table};
use runtime::Runtime;
use runtime::sim::SimRuntime;
use sstable::{Descriptor, Version, WriteOptions, Writer};

use super::support::{key, on_both, open, options, put, rows_of, schema, table};
use crate::table::table_dir;
use crate::{CacheKind, CacheStats, CompactScope, Engine, EngineOptions, FlushTarget};

fn caching(rows: &str) -> Arc<Table> {
    let mut cached = Table::clone(&table());
    cached.options.caching.rows_per_partition = rows.to_owned();
    Arc::new(cached)
}

fn with_rows(dir: &Path) -> EngineOptions {
    EngineOptions {
        row_cache_bytes: 1 << 20,
        row_cache_save_period: Duration::from_secs(3600),
        auto_compaction: false,
        ..options(dir)
    }
}

async fn write(engine: &Engine, table: &Arc<Table>, number: u32, place: u8, value: &str, timestamp_us: i64) {
    engine.apply(&[put(table, number, place, value, timestamp_us)]).unwrap().synced().await.unwrap();
}

/// Ten rows in an SSTable.
async fn ten_rows(engine: &Engine, table: &Arc<Table>) {
    for place in 0..10 {
        write(engine, table, 1, place, &format!("v{place}"), 10).await;
    }
    engine.flush(FlushTarget::All).await.unwrap();
}

/// Places of the first rows that a read of these slices gives.
fn places(
    engine: &Engine,
    table: &Arc<Table>,
    slices: &Slices,
    reversed: bool,
    count: usize,
) -> Vec<(u8, String)> {
    struct First(Box<dyn PartitionStream>, usize);
    impl PartitionStream for First {
        fn header(&self) -> &model::PartitionHeader {
            self.0.header()
        }

        fn next(&mut self) -> Result<Option<model::Unfiltered>, model::partition::SourceError> {
            let Some(left) = self.1.checked_sub(1) else { return Ok(None) };
            self.1 = left;
            self.0.next()
        }
    }
    let stream = engine.read_partition(table, &key(1), slices, reversed).unwrap();
    stream.map_or_else(Vec::new, |stream| rows_of(&mut First(stream, count), ColumnId(2)))
}

fn all(engine: &Engine, table: &Arc<Table>) -> Vec<(u8, String)> {
    places(engine, table, &Slices::all(), false, usize::MAX)
}

fn slice(table: &Table, first: u8, last: u8) -> Slices {
    let bound = |kind, place: u8| {
        Bound::new(kind, vec![Some(Bytes::copy_from_slice(&[place]))], &table.clustering_types())
    };
    let (start, end) = (bound(BoundKind::InclusiveStart, first), bound(BoundKind::InclusiveEnd, last));
    Slices(vec![Slice { start, end }])
}

fn hits_of(engine: &Engine) -> (u64, u64) {
    let stats = engine.cache_stats(CacheKind::Row);
    (stats.hits, stats.requests)
}

#[test]
fn a_head_answers_what_lies_in_it_and_begins_what_goes_beyond() {
    on_both("row-head", |runtime, dir| async move {
        let table = caching("3");
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        ten_rows(&engine, &table).await;
        let want: Vec<_> = (0..10).map(|place| (place, format!("v{place}"))).collect();
        assert_eq!(places(&engine, &table, &Slices::all(), false, 3), want[..3]);
        assert_eq!(hits_of(&engine), (0, 1));
        assert_eq!(places(&engine, &table, &Slices::all(), false, 3), want[..3]);
        assert_eq!(places(&engine, &table, &slice(&table, 1, 2), false, 9), want[1..3]);
        let backwards: Vec<_> = want[..3].iter().rev().cloned().collect();
        assert_eq!(places(&engine, &table, &slice(&table, 0, 2), true, 9), backwards);
        assert_eq!(hits_of(&engine), (3, 4));
        assert_eq!(all(&engine, &table), want);
        assert_eq!(places(&engine, &table, &slice(&table, 1, 7), false, 9), want[1..8]);
        assert_eq!(hits_of(&engine), (5, 6), "the head begins them");
        let backwards: Vec<_> = want.iter().rev().cloned().collect();
        assert_eq!(places(&engine, &table, &Slices::all(), true, 99), backwards);
        assert_eq!(places(&engine, &table, &slice(&table, 5, 7), false, 9), want[5..8]);
        assert_eq!(hits_of(&engine), (5, 8), "nothing of them is in the head, or not first");
        let stats = engine.cache_stats(CacheKind::Row);
        assert!(stats.entries == 1 && stats.bytes > 300 && stats.bytes < 2_000, "{stats:?}");
        engine.invalidate_cache(CacheKind::Row);
        assert_eq!(engine.cache_stats(CacheKind::Row).entries, 0);
        assert_eq!(all(&engine, &table), want);
        assert_eq!(hits_of(&engine), (5, 9));
    });
}

#[test]
fn a_stream_that_goes_beyond_the_head_shows_nothing_of_a_write_that_came_after_it_began() {
    on_both("row-snapshot", |runtime, dir| async move {
        let table = caching("2");
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        ten_rows(&engine, &table).await;
        let want = all(&engine, &table);
        let mut stream = engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap().unwrap();
        write(&engine, &table, 1, 1, "new", 20).await;
        write(&engine, &table, 1, 8, "new", 20).await;
        engine.flush(FlushTarget::All).await.unwrap();
        assert_eq!(rows_of(&mut *stream, ColumnId(2)), want);
        assert_eq!(hits_of(&engine), (1, 2));
        let (mut want, new) = (want, "new".to_owned());
        (want[1].1, want[8].1) = (new.clone(), new);
        assert_eq!(all(&engine, &table), want);
    });
}

#[test]
fn all_that_changes_a_table_lets_go_of_its_heads() {
    on_both("row-changes", |runtime, dir| async move {
        let table = caching("ALL");
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        ten_rows(&engine, &table).await;
        all(&engine, &table);
        write(&engine, &table, 1, 3, "new", 20).await;
        assert_eq!(all(&engine, &table)[3].1, "new");
        all(&engine, &table);
        assert_eq!(hits_of(&engine), (1, 3));
        // What is shown stays the same: so do the heads.
        engine.flush(FlushTarget::All).await.unwrap();
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        assert_eq!(all(&engine, &table).len(), 10);
        assert_eq!(hits_of(&engine), (2, 4));
        engine.truncate(table.id).await.unwrap();
        assert_eq!(all(&engine, &table), []);
        ten_rows(&engine, &table).await;
        all(&engine, &table);
        // Without the column nothing is shown of it, and with the cache off nothing is asked of the cache.
        let mut without = Table::clone(&table);
        let v = without.regulars.pop().unwrap();
        let dropped = DroppedColumn { name: v.name.clone(), ty: v.ty, kind: v.kind, dropped_at_us: 50 };
        without.dropped.insert(v.name, dropped);
        let without = Arc::new(without);
        engine.update_tables(&schema(&[&without])).unwrap();
        assert_eq!(all(&engine, &without), []);
        let plain =
            Arc::new(Table { options: super::support::table().options.clone(), ..Table::clone(&without) });
        engine.update_tables(&schema(&[&plain])).unwrap();
        let before = hits_of(&engine);
        assert_eq!(all(&engine, &plain), []);
        assert_eq!(hits_of(&engine), before);
        // Dropped, and made again with its id.
        engine.update_tables(&schema(&[&without])).unwrap();
        all(&engine, &without);
        assert_eq!(engine.cache_stats(CacheKind::Row).entries, 1);
        engine.update_tables(&schema(&[])).unwrap();
        assert_eq!(engine.cache_stats(CacheKind::Row).entries, 0);
        engine.update_tables(&schema(&[&table])).unwrap();
        assert!(engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap().is_none());
    });
}

#[test]
fn partitions_that_are_too_large_are_not_kept_and_the_cache_keeps_its_bound() {
    let sim = SimRuntime::with_shards(1, 1);
    sim.block_on(|runtime| async move {
        let table = caching("ALL");
        let engine = open(&runtime, with_rows(Path::new("/node")), &[&table]);
        let long = "x".repeat(10_000);
        for number in 0..200 {
            let count = if number == 7 { 100 } else { 1 };
            for place in 0..count {
                write(&engine, &table, number, place, &long, 10).await;
            }
            let mut stream =
                engine.read_partition(&table, &key(number), &Slices::all(), false).unwrap().unwrap();
            assert_eq!(rows_of(&mut *stream, ColumnId(2)).len(), count as usize);
            if number == 7 {
                let CacheStats { bytes, entries, .. } = engine.cache_stats(CacheKind::Row);
                assert!(entries == 8 && bytes < 100_000, "{entries} entries, {bytes} bytes");
            }
        }
        let stats = engine.cache_stats(CacheKind::Row);
        assert!(stats.bytes > 500_000 && stats.bytes <= 1 << 20, "{stats:?}");
    });
}

#[test]
fn a_node_that_starts_again_warms_what_was_cached_and_ignores_what_is_damaged() {
    on_both("row-saved", |runtime, dir| async move {
        let table = caching("ALL");
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        ten_rows(&engine, &table).await;
        let want = all(&engine, &table);
        engine.drain().await.unwrap();
        drop(engine);
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        warm_up(&runtime, &engine, CacheKind::Row, 1).await;
        assert_eq!(hits_of(&engine), (0, 0), "warming is no request");
        assert_eq!(all(&engine, &table), want);
        assert_eq!(hits_of(&engine), (1, 1));
        drop(engine);
        let path = dir.join("saved_caches/RowCache-helenus-1.db");
        let mut bytes = runtime.disk().read_all(&path).unwrap();
        bytes[20] ^= 1;
        runtime.disk().write_all_synced(&path, &bytes).unwrap();
        let engine = open(&runtime, with_rows(&dir), &[&table]);
        runtime.sleep(Duration::from_millis(200)).await;
        assert_eq!(engine.cache_stats(CacheKind::Row).entries, 0);
        assert_eq!(all(&engine, &table), want);
    });
}

async fn warm_up(runtime: &Runtime, engine: &Engine, kind: CacheKind, entries: u64) {
    for _ in 0..500 {
        if engine.cache_stats(kind).entries >= entries {
            return;
        }
        runtime.sleep(Duration::from_millis(10)).await;
    }
    panic!("not warm: {:?}", engine.cache_stats(kind));
}

/// Ten partitions in an SSTable with an Index.db, as an import leaves it.
fn write_big(runtime: &Runtime, options: &EngineOptions, table: &Arc<Table>, from: &Engine) {
    let dir = table_dir(&options.data_dir, table);
    runtime.disk().create_dir_all(&dir).unwrap();
    let descriptor = Descriptor::new(dir, 77).with_version(Version::Oa);
    let write =
        WriteOptions { expected_partitions: 10, ..WriteOptions::for_version(table, Version::Oa).unwrap() };
    let mut writer = Writer::create(runtime.disk(), &descriptor, table, write).unwrap();
    let mut keys: Vec<_> = (0..10).map(key).collect();
    keys.sort();
    for key in keys {
        let mut stream = from.read_partition(table, &key, &Slices::all(), false).unwrap().unwrap();
        writer.append(&mut *stream).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn places_in_sstables_with_an_index_file_are_kept_saved_and_warmed() {
    on_both("key-cache", |runtime, dir| async move {
        let table = table();
        let options = EngineOptions { auto_compaction: false, ..options(&dir) };
        let engine = open(&runtime, options.clone(), &[&table]);
        for number in 0..10 {
            write(&engine, &table, number, 1, "v", 10).await;
        }
        write_big(&runtime, &options, &table, &engine);
        drop(engine);
        let engine = open(&runtime, options.clone(), &[&table]);
        let keys = |engine: &Engine| {
            let stats = engine.cache_stats(CacheKind::Key);
            (stats.entries, stats.hits, stats.requests)
        };
        let read = |engine: &Engine, number| {
            let stream = engine.read_partition(&table, &key(number), &Slices::all(), false).unwrap();
            assert_eq!(rows_of(&mut *stream.unwrap(), ColumnId(2)), [(1, "v".to_owned())]);
        };
        let mut without = Table::clone(&table);
        without.options.caching.keys = "NONE".to_owned();
        let unasked = engine.read_partition(&Arc::new(without), &key(1), &Slices::all(), false).unwrap();
        assert!(unasked.is_some() && keys(&engine) == (0, 0, 0), "the table does not want it");
        (0..3).for_each(|number| read(&engine, number));
        assert_eq!(keys(&engine), (3, 0, 3));
        (0..3).for_each(|number| read(&engine, number));
        assert_eq!(keys(&engine), (3, 3, 6));
        engine.drain().await.unwrap();
        drop(engine);
        let engine = open(&runtime, options.clone(), &[&table]);
        warm_up(&runtime, &engine, CacheKind::Key, 3).await;
        assert_eq!(keys(&engine), (3, 0, 0));
        read(&engine, 2);
        assert_eq!(keys(&engine), (3, 1, 1));
        engine.invalidate_cache(CacheKind::Key);
        read(&engine, 2);
        assert_eq!(keys(&engine), (1, 1, 2));
        // The SSTable becomes one with a trie, and its keys go with it.
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        for _ in 0..500 {
            if keys(&engine).0 == 0 {
                break;
            }
            runtime.sleep(Duration::from_millis(10)).await;
        }
        read(&engine, 2);
        assert_eq!(keys(&engine), (0, 1, 2));
    });
}

#[test]
fn what_a_compaction_wrote_is_read_through_the_block_cache() {
    on_both("compacted-blocks", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, EngineOptions { auto_compaction: false, ..options(&dir) }, &[&table]);
        for number in 0..2 {
            write(&engine, &table, 1, number, "v", 10).await;
            engine.flush(FlushTarget::All).await.unwrap();
        }
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        let read = || {
            let stream = engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap();
            assert_eq!(rows_of(&mut *stream.unwrap(), ColumnId(2)).len(), 2);
        };
        engine.invalidate_cache(CacheKind::Block);
        read();
        let before = engine.cache_stats(CacheKind::Block);
        assert!(before.entries > 0, "{before:?}");
        read();
        assert!(engine.cache_stats(CacheKind::Block).hits > before.hits);
    });
}

#[test]
fn warming_the_row_cache_is_no_request_to_the_key_cache() {
    on_both("warming", |runtime, dir| async move {
        let table = caching("ALL");
        // Keys are not saved: the key cache has nothing when the rows are warmed.
        let options = EngineOptions { key_cache_save_period: Duration::ZERO, ..with_rows(&dir) };
        let engine = open(&runtime, options.clone(), &[&table]);
        for number in 0..10 {
            write(&engine, &table, number, 1, "v", 10).await;
        }
        write_big(&runtime, &options, &table, &engine);
        drop(engine);
        let engine = open(&runtime, options.clone(), &[&table]);
        let stream = engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap();
        assert_eq!(rows_of(&mut *stream.unwrap(), ColumnId(2)), [(1, "v".to_owned())]);
        assert_eq!(engine.cache_stats(CacheKind::Key).requests, 1);
        engine.drain().await.unwrap();
        drop(engine);
        let engine = open(&runtime, options.clone(), &[&table]);
        warm_up(&runtime, &engine, CacheKind::Row, 1).await;
        let stats = engine.cache_stats(CacheKind::Key);
        assert_eq!((stats.entries, stats.requests), (1, 0), "{stats:?}");
    });
}
