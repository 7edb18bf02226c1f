//! An open SSTable: what reads use.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use model::partition::{PartitionIterator, PartitionStream};
use model::read::Position;
use model::token::murmur3_x64_128;
use model::{PartitionKey, Slices, Table};
use runtime::{Disk, OpenMode};

use crate::cache::keys::{KeyCache, OwnKeys};
use crate::cache::{BlockCache, Caches, HeldRoom};
use crate::chunk::info::CompressionInfo;
use crate::chunk::reader::{DataCursor, DataFile};
use crate::cursor::describe;
use crate::descriptor::{Component, Descriptor, Version};
use crate::error::ReadError;
use crate::filter::Filter;
use crate::index::big::BigIndex;
use crate::index::partitions::PartitionIndex;
use crate::index::promoted::Shape;
use crate::index::{Index, Located};
use crate::metadata::Metadata;
use crate::partitioner::Partitioner;
use crate::row::columns::Layout;
use crate::row::deletion::Form;
use crate::scan::Scan;
use crate::source::Source;
use crate::statistics::Statistics;
use crate::statistics::header::SerializationHeader;
use crate::statistics::stats::{NO_COMPRESSION_RATIO, Stats};
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
    pub(crate) index: Index,
    pub(crate) filter: Option<Filter>,
    /// How the columns map to those of the table that was read last.
    layout: Mutex<Option<(Arc<Table>, Arc<Layout>)>>,
    /// Room for what it keeps in memory as long as it is open.
    _held: Option<HeldRoom>,
    /// The last field: its files are closed before.
    farewell: Farewell,
}

/// What is done once nobody reads it any more.
#[derive(Default)]
struct Farewell(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let work = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        work.into_iter().for_each(|work| work());
    }
}

impl SsTable {
    /// Opens it: reads and checks all but the partitions. Needs no schema.
    pub fn open(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Arc<SsTable>, ReadError> {
        SsTable::open_with(disk, descriptor, None, None)
    }

    /// Opens it for a scrub: filter, index and CRC.db are done without where they are missing or damaged; why is returned,
    /// too. Statistics.db, CompressionInfo.db and Data.db must be there: no other file says what stands in these.
    pub fn open_damaged(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
    ) -> Result<(Arc<SsTable>, Vec<ReadError>), ReadError> {
        let mut done_without = Vec::new();
        let sstable = SsTable::open_with(disk, descriptor, None, Some(&mut done_without))?;
        Ok((sstable, done_without))
    }

    /// As [`SsTable::open`]; what is read of its data and indexes goes through the caches.
    pub fn open_cached(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        caches: &Caches,
    ) -> Result<Arc<SsTable>, ReadError> {
        SsTable::open_with(disk, descriptor, Some(caches), None)
    }

    /// `done_without`: takes the errors of components that only look-ups need; without it each ends the opening.
    fn open_with(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        caches: Option<&Caches>,
        mut done_without: Option<&mut Vec<ReadError>>,
    ) -> Result<Arc<SsTable>, ReadError> {
        let mut spare = |error: ReadError| match &mut done_without {
            Some(list) => {
                list.push(error);
                Ok(())
            }
            None => Err(error),
        };
        let cache = caches.map(|caches| &caches.blocks);
        let files = Files { disk, descriptor, cache, keys: caches.map(|caches| &caches.keys) };
        let statistics = Statistics::parse(&files.required(Component::Statistics)?, descriptor.version)?;
        let partitioner = Partitioner::from_class(&statistics.partitioner, &statistics.header)?;
        let filter = match files.filter() {
            Ok(filter) => filter,
            Err(error) => {
                spare(error)?;
                None
            }
        };
        let stats = &statistics.stats;
        let data = match files.data(stats, true) {
            // A CRC.db with chunks of another size is garbage to a scrub.
            Err(
                error
                @ (ReadError::Corrupt { component: Component::Crc, .. } | ReadError::Unsupported { .. }),
            ) => {
                spare(error)?;
                files.data(stats, false)?
            }
            data => data?,
        };
        let opened = files.index(partitioner.clone(), &statistics.header);
        let index = match opened.and_then(|index| files.check_ends(&index, stats).map(|()| index)) {
            Ok(index) => index,
            Err(error) => {
                spare(error)?;
                Index::lost(partitioner, stats, data.data_bytes())
            }
        };
        let data = Arc::new(data);
        let metadata = metadata(&statistics, &index, &data, files.bytes()?);
        let held_bytes = filter.as_ref().map_or(0, Filter::bytes) + data.held_bytes() + index.held_bytes();
        let held = cache.map(|cache| cache.make_room(held_bytes as u64));
        Ok(Arc::new(SsTable {
            descriptor: descriptor.clone(),
            metadata,
            header: statistics.header,
            data,
            index,
            filter,
            layout: Mutex::new(None),
            _held: held,
            farewell: Farewell::default(),
        }))
    }

    /// Has `work` done when nobody holds this SSTable any more. It must not block: any thread may be the last.
    pub fn when_unused(&self, work: impl FnOnce() + Send + 'static) {
        *self.farewell.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(work));
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
        let partitioner = &self.metadata.partitioner;
        let is_before = |a, b| partitioner.compare(a, b).is_lt();
        if is_before(key, &self.metadata.first) || is_before(&self.metadata.last, key) {
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
        // Callers need not know what this SSTable's partitioner makes of a key.
        let key = &self.metadata.partitioner.key(key.key.clone());
        if !self.may_contain(key) {
            return Ok(None);
        }
        let is_cached = table.options.caching.has_keys();
        let Some(located) = self.index.find(key, is_cached)? else { return Ok(None) };
        let cursor = self.cursor(table);
        let Some(source) = self.open_located(&self.layout(table)?, located, cursor, Some(key))? else {
            return Ok(None);
        };
        Ok(Some(stream::open(source, slices, reversed)))
    }

    /// The number of its keys in the key cache ([`KeyCache::keys`]); `None`: it has none there, and never will.
    pub fn key_cache_number(&self) -> Option<u64> {
        match &self.index {
            Index::Big(big) => big.keys.as_ref().map(|keys| keys.sstable),
            Index::Bti { .. } | Index::Lost { .. } => None,
        }
    }

    /// Looks a partition up and keeps what the index says of it in the key cache.
    pub fn warm_key(&self, key: &PartitionKey) -> Result<(), ReadError> {
        let key = &self.metadata.partitioner.key(key.key.clone());
        match &self.index {
            Index::Big(big) if self.may_contain(key) => big.warm(key),
            Index::Big(_) | Index::Bti { .. } | Index::Lost { .. } => Ok(()),
        }
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
        self.data.set_crc_check_chance(table.options.crc_check_chance);
        DataCursor::new(self.data.clone(), 0)
    }

    /// How its columns map to those of `table`.
    pub(crate) fn layout(&self, table: &Arc<Table>) -> Result<Arc<Layout>, ReadError> {
        let mut held = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, layout)) = &*held
            && Arc::ptr_eq(of, table)
        {
            return Ok(layout.clone());
        }
        let layout = Arc::new(Layout::new(
            &self.header,
            table,
            Form::of(self.descriptor.version),
            self.metadata.partitioner.clone(),
        )?);
        *held = Some((table.clone(), layout.clone()));
        Ok(layout)
    }

    /// Opens the partition at a place; `None` if it is another than `wanted`.
    pub(crate) fn open_located(
        self: &Arc<Self>,
        layout: &Arc<Layout>,
        located: Located,
        mut cursor: DataCursor,
        wanted: Option<&PartitionKey>,
    ) -> Result<Option<Source>, ReadError> {
        let Located { data: position, key, rows } = located;
        if let (Some(key), Some(wanted)) = (&key, wanted)
            && **key != *wanted.key
        {
            return Ok(None);
        }
        if position >= self.data.data_bytes() {
            let found = "a partition lies behind the end of Data.db";
            return Err(ReadError::corrupt(self.index_component(), 0, found));
        }
        cursor.seek(position);
        let source = Source::open(self.clone(), layout.clone(), cursor, rows, wanted)?;
        let is_other = source
            .as_ref()
            .is_none_or(|source| key.as_ref().is_some_and(|key| **key != *source.header.key.key));
        if is_other && key.is_some() {
            let found = format!("its entry for byte {position} of Data.db has another key");
            return Err(ReadError::corrupt(self.index_component(), 0, found));
        }
        Ok(source)
    }

    fn index_component(&self) -> Component {
        index_component(self.descriptor.version)
    }
}

/// The component with the partitions' keys and places.
fn index_component(version: Version) -> Component {
    if version.is_bti() { Component::Partitions } else { Component::Index }
}

fn metadata(statistics: &Statistics, index: &Index, data: &DataFile, bytes_on_disk: u64) -> Metadata {
    let stats = &statistics.stats;
    Metadata {
        partitioner: index.partitioner().clone(),
        first: index.ends().0.clone(),
        last: index.ends().1.clone(),
        partitions: index.count(),
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
        data_bytes: data.data_bytes(),
        data_file_bytes: data.file_bytes(),
        bytes_on_disk,
    }
}

/// The component files of one SSTable.
struct Files<'a> {
    disk: &'a Arc<dyn Disk>,
    descriptor: &'a Descriptor,
    cache: Option<&'a Arc<BlockCache>>,
    keys: Option<&'a Arc<KeyCache>>,
}

impl Files<'_> {
    /// `None`: there is none, or an empty one.
    fn filter(&self) -> Result<Option<Filter>, ReadError> {
        let bytes = self.whole(Component::Filter)?.filter(|bytes| !bytes.is_empty());
        let parse = |bytes: Vec<u8>| Filter::parse(bytes, self.descriptor.version.is_3x());
        bytes
            .map(parse)
            .transpose()
            .map_err(|fault| ReadError::corrupt(Component::Filter, 0, describe(fault)))
    }

    /// First and last key must be those that the statistics say, in versions that do.
    fn check_ends(&self, index: &Index, stats: &Stats) -> Result<(), ReadError> {
        let (first, last) = index.ends();
        let has_ends = !self.descriptor.version.has_short_deletions();
        if has_ends && (*stats.first_key != *first.key || *stats.last_key != *last.key) {
            let found = "its first and last key are not those of Statistics.db";
            return Err(ReadError::corrupt(self.index_component(), 0, found));
        }
        Ok(())
    }

    fn data(&self, stats: &Stats, with_crcs: bool) -> Result<DataFile, ReadError> {
        let component = Component::Data;
        let io = |source| ReadError::io(component, 0, source);
        let file = self.disk.open(&self.descriptor.path(component), OpenMode::Read).map_err(io)?;
        let file_bytes = file.bytes().map_err(io)?;
        match self.whole(Component::CompressionInfo)? {
            Some(bytes) => {
                let info = CompressionInfo::parse(&bytes, file_bytes, self.descriptor.version.is_3x())?;
                Ok(DataFile::compressed(file, file_bytes, info, self.cache))
            }
            None => {
                let crcs = self.whole(Component::Crc)?;
                if crcs.is_none() && stats.compression_ratio != NO_COMPRESSION_RATIO {
                    let found = "it is missing, and Statistics.db says that Data.db is compressed";
                    return Err(ReadError::corrupt(Component::CompressionInfo, 0, found));
                }
                DataFile::plain(file, file_bytes, crcs.as_deref().filter(|_| with_crcs), self.cache)
            }
        }
    }

    fn index_component(&self) -> Component {
        index_component(self.descriptor.version)
    }

    fn index(&self, partitioner: Partitioner, header: &SerializationHeader) -> Result<Index, ReadError> {
        if self.descriptor.version.is_bti() {
            let partitions = PartitionIndex::open(self.pages(Component::Partitions)?, partitioner)?;
            return Ok(Index::Bti { partitions, rows: self.pages(Component::Rows)? });
        }
        let shape =
            Shape { clustering: header.clustering_types().into(), form: Form::of(self.descriptor.version) };
        let summary = self.whole(Component::Summary)?;
        let mut index =
            BigIndex::open(self.pages(Component::Index)?, summary.as_deref(), partitioner, shape)?;
        index.keys = self.keys.and_then(OwnKeys::new);
        Ok(Index::Big(index))
    }

    fn pages(&self, component: Component) -> Result<Pages, ReadError> {
        let file = self.disk.open(&self.descriptor.path(component), OpenMode::Read);
        Pages::open(component, file.map_err(|source| ReadError::io(component, 0, source))?, self.cache)
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
