//! Partitions in the words of Cassandra's `sstabledump -l -t`.

use model::value::collection::unpack_tuple;
use model::{
    Bound, Cell, ColumnData, CqlType, DeletionTime, Liveness, Marker, Row, Table, Unfiltered, Value as Bytes,
};
use serde_json::{Map, Value, json};

use super::support::Partition;

/// Stands for a value whose text we do not make here: equal to anything.
const ANY: &str = "\u{0}any";

pub(super) fn partition(table: &Table, partition: &Partition) -> Value {
    let header = &partition.header;
    let components = header.key.components(table.partition_key.len()).expect("the key is whole");
    let key: Vec<Value> =
        components.iter().zip(&table.partition_key).map(|(value, column)| text(&column.ty, value)).collect();
    let mut about = Map::new();
    about.insert("key".to_owned(), Value::Array(key));
    if !header.deletion.is_live() {
        about.insert("deletion_info".to_owned(), deletion(&header.deletion));
    }
    let mut rows: Vec<Value> = header.static_row.iter().map(|row| self::row(table, row, true)).collect();
    rows.extend(partition.items.iter().map(|item| match item {
        Unfiltered::Row(row) => self::row(table, row, false),
        Unfiltered::Marker(marker) => self::marker(table, marker),
    }));
    json!({ "partition": about, "rows": rows })
}

fn deletion(deletion: &DeletionTime) -> Value {
    json!({
        "marked_deleted": deletion.timestamp_us.to_string(),
        "local_delete_time": deletion.local_deletion_s.to_string(),
    })
}

fn marker(table: &Table, marker: &Marker) -> Value {
    let side = |bound: &Bound, time: &DeletionTime| {
        let mut out = Map::new();
        let kind = if bound.kind.is_inclusive() { "inclusive" } else { "exclusive" };
        out.insert("type".to_owned(), json!(kind));
        if !bound.values.is_empty() {
            let mut values = clustering(table, &bound.values);
            values.resize(table.clustering.len(), json!("*"));
            out.insert("clustering".to_owned(), Value::Array(values));
        }
        out.insert("deletion_info".to_owned(), deletion(time));
        Value::Object(out)
    };
    let bound = &marker.bound;
    match (&marker.close, &marker.open) {
        (Some(close), Some(open)) => json!({
            "type": "range_tombstone_boundary", "start": side(&bound.invert(), open), "end": side(bound, close),
        }),
        (Some(close), None) => json!({ "type": "range_tombstone_bound", "end": side(bound, close) }),
        (None, Some(open)) => json!({ "type": "range_tombstone_bound", "start": side(bound, open) }),
        (None, None) => panic!("a marker neither opens nor closes"),
    }
}

fn clustering(table: &Table, values: &[Bytes]) -> Vec<Value> {
    let of =
        |(value, ty): (&Bytes, &CqlType)| value.as_ref().map_or(Value::Null, |value| self::value(ty, value));
    values.iter().zip(table.clustering.iter().map(|column| &column.ty)).map(of).collect()
}

fn row(table: &Table, row: &Row, is_static: bool) -> Value {
    let mut out = Map::new();
    out.insert("type".to_owned(), json!(if is_static { "static_block" } else { "row" }));
    if !row.clustering.values.is_empty() {
        out.insert("clustering".to_owned(), Value::Array(clustering(table, &row.clustering.values)));
    }
    let liveness = &row.liveness;
    if !liveness.is_none() {
        let mut info = Map::new();
        info.insert("tstamp".to_owned(), json!(liveness.timestamp_us.to_string()));
        if liveness.is_expiring() {
            info.insert("ttl".to_owned(), json!(liveness.ttl_s));
            info.insert("expires_at".to_owned(), json!(liveness.local_deletion_s.to_string()));
        }
        out.insert("liveness_info".to_owned(), Value::Object(info));
    }
    if !row.deletion.is_live() {
        out.insert("deletion_info".to_owned(), deletion(&row.deletion));
    }
    let mut columns: Vec<_> = row
        .columns
        .iter()
        .map(|(id, data)| (table.column_by_id(*id).expect("it is the table's"), data))
        .collect();
    columns.sort_by_key(|(column, _)| (column.ty.is_multi_cell(), column.name.clone()));
    let mut cells = Vec::new();
    for (column, data) in columns {
        match data {
            ColumnData::Cell(cell) => cells.push(self::cell(&column.name, &column.ty, None, cell, liveness)),
            ColumnData::Complex { deletion: time, cells: own } => {
                if !time.is_live() {
                    cells.push(json!({ "name": quoted(&column.name), "deletion_info": deletion(time) }));
                }
                cells
                    .extend(own.iter().map(|(path, cell)| {
                        self::cell(&column.name, &column.ty, Some(path), cell, liveness)
                    }));
            }
        }
    }
    out.insert("cells".to_owned(), Value::Array(cells));
    Value::Object(out)
}

fn cell(name: &str, ty: &CqlType, path: Option<&[u8]>, cell: &Cell, liveness: &Liveness) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(quoted(name)));
    let mut value_type = ty.clone();
    if let Some(path) = path {
        let (shown, of) = match ty {
            CqlType::List { element, .. } => (text(&CqlType::Timeuuid, path), CqlType::clone(element)),
            CqlType::Set { element, .. } => (text(element, path), CqlType::Blob),
            CqlType::Map { key, value, .. } => (text(key, path), CqlType::clone(value)),
            CqlType::Udt { definition, .. } => {
                let (name, ty) = &definition.fields[usize::from(u16::from_be_bytes([path[0], path[1]]))];
                (json!(**name), ty.clone())
            }
            other => panic!("{other:?} has no paths"),
        };
        value_type = of;
        out.insert("path".to_owned(), json!([shown]));
    }
    if cell.is_tombstone() {
        let time = json!({ "local_delete_time": cell.local_deletion_s.to_string() });
        out.insert("deletion_info".to_owned(), time);
    } else if matches!(ty, CqlType::Set { frozen: false, .. }) {
        out.insert("value".to_owned(), json!(""));
    } else {
        out.insert("value".to_owned(), value(&value_type, &cell.value));
    }
    if liveness.is_none() || cell.timestamp_us != liveness.timestamp_us {
        out.insert("tstamp".to_owned(), json!(cell.timestamp_us.to_string()));
    }
    if cell.is_expiring() && (liveness.is_none() || cell.ttl_s != liveness.ttl_s) {
        out.insert("ttl".to_owned(), json!(cell.ttl_s));
        out.insert("expires_at".to_owned(), json!(cell.local_deletion_s.to_string()));
    }
    Value::Object(out)
}

/// A name as CQL needs it.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(is_plain) { name.to_owned() } else { format!("\"{name}\"") }
}

/// A value as plain text.
fn text(ty: &CqlType, bytes: &[u8]) -> Value {
    match value(ty, bytes) {
        Value::String(text) if *ty == CqlType::Blob => json!(text[2..]),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(text),
        _ => json!(ANY),
    }
}

fn signed(bytes: &[u8]) -> i64 {
    crate::index::partitions::signed(bytes)
}

fn value(ty: &CqlType, bytes: &[u8]) -> Value {
    match ty {
        CqlType::Text | CqlType::Ascii => json!(String::from_utf8_lossy(bytes)),
        CqlType::Blob => json!(format!("0x{}", hex(bytes))),
        _ if bytes.is_empty() => json!(ANY),
        CqlType::Int | CqlType::Bigint | CqlType::Smallint | CqlType::Tinyint => json!(signed(bytes)),
        CqlType::Varint if bytes.len() <= 8 => json!(signed(bytes)),
        CqlType::Counter => {
            let headers = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
            let shards = bytes[2 + 2 * headers..].chunks(32);
            json!(shards.map(|shard| signed(&shard[24..32])).sum::<i64>())
        }
        CqlType::Boolean => json!(bytes[0] != 0),
        CqlType::Uuid | CqlType::Timeuuid => json!(uuid::Uuid::from_slice(bytes).unwrap().to_string()),
        CqlType::List { .. } | CqlType::Set { .. } => {
            let (CqlType::List { element, .. } | CqlType::Set { element, .. }) = ty else { unreachable!() };
            Value::Array(sized(&bytes[4..]).map(|bytes| value(element, bytes)).collect())
        }
        CqlType::Tuple(types) => {
            let fields = unpack_tuple(&bytes::Bytes::copy_from_slice(bytes), types.len()).unwrap();
            let of = |(field, ty): (&Bytes, &CqlType)| {
                field.as_ref().map_or(Value::Null, |field| value(ty, field))
            };
            Value::Array(fields.iter().zip(types.iter()).map(of).collect())
        }
        CqlType::Udt { definition, .. } => {
            let fields =
                unpack_tuple(&bytes::Bytes::copy_from_slice(bytes), definition.fields.len()).unwrap();
            let named = fields.iter().zip(&definition.fields).map(|(field, (name, ty))| {
                (name.to_string(), field.as_ref().map_or(Value::Null, |field| value(ty, field)))
            });
            Value::Object(named.collect())
        }
        _ => json!(ANY),
    }
}

/// Elements with a length of four bytes each.
fn sized(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (element, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        bytes = rest;
        Some(element)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Panics where `ours` differs from what Cassandra's tool prints.
#[track_caller]
pub(super) fn compare(place: &str, ours: &Value, tool: &Value) {
    match (ours, tool) {
        (Value::String(any), _) if any == ANY => {}
        (Value::Array(ours), Value::Array(tool)) => {
            assert_eq!(ours.len(), tool.len(), "{place}: {ours:?} {tool:?}");
            for (i, (ours, tool)) in ours.iter().zip(tool).enumerate() {
                compare(&format!("{place}[{i}]"), ours, tool);
            }
        }
        (Value::Object(ours), Value::Object(tool)) => {
            let names = |map: &Map<String, Value>| {
                let mut names: Vec<String> = map.keys().cloned().collect();
                names.sort();
                names
            };
            assert_eq!(names(ours), names(tool), "{place}: {ours:?} {tool:?}");
            for (name, ours) in ours {
                compare(&format!("{place}.{name}"), ours, &tool[name]);
            }
        }
        _ => assert_eq!(ours, tool, "{place}"),
    }
}
