//! Reads measured, run by hand: `cargo test -p storage --release -- --ignored --nocapture read_speed`.
//!
//! CPU of this thread alone, all from one SSTable in the cache.

use std::cell::Cell;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use model::partition::PartitionStream;
use model::{
    Bound, BoundKind, Clustering, ColumnData, PartitionSelection, PartitionUpdate, ReadCommand, Row, Slice,
    Slices, Table, Unfiltered,
};
use model::{ColumnId, CqlType, Liveness, Mutation, PlainParts, PlainRow};

use super::speed::cpu_time;
use super::support::{key, on_real, open, options, table_in};
use crate::{FlushTarget, waiting};

const PARTITIONS: u32 = 200;
const ROWS: u32 = 1000;

/// `(k blob, c int, v text, PRIMARY KEY (k, c))`
fn wide_table() -> std::sync::Arc<Table> {
    let mut table = table_in("ks", "wide", 200);
    table.clustering[0].ty = CqlType::Int;
    std::sync::Arc::new(table)
}

fn clustering(table: &Table, place: u32) -> Clustering {
    let value = bytes::Bytes::copy_from_slice(&place.to_be_bytes());
    Clustering::new(vec![Some(value)], &table.clustering_types())
}

/// Reads as queries do.
fn count_rows(stream: &mut dyn PartitionStream) -> u32 {
    let mut count = 0;
    let mut parts = PlainParts::default();
    loop {
        if IN_PLACE.get() {
            let take = &mut |row: &PlainRow<'_>| {
                black_box(row);
                ControlFlow::Continue(())
            };
            count += stream.plain_rows(&mut parts, take).unwrap() as u32;
        }
        let Some(unfiltered) = stream.next().unwrap() else { return count };
        count += u32::from(matches!(black_box(unfiltered), Unfiltered::Row(_)));
    }
}

thread_local! {
    /// Rows are looked at where they stand if they can be.
    static IN_PLACE: Cell<bool> = const { Cell::new(false) };
}

#[test]
#[ignore = "a measurement"]
fn read_speed() {
    on_real("read-speed", |runtime, dir| async move {
        let table = wide_table();
        let engine = open(&runtime, options(&dir), &[&table]);
        for number in 0..PARTITIONS {
            let mut rows = Vec::new();
            for place in 0..ROWS {
                let mut row = Row::empty(clustering(&table, place));
                row.liveness = Liveness { timestamp_us: 1_700_000_000_000_000, ..Liveness::NONE };
                let value = format!("value {number} of {place}, thirty-two b");
                let cell = model::Cell::live(1_700_000_000_000_000, value.into());
                row.columns.push((ColumnId(2), ColumnData::Cell(cell)));
                rows.push(row);
            }
            let update = PartitionUpdate { rows, ..PartitionUpdate::default() };
            let mutation = Mutation { table: table.clone(), key: key(number), update };
            engine.apply(&[mutation]).unwrap().synced().await.unwrap();
        }
        let scan = || {
            let command = ReadCommand {
                table: table.clone(),
                partitions: PartitionSelection::Range { start: None, end: None },
                slices: Slices::all(),
                reversed: false,
            };
            let mut count = 0_u32;
            let mut partitions = engine.read(&command).unwrap();
            while let Some(mut partition) = partitions.next_partition().unwrap() {
                count += count_rows(&mut *partition);
            }
            assert_eq!(count, PARTITIONS * ROWS);
        };
        let slices = |reversed: bool| {
            for number in 0..PARTITIONS * 10 {
                let from = number * 7919 % (ROWS - 100);
                let bound = |kind, place| {
                    Bound::new(kind, clustering(&table, place).values, &table.clustering_types())
                };
                let slice = Slice {
                    start: bound(BoundKind::InclusiveStart, from),
                    end: bound(BoundKind::ExclusiveEnd, from + 100),
                };
                let key = key(number % PARTITIONS);
                let slices = Slices(vec![slice]);
                let mut stream = engine.read_partition(&table, &key, &slices, reversed).unwrap().unwrap();
                assert_eq!(count_rows(&mut *stream), 100);
            }
        };
        let points = || {
            for number in 0..PARTITIONS * 10 {
                let values = clustering(&table, number * 7919 % ROWS).values;
                let bound = |kind| Bound::new(kind, values.clone(), &table.clustering_types());
                let slice =
                    Slice { start: bound(BoundKind::InclusiveStart), end: bound(BoundKind::InclusiveEnd) };
                let (key, slices) = (key(number % PARTITIONS), Slices(vec![slice]));
                let mut stream = engine.read_partition(&table, &key, &slices, false).unwrap().unwrap();
                assert_eq!(count_rows(&mut *stream), 1);
            }
        };
        let measure = |what: &str, count: u32, run: &dyn Fn()| {
            waiting(run);
            let mut best = Duration::MAX;
            for _ in 0..5 {
                let begun = cpu_time();
                waiting(run);
                best = best.min(cpu_time() - begun);
            }
            println!("{what}: {:.0} a CPU-second", f64::from(count) / best.as_secs_f64());
        };
        let both = |from: &str| {
            for in_place in [false, true] {
                IN_PLACE.set(in_place);
                let from = format!("{from}, {}", if in_place { "in place" } else { "taken out" });
                measure(&format!("{from}: rows scanned"), PARTITIONS * ROWS, &scan);
                measure(&format!("{from}: slices of 100 rows"), PARTITIONS * 10, &|| slices(false));
                measure(&format!("{from}: reverse slices of 100 rows"), PARTITIONS * 10, &|| slices(true));
                measure(&format!("{from}: point reads"), PARTITIONS * 10, &points);
            }
        };
        both("memtable");
        engine.flush(FlushTarget::All).await.unwrap();
        both("SSTable");
        println!("{:?}", engine.cache_stats(crate::CacheKind::Block));
    });
}
