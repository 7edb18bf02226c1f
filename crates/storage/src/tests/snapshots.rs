//! Snapshots, backups and import: what is there afterwards, also after a crash at every step.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Table;
use runtime::Runtime;
use runtime::sim::SimRuntime;

use super::support::{on_both, open, options, put, scan, schema, table, table_in};
use crate::options::Describe;
use crate::table::table_dir;
use crate::{CompactScope, Engine, EngineOptions, FlushTarget, ImportOptions, OpenError, SnapshotOptions};

async fn write(engine: &Engine, table: &Arc<Table>, numbers: std::ops::Range<u32>, value: &str) {
    let mutations: Vec<_> = numbers.map(|number| put(table, number, 1, value, 1)).collect();
    engine.apply(&mutations).unwrap().synced().await.unwrap();
}

fn rows(numbers: std::ops::Range<u32>, value: &str) -> Vec<(u32, u8, String)> {
    numbers.map(|number| (number, 1, value.to_owned())).collect()
}

fn names(runtime: &Runtime, dir: &Path) -> Vec<String> {
    match runtime.disk().list(dir) {
        Ok(entries) => entries.into_iter().map(|entry| entry.name).collect(),
        Err(_) => Vec::new(),
    }
}

fn described(dir: &Path) -> EngineOptions {
    let describe = |_: &model::Schema, table: &Table| format!("CREATE TABLE {}\n", table.name);
    // A compaction would make a snapshot's files its own.
    EngineOptions { describe: Some(Describe(Arc::new(describe))), auto_compaction: false, ..options(dir) }
}

/// Waits for what a DROP does in the background.
async fn settle(runtime: &Runtime, is_done: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_done() {
            return;
        }
        runtime.sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not happen");
}

#[test]
fn a_snapshot_holds_what_was_there_and_import_brings_it_back() {
    on_both("snapshot", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, described(&dir), &[&table]);
        write(&engine, &table, 0..40, "kept").await;
        engine.flush(FlushTarget::All).await.unwrap();
        write(&engine, &table, 40..50, "kept").await;
        engine.snapshot("mine", &[table.id], SnapshotOptions::default()).await.unwrap();
        let snapshot = table_dir(&dir, &table).join("snapshots/mine");
        let found = names(&runtime, &snapshot);
        assert!(found.contains(&"manifest.json".to_owned()) && found.contains(&"schema.cql".to_owned()));
        assert!(found.iter().filter(|name| name.ends_with("-Data.db")).count() >= 2, "{found:?}");
        assert!(!found.iter().any(|name| name.ends_with(".tmp")), "{found:?}");
        let text = runtime.disk().read_all(&snapshot.join("schema.cql")).unwrap();
        assert_eq!(text, b"CREATE TABLE t\n");

        let listed = engine.list_snapshots().unwrap();
        assert_eq!((listed.len(), &*listed[0].tag, &*listed[0].table), (1, "mine", "t"));
        assert_eq!(listed[0].expires_at_ms, None);
        let own_bytes = listed[0].true_bytes;
        assert!(own_bytes > 0 && own_bytes < listed[0].bytes_on_disk, "{listed:?}");

        engine.truncate(table.id).await.unwrap();
        write(&engine, &table, 45..60, "newer").await;
        let options = ImportOptions { copy_data: true, ..ImportOptions::default() };
        let failed =
            engine.import_sstables(table.id, std::slice::from_ref(&snapshot), options).await.unwrap();
        assert_eq!(failed, []);
        let expected: Vec<_> = rows(0..45, "kept").into_iter().chain(rows(45..60, "newer")).collect();
        assert_eq!(scan(&engine, &table), expected);
        assert_eq!(names(&runtime, &snapshot), found, "a copy leaves the source alone");
        drop(engine);
        let engine = open(&runtime, described(&dir), &[&table]);
        assert_eq!(scan(&engine, &table), expected, "after a restart");

        engine.clear_snapshots(Some("mine"), &["other".to_owned()], None).await.unwrap();
        assert!(names(&runtime, &snapshot).contains(&"manifest.json".to_owned()));
        engine.clear_snapshots(Some("mine"), &["ks".to_owned()], None).await.unwrap();
        assert_eq!(names(&runtime, &snapshot), Vec::<String>::new());
        engine.clear_snapshots(None, &[], None).await.unwrap();
        assert_eq!(engine.list_snapshots().unwrap(), []);
    });
}

#[test]
fn names_of_snapshots_stay_within_their_directory() {
    on_both("snapshot-names", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        for bad in ["", "..", ".", "a/b", "../../x", "/etc", "a\\b", "a\0b", "a\nb", &"x".repeat(300)] {
            let refused = engine.snapshot(bad, &[table.id], SnapshotOptions::default()).await;
            assert!(matches!(refused, Err(OpenError::Refused(_))), "{bad:?}: {refused:?}");
        }
        engine.snapshot("twice", &[table.id], SnapshotOptions::default()).await.unwrap();
        let again = engine.snapshot("twice", &[table.id], SnapshotOptions::default()).await;
        assert_eq!(again.unwrap_err().to_string(), "Snapshot twice already exists.");
        assert_eq!(engine.list_snapshots().unwrap().len(), 1, "empty tables have snapshots, too");
    });
}

#[test]
fn a_snapshot_with_a_ttl_goes_by_itself() {
    for restarts in [false, true] {
        SimRuntime::with_shards(1, 2).block_on(move |runtime| async move {
            let table = table();
            let mut engine = open(&runtime, options(Path::new("/node")), &[&table]);
            let options_1h = SnapshotOptions { ttl: Some(Duration::from_secs(3600)), skip_flush: true };
            engine.snapshot("short", &[table.id], options_1h).await.unwrap();
            engine.snapshot("long", &[table.id], SnapshotOptions::default()).await.unwrap();
            if restarts {
                drop(engine);
                engine = open(&runtime, options(Path::new("/node")), &[&table]);
            }
            runtime.sleep(Duration::from_secs(3_500)).await;
            assert_eq!(engine.list_snapshots().unwrap().len(), 2);
            runtime.sleep(Duration::from_secs(200)).await;
            let left = engine.list_snapshots().unwrap();
            assert_eq!(left.iter().map(|one| &*one.tag).collect::<Vec<_>>(), ["long"]);
        });
    }
}

#[test]
fn truncate_and_drop_leave_a_snapshot() {
    on_both("auto-snapshot", |runtime, dir| async move {
        let mut other = table_in("ks", "quiet", 200);
        other.options.allow_auto_snapshot = false;
        let (table, quiet) = (table(), Arc::new(other));
        let engine = open(&runtime, described(&dir), &[&table, &quiet]);
        write(&engine, &table, 0..10, "old").await;
        write(&engine, &quiet, 0..10, "old").await;
        engine.truncate(table.id).await.unwrap();
        engine.truncate(quiet.id).await.unwrap();
        let listed = engine.list_snapshots().unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].tag.starts_with("truncated-") && listed[0].tag.ends_with("-t"), "{listed:?}");
        write(&engine, &table, 10..30, "new").await;
        engine.flush(FlushTarget::All).await.unwrap();
        write(&engine, &table, 30..35, "new").await;
        engine.update_tables(&schema(&[])).unwrap();
        settle(&runtime, || engine.list_snapshots().unwrap().len() == 2).await;
        settle(&runtime, || names(&runtime, &table_dir(&dir, &table)) == ["snapshots"]).await;
        settle(&runtime, || names(&runtime, &table_dir(&dir, &quiet)).is_empty()).await;
        assert_eq!(engine.stats().memtable_bytes, 0);

        // Into a table of another id, as after a CREATE TABLE from schema.cql without its id.
        let again = Arc::new(table_in("ks", "t", 300));
        engine.update_tables(&schema(&[&again])).unwrap();
        let listed = engine.list_snapshots().unwrap();
        let dropped = listed.iter().find(|one| one.tag.starts_with("dropped-")).unwrap();
        let from = table_dir(&dir, &table).join("snapshots").join(&dropped.tag);
        assert!(names(&runtime, &from).contains(&"schema.cql".to_owned()));
        let failed = engine.import_sstables(again.id, &[from], ImportOptions::default()).await.unwrap();
        assert_eq!(failed, []);
        assert_eq!(scan(&engine, &again), rows(10..35, "new"));
    });
}

#[test]
fn flushed_sstables_are_backed_up_when_that_is_on() {
    on_both("backups", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let backups = table_dir(&dir, &table).join("backups");
        write(&engine, &table, 0..10, "x").await;
        engine.flush(FlushTarget::All).await.unwrap();
        assert_eq!(names(&runtime, &backups), Vec::<String>::new());
        engine.set_incremental_backups(true);
        assert!(engine.incremental_backups());
        write(&engine, &table, 10..20, "x").await;
        engine.flush(FlushTarget::All).await.unwrap();
        let found = names(&runtime, &backups);
        assert!(found.iter().any(|name| name.ends_with("-TOC.txt")), "{found:?}");
        engine.truncate(table.id).await.unwrap();
        assert_eq!(names(&runtime, &backups), found, "backups are the operator's");
        engine.import_sstables(table.id, &[backups], ImportOptions::default()).await.unwrap();
        assert_eq!(scan(&engine, &table), rows(10..20, "x"));
    });
}

/// A directory with the SSTables of a flushed table, outside of the node's data.
async fn exported(engine: &Engine, runtime: &Runtime, dir: &Path, table: &Arc<Table>) -> PathBuf {
    write(engine, table, 0..20, "in").await;
    engine.snapshot("export", &[table.id], SnapshotOptions::default()).await.unwrap();
    let (from, to) = (table_dir(dir, table).join("snapshots/export"), dir.join("export"));
    runtime.disk().create_dir_all(&to).unwrap();
    for name in names(runtime, &from) {
        runtime.disk().hard_link(&from.join(&name), &to.join(&name)).unwrap();
    }
    runtime.disk().sync_dir(&to).unwrap();
    runtime.disk().sync_dir(dir).unwrap();
    engine.truncate(table.id).await.unwrap();
    to
}

#[test]
fn a_directory_with_a_damaged_sstable_is_not_imported_at_all() {
    for seed in 0..10 {
        let sim = SimRuntime::with_shards(seed, 2);
        let disk = sim.disk().clone();
        sim.block_on(move |runtime| async move {
            let (dir, table) = (PathBuf::from("/node"), table());
            let engine = open(&runtime, options(&dir), &[&table]);
            let from = exported(&engine, &runtime, &dir, &table).await;
            let before = names(&runtime, &from);
            let data = before.iter().rfind(|name| name.ends_with("-Data.db")).unwrap();
            disk.corrupt(&from.join(data), 20, 0x10).unwrap();
            let missing = PathBuf::from("/node/nowhere");
            let dirs = [from.clone(), missing.clone()];
            let failed = engine.import_sstables(table.id, &dirs, ImportOptions::default()).await.unwrap();
            let failed_dirs: Vec<_> = failed.iter().map(|one| one.dir.clone()).collect();
            assert_eq!(failed_dirs, [from.clone(), missing], "{failed:?}");
            assert_eq!(scan(&engine, &table), []);
            assert_eq!(names(&runtime, &from), before);
        });
    }
}

/// As `sstable verify` looks at them: a scan alone would find every row of these.
#[test]
fn an_sstable_that_hides_rows_from_reads_is_not_imported() {
    on_both("import-verified", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let from = exported(&engine, &runtime, &dir, &table).await;
        let replace = |end: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let name = names(&runtime, &from).into_iter().find(|name| name.ends_with(end)).unwrap();
            let mut bytes = runtime.disk().read_all(&from.join(&name)).unwrap();
            let old = bytes.clone();
            change(&mut bytes);
            runtime.disk().write_all_synced(&from.join(&name), &bytes).unwrap();
            (from.join(name), old)
        };
        for (end, found) in [("-Filter.db", "denies a key"), ("-Digest.crc32", "checksum of Data.db")] {
            let (path, old) = replace(end, &|bytes| match end {
                "-Filter.db" => bytes[8..].fill(0),
                _ => bytes[0] = if bytes[0] == b'1' { b'2' } else { b'1' },
            });
            let dirs = [from.clone()];
            let failed = engine.import_sstables(table.id, &dirs, ImportOptions::default()).await.unwrap();
            assert!(failed.len() == 1 && failed[0].why.contains(found), "{end}: {failed:?}");
            assert_eq!(scan(&engine, &table), [], "{end}");
            runtime.disk().write_all_synced(&path, &old).unwrap();
        }
        let failed = engine.import_sstables(table.id, &[from], ImportOptions::default()).await.unwrap();
        assert_eq!(failed, []);
        assert_eq!(scan(&engine, &table), rows(0..20, "in"));
    });
}

#[test]
fn refresh_takes_in_what_was_put_into_the_tables_directory() {
    on_both("refresh", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let from = exported(&engine, &runtime, &dir, &table).await;
        write(&engine, &table, 20..30, "own").await;
        engine.flush(FlushTarget::All).await.unwrap();
        let own = table_dir(&dir, &table);
        let mut count = 0;
        // Under names that had been used before the TRUNCATE.
        for name in names(&runtime, &from).iter().filter(|name| name.starts_with("da-")) {
            runtime.disk().hard_link(&from.join(name), &own.join(name)).unwrap();
            count += usize::from(name.ends_with("-Data.db"));
        }
        assert_eq!(engine.load_new_sstables(table.id).await.unwrap(), count);
        assert_eq!(engine.load_new_sstables(table.id).await.unwrap(), 0);
        let expected: Vec<_> = rows(0..20, "in").into_iter().chain(rows(20..30, "own")).collect();
        assert_eq!(scan(&engine, &table), expected);
        drop(engine);
        assert_eq!(scan(&open(&runtime, options(&dir), &[&table]), &table), expected);
    });
}

#[test]
fn an_imported_sstable_hides_nothing_of_the_log() {
    // It says of this node's log that it holds its first writes: those of the table it comes from.
    SimRuntime::with_shards(3, 1).block_on(|runtime| async move {
        let dir = PathBuf::from("/node");
        let (table, other) = (table(), Arc::new(table_in("ks", "other", 200)));
        let engine = open(&runtime, options(&dir), &[&table, &other]);
        write(&engine, &other, 100..110, "logged").await;
        let from = exported(&engine, &runtime, &dir, &table).await;
        engine.import_sstables(other.id, &[from], ImportOptions::default()).await.unwrap();
        let expected: Vec<_> = rows(0..20, "in").into_iter().chain(rows(100..110, "logged")).collect();
        assert_eq!(scan(&engine, &other), expected);
        drop(engine);
        let engine = open(&runtime, options(&dir), &[&table, &other]);
        assert_eq!(scan(&engine, &other), expected);
    });
}

/// Cuts the power after `operations` of the disk's while `work` runs; returns whether it was cut.
fn crash_during<Fut: Future<Output = ()> + 'static>(
    sim: &SimRuntime,
    operations: u64,
    work: impl FnOnce(Runtime, Arc<Engine>) -> Fut + 'static,
) -> bool {
    let disk = sim.disk().clone();
    let before = disk.clone();
    sim.block_on(move |runtime| async move {
        let engine = open(&runtime, options(Path::new("/node")), &[&table()]);
        before.cut_power_after(operations);
        let start = before.operations_count();
        let worker = runtime.clone();
        let done = std::rc::Rc::new(std::cell::Cell::new(false));
        let is_done = done.clone();
        runtime.spawn_local(async move {
            work(worker, engine).await;
            is_done.set(true);
        });
        for _ in 0..10_000 {
            if done.get() || before.operations_count() >= start + operations {
                return;
            }
            runtime.sleep(Duration::from_micros(100)).await;
        }
    });
    let was_cut = disk.operations_count() >= operations;
    sim.first_node().crash();
    was_cut
}

#[test]
fn a_power_loss_at_any_step_of_an_import_loses_no_row() {
    for step in 1..90 {
        for seed in 0..2 {
            let sim = SimRuntime::with_shards(seed, 2);
            sim.block_on(|runtime| async move {
                let dir = PathBuf::from("/node");
                let engine = open(&runtime, options(&dir), &[&table()]);
                exported(&engine, &runtime, &dir, &table()).await;
            });
            sim.first_node().crash();
            crash_during(&sim, step, |_, engine| async move {
                let dirs = [PathBuf::from("/node/export")];
                let _cut = engine.import_sstables(table().id, &dirs, ImportOptions::default()).await;
            });
            sim.block_on(move |runtime| async move {
                let engine = open(&runtime, options(Path::new("/node")), &[&table()]);
                // What the import did not reach is still where it was.
                let dirs = [PathBuf::from("/node/export")];
                let failed =
                    engine.import_sstables(table().id, &dirs, ImportOptions::default()).await.unwrap();
                assert_eq!(
                    scan(&engine, &table()),
                    rows(0..20, "in"),
                    "seed {seed}, step {step}: {failed:?}"
                );
            });
        }
    }
}

#[test]
fn a_power_loss_at_any_step_of_a_snapshot_leaves_a_whole_one_or_none() {
    for step in 1..70 {
        let sim = SimRuntime::with_shards(step, 2);
        sim.block_on(|runtime| async move {
            let engine = open(&runtime, options(Path::new("/node")), &[&table()]);
            write(&engine, &table(), 0..20, "in").await;
        });
        sim.first_node().crash();
        let taken = std::rc::Rc::new(std::cell::Cell::new(false));
        let is_taken = taken.clone();
        crash_during(&sim, step, move |_, engine| async move {
            let result = engine.snapshot("s", &[table().id], SnapshotOptions::default()).await;
            is_taken.set(result.is_ok());
        });
        let is_taken = taken.get();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, options(Path::new("/node")), &[&table()]);
            assert_eq!(scan(&engine, &table()), rows(0..20, "in"), "step {step}");
            let listed = engine.list_snapshots().unwrap();
            assert!(listed.len() == 1 || !is_taken, "step {step}: a snapshot that was taken is gone");
            if listed.is_empty() {
                return;
            }
            engine.truncate(table().id).await.unwrap();
            let from = table_dir(Path::new("/node"), &table()).join("snapshots/s");
            let failed = engine.import_sstables(table().id, &[from], ImportOptions::default()).await.unwrap();
            assert_eq!((failed, scan(&engine, &table())), (vec![], rows(0..20, "in")), "step {step}");
        });
    }
}

#[test]
fn a_compaction_leaves_a_snapshot_if_so_configured() {
    on_both("snapshot-compact", |runtime, dir| async move {
        for wanted in [false, true] {
            let table = table();
            let dir = dir.join(wanted.to_string());
            let options = EngineOptions { snapshot_before_compaction: wanted, ..described(&dir) };
            let engine = open(&runtime, options, &[&table]);
            for round in 0..3 {
                write(&engine, &table, round * 20..round * 20 + 30, "v").await;
                engine.flush(FlushTarget::All).await.unwrap();
            }
            let before = names(&runtime, &table_dir(&dir, &table));
            engine.compact(&[table.id], CompactScope::All).await.unwrap();
            assert_eq!(scan(&engine, &table), rows(0..70, "v"));
            let tags: Vec<String> = engine.list_snapshots().unwrap().into_iter().map(|one| one.tag).collect();
            assert_eq!(tags.is_empty(), !wanted, "{tags:?}");
            assert!(tags.iter().all(|tag| tag.ends_with("-compact-t")), "{tags:?}");
            let Some(first) = tags.iter().min() else { continue };
            let kept = names(&runtime, &table_dir(&dir, &table).join("snapshots").join(first));
            let is_data = |name: &&String| name.ends_with("-Data.db");
            let inputs: Vec<_> = before.iter().filter(is_data).collect();
            assert!(
                inputs.len() >= 3 && inputs.iter().all(|name| kept.contains(name)),
                "{inputs:?} {kept:?}"
            );
        }
    });
}
