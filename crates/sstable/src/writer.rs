//! Writes one SSTable: Data.db with its indexes and filter as partitions come, the rest at the end.
//!
//! Nothing of it exists for readers before TOC.txt and the directory are synced.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use model::partition::PartitionStream;
use model::{
    Bound, BoundKind, Column, ColumnId, ColumnKind, CqlType, DeletionTime, Marker, PartitionHeader,
    PartitionKey, PlainParts, PlainRow, Table, Unfiltered,
};
use runtime::Disk;
use uuid::Uuid;

pub use crate::chunk::compressor::{Compression, Compressor};
use crate::chunk::writer::{Appender, DataWriter};
use crate::copy::{CopyState, RowTimes};
use crate::cursor::{put_shortbytes, put_vbytes};
use crate::descriptor::{Component, Descriptor, Version};
use crate::error::WriteError;
use crate::filter::Filter;
use crate::index::promoted::Shape;
use crate::index::writer::{Element, Finished, IndexWriter, PartitionRows};
use crate::metadata::{CommitLogInterval, EncodingStats};
use crate::row::deletion::{Form, put_whole};
use crate::row::encode::RowEncoder;
use crate::row::flags::END_OF_PARTITION;
use crate::statistics::collector::{Collector, bound_of};
use crate::statistics::header::{HeaderColumn, SerializationHeader};
use crate::statistics::stats::NO_POSITION;
use crate::statistics::{MURMUR3_PARTITIONER, Statistics};

/// A partition gets an index entry for each so many bytes, as in Cassandra for tries.
pub const COLUMN_INDEX_BYTES: u64 = 16 * 1024;
/// The same for Index.db.
pub const BIG_COLUMN_INDEX_BYTES: u64 = 64 * 1024;
/// Encoded bytes that are handed on together.
const BUFFER_BYTES: usize = 64 * 1024;

/// How an SSTable is written. Its version is the descriptor's.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// What times are stored relative to: the least ones, as far as known. Any value is correct.
    pub bases: EncodingStats,
    /// Static columns that may occur. Those seen, not all of the table: files get smaller.
    pub statics: Vec<ColumnId>,
    /// Regular columns that may occur.
    pub regulars: Vec<ColumnId>,
    /// How many partitions will come; the Bloom filter is made for that many.
    pub expected_partitions: u64,
    /// How Data.db is compressed.
    pub compression: Option<Compression>,
    /// A partition gets an index entry for each so many bytes.
    pub column_index_bytes: u64,
    /// This node.
    pub host_id: Option<Uuid>,
    /// Which writes of this node's commit log it holds, ascending.
    pub commit_log_intervals: Vec<CommitLogInterval>,
    /// When it was repaired, milliseconds; 0: never.
    pub repaired_at_ms: i64,
    /// Repair session that it is part of.
    pub pending_repair: Option<Uuid>,
    /// Level of leveled compaction.
    pub level: i32,
}

impl WriteOptions {
    /// For all columns of `table`, with its options' compression, in the version that we write by default.
    pub fn for_table(table: &Table) -> Result<WriteOptions, WriteError> {
        WriteOptions::for_version(table, Version::Da)
    }

    /// The same in another version.
    pub fn for_version(table: &Table, version: Version) -> Result<WriteOptions, WriteError> {
        let ids = |columns: &[Column]| columns.iter().map(|column| column.id).collect();
        Ok(WriteOptions {
            bases: EncodingStats::default(),
            statics: ids(&table.statics),
            regulars: ids(&table.regulars),
            expected_partitions: 1,
            compression: Compression::from_options(&table.options.compression)?,
            column_index_bytes: if version.is_bti() { COLUMN_INDEX_BYTES } else { BIG_COLUMN_INDEX_BYTES },
            host_id: None,
            commit_log_intervals: Vec::new(),
            repaired_at_ms: 0,
            pending_repair: None,
            level: 0,
        })
    }
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which files.
    pub descriptor: Descriptor,
    /// Partitions.
    pub partitions: u64,
    /// Rows, non-empty static ones included.
    pub rows: u64,
    /// Cells, tombstones included.
    pub cells: u64,
    /// Uncompressed bytes of Data.db.
    pub data_bytes: u64,
    /// Bytes of all components.
    pub bytes_on_disk: u64,
}

/// Writes one SSTable: [`Writer::append`] partitions in order, then [`Writer::finish`] or [`Writer::abort`].
pub struct Writer {
    disk: Arc<dyn Disk>,
    descriptor: Descriptor,
    options: WriteOptions,
    filter_chance: f64,
    header: SerializationHeader,
    encoder: RowEncoder,
    data: DataWriter,
    index: IndexWriter,
    form: Form,
    filter: Option<Filter>,
    collector: Collector,
    last_key: Option<PartitionKey>,
    /// The one that was begun.
    partition: Option<PartitionState>,
    /// What of it was not handed on.
    buffer: Vec<u8>,
    /// What of it was copied.
    copied: CopyState,
    /// Where the values of the last plain row stood; kept for its memory.
    parts: PlainParts,
}

impl Writer {
    /// Begins an SSTable of the descriptor's version. None of its files may exist yet.
    pub fn create(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        table: &Arc<Table>,
        options: WriteOptions,
    ) -> Result<Writer, WriteError> {
        let version = descriptor.version;
        if !version.is_writable() {
            return Err(WriteError::Unsupported { option: format!("version {}", version.letters()) });
        }
        let form = Form::of(version);
        let statics = stored_columns(table, &options.statics, ColumnKind::Static)?;
        let regulars = stored_columns(table, &options.regulars, ColumnKind::Regular)?;
        let ids = |columns: &[&Column]| -> Vec<(ColumnId, CqlType)> {
            columns.iter().map(|column| (column.id, column.ty.clone())).collect()
        };
        let encoder =
            RowEncoder::new(options.bases, form, table.clustering_types(), &ids(&statics), &ids(&regulars));
        let headers = |columns: &[&Column]| columns.iter().map(|column| HeaderColumn::of(column)).collect();
        let header = SerializationHeader::of(table, options.bases, headers(&statics), headers(&regulars));
        let filter_chance = table.options.bloom_filter_fp_chance;
        let data = Appender::create(disk, descriptor, Component::Data)?;
        let shape = Shape { clustering: table.clustering_types().into(), form };
        let index = IndexWriter::create(disk, descriptor, shape).inspect_err(|_| {
            // What the caller hears of is the first error.
            let _ = disk.remove_file(&descriptor.path(Component::Data));
        })?;
        Ok(Writer {
            disk: disk.clone(),
            descriptor: descriptor.clone(),
            filter_chance,
            header,
            encoder,
            data: DataWriter::new(data, options.compression.clone()),
            index,
            form,
            filter: Filter::sized(options.expected_partitions.max(1), filter_chance),
            collector: Collector::new(),
            last_key: None,
            partition: None,
            copied: CopyState::default(),
            parts: PlainParts::default(),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            options,
        })
    }

    /// Writes a partition, which must come after the previous one. A partition with nothing in it is left out.
    ///
    /// What the partition's own deletions shadow must be gone from the stream: readers of a single SSTable,
    /// Cassandra too, do not look again.
    ///
    /// After an error the SSTable can only be aborted.
    pub fn append(&mut self, stream: &mut dyn PartitionStream) -> Result<(), WriteError> {
        self.begin_partition(stream.header())?;
        let mut parts = std::mem::take(&mut self.parts);
        let added = self.add_all(stream, &mut parts);
        self.parts = parts;
        added?;
        if self.is_partition_empty() && stream.header().deletion.is_live() {
            self.cancel_partition();
            return Ok(());
        }
        self.end_partition()
    }

    fn add_all(
        &mut self,
        stream: &mut dyn PartitionStream,
        parts: &mut PlainParts,
    ) -> Result<(), WriteError> {
        // Index.db is made of whole rows.
        let takes_plain = self.descriptor.version.is_bti();
        loop {
            let is_in_range = self.partition.as_ref().is_some_and(|partition| partition.open.is_some());
            if takes_plain && !is_in_range {
                let mut added = Ok(());
                let mut take = |row: &PlainRow<'_>| {
                    added = self.add_plain(row);
                    if added.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                stream.plain_rows(parts, &mut take).map_err(WriteError::Source)?;
                added?;
            }
            match stream.next().map_err(WriteError::Source)? {
                Some(unfiltered) => self.add(unfiltered)?,
                None => return Ok(()),
            }
        }
    }

    /// Adds the next row of the partition that was begun as [`Writer::add`] would, without taking it out of where it
    /// stands. No range tombstone may be open. Of trie-indexed SSTables only.
    fn add_plain(&mut self, row: &PlainRow<'_>) -> Result<(), WriteError> {
        if self.last_place().is_some_and(|last| last >= row.order) {
            return Err(WriteError::OutOfOrder { found: "the rows of a partition do not ascend".to_owned() });
        }
        let (is_first, previous_bytes) = self.before_copied();
        let flags = self.copied.take_plain(row, is_first, previous_bytes, &mut self.encoder)?;
        self.begin_row();
        self.collector.add_plain(row.parts);
        self.put_row(flags)
    }

    /// The partition is counted with its first element.
    fn begin_row(&mut self) {
        let partition = self.partition.as_mut().expect("a partition was begun");
        partition.count(&mut self.collector);
    }

    /// Begins a partition, which must come after the previous one; [`Writer::add`] and [`Writer::end_partition`]
    /// follow. It is written even if nothing is in it.
    pub fn begin_partition(&mut self, header: &PartitionHeader) -> Result<(), WriteError> {
        assert!(self.partition.is_none(), "a partition ends before the next one begins");
        if self.last_key.as_ref().is_some_and(|last| *last >= header.key) {
            return Err(WriteError::OutOfOrder { found: "partitions do not ascend".to_owned() });
        }
        let key = &header.key.key;
        if key.is_empty() || key.len() > model::key::MAX_KEY_BYTES {
            return Err(WriteError::TooLarge { found: format!("a partition key of {} bytes", key.len()) });
        }
        let start = self.data.position();
        self.buffer.clear();
        put_shortbytes(&mut self.buffer, key);
        put_whole(&mut self.buffer, &header.deletion, self.form)?;
        let static_row = header.static_row.as_ref().filter(|row| !row.is_empty());
        if self.encoder.has_statics() {
            self.encoder.encode_static(static_row, &mut self.buffer)?;
        } else if let Some((column, _)) = static_row.and_then(|row| row.columns.first()) {
            return Err(WriteError::ColumnNotNamed { column: column.0 });
        }
        if let Some(row) = static_row {
            self.collector.begin_partition(key, &header.deletion);
            self.collector.add_row(row);
        }
        self.copied.clear();
        self.partition = Some(PartitionState {
            key: header.key.clone(),
            deletion: header.deletion,
            is_counted: static_row.is_some(),
            start,
            header: self.buffer.len() as u64,
            at: self.buffer.len() as u64,
            previous: 0,
            open: None,
            last_place: None,
            first: None,
            last: None,
            index: self.index.begin(self.options.column_index_bytes),
        });
        Ok(())
    }

    /// Adds the next row or marker of the partition that was begun; an empty row is left out.
    pub fn add(&mut self, unfiltered: Unfiltered) -> Result<(), WriteError> {
        if matches!(&unfiltered, Unfiltered::Row(row) if row.is_empty()) {
            return Ok(());
        }
        let partition = self.partition.as_mut().expect("a partition was begun");
        partition.count(&mut self.collector);
        let open_before = partition.open;
        let length = self.buffer.len();
        let previous_bytes = partition.at - partition.previous;
        let place = match &unfiltered {
            Unfiltered::Row(row) => {
                self.encoder.encode_row(row, previous_bytes, &mut self.buffer)?;
                self.collector.add_row(row);
                &row.clustering.order
            }
            Unfiltered::Marker(marker) => {
                partition.open = pair(marker, partition.open)?;
                self.encoder.encode_marker(marker, previous_bytes, &mut self.buffer)?;
                for deletion in [&marker.close, &marker.open].into_iter().flatten() {
                    self.collector.add_deletion(deletion);
                }
                &marker.bound.order
            }
        };
        let last = partition.last_place.as_deref().or(self.copied.last_place());
        if last.is_some_and(|last| last >= &**place) {
            return Err(WriteError::OutOfOrder { found: "the rows of a partition do not ascend".to_owned() });
        }
        partition.last_place = Some(place.clone());
        if partition.first.is_none() {
            partition.first = Some(bound_of(&unfiltered, BoundKind::InclusiveStart));
        }
        let end = partition.at + (self.buffer.len() - length) as u64;
        let (start, open_behind) = (partition.at, partition.open);
        let element = Element { unfiltered: &unfiltered, place, start, end, open_before, open_behind };
        self.index.element(&mut partition.index, &element)?;
        partition.previous = partition.at;
        partition.at = end;
        partition.last = Some(unfiltered);
        self.copied.has_last = false;
        if self.buffer.len() >= BUFFER_BYTES {
            self.data.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// What was copied of the partition.
    pub(crate) fn copy_state(&mut self) -> &mut CopyState {
        &mut self.copied
    }

    /// True if nothing comes before what is copied next, and how far that is from the element before.
    pub(crate) fn before_copied(&self) -> (bool, u64) {
        let partition = self.partition.as_ref().expect("a partition was begun");
        let is_first = partition.first.is_none() && !self.copied.has_first();
        (is_first, partition.at - partition.previous)
    }

    /// The place of the last element of the partition that was begun.
    pub(crate) fn last_place(&self) -> Option<&[u8]> {
        let added = self.partition.as_ref().and_then(|partition| partition.last_place.as_deref());
        added.or(self.copied.last_place())
    }

    /// Adds the row that [`Writer::copy`] has prepared.
    pub(crate) fn put_copied(&mut self, flags: u8, times: &RowTimes) -> Result<(), WriteError> {
        self.begin_row();
        self.collector.add_copied(times);
        self.put_row(flags)
    }

    /// Hands on the last row that was copied.
    fn put_row(&mut self, flags: u8) -> Result<(), WriteError> {
        let partition = self.partition.as_mut().expect("a partition was begun");
        let length = self.buffer.len();
        let (values, body) = self.copied.last_parts();
        self.buffer.push(flags);
        self.buffer.extend_from_slice(values);
        put_vbytes(&mut self.buffer, body);
        let bytes = (self.buffer.len() - length) as u64;
        let (start, end) = (partition.at, partition.at + bytes);
        self.index.row(&mut partition.index, self.copied.place_of_last(), start, end)?;
        partition.previous = start;
        partition.at = end;
        partition.last_place = None;
        if self.buffer.len() >= BUFFER_BYTES {
            self.data.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    pub(crate) fn encoder(&self) -> &RowEncoder {
        &self.encoder
    }

    /// True if nothing was added to the partition that was begun, and it has no static row.
    pub fn is_partition_empty(&self) -> bool {
        self.partition.as_ref().is_some_and(|partition| !partition.is_counted)
    }

    /// Forgets the partition that was begun. Panics if anything was added to it.
    pub fn cancel_partition(&mut self) {
        let partition = self.partition.take().expect("a partition was begun");
        assert!(!partition.is_counted, "a partition is forgotten only while it is empty");
        self.buffer.clear();
    }

    /// Ends the partition that was begun.
    pub fn end_partition(&mut self) -> Result<(), WriteError> {
        let mut partition = self.partition.take().expect("a partition was begun");
        partition.count(&mut self.collector);
        if partition.open.is_some() {
            return Err(WriteError::OutOfOrder { found: "a range tombstone stays open".to_owned() });
        }
        let is_covered = self.copied.ends().is_some_and(|(first, last)| self.collector.covers(first, last));
        if !is_covered {
            let (first, last) = self.copied.bounds(self.encoder.clustering());
            let last =
                last.or_else(|| partition.last.as_ref().map(|last| bound_of(last, BoundKind::InclusiveEnd)));
            if let (Some(first), Some(last)) = (first.or(partition.first), last) {
                self.collector.cover(first, last);
            }
        }
        self.buffer.push(END_OF_PARTITION);
        self.data.append(&self.buffer)?;
        self.buffer.clear();
        let (key, at) = (partition.key, partition.at);
        let finished = Finished {
            key: &key,
            deletion: &partition.deletion,
            data: partition.start,
            header: partition.header,
            end: at,
        };
        self.index.end(partition.index, &finished)?;
        if let Some(filter) = &mut self.filter {
            filter.add(&key.key);
        }
        self.collector.end_partition(at + 1);
        self.last_key = Some(key);
        Ok(())
    }

    /// Uncompressed bytes of Data.db so far.
    pub fn data_bytes(&self) -> u64 {
        self.data.position() + if self.partition.is_some() { self.buffer.len() as u64 } else { 0 }
    }

    /// Bytes of Data.db on the disk so far.
    pub fn file_bytes(&self) -> u64 {
        self.data.file_bytes()
    }

    /// Which files.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Partitions so far.
    pub fn partitions(&self) -> u64 {
        self.collector.partitions
    }

    /// Writes the indexes and metadata and makes everything outlast a power loss, TOC.txt last.
    ///
    /// Panics if no partition was written: an SSTable without any does not exist in Cassandra.
    pub fn finish(self) -> Result<Written, WriteError> {
        let version = self.descriptor.version;
        assert!(self.collector.partitions > 0, "an SSTable without partitions cannot be finished");
        let mut files =
            Finisher { disk: self.disk, descriptor: self.descriptor, names: Vec::new(), bytes: 0 };
        if let Some(filter) = &self.filter {
            let (head, bits) = filter.parts();
            files.write_parts(Component::Filter, &[&head, bits])?;
        }
        let (indexes, summary) = self.index.finish()?;
        indexes.into_iter().for_each(|(component, bytes)| files.written(component, bytes));
        if let Some(summary) = summary {
            files.write(Component::Summary, &summary)?;
        }
        let data = self.data.finish()?;
        files.written(Component::Data, data.file_bytes);
        files.write(Component::Digest, data.digest.as_bytes())?;
        files.write(data.map.0, &data.map.1)?;

        let (partitions, rows, cells) =
            (self.collector.partitions, self.collector.rows(), self.collector.cells);
        let (mut stats, cardinality) = self.collector.finish();
        let intervals = self.options.commit_log_intervals;
        stats.commit_log_lower = intervals.first().map_or(NO_POSITION, |(start, _)| *start);
        stats.commit_log_upper = intervals.last().map_or(NO_POSITION, |(_, end)| *end);
        stats.commit_log_intervals = intervals;
        stats.compression_ratio = data.compression_ratio;
        stats.level = self.options.level;
        stats.repaired_at_ms = self.options.repaired_at_ms;
        stats.pending_repair = self.options.pending_repair;
        stats.host_id = self.options.host_id;
        stats.clustering_types = self.header.clustering.iter().map(|column| column.name.clone()).collect();
        let statistics = Statistics {
            partitioner: MURMUR3_PARTITIONER.to_owned(),
            bloom_filter_fp_chance: self.filter_chance,
            cardinality,
            stats,
            header: self.header,
        };
        files.write(Component::Statistics, &statistics.encode(version))?;
        files.finish()?;
        let data_bytes = data.data_bytes;
        Ok(Written {
            descriptor: files.descriptor,
            partitions,
            rows,
            cells,
            data_bytes,
            bytes_on_disk: files.bytes,
        })
    }

    /// Removes what was written, as far as the disk lets us.
    pub fn abort(self) {
        remove(&self.disk, &self.descriptor);
    }
}

/// Removes the files of an SSTable that is not finished, or no longer needed; TOC.txt first.
pub(crate) fn remove(disk: &Arc<dyn Disk>, descriptor: &Descriptor) {
    for component in Component::ALL.into_iter().rev() {
        // A file that is not there, or stays, is found by the next start.
        let _ = disk.remove_file(&descriptor.path(component));
    }
}

/// A partition under construction.
struct PartitionState {
    key: PartitionKey,
    deletion: DeletionTime,
    /// The statistics know of it.
    is_counted: bool,
    start: u64,
    /// Bytes before the first element.
    header: u64,
    /// Offset from the start.
    at: u64,
    /// Offset of the previous element.
    previous: u64,
    open: Option<DeletionTime>,
    last_place: Option<Bytes>,
    first: Option<Bound>,
    last: Option<Unfiltered>,
    index: PartitionRows,
}

impl PartitionState {
    fn count(&mut self, collector: &mut Collector) {
        if !std::mem::replace(&mut self.is_counted, true) {
            collector.begin_partition(&self.key.key, &self.deletion);
        }
    }
}

/// The deletion that is open behind a marker.
fn pair(marker: &Marker, open: Option<DeletionTime>) -> Result<Option<DeletionTime>, WriteError> {
    if marker.close == open {
        return Ok(marker.open);
    }
    Err(WriteError::OutOfOrder {
        found: format!("a marker closes {:?} where {open:?} is open", marker.close),
    })
}

/// The table's columns of these numbers, in the order of rows.
fn stored_columns<'a>(
    table: &'a Table,
    ids: &[ColumnId],
    kind: ColumnKind,
) -> Result<Vec<&'a Column>, WriteError> {
    let column = |id: &ColumnId| {
        let found = table.column_by_id(*id).filter(|column| column.kind == kind);
        found.ok_or(WriteError::ColumnNotNamed { column: id.0 })
    };
    let mut columns: Vec<&Column> = ids.iter().map(column).collect::<Result<_, _>>()?;
    columns.sort_by(|a, b| a.stored_order().cmp(&b.stored_order()));
    columns.dedup_by_key(|column| column.id);
    Ok(columns)
}

/// Writes the small files.
struct Finisher {
    disk: Arc<dyn Disk>,
    descriptor: Descriptor,
    names: Vec<&'static str>,
    bytes: u64,
}

impl Finisher {
    fn write(&mut self, component: Component, contents: &[u8]) -> Result<(), WriteError> {
        self.write_parts(component, &[contents])
    }

    fn write_parts(&mut self, component: Component, parts: &[&[u8]]) -> Result<(), WriteError> {
        let mut file = Appender::create(&self.disk, &self.descriptor, component)?;
        for part in parts {
            file.append(part)?;
        }
        let bytes = file.finish()?;
        self.written(component, bytes);
        Ok(())
    }

    fn written(&mut self, component: Component, bytes: u64) {
        self.names.push(component.file_name());
        self.bytes += bytes;
    }

    /// TOC.txt, and the directory.
    fn finish(&mut self) -> Result<(), WriteError> {
        self.names.push(Component::Toc.file_name());
        self.names.sort_unstable();
        let contents: String = self.names.iter().map(|name| format!("{name}\n")).collect();
        let mut file = Appender::create(&self.disk, &self.descriptor, Component::Toc)?;
        file.append(contents.as_bytes())?;
        self.bytes += file.finish()?;
        self.disk
            .sync_dir(&self.descriptor.directory)
            .map_err(|source| WriteError::Io { component: Component::Toc, source })
    }
}
