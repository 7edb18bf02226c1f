//! `sstable dump`: what one SSTable holds, as Cassandra's `sstabledump` prints it. Needs no schema.
//!
//! Read in order: [`dump`], [`DumpOptions`], `rows` (JSON), `lines` (a row a line).
//!
//! Differences: a counter is its total (the tool prints the first 8 bytes of the context), and what the tool
//! fails on (empty booleans, clusterings that are null) is printed.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use model::{CqlType, PartitionHeader, PartitionKey, Table};
use runtime::Disk;
use sstable::{Descriptor, Elements, SsTable};

use crate::error::ToolError;
use crate::json::JsonWriter;

mod lines;
mod rows;
pub(crate) mod time;

/// What is printed, and how.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// Only these partitions, by their keys as text; components of a composite key are joined by `:`.
    pub keys: Vec<String>,
    /// All but these.
    pub excluded: Vec<String>,
    /// Keys only.
    pub keys_only: bool,
    /// One line of text for each row.
    pub lines: bool,
    /// One line of JSON for each partition.
    pub json_lines: bool,
    /// Times as they are stored, not as dates.
    pub raw_times: bool,
}

/// Prints an SSTable. `now_s`: when things count as expired.
pub fn dump(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    options: &DumpOptions,
    now_s: i64,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let sstable = SsTable::open(disk, descriptor)?;
    let table = sstable.header_table("", "")?;
    let types: Vec<CqlType> = table.partition_key.iter().map(|column| column.ty.clone()).collect();
    let keys = |texts: &[String]| -> Result<Vec<PartitionKey>, ToolError> {
        texts.iter().map(|text| parse_key(&types, text)).collect()
    };
    let mut wanted = keys(&options.keys)?;
    wanted.sort();
    let excluded: HashSet<PartitionKey> = keys(&options.excluded)?.into_iter().collect();
    let elements = sstable.elements(&table)?;
    let only = (!options.keys.is_empty()).then_some(wanted);
    let mut walk = Walk { elements, only: only.map(Vec::into_iter), excluded };
    if options.lines {
        return lines::print(&mut walk, &table, out);
    }
    let mut json = JsonWriter::new(out, !options.json_lines);
    if !options.json_lines {
        json.begin_array()?;
    }
    let printer = rows::Printer { table: &table, raw_times: options.raw_times, now_s };
    while let Some((header, position)) = walk.next()? {
        if options.keys_only {
            printer.key(&mut json, &header.key)?;
        } else {
            printer.partition(&mut json, &header, position, &mut walk.elements)?;
        }
    }
    if !options.json_lines {
        json.end_array()?;
    }
    writeln!(out)?;
    Ok(())
}

/// The partitions that are wanted.
struct Walk {
    elements: Elements,
    only: Option<std::vec::IntoIter<PartitionKey>>,
    excluded: HashSet<PartitionKey>,
}

impl Walk {
    fn next(&mut self) -> Result<Option<(PartitionHeader, u64)>, ToolError> {
        loop {
            if let Some(only) = &mut self.only {
                let Some(key) = only.next() else { return Ok(None) };
                if !self.elements.seek(&key)? {
                    continue;
                }
            }
            match self.elements.next_partition()? {
                Some((header, _)) if self.excluded.contains(&header.key) => {}
                next => return Ok(next),
            }
        }
    }
}

/// A key as text: components joined by `:`, in which `:` stands as `\:`.
pub(crate) fn key_text(table: &Table, key: &PartitionKey) -> String {
    let Some(components) = key.components(table.partition_key.len()) else {
        return CqlType::Blob.to_text(&key.key);
    };
    let shown = components.iter().zip(&table.partition_key);
    joined(shown.map(|(component, column)| column.ty.to_text(component)).collect())
}

/// Components joined by `:`; those of several are escaped, and one that ends like an escape gets a `!`.
/// Source: `CompositeType.java`.
pub(crate) fn joined(components: Vec<String>) -> String {
    if let [only] = components.as_slice() {
        return only.clone();
    }
    let escape = |text: String| {
        let escaped = text.replace(':', "\\:");
        if escaped.ends_with(['\\', '!']) { escaped + "!" } else { escaped }
    };
    components.into_iter().map(escape).collect::<Vec<_>>().join(":")
}

fn parse_key(types: &[CqlType], text: &str) -> Result<PartitionKey, ToolError> {
    let parts = if types.len() == 1 { vec![text.to_owned()] } else { split(text) };
    if parts.len() != types.len() {
        let found = format!("key {text} has {} parts, the table's has {}", parts.len(), types.len());
        return Err(ToolError::Usage(found));
    }
    let parse = |(part, ty): (&String, &CqlType)| {
        ty.parse_text(part).map_err(|why| ToolError::Usage(format!("key {text}: {why}")))
    };
    let components = parts.iter().zip(types).map(parse).collect::<Result<Vec<_>, _>>()?;
    if components.iter().any(|component| component.len() > model::key::MAX_KEY_BYTES) {
        return Err(ToolError::Usage("a key is longer than any can be".to_owned()));
    }
    Ok(PartitionKey::new(Bytes::from(PartitionKey::compose(&components))))
}

/// Parts between colons; a colon of a part is `\:`.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let last = parts.last_mut().expect("there is always one");
        match c {
            '\\' if characters.peek() == Some(&':') => last.extend(characters.next()),
            ':' => parts.push(String::new()),
            other => last.push(other),
        }
    }
    for part in &mut parts {
        if part.ends_with("\\!") || part.ends_with("!!") {
            part.pop();
        }
    }
    parts
}

#[cfg(test)]
mod tests;
