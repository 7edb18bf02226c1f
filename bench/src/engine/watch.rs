//! What is seen from outside while a server works: resident memory, and the bytes of its files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::server::resident_kib;

const EVERY: Duration = Duration::from_millis(100);

/// Reads a process's resident memory until it is dropped.
pub struct MemoryWatch {
    most_kib: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    pub fn start(pid: u32) -> MemoryWatch {
        let (most_kib, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (most, over) = (most_kib.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident_kib(pid).unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(EVERY);
            }
        });
        MemoryWatch { most_kib, is_over, thread: Some(thread) }
    }

    /// The most since the last time, in MiB.
    pub fn take_most_mib(&self) -> f64 {
        self.most_kib.swap(0, Ordering::Relaxed) as f64 / 1024.0
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only sleeps and counts.
            let _ = thread.join();
        }
    }
}

/// Bytes and number of the Data.db files of a table of keyspace `bench` anywhere below a server's directory.
pub fn data_files(dir: &Path, table: &str) -> (u64, u64) {
    let mut found = (0, 0);
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "snapshots" && name != "backups" {
                let (bytes, count) = data_files(&path, table);
                found = (found.0 + bytes, found.1 + count);
            }
        } else if name.ends_with("-Data.db") && is_of(&path, table) {
            found = (found.0 + entry.metadata().map_or(0, |data| data.len()), found.1 + 1);
        }
    }
    found
}

fn is_of(path: &Path, table: &str) -> bool {
    let mut folders =
        path.ancestors().skip(1).filter_map(|folder| folder.file_name()).map(|name| name.to_string_lossy());
    let is_table =
        folders.next().is_some_and(|name| name.rsplit_once('-').is_some_and(|(first, _)| first == table));
    is_table && folders.next().is_some_and(|name| name == "bench")
}
