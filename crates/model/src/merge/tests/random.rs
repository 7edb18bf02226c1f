//! Random updates with many ties: few places, few timestamps, few values.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use stdx::prng::Prng;
use uuid::Uuid;

use crate::counter::{self, Shard, ShardKind};
use crate::key::{Bound, BoundKind, Clustering};
use crate::partition::{PartitionUpdate, RangeTombstone};
use crate::row::{Cell, ColumnData, DeletionTime, EXPIRED_TTL, Liveness, Row};
use crate::schema::{Column, ColumnId, ColumnKind, Table, TableId, TableOptions};
use crate::types::{CqlType, UserType};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Everything,
    Counters,
}

fn column(id: u32, name: &str, ty: CqlType, kind: ColumnKind) -> Column {
    Column { id: ColumnId(id), name: name.into(), ty, kind, position: 0, reversed: false }
}

fn any_table(is_counter: bool, value: CqlType) -> Arc<Table> {
    let fields = vec![("a".into(), CqlType::Int), ("b".into(), CqlType::Int)];
    let definition = Arc::new(UserType { keyspace: "ks".into(), name: "u".into(), fields });
    let complex = CqlType::Udt { definition, frozen: false };
    Arc::new(Table {
        id: TableId(Uuid::from_u128(1)),
        keyspace: "ks".into(),
        name: "t".into(),
        partition_key: vec![column(0, "k", CqlType::Text, ColumnKind::PartitionKey)],
        clustering: vec![column(1, "c", CqlType::Tinyint, ColumnKind::Clustering)],
        statics: vec![column(2, "s", value.clone(), ColumnKind::Static)],
        regulars: vec![
            column(3, "v", value.clone(), ColumnKind::Regular),
            column(4, "w", value, ColumnKind::Regular),
            column(5, "x", complex, ColumnKind::Regular),
        ],
        is_counter,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 6,
    })
}

pub(crate) fn table() -> Arc<Table> {
    any_table(false, CqlType::Text)
}

pub(crate) fn counter_table() -> Arc<Table> {
    any_table(true, CqlType::Counter)
}

/// Order bytes of a clustering or bound at `place`, as the byte-comparable form has them.
pub(crate) fn order(place: u8, terminator: u8) -> Bytes {
    Bytes::copy_from_slice(&[0x40, place | 0x80, terminator])
}

pub(crate) fn bound(place: u8, is_start: bool, before: bool) -> Bound {
    let kind = match (is_start, before) {
        (true, true) => BoundKind::InclusiveStart,
        (true, false) => BoundKind::ExclusiveStart,
        (false, true) => BoundKind::ExclusiveEnd,
        (false, false) => BoundKind::InclusiveEnd,
    };
    let values = vec![Some(Bytes::copy_from_slice(&[place]))];
    Bound { kind, values, order: order(place, if before { 0x20 } else { 0x60 }) }
}

fn timestamp(prng: &mut Prng) -> i64 {
    if prng.chance(0.02) { -5 } else { 10 + prng.below(6) as i64 }
}

fn second(prng: &mut Prng) -> u32 {
    100 + prng.below(3) as u32
}

fn deletion(prng: &mut Prng, probability: f64) -> DeletionTime {
    if prng.chance(probability) {
        DeletionTime { timestamp_us: timestamp(prng), local_deletion_s: second(prng) }
    } else {
        DeletionTime::LIVE
    }
}

pub(crate) fn tombstone(prng: &mut Prng) -> RangeTombstone {
    loop {
        let start = match prng.chance(0.1) {
            true => Bound {
                kind: BoundKind::InclusiveStart,
                values: Vec::new(),
                order: Bytes::from_static(&[0x20]),
            },
            false => bound(prng.below(9) as u8, true, prng.chance(0.5)),
        };
        let end = match prng.chance(0.1) {
            true => Bound {
                kind: BoundKind::InclusiveEnd,
                values: Vec::new(),
                order: Bytes::from_static(&[0x60]),
            },
            false => bound(prng.below(9) as u8, false, prng.chance(0.5)),
        };
        if start.order < end.order {
            return RangeTombstone { start, end, deletion: deletion(prng, 1.0) };
        }
    }
}

fn value(prng: &mut Prng) -> Bytes {
    Bytes::copy_from_slice(prng.choose(&[&b""[..], b"a", b"b", b"bb"]).unwrap())
}

fn cell(prng: &mut Prng) -> Cell {
    match prng.below(4) {
        0 => Cell::tombstone(timestamp(prng), second(prng)),
        1 => Cell::expiring(timestamp(prng), 1 + prng.below(2) as i32, second(prng), value(prng)),
        _ => Cell::live(timestamp(prng), value(prng)),
    }
}

fn counter_cell(prng: &mut Prng) -> Cell {
    match prng.below(8) {
        0 => Cell::tombstone(timestamp(prng), second(prng)),
        1 => Cell::live(timestamp(prng), Bytes::new()),
        _ => {
            let mut shards = Vec::new();
            for id in 0..3 {
                if prng.chance(0.6) {
                    let kind =
                        *prng.choose(&[ShardKind::Global, ShardKind::Local, ShardKind::Remote]).unwrap();
                    let (clock, count) = (prng.below(3) as i64, prng.below(3) as i64);
                    shards.push(Shard { id: [id; 16], kind, clock, count });
                }
            }
            Cell::live(timestamp(prng), counter::serialise(&shards))
        }
    }
}

fn columns(prng: &mut Prng, ids: &[u32], shape: Shape) -> Vec<(ColumnId, ColumnData)> {
    let mut columns = Vec::new();
    for &id in ids {
        if !prng.chance(0.5) {
            continue;
        }
        let data = match (shape, id) {
            (Shape::Counters, 5) => continue,
            (Shape::Counters, _) => ColumnData::Cell(counter_cell(prng)),
            (Shape::Everything, 5) => complex(prng),
            (Shape::Everything, _) => ColumnData::Cell(cell(prng)),
        };
        columns.push((ColumnId(id), data));
    }
    columns
}

fn complex(prng: &mut Prng) -> ColumnData {
    let deletion = deletion(prng, 0.4);
    let mut cells = Vec::new();
    for field in 0..3 {
        if prng.chance(0.5) {
            cells.push((Bytes::copy_from_slice(&[0, field]), cell(prng)));
        }
    }
    ColumnData::Complex { deletion, cells }
}

fn row(prng: &mut Prng, clustering: Clustering, ids: &[u32], shape: Shape) -> Row {
    let mut row = Row::empty(clustering);
    let is_static = row.clustering == Clustering::EMPTY;
    row.columns = columns(prng, ids, shape);
    if shape == Shape::Everything && !is_static {
        row.deletion = deletion(prng, 0.15);
        row.liveness = match prng.below(6) {
            0 => Liveness { timestamp_us: timestamp(prng), ttl_s: 5, local_deletion_s: second(prng) },
            1 => {
                Liveness { timestamp_us: timestamp(prng), ttl_s: EXPIRED_TTL, local_deletion_s: second(prng) }
            }
            2 | 3 => Liveness { timestamp_us: timestamp(prng), ..Liveness::NONE },
            _ => Liveness::NONE,
        };
    }
    row
}

pub(crate) fn update(prng: &mut Prng, shape: Shape) -> PartitionUpdate {
    let mut update = PartitionUpdate::default();
    if shape == Shape::Everything {
        update.deletion = deletion(prng, 0.15);
        update.range_tombstones = (0..prng.below(4)).map(|_| tombstone(prng)).collect();
        update.range_tombstones.sort_by(|a, b| a.start.order.cmp(&b.start.order));
    }
    if prng.chance(0.5) {
        update.static_row = Some(row(prng, Clustering::EMPTY, &[2], shape));
    }
    for place in 0..9 {
        if prng.chance(0.4) {
            let values = vec![Some(Bytes::copy_from_slice(&[place]))];
            let clustering = Clustering { values, order: order(place, 0x38) };
            update.rows.push(row(prng, clustering, &[3, 4, 5], shape));
        }
    }
    update
}
