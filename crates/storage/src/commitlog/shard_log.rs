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
use super::supply::Supply;
use crate::options::SyncMode;
use crate::{EngineOptions, WriteError};

/// A chunk's memory is kept for the next unless it has grown beyond this.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// Failures that are remembered for those who ask late.
const GIVEN_UP_COUNT_MAX: usize = 64;

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
    /// Files for the next segments.
    pub supply: Supply,
    /// Where closed segments are kept.
    pub archive_dir: Option<PathBuf>,
    /// Is told when a segment is ready or the log failed.
    pub listener: OnceLock<Box<dyn LogListener>>,
    /// Why nothing can be written any more.
    pub failure: OnceLock<String>,
}

/// Who must know what happens to the log.
pub(crate) trait LogListener: Send + Sync {
    /// A segment is ready, or cannot be had: those who wait for one shall ask again.
    fn supply_changed(&self);

    /// A write or sync failed. True: what was not safe is given up, and the log goes on in a new segment.
    fn log_failed(&self, why: &str) -> bool;
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
            supply: Supply::new(runtime, &options.commitlog_dir, options.segment_bytes),
            archive_dir: options.commitlog_archive_dir.clone(),
            listener: OnceLock::new(),
            failure: OnceLock::new(),
        })
    }

    /// Sees to it that the next segment's file is ready when it is needed.
    pub(crate) fn prepare_soon(self: &Arc<Self>) {
        if !self.supply.wants_more() {
            return;
        }
        let shared = self.clone();
        // Its failure is kept, for those who need the file.
        drop(self.runtime.blocking(move || {
            if let Err(error) = shared.supply.prepare() {
                tracing::error!(
                    "no room for the commit log's next segment: {}: {error}",
                    shared.dir.display()
                );
            }
            shared.tell(|listener| listener.supply_changed());
        }));
    }

    fn tell(&self, what: impl FnOnce(&dyn LogListener)) {
        if let Some(listener) = self.listener.get() {
            what(&**listener);
        }
    }

    /// Keeps a closed segment, which is safe, in the archive.
    fn archive(&self, segment: &Segment) -> io::Result<()> {
        let Some(dir) = &self.archive_dir else { return Ok(()) };
        let Some(name) = segment.path.file_name() else { return Ok(()) };
        let disk = self.runtime.disk();
        let kept = dir.join(name);
        if !disk.exists(&kept)? {
            match disk.hard_link(&segment.path, &kept) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    disk.write_all_synced(&kept, &disk.read_all(&segment.path)?)?;
                }
                linked => linked?,
            }
        }
        disk.sync_dir(dir)?;
        segment.awaits_archive.store(false, Ordering::Release);
        Ok(())
    }

    /// [`LogShared::archive`] of what could not be archived before; what still cannot stays in the log.
    pub(crate) fn archive_or_keep(&self, segment: &Segment) {
        if !segment.awaits_archive.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.archive(segment) {
            tracing::error!(
                "{} cannot be archived and is kept in the commit log: {error}",
                segment.path.display()
            );
        }
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
    /// After a failure: what followed this place was given up, and no segment that says so is safe yet. The first
    /// that will has this id, or a later one.
    given_up: Option<(Position, i64)>,
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
    /// The file that becomes the segment with its first chunk.
    spare: Option<PathBuf>,
    /// The segment ends with it.
    closes: bool,
    /// The rest of the file is cut off: no other segment follows soon.
    trims: bool,
}

/// There is no file for the segment that is needed.
#[derive(Debug)]
pub(crate) struct NoSegment;

impl Chunk {
    fn new(segment: Arc<Segment>, offset: u32, bytes: Vec<u8>) -> Chunk {
        Chunk { segment, offset, bytes, spare: None, closes: false, trims: false }
    }
}

impl Appender {
    /// Appends a record of mutations whose body is ready; first the dictionaries that its segment lacks. Nothing is
    /// appended if that needs a new segment and there is none.
    pub(crate) fn append(
        &mut self,
        dictionaries: &[(u64, &Table)],
        body: &[u8],
        body_crc: u32,
    ) -> Result<Appended, NoSegment> {
        self.make_room(dictionaries, body.len())?;
        let before = self.position;
        for (number, table) in dictionaries {
            let active = self.active.as_mut().expect("a segment was opened");
            if active.dictionaries.insert(*number) {
                let body = encode_dictionary(*number, table);
                self.push_record(&body, crc32(&body), false);
            }
        }
        self.push_record(body, body_crc, false);
        self.shared.entries_count.fetch_add(1, Ordering::Relaxed);
        self.shared.entries_bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        let active = self.active.as_ref().expect("a segment was opened");
        Ok(Appended { segment: active.segment.clone(), before, after: self.position, end: self.end })
    }

    /// Sees to it that a record of so many bytes fits into the active segment, with the dictionaries that lack there.
    pub(crate) fn make_room(
        &mut self,
        dictionaries: &[(u64, &Table)],
        body_bytes: usize,
    ) -> Result<(), NoSegment> {
        let Some(active) = &self.active else { return self.open_next() };
        let mut bytes = body_bytes + RECORD_HEADER_BYTES;
        for (number, table) in dictionaries {
            if !active.dictionaries.contains(number) {
                bytes += encode_dictionary(*number, table).len() + RECORD_HEADER_BYTES;
            }
        }
        let closing_bytes = RECORD_HEADER_BYTES + 1;
        if active.offset as usize + bytes + closing_bytes <= self.shared.segment_bytes as usize {
            return Ok(());
        }
        self.open_next()
    }

    fn open_next(&mut self) -> Result<(), NoSegment> {
        let spare = self.shared.supply.take();
        self.shared.prepare_soon();
        let spare = spare.ok_or(NoSegment)?;
        self.close(false);
        self.open(spare);
        Ok(())
    }

    /// Ends the active segment, if there is one; with `trims` its file ends there, too.
    pub(crate) fn close(&mut self, trims: bool) {
        if let Some(active) = &self.active {
            active
                .segment
                .is_recyclable
                .store(!trims && self.shared.archive_dir.is_none(), Ordering::Release);
            let body = [RecordKind::Closed as u8];
            self.push_record(&body, crc32(&body), true);
            self.queue.back_mut().expect("a chunk was pushed").trims = trims;
            self.active = None;
        }
    }

    fn open(&mut self, spare: PathBuf) {
        let sequence = self.shared.next_sequence.fetch_add(1, Ordering::Relaxed);
        let segment = Segment::new(&self.shared.dir, segment_id(self.shard, sequence));
        let header = segment_header(segment.id, self.shared.host_id).to_vec();
        self.segments.push(segment.clone());
        self.grow(&segment, header.len());
        segment.awaits_archive.store(self.shared.archive_dir.is_some(), Ordering::Release);
        let chunk = Chunk { spare: Some(spare), ..Chunk::new(segment.clone(), 0, header) };
        self.queue.push_back(chunk);
        let offset = SEGMENT_HEADER_BYTES as u32;
        self.position = Position { segment_id: segment.id, offset };
        self.active = Some(Active { segment, offset, dictionaries: HashSet::new() });
        if let Some((place, _)) = self.given_up {
            // All segments from here on say so, until an earlier one that does is safe.
            let mut body = vec![RecordKind::GivenUp as u8];
            body.extend_from_slice(&place.segment_id.to_be_bytes());
            body.extend_from_slice(&place.offset.to_be_bytes());
            self.push_record(&body, crc32(&body), false);
        }
    }

    fn push_record(&mut self, body: &[u8], body_crc: u32, closes: bool) {
        let active = self.active.as_mut().expect("a segment is open");
        let at = Position { segment_id: active.segment.id, offset: active.offset };
        let bytes = RECORD_HEADER_BYTES + body.len();
        let extends_last = self.queue.back().is_some_and(|last| last.segment.id == active.segment.id);
        if !extends_last {
            let segment = active.segment.clone();
            let bytes = std::mem::take(&mut self.spare);
            self.queue.push_back(Chunk::new(segment, active.offset, bytes));
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

    /// Closed segments that could not be archived before.
    pub(crate) fn segments_to_archive(&self) -> Vec<Arc<Segment>> {
        let waits = |one: &&Arc<Segment>| {
            one.awaits_archive.load(Ordering::Acquire)
                && one.complete.load(Ordering::Acquire)
                && one.is_safe.load(Ordering::Acquire)
        };
        self.segments.iter().filter(waits).cloned().collect()
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
    /// Ended and written, but perhaps not safe yet.
    ended: Vec<Arc<Segment>>,
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
    /// What failures of the disk took.
    given_up: Mutex<Vec<GivenUp>>,
    has_given_up: AtomicBool,
}

/// Bytes of the log that a failure took.
struct GivenUp {
    after: u64,
    upto: u64,
    why: String,
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
            given_up: None,
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
            given_up: Mutex::default(),
            has_given_up: AtomicBool::new(false),
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
        if self.has_given_up.load(Ordering::Acquire)
            && let Some(lost) = self.given_up.lock().iter().find(|lost| lost.after < end && end <= lost.upto)
        {
            return Some(Err(WriteError::Unsynced(lost.why.clone())));
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
        let (files, has_new_names, end, position, ended) = {
            let mut files = self.files.lock();
            let ended = std::mem::take(&mut files.ended);
            let names = std::mem::take(&mut files.has_new_names);
            let mut unsynced: Vec<_> = files.unsynced.drain(..).collect();
            unsynced.extend(files.open.iter().map(|(_, file)| file.clone()));
            (unsynced, names, files.written, files.written_position, ended)
        };
        if self.synced.load(Ordering::Acquire) < end {
            let synced = files.iter().try_for_each(|file| file.sync_data());
            let named =
                if has_new_names { self.shared.runtime.disk().sync_dir(&self.shared.dir) } else { Ok(()) };
            if let Err(error) = synced.and(named) {
                self.files.lock().open = None;
                return Err(self.fail(&error));
            }
            self.shared.syncs_count.fetch_add(1, Ordering::Relaxed);
            self.synced.fetch_max(end, Ordering::AcqRel);
            if let Some(position) = position {
                let mut appender = self.appender.lock();
                appender.synced = appender.synced.max(position);
                appender.given_up.take_if(|(_, first_after)| *first_after <= position.segment_id);
            }
        }
        for segment in ended {
            segment.is_safe.store(true, Ordering::Release);
            self.shared.archive_or_keep(&segment);
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
            spare = match files.write_chunk(&self.shared, chunk) {
                Ok(memory) => memory,
                Err(error) => {
                    files.open = None;
                    return Err(self.fail(&error));
                }
            };
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

    /// After a failed write or sync nobody knows what the disk holds: what was not safe before is given up. The policy
    /// says whether the log takes anything any more.
    fn fail(&self, error: &io::Error) -> WriteError {
        let failure = format!("{}: {error}", self.shared.dir.display());
        tracing::error!("the commit log failed: {failure}");
        if self.shared.listener.get().is_some_and(|listener| listener.log_failed(&failure)) {
            self.give_up(&failure);
            return WriteError::Unsynced(failure);
        }
        WriteError::Unsynced(self.shared.failure.get_or_init(|| failure).clone())
    }

    /// Those who wait are told that their writes are not safe; the next write opens a new segment.
    fn give_up(&self, failure: &str) {
        let mut appender = self.appender.lock();
        let safe = self.synced.load(Ordering::Acquire);
        let mut given_up = self.given_up.lock();
        given_up.push(GivenUp { after: safe, upto: appender.end, why: failure.to_owned() });
        if given_up.len() > GIVEN_UP_COUNT_MAX {
            // Long ago: nobody waits for it any more.
            given_up.remove(0);
        }
        self.has_given_up.store(true, Ordering::Release);
        appender.queue.clear();
        let place = appender.synced;
        let place = appender.given_up.map_or(place, |(older, _)| older.min(place));
        let next = self.shared.next_sequence.load(Ordering::Relaxed);
        appender.given_up = Some((place, segment_id(self.shard, next)));
        appender.active = None;
        for segment in &appender.segments {
            // Nothing will be appended to what there is.
            segment.complete.store(true, Ordering::Release);
        }
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
            let disk = shared.runtime.disk();
            if let Some(spare) = &chunk.spare {
                disk.rename(spare, &chunk.segment.path)?;
            }
            let file = disk.open(&chunk.segment.path, OpenMode::ReadWrite)?;
            self.has_new_names = true;
            self.open = Some((chunk.segment.id, file));
        }
        let (_, file) = self.open.as_ref().expect("a file was opened");
        file.write_all_at(&chunk.bytes, u64::from(chunk.offset))?;
        if chunk.trims {
            file.set_bytes(u64::from(chunk.offset) + chunk.bytes.len() as u64)?;
        }
        if chunk.closes {
            self.ended.push(chunk.segment.clone());
            chunk.segment.complete.store(true, Ordering::Release);
        }
        Ok(chunk.bytes)
    }
}
