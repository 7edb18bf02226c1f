//! What operations on SSTables share: with each other, and with those who watch and stop them.
//!
//! Read in order: [`Context`] (one for the engine), [`Progress`] (one for each operation), [`TableCompaction`] (one
//! for each table), [`Claim`] (an SSTable belongs to one operation at a time).
//!
//! Never here: what an operation does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use model::TableId;
use parking_lot::{Mutex, RwLock};
use runtime::Runtime;
use sstable::{BlockCache, Caches, Descriptor, KeyCache, SsTable};
use tokio::sync::{Notify, Semaphore};
use uuid::{Timestamp, Uuid};

use super::history::CompactionRecord;
use super::operation::{CompactionStats, Operation, OperationKind};
use super::rate::Rate;
use super::task::Summary;
use crate::EngineOptions;
use crate::commitlog::ShardLog;
use crate::table::TableState;

/// No wait for the throttle is longer at once: who is stopped ends within this.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// What all operations share.
pub(crate) struct Context {
    pub runtime: Runtime,
    /// Of all SSTables that serve reads.
    pub caches: Caches,
    /// Their locks are the shards' locks.
    pub logs: Vec<Arc<ShardLog>>,
    pub host_id: Uuid,
    pub commitlog_dir: PathBuf,
    /// The engine is gone: the files are another's.
    pub is_closed: Arc<AtomicBool>,
    /// MiB a second; 0: no bound.
    pub throughput_mib_per_s: AtomicU64,
    /// When what was read so far is paid for, by the monotonic clock.
    paid_until: Mutex<Duration>,
    /// As many as operations may run at once.
    pub permits: Arc<Semaphore>,
    running: Mutex<Vec<Arc<Progress>>>,
    /// Something ended.
    pub ended: Notify,
    /// There may be something to do in the background.
    pub wake: Arc<Notify>,
    /// How many permits there are, as far as [`Context::set_concurrent`] is done.
    pub concurrent: Mutex<usize>,
    pub counts: Mutex<Counts>,
}

/// What operations did since the start.
#[derive(Default)]
pub(crate) struct Counts {
    completed: u64,
    bytes: u64,
    file_bytes: u64,
    pub aborted: u64,
    pub reduced: u64,
    pub dropped_sstables: u64,
    rate: Rate,
}

impl Context {
    pub(crate) fn new(runtime: &Runtime, options: &EngineOptions, logs: &[Arc<ShardLog>]) -> Context {
        Context {
            runtime: runtime.clone(),
            caches: Caches {
                blocks: Arc::new(BlockCache::new(options.file_cache_bytes)),
                keys: Arc::new(KeyCache::new(options.key_cache_bytes)),
            },
            logs: logs.to_vec(),
            host_id: options.host_id,
            commitlog_dir: options.commitlog_dir.clone(),
            is_closed: Arc::default(),
            throughput_mib_per_s: AtomicU64::new(options.compaction_throughput_mib_per_s),
            paid_until: Mutex::default(),
            permits: Arc::new(Semaphore::new(options.concurrent_compactors.max(1))),
            running: Mutex::default(),
            ended: Notify::new(),
            wake: Arc::default(),
            concurrent: Mutex::new(options.concurrent_compactors.max(1)),
            counts: Mutex::default(),
        }
    }

    /// An operation is done.
    pub(crate) fn completed(&self, bytes: u64, file_bytes: u64) {
        let now = self.runtime.clock().monotonic();
        let mut counts = self.counts.lock();
        counts.completed += 1;
        counts.bytes += bytes;
        counts.file_bytes += file_bytes;
        counts.rate.mark(now);
    }

    /// What was counted, without what runs and waits.
    pub(crate) fn counted(&self) -> CompactionStats {
        let now = self.runtime.clock().monotonic();
        let mut counts = self.counts.lock();
        CompactionStats {
            completed_tasks: counts.completed,
            bytes_compacted: counts.bytes,
            file_bytes_compacted: counts.file_bytes,
            aborted: counts.aborted,
            reduced: counts.reduced,
            dropped_sstables: counts.dropped_sstables,
            rate_15_minutes: counts.rate.per_second(now),
            ..CompactionStats::default()
        }
    }

    /// From now on so many operations may run at once. Fewer than now: the next that end leave no place behind.
    pub(crate) fn set_concurrent(&self, count: usize) {
        let count = count.clamp(1, Semaphore::MAX_PERMITS / 2);
        let mut concurrent = self.concurrent.lock();
        let before = std::mem::replace(&mut *concurrent, count);
        if count > before {
            self.permits.add_permits(count - before);
        } else {
            let left = before - count - self.permits.forget_permits(before - count);
            let (permits, left) = (self.permits.clone(), u32::try_from(left).unwrap_or(u32::MAX));
            self.runtime.spawn_on(0, move || async move {
                // It waits in turn: nothing new begins before so many have ended.
                if let Ok(surplus) = permits.acquire_many(left).await {
                    surplus.forget();
                }
            });
        }
        self.wake.notify_one();
    }

    /// Opens an SSTable that is to serve reads.
    pub(crate) fn open(&self, descriptor: &Descriptor) -> Result<Arc<SsTable>, sstable::ReadError> {
        SsTable::open_cached(self.runtime.disk(), descriptor, &self.caches)
    }

    /// Waits as long as reading so many bytes takes at most throughput, or until `progress` is stopped.
    pub(crate) async fn throttle(&self, bytes: u64, progress: &Progress) {
        let mib = self.throughput_mib_per_s.load(Ordering::Relaxed);
        if mib == 0 || bytes == 0 {
            return;
        }
        let now = self.runtime.clock().monotonic();
        let cost = Duration::from_secs_f64(bytes as f64 / (mib as f64 * 1_048_576.0));
        let until = {
            let mut paid_until = self.paid_until.lock();
            *paid_until = now.max(*paid_until) + cost;
            *paid_until
        };
        loop {
            let now = self.runtime.clock().monotonic();
            let is_unbound = self.throughput_mib_per_s.load(Ordering::Relaxed) == 0;
            if now >= until || progress.is_stopped() || is_unbound {
                return;
            }
            self.runtime.sleep((until - now).min(WAIT_MAX)).await;
        }
    }

    /// Room that running operations may still take.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.running.lock().iter().map(|progress| progress.room_bytes.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.running.lock().iter().map(|progress| progress.operation()).collect()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.lock().is_empty()
    }

    /// Stops those that are wanted; returns how many.
    pub(crate) fn stop(&self, is_wanted: impl Fn(&Progress) -> bool) -> usize {
        let running = self.running.lock();
        let wanted = running.iter().filter(|progress| is_wanted(progress));
        wanted.inspect(|progress| progress.is_stopped.store(true, Ordering::Relaxed)).count()
    }

    /// A new timeuuid.
    pub(crate) fn new_id(&self) -> Uuid {
        let us = u64::try_from(self.runtime.clock().wall_us()).unwrap_or(0);
        let random = self.runtime.random().next_u64();
        let nanos = (us % 1_000_000) as u32 * 1_000 + (random % 10) as u32 * 100;
        let timestamp =
            Timestamp::from_unix_time(us / 1_000_000, nanos, u128::from(random >> 32 & 0x3fff), 14);
        let bytes = random.to_be_bytes();
        Uuid::new_v1(timestamp, &[bytes[2] | 1, bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
    }
}

/// One operation as others see it.
pub(crate) struct Progress {
    pub id: Uuid,
    pub kind: OperationKind,
    /// Nobody asked for it.
    pub is_background: bool,
    keyspace: Arc<str>,
    table: Arc<str>,
    pub table_id: TableId,
    pub completed_bytes: AtomicU64,
    pub total_bytes: u64,
    /// Room that it may still take.
    pub room_bytes: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    fn operation(&self) -> Operation {
        Operation {
            id: self.id,
            kind: self.kind,
            keyspace: self.keyspace.to_string(),
            table: self.table.to_string(),
            table_id: self.table_id,
            completed_bytes: self.completed_bytes.load(Ordering::Relaxed).min(self.total_bytes),
            total_bytes: self.total_bytes,
        }
    }

    /// What is kept of it when it has ended.
    pub(crate) fn record(&self, summary: &Summary) -> CompactionRecord {
        CompactionRecord {
            id: self.id,
            kind: self.kind,
            keyspace: self.keyspace.clone(),
            table: self.table.clone(),
            bytes_in: summary.inputs_data_bytes,
            bytes_out: summary.outputs_data_bytes,
            merged_partitions: summary.merged_partitions.clone(),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// An operation among those that run; dropped at its end.
pub(crate) struct Running {
    context: Arc<Context>,
    pub progress: Arc<Progress>,
}

impl Running {
    pub(crate) fn begin(
        context: &Arc<Context>,
        (kind, is_background): (OperationKind, bool),
        state: &TableState,
        total_bytes: u64,
        room_bytes: u64,
    ) -> Running {
        let table = state.table.load();
        let progress = Arc::new(Progress {
            id: context.new_id(),
            kind,
            is_background,
            keyspace: table.keyspace.clone(),
            table: table.name.clone(),
            table_id: state.id,
            completed_bytes: AtomicU64::new(0),
            total_bytes,
            room_bytes: AtomicU64::new(room_bytes),
            is_stopped: AtomicBool::new(false),
        });
        context.running.lock().push(progress.clone());
        Running { context: context.clone(), progress }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.context.running.lock().retain(|progress| progress.id != self.progress.id);
        self.context.ended.notify_waiters();
        self.context.wake.notify_one();
    }
}

/// What compaction keeps of one table.
#[derive(Default)]
pub(crate) struct TableCompaction {
    /// Held for reading while an operation works on the table's files, step by step; for writing by whoever takes them
    /// all away. Only background threads wait for it.
    pub gate: RwLock<()>,
    busy: Mutex<BTreeSet<u64>>,
    /// SSTables that could not be read, or of which nobody knows whether they were replaced: left alone until the next
    /// start.
    pub suspects: Mutex<BTreeSet<u64>>,
    /// A claim ended.
    pub released: Notify,
    /// Operations that an operator asked for wait, or run: nothing new begins in the background.
    pub paused_count: AtomicUsize,
    /// Something changed since its strategy was asked last.
    pub is_dirty: AtomicBool,
    /// Milliseconds of the monotonic clock before which nothing begins in the background; and failures in a row.
    pub failures: Mutex<(u64, u32)>,
    /// When SSTables of this run were written.
    pub created_s: Mutex<BTreeMap<u64, i64>>,
    pub last_expired_check_s: AtomicI64,
    /// How many SSTables were flushed, and their bytes.
    pub flushed_count: AtomicU64,
    pub flushed_bytes: AtomicU64,
    /// How many compactions its strategy wanted when it was asked last.
    pub pending_count: AtomicUsize,
    /// How many of its SSTables overlapped then, and how many had been flushed.
    overlap: AtomicUsize,
    overlap_at_flush: AtomicU64,
    /// Held while the file `truncated` is changed.
    pub truncated_file: Mutex<()>,
}

impl TableCompaction {
    pub(crate) fn is_busy(&self, id: u64) -> bool {
        self.busy.lock().contains(&id)
    }

    /// True if it is left alone until the next start.
    pub(crate) fn is_suspect(&self, id: u64) -> bool {
        self.suspects.lock().contains(&id)
    }

    /// Takes note of how many SSTables overlap.
    pub(crate) fn note_overlap(&self, count: usize) {
        self.overlap.store(count, Ordering::Relaxed);
        self.overlap_at_flush.store(self.flushed_count.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many SSTables a read may have to ask, about: nobody counts them while all permits are taken.
    pub(crate) fn overlap(&self) -> usize {
        let flushed_count = self.flushed_count.load(Ordering::Relaxed);
        let since = flushed_count.saturating_sub(self.overlap_at_flush.load(Ordering::Relaxed));
        self.overlap.load(Ordering::Relaxed) + since as usize
    }

    /// Waits until nobody has any of these.
    pub(crate) async fn until_free(&self, ids: &[u64]) {
        loop {
            let released = self.released.notified();
            if !ids.iter().any(|id| self.is_busy(*id)) {
                return;
            }
            released.await;
        }
    }

    /// Takes note of a flushed SSTable.
    pub(crate) fn note_flushed(&self, sstable: &SsTable, now_s: i64) {
        self.flushed_count.fetch_add(1, Ordering::Relaxed);
        self.flushed_bytes.fetch_add(sstable.metadata().bytes_on_disk, Ordering::Relaxed);
        self.created_s.lock().insert(sstable.descriptor().id.as_u64(), now_s);
        self.is_dirty.store(true, Ordering::Relaxed);
    }
}

/// As long as it lives nothing begins in the background for the table.
pub(crate) struct Pause(Arc<TableState>);

impl Pause {
    pub(crate) fn begin(state: &Arc<TableState>) -> Pause {
        state.compaction.paused_count.fetch_add(1, Ordering::SeqCst);
        Pause(state.clone())
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.compaction.paused_count.fetch_sub(1, Ordering::SeqCst);
        self.0.compaction.is_dirty.store(true, Ordering::Relaxed);
    }
}

/// SSTables that one operation has for itself.
pub(crate) struct Claim {
    state: Arc<TableState>,
    ids: Vec<u64>,
}

impl Claim {
    /// All of these, or none if one is another's or suspect.
    pub(crate) fn take(state: &Arc<TableState>, sstables: &[Arc<SsTable>]) -> Option<Claim> {
        let ids: Vec<u64> = sstables.iter().map(|sstable| sstable.descriptor().id.as_u64()).collect();
        if ids.iter().any(|id| state.compaction.is_suspect(*id)) {
            return None;
        }
        let mut busy = state.compaction.busy.lock();
        if ids.iter().any(|id| busy.contains(id)) {
            return None;
        }
        busy.extend(&ids);
        drop(busy);
        Some(Claim { state: state.clone(), ids })
    }

    /// Nobody may have them until the next start.
    pub(crate) fn leave_alone(self) {
        self.state.compaction.suspects.lock().extend(&self.ids);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut busy = self.state.compaction.busy.lock();
        self.ids.iter().for_each(|id| {
            busy.remove(id);
        });
        drop(busy);
        self.state.compaction.is_dirty.store(true, Ordering::Relaxed);
        self.state.compaction.released.notify_waiters();
    }
}
