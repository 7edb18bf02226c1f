//! Measurements, run by hand: `cargo test -p storage --release -- --ignored --nocapture compaction_speed`.
//!
//! `COMPACTION_ROWS` (default 1,000,000): rows in all inputs together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{
    Cell, Clustering, Column, ColumnData, ColumnId, ColumnKind, CqlType, Liveness, Mutation, PartitionKey,
    PartitionUpdate, Row, Table,
};

use super::super::support::{on_real, open, options, table_in};
use super::rich::files;
use crate::{CompactScope, FlushTarget, SyncMode};

/// CPU time of this process: nothing else runs in it.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// `(k blob, c bigint, v text, n int, PRIMARY KEY (k, c))`
fn speed_table() -> Arc<Table> {
    let mut table = table_in("ks", "speed", 300);
    table.clustering[0].ty = CqlType::Bigint;
    table.regulars.push(Column {
        id: ColumnId(3),
        name: "w".into(),
        ty: CqlType::Int,
        kind: ColumnKind::Regular,
        position: 0,
        reversed: false,
    });
    table.next_column_id = 4;
    Arc::new(table)
}

fn row(table: &Arc<Table>, partition: u64, place: u64, timestamp_us: i64) -> Mutation {
    let value = Bytes::copy_from_slice(&(place as i64).to_be_bytes());
    let mut row = Row::empty(Clustering::new(vec![Some(value)], &table.clustering_types()));
    row.liveness = Liveness { timestamp_us, ..Liveness::NONE };
    let seed = partition.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place;
    let text =
        format!("{:016x} is a value of some length {:016x}", seed, seed.rotate_left(23).wrapping_mul(77));
    row.columns.push((ColumnId(2), ColumnData::Cell(Cell::live(timestamp_us, text.into()))));
    let number = Bytes::copy_from_slice(&(seed as u32).to_be_bytes());
    row.columns.push((ColumnId(3), ColumnData::Cell(Cell::live(timestamp_us, number))));
    let update = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
    let key = PartitionKey::new(Bytes::copy_from_slice(&partition.to_be_bytes()));
    Mutation { table: table.clone(), key, update }
}

#[test]
#[ignore = "a measurement"]
fn compaction_speed() {
    let rows: u64 = std::env::var("COMPACTION_ROWS").map_or(1_000_000, |text| text.parse().unwrap());
    type Place = fn(u64, u64) -> (u64, u64);
    let shapes: [(&str, Place); 4] = [
        ("partitions of one row, each in one input", |input, n| (n << 8 | input, 0)),
        ("partitions of 1,000 rows, each in one input", |input, n| ((n / 1_000) << 8 | input, n % 1_000)),
        ("partitions of 1,000 rows in all inputs", |input, n| (n / 250, n % 250 * 4 + input)),
        ("every row in all inputs", |_, n| (n / 100, n % 100)),
    ];
    for (name, place) in shapes {
        on_real("compaction-speed", move |runtime, dir| async move {
            let table = speed_table();
            let mut options = options(&dir);
            options.auto_compaction = false;
            options.compaction_throughput_mib_per_s = 0;
            options.commit_log_sync = SyncMode::Periodic { period: Duration::from_secs(10) };
            options.memtable_bytes_total = 4 << 30;
            options.commitlog_bytes_total = 16 << 30;
            let engine = open(&runtime, options, &[&table]);
            for input in 0..4 {
                for from in (0..rows / 4).step_by(500) {
                    let all: Vec<_> = (from..(from + 500).min(rows / 4))
                        .map(|n| {
                            let (partition, at) = place(input, n);
                            row(&table, partition, at, 1_700_000_000_000_000 + (n * 4 + input) as i64)
                        })
                        .collect();
                    drop(engine.apply(&all).unwrap());
                }
                engine.flush(FlushTarget::All).await.unwrap();
            }
            let disk_bytes = engine.table_stats(table.id).unwrap().sstables_bytes;
            let begun = cpu_time();
            engine.compact(&[table.id], CompactScope::All).await.unwrap();
            let took = (cpu_time() - begun).as_secs_f64();
            let bytes = engine.compaction_stats().bytes_compacted as f64 / 1e6;
            println!(
                "{name}: {bytes:.0} MB of data ({:.0} MB on the disk) in {took:.2} CPU s: {:.0} MB/s ({:.0}), {:.0} ns a row",
                disk_bytes as f64 / 1e6,
                bytes / took,
                disk_bytes as f64 / 1e6 / took,
                took * 1e9 / rows as f64
            );
            assert!(!files(&runtime, Path::new(&dir), &table).0.is_empty());
        });
    }
}
