//! CREATE, ALTER and DROP TYPE.

use std::collections::BTreeSet;
use std::sync::Arc;

use cql::ast::{AlterType, CreateType, DropObject, NativeType, TypeChange, TypeName};
use model::{CqlType, Keyspace, QueryError, Schema, Table, UserType};

use super::change::{
    ChangeContext, ChangeKind, ChangeTarget, Effect, SchemaChange, check_modifiable, existing, keyspace_of,
    types,
};
use super::resolve::{Types, check_size, replace_user_type};

pub(super) fn create(
    schema: &Schema,
    statement: &CreateType,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace_name = keyspace_of(&statement.name, ctx)?;
    let name = statement.name.name.as_str();
    check_modifiable(keyspace_name, "CREATE", &format!("all tables in {keyspace_name}"))?;
    let keyspace = existing(schema, keyspace_name)?;
    if keyspace.types.contains_key(name) {
        if statement.if_not_exists {
            return Ok(SchemaChange::none(schema));
        }
        return Err(QueryError::Invalid(format!("A user type with name '{name}' already exists")));
    }
    let mut seen = BTreeSet::new();
    for (field, _) in &statement.fields {
        if !seen.insert(field) {
            return Err(QueryError::Invalid(format!("Duplicate field name '{field}' in type '{name}'")));
        }
    }
    let mut fields = Vec::new();
    for (field, field_type) in &statement.fields {
        fields.push((field.as_str().into(), field_of(types(keyspace), field_type)?));
    }
    let definition = UserType { keyspace: Arc::clone(&keyspace.name), name: name.into(), fields };
    let mut keyspace = Keyspace::clone(keyspace);
    keyspace.types.insert(Arc::clone(&definition.name), Arc::new(definition));
    let effect = Effect::new(ChangeKind::Created, ChangeTarget::Type, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}

/// The type of a field. A user type in it must be frozen, whether it exists or not.
fn field_of(types: Types<'_>, name: &TypeName) -> Result<CqlType, QueryError> {
    match name {
        TypeName::Native(NativeType::Counter) => {
            Err(QueryError::invalid("A user type cannot contain counters"))
        }
        TypeName::User(_) => Err(QueryError::invalid("A user type cannot contain non-frozen UDTs")),
        name => types.resolve_bounded(name),
    }
}

pub(super) fn alter(
    schema: &Schema,
    statement: &AlterType,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace_name = keyspace_of(&statement.name, ctx)?;
    let name = statement.name.name.as_str();
    check_modifiable(keyspace_name, "ALTER", &format!("all tables in {keyspace_name}"))?;
    let Some((keyspace, old)) =
        schema.keyspace(keyspace_name).and_then(|keyspace| Some((keyspace, keyspace.types.get(name)?)))
    else {
        if statement.if_exists {
            return Ok(SchemaChange::none(schema));
        }
        return Err(QueryError::Invalid(format!("Type {keyspace_name}.{name} doesn't exist")));
    };
    let mut definition = UserType::clone(old);
    match &statement.change {
        TypeChange::Alter { .. } => {
            return Err(QueryError::invalid("Altering field types is no longer supported"));
        }
        TypeChange::Add { if_not_exists, field, field_type } => {
            add_field(keyspace, &mut definition, field, field_type, *if_not_exists)?;
        }
        TypeChange::Rename { if_exists, fields } => rename_fields(&mut definition, fields, *if_exists)?,
    }
    if definition == **old {
        return Ok(SchemaChange::none(schema));
    }
    let keyspace = with_type(keyspace, Arc::new(definition));
    let fields = keyspace.types.values().flat_map(|user_type| user_type.fields.iter().map(|(_, ty)| ty));
    let columns = keyspace.tables.values().flat_map(|table| table.columns().map(|column| &column.ty));
    fields.chain(columns).try_for_each(check_size)?;
    let effect = Effect::new(ChangeKind::Updated, ChangeTarget::Type, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}

fn add_field(
    keyspace: &Keyspace,
    definition: &mut UserType,
    field: &str,
    field_type: &TypeName,
    if_not_exists: bool,
) -> Result<(), QueryError> {
    let UserType { keyspace: keyspace_name, name, .. } = &*definition;
    if definition.fields.iter().any(|(known, _)| **known == *field) {
        if if_not_exists {
            return Ok(());
        }
        return Err(QueryError::Invalid(format!(
            "Cannot add field {field} to type {keyspace_name}.{name}: a field with name {field} already exists"
        )));
    }
    let ty = field_of(types(keyspace), field_type)?;
    if ty.mentions(keyspace_name, name) {
        return Err(QueryError::Invalid(format!(
            "Cannot add new field {field} of type {} to user type {keyspace_name}.{name} as it would create a \
             circular reference",
            qualified(field_type, keyspace_name)
        )));
    }
    let in_partition_key: Vec<String> = keyspace
        .tables
        .values()
        .filter(|table| table.partition_key.iter().any(|column| column.ty.mentions(keyspace_name, name)))
        .map(|table| format!("{keyspace_name}.{}", table.name))
        .collect();
    if !in_partition_key.is_empty() {
        return Err(QueryError::Invalid(format!(
            "Cannot add new field {field} of type {} to user type {keyspace_name}.{name} as the type is being \
             used in partition key by the following tables: {}",
            qualified(field_type, keyspace_name),
            in_partition_key.join(", ")
        )));
    }
    definition.fields.push((field.into(), ty));
    Ok(())
}

/// The type as written, user types with their keyspace.
fn qualified(name: &TypeName, keyspace: &str) -> String {
    match name {
        TypeName::Frozen(inner) => format!("frozen<{}>", qualified(inner, keyspace)),
        TypeName::User(user) => format!("{keyspace}.{}", user.name),
        other => other.to_string(),
    }
}

fn rename_fields(
    definition: &mut UserType,
    fields: &[(String, String)],
    if_exists: bool,
) -> Result<(), QueryError> {
    let UserType { keyspace, name, fields: known } = definition;
    for (from, to) in fields {
        match known.iter_mut().find(|(field, _)| **field == **from) {
            Some((field, _)) => *field = to.as_str().into(),
            None if if_exists => {}
            None => {
                return Err(QueryError::Invalid(format!(
                    "Unkown field {from} in user type {keyspace}.{name}"
                )));
            }
        }
    }
    let mut seen = BTreeSet::new();
    match known.iter().find(|(field, _)| !seen.insert(field)) {
        // Cassandra names the keyspace where it means the type.
        Some((field, _)) => {
            Err(QueryError::Invalid(format!("Duplicate field name {field} in type {keyspace}")))
        }
        None => Ok(()),
    }
}

/// The keyspace with `definition` in it, and in every type and table that uses it.
fn with_type(keyspace: &Keyspace, definition: Arc<UserType>) -> Keyspace {
    let mut keyspace = keyspace.clone();
    let (owner, name) = (&definition.keyspace, &definition.name);
    for user_type in keyspace.types.values_mut() {
        if user_type.fields.iter().any(|(_, ty)| ty.mentions(owner, name)) {
            let user_type = Arc::make_mut(user_type);
            for (_, ty) in &mut user_type.fields {
                *ty = replace_user_type(ty, &definition);
            }
        }
    }
    for table in keyspace.tables.values_mut() {
        if table.columns().any(|column| column.ty.mentions(owner, name)) {
            let table = Arc::make_mut(table);
            let Table { partition_key, clustering, statics, regulars, .. } = table;
            for column in partition_key.iter_mut().chain(clustering).chain(statics).chain(regulars) {
                column.ty = replace_user_type(&column.ty, &definition);
            }
        }
    }
    keyspace.types.insert(Arc::clone(name), definition);
    keyspace
}

pub(super) fn drop(
    schema: &Schema,
    statement: &DropObject,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace_name = keyspace_of(&statement.name, ctx)?;
    let name = statement.name.name.as_str();
    check_modifiable(keyspace_name, "DROP", &format!("all tables in {keyspace_name}"))?;
    let Some(keyspace) = schema.keyspace(keyspace_name).filter(|keyspace| keyspace.types.contains_key(name))
    else {
        if statement.if_exists {
            return Ok(SchemaChange::none(schema));
        }
        return Err(QueryError::Invalid(format!("Type '{keyspace_name}.{name}' doesn't exist")));
    };
    let uses = |ty: &CqlType| ty.mentions(keyspace_name, name);
    let still_used = |kind: &str, users: Vec<&str>| {
        if users.is_empty() {
            return Ok(());
        }
        Err(QueryError::Invalid(format!(
            "Cannot drop user type '{keyspace_name}.{name}' as it is still used by {kind} {}",
            users.join(", ")
        )))
    };
    let user_types =
        keyspace.types.values().filter(|user_type| user_type.fields.iter().any(|(_, ty)| uses(ty)));
    still_used("user types", user_types.map(|user_type| &*user_type.name).collect())?;
    let tables = keyspace.tables.values().filter(|table| table.columns().any(|column| uses(&column.ty)));
    still_used("tables", tables.map(|table| &*table.name).collect())?;
    let mut keyspace = Keyspace::clone(keyspace);
    keyspace.types.remove(name);
    let effect = Effect::new(ChangeKind::Dropped, ChangeTarget::Type, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}
