//! Schema objects as CQL text, byte for byte as Cassandra's DESCRIBE prints them.
//!
//! Read in order: [`keyspace`], [`user_type`], [`table`]; [`quote_name`] is for whoever shows a name.
//!
//! Never here: which objects are described, and in which order (`query::schema::describe`).

mod dropped;
mod options;
mod table;

pub use options::{java_double, quote_string};
pub use table::table;

use model::schema::Keyspace;
use model::types::UserType;
pub use model::value::name::quote_identifier as quote_name;

/// `CREATE KEYSPACE`, or the note that it is virtual.
///
/// The replication class is shortened to its simple name, unlike in `system_schema`; two blanks stand before AND.
pub fn keyspace(keyspace: &Keyspace) -> String {
    let name = quote_name(&keyspace.name);
    if keyspace.tables.values().any(|table| table.is_virtual) {
        return virtual_note(
            &format!("Keyspace {name} is a virtual keyspace"),
            &format!("VIRTUAL KEYSPACE {name};"),
        );
    }
    let class = keyspace.replication.get("class").map_or("", String::as_str);
    let class = class.rsplit('.').next().unwrap_or(class);
    let mut text = format!("CREATE KEYSPACE {name} WITH replication = {{'class': {}", quote_string(class));
    for (option, value) in keyspace.replication.iter().filter(|(option, _)| *option != "class") {
        text.push_str(&format!(", {}: {}", quote_string(option), quote_string(value)));
    }
    text.push_str(&format!("}}  AND durable_writes = {};", keyspace.durable_writes));
    text
}

/// `CREATE TYPE`
pub fn user_type(definition: &UserType) -> String {
    let fields: Vec<String> = definition
        .fields
        .iter()
        .map(|(name, ty)| format!("    {} {}", quote_name(name), ty.cql_name()))
        .collect();
    format!(
        "CREATE TYPE {}.{} (\n{}\n);",
        quote_name(&definition.keyspace),
        quote_name(&definition.name),
        fields.join(",\n")
    )
}

/// The comment that stands for what no statement can create.
fn virtual_note(subject: &str, structure: &str) -> String {
    format!(
        "/*\nWarning: {subject} and cannot be recreated with CQL.\nStructure, for reference:\n{structure}\n*/"
    )
}

#[cfg(test)]
mod tests;
