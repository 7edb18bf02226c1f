//! Cells of one timestamp: which one wins is written down here, and does not come out of the rule that is tested.
//! In the memtable, between memtable and SSTable, between SSTables, and after a compaction.

use std::path::Path;

use bytes::Bytes;
use model::{
    Bound, BoundKind, Cell, ColumnData, ColumnId, Mutation, PartitionUpdate, Row, Slice, Slices, Unfiltered,
};
use runtime::sim::SimRuntime;

use super::support::{clustering, key, open, options, table};
use crate::{CompactScope, FlushTarget};

/// Seconds that have not come, so that nothing is purged.
const LATER_S: u32 = 4_000_000_000;

/// Each beats all before it.
fn ascending() -> Vec<Cell> {
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    vec![
        Cell::tombstone(9, LATER_S),
        Cell::live(10, value("a")),
        Cell::live(10, value("b")),
        Cell::expiring(10, 5, LATER_S, value("a")),
        Cell::expiring(10, 5, LATER_S + 1, value("a")),
        Cell::expiring(10, 5, LATER_S + 1, value("b")),
        Cell::tombstone(10, LATER_S),
        Cell::tombstone(10, LATER_S + 1),
        Cell::live(11, value("")),
    ]
}

/// Whether the first and the second of two writes are flushed. A row that has a marker is whole: a read of it alone may
/// stop before older SSTables.
fn check(flushes: [bool; 2], has_marker: bool) {
    SimRuntime::with_shards(1, 1).block_on(move |runtime| async move {
        let table = table();
        let mut options = options(Path::new("/node"));
        options.auto_compaction = false;
        let engine = open(&runtime, options, &[&table]);
        let mut cells = ascending();
        if has_marker {
            // No file is newer than the cells that meet.
            cells.pop();
        }
        let mut pairs = Vec::new();
        for (index, loser) in cells.iter().enumerate() {
            for winner in &cells[index + 1..] {
                pairs.push(([loser, winner], winner));
                pairs.push(([winner, loser], winner));
            }
        }
        for (turn, is_flushed) in flushes.into_iter().enumerate() {
            for (number, (writes, _)) in pairs.iter().enumerate() {
                let mut row = Row::empty(clustering(1));
                if has_marker {
                    row.liveness.timestamp_us = writes[turn].timestamp_us;
                }
                row.columns = vec![(ColumnId(2), ColumnData::Cell(writes[turn].clone()))];
                let update = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
                let mutation = Mutation { table: table.clone(), key: key(number as u32), update };
                drop(engine.apply(&[mutation]).expect("a write"));
            }
            if is_flushed {
                engine.flush(FlushTarget::All).await.expect("a flush");
            }
        }
        let bound = |kind| Bound::new(kind, clustering(1).values, &table.clustering_types());
        let (start, end) = (bound(BoundKind::InclusiveStart), bound(BoundKind::InclusiveEnd));
        let one_row = Slices(vec![Slice { start, end }]);
        for step in ["written", "compacted"] {
            for (number, (writes, winner)) in pairs.iter().enumerate() {
                for slices in [&Slices::all(), &one_row] {
                    let read = engine.read_partition(&table, &key(number as u32), slices, false);
                    let mut stream = read.expect("a read").expect("a partition");
                    let Some(Unfiltered::Row(row)) = stream.next().expect("a row") else {
                        panic!("{step}: no row of {writes:?}");
                    };
                    let won = [(ColumnId(2), ColumnData::Cell((*winner).clone()))];
                    assert_eq!(row.columns, won, "{step}, {flushes:?}, marker: {has_marker}: {writes:?}");
                }
            }
            engine.compact(&[table.id], CompactScope::All).await.expect("a compaction");
        }
    });
}

#[test]
fn of_two_cells_of_one_time_the_same_wins_wherever_they_meet() {
    for flushes in [[false, false], [false, true], [true, false], [true, true]] {
        check(flushes, false);
        check(flushes, true);
    }
}
