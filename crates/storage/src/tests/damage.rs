//! Failed disks and damaged SSTables, by policy (bugs 52 and 58).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::partition::SourceError;
use model::{PartitionSelection, ReadCommand, Slices, Table};
use parking_lot::Mutex;
use runtime::sim::{Fault, FaultError, Operation, SimDisk, SimRuntime};
use runtime::{Disk, Runtime};

use super::support::{key, open, options, put, rows_of, scan, table, table_in, try_open};
use crate::engine::damage::{CommitReaction, Reaction, Trouble, commit_reaction, reaction};
use crate::table::table_dir;
use crate::{
    CommitFailurePolicy, DiskFailurePolicy, Engine, EngineOptions, FailureAction, FailureListener,
    FlushTarget, OpenError, ReadError, WriteError,
};

const NODE: &str = "/node";

/// The table of bug 58.
#[test]
fn each_policy_does_what_its_name_says() {
    use DiskFailurePolicy::{BestEffort, Die, Ignore, Stop, StopParanoid};
    let rows = [
        (Die, Reaction::Die, Reaction::Die),
        (StopParanoid, Reaction::StopServing, Reaction::StopServing),
        (Stop, Reaction::SetAside, Reaction::StopServing),
        (BestEffort, Reaction::LeaveOut, Reaction::LeaveOut),
        (Ignore, Reaction::FailRequest, Reaction::FailRequest),
    ];
    for (policy, corrupt, io) in rows {
        assert_eq!(reaction(policy, Trouble::Corrupt), corrupt, "{policy:?}, checksum");
        assert_eq!(reaction(policy, Trouble::Io), io, "{policy:?}, EIO");
        assert_eq!(reaction(policy, Trouble::NoSpace), Reaction::RefuseWrites, "{policy:?}, ENOSPC");
    }
    for (policy, wanted) in [
        (CommitFailurePolicy::Die, CommitReaction::Act(FailureAction::Die)),
        (CommitFailurePolicy::Stop, CommitReaction::Act(FailureAction::StopServing)),
        (CommitFailurePolicy::StopCommit, CommitReaction::RefuseWrites),
        (CommitFailurePolicy::Ignore, CommitReaction::FailRequest),
    ] {
        assert_eq!(commit_reaction(policy), wanted, "{policy:?}");
    }
}

type Told = Arc<Mutex<Vec<FailureAction>>>;

fn with_policy(policy: DiskFailurePolicy) -> (EngineOptions, Told) {
    let told = Told::default();
    let listener = told.clone();
    let on_failure = FailureListener(Arc::new(move |action, _| listener.lock().push(action)));
    let options = EngineOptions {
        disk_failure_policy: policy,
        on_failure: Some(on_failure),
        ..options(Path::new(NODE))
    };
    (options, told)
}

fn other() -> Arc<Table> {
    Arc::new(table_in("ks", "other", 101))
}

/// Two tables with an SSTable each; returns the path of a component of the first.
fn write_sstables(sim: &SimRuntime, component: &'static str) -> PathBuf {
    let path = sim.block_on(move |runtime| async move {
        let engine = open(&runtime, options(Path::new(NODE)), &[&table(), &other()]);
        let rows: Vec<_> =
            (0..50).flat_map(|n| [put(&table(), n, 1, "v", 1), put(&other(), n, 1, "v", 1)]).collect();
        engine.apply(&rows).unwrap().synced().await.unwrap();
        engine.flush(FlushTarget::All).await.unwrap();
        engine.drain().await.unwrap();
        // Otherwise the log would bring back what the SSTable loses, as long as it has it.
        runtime.disk().remove_dir_all(&Path::new(NODE).join("commitlog")).unwrap();
        runtime.disk().sync_dir(Path::new(NODE)).unwrap();
        let dir = table_dir(Path::new(NODE), &table());
        let entries = runtime.disk().list(&dir).unwrap();
        dir.join(&entries.iter().find(|entry| entry.name.ends_with(component)).unwrap().name)
    });
    sim.first_node().crash();
    path
}

fn flip(disk: &SimDisk, path: &Path, from_end: u64) {
    let bytes = disk.read_all(path).unwrap().len() as u64;
    disk.corrupt(path, bytes - from_end, 0x10).unwrap();
}

fn try_scan(engine: &Engine, table: &Arc<Table>) -> Result<usize, SourceError> {
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start: None, end: None },
        slices: Slices::all(),
        reversed: false,
    };
    let mut partitions = engine.read(&command)?;
    let mut count = 0;
    while let Some(mut partition) = partitions.next_partition()? {
        while partition.next()?.is_some() {
            count += 1;
        }
    }
    Ok(count)
}

fn is_set_aside(result: Result<usize, SourceError>) -> bool {
    result.is_err_and(|error| matches!(error.downcast_ref::<ReadError>(), Some(ReadError::SetAside { .. })))
}

/// Bug 52: an SSTable that cannot be opened is never passed over in silence.
#[test]
fn an_sstable_that_cannot_be_opened_is_set_aside_or_stops_the_start() {
    for policy in [DiskFailurePolicy::Die, DiskFailurePolicy::StopParanoid] {
        let sim = SimRuntime::new(3);
        let path = write_sstables(&sim, "Statistics.db");
        flip(sim.disk(), &path, 20);
        sim.block_on(move |runtime| async move {
            let error = try_open(&runtime, with_policy(policy).0, &[&table(), &other()]).err();
            assert!(matches!(error, Some(OpenError::SsTable { .. })), "{policy:?}: {error:?}");
        });
    }
    let sim = SimRuntime::new(3);
    let path = write_sstables(&sim, "Statistics.db");
    flip(sim.disk(), &path, 20);
    for start in 0..3 {
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, with_policy(DiskFailurePolicy::Stop).0, &[&table(), &other()]);
            let listed = engine.set_aside();
            assert_eq!(listed.len(), 1, "start {start}: {listed:?}");
            assert!(!listed[0].is_served && listed[0].table == table().id);
            assert!(is_set_aside(try_scan(&engine, &table())), "no row is missing in silence");
            let single = engine.read_partition(&table(), &key(1), &Slices::all(), false).err();
            assert!(matches!(single, Some(ReadError::SetAside { .. })), "{single:?}");
            assert_eq!(try_scan(&engine, &other()).unwrap(), 50, "the rest is served");
            // New writes are taken.
            engine.apply(&[put(&table(), 7, 1, "new", 2)]).unwrap().synced().await.unwrap();
        });
        sim.first_node().crash();
    }
    for start in 0..2 {
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, with_policy(DiskFailurePolicy::BestEffort).0, &[&table(), &other()]);
            assert_eq!(engine.set_aside().len(), 1, "start {start}");
            assert_eq!(scan(&engine, &table()), [(7, 1, "new".to_owned())], "what is left");
        });
        sim.first_node().crash();
    }
    // Once the operator repairs the file it is served again, still listed until its mark is taken away.
    flip(sim.disk(), &path, 20);
    sim.block_on(|runtime| async move {
        let engine = open(&runtime, with_policy(DiskFailurePolicy::Stop).0, &[&table(), &other()]);
        assert_eq!(scan(&engine, &table()).len(), 50);
        assert!(engine.set_aside()[0].is_served);
        engine.truncate(table().id).await.unwrap();
        assert_eq!(engine.set_aside(), []);
        let left = runtime.disk().list(&table_dir(Path::new(NODE), &table())).unwrap();
        assert!(left.iter().all(|entry| !entry.name.contains("-bti-")), "{left:?}");
    });
}

#[test]
fn damage_that_a_read_meets_is_acted_upon_as_the_policy_says() {
    use DiskFailurePolicy::{BestEffort, Die, Ignore, Stop, StopParanoid};
    for (policy, listed, served, action) in [
        (Die, 1, true, Some(FailureAction::Die)),
        (StopParanoid, 1, true, Some(FailureAction::StopServing)),
        (Stop, 1, true, None),
        (BestEffort, 1, false, None),
        (Ignore, 0, false, None),
    ] {
        let sim = SimRuntime::new(5);
        let path = write_sstables(&sim, "Data.db");
        flip(sim.disk(), &path, 30);
        sim.block_on(move |runtime| async move {
            let (options, told) = with_policy(policy);
            let engine = open(&runtime, options, &[&table(), &other()]);
            assert!(try_scan(&engine, &table()).is_err(), "{policy:?}: the read that meets it fails");
            runtime.sleep(Duration::from_millis(10)).await;
            assert_eq!(engine.set_aside().len(), listed, "{policy:?}");
            assert!(engine.set_aside().iter().all(|one| one.is_served == served), "{policy:?}");
            assert_eq!(told.lock().first().copied(), action, "{policy:?}");
            assert_eq!(engine.health().accepts_reads, action.is_none(), "{policy:?}");
            let again = try_scan(&engine, &table());
            assert_eq!(again.ok(), (policy == BestEffort).then_some(0), "{policy:?}");
            assert_eq!(try_scan(&engine, &other()).unwrap(), 50, "{policy:?}: the other table is whole");
        });
        sim.first_node().crash();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, with_policy(policy).0, &[&table(), &other()]);
            assert_eq!(engine.set_aside().len(), listed, "{policy:?}: after a restart");
        });
    }
}

async fn write_one(engine: &Engine, number: u32) -> Result<(), WriteError> {
    engine.apply(&[put(&table(), number, 1, "v", 1)])?.synced().await
}

fn count_of(runtime: &Runtime, options: EngineOptions) -> usize {
    let engine = open(runtime, options, &[&table()]);
    let mut count = 0;
    for number in 0..100 {
        let stream = engine.read_partition(&table(), &key(number), &Slices::all(), false).unwrap();
        count += stream.map_or(0, |mut stream| rows_of(&mut *stream, model::ColumnId(2)).len());
    }
    count
}

#[test]
fn a_commit_log_that_fails_is_acted_upon_as_the_policy_says() {
    use CommitFailurePolicy::{Die, Ignore, Stop, StopCommit};
    for (operation, error) in [
        (Operation::Sync, FaultError::Device),
        (Operation::Write, FaultError::Device),
        (Operation::Sync, FaultError::NoSpace),
    ] {
        for (policy, action) in [
            (Die, Some(FailureAction::Die)),
            (Stop, Some(FailureAction::StopServing)),
            (StopCommit, None),
            (Ignore, None),
        ] {
            for seed in 0..8 {
                let sim = SimRuntime::new(seed);
                let disk = sim.disk().clone();
                let (mut options, told) = with_policy(DiskFailurePolicy::Stop);
                options.commit_failure_policy = policy;
                let reopened = options.clone();
                let name = format!("{policy:?} {operation:?} seed {seed}");
                let what = name.clone();
                let acknowledged = sim.block_on(move |runtime| async move {
                    let engine = open(&runtime, options, &[&table()]);
                    for number in 0..10 {
                        write_one(&engine, number).await.unwrap();
                    }
                    disk.inject(Fault::once("commitlog-", operation, error));
                    let failed = write_one(&engine, 10).await;
                    assert!(matches!(failed, Err(WriteError::Unsynced(_))), "{what}: {failed:?}");
                    assert_eq!(told.lock().first().copied(), action, "{what}");
                    let mut acknowledged = 10;
                    for number in 11..20 {
                        let later = write_one(&engine, number).await;
                        if policy == Ignore {
                            later.unwrap();
                            acknowledged += 1;
                        } else {
                            assert!(matches!(later, Err(WriteError::DiskFailed(_))), "{what}: {later:?}");
                        }
                    }
                    assert!(scan(&engine, &table()).len() >= acknowledged, "{what}: reads go on");
                    acknowledged
                });
                sim.first_node().crash();
                sim.block_on(move |runtime| async move {
                    let found = count_of(&runtime, reopened);
                    assert!(found == acknowledged || found == acknowledged + 1, "{name}: {found}");
                });
            }
        }
    }
}
