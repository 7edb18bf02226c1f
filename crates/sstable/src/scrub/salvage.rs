//! All partitions of an SSTable, by the index and by what stands in Data.db, into as many outputs as it takes.

use std::sync::Arc;

use model::{Column, ColumnId, DeletionTime, PartitionHeader, PartitionKey, Table};
use runtime::Disk;

use super::fragment::Fragment;
use super::survey::{Later, Segment, Survey, Surveyor};
use super::{Loss, ScrubError, ScrubOptions, ScrubReport};
use crate::descriptor::Descriptor;
use crate::error::ReadError;
use crate::index::{Located, Targets};
use crate::reader::SsTable;
use crate::verify::values::Values;
use crate::verify::{OnProgress, Progress};
use crate::writer::{WriteOptions, Writer};

/// Pieces out of order that are remembered at most; more are lost, and said to be.
const LATER_MAX: usize = 1 << 20;

pub(super) struct Salvage<'a> {
    disk: Arc<dyn Disk>,
    table: Arc<Table>,
    options: &'a ScrubOptions,
    write: WriteOptions,
    surveyor: Surveyor,
    targets: Option<Targets>,
    pending: Option<Located>,
    later: Vec<Later>,
    pub(super) report: ScrubReport,
}

impl<'a> Salvage<'a> {
    pub(super) fn new(
        disk: &Arc<dyn Disk>,
        sstable: &Arc<SsTable>,
        table: &Arc<Table>,
        options: &'a ScrubOptions,
        mut write: WriteOptions,
    ) -> Result<Salvage<'a>, ScrubError> {
        let unreadable = ScrubError::Unreadable;
        let stored = sstable.header_table("", "").map_err(unreadable)?;
        let metadata = sstable.metadata();
        write.bases = metadata.bases;
        write.expected_partitions = metadata.partitions;
        write.commit_log_intervals = metadata.commit_log_intervals.clone();
        write.host_id = metadata.host_id;
        write.statics = ids(&stored.statics, table);
        write.regulars = ids(&stored.regulars, table);
        let layout = sstable.layout(table).map_err(unreadable)?;
        // Rows come with the numbers of the table's columns.
        let values = (!options.no_validate).then(|| Values::new(table, None));
        let surveyor = Surveyor { sstable: sstable.clone(), layout, values };
        let targets = sstable.index.from(None).ok();
        let mut salvage = Salvage {
            disk: disk.clone(),
            table: table.clone(),
            options,
            write,
            surveyor,
            targets,
            pending: None,
            later: Vec::new(),
            report: ScrubReport::default(),
        };
        salvage.advance();
        Ok(salvage)
    }

    pub(super) fn run(
        &mut self,
        next_output: &mut dyn FnMut() -> Descriptor,
        on_progress: OnProgress<'_>,
    ) -> Result<(), ScrubError> {
        let mut output = Output::default();
        let result = self.partitions(&mut output, next_output, on_progress);
        self.finish(output, result)?;
        self.rest(next_output)
    }

    fn partitions(
        &mut self,
        output: &mut Output,
        next_output: &mut dyn FnMut() -> Descriptor,
        on_progress: OnProgress<'_>,
    ) -> Result<(), ScrubError> {
        let total_bytes = self.surveyor.sstable.data.data_bytes();
        let mut position = 0;
        while position < total_bytes {
            if on_progress(Progress { done_bytes: position, total_bytes }).is_break() {
                return Err(ScrubError::Cancelled);
            }
            while self.pending.as_ref().is_some_and(|located| located.data < position) {
                self.advance();
            }
            let is_here = self.pending.as_ref().is_some_and(|located| located.data == position);
            let located = if is_here { self.pending.take() } else { None };
            if is_here {
                self.advance();
            }
            let next = self.pending.as_ref().map(|located| located.data);
            let rows = located.and_then(|located| located.rows);
            match self.surveyor.survey(position, rows) {
                Ok(survey) => {
                    // Where the index knows of none, a partition must be whole to be believed.
                    let is_believed = is_here || (survey.end.is_some() && survey.losses.is_empty());
                    let end = survey.end;
                    if is_believed {
                        self.save(survey, output, next_output)?;
                    } else {
                        self.lose_partition(None, position, "what stands here is no partition".to_owned())?;
                    }
                    match end.filter(|_| is_believed).or(next) {
                        Some(next) => position = next,
                        None => break,
                    }
                }
                Err(error @ ReadError::Io { .. }) => return Err(ScrubError::Unreadable(error)),
                Err(error) => {
                    self.lose_partition(None, position, error.to_string())?;
                    match next {
                        Some(next) => position = next,
                        None => break,
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the next entry of the index. Where the index breaks off, Data.db alone must do.
    fn advance(&mut self) {
        self.pending = None;
        if let Some(targets) = &mut self.targets {
            match self.surveyor.sstable.index.next(targets) {
                Ok(next) => self.pending = next,
                Err(_) => self.targets = None,
            }
        }
    }

    fn lose_partition(
        &mut self,
        key: Option<PartitionKey>,
        offset: u64,
        mut found: String,
    ) -> Result<(), ScrubError> {
        self.report.bad_partitions += 1;
        if self.targets.is_none() {
            found.push_str("; without an index nothing behind it is found");
        }
        self.lose(Loss { key, offset, found })
    }

    fn lose(&mut self, loss: Loss) -> Result<(), ScrubError> {
        if self.table.is_counter && !self.options.skip_corrupted {
            return Err(ScrubError::DamagedCounters(loss));
        }
        self.report.lose(loss);
        Ok(())
    }

    fn save(
        &mut self,
        survey: Survey,
        output: &mut Output,
        next_output: &mut dyn FnMut() -> Descriptor,
    ) -> Result<(), ScrubError> {
        let is_whole = survey.losses.is_empty() && survey.end.is_some();
        self.report.lost_rows += survey.lost_rows;
        self.report.duplicate_rows += survey.duplicate_rows;
        for loss in survey.losses {
            self.lose(loss)?;
        }
        let key = survey.header.key.clone();
        let mut fragments = survey.fragments.into_iter();
        let first = fragments.next().unwrap_or_default();
        for segments in fragments.filter(|segments| !segments.is_empty()) {
            self.put_off(Later { key: key.clone(), header: None, segments })?;
        }
        let partitioner = &self.surveyor.sstable.metadata().partitioner;
        let order = output.last.as_ref().map(|last| partitioner.compare(last, &key));
        if order.is_some_and(|order| order.is_ge()) {
            self.report.duplicate_keys += u64::from(order.is_some_and(|order| order.is_eq()));
            return self.put_off(Later { key, header: Some(survey.header), segments: first });
        }
        let was_written = self.append(output, next_output, survey.header, &first)?;
        if !was_written {
            self.report.empty_partitions += 1;
        } else if is_whole {
            self.report.good_partitions += 1;
        } else {
            self.report.bad_partitions += 1;
        }
        Ok(())
    }

    fn put_off(&mut self, later: Later) -> Result<(), ScrubError> {
        self.report.out_of_order_partitions += 1;
        if self.later.len() < LATER_MAX {
            self.later.push(later);
            return Ok(());
        }
        let offset = later.segments.first().map_or(0, |segment| segment.from);
        self.lose(Loss { key: Some(later.key), offset, found: "too much is out of order".to_owned() })
    }

    /// Writes a partition; false if there is nothing in it.
    fn append(
        &mut self,
        output: &mut Output,
        next_output: &mut dyn FnMut() -> Descriptor,
        header: PartitionHeader,
        segments: &[Segment],
    ) -> Result<bool, ScrubError> {
        let writer = match &mut output.writer {
            Some(writer) => writer,
            None => {
                let descriptor = next_output();
                let created = Writer::create(&self.disk, &descriptor, &self.table, self.write.clone());
                output.writer.insert(created.map_err(ScrubError::Write)?)
            }
        };
        let before = writer.partitions();
        let key = header.key.clone();
        let mends = self.options.reinsert_overflowed_ttl;
        let mut fragment = Fragment::new(&self.surveyor, header, segments, mends);
        writer.append(&mut fragment).map_err(ScrubError::Write)?;
        self.report.mended_cells += fragment.mended_cells;
        output.last = Some(key);
        Ok(writer.partitions() > before)
    }

    fn finish(&mut self, output: Output, result: Result<(), ScrubError>) -> Result<(), ScrubError> {
        let Some(writer) = output.writer else { return result };
        if result.is_err() || writer.partitions() == 0 {
            writer.abort();
            return result;
        }
        self.report.outputs.push(writer.finish().map_err(ScrubError::Write)?);
        Ok(())
    }

    /// What was put off, sorted; what is there several times takes an output for each time.
    fn rest(&mut self, next_output: &mut dyn FnMut() -> Descriptor) -> Result<(), ScrubError> {
        let sstable = self.surveyor.sstable.clone();
        let partitioner = &sstable.metadata().partitioner;
        let mut later = std::mem::take(&mut self.later);
        later.sort_by(|a, b| partitioner.compare(&a.key, &b.key));
        while !later.is_empty() {
            let mut output = Output::default();
            let mut again = Vec::new();
            let mut result = Ok(());
            for each in later {
                if result.is_err() {
                    break;
                }
                if output.last.as_ref() == Some(&each.key) {
                    again.push(each);
                    continue;
                }
                let Later { key, header, segments } = each;
                let deletion = DeletionTime::LIVE;
                let header = header.unwrap_or(PartitionHeader { key, deletion, static_row: None });
                result = self.append(&mut output, next_output, header, &segments).map(|_| ());
            }
            self.finish(output, result)?;
            later = again;
        }
        Ok(())
    }
}

/// An SSTable that is being written.
#[derive(Default)]
struct Output {
    writer: Option<Writer>,
    last: Option<PartitionKey>,
}

/// The table's numbers of stored columns.
fn ids(stored: &[Column], table: &Table) -> Vec<ColumnId> {
    let known = stored.iter().filter_map(|column| table.column(&column.name));
    known
        .filter(|column| matches!(column.kind, model::ColumnKind::Static | model::ColumnKind::Regular))
        .map(|column| column.id)
        .collect()
}
