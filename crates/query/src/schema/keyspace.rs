//! CREATE, ALTER and DROP KEYSPACE.

use std::collections::BTreeMap;

use cql::ast::{AlterKeyspace, CreateKeyspace, DropKeyspace};
use model::{Keyspace, QueryError, Schema};

use super::change::{
    ChangeContext, ChangeKind, ChangeTarget, Effect, SchemaChange, check_modifiable, existing,
};
use super::properties::Properties;
use super::replication;
use crate::system::definitions;

const KNOWN: [&str; 2] = ["durable_writes", "replication"];
const NAME_CHARACTERS_MAX: usize = 48;

pub(super) fn create(
    schema: &Schema,
    statement: &CreateKeyspace,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let name = statement.keyspace.as_str();
    let properties = Properties(&statement.properties);
    properties.check_names(&KNOWN)?;
    let replication = properties.map("replication")?;
    let durable_writes = properties.boolean("durable_writes")?.unwrap_or(true);
    if definitions::is_local(name) || definitions::is_virtual(name) {
        return Err(QueryError::Invalid(format!("System keyspace '{name}' is not user-modifiable")));
    }
    check_name(name)?;
    if schema.keyspace(name).is_some() {
        if statement.if_not_exists {
            return Ok(SchemaChange::none(schema));
        }
        return Err(QueryError::AlreadyExists {
            keyspace: name.to_owned(),
            table: String::new(),
            message: format!("Cannot add existing keyspace \"{name}\""),
        });
    }
    let Some(replication) = replication else {
        return Err(QueryError::invalid("Missing mandatory option 'replication'"));
    };
    let replication = replication::resolve(name, replication, &BTreeMap::new(), ctx.datacenters)?;
    let warnings = replication::warnings(name, &replication, ctx.datacenters);
    let keyspace = Keyspace {
        name: name.into(),
        replication,
        durable_writes,
        tables: BTreeMap::new(),
        types: BTreeMap::new(),
    };
    let effect = Effect::new(ChangeKind::Created, ChangeTarget::Keyspace, name, "");
    Ok(SchemaChange { warnings, ..SchemaChange::put(schema, keyspace, effect) })
}

fn check_name(name: &str) -> Result<(), QueryError> {
    if !is_plain_name(name) {
        return Err(QueryError::Invalid(format!(
            "Keyspace name must not be empty and must contain alphanumeric or underscore characters only \
             (got \"{name}\")"
        )));
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(QueryError::Invalid(format!(
            "Keyspace name must not be more than {NAME_CHARACTERS_MAX} characters long (got {} characters \
             for \"{name}\")",
            name.chars().count()
        )));
    }
    Ok(())
}

/// Letters, digits and underscores: what a directory's name can be made of everywhere.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

pub(super) fn alter(
    schema: &Schema,
    statement: &AlterKeyspace,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let name = statement.keyspace.as_str();
    let properties = Properties(&statement.properties);
    properties.check_names(&KNOWN)?;
    let replication = properties.map("replication")?;
    let durable_writes = properties.boolean("durable_writes")?;
    if definitions::is_local(name) || definitions::is_virtual(name) {
        check_modifiable(name, "ALTER", "")?;
    }
    let old = match schema.keyspace(name) {
        None if statement.if_exists => return Ok(SchemaChange::none(schema)),
        _ => existing(schema, name)?,
    };
    let mut keyspace = Keyspace::clone(old);
    if let Some(replication) = replication {
        keyspace.replication = replication::resolve(name, replication, &old.replication, ctx.datacenters)?;
    }
    keyspace.durable_writes = durable_writes.unwrap_or(old.durable_writes);
    let mut warnings = replication::warnings(name, &keyspace.replication, ctx.datacenters);
    if replication::total(&keyspace.replication) > replication::total(&old.replication) {
        warnings.push(
            "When increasing replication factor you need to run a full (-full) repair to distribute the data."
                .to_owned(),
        );
    }
    let effect = Effect::new(ChangeKind::Updated, ChangeTarget::Keyspace, name, "");
    Ok(SchemaChange { warnings, ..SchemaChange::put(schema, keyspace, effect) })
}

/// Clients hear of every table and type that goes, then of the keyspace.
pub(super) fn drop(schema: &Schema, statement: &DropKeyspace) -> Result<SchemaChange, QueryError> {
    let name = statement.keyspace.as_str();
    check_modifiable(name, "DROP", &format!("keyspace {name}"))?;
    let old = match schema.keyspace(name) {
        None if statement.if_exists => return Ok(SchemaChange::none(schema)),
        _ => existing(schema, name)?,
    };
    let mut new = schema.clone();
    new.keyspaces.remove(name);
    let effect = Effect::new(ChangeKind::Dropped, ChangeTarget::Keyspace, name, "");
    let dropped = |target, object: &str| Effect::new(ChangeKind::Dropped, target, name, object);
    let mut events: Vec<Effect> =
        old.tables.keys().map(|table| dropped(ChangeTarget::Table, table)).collect();
    events.extend(old.types.keys().map(|object| dropped(ChangeTarget::Type, object)));
    events.push(effect.clone());
    Ok(SchemaChange { new, effect: Some(effect), warnings: Vec::new(), events })
}
