//! What a schema statement makes of a schema.

use std::sync::Arc;

use cql::ast::{QualifiedName, StatementKind};
use model::{Keyspace, QueryError, Schema, Table};
use uuid::Uuid;

use super::resolve::Types;
use super::{alter_table, keyspace, rows, table, unsupported, user_type};
use crate::system::definitions;

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
    matches!(
        statement,
        StatementKind::CreateKeyspace(_)
            | StatementKind::AlterKeyspace(_)
            | StatementKind::DropKeyspace(_)
            | StatementKind::CreateTable(_)
            | StatementKind::AlterTable(_)
            | StatementKind::DropTable(_)
            | StatementKind::CreateType(_)
            | StatementKind::AlterType(_)
            | StatementKind::DropType(_)
            | StatementKind::CreateIndex(_)
            | StatementKind::DropIndex(_)
            | StatementKind::CreateView(_)
            | StatementKind::AlterView(_)
            | StatementKind::DropView(_)
            | StatementKind::CreateFunction(_)
            | StatementKind::DropFunction(_)
            | StatementKind::CreateAggregate(_)
            | StatementKind::DropAggregate(_)
            | StatementKind::CreateTrigger(_)
            | StatementKind::DropTrigger(_)
    )
}

/// Applies a CREATE, ALTER or DROP to a schema. Errors have Cassandra's codes and texts.
pub fn apply_schema_statement(
    schema: &Schema,
    statement: &StatementKind,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let mut change = match statement {
        StatementKind::CreateKeyspace(create) => keyspace::create(schema, create, ctx),
        StatementKind::AlterKeyspace(alter) => keyspace::alter(schema, alter, ctx),
        StatementKind::DropKeyspace(drop) => keyspace::drop(schema, drop),
        StatementKind::CreateTable(create) => table::create(schema, create, ctx),
        StatementKind::AlterTable(alter) => alter_table::alter(schema, alter, ctx),
        StatementKind::DropTable(drop) => table::drop(schema, drop, ctx),
        StatementKind::CreateType(create) => user_type::create(schema, create, ctx),
        StatementKind::AlterType(alter) => user_type::alter(schema, alter, ctx),
        StatementKind::DropType(drop) => user_type::drop(schema, drop, ctx),
        other => unsupported::answer(schema, other, ctx),
    }?;
    if change.effect.is_some() {
        change.new.version = rows::version_after(schema, &change.new);
    }
    Ok(change)
}

/// The tables of `old` that are not in `new`: their data can go.
pub fn dropped_tables(old: &Schema, new: &Schema) -> Vec<Arc<Table>> {
    let kept: std::collections::HashSet<_> = new.tables().map(|table| table.id).collect();
    old.tables().filter(|table| !kept.contains(&table.id)).cloned().collect()
}

impl SchemaChange {
    /// Nothing changed.
    pub(super) fn none(schema: &Schema) -> SchemaChange {
        SchemaChange { new: schema.clone(), effect: None, warnings: Vec::new(), events: Vec::new() }
    }

    /// `keyspace` is new or takes the place of the one of its name.
    pub(super) fn put(schema: &Schema, keyspace: Keyspace, effect: Effect) -> SchemaChange {
        if schema.keyspace(&keyspace.name).is_some_and(|old| **old == keyspace) {
            return SchemaChange::none(schema);
        }
        let mut new = schema.clone();
        new.keyspaces.insert(Arc::clone(&keyspace.name), Arc::new(keyspace));
        SchemaChange { new, effect: Some(effect.clone()), warnings: Vec::new(), events: vec![effect] }
    }
}

impl Effect {
    /// An effect on `keyspace.name`.
    pub(super) fn new(kind: ChangeKind, target: ChangeTarget, keyspace: &str, name: &str) -> Effect {
        Effect { kind, target, keyspace: keyspace.to_owned(), name: name.to_owned() }
    }
}

/// The keyspace of a name: the one written, else the session's.
pub(super) fn keyspace_of<'a>(
    name: &'a QualifiedName,
    ctx: &ChangeContext<'a>,
) -> Result<&'a str, QueryError> {
    name.keyspace.as_deref().or(ctx.keyspace).ok_or_else(|| {
        QueryError::invalid(
            "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename",
        )
    })
}

/// Refuses to change what belongs to the node. `verb` and `resource` are the words for the replicated system
/// keyspaces: `Cannot DROP <table system_auth.roles>`.
pub(super) fn check_modifiable(keyspace: &str, verb: &str, resource: &str) -> Result<(), QueryError> {
    if definitions::is_local(keyspace) || definitions::is_virtual(keyspace) {
        return Err(QueryError::Unauthorized(format!("{keyspace} keyspace is not user-modifiable.")));
    }
    if definitions::is_replicated_system(keyspace) {
        return Err(QueryError::Unauthorized(format!("Cannot {verb} <{resource}>")));
    }
    Ok(())
}

/// The keyspace that must exist for something to be created in it.
pub(super) fn existing<'a>(schema: &'a Schema, keyspace: &str) -> Result<&'a Arc<Keyspace>, QueryError> {
    schema
        .keyspace(keyspace)
        .ok_or_else(|| QueryError::Invalid(format!("Keyspace '{keyspace}' doesn't exist")))
}

/// The user types that a statement on this keyspace can name.
pub(super) fn types(keyspace: &Keyspace) -> Types<'_> {
    Types { keyspace: &keyspace.name, types: &keyspace.types }
}
