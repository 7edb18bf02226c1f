//! A statement that is ready to run: parsed, bound to a schema, its markers known.

use std::sync::Arc;

use cluster::Strategy;
use cql::ast::{self, BatchKind, StatementKind};
use cql::bind::modify::{self, Modify};
use cql::bind::restrict::{KeyRestrictions, Test, TupleExpr};
use cql::bind::select::{Partitions, SelectPlan, bind_select};
use cql::bind::{Expr, Markers, Receiver, Scope};
use md5::{Digest, Md5};
use model::{BoundValue, CqlType, PartitionKey, QueryError, Schema, TableId};
use wire::{ColumnSpec, ResultMetadata};

/// A bound statement.
#[derive(Debug)]
pub struct Statement {
    /// MD5 of the text, with the keyspace in front where the text does not name one.
    pub id: [u8; 16],
    /// The text as it came.
    pub text: Arc<str>,
    /// The keyspace in use when it was bound.
    pub keyspace: Option<Arc<str>>,
    /// True if a name in it was resolved by `keyspace`.
    pub is_unqualified: bool,
    /// What it does.
    pub bound: Bound,
    /// What each marker receives.
    pub markers: Vec<Receiver>,
    /// For each partition key column in order its marker; empty unless all have one.
    pub partition_key_markers: Vec<u16>,
    /// The columns of its result, if it has rows of a fixed shape: encoded once, copied into each reply.
    pub result: Option<Arc<ResultMetadata>>,
    /// Number of the schema that it is bound to.
    pub epoch: u64,
}

/// What a statement does.
#[derive(Debug)]
pub enum Bound {
    /// SELECT.
    Select(Box<SelectPlan>, Strategy),
    /// INSERT, UPDATE, DELETE.
    Modify(Box<Modify>, Strategy),
    /// BEGIN BATCH.
    Batch(Box<BatchPlan>),
    /// All that changes or describes the schema, and USE.
    Other(Box<StatementKind>),
}

/// A bound batch.
#[derive(Debug)]
pub struct BatchPlan {
    /// How it is applied.
    pub kind: BatchKind,
    /// `USING TIMESTAMP` of the whole batch.
    pub timestamp: Option<Expr>,
    /// Its statements, each with its keyspace's replication.
    pub statements: Vec<(Modify, Strategy)>,
}

impl Statement {
    /// The partition that it is for, if its key is made of these values and nothing else. Values are not checked.
    pub fn partition(&self, values: &[BoundValue]) -> Option<(TableId, PartitionKey)> {
        let table = match &self.bound {
            Bound::Select(plan, _) => &plan.table,
            Bound::Modify(modify, _) => &modify.table,
            Bound::Batch(_) | Bound::Other(_) => return None,
        };
        let component = |marker: u16| match values.get(usize::from(marker))? {
            BoundValue::Value(bytes) => Some(bytes.clone()),
            BoundValue::Null | BoundValue::Unset => None,
        };
        let key = match self.partition_key_markers[..] {
            [] => return None,
            [only] => component(only)?,
            ref several => {
                let components: Option<Vec<_>> = several.iter().map(|marker| component(*marker)).collect();
                PartitionKey::compose(&components?).into()
            }
        };
        Some((table.id, PartitionKey::new(key)))
    }

    /// Parses and binds.
    pub fn new(
        text: &str,
        keyspace: Option<&Arc<str>>,
        schema: &Schema,
        epoch: u64,
    ) -> Result<Statement, QueryError> {
        let parsed = cql::parse(text).map_err(|error| QueryError::Syntax(error.message))?;
        let scope = Scope { schema, keyspace: keyspace.map(|keyspace| &**keyspace) };
        let mut markers = Markers::new(&parsed.markers);
        let is_unqualified = is_unqualified(&parsed.kind);
        let mut partition_key_markers = Vec::new();
        let bound = match parsed.kind {
            StatementKind::Select(select) => {
                let plan = bind_select(&select, scope, &mut markers)?;
                if let Partitions::Keys(keys) = &plan.partitions {
                    partition_key_markers = key_markers(keys, plan.table.partition_key.len());
                }
                let strategy = strategy_of(schema, &plan.table.keyspace);
                Bound::Select(Box::new(plan), strategy)
            }
            StatementKind::Insert(insert) => bound_modify(
                modify::bind_insert(&insert, scope, &mut markers)?,
                schema,
                &mut partition_key_markers,
            ),
            StatementKind::Update(update) => bound_modify(
                modify::bind_update(&update, scope, &mut markers)?,
                schema,
                &mut partition_key_markers,
            ),
            StatementKind::Delete(delete) => bound_modify(
                modify::bind_delete(&delete, scope, &mut markers)?,
                schema,
                &mut partition_key_markers,
            ),
            StatementKind::Batch(batch) => Bound::Batch(Box::new(bind_batch(&batch, scope, &mut markers)?)),
            other => Bound::Other(Box::new(other)),
        };
        let result = match &bound {
            Bound::Select(plan, _) => {
                Some(Arc::new(metadata(&plan.table.keyspace, &plan.table.name, plan.result_columns())))
            }
            _ => None,
        };
        let mut hash = Md5::new();
        if let (true, Some(keyspace)) = (is_unqualified, keyspace) {
            hash.update(keyspace.as_bytes());
        }
        hash.update(text.as_bytes());
        Ok(Statement {
            id: hash.finalize().into(),
            text: text.into(),
            keyspace: keyspace.cloned(),
            is_unqualified,
            bound,
            markers: markers.into_receivers()?,
            partition_key_markers,
            result,
            epoch,
        })
    }

    /// The tables that it reads or writes.
    pub fn tables(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let name = |table: &model::Table| (table.keyspace.clone(), table.name.clone());
        match &self.bound {
            Bound::Select(plan, _) => vec![name(&plan.table)],
            Bound::Modify(modify, _) => vec![name(&modify.table)],
            Bound::Batch(batch) => batch.statements.iter().map(|(modify, _)| name(&modify.table)).collect(),
            Bound::Other(_) => Vec::new(),
        }
    }
}

/// Metadata of these columns of one table.
pub fn metadata(keyspace: &Arc<str>, table: &Arc<str>, columns: Vec<(Arc<str>, CqlType)>) -> ResultMetadata {
    let spec = |(name, ty)| ColumnSpec { keyspace: keyspace.clone(), table: table.clone(), name, ty };
    ResultMetadata::new(columns.into_iter().map(spec).collect())
}

fn bound_modify(modify: Modify, schema: &Schema, key_markers_out: &mut Vec<u16>) -> Bound {
    *key_markers_out = key_markers(&modify.partition, modify.table.partition_key.len());
    let strategy = strategy_of(schema, &modify.table.keyspace);
    Bound::Modify(Box::new(modify), strategy)
}

fn strategy_of(schema: &Schema, keyspace: &str) -> Strategy {
    schema.keyspace(keyspace).map_or(Strategy::Local, |keyspace| Strategy::of(&keyspace.replication))
}

/// The marker of each partition key column; none unless all are markers in an equality.
fn key_markers(keys: &KeyRestrictions, count: usize) -> Vec<u16> {
    let marker = |index: usize| match keys.covering(index).map(|test| &test.test) {
        Some(Test::Eq(TupleExpr::Parts(parts))) => match parts.first() {
            Some(Expr::Marker { index, .. }) => u16::try_from(*index).ok(),
            _ => None,
        },
        _ => None,
    };
    (0..count).map(marker).collect::<Option<Vec<u16>>>().unwrap_or_default()
}

/// True if a table in it is named without its keyspace.
fn is_unqualified(kind: &StatementKind) -> bool {
    let of_modification = |modification: &ast::Modification| match modification {
        ast::Modification::Insert(insert) => insert.table.keyspace.is_none(),
        ast::Modification::Update(update) => update.table.keyspace.is_none(),
        ast::Modification::Delete(delete) => delete.table.keyspace.is_none(),
    };
    match kind {
        StatementKind::Select(select) => select.table.keyspace.is_none(),
        StatementKind::Insert(insert) => insert.table.keyspace.is_none(),
        StatementKind::Update(update) => update.table.keyspace.is_none(),
        StatementKind::Delete(delete) => delete.table.keyspace.is_none(),
        StatementKind::Batch(batch) => batch.statements.iter().any(of_modification),
        _ => false,
    }
}

fn bind_batch(batch: &ast::Batch, scope: Scope<'_>, markers: &mut Markers) -> Result<BatchPlan, QueryError> {
    let mut statements = Vec::with_capacity(batch.statements.len());
    let timestamp = match (&batch.attributes.timestamp, batch.statements.first()) {
        (Some(term), _) => {
            let receiver = Receiver {
                keyspace: "[batch]".into(),
                table: "[batch]".into(),
                name: "[timestamp]".into(),
                ty: CqlType::Bigint,
            };
            Some(Expr::bind(term, &receiver, scope, markers)?)
        }
        (None, _) => None,
    };
    if batch.attributes.ttl.is_some() {
        return Err(QueryError::invalid("Global TTL on the BATCH statement is not supported."));
    }
    for statement in &batch.statements {
        let modify = match statement {
            ast::Modification::Insert(insert) => modify::bind_insert(insert, scope, markers)?,
            ast::Modification::Update(update) => modify::bind_update(update, scope, markers)?,
            ast::Modification::Delete(delete) => modify::bind_delete(delete, scope, markers)?,
        };
        let strategy = strategy_of(scope.schema, &modify.table.keyspace);
        statements.push((modify, strategy));
    }
    let modifies: Vec<&Modify> = statements.iter().map(|(modify, _)| modify).collect();
    check_batch(batch.kind, timestamp.is_some(), &modifies)?;
    Ok(BatchPlan { kind: batch.kind, timestamp, statements })
}

/// The rules of what may stand together in a batch.
pub fn check_batch(kind: BatchKind, has_timestamp: bool, statements: &[&Modify]) -> Result<(), QueryError> {
    let has_counters = statements.iter().any(|modify| modify.table.is_counter);
    let has_others = statements.iter().any(|modify| !modify.table.is_counter);
    let has_conditions = statements.iter().any(|modify| modify.is_conditional());
    if has_timestamp {
        if has_counters {
            return Err(QueryError::invalid("Cannot provide custom timestamp for counter BATCH"));
        }
        if has_conditions {
            return Err(QueryError::invalid("Cannot provide custom timestamp for conditional BATCH"));
        }
        if statements.iter().any(|modify| modify.timestamp.is_some()) {
            return Err(QueryError::invalid(
                "Timestamp must be set either on BATCH or individual statements",
            ));
        }
    }
    if kind == BatchKind::Counter && has_others {
        return Err(QueryError::invalid("Cannot include non-counter statement in a counter batch"));
    }
    if has_counters && has_others {
        return Err(QueryError::invalid("Counter and non-counter mutations cannot exist in the same batch"));
    }
    if kind == BatchKind::Logged && has_counters {
        return Err(QueryError::invalid("Cannot include a counter statement in a logged batch"));
    }
    if has_conditions && statements.iter().any(|modify| modify.table.id != statements[0].table.id) {
        return Err(QueryError::invalid("Batch with conditions cannot span multiple tables"));
    }
    Ok(())
}
