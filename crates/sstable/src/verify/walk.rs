//! All partitions of Data.db in order, in step with the index of partitions.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::token::murmur3_x64_128;
use model::{BoundKind, PartitionKey, Table, Unfiltered};

use super::blocks::Blocks;
use super::values::Values;
use super::{Findings, Severity, VerifyOptions, facts};
use crate::chunk::reader::DataCursor;
use crate::descriptor::Component;
use crate::error::ReadError;
use crate::index::{Located, Targets};
use crate::reader::SsTable;
use crate::row::columns::Layout;
use crate::row::decode::Item;
use crate::source::Source;
use crate::statistics::Statistics;
use crate::statistics::collector::{Collector, bound_of};

/// Progress is told at least once for so many bytes.
const STEP_BYTES: u64 = 64 * 1024;
/// Limits that nothing reaches, not even a bound at a partition's very end.
pub(super) const BEFORE_ALL: &[u8] = &[];
pub(super) const BEHIND_ALL: &[u8] = &[0xff];

pub(super) type Step<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

pub(super) struct Walk<'a> {
    sstable: Arc<SsTable>,
    layout: Arc<Layout>,
    options: &'a VerifyOptions,
    statistics: &'a Statistics,
    findings: &'a mut Findings,
    values: Values,
    collector: Collector,
    targets: Option<Targets>,
    /// The next entry of the index that was not met yet: where it says that a partition is.
    pending: Option<Located>,
    last: Option<PartitionKey>,
    /// The file of the index of partitions.
    index: Component,
    /// A partition could not be read to its end: what is counted is less than what is there.
    is_damaged: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        sstable: &Arc<SsTable>,
        table: Option<&Arc<Table>>,
        statistics: &'a Statistics,
        options: &'a VerifyOptions,
        findings: &'a mut Findings,
    ) -> Result<Walk<'a>, ReadError> {
        let stored = sstable.header_table("", "")?;
        // Only to be told of columns that the schema does not know.
        if let Some(table) = table {
            findings.take(sstable.layout(table), None)?;
        }
        let values = Values::new(&stored, table.map(|table| &**table));
        for found in &values.differing {
            findings.add(Severity::Wrong, Component::Statistics, 0, None, found.clone());
        }
        let layout = sstable.layout(&stored)?;
        let targets = findings.take(sstable.index.from(None), None)?;
        Ok(Walk {
            sstable: sstable.clone(),
            layout,
            options,
            statistics,
            findings,
            values,
            collector: Collector::new(),
            targets,
            pending: None,
            last: None,
            index: if sstable.descriptor().version.is_bti() {
                Component::Partitions
            } else {
                Component::Index
            },
            is_damaged: false,
        })
    }

    pub(super) fn run(mut self, step: Step<'_>) -> Result<(), ReadError> {
        let mut cursor = DataCursor::new(self.sstable.data.clone(), 0);
        let mut partitions = 0;
        self.advance()?;
        while !cursor.is_at_end() {
            let start = cursor.position();
            if step(start).is_break() {
                return Ok(());
            }
            let indexed = self.indexed_at(start)?;
            let read = self.partition(cursor, indexed, step);
            cursor = match self.findings.take(read, None)? {
                Some(ControlFlow::Continue(cursor)) => cursor,
                Some(ControlFlow::Break(())) => return Ok(()),
                None => {
                    self.is_damaged = true;
                    let Some(next) = self.behind(start)? else { break };
                    DataCursor::new(self.sstable.data.clone(), next)
                }
            };
            partitions += 1;
        }
        self.findings.report.partitions = partitions;
        self.finish(partitions)
    }

    /// The position of the next partition that the index knows behind a damaged one.
    fn behind(&mut self, start: u64) -> Result<Option<u64>, ReadError> {
        while let Some(pending) = &self.pending {
            if pending.data > start {
                return Ok(Some(pending.data));
            }
            self.advance()?;
        }
        Ok(None)
    }

    /// Takes the next entry of the index.
    fn advance(&mut self) -> Result<(), ReadError> {
        self.pending = None;
        let Some(targets) = &mut self.targets else { return Ok(()) };
        let next = self.sstable.index.next(targets);
        match self.findings.take(next, None)? {
            Some(next) => self.pending = next,
            None => self.targets = None,
        }
        Ok(())
    }

    /// The entry of the partition at `start`; entries that point elsewhere are findings.
    fn indexed_at(&mut self, start: u64) -> Result<Option<Located>, ReadError> {
        while let Some(pending) = &self.pending {
            if pending.data == start {
                let indexed = self.pending.take();
                self.advance()?;
                return Ok(indexed);
            }
            if pending.data > start {
                break;
            }
            let found = format!("it leads to byte {} of Data.db, where no partition begins", pending.data);
            self.findings.add(Severity::Wrong, self.index, 0, None, found);
            self.advance()?;
        }
        Ok(None)
    }

    /// Reads one partition; gives the cursor back behind it.
    fn partition(
        &mut self,
        cursor: DataCursor,
        located: Option<Located>,
        step: Step<'_>,
    ) -> Result<ControlFlow<(), DataCursor>, ReadError> {
        let start = cursor.position();
        let is_indexed = located.is_some();
        let (stored_key, rows) = located.map_or((None, None), |located| (located.key, located.rows));
        let source = Source::open(self.sstable.clone(), self.layout.clone(), cursor, rows, None)?;
        let mut source = source.expect("any key is wanted");
        let key = source.header.key.clone();
        self.check_key(&key, start, is_indexed)?;
        self.last = Some(key.clone());
        if stored_key.is_some_and(|stored| *stored != *key.key) {
            let found = format!("its entry for byte {start} of Data.db has another key");
            self.findings.add(Severity::Wrong, self.index, 0, Some(&key), found);
        }
        if !self.options.extended {
            let mut cursor = source.take_cursor();
            Source::skip(&self.layout, &mut cursor)?;
            return Ok(ControlFlow::Continue(cursor));
        }
        self.collector.begin_partition(&key.key, &source.header.deletion);
        if let Some(row) = &source.header.static_row {
            self.collector.add_row(row);
            self.findings.report.rows += 1;
            self.check_values(&key, start, self.values.check_row(row));
        }
        self.rows(source, step)
    }

    fn rows(&mut self, mut source: Source, step: Step<'_>) -> Result<ControlFlow<(), DataCursor>, ReadError> {
        let key = source.header.key.clone();
        let start = source.start();
        let (mut previous, mut told) = (start, start);
        let (mut first, mut last): (_, Option<Unfiltered>) = (None, None);
        let mut blocks = self.findings.take(Blocks::of(&self.sstable, &source), Some(&key))?.flatten();
        let mut has_odd_sizes = false;
        loop {
            let position = source.cursor.position();
            if let Some(blocks) = &mut blocks {
                blocks.at(position, source.open, &key, self.findings);
            }
            let stored = source.previous_bytes()?;
            has_odd_sizes |= stored.is_some_and(|stored| stored != position - previous);
            previous = position;
            let open = source.open;
            let unfiltered = match source.next(BEFORE_ALL, BEHIND_ALL)? {
                Item::Row(row) => {
                    self.check_values(&key, position, self.values.check_row(&row));
                    self.collector.add_row(&row);
                    self.findings.report.rows += 1;
                    Unfiltered::Row(row)
                }
                Item::Marker(marker) => {
                    if marker.close != open {
                        let found = "a range tombstone ends with another deletion than it began with";
                        self.findings.add(Severity::Wrong, Component::Data, position, Some(&key), found);
                    }
                    self.check_values(&key, position, self.values.check_clustering(&marker.bound.values));
                    for deletion in [&marker.close, &marker.open].into_iter().flatten() {
                        self.collector.add_deletion(deletion);
                    }
                    Unfiltered::Marker(marker)
                }
                Item::Skipped(_) => continue,
                Item::Beyond | Item::End => break,
            };
            if first.is_none() {
                first = Some(bound_of(&unfiltered, BoundKind::InclusiveStart));
            }
            last = Some(unfiltered);
            let position = source.cursor.position();
            if position - told >= STEP_BYTES {
                told = position;
                if step(position).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        if has_odd_sizes {
            let found = "a row says wrongly how long the one before it is";
            self.findings.add(Severity::Doubtful, Component::Data, start, Some(&key), found);
        }
        if let (Some(first), Some(last)) = (first, &last) {
            self.collector.cover(first, bound_of(last, BoundKind::InclusiveEnd));
        }
        let end = source.cursor.position();
        self.collector.end_partition(end - start);
        if let Some(blocks) = blocks {
            blocks.end(end - 1, &mut source, self.findings)?;
        }
        let mut cursor = source.take_cursor();
        cursor.seek(end);
        Ok(ControlFlow::Continue(cursor))
    }

    fn check_values(&mut self, key: &PartitionKey, position: u64, checked: Result<(), String>) {
        if let Err(found) = checked {
            self.findings.add(Severity::Wrong, Component::Data, position, Some(key), found);
        }
    }

    /// The key by itself, and whether a lookup finds it.
    fn check_key(&mut self, key: &PartitionKey, start: u64, is_indexed: bool) -> Result<(), ReadError> {
        let (index, metadata) = (self.index, self.sstable.metadata());
        let mut add = |component, offset, found: &str| {
            self.findings.add(Severity::Wrong, component, offset, Some(key), found);
        };
        match &self.last {
            None if *key != metadata.first => add(index, 0, "its first key is not the first of Data.db"),
            Some(last) if last == key => add(Component::Data, start, "a partition is there twice"),
            Some(last) if metadata.partitioner.compare(last, key).is_gt() => {
                add(Component::Data, start, "partitions do not ascend");
            }
            _ => {}
        }
        if let Err(found) = self.values.check_key(key) {
            add(Component::Data, start, &found);
        }
        if let Some(owned) = &self.options.owned
            && !owned.iter().any(|range| range.contains(key.token))
        {
            add(Component::Data, start, &format!("token {} is not this node's", key.token.0));
        }
        let hash = murmur3_x64_128(&key.key);
        if self.sstable.filter.as_ref().is_some_and(|filter| !filter.may_contain(hash)) {
            add(Component::Filter, 0, "it denies a key that is there");
        }
        if !is_indexed {
            add(index, 0, &format!("the partition at byte {start} of Data.db is not in it"));
            return Ok(());
        }
        let found = self.sstable.index.find(key, false);
        match self.findings.take(found, Some(key))? {
            Some(Some(found)) if found.data == start => {}
            Some(_) => {
                let found = format!("a lookup does not find the partition at byte {start} of Data.db");
                self.findings.add(Severity::Wrong, self.index, 0, Some(key), found);
            }
            None => {}
        }
        Ok(())
    }

    fn finish(mut self, partitions: u64) -> Result<(), ReadError> {
        let end = self.sstable.data.data_bytes();
        while let Some(pending) = &self.pending {
            let found = format!("it leads to byte {} of Data.db, where no partition begins", pending.data);
            self.findings.add(Severity::Wrong, self.index, 0, None, found);
            self.advance()?;
        }
        if self.is_damaged {
            return Ok(());
        }
        let metadata = self.sstable.metadata();
        if self.last.as_ref() != Some(&metadata.last) {
            let found = "its last key is not the last of Data.db";
            self.findings.add(Severity::Wrong, self.index, end, None, found);
        }
        if metadata.partitions != partitions {
            let found = format!("it says {} partitions, there are {partitions}", metadata.partitions);
            self.findings.add(Severity::Wrong, self.index, 0, None, found);
        }
        if self.options.extended {
            let (seen, _) = self.collector.finish();
            let version = self.sstable.descriptor().version;
            facts::check(version, self.statistics, &seen, partitions, self.findings);
        }
        Ok(())
    }
}
