//! One shard's log: the queue that appends go to, and the passes that write and sync it.
//!
//! Locks are taken in this order: `syncing` (one sync at a time), [`Waiting`] (who waits), [`Files`], the shard's own
//! ([`Appender`]; the engine changes memtables under it, too). No I/O happens under the second and the last.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use model::Table;
use parking_lot::{Mutex, MutexGuard};
use runtime::{DiskFile, OpenMode, Runtime};
use stdx::crc::crc32;
use uuid::Uuid;

use super::dictionary::encode_dictionary;
use super::record::{RECORD_HEADER_BYTES, RecordKind, SEGMENT_HEADER_BYTES, segment_header, write_record};
use super::segment::{Position, Segment, segment_id};
use crate::options::SyncMode;
use crate::{EngineOptions, WriteError};

/// A chunk's memory is kept for the next unless it has grown beyond this.
const SPARE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
thread_local! {
    /// A planted bug: acknowledges at once. The simulation is one thread.
    pub(crate) static ACK_BEFORE_SYNC: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// What all logs of a node share.
pub(crate) struct LogShared {
    pub runtime: Runtime,
    pub dir: PathBuf,
    pub host_id: Uuid,
    pub segment_bytes: u32,
    pub sync: SyncMode,
    /// The next segment's sequence number.
    pub next_sequence: AtomicU64,
    /// Bytes of all segments that exist.
    pub total_bytes: AtomicU64,
    pub syncs_count: AtomicU64,
    pub entries_count: AtomicU64,
    pub entries_bytes: AtomicU64,
    /// Why nothing can be written any more.
    pub failure: OnceLock<String>,
}

impl LogShared {
    pub(crate) fn new(runtime: &Runtime, options: &EngineOptions) -> Arc<LogShared> {
        Arc::new(LogShared {
            runtime: runtime.clone(),
            dir: options.commitlog_dir.clone(),
            host_id: options.host_id,
            segment_bytes: options.segment_bytes,
            sync: options.commit_log_sync,
            next_sequence: AtomicU64::new(1),
            total_bytes: AtomicU64::new(0),
            syncs_count: AtomicU64::new(0),
            entries_count: AtomicU64::new(0),
            entries_bytes: AtomicU64::new(0),
            failure: OnceLock::new(),
        })
    }
}

/// The state under the shard's lock: where the log stands, and what is not yet in a file.
pub(crate) struct Appender {
    shared: Arc<LogShared>,
    shard: usize,
    active: Option<Active>,
    /// Bytes to be written, oldest first.
    queue: VecDeque<Chunk>,
    /// The memory of a chunk that was written, for the next one.
    spare: Vec<u8>,
    /// Bytes appended since the start.
    end: u64,
    /// Place after the last record.
    position: Position,
    /// Up to here the log is safe.
    synced: Position,
    /// Segments that exist and are not yet deleted, the active one included.
    segments: Vec<Arc<Segment>>,
}

/// Where a record went.
pub(crate) struct Appended {
    pub segment: Arc<Segment>,
    pub before: Position,
    pub after: Position,
    /// Byte of the log up to which it must be synced for this record.
    pub end: u64,
}

struct Active {
    segment: Arc<Segment>,
    offset: u32,
    /// Numbers of the dictionaries that it holds.
    dictionaries: HashSet<u64>,
}

struct Chunk {
    segment: Arc<Segment>,
    offset: u32,
    bytes: Vec<u8>,
    /// The segment ends with it.
    closes: bool,
}

impl Appender {
    /// Appends a record of mutations whose body is ready; first the dictionaries that its segment lacks.
    pub(crate) fn append(&mut self, dictionaries: &[(u64, &Table)], body: &[u8], body_crc: u32) -> Appended {
        let mut needed = Vec::new();
        for (number, table) in dictionaries {
            if !self.active.as_ref().is_some_and(|active| active.dictionaries.contains(number)) {
                needed.push((*number, encode_dictionary(*number, table)));
            }
        }
        let bytes: usize = needed.iter().map(|(_, body)| body.len() + RECORD_HEADER_BYTES).sum::<usize>()
            + body.len()
            + RECORD_HEADER_BYTES;
        let closing_bytes = RECORD_HEADER_BYTES + 1;
        let fits = self.active.as_ref().is_some_and(|active| {
            active.offset as usize + bytes + closing_bytes <= self.shared.segment_bytes as usize
        });
        if !fits {
            self.close();
            self.open();
            needed.clear();
            for (number, table) in dictionaries {
                if !needed.iter().any(|(known, _)| known == number) {
                    needed.push((*number, encode_dictionary(*number, table)));
                }
            }
        }
        let before = self.position;
        for (number, body) in needed {
            let active = self.active.as_mut().expect("a segment was opened");
            if active.dictionaries.insert(number) {
                self.push_record(&body, crc32(&body), false);
            }
        }
        self.push_record(body, body_crc, false);
        self.shared.entries_count.fetch_add(1, Ordering::Relaxed);
        self.shared.entries_bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        let active = self.active.as_ref().expect("a segment was opened");
        Appended { segment: active.segment.clone(), before, after: self.position, end: self.end }
    }

    /// Ends the active segment, if there is one.
    pub(crate) fn close(&mut self) {
        if self.active.is_some() {
            let body = [RecordKind::Closed as u8];
            self.push_record(&body, crc32(&body), true);
            self.active = None;
        }
    }

    fn open(&mut self) {
        let sequence = self.shared.next_sequence.fetch_add(1, Ordering::Relaxed);
        let segment = Segment::new(&self.shared.dir, segment_id(self.shard, sequence));
        let header = segment_header(segment.id, self.shared.host_id).to_vec();
        self.segments.push(segment.clone());
        self.grow(&segment, header.len());
        self.queue.push_back(Chunk { segment: segment.clone(), offset: 0, bytes: header, closes: false });
        let offset = SEGMENT_HEADER_BYTES as u32;
        self.position = Position { segment_id: segment.id, offset };
        self.active = Some(Active { segment, offset, dictionaries: HashSet::new() });
    }

    fn push_record(&mut self, body: &[u8], body_crc: u32, closes: bool) {
        let active = self.active.as_mut().expect("a segment is open");
        let at = Position { segment_id: active.segment.id, offset: active.offset };
        let bytes = RECORD_HEADER_BYTES + body.len();
        let extends_last = self.queue.back().is_some_and(|last| last.segment.id == active.segment.id);
        if !extends_last {
            let segment = active.segment.clone();
            let bytes = std::mem::take(&mut self.spare);
            self.queue.push_back(Chunk { segment, offset: active.offset, bytes, closes: false });
        }
        let last = self.queue.back_mut().expect("a chunk was pushed");
        write_record(&mut last.bytes, at, self.synced, body, body_crc);
        last.closes = closes;
        active.offset += bytes as u32;
        self.position = Position { offset: active.offset, ..at };
        let segment = active.segment.clone();
        self.grow(&segment, bytes);
    }

    fn grow(&mut self, segment: &Segment, bytes: usize) {
        self.end += bytes as u64;
        segment.bytes.fetch_add(bytes as u32, Ordering::Relaxed);
        self.shared.total_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A place after all that was appended and before all that will be.
    pub(crate) fn position(&self) -> Position {
        let next = self.shared.next_sequence.load(Ordering::Relaxed);
        let fresh = Position { segment_id: segment_id(self.shard, next), offset: 0 };
        if self.active.is_some() { self.position } else { fresh }
    }

    /// Takes over segments of an earlier run, complete ones.
    pub(crate) fn adopt(&mut self, segment: Arc<Segment>) {
        let bytes = u64::from(segment.bytes.load(Ordering::Relaxed));
        self.shared.total_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.segments.insert(0, segment);
    }

    /// Takes the segments that nobody needs any more off the list: the caller deletes their files.
    pub(crate) fn take_clean_segments(&mut self) -> Vec<Arc<Segment>> {
        let (clean, kept) = std::mem::take(&mut self.segments).into_iter().partition(|one| one.is_clean());
        self.segments = kept;
        for segment in &clean {
            let segment: &Arc<Segment> = segment;
            let bytes = u64::from(segment.bytes.load(Ordering::Relaxed));
            self.shared.total_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        clean
    }
}

/// What the files' lock protects: the file that is being written, and what has not been synced.
#[derive(Default)]
struct Files {
    open: Option<(i64, Arc<dyn DiskFile>)>,
    unsynced: Vec<Arc<dyn DiskFile>>,
    has_new_names: bool,
    /// Byte of the log up to which it is in the files, and the place.
    written: u64,
    written_position: Option<Position>,
}

#[derive(Default)]
struct Waiting {
    /// A pass runs or is about to.
    syncing: bool,
    /// The running pass makes everything up to here safe.
    taken: u64,
    /// Those whom the running pass serves.
    current: Vec<Waker>,
    /// Those who came too late for it.
    next: Vec<Waker>,
}

/// One shard's log.
pub(crate) struct ShardLog {
    pub shared: Arc<LogShared>,
    shard: usize,
    appender: Arc<Mutex<Appender>>,
    files: Mutex<Files>,
    waiting: Mutex<Waiting>,
    syncing: Mutex<()>,
    /// Bytes of the log that are safe.
    synced: AtomicU64,
    /// Bytes of the log that are in the files.
    written: AtomicU64,
    /// Periodic mode: the last sync is too old, writers wait.
    late: AtomicBool,
}

impl ShardLog {
    pub(crate) fn new(shared: &Arc<LogShared>, shard: usize) -> Arc<ShardLog> {
        let appender = Appender {
            shared: shared.clone(),
            shard,
            active: None,
            queue: VecDeque::new(),
            spare: Vec::new(),
            end: 0,
            position: Position::NONE,
            synced: Position::NONE,
            segments: Vec::new(),
        };
        Arc::new(ShardLog {
            shared: shared.clone(),
            shard,
            appender: Arc::new(Mutex::new(appender)),
            files: Mutex::default(),
            waiting: Mutex::default(),
            syncing: Mutex::default(),
            synced: AtomicU64::new(0),
            written: AtomicU64::new(0),
            late: AtomicBool::new(false),
        })
    }

    /// The shard's lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Appender> {
        self.appender.lock()
    }

    fn is_periodic(&self) -> bool {
        matches!(self.shared.sync, SyncMode::Periodic { .. })
    }

    /// Whether a write up to `end` may be acknowledged now; `None`: not yet.
    pub(crate) fn acknowledges(&self, end: u64) -> Option<Result<(), WriteError>> {
        #[cfg(test)]
        if ACK_BEFORE_SYNC.get() {
            return Some(Ok(()));
        }
        if self.synced.load(Ordering::Acquire) >= end {
            return Some(Ok(()));
        }
        if let Some(failure) = self.shared.failure.get() {
            return Some(Err(WriteError::Unsynced(failure.clone())));
        }
        let written = self.is_periodic() && self.written.load(Ordering::Acquire) >= end;
        (written && !self.late.load(Ordering::Relaxed)).then_some(Ok(()))
    }

    pub(crate) fn poll_synced(self: &Arc<Self>, end: u64, waker: &Waker) -> Poll<Result<(), WriteError>> {
        if let Some(answer) = self.acknowledges(end) {
            return Poll::Ready(answer);
        }
        let mut waiting = self.waiting.lock();
        if let Some(answer) = self.acknowledges(end) {
            return Poll::Ready(answer);
        }
        let served_by_current = waiting.syncing && end <= waiting.taken;
        let list = if served_by_current { &mut waiting.current } else { &mut waiting.next };
        // One task that waits for many writes is woken once.
        if !list.last().is_some_and(|last| last.will_wake(waker)) {
            list.push(waker.clone());
        }
        self.start(waiting);
        Poll::Pending
    }

    /// Sees to it that a pass covers `end`, without anybody waiting.
    pub(crate) fn sync_soon(self: &Arc<Self>, end: u64) {
        if self.is_periodic() || self.synced.load(Ordering::Acquire) >= end {
            return;
        }
        let mut waiting = self.waiting.lock();
        let comes_too_late = waiting.syncing && end > waiting.taken;
        if comes_too_late && waiting.next.is_empty() {
            waiting.next.push(Waker::noop().clone());
        }
        self.start(waiting);
    }

    fn start(self: &Arc<Self>, mut waiting: MutexGuard<'_, Waiting>) {
        if waiting.syncing {
            return;
        }
        waiting.syncing = true;
        waiting.taken = 0;
        drop(waiting);
        self.schedule_pass();
    }

    fn schedule_pass(self: &Arc<Self>) {
        let log = self.clone();
        if self.shared.sync == SyncMode::Batch {
            // Started at once; its result is told to those who wait.
            drop(self.shared.runtime.blocking(move || while wake(log.pass()) {}));
            return;
        }
        self.shared.runtime.spawn_on(self.shard, move || log.run_passes());
    }

    /// Passes for as long as somebody waits. On the shard's thread, behind whatever it has ready: all that it still
    /// takes in this turn shares the sync, and waking its own tasks costs no system call.
    async fn run_passes(self: Arc<Self>) {
        let runtime = self.shared.runtime.clone();
        let window = match self.shared.sync {
            SyncMode::Group { window } => window,
            SyncMode::Batch | SyncMode::Periodic { .. } => Duration::ZERO,
        };
        loop {
            if !window.is_zero() {
                runtime.sleep(window).await;
            }
            let worker = self.clone();
            if !wake(runtime.blocking(move || worker.pass()).await) {
                return;
            }
            // Those who were woken take their turn first.
            runtime.yield_now().await;
        }
    }

    /// Writes and syncs what there is.
    fn pass(&self) -> Passed {
        {
            let mut waiting = self.waiting.lock();
            let waiting = &mut *waiting;
            waiting.taken = self.appender.lock().end;
            waiting.current.append(&mut waiting.next);
        }
        // A failure is kept in `shared.failure`, where those who are woken find it.
        let _told_below = self.write_and_sync();
        let mut waiting = self.waiting.lock();
        waiting.syncing = !waiting.next.is_empty();
        Passed { served: std::mem::take(&mut waiting.current), goes_on: waiting.syncing }
    }

    /// Makes all that was appended before this call safe. Blocks.
    pub(crate) fn write_and_sync(&self) -> Result<(), WriteError> {
        let _one_at_a_time = self.syncing.lock();
        self.write()?;
        let (files, has_new_names, end, position) = {
            let mut files = self.files.lock();
            let names = std::mem::take(&mut files.has_new_names);
            let mut unsynced: Vec<_> = files.unsynced.drain(..).collect();
            unsynced.extend(files.open.iter().map(|(_, file)| file.clone()));
            (unsynced, names, files.written, files.written_position)
        };
        if self.synced.load(Ordering::Acquire) < end {
            let synced = files.iter().try_for_each(|file| file.sync_data());
            let named =
                if has_new_names { self.shared.runtime.disk().sync_dir(&self.shared.dir) } else { Ok(()) };
            synced.and(named).map_err(|error| self.fail(&error))?;
            self.shared.syncs_count.fetch_add(1, Ordering::Relaxed);
            self.synced.fetch_max(end, Ordering::AcqRel);
            if let Some(position) = position {
                let mut appender = self.appender.lock();
                appender.synced = appender.synced.max(position);
            }
        }
        self.late.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Brings the queue into the files, unsynced: safe from the death of the process. Blocks, shortly.
    pub(crate) fn write(&self) -> Result<(), WriteError> {
        let mut files = self.files.lock();
        if let Some(failure) = self.shared.failure.get() {
            return Err(WriteError::Unsynced(failure.clone()));
        }
        let (queue, end, position) = {
            let mut appender = self.appender.lock();
            (std::mem::take(&mut appender.queue), appender.end, appender.position)
        };
        let mut spare = Vec::new();
        for chunk in queue {
            spare = files.write_chunk(&self.shared, chunk).map_err(|error| self.fail(&error))?;
        }
        if spare.capacity() <= SPARE_BYTES_MAX {
            spare.clear();
            self.appender.lock().spare = spare;
        }
        files.written = end;
        files.written_position = Some(position);
        self.written.store(end, Ordering::Release);
        Ok(())
    }

    /// After a failed write or sync nobody knows what the disk holds: the log takes nothing any more.
    fn fail(&self, error: &io::Error) -> WriteError {
        let failure = format!("{}: {error}", self.shared.dir.display());
        tracing::error!("the commit log failed: {failure}");
        WriteError::Unsynced(self.shared.failure.get_or_init(|| failure).clone())
    }

    /// Periodic mode: syncs every period for as long as the engine lives.
    pub(crate) fn start_periodic_syncs(self: &Arc<Self>) {
        let SyncMode::Periodic { period } = self.shared.sync else { return };
        let runtime = self.shared.runtime.clone();
        let weak = Arc::downgrade(self);
        self.shared.runtime.spawn_on(self.shard, move || async move {
            loop {
                runtime.sleep(period).await;
                let Some(log) = weak.upgrade() else { return };
                let worker = log.clone();
                let mut sync = std::pin::pin!(runtime.blocking(move || worker.write_and_sync()));
                // Who writes while a sync takes longer than half a period waits for it.
                let in_time = runtime.timeout(period / 2, sync.as_mut()).await;
                let result = match in_time {
                    Ok(result) => result,
                    Err(_) => {
                        log.late.store(true, Ordering::Relaxed);
                        let result = sync.await;
                        log.late.store(false, Ordering::Relaxed);
                        result
                    }
                };
                if result.is_err() {
                    return;
                }
            }
        });
    }
}

/// What a pass leaves to be done.
#[must_use = "they wait"]
struct Passed {
    /// Those whom it has served.
    served: Vec<Waker>,
    /// Somebody waits for another pass.
    goes_on: bool,
}

/// Wakes those who were served; true if another pass is wanted.
fn wake(passed: Passed) -> bool {
    passed.served.into_iter().for_each(Waker::wake);
    passed.goes_on
}

impl Files {
    /// Gives back the chunk's memory.
    fn write_chunk(&mut self, shared: &LogShared, chunk: Chunk) -> io::Result<Vec<u8>> {
        if self.open.as_ref().is_none_or(|(id, _)| *id != chunk.segment.id) {
            self.unsynced.extend(self.open.take().map(|(_, file)| file));
            let file = shared.runtime.disk().open(&chunk.segment.path, OpenMode::CreateNew)?;
            self.has_new_names = true;
            self.open = Some((chunk.segment.id, file));
        }
        let (_, file) = self.open.as_ref().expect("a file was opened");
        file.write_all_at(&chunk.bytes, u64::from(chunk.offset))?;
        if chunk.closes {
            chunk.segment.complete.store(true, Ordering::Release);
        }
        Ok(chunk.bytes)
    }
}
