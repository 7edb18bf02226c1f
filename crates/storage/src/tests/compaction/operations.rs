//! What operators ask for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{Slices, Table, Token, TokenRange};
use runtime::sim::SimRuntime;
use stdx::prng::Prng;

use super::super::support::{key, on_both, open, options, put, scan, schema, table};
use super::rich::files;
use crate::{BlockReads, CacheKind, CompactScope, Engine, FlushTarget, OpenError, OperationKind};

const NODE: &str = "/node";

/// Text that cannot be compressed to much less.
fn noise(seed: u32) -> String {
    let mut prng = Prng::from_seed(u64::from(seed));
    (0..500).map(|_| char::from(b'!' + prng.below(90) as u8)).collect()
}

async fn fill(engine: &Engine, table: &Arc<Table>, flushes: u32, rows: u32) {
    for round in 0..flushes {
        let all: Vec<_> =
            (0..rows).map(|n| put(table, n, 1, &format!("{round} {}", noise(n)), i64::from(round))).collect();
        for some in all.chunks(100) {
            engine.apply_waiting(some).await.unwrap().synced().await.unwrap();
        }
        engine.flush(FlushTarget::All).await.unwrap();
    }
}

/// Once they were opened without it: each read of them went to the disk, on the thread of its request.
#[test]
fn what_operations_write_is_read_through_the_block_cache() {
    SimRuntime::new(3).block_on(|runtime| async move {
        let table = table();
        let mut options = options(Path::new(NODE));
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        let is_cached = |what: &str| {
            drop(engine.read_partition(&table, &key(1), &Slices::all(), false).unwrap().unwrap());
            assert!(engine.cache_stats(CacheKind::Block).entries > 0, "{what}");
            let mut reads = BlockReads::default();
            engine.invalidate_cache(CacheKind::Block);
            drop(reads.cached_only(|| engine.read_partition(&table, &key(1), &Slices::all(), false)));
            assert!(reads.is_missing(), "{what}: a request's thread has read from the disk");
        };
        fill(&engine, &table, 2, 20).await;
        is_cached("flush");
        engine.invalidate_cache(CacheKind::Block);
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        assert_eq!(engine.cache_stats(CacheKind::Block).entries, 0, "what is compacted pushes nothing out");
        is_cached("compact");
        engine.upgrade_sstables(&[table.id], true).await.unwrap();
        is_cached("upgradesstables");
    });
}

#[test]
fn a_major_compaction_leaves_one_sstable_and_its_files_only() {
    on_both("major", |runtime, dir| async move {
        let table = table();
        let mut options = options(&dir);
        options.auto_compaction = false;
        let engine = open(&runtime, options.clone(), &[&table]);
        fill(&engine, &table, 3, 50).await;
        let before = scan(&engine, &table);
        // A read that began before goes on.
        let command = model::ReadCommand {
            table: table.clone(),
            partitions: model::PartitionSelection::Range { start: None, end: None },
            slices: model::Slices::all(),
            reversed: false,
        };
        let mut reading = engine.read(&command).unwrap();
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        assert_eq!(scan(&engine, &table), before);
        runtime.sleep(Duration::from_millis(200)).await;
        assert!(files(&runtime, &dir, &table).0.len() > 1, "files stay while they are read");
        let mut count = 0;
        while let Some(mut partition) = reading.next_partition().unwrap() {
            while partition.next().unwrap().is_some() {
                count += 1;
            }
        }
        assert_eq!(count, 50);
        drop(reading);
        runtime.sleep(Duration::from_millis(200)).await;
        let (sstables, leftovers) = files(&runtime, &dir, &table);
        assert_eq!((sstables.len(), leftovers), (1, Vec::new()));
        assert_eq!(engine.table_stats(table.id).unwrap().sstables_count, 1);
        assert_eq!(engine.compaction_stats().completed_tasks, 1);
        drop(engine);
        let engine = open(&runtime, options, &[&table]);
        assert_eq!(scan(&engine, &table), before);
        assert_eq!(engine.stats().replayed_entries_count, 0, "the output covers the log as its inputs did");
    });
}

#[test]
fn throughput_is_bounded_and_a_stop_is_heard() {
    let sim = SimRuntime::new(1);
    sim.block_on(|runtime| async move {
        let table = table();
        let mut options = options(Path::new(NODE));
        options.auto_compaction = false;
        options.compaction_throughput_mib_per_s = 1;
        let engine = open(&runtime, options, &[&table]);
        fill(&engine, &table, 2, 8_000).await;
        let before = scan(&engine, &table);
        let worker = engine.clone();
        let id = table.id;
        let result = std::rc::Rc::new(std::cell::RefCell::new(None));
        let the_result = result.clone();
        runtime.spawn_local(async move {
            let compacted = worker.compact(&[id], CompactScope::All).await;
            *the_result.borrow_mut() = Some(compacted);
        });
        runtime.sleep(Duration::from_millis(100)).await;
        let running = engine.compaction_stats().running;
        assert_eq!((running.len(), running[0].kind), (1, OperationKind::MajorCompaction));
        assert!(running[0].completed_bytes > 0 && running[0].completed_bytes < running[0].total_bytes);
        assert_eq!(engine.stop_compactions(Some(OperationKind::Cleanup), None), 0);
        assert_eq!(engine.stop_compactions(None, Some(running[0].id)), 1);
        runtime.sleep(Duration::from_millis(100)).await;
        assert!(matches!(result.borrow_mut().take(), Some(Err(OpenError::Stopped { .. }))));
        assert!(engine.compaction_stats().running.is_empty());
        let (sstables, leftovers) = files(&runtime, Path::new(NODE), &table);
        assert_eq!((sstables.len(), leftovers), (2, Vec::new()));
        assert_eq!(scan(&engine, &table), before);
        engine.set_compaction_throughput(0);
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        assert_eq!(scan(&engine, &table), before);
    });
}

#[test]
fn cleanup_keeps_what_the_ranges_hold() {
    on_both("cleanup", |runtime, dir| async move {
        let table = table();
        let mut options = options(&dir);
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        fill(&engine, &table, 2, 60).await;
        assert!(engine.cleanup(&[table.id], Vec::new()).await.is_err());
        let all = scan(&engine, &table);
        let whole = TokenRange { start: Token::MIN, end: Token::MAX };
        engine.cleanup(&[table.id], vec![whole]).await.unwrap();
        assert_eq!((scan(&engine, &table), engine.compaction_stats().completed_tasks), (all.clone(), 0));
        let ranges = vec![
            TokenRange { start: Token(i64::MAX / 2), end: Token(i64::MIN / 2) },
            TokenRange { start: Token(0), end: Token(1 << 60) },
        ];
        engine.cleanup(&[table.id], ranges.clone()).await.unwrap();
        let is_owned =
            |number: u32| ranges.iter().any(|range| range.contains(super::super::support::key(number).token));
        let expected: Vec<_> = all.into_iter().filter(|(number, _, _)| is_owned(*number)).collect();
        assert!(!expected.is_empty() && expected.len() < 60);
        assert_eq!(scan(&engine, &table), expected);
    });
}

/// Between any two steps of a compaction the table is truncated, or dropped, or flushed.
#[test]
fn a_truncation_or_drop_during_a_compaction_resurrects_nothing() {
    for seed in 0..60 {
        let sim = SimRuntime::with_shards(seed, 2);
        let drops = seed % 2 == 0;
        sim.block_on(move |runtime| async move {
            let table = table();
            let mut options = options(Path::new(NODE));
            options.auto_compaction = false;
            options.auto_snapshot = false;
            options.compaction_throughput_mib_per_s = 0;
            let engine = open(&runtime, options, &[&table]);
            fill(&engine, &table, 2, 6_000).await;
            let worker = engine.clone();
            let id = table.id;
            runtime.spawn_local(async move {
                // It may end before, or be stopped.
                let _either = worker.compact(&[id], CompactScope::All).await;
            });
            runtime.sleep(Duration::from_micros(runtime.random().next_u64() % 3_000)).await;
            let expected = if drops {
                engine.update_tables(&schema(&[])).unwrap();
                runtime.sleep(Duration::from_millis(500)).await;
                assert!(!runtime.disk().exists(&crate::table::table_dir(Path::new(NODE), &table)).unwrap());
                Vec::new()
            } else {
                engine.truncate(table.id).await.unwrap();
                assert_eq!(scan(&engine, &table), []);
                engine.apply(&[put(&table, 1, 1, "new", 0)]).unwrap().synced().await.unwrap();
                vec![(1, 1, "new".to_owned())]
            };
            runtime.sleep(Duration::from_millis(500)).await;
            drop(engine);
            let tables = if drops { vec![] } else { vec![&table] };
            for _ in 0..2 {
                let engine = open(&runtime, super::super::support::options(Path::new(NODE)), &tables);
                if !drops {
                    assert!(scan(&engine, &table) == expected, "seed {seed}");
                }
                let (_, leftovers) = files(&runtime, Path::new(NODE), &table);
                assert_eq!(leftovers, Vec::<String>::new(), "seed {seed}");
            }
        });
    }
}

#[test]
fn a_drain_ends_what_runs() {
    let sim = SimRuntime::new(1);
    sim.block_on(|runtime| async move {
        let table = table();
        let mut options = options(Path::new(NODE));
        options.compaction_throughput_mib_per_s = 1;
        let engine = open(&runtime, options, &[&table]);
        fill(&engine, &table, 5, 3_000).await;
        let before = scan(&engine, &table);
        runtime.sleep(Duration::from_millis(50)).await;
        assert!(!engine.compaction_stats().running.is_empty());
        engine.drain().await.unwrap();
        assert!(engine.compaction_stats().running.is_empty());
        assert_eq!(files(&runtime, Path::new(NODE), &table).1, Vec::<String>::new());
        assert_eq!(scan(&engine, &table), before);
    });
}
