//! Power goes, or the process, at every step of a compaction; the disk fails or is full.

use std::path::Path;
use std::sync::Arc;

use model::Table;
use runtime::sim::{Fault, FaultError, Operation, SimRuntime};

use super::super::support::{open, options, put, scan, table};
use super::rich::files;
use crate::{CompactScope, Engine, EngineOptions, FlushTarget};

const NODE: &str = "/node";

fn quiet() -> EngineOptions {
    let mut options = options(Path::new(NODE));
    options.auto_compaction = false;
    options
}

/// Three SSTables: rows that are overwritten, and rows that are deleted by the third; all old enough to be purged.
async fn fill(engine: &Engine, table: &Arc<Table>) -> Vec<(u32, u8, String)> {
    for round in 0..2_i64 {
        let rows: Vec<_> = (0..12).map(|n| put(table, n, 1, &format!("v{round}"), round)).collect();
        engine.apply(&rows).unwrap().synced().await.unwrap();
        engine.flush(FlushTarget::All).await.unwrap();
    }
    let delete = |number| {
        let mut mutation = put(table, number, 1, "", 0);
        mutation.update.rows.clear();
        mutation.update.deletion = model::DeletionTime { timestamp_us: 9, local_deletion_s: 100 };
        mutation
    };
    let deletions: Vec<_> = (0..4).map(delete).collect();
    engine.apply(&deletions).unwrap().synced().await.unwrap();
    engine.flush(FlushTarget::All).await.unwrap();
    (4..12).map(|number| (number, 1, "v1".to_owned())).collect()
}

fn table_that_purges() -> Arc<Table> {
    let mut table = Table::clone(&table());
    table.options.gc_grace_seconds = 0;
    Arc::new(table)
}

/// Power is cut, or the process killed, before every single operation of the disk in turn.
#[test]
fn a_crash_at_any_step_of_a_compaction_loses_and_resurrects_nothing() {
    for (kills, all_go) in [(false, false), (true, false), (false, true)] {
        let mut steps = 0;
        for cut in 0.. {
            if crash_at(cut, kills, all_go) {
                steps = cut;
                break;
            }
        }
        assert!(steps > 60, "only {steps} steps");
    }
}

/// Power is cut, or the process killed, before one operation; true if the compaction was over before.
pub(super) fn crash_at(cut: u64, kills: bool, all_go: bool) -> bool {
    {
        let table = table_that_purges();
        {
            let sim = SimRuntime::with_shards(cut, 2);
            let (the_table, disk) = (table.clone(), sim.disk().clone());
            let (is_done, expected) = sim.block_on(move |runtime| async move {
                let engine = open(&runtime, quiet(), &[&the_table]);
                let mut expected = fill(&engine, &the_table).await;
                if all_go {
                    // Nothing is left: there is no output.
                    let gone = |number| {
                        let mut mutation = put(&the_table, number, 1, "", 0);
                        mutation.update.rows.clear();
                        mutation.update.deletion =
                            model::DeletionTime { timestamp_us: 9, local_deletion_s: 100 };
                        mutation
                    };
                    let deletions: Vec<_> = (0..12).map(gone).collect();
                    engine.apply(&deletions).unwrap().synced().await.unwrap();
                    engine.flush(FlushTarget::All).await.unwrap();
                    expected.clear();
                }
                disk.cut_power_after(cut);
                let is_done = engine.compact(&[the_table.id], CompactScope::All).await.is_ok();
                runtime.sleep(std::time::Duration::from_millis(50)).await;
                // What is removed afterwards has its steps, too.
                let still_on = runtime.disk().exists(Path::new(NODE)).is_ok();
                (is_done && still_on, expected)
            });
            if kills {
                sim.first_node().kill()
            } else {
                sim.first_node().crash()
            }
            let the_table = table.clone();
            sim.block_on(move |runtime| async move {
                for start in 0..2 {
                    let engine = open(&runtime, quiet(), &[&the_table]);
                    let what = format!("cut {cut}, start {start}, kills {kills}, all go {all_go}");
                    assert_eq!(scan(&engine, &the_table), expected, "{what}");
                    let (_, leftovers) = files(&runtime, Path::new(NODE), &the_table);
                    assert_eq!(leftovers, Vec::<String>::new(), "{what}");
                    if start == 0 {
                        engine.compact(&[the_table.id], CompactScope::All).await.unwrap();
                        assert_eq!(scan(&engine, &the_table), expected, "{what}: compacted again");
                    }
                }
            });
            is_done
        }
    }
}

/// The start that ends a transaction is itself interrupted at every step.
#[test]
fn a_crash_while_a_transaction_is_ended_at_the_start_changes_nothing() {
    let table = table_that_purges();
    for cut in 0.. {
        let sim = SimRuntime::with_shards(5, 2);
        let (the_table, disk) = (table.clone(), sim.disk().clone());
        let expected = sim.block_on(move |runtime| async move {
            let engine = open(&runtime, quiet(), &[&the_table]);
            let expected = fill(&engine, &the_table).await;
            disk.inject(Fault::always("", Operation::Remove, FaultError::Device));
            engine.compact(&[the_table.id], CompactScope::All).await.unwrap();
            expected
        });
        sim.first_node().crash();
        sim.disk().clear_faults();
        let (the_table, disk) = (table.clone(), sim.disk().clone());
        let is_done = sim.block_on(move |runtime| async move {
            disk.cut_power_after(cut);
            super::super::support::try_open(&runtime, quiet(), &[&the_table]).is_ok()
        });
        sim.first_node().crash();
        let the_table = table.clone();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, quiet(), &[&the_table]);
            assert_eq!(scan(&engine, &the_table), expected, "cut {cut}");
            let (sstables, leftovers) = files(&runtime, Path::new(NODE), &the_table);
            assert_eq!((sstables.len(), leftovers), (1, Vec::new()), "cut {cut}");
        });
        if is_done {
            assert!(cut > 30, "only {cut} steps");
            break;
        }
    }
}

#[test]
fn a_full_or_failing_disk_leaves_everything_as_it_was() {
    let cases = [
        ("Data.db", Operation::Write, FaultError::NoSpace),
        ("Data.db", Operation::Create, FaultError::NoSpace),
        ("Partitions.db", Operation::Sync, FaultError::Device),
        ("Statistics.db", Operation::Create, FaultError::NoSpace),
        ("TOC.txt", Operation::Sync, FaultError::Device),
        ("begun.tmp", Operation::Create, FaultError::NoSpace),
        (".txn", Operation::Write, FaultError::NoSpace),
        (".txn", Operation::Create, FaultError::NoSpace),
        (".txn", Operation::Rename, FaultError::Device),
    ];
    for (name, operation, error) in cases {
        let sim = SimRuntime::with_shards(3, 2);
        let disk = sim.disk().clone();
        let table = table_that_purges();
        let the_table = table.clone();
        let expected = sim.block_on(move |runtime| async move {
            let engine = open(&runtime, quiet(), &[&the_table]);
            let expected = fill(&engine, &the_table).await;
            let before = files(&runtime, Path::new(NODE), &the_table);
            disk.inject(Fault::always(name, operation, error));
            for _ in 0..2 {
                assert!(engine.compact(&[the_table.id], CompactScope::All).await.is_err(), "{name}");
                assert_eq!(scan(&engine, &the_table), expected, "{name}");
            }
            disk.clear_faults();
            assert_eq!(files(&runtime, Path::new(NODE), &the_table), before, "{name} {operation:?}");
            engine.compact(&[the_table.id], CompactScope::All).await.unwrap();
            assert_eq!(scan(&engine, &the_table), expected, "{name}");
            expected
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, quiet(), &[&table]);
            assert_eq!(scan(&engine, &table), expected, "{name}");
        });
    }
}

/// The rename of the commit fails to become safe, and cannot be taken back: nobody knows what the next start sees.
#[test]
fn a_commit_in_doubt_touches_nothing() {
    for seed in 0..20 {
        let sim = SimRuntime::with_shards(seed, 2);
        let disk = sim.disk().clone();
        let table = table_that_purges();
        let the_table = table.clone();
        let expected = sim.block_on(move |runtime| async move {
            let engine = open(&runtime, quiet(), &[&the_table]);
            let expected = fill(&engine, &the_table).await;
            disk.inject(Fault::always(".txn", Operation::Remove, FaultError::Device));
            disk.inject(Fault {
                after_count: 2,
                ..Fault::always("ks/t-", Operation::SyncDir, FaultError::Device)
            });
            assert!(engine.compact(&[the_table.id], CompactScope::All).await.is_err());
            disk.clear_faults();
            // Its SSTables are left alone from now on.
            engine
                .compact(&[the_table.id], CompactScope::Partition(super::super::support::key(1)))
                .await
                .ok();
            assert_eq!(scan(&engine, &the_table), expected);
            engine.apply(&[put(&the_table, 50, 1, "later", 5)]).unwrap().synced().await.unwrap();
            engine.flush(FlushTarget::All).await.unwrap();
            expected
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let mut expected = expected;
            expected.push((50, 1, "later".to_owned()));
            for _ in 0..2 {
                let engine = open(&runtime, quiet(), &[&table]);
                assert_eq!(scan(&engine, &table), expected, "seed {seed}");
                assert_eq!(files(&runtime, Path::new(NODE), &table).1, Vec::<String>::new(), "seed {seed}");
            }
        });
    }
}
