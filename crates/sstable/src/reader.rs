//! An open SSTable: what reads use.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use model::partition::{PartitionIterator, PartitionStream};
use model::read::Position;
use model::token::murmur3_x64_128;
use model::{PartitionKey, Slices, Table};
use runtime::{Disk, OpenMode};

use crate::chunk::info::CompressionInfo;
use crate::chunk::reader::{DataCursor, DataFile};
use crate::cursor::describe;
use crate::descriptor::{Component, Descriptor};
use crate::error::ReadError;
use crate::filter::Filter;
use crate::metadata::{Metadata, Partitioner};
use crate::partitions::{PartitionIndex, Target};
use crate::row::columns::Layout;
use crate::rows;
use crate::scan::Scan;
use crate::source::Source;
use crate::statistics::header::SerializationHeader;
use crate::statistics::{MURMUR3_PARTITIONER, Statistics};
use crate::stream;
use crate::trie::pages::Pages;

/// More bytes than any component has that is read whole.
const WHOLE_BYTES_MAX: u64 = 1 << 30;

/// An open SSTable. Immutable; shared by all reads.
pub struct SsTable {
    descriptor: Descriptor,
    metadata: Metadata,
    header: SerializationHeader,
    pub(crate) data: Arc<DataFile>,
    pub(crate) partitions: PartitionIndex,
    pub(crate) rows: Pages,
    pub(crate) filter: Option<Filter>,
    /// How the columns map to those of the table that was read last.
    layout: Mutex<Option<(Arc<Table>, Arc<Layout>)>>,
}

impl SsTable {
    /// Opens it: reads and checks all but the partitions. Needs no schema.
    pub fn open(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Arc<SsTable>, ReadError> {
        let files = Files { disk, descriptor };
        let statistics = Statistics::parse(&files.required(Component::Statistics)?)?;
        if statistics.partitioner != MURMUR3_PARTITIONER {
            return Err(ReadError::Unsupported {
                version: format!("partitioner {}", statistics.partitioner),
            });
        }
        let filter = match files.whole(Component::Filter)? {
            Some(bytes) if !bytes.is_empty() => Some(
                Filter::parse(&bytes)
                    .map_err(|fault| ReadError::corrupt(Component::Filter, 0, describe(fault)))?,
            ),
            _ => None,
        };
        let data = Arc::new(files.data()?);
        let partitions = PartitionIndex::open(files.pages(Component::Partitions)?)?;
        let rows = files.pages(Component::Rows)?;
        let stats = &statistics.stats;
        if *stats.first_key != *partitions.first.key || *stats.last_key != *partitions.last.key {
            let found = "its first and last key are not those of Statistics.db";
            return Err(ReadError::corrupt(Component::Partitions, 0, found));
        }
        let metadata = metadata(&statistics, &partitions, data.data_bytes(), files.bytes()?);
        Ok(Arc::new(SsTable {
            descriptor: descriptor.clone(),
            metadata,
            header: statistics.header,
            data,
            partitions,
            rows,
            filter,
            layout: Mutex::new(None),
        }))
    }

    /// Which files.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How Data.db is to be read.
    pub(crate) fn header(&self) -> &SerializationHeader {
        &self.header
    }

    /// False only if it does not hold this partition: key range and Bloom filter, no I/O.
    pub fn may_contain(&self, key: &PartitionKey) -> bool {
        if *key < self.metadata.first || *key > self.metadata.last {
            return false;
        }
        self.filter.as_ref().is_none_or(|filter| filter.may_contain(murmur3_x64_128(&key.key)))
    }

    /// What it holds of one partition; `None` if nothing. Rows of `slices` only (these in clustering order),
    /// the last first if `reversed`; the header always.
    pub fn read(
        self: &Arc<Self>,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        if !self.may_contain(key) {
            return Ok(None);
        }
        let Some(target) = self.partitions.find(key)? else { return Ok(None) };
        let cursor = self.cursor(table);
        let Some(source) = self.open_target(&self.layout(table)?, target, cursor, Some(key))? else {
            return Ok(None);
        };
        Ok(Some(stream::open(source, slices, reversed)))
    }

    /// Its partitions after `start` up to and including `end`, in order.
    pub fn scan(
        self: &Arc<Self>,
        table: &Arc<Table>,
        start: Option<Position>,
        end: Option<Position>,
        slices: Slices,
        reversed: bool,
    ) -> Result<Box<dyn PartitionIterator>, ReadError> {
        Ok(Box::new(Scan::new(self.clone(), table, start, end, slices, reversed)?))
    }

    /// A place in Data.db for reads under this table.
    pub(crate) fn cursor(&self, table: &Table) -> DataCursor {
        DataCursor::new(self.data.clone(), 0, table.options.crc_check_chance)
    }

    /// How its columns map to those of `table`.
    pub(crate) fn layout(&self, table: &Arc<Table>) -> Result<Arc<Layout>, ReadError> {
        let mut held = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, layout)) = &*held
            && Arc::ptr_eq(of, table)
        {
            return Ok(layout.clone());
        }
        let layout = Arc::new(Layout::new(&self.header, table)?);
        *held = Some((table.clone(), layout.clone()));
        Ok(layout)
    }

    /// Opens the partition at a target; `None` if it is another than `wanted`.
    pub(crate) fn open_target(
        self: &Arc<Self>,
        layout: &Arc<Layout>,
        target: Target,
        mut cursor: DataCursor,
        wanted: Option<&PartitionKey>,
    ) -> Result<Option<Source>, ReadError> {
        let (position, entry) = match target {
            Target::Data(position) => (position, None),
            Target::Rows(position) => {
                let entry = rows::entry(&self.rows, position)?;
                (entry.data, Some(entry))
            }
        };
        if let (Some(entry), Some(wanted)) = (&entry, wanted)
            && *entry.key != *wanted.key
        {
            return Ok(None);
        }
        if position >= self.data.data_bytes() {
            let found = "a partition lies behind the end of Data.db";
            return Err(ReadError::corrupt(Component::Partitions, 0, found));
        }
        cursor.seek(position);
        let indexed = entry.is_some();
        let source = Source::open(self.clone(), layout.clone(), cursor, entry, wanted)?;
        if source.is_none() && indexed {
            let found = format!("its entry for byte {position} of Data.db has another key");
            return Err(ReadError::corrupt(Component::Rows, 0, found));
        }
        Ok(source)
    }
}

fn metadata(
    statistics: &Statistics,
    index: &PartitionIndex,
    data_bytes: u64,
    bytes_on_disk: u64,
) -> Metadata {
    let stats = &statistics.stats;
    Metadata {
        partitioner: Partitioner::Murmur3,
        first: index.first.clone(),
        last: index.last.clone(),
        partitions: index.count,
        rows: stats.rows.max(0) as u64,
        columns: stats.columns.max(0) as u64,
        min_timestamp_us: stats.min_timestamp_us,
        max_timestamp_us: stats.max_timestamp_us,
        min_local_deletion_s: stats.min_local_deletion_s,
        max_local_deletion_s: stats.max_local_deletion_s,
        min_ttl_s: stats.min_ttl_s,
        max_ttl_s: stats.max_ttl_s,
        bases: statistics.header.bases,
        covered: stats.covered.clone(),
        has_partition_deletions: stats.has_partition_deletions,
        has_statics: !statistics.header.statics.is_empty(),
        commit_log_intervals: stats.commit_log_intervals.clone(),
        host_id: stats.host_id,
        level: stats.level,
        repaired_at_ms: stats.repaired_at_ms,
        pending_repair: stats.pending_repair,
        compression_ratio: stats.compression_ratio,
        droppable: stats.droppable.clone(),
        data_bytes,
        bytes_on_disk,
    }
}

/// The component files of one SSTable.
struct Files<'a> {
    disk: &'a Arc<dyn Disk>,
    descriptor: &'a Descriptor,
}

impl Files<'_> {
    fn data(&self) -> Result<DataFile, ReadError> {
        let component = Component::Data;
        let io = |source| ReadError::io(component, 0, source);
        let file = self.disk.open(&self.descriptor.path(component), OpenMode::Read).map_err(io)?;
        let file_bytes = file.bytes().map_err(io)?;
        match self.whole(Component::CompressionInfo)? {
            Some(bytes) => {
                Ok(DataFile::compressed(file, file_bytes, CompressionInfo::parse(&bytes, file_bytes)?))
            }
            None => DataFile::plain(file, file_bytes, self.whole(Component::Crc)?.as_deref()),
        }
    }

    fn pages(&self, component: Component) -> Result<Pages, ReadError> {
        let file = self.disk.open(&self.descriptor.path(component), OpenMode::Read);
        Pages::open(component, file.map_err(|source| ReadError::io(component, 0, source))?)
    }

    fn required(&self, component: Component) -> Result<Vec<u8>, ReadError> {
        self.whole(component)?.ok_or_else(|| ReadError::Io {
            component,
            source: io::Error::new(io::ErrorKind::NotFound, "it is missing"),
        })
    }

    /// All bytes of a component; `None` if it is not there.
    fn whole(&self, component: Component) -> Result<Option<Vec<u8>>, ReadError> {
        let error = |source| ReadError::io(component, 0, source);
        let file = match self.disk.open(&self.descriptor.path(component), OpenMode::Read) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(error(source)),
        };
        let count = file.bytes().map_err(error)?;
        if count > WHOLE_BYTES_MAX {
            return Err(ReadError::corrupt(component, 0, format!("{count} bytes are more than it can have")));
        }
        let mut bytes = vec![0; count as usize];
        file.read_exact_at(&mut bytes, 0).map_err(error)?;
        Ok(Some(bytes))
    }

    /// Bytes of all components together.
    fn bytes(&self) -> Result<u64, ReadError> {
        let mut sum = 0;
        for component in Component::ALL {
            match self.disk.open(&self.descriptor.path(component), OpenMode::Read) {
                Ok(file) => sum += file.bytes().map_err(|source| ReadError::io(component, 0, source))?,
                Err(source) if source.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ReadError::io(component, 0, source)),
            }
        }
        Ok(sum)
    }
}
