//! Flush: from memtables to SSTables.
//!
//! Under the shard's lock a fresh memtable takes the place of the full one, which stays visible beside it. Then,
//! without the lock, it is written as an SSTable and synced. Then, under the lock again, the SSTable takes its place,
//! and the log is let go. A crash in between leaves the log, and files that the next start removes ([`Begun`]).

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::partition::SourceError;
use model::{Column, ColumnId, Slices, Table};
use sstable::{Descriptor, SsTable, WriteOptions, Writer};

use super::damage::is_no_space;
use super::open::make_dir_synced;
use super::read::known_columns;
use super::{Core, FlushTarget};
use crate::OpenError;
use crate::compaction::transaction::{Begun, delete_sstable};
use crate::memtable::Memtable;
use crate::table::TableState;

/// Partitions that are taken from a memtable at once.
const CHUNK_COUNT: usize = 64;
/// How often tables are looked for whose time has come.
const PERIOD_CHECK: Duration = Duration::from_millis(250);
/// After a failed flush the next is not tried before so many milliseconds.
const RETRY_MS: u64 = 1_000;

#[cfg(test)]
thread_local! {
    /// A planted bug: the log is let go before the SSTable is safe. The simulation is one thread.
    pub(crate) static DISCARD_LOG_EARLY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Core {
    /// Starts flushes in the background if memtables or log take more than they should: as many at once as may run.
    pub(super) fn schedule_flush_if_needed(self: &Arc<Self>) {
        if !self.needs_flush() || self.now_ms() < self.flush_not_before_ms.load(Ordering::Relaxed) {
            return;
        }
        let is_free = |running: usize| (running < self.options.flush_writers.max(1)).then_some(running + 1);
        if self.flushers_count.fetch_update(Ordering::AcqRel, Ordering::Acquire, is_free).is_err() {
            return;
        }
        let core = self.clone();
        // It tells of failures by itself; nobody waits for it.
        drop(self.runtime.flushing(move || {
            core.flush_what_is_too_much();
            core.flushers_count.fetch_sub(1, Ordering::AcqRel);
        }));
    }

    fn needs_flush(&self) -> bool {
        self.has_much_memory()
            || self.log.total_bytes.load(Ordering::Relaxed) > self.options.commitlog_bytes_total
    }

    /// Memtables that take writes have grown so large that flushing them now keeps all below the limit.
    fn has_much_memory(&self) -> bool {
        let all = self.memtable_bytes.load(Ordering::Relaxed);
        let active = all.saturating_sub(self.flushing_bytes.load(Ordering::Relaxed));
        let total = self.options.memtable_bytes_total;
        active as f64 > total as f64 * self.options.memtable_cleanup_threshold
    }

    /// Memtables or log are so full that writes may soon have to wait for flushes: nothing may be in their way.
    pub(super) fn flushes_lag(&self) -> bool {
        let memtables = self.memtable_bytes.load(Ordering::Relaxed);
        let log = self.log.total_bytes.load(Ordering::Relaxed);
        let (memtables_max, log_max) =
            (self.options.memtable_bytes_total, self.options.commitlog_bytes_total);
        memtables > memtables_max / 4 * 3 || log > log_max.saturating_add(log_max / 4)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.runtime.clock().monotonic().as_millis() as u64
    }

    fn flush_what_is_too_much(self: &Arc<Self>) {
        while self.needs_flush() {
            let by_memory = self.has_much_memory();
            let chosen = if by_memory { self.largest_slot() } else { self.slot_of_oldest_segment() };
            let Some((table, slot)) = chosen else { break };
            let flushed = self.flush_slot(&table, slot);
            table.slots[slot].is_chosen.store(false, Ordering::Release);
            if let Err(error) = flushed {
                self.flush_failed(&table, &error);
                return;
            }
        }
    }

    /// Memtable and log are kept, and the flush is tried again.
    fn flush_failed(self: &Arc<Self>, table: &TableState, error: &OpenError) {
        let what =
            format!("memtable of {} could not be flushed, its log is kept: {error}", table.dir.display());
        tracing::error!("{what}");
        self.failures_count.fetch_add(1, Ordering::Relaxed);
        *self.flush_failure.lock() = Some((error.to_string(), is_no_space(error)));
        self.damage.write_failed(error, &what);
        self.flush_not_before_ms.store(self.now_ms() + RETRY_MS, Ordering::Relaxed);
        self.let_in();
        let weak = Arc::downgrade(self);
        let runtime = self.runtime.clone();
        self.runtime.spawn_on(0, move || async move {
            runtime.sleep(Duration::from_millis(RETRY_MS)).await;
            if let Some(core) = weak.upgrade() {
                core.schedule_flush_if_needed();
            }
        });
    }

    /// The slot with the most memory that no flush of this kind is at.
    pub(super) fn largest_slot(&self) -> Option<(Arc<TableState>, usize)> {
        self.choose_slot(|memtables| {
            Some(memtables.map(Memtable::heap_bytes).sum::<usize>()).filter(|sum| *sum > 0)
        })
    }

    fn slot_of_oldest_segment(&self) -> Option<(Arc<TableState>, usize)> {
        use crate::commitlog::segment::sequence_of_segment;
        self.choose_slot(|memtables| {
            let oldest = memtables.filter_map(Memtable::oldest_segment).map(sequence_of_segment).min();
            oldest.map(std::cmp::Reverse)
        })
    }

    /// Flushes tables whose `memtable_flush_period_in_ms` has passed, for as long as the engine lives.
    pub(super) fn start_periodic_flushes(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        let runtime = self.runtime.clone();
        self.runtime.spawn_on(0, move || async move {
            loop {
                runtime.sleep(PERIOD_CHECK).await;
                let Some(core) = weak.upgrade() else { return };
                let due = core.slots_due();
                if due.is_empty() || core.is_stopping.load(Ordering::Relaxed) {
                    continue;
                }
                let worker = core.clone();
                drop(core);
                runtime
                    .flushing(move || {
                        for (table, slot) in due {
                            if let Err(error) = worker.flush_slot(&table, slot) {
                                worker.flush_failed(&table, &error);
                            }
                        }
                    })
                    .await;
            }
        });
    }

    fn slots_due(&self) -> Vec<(Arc<TableState>, usize)> {
        let now_ms = self.now_ms();
        let mut due = Vec::new();
        for table in self.tables.load().values() {
            let period_ms =
                u64::try_from(table.table.load().options.memtable_flush_period_in_ms).unwrap_or(0);
            if period_ms == 0 {
                continue;
            }
            for (slot, one) in table.slots.iter().enumerate() {
                let since_ms = one.view.load().active.since_ms.load(Ordering::Relaxed);
                if since_ms > 0 && since_ms + period_ms <= now_ms {
                    due.push((table.clone(), slot));
                }
            }
        }
        due
    }

    fn choose_slot<R: Ord>(
        &self,
        rank: impl Fn(&mut dyn Iterator<Item = &Memtable>) -> Option<R>,
    ) -> Option<(Arc<TableState>, usize)> {
        let tables = self.tables.load();
        let slots = tables.values().flat_map(|table| (0..table.slots.len()).map(move |slot| (table, slot)));
        let is_free =
            |(table, slot): &(&Arc<TableState>, usize)| !table.slots[*slot].is_chosen.load(Ordering::Acquire);
        let ranked = slots.filter(is_free).filter_map(|(table, slot)| {
            let view = table.slots[slot].view.load();
            let rank = rank(&mut view.memtables().map(|memtable| &**memtable))?;
            Some((rank, table, slot))
        });
        let (_, table, slot) = ranked.max_by(|a, b| a.0.cmp(&b.0))?;
        // Another flush may have chosen it meanwhile: then it has one that waits for it, no more.
        table.slots[slot].is_chosen.store(true, Ordering::Release);
        Some((table.clone(), slot))
    }

    pub(super) fn flush(&self, target: &FlushTarget) -> Result<(), OpenError> {
        let tables = self.tables.load_full();
        let is_wanted = |table: &TableState| match target {
            FlushTarget::All => true,
            FlushTarget::Tables(ids) => ids.contains(&table.id),
        };
        for table in tables.values().filter(|table| is_wanted(table)) {
            for slot in 0..table.slots.len() {
                self.flush_slot(table, slot)?;
            }
        }
        Ok(())
    }

    /// Flushes all memtables of one table on one shard. Blocks.
    pub(super) fn flush_slot(&self, table: &Arc<TableState>, slot: usize) -> Result<(), OpenError> {
        let _one_at_a_time = table.slots[slot].flush.lock();
        self.flush_locked(table, slot)
    }

    /// As [`Core::flush_slot`], for who holds the slot's `flush` lock.
    pub(super) fn flush_locked(&self, table: &Arc<TableState>, slot: usize) -> Result<(), OpenError> {
        {
            let _shard = self.logs[slot].lock();
            if !table.slots[slot].view.load().active.is_empty() {
                table.change_view(slot, |view| {
                    let full = std::mem::take(&mut view.active);
                    view.flushing.push(full);
                });
            }
        }
        let waiting = table.slots[slot].view.load().flushing.clone();
        waiting.iter().for_each(|memtable| self.note_flushing(memtable, true));
        for (index, memtable) in waiting.iter().enumerate() {
            #[cfg(test)]
            if DISCARD_LOG_EARLY.get() {
                memtable.release_log();
                self.delete_clean_segments(slot);
            }
            let sstable = match self.write_sstable(table, memtable) {
                Ok(sstable) => sstable,
                Err(error) => {
                    waiting[index..].iter().for_each(|memtable| self.note_flushing(memtable, false));
                    return Err(error);
                }
            };
            self.publish(table, slot, memtable, sstable);
            self.flush_failure.lock().take();
        }
        self.delete_clean_segments(slot);
        Ok(())
    }

    /// Puts the SSTable into the memtable's place.
    fn publish(
        &self,
        table: &Arc<TableState>,
        slot: usize,
        memtable: &Arc<Memtable>,
        sstable: Option<Arc<SsTable>>,
    ) {
        let flushed = sstable.clone();
        let shard = self.logs[slot].lock();
        if table.is_dropped.load(Ordering::Relaxed) {
            // Whoever dropped it lets go of its memtables and removes its files.
            return;
        }
        table.change_view(slot, |view| {
            view.flushing.retain(|flushed| !Arc::ptr_eq(flushed, memtable));
            view.sstables.extend(sstable);
        });
        drop(shard);
        if let Some(flushed) = &flushed {
            table.compaction.note_flushed(flushed, self.runtime.clock().wall_s());
            self.compactions.wake.notify_one();
        }
        self.discard_memtable(memtable);
        table.metrics.memtable_switches.fetch_add(1, Ordering::Relaxed);
        self.flushes_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of the log and the memory of a memtable that no view holds any more.
    pub(super) fn discard_memtable(&self, memtable: &Memtable) {
        memtable.release_log();
        self.memtable_bytes.fetch_sub(memtable.heap_bytes(), Ordering::Relaxed);
        self.note_flushing(memtable, false);
        self.let_in();
    }

    /// Whether a memtable, which takes no writes any more, is on its way to the disk.
    fn note_flushing(&self, memtable: &Memtable, is_flushing: bool) {
        if memtable.is_flushing.swap(is_flushing, Ordering::AcqRel) == is_flushing {
            return;
        }
        let bytes = memtable.heap_bytes();
        if is_flushing {
            self.flushing_bytes.fetch_add(bytes, Ordering::Relaxed);
        } else {
            self.flushing_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn delete_clean_segments(&self, shard: usize) {
        for segment in self.logs[shard].lock().segments_to_archive() {
            self.log.archive_or_keep(&segment);
        }
        let clean = self.logs[shard].lock().take_clean_segments();
        let has_clean = !clean.is_empty();
        for segment in clean {
            if let Err(error) = self.log.supply.recycle(&segment) {
                tracing::warn!(
                    "{} is no longer needed but cannot be removed: {error}",
                    segment.path.display()
                );
            }
        }
        if has_clean {
            self.let_in();
        }
    }

    /// Writes a memtable; on return the SSTable is safe. `None`: there was nothing in it.
    pub(super) fn write_sstable(
        &self,
        state: &Arc<TableState>,
        memtable: &Arc<Memtable>,
    ) -> Result<Option<Arc<SsTable>>, OpenError> {
        self.make_dir(state)?;
        let descriptor = Descriptor::new(&*state.dir, state.next_sstable_id.fetch_add(1, Ordering::Relaxed));
        let begun = Begun::note(&**self.runtime.disk(), &descriptor)?;
        match self.write_and_open(&descriptor, &state.table.load_full(), memtable) {
            Ok(Some(sstable)) => {
                self.back_up(state, &descriptor);
                begun.done(&**self.runtime.disk())?;
                Ok(Some(sstable))
            }
            not_there => {
                // A full disk is the likely reason: what was written so far must not stay.
                delete_sstable(&**self.runtime.disk(), &descriptor)?;
                begun.removed(&**self.runtime.disk())?;
                not_there.map_err(|error| OpenError::SsTable {
                    path: PathBuf::from(descriptor.to_string()),
                    source: error,
                })
            }
        }
    }

    fn write_and_open(
        &self,
        descriptor: &Descriptor,
        table: &Arc<Table>,
        memtable: &Arc<Memtable>,
    ) -> Result<Option<Arc<SsTable>>, SourceError> {
        let disk = self.runtime.disk();
        let mut writer = Writer::create(disk, descriptor, table, self.write_options(table, memtable)?)?;
        let appended = append_all(&mut writer, table, memtable);
        if appended.is_err() || writer.data_bytes() == 0 {
            writer.abort();
            appended?;
            return Ok(None);
        }
        writer.finish()?;
        Ok(Some(self.open_sstable(descriptor)?))
    }

    fn write_options(&self, table: &Table, memtable: &Memtable) -> Result<WriteOptions, sstable::WriteError> {
        let (bases, seen) = memtable.seen();
        let columns = |columns: &[Column]| -> Vec<ColumnId> {
            columns.iter().map(|column| column.id).filter(|id| seen.contains(id)).collect()
        };
        let interval = memtable.interval().map(|(start, end)| {
            ((start.segment_id, start.offset as i32), (end.segment_id, end.offset as i32))
        });
        Ok(WriteOptions {
            bases,
            statics: columns(&table.statics),
            regulars: columns(&table.regulars),
            expected_partitions: memtable.partitions_count() as u64,
            host_id: Some(self.options.host_id),
            commit_log_intervals: interval.into_iter().collect(),
            ..WriteOptions::for_table(table)?
        })
    }

    /// Makes the table's directory, for good.
    pub(super) fn make_dir(&self, state: &TableState) -> Result<(), OpenError> {
        if state.has_dir.load(Ordering::Acquire) {
            return Ok(());
        }
        make_dir_synced(&**self.runtime.disk(), &state.dir)?;
        state.has_dir.store(true, Ordering::Release);
        Ok(())
    }
}

fn append_all(
    writer: &mut Writer,
    table: &Arc<Table>,
    memtable: &Arc<Memtable>,
) -> Result<(), sstable::WriteError> {
    let mut start = Bound::Unbounded;
    loop {
        let chunk = memtable.partitions(start.as_ref(), Bound::Unbounded, CHUNK_COUNT);
        let Some((last, _)) = chunk.last() else { return Ok(()) };
        start = Bound::Excluded(last.clone());
        for (key, partition) in chunk {
            let known = known_columns(memtable, table);
            if let Some(mut stream) = partition.stream(key, &Slices::all(), false, known) {
                #[cfg(test)]
                {
                    stream = crate::tests::planted::spoil(stream);
                }
                writer.append(&mut *stream)?;
            }
        }
    }
}
