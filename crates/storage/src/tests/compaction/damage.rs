//! Damaged transactions and damaged inputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Table;
use runtime::OpenMode;
use runtime::sim::{Fault, FaultError, Operation, SimRuntime};
use sstable::Component;

use super::super::support::{open, options, put, scan, table, try_open};
use super::rich::files;
use crate::table::table_dir;
use crate::{CompactScope, EngineOptions, FlushTarget, OpenError};

const NODE: &str = "/node";

fn quiet() -> EngineOptions {
    let mut options = options(Path::new(NODE));
    options.auto_compaction = false;
    options
}

/// A node that died right after the commit of a compaction: the transaction's file, and both inputs and output.
fn committed(seed: u64) -> (SimRuntime, Arc<Table>, PathBuf) {
    let sim = SimRuntime::with_shards(seed, 2);
    let table = table();
    let (the_table, disk) = (table.clone(), sim.disk().clone());
    sim.block_on(move |runtime| async move {
        let engine = open(&runtime, quiet(), &[&the_table]);
        for round in 0..2 {
            engine.apply(&[put(&the_table, 1, 1, "v", round)]).unwrap().synced().await.unwrap();
            engine.flush(FlushTarget::All).await.unwrap();
        }
        disk.inject(Fault::always("", Operation::Remove, FaultError::Device));
        engine.compact(&[the_table.id], CompactScope::All).await.unwrap();
    });
    sim.first_node().crash();
    sim.disk().clear_faults();
    let dir = table_dir(Path::new(NODE), &table);
    let path = sim.block_on(move |runtime| async move {
        let entries = runtime.disk().list(&dir).unwrap();
        let name = entries.iter().find(|entry| entry.name.ends_with(".txn")).unwrap();
        dir.join(&name.name)
    });
    (sim, table, path)
}

/// Bug 57: whatever happens to the file, nothing that lives is deleted.
#[test]
fn a_transaction_cut_or_altered_at_every_byte_is_refused_and_deletes_nothing() {
    let (sim, table, path) = committed(1);
    sim.block_on(move |runtime| async move {
        let disk = runtime.disk().clone();
        let whole = disk.read_all(&path).unwrap();
        let write = |bytes: &[u8]| {
            let file = disk.open(&path, OpenMode::Create).unwrap();
            file.write_all_at(bytes, 0).unwrap();
            file.set_bytes(bytes.len() as u64).unwrap();
        };
        let before = files(&runtime, Path::new(NODE), &table);
        assert!(whole.len() > 100 && before.0.len() == 3);
        let cuts = (0..whole.len()).map(|length| whole[..length].to_vec());
        let flips = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        for damaged in cuts.chain(flips) {
            write(&damaged);
            let opened = try_open(&runtime, quiet(), &[&table]);
            let text = String::from_utf8_lossy(&damaged).into_owned();
            assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{text}");
            assert_eq!(files(&runtime, Path::new(NODE), &table), before, "{text}");
        }
        write(&whole);
        let engine = open(&runtime, quiet(), &[&table]);
        assert_eq!(scan(&engine, &table), [(1, 1, "v".to_owned())]);
        let (sstables, leftovers) = files(&runtime, Path::new(NODE), &table);
        assert_eq!((sstables.len(), leftovers), (1, Vec::new()));
    });
}

#[test]
fn files_that_only_have_the_name_of_an_input_are_not_deleted() {
    let (sim, table, path) = committed(2);
    sim.block_on(move |runtime| async move {
        let before = files(&runtime, Path::new(NODE), &table);
        let input = before.0.iter().min_by_key(|one| one.id).unwrap();
        let file = runtime.disk().open(&input.path(Component::Data), OpenMode::ReadWrite).unwrap();
        let bytes = file.bytes().unwrap();
        file.write_all_at(b"restored", bytes).unwrap();
        let opened = try_open(&runtime, quiet(), &[&table]);
        assert!(matches!(opened, Err(OpenError::Damaged { path: found, .. }) if found == path));
        assert_eq!(files(&runtime, Path::new(NODE), &table), before);
    });
}

#[test]
fn a_damaged_input_is_set_aside_and_the_others_are_compacted() {
    let sim = SimRuntime::with_shards(4, 2);
    let disk = sim.disk().clone();
    sim.block_on(move |runtime| async move {
        let table = table();
        let engine = open(&runtime, quiet(), &[&table]);
        for round in 0..4 {
            engine.apply(&[put(&table, 1, 1, "v", round)]).unwrap().synced().await.unwrap();
            engine.flush(FlushTarget::All).await.unwrap();
        }
        let victim = files(&runtime, Path::new(NODE), &table).0[1].clone();
        disk.corrupt(&victim.path(Component::Data), 5, 1).unwrap();
        assert!(engine.compact(&[table.id], CompactScope::All).await.is_err());
        assert_eq!(engine.set_aside().len(), 1);
        assert_eq!(engine.set_aside()[0].descriptor, victim);
        engine.compact(&[table.id], CompactScope::All).await.unwrap();
        runtime.sleep(std::time::Duration::from_secs(1)).await;
        let (sstables, _) = files(&runtime, Path::new(NODE), &table);
        assert!(sstables.len() == 2 && sstables.contains(&victim), "{sstables:?}");
    });
}
