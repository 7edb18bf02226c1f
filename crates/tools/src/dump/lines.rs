//! One line of text for each row and marker, in the words of Cassandra's `toString`.

use std::io::Write;

use model::{
    Bound, Cell, ColumnData, CqlType, DeletionTime, Liveness, Marker, Row, Table, Unfiltered, Value,
};

use super::rows::{columns, parts};
use super::{Walk, key_text};
use crate::error::ToolError;

pub(super) fn print(walk: &mut Walk, table: &Table, out: &mut dyn Write) -> Result<(), ToolError> {
    while let Some((header, position)) = walk.next()? {
        let key = key_text(table, &header.key);
        if !header.deletion.is_live() {
            writeln!(out, "[{key}]@{position} {}", deletion(&header.deletion))?;
        }
        if let Some(row) = &header.static_row {
            writeln!(out, "[{key}]@{position} {}", self::row(table, row, true))?;
        }
        while let Some((position, element)) = walk.elements.next_element()? {
            let text = match element {
                Unfiltered::Row(row) => self::row(table, &row, false),
                Unfiltered::Marker(marker) => self::marker(table, &marker),
            };
            writeln!(out, "[{key}]@{position} {text}")?;
        }
    }
    Ok(())
}

fn deletion(deletion: &DeletionTime) -> String {
    format!("deletedAt={}, localDeletion={}", deletion.timestamp_us, deletion.local_deletion_s)
}

fn clustering(table: &Table, values: &[Value]) -> String {
    let shown = values.iter().zip(&table.clustering).map(|(value, column)| match value {
        Some(value) => column.ty.to_literal(value),
        None => "null".to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Bounds are shown without quotes.
fn plain(table: &Table, values: &[Value]) -> String {
    let shown = values.iter().zip(&table.clustering).map(|(value, column)| match value {
        Some(value) => column.ty.to_text(value),
        None => "null".to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn info(liveness: &Liveness) -> String {
    if liveness.is_expiring() {
        let (ttl, end) = (liveness.ttl_s, liveness.local_deletion_s);
        return format!("[ts={} ttl={ttl}, let={end}]", liveness.timestamp_us);
    }
    format!("[ts={}]", liveness.timestamp_us)
}

fn row(table: &Table, row: &Row, is_static: bool) -> String {
    let mut text = format!("Row[info={}", info(&row.liveness));
    if !row.deletion.is_live() {
        text.push_str(&format!(" del={}", deletion(&row.deletion)));
    }
    text.push_str(" ]: ");
    let place = if is_static { "STATIC".to_owned() } else { clustering(table, &row.clustering.values) };
    text.push_str(&place);
    text.push_str(" | ");
    let mut shown = Vec::new();
    for (column, data) in columns(table, row) {
        match data {
            ColumnData::Cell(cell) => shown.push(self::cell(&column.name, &column.ty, None, cell)),
            ColumnData::Complex { deletion: time, cells } => {
                // Without a deletion there is an empty place for it, as there.
                let is_live = time.is_live();
                let place =
                    if is_live { String::new() } else { format!("del({})={}", column.name, deletion(time)) };
                shown.push(place);
                let cells = cells.iter();
                shown
                    .extend(cells.map(|(path, cell)| self::cell(&column.name, &column.ty, Some(path), cell)));
            }
        }
    }
    text.push_str(&shown.join(", "));
    text
}

fn cell(name: &str, ty: &CqlType, path: Option<&[u8]>, cell: &Cell) -> String {
    let (path, value) = parts(ty, path, cell);
    let path = path.map_or_else(String::new, |path| format!("[{path}]"));
    let value = if cell.is_tombstone() { "<tombstone>".to_owned() } else { value.to_text() };
    let mut text = format!("[{name}{path}={value} ts={}", cell.timestamp_us);
    if cell.is_expiring() {
        text.push_str(&format!(" ttl={}", cell.ttl_s));
    }
    if cell.is_expiring() || cell.is_tombstone() {
        text.push_str(&format!(" ldt={}", cell.local_deletion_s));
    }
    text.push(']');
    text
}

fn marker(table: &Table, marker: &Marker) -> String {
    let time = |deletion: &DeletionTime| format!("{}/{}", deletion.timestamp_us, deletion.local_deletion_s);
    let side = |bound: &Bound| if bound.kind.is_inclusive() { "INCL" } else { "EXCL" };
    let values = plain(table, &marker.bound.values);
    match (&marker.close, &marker.open) {
        (Some(close), Some(open)) => {
            let (end, start) = (side(&marker.bound), side(&marker.bound.invert()));
            format!("Marker {end}_END_{start}_START_BOUNDARY({values})@{}-{}", time(close), time(open))
        }
        (Some(only), None) => format!("Marker {}_END_BOUND({values})@{}", side(&marker.bound), time(only)),
        (None, Some(only)) => format!("Marker {}_START_BOUND({values})@{}", side(&marker.bound), time(only)),
        (None, None) => format!("Marker ({values})"),
    }
}
