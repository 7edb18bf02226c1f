//! SSTables of other hosts: the places in the log that they name are of another log.

use std::path::{Path, PathBuf};

use runtime::Runtime;
use runtime::sim::SimRuntime;
use uuid::Uuid;

use super::support::{HOST, open, options, put, scan, table};
use crate::table::table_dir;
use crate::{EngineOptions, FlushTarget};

fn of_host(dir: &str, host_id: Uuid) -> EngineOptions {
    EngineOptions { host_id, auto_compaction: false, ..options(Path::new(dir)) }
}

fn copy_sstables(runtime: &Runtime, from: &Path, to: &Path) {
    let disk = runtime.disk();
    let mut count = 0;
    for entry in disk.list(from).unwrap() {
        if entry.name.contains("-bti-") {
            disk.write_all_synced(&to.join(&entry.name), &disk.read_all(&from.join(&entry.name)).unwrap())
                .unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "nothing to copy in {}", from.display());
    disk.sync_dir(to).unwrap();
}

/// Node `a` flushes many rows. Node `b`, whose log has segments of the same numbers, acknowledges a few; `a`'s files
/// come into its directory; its power fails. The rows that `b` has afterwards.
fn rows_after_a_move(host_of_a: Uuid, host_of_b: Uuid) -> Vec<(u32, u8, String)> {
    let sim = SimRuntime::new(1);
    let dirs = || {
        let table = table();
        (table_dir(Path::new("/a"), &table), table_dir(Path::new("/b"), &table))
    };
    sim.block_on(move |runtime| async move {
        let table = table();
        // Numbers of segments begin with the time: `a` needs so many that those of `b` are among them.
        let small = EngineOptions { segment_bytes: 320, ..of_host("/a", host_of_a) };
        let a = open(&runtime, small, &[&table]);
        let b = open(&runtime, of_host("/b", host_of_b), &[&table]);
        let many: Vec<_> = (100..200).map(|number| put(&table, number, 1, "of a", 1)).collect();
        for one in many.chunks(2) {
            a.apply_waiting(one).await.unwrap().synced().await.unwrap();
        }
        a.flush(FlushTarget::All).await.unwrap();
        for number in 0..5 {
            b.apply(&[put(&table, number, 1, "of b", 1)]).unwrap().synced().await.unwrap();
        }
        let (from, to): (PathBuf, PathBuf) = dirs();
        runtime.disk().create_dir_all(&to).unwrap();
        copy_sstables(&runtime, &from, &to);
    });
    sim.first_node().kill();
    let rows = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let found = rows.clone();
    sim.block_on(move |runtime| async move {
        let b = open(&runtime, of_host("/b", host_of_b), &[&table()]);
        *found.borrow_mut() = scan(&b, &table());
    });
    rows.take()
}

/// Bug 56 of the catalogue (CASSANDRA-16619).
#[test]
fn files_of_another_host_hide_nothing_of_the_log() {
    let found = rows_after_a_move(HOST, Uuid::from_u128(8));
    let own = (0..5).map(|number| (number, 1, "of b".to_owned()));
    let expected: Vec<_> = own.chain((100..200).map(|number| (number, 1, "of a".to_owned()))).collect();
    assert_eq!(found, expected);
}

/// The case above would see it: files that say they are of the same host cover that part of the log.
#[test]
fn a_host_that_is_not_asked_for_would_lose_rows() {
    assert!(rows_after_a_move(HOST, HOST).len() < 105);
}
