//! Random partitions read the same before and after.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Table;
use runtime::Runtime;
use runtime::sim::SimRuntime;
use stdx::prng::Prng;

use super::super::support::{key, open, options};
use super::rich::{Model, SPAN_US, START_S, files, has_tombstones, random_change, rich_table};
use crate::{CompactScope, Engine, FlushTarget, TombstoneOption};

const NODE: &str = "/node";
/// Partitions that are changed.
const NUMBERS: u64 = 8;

/// Where tombstones are purged, `base` grows: what is older than a purged tombstone comes back.
fn write(engine: &Engine, table: &Arc<Table>, model: &mut Model, prng: &mut Prng, count: u32, base: i64) {
    for _ in 0..count {
        let number = prng.below(NUMBERS) as u32;
        let mutation = random_change(prng, table, number, base);
        model.add(number, &mutation);
        drop(engine.apply(&[mutation]).unwrap());
    }
}

/// A compaction of everything, or of some SSTables, or one of the other rewrites.
async fn any_operation(engine: &Engine, runtime: &Runtime, table: &Arc<Table>, prng: &mut Prng) {
    let tables = [table.id];
    match prng.below(9) {
        0 => engine.compact(&tables, CompactScope::All).await.unwrap(),
        1 => engine.compact(&tables, CompactScope::SplitOutput).await.unwrap(),
        2 => {
            let number = prng.below(NUMBERS) as u32;
            engine.compact(&tables, CompactScope::Partition(key(number))).await.unwrap();
        }
        3 => {
            let (start, end) = (prng.next_u64() as i64, prng.next_u64() as i64);
            engine.compact(&tables, CompactScope::TokenRange { start, end }).await.unwrap();
        }
        4..=6 => {
            let mut some = files(runtime, Path::new(NODE), table).0;
            some.retain(|_| prng.chance(0.5));
            engine.compact(&tables, CompactScope::SsTables(some)).await.unwrap();
        }
        7 => {
            let option = if prng.chance(0.5) { TombstoneOption::Row } else { TombstoneOption::Cell };
            engine.garbage_collect(&tables, option).await.unwrap();
        }
        _ => engine.upgrade_sstables(&tables, true).await.unwrap(),
    }
}

fn now_s(runtime: &Runtime) -> u32 {
    u32::try_from(runtime.clock().wall_s()).unwrap()
}

/// Without purges every byte that is read stays what it was, but for what has expired.
#[test]
fn what_is_read_is_the_same_before_and_after() {
    (0..40).for_each(reads_stay);
}

pub(super) fn reads_stay(seed: u64) {
    {
        let sim = SimRuntime::with_shards(seed, 1 + seed as usize % 3);
        sim.block_on(move |runtime| async move {
            let mut prng = Prng::from_seed(seed);
            // Half of them purge what they may.
            let gc_grace_s = if prng.chance(0.5) { 0 } else { i32::MAX };
            let table = rich_table(gc_grace_s, &[]);
            let mut options = options(Path::new(NODE));
            options.auto_compaction = false;
            let engine = open(&runtime, options, &[&table]);
            let mut model = Model::default();
            for round in 0..12 {
                let count = 1 + prng.below(25) as u32;
                let base = if gc_grace_s == 0 { round * SPAN_US } else { 0 };
                write(&engine, &table, &mut model, &mut prng, count, base);
                if prng.chance(0.8) {
                    engine.flush(FlushTarget::All).await.unwrap();
                }
                if prng.chance(0.5) {
                    any_operation(&engine, &runtime, &table, &mut prng).await;
                }
                if prng.chance(0.3) {
                    // Some of it expires.
                    runtime.sleep(Duration::from_secs(prng.below(20))).await;
                }
                let what = format!("seed {seed}, round {round}");
                model.check(&engine, &table, now_s(&runtime), false, &what);
                let later = now_s(&runtime) + prng.below(100) as u32;
                model.check(&engine, &table, later, false, &what);
            }
            engine.flush(FlushTarget::All).await.unwrap();
            runtime.sleep(Duration::from_secs(200)).await;
            engine.compact(&[table.id], CompactScope::All).await.unwrap();
            let now = (START_S + 200) as u32;
            assert!(now_s(&runtime) > now);
            model.check(&engine, &table, now_s(&runtime), false, &format!("seed {seed}, at the end"));
            if gc_grace_s == 0 {
                for number in 0..NUMBERS as u32 {
                    let read = engine.read_partition(&table, &key(number), &model::Slices::all(), false);
                    assert!(!has_tombstones(read.unwrap()), "seed {seed}: partition {number}");
                }
            }
            runtime.sleep(Duration::from_secs(1)).await;
            let (sstables, leftovers) = files(&runtime, Path::new(NODE), &table);
            assert!(sstables.len() <= 1 && leftovers.is_empty(), "{sstables:?} {leftovers:?}");
        });
    }
}

/// Changes without times that pass: what is merged is exactly what all changes together are.
#[test]
fn merged_partitions_are_exactly_what_all_changes_are() {
    for seed in 0..20 {
        let sim = SimRuntime::with_shards(seed, 2);
        sim.block_on(move |runtime| async move {
            let mut prng = Prng::from_seed(seed);
            let table = Arc::new({
                let mut table = Table::clone(&super::super::support::table());
                table.options.gc_grace_seconds = i32::MAX;
                table
            });
            let mut options = options(Path::new(NODE));
            options.auto_compaction = false;
            let engine = open(&runtime, options, &[&table]);
            let mut model = Model::default();
            for round in 0..8 {
                for _ in 0..60 {
                    let number = prng.below(NUMBERS) as u32;
                    let mutation = super::super::tables::random_mutation(&mut prng, &table, number);
                    model.add(number, &mutation);
                    drop(engine.apply(&[mutation]).unwrap());
                }
                engine.flush(FlushTarget::All).await.unwrap();
                any_operation(&engine, &runtime, &table, &mut prng).await;
                model.check(&engine, &table, 0, true, &format!("seed {seed}, round {round}"));
            }
        });
    }
}

/// The strategies by themselves, beside writes and flushes.
#[test]
fn all_strategies_keep_what_is_written() {
    let strategies: [&[(&str, &str)]; 6] = [
        &[],
        &[
            ("class", "UnifiedCompactionStrategy"),
            ("scaling_parameters", "L4"),
            ("base_shard_count", "2"),
            ("min_sstable_size", "0B"),
        ],
        &[("class", "SizeTieredCompactionStrategy"), ("min_threshold", "2")],
        &[("class", "LeveledCompactionStrategy"), ("sstable_size_in_mb", "1")],
        &[
            ("class", "TimeWindowCompactionStrategy"),
            ("compaction_window_unit", "MINUTES"),
            ("compaction_window_size", "1"),
            ("min_threshold", "2"),
        ],
        &[("class", "UnifiedCompactionStrategy"), ("scaling_parameters", "T2")],
    ];
    for (index, strategy) in strategies.into_iter().enumerate() {
        for seed in 0..3 {
            let sim = SimRuntime::with_shards(seed, 2);
            sim.block_on(move |runtime| async move {
                let mut prng = Prng::from_seed(seed + 100);
                let gc_grace_s = if prng.chance(0.5) { 0 } else { i32::MAX };
                let table = rich_table(gc_grace_s, strategy);
                let engine = open(&runtime, options(Path::new(NODE)), &[&table]);
                let mut model = Model::default();
                for round in 0..25 {
                    let base = if gc_grace_s == 0 { round * SPAN_US } else { 0 };
                    write(&engine, &table, &mut model, &mut prng, 20, base);
                    engine.flush(FlushTarget::All).await.unwrap();
                    runtime.sleep(Duration::from_micros(prng.below(20_000))).await;
                    let what = format!("strategy {index}, seed {seed}, round {round}");
                    model.check(&engine, &table, now_s(&runtime), false, &what);
                }
                runtime.sleep(Duration::from_secs(5)).await;
                let stats = engine.compaction_stats();
                assert!(stats.completed_tasks > 0 && stats.running.is_empty(), "{index}: {stats:?}");
                model.check(
                    &engine,
                    &table,
                    now_s(&runtime),
                    false,
                    &format!("strategy {index}, seed {seed}"),
                );
                let count = engine.table_stats(table.id).unwrap().sstables_count;
                assert!(count < 30, "strategy {index}, seed {seed}: {count} SSTables of 50 are left");
                let (sstables, leftovers) = files(&runtime, Path::new(NODE), &table);
                assert_eq!((sstables.len(), leftovers), (count, Vec::new()), "strategy {index}, seed {seed}");
                drop(engine);
                let engine = open(&runtime, options(Path::new(NODE)), &[&table]);
                model.check(&engine, &table, now_s(&runtime), false, "after a restart");
            });
        }
    }
}
