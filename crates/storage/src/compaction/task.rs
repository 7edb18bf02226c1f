//! One rewrite of SSTables, step by step.
//!
//! A step is some milliseconds of work without waiting: between two of them flushes get their turn on the same
//! threads, the throttle takes its time, and who wants it to stop is heard. Outputs are written under marks; the last
//! step commits ([`super::transaction`]) and puts them into the place of the inputs, each shard's view as one change.
//!
//! Read in order: [`Plan`] (what to do), [`Task`], `finish` (the commit).
//!
//! Never here: which SSTables to take, waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::partition::{PartitionStream, SourceError};
use model::{PartitionHeader, Table, TokenRange};
use sstable::{Copied, CopyError, CopyInput, CopyMap, Descriptor, SsTable, WriteOptions, Writer};

use super::context::{Claim, Context, Progress};
use super::cut::Cut;
use super::merge::{InputError, Merge};
use super::operation::TombstoneOption;
use super::purge::{Elsewhere, Limits, Purge};
use super::shadow::Shadowed;
use super::strategy::OutputPlan;
use super::transaction::{Begun, delete_sstable};
use crate::OpenError;
use crate::table::TableState;

/// Bytes of output, as many of inputs, and elements, after which a step ends.
const STEP_BYTES: u64 = 2 << 20;
/// The inputs' bytes are looked at after so many partitions.
const LOOK_EVERY: usize = 16;
const STEP_ELEMENTS_COUNT: usize = 20_000;

/// What one rewrite does.
pub(crate) struct Plan {
    /// SSTables that are read.
    pub inputs: Vec<Arc<SsTable>>,
    /// SSTables that go without being read.
    pub expired: Vec<Arc<SsTable>>,
    /// Level of the (first) outputs.
    pub level: i32,
    pub output: OutputPlan,
    /// Which tombstones may go.
    pub limits: Limits,
    /// Partitions elsewhere go.
    pub owned: Option<Vec<TokenRange>>,
    /// What SSTables outside of it shadow goes, too.
    pub garbage: Option<TombstoneOption>,
}

impl Plan {
    /// All SSTables that go.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = &Arc<SsTable>> {
        self.inputs.iter().chain(&self.expired)
    }
}

/// Why a rewrite ended early. What it had written is to be removed by [`Task::abort`].
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody wanted it, or what it worked on is gone.
    Stopped(String),
    /// It did not work.
    Failed(OpenError),
    /// An input's bytes contradict themselves: its number, and what was found.
    Corrupt(u64, OpenError),
    /// It may or may not have been committed: nothing of it may be touched before the next start.
    Unknown(OpenError),
}

/// What a step did.
pub(crate) enum Step {
    /// There is more to do; so many bytes of the inputs' files were read.
    More(u64),
    /// The outputs are in place.
    Done(Summary),
}

/// What a rewrite did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub inputs_count: usize,
    pub outputs_count: usize,
    pub inputs_bytes: u64,
    pub outputs_bytes: u64,
    /// Of them Data.db.
    pub inputs_data_bytes: u64,
    pub outputs_data_bytes: u64,
    /// Of how many partitions so many inputs had a part.
    pub merged_partitions: BTreeMap<usize, u64>,
}

/// A rewrite under way.
pub(crate) struct Task {
    pub(super) context: Arc<Context>,
    pub(super) state: Arc<TableState>,
    pub(super) table: Arc<Table>,
    pub(super) plan: Plan,
    pub(super) progress: Arc<Progress>,
    /// The inputs are this operation's alone.
    pub(super) claim: Option<Claim>,
    elsewhere: Arc<Elsewhere>,
    pub(super) merge: Option<Merge>,
    current: Option<Box<dyn PartitionStream>>,
    /// The partition that was taken last is being copied row by row, as it is.
    is_copying: bool,
    /// How rows of each input pass into the output at hand.
    maps: Vec<Option<CopyMap>>,
    /// A partition was begun in `writer`.
    is_open: bool,
    cut: Cut,
    writer: Option<(Writer, Begun)>,
    pub(super) outputs: Vec<(Arc<SsTable>, Begun)>,
    /// What was written so far, to tell steps apart.
    reported_bytes: u64,
    /// Bytes on the disk for each uncompressed one.
    ratio: f64,
}

impl Task {
    pub(crate) fn new(
        context: &Arc<Context>,
        state: &Arc<TableState>,
        plan: Plan,
        progress: &Arc<Progress>,
        claim: Claim,
    ) -> Task {
        let data_bytes: u64 = plan.inputs.iter().map(|sstable| sstable.metadata().data_bytes).sum();
        let disk_bytes: u64 = plan.inputs.iter().map(|sstable| sstable.metadata().bytes_on_disk).sum();
        Task {
            elsewhere: Arc::new(Elsewhere::new(state, plan.replaced())),
            cut: Cut::new(&plan),
            context: context.clone(),
            table: state.table.load_full(),
            state: state.clone(),
            plan,
            progress: progress.clone(),
            claim: Some(claim),
            merge: None,
            current: None,
            is_copying: false,
            maps: Vec::new(),
            is_open: false,
            writer: None,
            outputs: Vec::new(),
            reported_bytes: 0,
            ratio: disk_bytes as f64 / data_bytes.max(1) as f64,
        }
    }

    /// Works on. After an error call [`Task::abort`].
    pub(crate) fn step(&mut self) -> Result<Step, Failure> {
        let state = self.state.clone();
        let _files_stay = state.compaction.gate.read();
        self.check_wanted()?;
        if self.plan.inputs.is_empty() || self.run()? {
            self.close_output()?;
            return self.finish().map(Step::Done);
        }
        let position = self.merge.as_ref().map_or(0, Merge::position);
        let written = self.writer.as_ref().map_or(0, |(writer, _)| writer.data_bytes());
        // Inside a wide partition nobody knows how far the inputs were read: about as far as the output goes.
        let reported =
            position.max(self.reported_bytes + if self.is_open { written.min(STEP_BYTES) } else { 0 });
        let read = reported.saturating_sub(self.reported_bytes);
        self.reported_bytes = reported.min(self.progress.total_bytes);
        self.progress.completed_bytes.store(self.reported_bytes, Ordering::Relaxed);
        let left = self.progress.total_bytes.saturating_sub(self.reported_bytes);
        self.progress.room_bytes.store((left as f64 * self.ratio) as u64, Ordering::Relaxed);
        Ok(Step::More((read as f64 * self.ratio) as u64))
    }

    pub(super) fn check_wanted(&self) -> Result<(), Failure> {
        let stopped = |why: &str| Err(Failure::Stopped(why.to_owned()));
        if self.context.is_closed.load(Ordering::Relaxed) {
            return stopped("the engine was closed");
        }
        if self.state.is_dropped.load(Ordering::Relaxed) {
            return stopped("the table was dropped");
        }
        if self.progress.is_stopped() { stopped("it was told to stop") } else { Ok(()) }
    }

    /// Merges for a while; true at the end.
    fn run(&mut self) -> Result<bool, Failure> {
        if self.merge.is_none() {
            self.merge = Some(Merge::new(&self.table, &self.plan.inputs).map_err(failed)?);
        }
        let written = |task: &Task| task.writer.as_ref().map_or(0, |(writer, _)| writer.data_bytes());
        let read = |task: &Task| task.merge.as_ref().map_or(0, Merge::position);
        let (begun_at, read_from) = (written(self), read(self));
        let (mut elements, mut partitions) = (0, 0_usize);
        while elements < STEP_ELEMENTS_COUNT && written(self).wrapping_sub(begun_at) < STEP_BYTES {
            partitions += 1;
            if partitions.is_multiple_of(LOOK_EVERY) && read(self) - read_from >= STEP_BYTES {
                break;
            }
            if self.current.is_none() && !self.is_copying && !self.next_partition()? {
                return Ok(true);
            }
            elements += 1;
            if self.is_copying {
                self.copy_rows()?;
                continue;
            }
            self.copy(STEP_ELEMENTS_COUNT - elements, &mut elements)?;
        }
        Ok(false)
    }

    /// Opens the next partition of which something may be left; false at the end.
    fn next_partition(&mut self) -> Result<bool, Failure> {
        let Some(merge) = &mut self.merge else { return Ok(false) };
        loop {
            let Some(key) = merge.next_key().map_err(failed)? else { return Ok(false) };
            let is_owned = self
                .plan
                .owned
                .as_ref()
                .is_none_or(|owned| owned.iter().any(|range| range.contains(key.token)));
            if is_owned {
                break;
            }
            merge.skip();
        }
        if self.plan.garbage.is_none() {
            merge.take();
            return self.begin_copy().map(|()| true);
        }
        let mut stream = merge.stream().map_err(failed)?;
        if let Some(option) = self.plan.garbage
            && let Some(newer) = self.newer(&*stream)?
        {
            let cells_too = option == TombstoneOption::Cell && !self.table.is_counter;
            stream = Box::new(Shadowed::new(stream, newer, cells_too).map_err(failed)?);
        }
        self.current = Some(Box::new(Purge::new(stream, self.plan.limits, &self.elsewhere)));
        Ok(true)
    }

    /// Begins with the partition that was taken: rows pass as they are as long as nothing is deleted or expires.
    fn begin_copy(&mut self) -> Result<(), Failure> {
        let merge = self.merge.as_mut().expect("it is merging");
        if let Some(header) = plain_header(merge, self.plan.limits) {
            self.open_output(&header.key)?;
            let merge = self.merge.as_mut().expect("it is merging");
            if merge.taken().all(|(input, _)| self.maps[input].is_some()) {
                let (writer, _) = self.writer.as_mut().expect("it was opened");
                writer.begin_partition(&header).map_err(write_failed)?;
                (self.is_open, self.is_copying) = (true, true);
                return Ok(());
            }
        }
        self.take_rest()
    }

    /// What is left of the partition that was taken last goes through merge and purge.
    fn take_rest(&mut self) -> Result<(), Failure> {
        let merge = self.merge.as_mut().expect("it is merging");
        let rest = merge.rest().map_err(failed)?;
        self.current = Some(Box::new(Purge::new(rest, self.plan.limits, &self.elsewhere)));
        Ok(())
    }

    /// Copies rows as they are.
    fn copy_rows(&mut self) -> Result<(), Failure> {
        let merge = self.merge.as_mut().expect("it is merging");
        let (writer, _) = self.writer.as_mut().expect("a partition was begun in it");
        let maps = &self.maps;
        let mut inputs: Vec<CopyInput<'_>> = merge
            .taken()
            .map(|(input, walk)| CopyInput {
                walk,
                map: maps[input].as_ref().expect("it can be copied from"),
            })
            .collect();
        let copied = match writer.copy(&self.table, &mut inputs, STEP_BYTES) {
            Ok(copied) => copied,
            Err(CopyError::Read(taken, error)) => return Err(failed(merge.failed(taken, error))),
            Err(CopyError::Write(error)) => return Err(write_failed(error)),
        };
        if copied == Copied::Some {
            return Ok(());
        }
        self.is_copying = false;
        let is_empty = writer.is_partition_empty();
        if is_empty {
            writer.cancel_partition();
            self.is_open = false;
        } else if copied == Copied::All {
            writer.end_partition().map_err(write_failed)?;
            self.is_open = false;
        }
        if copied == Copied::UpToOther { self.take_rest() } else { Ok(()) }
    }

    /// What SSTables outside of this operation hold of a partition, if they hold anything newer.
    fn newer(&self, stream: &dyn PartitionStream) -> Result<Option<Box<dyn PartitionStream>>, Failure> {
        let key = &stream.header().key;
        let view = self.state.slots[self.state.shard_of(key)].view.load();
        let inputs = self.plan.inputs.iter();
        let min_timestamp_us = inputs.clone().map(|sstable| sstable.metadata().min_timestamp_us).min();
        let mut streams = Vec::new();
        for sstable in view.sstables.iter().filter(|sstable| sstable.may_contain(key)) {
            let is_input = inputs.clone().any(|input| Arc::ptr_eq(input, sstable));
            if is_input || Some(sstable.metadata().max_timestamp_us) <= min_timestamp_us {
                continue;
            }
            let read = sstable.read(&self.table, key, &model::Slices::all(), false);
            streams.extend(read.map_err(|error| failed(Box::new(error)))?);
        }
        if streams.is_empty() {
            return Ok(None);
        }
        model::merge::merge_streams(self.table.clone(), streams, false).map(Some).map_err(failed)
    }

    /// Copies elements of the open partition, `count` at most.
    fn copy(&mut self, count: usize, elements: &mut usize) -> Result<(), Failure> {
        let Some(mut stream) = self.current.take() else { return Ok(()) };
        for _ in 0..=count {
            let next = stream.next().map_err(failed)?;
            *elements += 1;
            if !self.is_open {
                let header = stream.header();
                if next.is_none() && header.deletion.is_live() && header.static_row.is_none() {
                    return Ok(());
                }
                self.open_output(&header.key)?;
                let (writer, _) = self.writer.as_mut().expect("it was opened");
                writer.begin_partition(stream.header()).map_err(write_failed)?;
                self.is_open = true;
            }
            let (writer, _) = self.writer.as_mut().expect("the partition was begun in it");
            match next {
                Some(unfiltered) => writer.add(unfiltered).map_err(write_failed)?,
                None => {
                    writer.end_partition().map_err(write_failed)?;
                    self.is_open = false;
                    return Ok(());
                }
            }
        }
        self.current = Some(stream);
        Ok(())
    }

    /// Has an output ready that this partition belongs into.
    fn open_output(&mut self, key: &model::PartitionKey) -> Result<(), Failure> {
        let file_bytes = self.writer.as_ref().map(|(writer, _)| writer.file_bytes());
        if self.cut.is_due(key, file_bytes) {
            self.close_output()?;
        }
        if self.writer.is_some() {
            return Ok(());
        }
        let disk = self.context.runtime.disk();
        let id = self.state.next_sstable_id.fetch_add(1, Ordering::Relaxed);
        let descriptor = Descriptor::new(&*self.state.dir, id);
        let options = self.write_options(key)?;
        let begun = Begun::note(&**disk, &descriptor).map_err(Failure::Failed)?;
        let writer = Writer::create(disk, &descriptor, &self.table, options);
        match writer {
            Ok(writer) => {
                if let Some(merge) = &mut self.merge {
                    let inputs = 0..self.plan.inputs.len();
                    self.maps = inputs.map(|input| writer.copy_map(merge.walk(input))).collect();
                }
                self.writer = Some((writer, begun));
            }
            Err(error) => {
                give_up(&self.context, &descriptor, begun);
                return Err(write_failed(error));
            }
        }
        Ok(())
    }

    /// Completes the output that is being written, if there is one.
    fn close_output(&mut self) -> Result<(), Failure> {
        let Some((writer, begun)) = self.writer.take() else { return Ok(()) };
        let descriptor = writer.descriptor().clone();
        if writer.partitions() == 0 {
            // All that could have been in it was purged.
            drop(writer);
            give_up(&self.context, &descriptor, begun);
            return Ok(());
        }
        let opened = match writer.finish() {
            Ok(_) => self.context.open(&descriptor).map_err(|error| Box::new(error) as SourceError),
            Err(error) => Err(Box::new(error) as SourceError),
        };
        match opened {
            Ok(sstable) => {
                self.cut.closed(sstable.metadata().bytes_on_disk);
                self.outputs.push((sstable, begun));
                Ok(())
            }
            Err(source) => {
                let path = PathBuf::from(descriptor.to_string());
                give_up(&self.context, &descriptor, begun);
                Err(Failure::Failed(OpenError::SsTable { path, source }))
            }
        }
    }

    fn write_options(&self, first: &model::PartitionKey) -> Result<WriteOptions, Failure> {
        let mut bases = sstable::metadata::EncodingStatsCollector::new();
        let (mut statics, mut regulars) = (BTreeSet::new(), BTreeSet::new());
        for input in &self.plan.inputs {
            bases.add_stats(&input.metadata().bases);
            let columns = input.columns_of(&self.table).map_err(|error| failed(Box::new(error)))?;
            statics.extend(columns.0);
            regulars.extend(columns.1);
        }
        let metadata = || self.plan.inputs.iter().map(|input| input.metadata());
        let is_repaired = metadata().all(|metadata| metadata.repaired_at_ms > 0);
        let repaired_at_ms = metadata().map(|metadata| metadata.repaired_at_ms).min().filter(|_| is_repaired);
        let mut pending = metadata().map(|metadata| metadata.pending_repair);
        let first_pending = pending.next().flatten();
        Ok(WriteOptions {
            bases: bases.stats(),
            statics: statics.into_iter().collect(),
            regulars: regulars.into_iter().collect(),
            expected_partitions: self.cut.expected_partitions(&self.plan.inputs, first),
            host_id: Some(self.context.host_id),
            commit_log_intervals: self.intervals()?,
            repaired_at_ms: repaired_at_ms.unwrap_or(0),
            pending_repair: first_pending.filter(|first| pending.all(|other| other == Some(*first))),
            level: self.cut.level(),
            ..WriteOptions::for_table(&self.table).map_err(write_failed)?
        })
    }

    /// Removes what was written. Not to be called after [`Failure::Unknown`].
    pub(crate) fn abort(mut self) {
        self.current = None;
        let state = self.state.clone();
        let _files_stay = state.compaction.gate.read();
        let is_ours =
            !self.context.is_closed.load(Ordering::Relaxed) && !self.state.is_dropped.load(Ordering::Relaxed);
        if !is_ours {
            // Whoever has the directory now removes what is marked.
            return;
        }
        if let Some((writer, begun)) = self.writer.take() {
            let descriptor = writer.descriptor().clone();
            drop(writer);
            give_up(&self.context, &descriptor, begun);
        }
        for (sstable, begun) in self.outputs.drain(..) {
            give_up(&self.context, sstable.descriptor(), begun);
        }
    }
}

/// The header of the partition that was taken, if nothing in it is deleted or expires, and nothing is to be merged.
fn plain_header(merge: &mut Merge, limits: Limits) -> Option<PartitionHeader> {
    let mut merged: Option<PartitionHeader> = None;
    for (_, walk) in merge.taken() {
        let header = walk.header();
        let is_plain = header.deletion.is_live()
            && header.static_row.as_ref().is_none_or(|row| row.deletion.is_live() && !limits.concern(row));
        if !is_plain {
            return None;
        }
        match &mut merged {
            None => merged = Some(header.clone()),
            Some(merged) => match (&merged.static_row, &header.static_row) {
                (Some(_), Some(_)) => return None,
                (None, Some(row)) => merged.static_row = Some(row.clone()),
                (_, None) => {}
            },
        }
    }
    merged
}

/// Removes an unfinished output; what cannot be removed now is, with its mark, at the next start.
fn give_up(context: &Context, descriptor: &Descriptor, begun: Begun) {
    let disk = &**context.runtime.disk();
    if let Err(error) = delete_sstable(disk, descriptor).and_then(|()| begun.removed(disk)) {
        tracing::warn!("what was written of {descriptor} stays until the next start: {error}");
    }
}

fn failed(source: SourceError) -> Failure {
    let named = source.downcast_ref::<InputError>();
    let corrupt = named.filter(|error| error.is_corrupt()).map(|error| error.sstable.id);
    let path = named.map_or(PathBuf::new(), |error| error.sstable.path());
    let error = OpenError::SsTable { path, source };
    match corrupt {
        Some(id) => Failure::Corrupt(id, error),
        None => Failure::Failed(error),
    }
}

fn write_failed(error: sstable::WriteError) -> Failure {
    Failure::Failed(OpenError::SsTable { path: PathBuf::from("the output"), source: Box::new(error) })
}
