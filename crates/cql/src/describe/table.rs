//! `CREATE TABLE` and what stands for it where a table cannot be created by a statement.

use model::schema::{Column, ColumnKind, Table};

use super::options::{option_lines, quote_string};
use super::{dropped, quote_name, virtual_note};

/// `CREATE TABLE` with all options; `internals`: with the id, and dropped columns as ALTERs behind it.
///
/// Source: answers of Cassandra 5.0.9 (`TableMetadata.appendCqlTo`).
pub fn table(table: &Table, internals: bool) -> String {
    let name = format!("{}.{}", quote_name(&table.keyspace), quote_name(&table.name));
    if table.is_virtual {
        let body = create(table, &name, "VIRTUAL TABLE", internals);
        return virtual_note(&format!("Table {name} is a virtual table"), &body);
    }
    let mut text = create(table, &name, "CREATE TABLE", internals);
    if table.is_compact {
        return format!(
            "/*\nWarning: Table {name} omitted because it has constructs not compatible with CQL \
             (was created via legacy API).\nApproximate structure, for reference:\n\
             (this should not be used to reproduce this schema)\n\n{text}\n*/"
        );
    }
    if internals {
        for column in dropped::in_order(table) {
            let column_name = quote_name(&column.name);
            text.push_str(&format!(
                "\nALTER TABLE {name} DROP {column_name} USING TIMESTAMP {};",
                column.dropped_at_us
            ));
            if let Some(again) = table.column(&column.name) {
                text.push_str(&format!("\nALTER TABLE {name} ADD {};", definition(again)));
            }
        }
    }
    text
}

fn create(table: &Table, name: &str, verb: &str, internals: bool) -> String {
    let mut lines = columns(table, internals);
    let key_is_inline = has_single_column_key(table);
    if key_is_inline {
        lines[0].push_str(" PRIMARY KEY");
    } else {
        lines.push(primary_key(table));
    }
    let body: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
    let options = options(table, internals);
    format!("{verb} {name} (\n{}\n) WITH {};", body.join(",\n"), options.join("\n    AND "))
}

/// One element each: columns in the order of creation, without what joins them.
fn columns(table: &Table, internals: bool) -> Vec<String> {
    let was_dropped = |column: &&Column| internals && table.dropped.contains_key(&column.name);
    let mut shown: Vec<&Column> = table.partition_key.iter().chain(&table.clustering).collect();
    shown.extend(simple_first(&table.statics).into_iter().filter(|column| !was_dropped(column)));
    shown.extend(simple_first(&table.regulars).into_iter().filter(|column| !was_dropped(column)));
    let mut lines: Vec<String> = shown.into_iter().map(definition).collect();
    if internals {
        for column in dropped::in_order(table) {
            let suffix = if column.kind == ColumnKind::Static { " static" } else { "" };
            lines.push(format!("{} {}{suffix}", quote_name(&column.name), column.ty.cql_name()));
        }
    }
    lines
}

/// Columns with one cell, then those with many; both by name.
fn simple_first(columns: &[Column]) -> Vec<&Column> {
    let mut sorted: Vec<&Column> = columns.iter().collect();
    sorted.sort_by(|a, b| a.stored_order().cmp(&b.stored_order()));
    sorted
}

fn definition(column: &Column) -> String {
    let suffix = if column.kind == ColumnKind::Static { " static" } else { "" };
    format!("{} {}{suffix}", quote_name(&column.name), column.ty.cql_name())
}

fn has_single_column_key(table: &Table) -> bool {
    table.partition_key.len() == 1 && table.clustering.is_empty() && !table.is_compact
}

fn primary_key(table: &Table) -> String {
    let names = |columns: &[Column]| {
        columns.iter().map(|column| quote_name(&column.name).into_owned()).collect::<Vec<_>>().join(", ")
    };
    let partition = names(&table.partition_key);
    let partition = if table.partition_key.len() > 1 { format!("({partition})") } else { partition };
    if table.clustering.is_empty() {
        return format!("PRIMARY KEY ({partition})");
    }
    format!("PRIMARY KEY ({partition}, {})", names(&table.clustering))
}

fn options(table: &Table, internals: bool) -> Vec<String> {
    let mut options = Vec::new();
    if internals {
        options.push(format!("ID = {}", table.id));
    }
    if table.is_compact {
        options.push("COMPACT STORAGE".to_owned());
    }
    if !table.clustering.is_empty() {
        let order: Vec<String> = table
            .clustering
            .iter()
            .map(|column| {
                format!("{} {}", quote_name(&column.name), if column.reversed { "DESC" } else { "ASC" })
            })
            .collect();
        options.push(format!("CLUSTERING ORDER BY ({})", order.join(", ")));
    }
    if table.is_virtual {
        options.push(format!("comment = {}", quote_string(&table.options.comment)));
    } else {
        options.extend(option_lines(&table.options));
    }
    options
}
