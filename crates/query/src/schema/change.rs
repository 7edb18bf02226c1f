//! What a schema statement makes of a schema.

use cql::ast::StatementKind;
use model::{QueryError, Schema};
use uuid::Uuid;

/// What a schema statement needs to know beside the schema.
#[derive(Clone, Copy, Debug)]
pub struct ChangeContext<'a> {
    /// The session's keyspace (USE).
    pub keyspace: Option<&'a str>,
    /// Now: the time of dropped columns. Must be later than that of every earlier change.
    pub now_us: i64,
    /// The id of the table that is created, if one is (version 1, fresh).
    pub new_table_id: Uuid,
    /// Data centres and their number of nodes.
    pub datacenters: &'a [(String, usize)],
}

/// What the event and the result frame say of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// `CREATED`
    Created,
    /// `UPDATED`
    Updated,
    /// `DROPPED`
    Dropped,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeTarget {
    /// A keyspace; `Effect::name` is empty.
    Keyspace,
    /// A table.
    Table,
    /// A user type.
    Type,
}

/// One SCHEMA_CHANGE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Created, updated, dropped.
    pub kind: ChangeKind,
    /// Of what sort.
    pub target: ChangeTarget,
    /// Keyspace.
    pub keyspace: String,
    /// Name of the table or type; empty for a keyspace.
    pub name: String,
}

/// The outcome of a schema statement.
#[derive(Clone, Debug)]
pub struct SchemaChange {
    /// The schema afterwards, its version set.
    pub new: Schema,
    /// What the RESULT says; `None`: nothing changed, answer VOID and send no event.
    pub effect: Option<Effect>,
    /// Warnings for the client.
    pub warnings: Vec<String>,
    /// What is sent to registered clients, in order; the last is `effect` (DROP KEYSPACE sends more).
    pub events: Vec<Effect>,
}

/// True for the statements that [`apply_schema_statement`] answers.
pub fn is_schema_statement(statement: &StatementKind) -> bool {
    let _ = statement;
    false
}

/// Applies a CREATE, ALTER or DROP to a schema. Errors have Cassandra's codes and texts.
pub fn apply_schema_statement(
    schema: &Schema,
    statement: &StatementKind,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let _ = (schema, statement, ctx);
    Err(QueryError::Server("schema statements are not there yet".to_owned()))
}
