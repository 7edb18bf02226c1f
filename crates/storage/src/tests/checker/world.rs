//! The engine under test: operations are carried out, reads are compared.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::partition::PartitionStream;
use model::read::{Place as RingPlace, Position};
use model::schema::{Caching, DroppedColumn, TableOptions};
use model::{
    Bound, BoundKind, Cell, Clustering, Column, ColumnData, ColumnId, ColumnKind, CqlType, DeletionTime,
    Liveness, Mutation, PartitionKey, PartitionSelection, PartitionUpdate, RangeTombstone, ReadCommand, Row,
    Slice, Slices, Table, TableId, Unfiltered,
};
use runtime::Runtime;
use uuid::Uuid;

use super::Tally;
use super::expected::{COLUMNS, Definition, Shown, ShownPartition, ShownRow, Write, partition};
use super::operations::{
    Cells, Change, Edge, Operation, Place, Reading, SetMap, SetText, operation, racing_write,
};
use crate::tests::planted::DURING_HEAD_READ;
use crate::tests::support::{key, open, options, schema};
use crate::{CacheKind, CompactScope, Engine, FlushTarget};

/// Longer than a timestamp may be late.
const GC_GRACE_S: i32 = 20;

/// Why a life of the node ended.
pub(super) enum End {
    Done,
    Restart,
    PowerLoss,
}

pub(super) struct World {
    seed: u64,
    count: u64,
    position: u64,
    definition: Definition,
    table: Arc<Table>,
    writes: Vec<Write>,
    partitions: Vec<u32>,
    pub tally: Tally,
}

fn column(id: u32, name: &str, ty: CqlType, kind: ColumnKind, position: u32) -> Column {
    Column { id: ColumnId(id), name: name.into(), ty, kind, position, reversed: false }
}

fn map_type() -> CqlType {
    CqlType::map(CqlType::Tinyint, CqlType::Text, false)
}

/// `CREATE TABLE h (k blob, c tinyint, d tinyint, stext text static, text text, …)` with the columns that come and go.
fn new_table(is_reversed: bool) -> Table {
    let mut table = Table {
        id: TableId(Uuid::from_u128(300)),
        keyspace: "ks".into(),
        name: "h".into(),
        partition_key: vec![column(0, "k", CqlType::Blob, ColumnKind::PartitionKey, 0)],
        clustering: vec![
            column(1, "c", CqlType::Tinyint, ColumnKind::Clustering, 0),
            column(2, "d", CqlType::Tinyint, ColumnKind::Clustering, 1),
        ],
        statics: vec![column(3, "stext", CqlType::Text, ColumnKind::Static, 0)],
        regulars: vec![column(4, "text", CqlType::Text, ColumnKind::Regular, 0)],
        is_counter: false,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 5,
    };
    table.clustering[1].reversed = is_reversed;
    for index in 0..COLUMNS.len() {
        add_column(&mut table, index);
    }
    table
}

/// Each strategy in turn, with options that make it work on little data.
fn table_options(seed: u64) -> TableOptions {
    let (class, options) = match seed % 4 {
        0 => ("SizeTiered", vec![("min_threshold", "3")]),
        1 => ("Leveled", vec![("sstable_size_in_mb", "1"), ("min_threshold", "2")]),
        2 => ("TimeWindow", vec![("compaction_window_unit", "MINUTES"), ("compaction_window_size", "2")]),
        _ => ("Unified", vec![("scaling_parameters", "L4, T3"), ("min_sstable_size", "0B")]),
    };
    let mut compaction: BTreeMap<String, String> =
        options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    compaction
        .insert("class".to_owned(), format!("org.apache.cassandra.db.compaction.{class}CompactionStrategy"));
    let caching = Caching { keys: "ALL".to_owned(), rows_per_partition: cached_rows(seed).to_owned() };
    TableOptions { gc_grace_seconds: GC_GRACE_S, compaction, caching, ..TableOptions::default() }
}

/// What the row cache keeps of a partition: in two of three runs the head, or all of it.
fn cached_rows(seed: u64) -> &'static str {
    ["3", "NONE", "ALL"][(seed / 2 % 3) as usize]
}

fn kind_of(index: usize) -> (CqlType, ColumnKind) {
    let ty = if index % 2 == 1 { map_type() } else { CqlType::Text };
    (ty, if index < 2 { ColumnKind::Regular } else { ColumnKind::Static })
}

fn add_column(table: &mut Table, index: usize) {
    let (ty, kind) = kind_of(index);
    let added = column(table.next_column_id, COLUMNS[index], ty, kind, 0);
    table.next_column_id += 1;
    let columns = if index < 2 { &mut table.regulars } else { &mut table.statics };
    columns.push(added);
    columns.sort_by(|a, b| a.name.cmp(&b.name));
}

fn drop_column(table: &mut Table, index: usize, dropped_at_us: i64) {
    let (ty, kind) = kind_of(index);
    table.regulars.retain(|column| &*column.name != COLUMNS[index]);
    table.statics.retain(|column| &*column.name != COLUMNS[index]);
    let dropped = DroppedColumn { name: COLUMNS[index].into(), ty, kind, dropped_at_us };
    table.dropped.insert(COLUMNS[index].into(), dropped);
}

impl World {
    pub(super) fn new(seed: u64, count: u64) -> World {
        let is_reversed = seed % 2 == 1;
        World {
            seed,
            count,
            position: 0,
            definition: Definition { is_reversed, columns: [true; 4], dropped_at_us: [i64::MIN; 4] },
            table: Arc::new(Table { options: table_options(seed), ..new_table(is_reversed) }),
            writes: Vec::new(),
            partitions: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Lives until the node ends, or a read shows something else than what is expected.
    pub(super) async fn live(&mut self, runtime: &Runtime) -> Result<End, String> {
        let mut options = options(Path::new("/node"));
        options.segment_bytes = 1 << 16;
        // Room for a part of the partitions that are read at the same time.
        options.row_cache_bytes = 1 << 15;
        options.row_cache_save_period = Duration::from_secs(30);
        options.auto_compaction = !self.seed.is_multiple_of(5);
        let engine = open(runtime, options, &[&self.table]);
        let end = self.live_with(&engine, runtime).await;
        let rows = engine.cache_stats(CacheKind::Row);
        self.tally.row_hits += rows.hits;
        self.tally.row_misses += rows.requests - rows.hits;
        end
    }

    async fn live_with(&mut self, engine: &Arc<Engine>, runtime: &Runtime) -> Result<End, String> {
        while self.position < self.count {
            let position = self.position;
            let operation = operation(self.seed, position);
            // Eight operations a second.
            runtime.sleep(Duration::from_millis(125)).await;
            match self.carry_out(engine, runtime, &operation).await {
                Ok(None) => self.position += 1,
                Ok(Some(end)) => {
                    self.position += 1;
                    return Ok(end);
                }
                Err(error) => return Err(format!("position {position}, {operation:?}:\n{error}")),
            }
        }
        self.scan(engine, runtime, 3).map_err(|error| format!("at the end:\n{error}"))?;
        Ok(End::Done)
    }

    async fn carry_out(
        &mut self,
        engine: &Arc<Engine>,
        runtime: &Runtime,
        operation: &Operation,
    ) -> Result<Option<End>, String> {
        let failed = |error: crate::OpenError| error.to_string();
        match operation {
            Operation::Write { partition, late_s, slot, change } => {
                self.write(engine, runtime, *partition, *late_s, *slot, change).await?;
            }
            Operation::Read { partition, reading } => {
                let racing = match reading {
                    Reading::Slices { .. } => racing_write(self.seed, self.position, *partition),
                    // Its second page would show the write.
                    Reading::Pages { .. } => None,
                };
                match racing {
                    Some(write) => self.read_and_write(engine, runtime, *partition, reading, &write).await?,
                    None => self.read(engine, runtime, *partition, reading)?,
                }
            }
            Operation::Scan { partitions_count } => self.scan(engine, runtime, *partitions_count)?,
            Operation::Flush => {
                self.tally.flushes += 1;
                engine.flush(FlushTarget::All).await.map_err(failed)?;
            }
            Operation::Compact => {
                self.tally.compactions += 1;
                engine.compact(&[self.table.id], CompactScope::All).await.map_err(failed)?;
            }
            Operation::Restart => {
                self.tally.restarts += 1;
                return Ok(Some(End::Restart));
            }
            Operation::PowerLoss => {
                self.tally.power_losses += 1;
                return Ok(Some(End::PowerLoss));
            }
            Operation::ChangeSchema { column } => self.change_schema(engine, runtime, *column).await?,
            Operation::Wait { seconds } => runtime.sleep(Duration::from_secs(*seconds)).await,
        }
        Ok(None)
    }

    async fn change_schema(
        &mut self,
        engine: &Engine,
        runtime: &Runtime,
        index: usize,
    ) -> Result<(), String> {
        self.tally.schema_changes += 1;
        let mut table = Table::clone(&self.table);
        if self.definition.columns[index] {
            let dropped_at_us = runtime.clock().wall_us();
            drop_column(&mut table, index, dropped_at_us);
            self.definition.dropped_at_us[index] = dropped_at_us;
        } else {
            // So that nothing that is written from now on seems to be older than the drop.
            runtime.sleep(Duration::from_secs(super::operations::LATE_S as u64 + 2)).await;
            add_column(&mut table, index);
        }
        self.definition.columns[index] = !self.definition.columns[index];
        self.table = Arc::new(table);
        engine.update_tables(&schema(&[&self.table])).map_err(|error| error.to_string())
    }

    /// A read, and a write that comes while it reads if it reads long enough, and right behind it if not. Either way
    /// the read shows nothing of it.
    async fn read_and_write(
        &mut self,
        engine: &Arc<Engine>,
        runtime: &Runtime,
        number: u32,
        reading: &Reading,
        racing: &Operation,
    ) -> Result<(), String> {
        let Operation::Write { late_s, slot, change, .. } = racing else { unreachable!("it is a write") };
        let Some((mutation, write)) = self.mutation(runtime, number, *late_s, *slot, change) else {
            return self.read(engine, runtime, number, reading);
        };
        let applied = Rc::new(RefCell::new(None));
        let apply = {
            let (engine, applied) = (engine.clone(), applied.clone());
            move || *applied.borrow_mut() = Some(engine.apply(&[mutation]))
        };
        DURING_HEAD_READ.set(Some(Box::new(apply)));
        let shown = self.read(engine, runtime, number, reading);
        match DURING_HEAD_READ.take() {
            Some(apply) => apply(),
            None => self.tally.races += 1,
        }
        shown?;
        let commit = applied.borrow_mut().take().expect("it ran").map_err(|error| error.to_string())?;
        commit.synced().await.map_err(|error| error.to_string())?;
        self.note_write(write);
        Ok(())
    }

    fn note_write(&mut self, write: Write) {
        self.tally.writes += 1;
        if !self.partitions.contains(&write.partition) {
            self.partitions.push(write.partition);
        }
        self.writes.push(write);
    }

    /// The mutation, and what the model is told of it; `None`: it is an empty range.
    fn mutation(
        &self,
        runtime: &Runtime,
        number: u32,
        late_s: i64,
        slot: i64,
        change: &Change,
    ) -> Option<(Mutation, Write)> {
        if let Change::DeleteRange(start, end) = change
            && self.bound(start, true).order >= self.bound(end, false).order
        {
            return None;
        }
        let at_s = runtime.clock().wall_s();
        let timestamp_us = (at_s - late_s) * 1_000_000 + slot;
        let update = self.update(change, timestamp_us, at_s);
        let mutation = Mutation { table: self.table.clone(), key: key(number), update };
        let columns = self.definition.columns;
        let write = Write { partition: number, timestamp_us, at_s, change: change.clone(), columns };
        Some((mutation, write))
    }

    async fn write(
        &mut self,
        engine: &Engine,
        runtime: &Runtime,
        number: u32,
        late_s: i64,
        slot: i64,
        change: &Change,
    ) -> Result<(), String> {
        let Some((mutation, write)) = self.mutation(runtime, number, late_s, slot, change) else {
            return Ok(());
        };
        let commit = engine.apply(&[mutation]).map_err(|error| error.to_string())?;
        commit.synced().await.map_err(|error| error.to_string())?;
        self.note_write(write);
        Ok(())
    }

    fn update(&self, change: &Change, timestamp_us: i64, at_s: i64) -> PartitionUpdate {
        let deletion = DeletionTime { timestamp_us, local_deletion_s: at_s as u32 };
        let mut update = PartitionUpdate::default();
        match change {
            Change::DeletePartition => update.deletion = deletion,
            Change::DeleteRange(start, end) => {
                let (start, end) = (self.bound(start, true), self.bound(end, false));
                update.range_tombstones.push(RangeTombstone { start, end, deletion });
            }
            Change::DeleteRow(place) => {
                let mut row = Row::empty(self.clustering(*place));
                row.deletion = deletion;
                update.rows.push(row);
            }
            Change::Row { place, has_marker, cells } => {
                let mut row = Row::empty(self.clustering(*place));
                if *has_marker {
                    row.liveness = match cells.ttl_s {
                        Some(ttl_s) => Liveness {
                            timestamp_us,
                            ttl_s,
                            local_deletion_s: (at_s + i64::from(ttl_s)) as u32,
                        },
                        None => Liveness { timestamp_us, ..Liveness::NONE },
                    };
                }
                row.columns = self.columns(cells, timestamp_us, at_s, ["text", COLUMNS[0], COLUMNS[1]]);
                if !row.is_empty() {
                    update.rows.push(row);
                }
            }
            Change::Static { cells } => {
                let mut row = Row::empty(Clustering::EMPTY);
                row.columns = self.columns(cells, timestamp_us, at_s, ["stext", COLUMNS[2], COLUMNS[3]]);
                update.static_row = (!row.is_empty()).then_some(row);
            }
        }
        update
    }

    fn columns(
        &self,
        cells: &Cells,
        timestamp_us: i64,
        at_s: i64,
        names: [&str; 3],
    ) -> Vec<(ColumnId, ColumnData)> {
        let live = |value: &str| {
            let value = Bytes::copy_from_slice(value.as_bytes());
            match cells.ttl_s {
                Some(ttl_s) => Cell::expiring(timestamp_us, ttl_s, (at_s + i64::from(ttl_s)) as u32, value),
                None => Cell::live(timestamp_us, value),
            }
        };
        let gone = || Cell::tombstone(timestamp_us, at_s as u32);
        let simple = |set: &SetText| {
            let value = set.as_ref()?;
            Some(ColumnData::Cell(value.as_deref().map_or_else(gone, live)))
        };
        let path = |key: i8| Bytes::copy_from_slice(&key.to_be_bytes());
        let deletion = |timestamp_us: i64| DeletionTime { timestamp_us, local_deletion_s: at_s as u32 };
        let map = cells.map.as_ref().map(|set| match set {
            SetMap::Put(key, value) => {
                ColumnData::Complex { deletion: DeletionTime::LIVE, cells: vec![(path(*key), live(value))] }
            }
            SetMap::Remove(key) => {
                ColumnData::Complex { deletion: DeletionTime::LIVE, cells: vec![(path(*key), gone())] }
            }
            SetMap::Clear => ColumnData::Complex { deletion: deletion(timestamp_us), cells: Vec::new() },
            SetMap::Replace(all) => ColumnData::Complex {
                deletion: deletion(timestamp_us - 1),
                cells: all.iter().map(|(key, value)| (path(*key), live(value))).collect(),
            },
        });
        let data = [simple(&cells.text), simple(&cells.other), map];
        let mut columns: Vec<(ColumnId, ColumnData)> = names
            .iter()
            .zip(data)
            .filter_map(|(name, data)| Some((self.table.column(name)?.id, data?)))
            .collect();
        columns.sort_by_key(|(id, _)| *id);
        columns
    }

    fn clustering(&self, place: Place) -> Clustering {
        let values = [place.0, place.1].map(|value| Some(Bytes::copy_from_slice(&value.to_be_bytes())));
        Clustering::new(values.to_vec(), &self.table.clustering_types())
    }

    fn bound(&self, edge: &Edge, is_start: bool) -> Bound {
        let kind = match (is_start, edge.is_inclusive) {
            (true, true) => BoundKind::InclusiveStart,
            (true, false) => BoundKind::ExclusiveStart,
            (false, true) => BoundKind::InclusiveEnd,
            (false, false) => BoundKind::ExclusiveEnd,
        };
        let values = edge.prefix.iter().map(|value| Some(Bytes::copy_from_slice(&value.to_be_bytes())));
        Bound::new(kind, values.collect(), &self.table.clustering_types())
    }

    fn expected(&self, number: u32, now_s: i64) -> ShownPartition {
        partition(&self.writes, number, now_s, &self.definition)
    }

    fn read(
        &mut self,
        engine: &Engine,
        runtime: &Runtime,
        number: u32,
        reading: &Reading,
    ) -> Result<(), String> {
        self.tally.reads += 1;
        let now_s = runtime.clock().wall_s();
        let mut expected = self.expected(number, now_s);
        let mut shown = ShownPartition::default();
        match reading {
            Reading::Slices { slices, is_reversed } => {
                let mut asked = Slices::all();
                if !slices.is_empty() {
                    let slice = |(start, end): &(Edge, Edge)| Slice {
                        start: self.bound(start, true),
                        end: self.bound(end, false),
                    };
                    asked =
                        Slices(slices.iter().map(slice).filter(|s| s.start.order < s.end.order).collect());
                    asked.0.sort_by(|a, b| a.start.order.cmp(&b.start.order));
                    let is_in = |place: &Place| {
                        slices.iter().any(|(start, end)| self.definition.covers(start, end, *place))
                    };
                    expected.rows.retain(|place, _| is_in(place));
                }
                let stream = engine
                    .read_partition(&self.table, &key(number), &asked, *is_reversed)
                    .map_err(|error| error.to_string())?;
                if let Some(mut stream) = stream {
                    self.show(&mut *stream, *is_reversed, now_s, usize::MAX, &mut shown)?;
                }
            }
            Reading::Pages { rows_count } => {
                let mut slices = Slices::all();
                // No more pages than there are rows, and the empty one at the end.
                for _ in 0..=expected.rows.len() / rows_count + 1 {
                    let stream = engine
                        .read_partition(&self.table, &key(number), &slices, false)
                        .map_err(|error| error.to_string())?;
                    let Some(mut stream) = stream else { break };
                    let Some(last) = self.show(&mut *stream, false, now_s, *rows_count, &mut shown)? else {
                        break;
                    };
                    let start = Edge { prefix: vec![last.0, last.1], is_inclusive: false };
                    slices = Slices(vec![Slice { start: self.bound(&start, true), end: Bound::top() }]);
                }
            }
        }
        self.tally.rows_seen += shown.rows.len() as u64;
        compare(&expected, &shown).map_err(|error| format!("partition {number} at {now_s}: {error}"))
    }

    /// Everything, so many partitions at once; all reads go on behind the last partition of the one before.
    fn scan(&mut self, engine: &Engine, runtime: &Runtime, partitions_count: usize) -> Result<(), String> {
        self.tally.scans += 1;
        let now_s = runtime.clock().wall_s();
        let mut start: Option<Position> = None;
        let mut found: BTreeMap<u32, ShownPartition> = BTreeMap::new();
        loop {
            let command = ReadCommand {
                table: self.table.clone(),
                partitions: PartitionSelection::Range { start: start.clone(), end: None },
                slices: Slices::all(),
                reversed: false,
            };
            let mut partitions = engine.read(&command).map_err(|error| error.to_string())?;
            let mut last: Option<PartitionKey> = None;
            for _ in 0..partitions_count {
                let next = partitions.next_partition().map_err(|error| error.to_string())?;
                let Some(mut stream) = next else {
                    last = None;
                    break;
                };
                let key = stream.header().key.clone();
                let mut shown = ShownPartition::default();
                self.show(&mut *stream, false, now_s, usize::MAX, &mut shown)?;
                let number = u32::from_be_bytes(key.key[..].try_into().expect("four bytes"));
                if found.insert(number, shown).is_some() {
                    return Err(format!("partition {number} comes twice"));
                }
                last = Some(key);
            }
            let Some(key) = last else { break };
            start = Some(Position { token: key.token, place: RingPlace::Key(key.key) });
        }
        for number in &self.partitions {
            let shown = found.remove(number).unwrap_or_default();
            compare(&self.expected(*number, now_s), &shown)
                .map_err(|error| format!("partition {number} in a scan at {now_s}: {error}"))?;
        }
        match found.keys().next() {
            Some(number) => Err(format!("partition {number}, which nobody wrote")),
            None => Ok(()),
        }
    }

    /// Adds what a stream shows of at most so many rows; the last of them if there may be more.
    fn show(
        &self,
        stream: &mut dyn PartitionStream,
        is_reversed: bool,
        now_s: i64,
        rows_count: usize,
        shown: &mut ShownPartition,
    ) -> Result<Option<Place>, String> {
        if let Some(row) = &stream.header().static_row {
            shown.statics = self.show_row(row, now_s)?;
        }
        let (mut count, mut before): (usize, Option<Vec<i16>>) = (0, None);
        while let Some(one) = stream.next().map_err(|error| error.to_string())? {
            let Unfiltered::Row(row) = one else { continue };
            let value =
                |index: usize| row.clustering.values[index].as_ref().map_or(0, |value| value[0] as i8);
            let place = (value(0), value(1));
            let rank = self.definition.rank(&[place.0, place.1]);
            if before.is_some_and(|before| if is_reversed { before <= rank } else { before >= rank }) {
                return Err(format!("row {place:?} out of order"));
            }
            before = Some(rank);
            let row = self.show_row(&row, now_s)?;
            if row.is_empty() {
                continue;
            }
            if shown.rows.insert(place, row).is_some() {
                return Err(format!("row {place:?} comes twice"));
            }
            count += 1;
            if count == rows_count {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn show_row(&self, row: &Row, now_s: i64) -> Result<ShownRow, String> {
        let now_s = now_s as u32;
        let mut shown = ShownRow::default();
        if row.liveness.is_live(now_s) {
            shown.marker = Some((row.liveness.timestamp_us, row.liveness.ttl_s));
        }
        let mut add = |name, key, cell: &Cell| {
            if cell.is_live(now_s) {
                let value = String::from_utf8(cell.value.to_vec()).map_err(|error| error.to_string())?;
                let (timestamp_us, ttl_s) = (cell.timestamp_us, cell.ttl_s);
                shown.cells.insert((name, key), Shown { timestamp_us, ttl_s, value });
            }
            Ok::<(), String>(())
        };
        for (id, data) in &row.columns {
            let column = self.table.column_by_id(*id).ok_or_else(|| format!("{id:?} is no column"))?;
            let names = ["text", "stext", "other", "map", "sother", "smap"];
            let name = *names.iter().find(|name| **name == &*column.name).expect("one of them");
            match data {
                ColumnData::Cell(cell) => add(name, None, cell)?,
                ColumnData::Complex { cells, .. } => {
                    for (path, cell) in cells {
                        add(name, Some(path[0] as i8), cell)?;
                    }
                }
            }
        }
        Ok(shown)
    }
}

/// What differs, row by row.
fn compare(expected: &ShownPartition, shown: &ShownPartition) -> Result<(), String> {
    if expected == shown {
        return Ok(());
    }
    let mut text = String::new();
    if expected.statics != shown.statics {
        text.push_str(&format!(
            "static row\n  expected {:?}\n  shown    {:?}\n",
            expected.statics, shown.statics
        ));
    }
    for place in expected.rows.keys().chain(shown.rows.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (expected, shown) = (expected.rows.get(place), shown.rows.get(place));
        if expected != shown {
            text.push_str(&format!("row {place:?}\n  expected {expected:?}\n  shown    {shown:?}\n"));
        }
    }
    Err(text)
}
