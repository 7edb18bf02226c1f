//! Writes that wait for room, and when they are refused.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use runtime::sim::{Fault, FaultError, Operation, SimRuntime};

use super::support::{on_real, open, options, put, scan, schema, system_table, table, table_in};
use crate::{DiskFailurePolicy, Engine, EngineOptions, FlushTarget, WriteError};

const NODE: &str = "/node";

fn small_options() -> EngineOptions {
    EngineOptions {
        memtable_bytes_total: 100_000,
        commitlog_bytes_total: 8 << 20,
        ..options(Path::new(NODE))
    }
}

/// Bug class of 3.10: a burst far beyond the memtables' bound is slowed down, not refused, and the bound holds.
#[test]
fn writes_wait_while_flushes_are_slower_and_none_is_refused() {
    for seed in 0..5 {
        let sim = SimRuntime::with_shards(seed, 2);
        sim.block_on(|runtime| async move {
            let engine = open(&runtime, small_options(), &[&table()]);
            let (done, most) = (Rc::new(Cell::new(0_u32)), Rc::new(Cell::new(0)));
            for writer in 0..8_u32 {
                let (engine, done, most) = (engine.clone(), done.clone(), most.clone());
                runtime.spawn_local(async move {
                    let table = table();
                    for number in 0..200 {
                        let one = put(&table, writer * 1_000 + number, 1, &"x".repeat(900), 1);
                        drop(engine.apply_waiting(&[one]).await.unwrap());
                        most.set(engine.stats().memtable_bytes.max(most.get()));
                        done.set(done.get() + 1);
                    }
                });
            }
            while done.get() < 1_600 {
                runtime.sleep(Duration::from_millis(1)).await;
            }
            assert!(most.get() < 120_000, "{} bytes of memtables", most.get());
            assert!(engine.stats().flushes_count > 10, "{:?}", engine.stats());
            assert_eq!(scan(&engine, &table()).len(), 1_600);
            assert_eq!(engine.stats().waiting_writes_count, 0);
        });
    }
}

/// With more SSTables than reads can bear, compactions no longer yield to requests; to flushes that lag they do, or
/// writes would wait for these until they are refused.
#[test]
#[cfg(target_os = "linux")]
fn compactions_that_lag_behind_hurry() {
    on_real("hurry", |runtime, dir| async move {
        let options = EngineOptions {
            auto_compaction: false,
            memtable_bytes_total: 1_000_000,
            memtable_cleanup_threshold: 0.99,
            ..options(&dir)
        };
        let engine = open(&runtime, options, &[&table()]);
        let flush = async |count: i64| {
            for time in 0..count {
                // Over all the ring, so that these SSTables have the same density.
                let rows: Vec<_> = (0..50).map(|key| put(&table(), key, 1, "x", time)).collect();
                drop(engine.apply_waiting(&rows).await.unwrap());
                engine.flush(FlushTarget::All).await.unwrap();
            }
        };
        let is_hurried = || {
            let threads = std::fs::read_dir("/proc/self/task").unwrap();
            let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
            names.flatten().any(|name| name.starts_with("hurried"))
        };
        let is_done = async || {
            let before = engine.compaction_stats().completed_tasks;
            engine.set_auto_compaction(&[table().id], true);
            for _ in 0..500 {
                runtime.sleep(Duration::from_millis(10)).await;
                let stats = engine.compaction_stats();
                if stats.pending.is_empty() && stats.running.is_empty() && stats.completed_tasks > before {
                    return true;
                }
            }
            false
        };
        flush(8).await;
        assert!(is_done().await);
        assert!(!is_hurried(), "a few SSTables are no reason to hurry");
        engine.set_auto_compaction(&[table().id], false);
        flush(64).await;
        for key in 0.. {
            drop(engine.apply_waiting(&[put(&table(), key, 2, &"x".repeat(900), 1)]).await.unwrap());
            if engine.stats().memtable_bytes > 800_000 {
                break;
            }
        }
        assert!(is_done().await);
        assert!(!is_hurried(), "flushes lag");
        engine.set_auto_compaction(&[table().id], false);
        flush(64).await;
        assert!(is_done().await);
        assert!(is_hurried());
    });
}

/// Fills the memtables while no flush succeeds.
async fn fill(engine: &Engine) -> u32 {
    for number in 0.. {
        match engine.apply(&[put(&table(), number, 1, &"x".repeat(900), 1)]) {
            Ok(commit) => commit.synced().await.unwrap(),
            Err(WriteError::Overloaded(_)) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("memory is bounded")
}

#[test]
fn a_write_that_waits_too_long_is_refused_and_was_not_applied_and_others_go_on() {
    let sim = SimRuntime::new(7);
    let disk = sim.disk().clone();
    sim.block_on(|runtime| async move {
        let options = EngineOptions { disk_failure_policy: DiskFailurePolicy::Ignore, ..small_options() };
        let engine = open(&runtime, options, &[&table()]);
        disk.inject(Fault::always("Data.db", Operation::Write, FaultError::Device));
        let filled = fill(&engine).await;
        let begun = runtime.clock().monotonic();
        let refused = engine.apply_waiting(&[put(&table(), 900_000, 1, "x", 1)]).await.err();
        assert!(matches!(refused, Some(WriteError::Overloaded(_))), "{refused:?}");
        let waited = runtime.clock().monotonic() - begun;
        assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(scan(&engine, &table()).len(), filled as usize, "it was not applied");

        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..30_u32 {
            let (engine, order) = (engine.clone(), order.clone());
            runtime.spawn_local(async move {
                let commit =
                    engine.apply_waiting(&[put(&table(), 800_000 + number, 1, "x", 1)]).await.unwrap();
                order.borrow_mut().push(number);
                commit.synced().await.unwrap();
            });
            runtime.sleep(Duration::from_micros(10)).await;
        }
        assert_eq!(engine.stats().waiting_writes_count, 30);
        disk.clear_faults();
        runtime.sleep(Duration::from_millis(1_500)).await;
        // Which of those that are let in together runs first is the simulation's choice.
        order.borrow_mut().sort_unstable();
        assert_eq!(*order.borrow(), (0..30).collect::<Vec<_>>(), "the flush was tried again");
        assert_eq!(scan(&engine, &table()).len(), filled as usize + 30);
    });
}

/// Bug 59: a full disk refuses writes, serves reads, and is forgotten once there is room.
#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    for seed in 0..5 {
        let sim = SimRuntime::with_shards(seed, 2);
        let disk = sim.disk().clone();
        let written = Rc::new(Cell::new(0));
        let the_written = written.clone();
        sim.block_on(|runtime| async move {
            let written = the_written;
            let engine = open(&runtime, small_options(), &[&table()]);
            disk.set_capacity(Some(disk.used_bytes() + 700_000));
            let refused = loop {
                let number = written.get();
                match engine.apply_waiting(&[put(&table(), number, 1, &"x".repeat(900), 1)]).await {
                    Ok(commit) => commit.synced().await.unwrap(),
                    Err(error) => break error,
                }
                written.set(number + 1);
            };
            assert!(matches!(refused, WriteError::DiskFull(_)), "{refused}");
            assert!(refused.to_string().contains("No space left on device"), "{refused}");
            assert_eq!(scan(&engine, &table()).len(), written.get() as usize, "reads go on");
            assert!(engine.health().accepts_reads && engine.health().accepts_writes);
            disk.set_capacity(None);
            runtime.sleep(Duration::from_millis(1_500)).await;
            for _ in 0..300 {
                let number = written.get();
                let commit =
                    engine.apply_waiting(&[put(&table(), number, 1, &"x".repeat(900), 1)]).await.unwrap();
                commit.synced().await.unwrap();
                written.set(number + 1);
            }
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, small_options(), &[&table()]);
            assert_eq!(scan(&engine, &table()).len(), written.get() as usize, "seed {seed}");
        });
    }
}

#[test]
fn a_drain_keeps_what_no_log_has_and_a_crash_does_not() {
    for drains in [true, false] {
        let sim = SimRuntime::with_shards(1, 2);
        let open_undurable = |runtime: &runtime::Runtime| {
            let mut schema = (*schema(&[&table()])).clone();
            for keyspace in schema.keyspaces.values_mut() {
                Arc::make_mut(keyspace).durable_writes = false;
            }
            let options = options(Path::new(NODE));
            Engine::open(runtime, options, vec![system_table()], |_| Ok(Arc::new(schema))).unwrap()
        };
        sim.block_on(move |runtime| async move {
            let engine = open_undurable(&runtime);
            let rows: Vec<_> = (0..20).map(|number| put(&table(), number, 1, "v", 1)).collect();
            engine.apply(&rows).unwrap().synced().await.unwrap();
            assert_eq!(engine.stats().log_entries_count, 0);
            if drains {
                engine.drain().await.unwrap();
            }
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let engine = open_undurable(&runtime);
            assert_eq!(scan(&engine, &table()).len(), if drains { 20 } else { 0 });
        });
    }
}

#[test]
fn a_table_with_a_flush_period_is_flushed_after_it() {
    let sim = SimRuntime::new(1);
    sim.block_on(|runtime| async move {
        let mut definition = table_in("ks", "t", 100);
        definition.options.memtable_flush_period_in_ms = 5_000;
        let table = Arc::new(definition);
        let engine = open(&runtime, options(Path::new(NODE)), &[&table]);
        engine.apply(&[put(&table, 1, 1, "v", 1)]).unwrap().synced().await.unwrap();
        runtime.sleep(Duration::from_millis(4_500)).await;
        assert_eq!(engine.stats().flushes_count, 0);
        runtime.sleep(Duration::from_millis(1_000)).await;
        assert_eq!(engine.stats().flushes_count, 1);
        engine.flush(FlushTarget::All).await.unwrap();
    });
}

#[test]
fn limits_are_refused_before_the_log_with_cassandras_words() {
    let sim = SimRuntime::new(1);
    sim.block_on(|runtime| async move {
        let options =
            EngineOptions { max_value_bytes: 500, max_mutation_bytes: 2_000, ..options(Path::new(NODE)) };
        let engine = open(&runtime, options, &[&table()]);
        let value = engine.apply(&[put(&table(), 1, 1, &"x".repeat(501), 1)]).err();
        assert_eq!(value, Some(WriteError::ValueTooLarge { bytes: 501, bytes_max: 500 }));
        let many: Vec<_> = (0..5).map(|place| put(&table(), 1, place, &"x".repeat(500), 1)).collect();
        let mutation = engine.apply(&many).err();
        assert!(matches!(mutation, Some(WriteError::TooLarge { bytes_max: 2_000, .. })), "{mutation:?}");
        let mut long_key = put(&table(), 1, 1, "x", 1);
        long_key.key = model::PartitionKey::new(vec![7; 65_536].into());
        assert_eq!(engine.apply(&[long_key]).err(), Some(WriteError::KeyLength { bytes: 65_536 }));
        assert_eq!(engine.stats().log_entries_count, 0);
        assert_eq!(scan(&engine, &table()), []);
    });
}
