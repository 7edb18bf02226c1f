//! Flushes, truncations, and the SSTables that they leave and take.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::TableId;
use runtime::Runtime;
use runtime::sim::SimRuntime;
use stdx::prng::Prng;

use super::support::{on_both, open, options, put, scan, table};
use crate::engine::flush::DISCARD_LOG_EARLY;
use crate::table::table_dir;
use crate::{Engine, FlushTarget};

async fn write(
    engine: &Engine,
    table: &Arc<model::Table>,
    numbers: std::ops::Range<u32>,
    value: &str,
    time: i64,
) {
    let mutations: Vec<_> = numbers.map(|number| put(table, number, 1, value, time)).collect();
    engine.apply(&mutations).unwrap().synced().await.unwrap();
}

fn log_bytes(runtime: &Runtime, dir: &Path) -> u64 {
    let entries = runtime.disk().list(&dir.join("commitlog")).unwrap();
    entries.iter().filter(|entry| entry.name.starts_with("commitlog-")).map(|entry| entry.bytes).sum()
}

#[test]
fn flushed_rows_merge_with_newer_ones_and_survive_without_the_log() {
    on_both("flush", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        engine.set_auto_compaction(&[table.id], false);
        write(&engine, &table, 0..100, "first", 1).await;
        engine.flush(FlushTarget::Tables(vec![table.id])).await.unwrap();
        write(&engine, &table, 50..150, "second", 2).await;
        engine.flush(FlushTarget::All).await.unwrap();
        write(&engine, &table, 140..160, "third", 3).await;
        write(&engine, &table, 0..10, "old", 0).await;
        let expected: Vec<_> = (0..160)
            .map(|number| {
                (
                    number,
                    1,
                    (if number < 50 {
                        "first"
                    } else if number < 140 {
                        "second"
                    } else {
                        "third"
                    })
                    .to_owned(),
                )
            })
            .collect();
        assert_eq!(scan(&engine, &table), expected);
        assert_eq!(engine.stats().memtable_bytes, {
            let stats = engine.table_stats(table.id).unwrap();
            assert!(stats.sstables_count >= 2);
            stats.memtable_bytes
        });
        engine.drain().await.unwrap();
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&table]);
        assert_eq!(scan(&engine, &table), expected, "after a restart");
        assert_eq!(engine.stats().replayed_entries_count, 30, "flushed writes are not replayed");
        engine.flush(FlushTarget::All).await.unwrap();
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&table]);
        assert_eq!(scan(&engine, &table), expected, "from SSTables alone");
        engine.drain().await.unwrap();
        assert_eq!(log_bytes(&runtime, &dir), 0, "the log is gone");
    });
}

#[test]
fn memory_and_log_stay_within_their_bounds() {
    on_both("bounds", |runtime, dir| async move {
        let table = table();
        let mut options = options(&dir);
        options.memtable_bytes_total = 100_000;
        options.segment_bytes = 20_000;
        options.max_mutation_bytes = 8_000;
        options.commitlog_bytes_total = 100_000;
        let engine = open(&runtime, options.clone(), &[&table]);
        for round in 0..200_i64 {
            let start = (round * 7 % 500) as u32;
            let mutations: Vec<_> =
                (start..start + 20).map(|n| put(&table, n, 1, &"x".repeat(100), round)).collect();
            match engine.apply(&mutations) {
                Ok(commit) => commit.synced().await.unwrap(),
                Err(crate::WriteError::Overloaded(_)) => {}
                Err(error) => panic!("{error}"),
            }
            runtime.sleep(std::time::Duration::from_millis(1)).await;
            let stats = engine.stats();
            assert!(stats.memtable_bytes < 250_000 && stats.log_bytes < 250_000, "{stats:?}");
        }
        assert!(engine.stats().flushes_count > 2, "{:?}", engine.stats());
        let all = scan(&engine, &table);
        drop(engine);
        let engine = open(&runtime, options, &[&table]);
        assert_eq!(scan(&engine, &table), all);
    });
}

#[test]
fn a_truncated_table_stays_empty() {
    on_both("truncate", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        write(&engine, &table, 0..50, "old", 1).await;
        engine.flush(FlushTarget::All).await.unwrap();
        write(&engine, &table, 40..60, "old", 2).await;
        engine.truncate(table.id).await.unwrap();
        assert_eq!(scan(&engine, &table), []);
        write(&engine, &table, 7..8, "new", 1).await;
        let expected = [(7, 1, "new".to_owned())];
        assert_eq!(scan(&engine, &table), expected);
        drop(engine);
        for _ in 0..2 {
            let engine = open(&runtime, options(&dir), &[&table]);
            assert_eq!(scan(&engine, &table), expected);
            engine.flush(FlushTarget::All).await.unwrap();
        }
        engine_of_unknown_table(&runtime, &dir).await;
    });
}

async fn engine_of_unknown_table(runtime: &Runtime, dir: &Path) {
    let engine = open(runtime, options(dir), &[]);
    engine.truncate(TableId(uuid::Uuid::from_u128(555))).await.unwrap();
    engine.flush(FlushTarget::Tables(vec![TableId(uuid::Uuid::from_u128(555))])).await.unwrap();
}

#[test]
fn a_failed_flush_leaves_no_files_and_keeps_memtable_and_log() {
    use runtime::sim::{Fault, FaultError, Operation};
    for (component, operation) in [
        ("Data.db", Operation::Write),
        ("Statistics.db", Operation::Create),
        ("Partitions.db", Operation::Sync),
        ("TOC.txt", Operation::Create),
    ] {
        let sim = SimRuntime::new(1);
        let disk = sim.disk().clone();
        let table = table();
        let dir = table_dir(Path::new("/node"), &table);
        let expected: Vec<_> = (0..20).map(|number| (number, 1, "v".to_owned())).collect();
        let (the_table, rows) = (table.clone(), expected.clone());
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, options(Path::new("/node")), &[&the_table]);
            write(&engine, &the_table, 0..20, "v", 1).await;
            disk.inject(Fault::always(component, operation, FaultError::NoSpace));
            for _ in 0..2 {
                assert!(engine.flush(FlushTarget::All).await.is_err(), "{component}");
                assert_eq!(scan(&engine, &the_table), rows, "{component}");
            }
            assert_eq!(runtime.disk().list(&dir).unwrap(), [], "{component}");
            disk.clear_faults();
            write(&engine, &the_table, 20..21, "v", 1).await;
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, options(Path::new("/node")), &[&table]);
            assert_eq!(scan(&engine, &table)[..20], expected, "{component}");
            assert_eq!(scan(&engine, &table).len(), 21, "{component}");
            engine.flush(FlushTarget::All).await.unwrap();
            assert_eq!(engine.table_stats(table.id).unwrap().sstables_count, 1, "{component}");
        });
    }
}

#[test]
fn a_table_dropped_during_its_flush_leaves_nothing() {
    on_both("drop-flush", |runtime, dir| async move {
        let table = table();
        let options = crate::EngineOptions { auto_snapshot: false, ..options(&dir) };
        let engine = open(&runtime, options, &[&table]);
        write(&engine, &table, 0..500, "v", 1).await;
        let flushed = engine.clone();
        runtime.spawn_local(async move {
            // It may find the table gone, or its files.
            let _either = flushed.flush(FlushTarget::All).await;
        });
        runtime.sleep(std::time::Duration::from_micros(runtime.random().next_u64() % 500)).await;
        engine.update_tables(&super::support::schema(&[])).unwrap();
        let table_dir = table_dir(&dir, &table);
        // The directory may not be there yet while the drop waits for its turn: that alone says nothing.
        for _ in 0..100 {
            runtime.sleep(std::time::Duration::from_millis(20)).await;
            if engine.stats().memtable_bytes == 0 && !runtime.disk().exists(&table_dir).unwrap() {
                break;
            }
        }
        assert!(!runtime.disk().exists(&table_dir).unwrap());
        assert_eq!(engine.stats().memtable_bytes, 0);
        engine.drain().await.unwrap();
    });
}

/// What the script has done so far: rows that must be there, and what may be there besides.
#[derive(Clone, Default)]
struct Expected {
    /// Values of the row by what was acknowledged, and after what is under way.
    certain: Vec<(u32, u8, String)>,
    possible: Vec<(u32, u8, String)>,
}

/// Writes, flushes, truncates; notes each step before and after.
async fn script(engine: &Engine, expected: &std::cell::RefCell<Expected>) -> Result<(), String> {
    let table = table();
    for round in 0..3_u32 {
        for part in 0..2 {
            let numbers = round * 10 + part * 5..round * 10 + part * 5 + 5;
            let mutations: Vec<_> = numbers.clone().map(|number| put(&table, number, 1, "v", 1)).collect();
            let mut after = expected.borrow().certain.clone();
            after.extend(numbers.map(|number| (number, 1, "v".to_owned())));
            expected.borrow_mut().possible = after.clone();
            let commit = engine.apply_waiting(&mutations).await.map_err(|error| error.to_string())?;
            commit.synced().await.map_err(|error| error.to_string())?;
            expected.borrow_mut().certain = after;
            if part == 0 && round > 0 {
                continue;
            }
            engine.flush(FlushTarget::All).await.map_err(|error| error.to_string())?;
        }
        if round == 1 {
            expected.borrow_mut().possible.clear();
            engine.truncate(table.id).await.map_err(|error| error.to_string())?;
            expected.borrow_mut().certain.clear();
        }
    }
    Ok(())
}

#[test]
fn a_crash_at_any_step_of_a_flush_or_truncation_loses_and_resurrects_nothing() {
    check_every_step();
}

/// Bug 53, planted.
#[test]
fn a_log_that_is_let_go_before_the_sstable_is_safe_is_caught() {
    DISCARD_LOG_EARLY.set(true);
    let caught = std::panic::catch_unwind(check_every_step);
    DISCARD_LOG_EARLY.set(false);
    assert!(caught.is_err(), "acknowledged rows were lost, and nobody noticed");
}

/// With segments so small that each call of the script takes a new one (two calls need more than 400 bytes), or with
/// one for all.
fn step_options(cut: u64) -> crate::EngineOptions {
    let mut options = options(Path::new("/node"));
    if cut.is_multiple_of(2) {
        options.segment_bytes = 320;
    }
    options
}

/// Power is cut before every single operation of the disk in turn.
fn check_every_step() {
    let table = table();
    let mut steps = 0;
    for cut in 0.. {
        let sim = SimRuntime::new(cut);
        let expected = std::rc::Rc::new(std::cell::RefCell::new(Expected::default()));
        let (the_expected, the_table, disk) = (expected.clone(), table.clone(), sim.disk().clone());
        let is_done = sim.block_on(move |runtime| async move {
            let engine = open(&runtime, step_options(cut), &[&the_table]);
            disk.cut_power_after(cut);
            script(&engine, &the_expected).await.is_ok()
        });
        sim.first_node().crash();
        let (the_table, the_expected) = (table.clone(), expected.borrow().clone());
        sim.block_on(move |runtime| async move {
            for start in 0..2 {
                let engine = open(&runtime, options(Path::new("/node")), &[&the_table]);
                let found = scan(&engine, &the_table);
                let (certain, possible) = (&the_expected.certain, &the_expected.possible);
                // A write that was under way may be there in part: its shards' entries are apart.
                let is_between = found.iter().all(|row| certain.contains(row) || possible.contains(row))
                    && certain.iter().all(|row| found.contains(row) || !possible.contains(row));
                assert!(is_between, "cut {cut}, start {start}: {found:?}, {certain:?} or {possible:?}");
                assert_no_leftovers(&runtime, &the_table);
                if start == 0 {
                    engine.flush(FlushTarget::All).await.unwrap();
                    assert_eq!(scan(&engine, &the_table), found, "cut {cut}: flushed after the restart");
                }
            }
        });
        if is_done {
            steps = cut;
            break;
        }
    }
    assert!(steps > 100, "only {steps} steps");
}

fn assert_no_leftovers(runtime: &Runtime, table: &model::Table) {
    let dir: PathBuf = table_dir(Path::new("/node"), table);
    if !runtime.disk().exists(&dir).unwrap() {
        return;
    }
    let names: Vec<String> = runtime.disk().list(&dir).unwrap().into_iter().map(|entry| entry.name).collect();
    for name in &names {
        let prefix = name.split("-bti-").next().unwrap();
        let whole = !name.contains("-bti-") || names.contains(&format!("{prefix}-bti-TOC.txt"));
        assert!(whole && !name.ends_with("begun.tmp"), "{names:?}");
    }
}

/// Random rows and tombstones, flushed at random: reads are as if all were in one memtable.
#[test]
fn reads_of_sstables_are_those_of_memtables() {
    for seed in 0..20 {
        let sim = SimRuntime::with_shards(seed, 2);
        sim.block_on(move |runtime| async move {
            let mut prng = Prng::from_seed(seed);
            let table = table();
            let engine = open(&runtime, options(Path::new("/node")), &[&table]);
            let mut model = std::collections::BTreeMap::new();
            for _ in 0..6 {
                for _ in 0..200 {
                    let number = prng.below(6) as u32;
                    let mutation = super::tables::random_mutation(&mut prng, &table, number);
                    super::tables::add_to_model(&mut model, number, &mutation);
                    drop(engine.apply(&[mutation]).unwrap());
                }
                engine.flush(FlushTarget::All).await.unwrap();
                super::tables::compare(&engine, &table, &model, &mut prng, seed);
            }
        });
    }
}
