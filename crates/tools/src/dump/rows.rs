//! Partitions as JSON.

use std::io;

use model::value::name::quote_identifier;
use model::{
    Bound, Cell, Column, ColumnData, CqlType, DeletionTime, Liveness, Marker, PartitionHeader, PartitionKey,
    Row, Table, Unfiltered, Value, counter,
};
use sstable::Elements;

use super::time::{instant_s, instant_us};
use crate::error::ToolError;
use crate::json::JsonWriter;

pub(super) struct Printer<'a> {
    pub(super) table: &'a Table,
    pub(super) raw_times: bool,
    pub(super) now_s: i64,
}

impl Printer<'_> {
    /// A partition with all its rows.
    pub(super) fn partition(
        &self,
        json: &mut JsonWriter<'_>,
        header: &PartitionHeader,
        position: u64,
        elements: &mut Elements,
    ) -> Result<(), ToolError> {
        json.begin_object()?;
        json.text_field("table kind", "REGULAR")?;
        json.name("partition")?;
        json.begin_object()?;
        json.name("key")?;
        self.key(json, &header.key)?;
        json.raw_field("position", &position.to_string())?;
        if !header.deletion.is_live() {
            self.deletion(json, &header.deletion)?;
        }
        json.end_object()?;
        json.name("rows")?;
        json.begin_array()?;
        if let Some(row) = &header.static_row {
            self.row(json, row, position, true)?;
        }
        while let Some((position, element)) = elements.next_element()? {
            match element {
                Unfiltered::Row(row) => self.row(json, &row, position, false)?,
                Unfiltered::Marker(marker) => self.marker(json, &marker)?,
            }
        }
        json.end_array()?;
        json.end_object()?;
        Ok(())
    }

    /// The components of a key, as an array of texts.
    pub(super) fn key(&self, json: &mut JsonWriter<'_>, key: &PartitionKey) -> io::Result<()> {
        json.compact_arrays = true;
        json.begin_array()?;
        match key.components(self.table.partition_key.len()) {
            Some(components) => {
                for (component, column) in components.iter().zip(&self.table.partition_key) {
                    json.text(&column.ty.to_text(component))?;
                }
            }
            None => json.text(&CqlType::Blob.to_text(&key.key))?,
        }
        json.end_array()?;
        json.compact_arrays = false;
        Ok(())
    }

    fn deletion(&self, json: &mut JsonWriter<'_>, deletion: &DeletionTime) -> io::Result<()> {
        json.name("deletion_info")?;
        json.compact_objects = true;
        self.deletion_body(json, deletion)?;
        json.compact_objects = false;
        Ok(())
    }

    fn deletion_body(&self, json: &mut JsonWriter<'_>, deletion: &DeletionTime) -> io::Result<()> {
        json.begin_object()?;
        json.text_field("marked_deleted", &self.timestamp(deletion.timestamp_us))?;
        json.text_field("local_delete_time", &self.second(deletion.local_deletion_s))?;
        json.end_object()
    }

    fn timestamp(&self, timestamp_us: i64) -> String {
        if self.raw_times { timestamp_us.to_string() } else { instant_us(timestamp_us) }
    }

    fn second(&self, second: u32) -> String {
        if self.raw_times { second.to_string() } else { instant_s(i64::from(second)) }
    }

    fn clustering(&self, json: &mut JsonWriter<'_>, values: &[Value], is_bound: bool) -> io::Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        json.name("clustering")?;
        json.compact_arrays = true;
        json.begin_array()?;
        for (i, column) in self.table.clustering.iter().enumerate() {
            match values.get(i) {
                Some(Some(value)) => json.raw(&column.ty.to_json(value))?,
                Some(None) => json.raw("null")?,
                None if is_bound => json.raw("\"*\"")?,
                None => {}
            }
        }
        json.end_array()?;
        json.compact_arrays = false;
        Ok(())
    }

    fn marker(&self, json: &mut JsonWriter<'_>, marker: &Marker) -> io::Result<()> {
        json.begin_object()?;
        let is_boundary = marker.open.is_some() && marker.close.is_some();
        json.text_field(
            "type",
            if is_boundary { "range_tombstone_boundary" } else { "range_tombstone_bound" },
        )?;
        if let Some(open) = &marker.open {
            let bound = if is_boundary { marker.bound.invert() } else { marker.bound.clone() };
            self.side(json, "start", &bound, open)?;
        }
        if let Some(close) = &marker.close {
            self.side(json, "end", &marker.bound, close)?;
        }
        json.end_object()
    }

    fn side(
        &self,
        json: &mut JsonWriter<'_>,
        name: &str,
        bound: &Bound,
        deletion: &DeletionTime,
    ) -> io::Result<()> {
        json.name(name)?;
        json.begin_object()?;
        json.text_field("type", if bound.kind.is_inclusive() { "inclusive" } else { "exclusive" })?;
        self.clustering(json, &bound.values, true)?;
        self.deletion(json, deletion)?;
        json.end_object()
    }

    fn row(&self, json: &mut JsonWriter<'_>, row: &Row, position: u64, is_static: bool) -> io::Result<()> {
        json.begin_object()?;
        json.text_field("type", if is_static { "static_block" } else { "row" })?;
        json.raw_field("position", &position.to_string())?;
        self.clustering(json, &row.clustering.values, false)?;
        let liveness = &row.liveness;
        if !liveness.is_none() {
            json.name("liveness_info")?;
            json.compact_objects = true;
            json.begin_object()?;
            json.text_field("tstamp", &self.timestamp(liveness.timestamp_us))?;
            if liveness.is_expiring() {
                self.expiry(json, liveness.ttl_s, liveness.local_deletion_s)?;
            }
            json.end_object()?;
            json.compact_objects = false;
        }
        if !row.deletion.is_live() {
            self.deletion(json, &row.deletion)?;
        }
        json.name("cells")?;
        json.begin_array()?;
        for (column, data) in columns(self.table, row) {
            self.column(json, column, data, liveness)?;
        }
        json.end_array()?;
        json.end_object()
    }

    fn expiry(&self, json: &mut JsonWriter<'_>, ttl_s: i32, second: u32) -> io::Result<()> {
        json.raw_field("ttl", &ttl_s.to_string())?;
        json.text_field("expires_at", &self.second(second))?;
        json.raw_field("expired", if i64::from(second) <= self.now_s { "true" } else { "false" })
    }

    fn column(
        &self,
        json: &mut JsonWriter<'_>,
        column: &Column,
        data: &ColumnData,
        liveness: &Liveness,
    ) -> io::Result<()> {
        match data {
            ColumnData::Cell(cell) => self.cell(json, column, None, cell, liveness),
            ColumnData::Complex { deletion, cells } => {
                if !deletion.is_live() {
                    json.compact_objects = true;
                    json.begin_object()?;
                    json.text_field("name", &quote_identifier(&column.name))?;
                    json.name("deletion_info")?;
                    self.deletion_body(json, deletion)?;
                    json.end_object()?;
                    json.compact_objects = false;
                }
                cells.iter().try_for_each(|(path, cell)| self.cell(json, column, Some(path), cell, liveness))
            }
        }
    }

    fn cell(
        &self,
        json: &mut JsonWriter<'_>,
        column: &Column,
        path: Option<&[u8]>,
        cell: &Cell,
        liveness: &Liveness,
    ) -> io::Result<()> {
        json.begin_object()?;
        json.compact_objects = true;
        json.text_field("name", &quote_identifier(&column.name))?;
        let (path, value) = parts(&column.ty, path, cell);
        if let Some(path) = path {
            json.name("path")?;
            json.compact_arrays = true;
            json.begin_array()?;
            json.text(&path)?;
            json.end_array()?;
            json.compact_arrays = false;
        }
        if cell.is_tombstone() {
            json.name("deletion_info")?;
            json.begin_object()?;
            json.text_field("local_delete_time", &self.second(cell.local_deletion_s))?;
            json.end_object()?;
            json.compact_objects = false;
        } else {
            json.raw_field("value", &value.to_json())?;
        }
        if liveness.is_none() || cell.timestamp_us != liveness.timestamp_us {
            json.text_field("tstamp", &self.timestamp(cell.timestamp_us))?;
        }
        if cell.is_expiring() && (liveness.is_none() || cell.ttl_s != liveness.ttl_s) {
            self.expiry(json, cell.ttl_s, cell.local_deletion_s)?;
        }
        json.end_object()?;
        json.compact_objects = false;
        Ok(())
    }
}

/// The columns of a row in the order of the file.
pub(super) fn columns<'a>(table: &'a Table, row: &'a Row) -> Vec<(&'a Column, &'a ColumnData)> {
    let known = |(id, data): &'a (model::ColumnId, ColumnData)| Some((table.column_by_id(*id)?, data));
    let mut columns: Vec<_> = row.columns.iter().filter_map(known).collect();
    columns.sort_by(|(a, _), (b, _)| a.stored_order().cmp(&b.stored_order()));
    columns
}

/// A cell's value with its type.
pub(super) struct Shown<'a> {
    ty: Option<&'a CqlType>,
    bytes: &'a [u8],
}

impl Shown<'_> {
    fn to_json(&self) -> String {
        match self.ty {
            Some(CqlType::Counter) => match counter::total(self.bytes) {
                Some(total) => total.to_string(),
                None => CqlType::Blob.to_json(self.bytes),
            },
            Some(ty) => ty.to_json(self.bytes),
            None => "\"\"".to_owned(),
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self.ty {
            Some(CqlType::Counter) => match counter::total(self.bytes) {
                Some(total) => total.to_string(),
                None => CqlType::Blob.to_text(self.bytes),
            },
            Some(ty) => ty.to_text(self.bytes),
            None => String::new(),
        }
    }
}

/// A cell's path as text, and its value. Elements of a set have no value but their path.
pub(super) fn parts<'a>(ty: &'a CqlType, path: Option<&[u8]>, cell: &'a Cell) -> (Option<String>, Shown<'a>) {
    let bytes = &cell.value[..];
    let Some(path) = path else { return (None, Shown { ty: Some(ty), bytes }) };
    let (path, ty) = match ty {
        CqlType::List { element, .. } => (CqlType::Timeuuid.to_text(path), Some(&**element)),
        CqlType::Set { element, .. } => (element.to_text(path), None),
        CqlType::Map { key, value, .. } => (key.to_text(path), Some(&**value)),
        CqlType::Udt { definition, .. } => {
            let field = <[u8; 2]>::try_from(path).ok().map(u16::from_be_bytes);
            match field.and_then(|field| definition.fields.get(usize::from(field))) {
                Some((name, ty)) => (name.to_string(), Some(ty)),
                None => (CqlType::Blob.to_text(path), Some(&CqlType::Blob)),
            }
        }
        other => (CqlType::Blob.to_text(path), Some(other)),
    };
    (Some(path), Shown { ty, bytes })
}
