//! Statements on what Helenus does not have yet: indexes, views, functions, aggregates, triggers.
//!
//! First come the errors that Cassandra would give (an unknown keyspace, table, column), and IF EXISTS on what
//! cannot exist does nothing; then a text that names the feature.

use cql::ast::{
    ColumnMask, CreateIndex, DropFunction, DropObject, FunctionName, IndexTargetKind, PropertyValue,
    StatementKind, Term, TypeName,
};
use model::{ColumnKind, CqlType, Keyspace, QueryError, Schema, Table};

use super::change::{ChangeContext, SchemaChange, check_modifiable, existing, keyspace_of};
use super::keyspace::is_plain_name;
use super::resolve::Types;
use super::view;

/// Options of a storage-attached index on a text, in the order in which they are checked.
const ANALYZER_OPTIONS: [&str; 3] = ["case_sensitive", "normalize", "ascii"];
/// Options of a storage-attached index on a vector.
const VECTOR_OPTIONS: [&str; 4] =
    ["maximum_node_connections", "construction_beam_width", "similarity_function", "optimize_for"];

pub(super) fn answer(
    schema: &Schema,
    statement: &StatementKind,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    match statement {
        StatementKind::CreateIndex(create) => create_index(schema, create, ctx),
        StatementKind::DropIndex(drop) => drop_object(schema, drop, ctx, |keyspace, name| {
            format!("Index '{keyspace}.{name}' doesn't exist'")
        }),
        StatementKind::CreateView(create) => {
            view::check(schema, create, ctx)?;
            missing_feature("Materialized views are", "CREATE MATERIALIZED VIEW")
        }
        StatementKind::AlterView(alter) => {
            let drop = DropObject { name: alter.view.clone(), if_exists: alter.if_exists };
            drop_object(schema, &drop, ctx, view_text)
        }
        StatementKind::DropView(drop) => drop_object(schema, drop, ctx, view_text),
        StatementKind::CreateFunction(create) => {
            if create.language != "java" {
                return invalid(
                    "Currently only Java UDFs are available in Cassandra. For more information - CASSANDRA-18252 and \
                     CASSANDRA-17281"
                        .to_owned(),
                );
            }
            let keyspace = check_function_keyspace(schema, &create.name, ctx)?;
            for (_, argument) in &create.arguments {
                argument_type(keyspace, "Argument", argument)?;
            }
            argument_type(keyspace, "Return type", &create.return_type)?;
            missing_feature("User-defined functions are", "CREATE FUNCTION")
        }
        StatementKind::CreateAggregate(create) => {
            let keyspace = check_function_keyspace(schema, &create.name, ctx)?;
            let arguments: Result<Vec<String>, QueryError> = create
                .arguments
                .iter()
                .map(|argument| argument_type(keyspace, "Argument", argument))
                .collect();
            let mut types = arguments?;
            types.insert(0, argument_type(keyspace, "State type", &create.state_type)?);
            let types = types.join(", ");
            // There are no functions, so an aggregate has nothing to call.
            invalid(format!(
                "State function {}.{}({types}) doesn't exist",
                keyspace.name, create.state_function
            ))
        }
        StatementKind::DropFunction(drop) => drop_function(schema, drop, ctx, "Function"),
        StatementKind::DropAggregate(drop) => drop_function(schema, drop, ctx, "Aggregate"),
        StatementKind::CreateTrigger(create) => {
            let keyspace = keyspace_of(&create.table, ctx)?;
            check_modifiable(keyspace, "CREATE", &format!("table {keyspace}.{}", create.table.name))?;
            let table = &create.table.name;
            if !existing(schema, keyspace)?.tables.contains_key(table.as_str()) {
                return invalid(format!("Table '{table}' doesn't exist"));
            }
            missing_feature("Triggers are", "CREATE TRIGGER")
        }
        StatementKind::DropTrigger(drop) => {
            let keyspace = keyspace_of(&drop.table, ctx)?;
            if drop.if_exists {
                return Ok(SchemaChange::none(schema));
            }
            invalid(format!("Trigger '{}' on '{keyspace}.{}' doesn't exist", drop.name, drop.table.name))
        }
        _ => Err(QueryError::Server("this is no statement that changes the schema".to_owned())),
    }
}

fn invalid<T>(text: String) -> Result<T, QueryError> {
    Err(QueryError::Invalid(text))
}

fn missing_feature<T>(feature: &str, statement: &str) -> Result<T, QueryError> {
    invalid(format!("{feature} not yet supported by Helenus ({statement})"))
}

/// Refuses a column's mask, if it has one.
pub(super) fn refuse_mask(column: &str, mask: Option<&ColumnMask>) -> Result<(), QueryError> {
    let Some(ColumnMask { function, arguments }) = mask else { return Ok(()) };
    let is_native = function.keyspace.as_deref().is_none_or(|keyspace| keyspace == "system");
    if is_native && function.name.starts_with("mask_") {
        return missing_feature("Dynamic data masking is", "MASKED WITH");
    }
    let arguments: Vec<String> = arguments.iter().map(Term::to_string).collect();
    invalid(format!(
        "Unable to find masking function for {column}, no declared function matches the signature {function}({})",
        arguments.join(", ")
    ))
}

fn view_text(keyspace: &str, name: &str) -> String {
    format!("Materialized view '{keyspace}.{name}' doesn't exist")
}

fn drop_object(
    schema: &Schema,
    statement: &DropObject,
    ctx: &ChangeContext<'_>,
    text: impl FnOnce(&str, &str) -> String,
) -> Result<SchemaChange, QueryError> {
    let keyspace = keyspace_of(&statement.name, ctx)?;
    if statement.if_exists {
        return Ok(SchemaChange::none(schema));
    }
    invalid(text(keyspace, &statement.name.name))
}

fn function_keyspace<'a>(name: &'a FunctionName, ctx: &ChangeContext<'a>) -> Result<&'a str, QueryError> {
    name.keyspace.as_deref().or(ctx.keyspace).ok_or_else(|| {
        QueryError::invalid(
            "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename",
        )
    })
}

fn check_function_keyspace<'s>(
    schema: &'s Schema,
    name: &FunctionName,
    ctx: &ChangeContext<'_>,
) -> Result<&'s Keyspace, QueryError> {
    let keyspace = function_keyspace(name, ctx)?;
    check_modifiable(keyspace, "CREATE", &format!("all functions in {keyspace}"))?;
    existing(schema, keyspace).map(|keyspace| &**keyspace)
}

/// The name of a type that a function takes or gives: it is frozen, but the statement may not say so.
fn argument_type(keyspace: &Keyspace, role: &str, name: &TypeName) -> Result<String, QueryError> {
    if matches!(name, TypeName::Frozen(_)) {
        return invalid(format!("{role} '{name}' cannot be frozen; remove frozen<> modifier from '{name}'"));
    }
    let ty = Types { keyspace: &keyspace.name, types: &keyspace.types }.resolve(name)?;
    Ok(if matches!(name, TypeName::Native(_)) { ty.cql_name() } else { name.to_string() })
}

fn drop_function(
    schema: &Schema,
    statement: &DropFunction,
    ctx: &ChangeContext<'_>,
    kind: &str,
) -> Result<SchemaChange, QueryError> {
    let keyspace = function_keyspace(&statement.name, ctx)?;
    if statement.if_exists {
        return Ok(SchemaChange::none(schema));
    }
    let arguments = match &statement.arguments {
        Some(types) => {
            format!("({})", types.iter().map(TypeName::to_string).collect::<Vec<_>>().join(", "))
        }
        None => String::new(),
    };
    invalid(format!("{kind} '{keyspace}.{}{arguments}' doesn't exist", statement.name.name))
}

fn create_index(
    schema: &Schema,
    statement: &CreateIndex,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace = keyspace_of(&statement.table, ctx)?;
    let name = &statement.table.name;
    check_modifiable(keyspace, "ALTER", &format!("table {keyspace}.{name}"))?;
    let Some(table) = existing(schema, keyspace)?.tables.get(name.as_str()) else {
        return invalid(format!("Table '{name}' doesn't exist"));
    };
    if table.is_counter {
        return invalid("Secondary indexes on counter tables aren't supported".to_owned());
    }
    if statement.targets.len() > 1 && !statement.custom {
        return invalid("Only CUSTOM indexes support multiple columns".to_owned());
    }
    for target in &statement.targets {
        check_index_target(table, &target.column, target.kind)?;
    }
    if let Some(name) = statement.name.as_deref().filter(|name| !is_plain_name(name)) {
        return Err(QueryError::Config(format!("Illegal index name {name}")));
    }
    if statement.using.is_none() && !statement.custom && !index_options(statement).is_empty() {
        return invalid("Cannot specify options for a non-CUSTOM index".to_owned());
    }
    let class = statement.using.as_deref().or(statement.custom.then_some("legacy_local_table"));
    if let Some(class) = class.filter(|class| !is_index_class(class)) {
        return Err(QueryError::Config(format!("Unable to find custom indexer class '{class}'")));
    }
    if class.is_some_and(is_storage_attached) {
        check_storage_attached(table, statement)?;
    }
    missing_feature("Secondary indexes are", "CREATE INDEX")
}

fn is_storage_attached(class: &str) -> bool {
    class.rsplit('.').next() == Some("StorageAttachedIndex") || class.eq_ignore_ascii_case("sai")
}

/// The entries of WITH OPTIONS.
fn index_options(statement: &CreateIndex) -> &[(String, String)] {
    statement
        .properties
        .iter()
        .find_map(|property| match &property.value {
            PropertyValue::Map(entries) if property.name == "options" => Some(entries.as_slice()),
            _ => None,
        })
        .unwrap_or_default()
}

/// What the storage-attached index says to its columns and options.
fn check_storage_attached(table: &Table, statement: &CreateIndex) -> Result<(), QueryError> {
    let options = index_options(statement);
    let is_known =
        |name: &str| ANALYZER_OPTIONS.contains(&name) || VECTOR_OPTIONS.contains(&name) || name == "target";
    let unknown: Vec<&str> =
        options.iter().map(|(name, _)| name.as_str()).filter(|name| !is_known(name)).collect();
    if !unknown.is_empty() {
        return Err(QueryError::Config(format!(
            "Properties specified [{}] are not understood by StorageAttachedIndex",
            unknown.join(", ")
        )));
    }
    if statement.targets.len() > 1 {
        let names: Vec<&str> = statement.targets.iter().map(|target| target.column.as_str()).collect();
        return invalid(format!(
            "A storage-attached index cannot be created over multiple columns: {}",
            names.join(", ")
        ));
    }
    let Some(column) = statement.targets.first().and_then(|target| table.column(&target.column)) else {
        return Ok(());
    };
    let is_text = matches!(column.ty, CqlType::Text | CqlType::Ascii);
    for name in ANALYZER_OPTIONS {
        let Some((_, value)) = options.iter().find(|(known, _)| known == name) else { continue };
        if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
            return invalid(format!("Illegal value for boolean option '{name}': {value}"));
        }
        if !is_text {
            return invalid(format!("CQL type {} cannot be analyzed.", column.ty.cql_name()));
        }
    }
    match &column.ty {
        CqlType::Vector { element, .. } if **element != CqlType::Float => {
            invalid("SAI ANN indexes are only allowed on vector columns with float elements".to_owned())
        }
        CqlType::Vector { .. } => Ok(()),
        other if options.iter().any(|(name, _)| VECTOR_OPTIONS.contains(&name.as_str())) => {
            invalid(format!("CQL type {} cannot have vector options", other.cql_name()))
        }
        _ => Ok(()),
    }
}

/// The index classes that Cassandra brings, by full, short or everyday name.
fn is_index_class(class: &str) -> bool {
    let name = class.rsplit('.').next().unwrap_or(class);
    matches!(name, "StorageAttachedIndex" | "SASIIndex") || class.eq_ignore_ascii_case("sai")
}

fn check_index_target(table: &Table, name: &str, kind: IndexTargetKind) -> Result<(), QueryError> {
    let Some(column) = table.column(name) else {
        return invalid(format!("Undefined column name {name} in table {}.{}", table.keyspace, table.name));
    };
    if column.kind == ColumnKind::PartitionKey && table.partition_key.len() == 1 {
        return invalid(format!("Cannot create secondary index on the only partition key column {name}"));
    }
    let part = match kind {
        IndexTargetKind::Simple | IndexTargetKind::Values => "values",
        IndexTargetKind::Keys => "keys",
        IndexTargetKind::Entries => "entries",
        IndexTargetKind::Full => "full",
    };
    let ty = &column.ty;
    if ty.is_collection() && !ty.is_multi_cell() && kind != IndexTargetKind::Full {
        return invalid(format!(
            "Cannot create {part}() index on frozen column {name}. Frozen collections are immutable and must be \
             fully indexed by using the 'full({name})' modifier"
        ));
    }
    if !ty.is_collection() && kind != IndexTargetKind::Simple {
        return invalid(format!(
            "Cannot create {part}() index on {name}. Non-collection columns only support simple indexes"
        ));
    }
    match ty {
        CqlType::Udt { frozen: false, .. } => {
            invalid(format!("Cannot create index on non-frozen UDT column {name}"))
        }
        CqlType::Duration => invalid("Secondary indexes are not supported on duration columns".to_owned()),
        _ => Ok(()),
    }
}
