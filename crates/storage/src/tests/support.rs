//! Tables, mutations and reads for the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::partition::{PartitionIterator, PartitionStream};
use model::schema::TableOptions;
use model::{
    Cell, Clustering, Column, ColumnData, ColumnId, ColumnKind, CqlType, Keyspace, Liveness, Mutation,
    PartitionKey, PartitionSelection, PartitionUpdate, ReadCommand, Row, Schema, Slices, Table, TableId,
    Unfiltered,
};
use runtime::Runtime;
use runtime::real::RealRuntime;
use runtime::sim::SimRuntime;
use uuid::Uuid;

use crate::{Engine, EngineOptions, OpenError};

pub(super) const HOST: Uuid = Uuid::from_u128(7);

fn column(id: u32, name: &str, ty: CqlType, kind: ColumnKind) -> Column {
    Column { id: ColumnId(id), name: name.into(), ty, kind, position: 0, reversed: false }
}

/// `CREATE TABLE keyspace.name (k blob, c tinyint, v text, PRIMARY KEY (k, c))`.
pub(super) fn table_in(keyspace: &str, name: &str, id: u128) -> Table {
    Table {
        id: TableId(Uuid::from_u128(id)),
        keyspace: keyspace.into(),
        name: name.into(),
        partition_key: vec![column(0, "k", CqlType::Blob, ColumnKind::PartitionKey)],
        clustering: vec![column(1, "c", CqlType::Tinyint, ColumnKind::Clustering)],
        statics: Vec::new(),
        regulars: vec![column(2, "v", CqlType::Text, ColumnKind::Regular)],
        is_counter: false,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 3,
    }
}

pub(super) fn table() -> Arc<Table> {
    Arc::new(table_in("ks", "t", 100))
}

/// A system table: in shard 0.
pub(super) fn system_table() -> Arc<Table> {
    Arc::new(table_in("system_schema", "tables", 1))
}

pub(super) fn schema(tables: &[&Arc<Table>]) -> Arc<Schema> {
    let mut keyspaces: BTreeMap<Arc<str>, Arc<Keyspace>> = BTreeMap::new();
    for table in tables {
        let keyspace = keyspaces.entry(table.keyspace.clone()).or_insert_with(|| {
            let class = "org.apache.cassandra.locator.SimpleStrategy".to_owned();
            Arc::new(Keyspace {
                name: table.keyspace.clone(),
                replication: BTreeMap::from([("class".to_owned(), class)]),
                durable_writes: true,
                tables: BTreeMap::new(),
                types: BTreeMap::new(),
            })
        });
        Arc::make_mut(keyspace).tables.insert(table.name.clone(), Arc::clone(table));
    }
    Arc::new(Schema { version: Uuid::nil(), keyspaces })
}

/// With small segments: the simulated disk holds them in memory.
pub(super) fn options(dir: &Path) -> EngineOptions {
    let segment_bytes = 1 << 18;
    EngineOptions {
        segment_bytes,
        max_mutation_bytes: segment_bytes as usize / 2,
        ..EngineOptions::new(dir.to_owned(), HOST)
    }
}

/// Opens an engine with these tables beside the system table.
pub(super) fn try_open(
    runtime: &Runtime,
    options: EngineOptions,
    tables: &[&Arc<Table>],
) -> Result<Arc<Engine>, OpenError> {
    let schema = schema(tables);
    Engine::open(runtime, options, vec![system_table()], |_| Ok(schema))
}

#[track_caller]
pub(super) fn open(runtime: &Runtime, options: EngineOptions, tables: &[&Arc<Table>]) -> Arc<Engine> {
    try_open(runtime, options, tables).unwrap_or_else(|error| panic!("cannot be opened: {error}"))
}

pub(super) fn key(number: u32) -> PartitionKey {
    PartitionKey::new(Bytes::copy_from_slice(&number.to_be_bytes()))
}

pub(super) fn clustering(place: u8) -> Clustering {
    let values = vec![Some(Bytes::copy_from_slice(&[place]))];
    Clustering { values, order: Bytes::copy_from_slice(&[0x40, place ^ 0x80, 0x38]) }
}

pub(super) fn put_into(
    table: &Arc<Table>,
    number: u32,
    place: u8,
    column: ColumnId,
    value: &str,
    timestamp_us: i64,
) -> Mutation {
    let mut row = Row::empty(clustering(place));
    row.liveness = Liveness { timestamp_us, ..Liveness::NONE };
    let cell = Cell::live(timestamp_us, Bytes::copy_from_slice(value.as_bytes()));
    row.columns.push((column, ColumnData::Cell(cell)));
    let update = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
    Mutation { table: table.clone(), key: key(number), update }
}

/// `INSERT INTO t (k, c, v) VALUES (number, place, value) USING TIMESTAMP timestamp_us`
pub(super) fn put(table: &Arc<Table>, number: u32, place: u8, value: &str, timestamp_us: i64) -> Mutation {
    put_into(table, number, place, ColumnId(2), value, timestamp_us)
}

/// Number, place and value of every cell of column `column`, in the order in which a full scan gives them.
pub(super) fn scan_column(engine: &Engine, table: &Arc<Table>, column: ColumnId) -> Vec<(u32, u8, String)> {
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start: None, end: None },
        slices: Slices::all(),
        reversed: false,
    };
    let mut partitions: Box<dyn PartitionIterator> = engine.read(&command).unwrap();
    let mut all = Vec::new();
    let mut last = None;
    while let Some(mut partition) = partitions.next_partition().unwrap() {
        let key = partition.header().key.clone();
        assert!(last.as_ref().is_none_or(|last| *last < key), "partitions ascend");
        let rows = rows_of(&mut *partition, column);
        // A read of the one partition gives the same.
        let mut single = engine.read_partition(table, &key, &Slices::all(), false).unwrap().unwrap();
        assert_eq!(rows_of(&mut *single, column), rows);
        let number = u32::from_be_bytes(key.key[..].try_into().unwrap());
        all.extend(rows.into_iter().map(|(place, value)| (number, place, value)));
        last = Some(key);
    }
    all
}

/// [`scan_column`] of `v`, sorted.
pub(super) fn scan(engine: &Engine, table: &Arc<Table>) -> Vec<(u32, u8, String)> {
    let mut all = scan_column(engine, table, ColumnId(2));
    all.sort();
    all
}

pub(super) fn rows_of(stream: &mut dyn PartitionStream, column: ColumnId) -> Vec<(u8, String)> {
    let mut rows = Vec::new();
    while let Some(one) = stream.next().unwrap() {
        if let Unfiltered::Row(row) = one {
            let place = row.clustering.order[1] ^ 0x80;
            if let Some(ColumnData::Cell(cell)) = row.column(column)
                && !cell.is_tombstone()
            {
                rows.push((place, String::from_utf8(cell.value.to_vec()).unwrap()));
            }
        }
    }
    rows
}

/// Runs a case on the machine and in simulations.
pub(super) fn on_both<Fut: Future<Output = ()> + 'static>(name: &str, case: fn(Runtime, PathBuf) -> Fut) {
    for seed in 0..10 {
        let sim = SimRuntime::with_shards(seed, 3);
        sim.block_on(move |runtime| case(runtime, PathBuf::from("/node")));
    }
    on_real(name, case);
}

pub(super) fn on_real<Fut: Future<Output = ()> + 'static>(
    name: &str,
    case: impl FnOnce(Runtime, PathBuf) -> Fut + Send + 'static,
) {
    let dir = std::env::temp_dir().join(format!("helenus-storage-{}-{name}", std::process::id()));
    let real = RealRuntime::start(2).unwrap();
    let disk = real.runtime().disk().clone();
    if disk.exists(&dir).unwrap() {
        disk.remove_dir_all(&dir).unwrap();
    }
    let case_dir = dir.clone();
    real.block_on(move |runtime| case(runtime, case_dir));
    // Work that nobody waits for ends first.
    drop(real);
    disk.remove_dir_all(&dir).unwrap();
}
