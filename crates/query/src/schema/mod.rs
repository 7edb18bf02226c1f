//! Schema statements as pure functions: a schema and a statement give the next schema.
//!
//! Nothing is stored or sent from here. The caller takes the [`change::SchemaChange`], writes
//! [`rows::mutations`] into `system_schema`, publishes the new [`model::Schema`] and sends the events.
//!
//! Read in order: [`change`] (the door), then a file for each noun, [`rows`] (a schema as rows of the
//! `system_schema` tables and back), [`describe`] (DESCRIBE), [`outside`] (what tools need).
//!
//! Never here: I/O, clocks, randomness: times and new ids come with [`change::ChangeContext`].

pub mod change;
pub mod describe;
pub mod outside;
pub mod rows;

mod alter_table;
mod keyspace;
mod options;
mod properties;
mod replication;
mod resolve;
mod table;
mod unsupported;
mod user_type;
mod view;

#[cfg(test)]
mod conversation;

use cql::ast::CreateTable;
use model::{QueryError, Table, TableId};

/// A table that is part of the product, as its statement in `tables.cql` defines it.
pub(crate) fn system_table(keyspace: &str, create: &CreateTable, id: TableId) -> Result<Table, QueryError> {
    let no_types = std::collections::BTreeMap::new();
    let types = resolve::Types { keyspace, types: &no_types };
    let options = options::create(properties::Properties(&create.properties))?;
    let [primary_key] = create.primary_keys.as_slice() else {
        return Err(QueryError::invalid("exactly one PRIMARY KEY"));
    };
    let table = table::build(types, create, primary_key, options, id)?;
    table::validate(&table)?;
    Ok(table)
}
