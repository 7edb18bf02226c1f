//! INSERT, UPDATE, DELETE, executed: a bound statement and its values make mutations.
//!
//! Read in order: [`WriteContext`], [`mutations`], [`change`] (what one operation does to a row), [`cas`] (IF).
//!
//! Never here: who applies mutations; reads that an operation needs come in by a closure.

use cql::bind::modify::{Kind, Modify, Operation};
use cql::bind::restrict;
use cql::bind::term::EvalContext;
use model::row::{MAX_TTL_S, NO_DELETION_TIME, NO_TTL};
use model::{
    BoundValue, Clustering, ColumnKind, DeletionTime, Liveness, Mutation, PartitionKey, PartitionUpdate,
    QueryError, RangeTombstone, Row,
};
use uuid::Uuid;

pub mod cas;
pub mod change;
pub mod json;

/// Last second at which a cell can expire: 2106-02-07T06:28:13Z.
const MAX_EXPIRY_S: u64 = 0xffff_fffd;

/// What a write needs beside its statement.
#[derive(Clone, Copy)]
pub struct WriteContext<'a> {
    /// The request's values, clock and randomness.
    pub eval: EvalContext<'a>,
    /// Write time of statements that name none.
    pub timestamp_us: i64,
    /// Second from which times to live count.
    pub now_s: u32,
    /// This node, for counters.
    pub host_id: Uuid,
}

/// What is there of a row now: the static row for `Clustering::EMPTY` of a table with clustering columns.
pub struct Existing {
    /// The static row, if there is one.
    pub static_row: Option<Row>,
    /// The row, if there is one.
    pub row: Option<Row>,
}

/// Reads what is there of one row (`None`: the static row only).
pub type ReadExisting<'r> =
    dyn FnMut(&PartitionKey, Option<&Clustering>) -> Result<Existing, QueryError> + 'r;

/// Times of one statement's cells.
#[derive(Clone, Copy, Debug)]
pub struct WriteTimes {
    /// Write time.
    pub timestamp_us: i64,
    /// Time to live, or `NO_TTL`.
    pub ttl_s: i32,
    /// Second of expiry, or `NO_DELETION_TIME`.
    pub expires_s: u32,
    /// Second of deletion, for tombstones.
    pub now_s: u32,
}

impl WriteTimes {
    /// The deletion that a statement of these times makes.
    pub fn deletion(&self) -> DeletionTime {
        DeletionTime { timestamp_us: self.timestamp_us, local_deletion_s: self.now_s }
    }
}

/// Times of a statement.
pub fn times(modify: &Modify, ctx: &WriteContext<'_>) -> Result<WriteTimes, QueryError> {
    let timestamp_us = match &modify.timestamp {
        None => ctx.timestamp_us,
        Some(expr) => match expr.evaluate(&ctx.eval)? {
            BoundValue::Unset => ctx.timestamp_us,
            BoundValue::Null => return Err(QueryError::invalid("Invalid null value of timestamp")),
            BoundValue::Value(bytes) => {
                let bytes: [u8; 8] =
                    bytes.as_ref().try_into().map_err(|_| QueryError::invalid("Invalid timestamp value"))?;
                let timestamp = i64::from_be_bytes(bytes);
                if timestamp == i64::MIN {
                    return Err(QueryError::Invalid(format!(
                        "Out of bound timestamp, must be in [{}, {}] (got {timestamp})",
                        i64::MIN + 1,
                        i64::MAX
                    )));
                }
                timestamp
            }
        },
    };
    let default = modify.table.options.default_time_to_live;
    let ttl_s = match &modify.ttl {
        None => default,
        Some(expr) => match expr.evaluate(&ctx.eval)? {
            BoundValue::Unset | BoundValue::Null => default,
            BoundValue::Value(bytes) => {
                let bytes: [u8; 4] =
                    bytes.as_ref().try_into().map_err(|_| QueryError::invalid("Invalid TTL value"))?;
                i32::from_be_bytes(bytes)
            }
        },
    };
    if ttl_s < 0 {
        return Err(QueryError::Invalid(format!("A TTL must be greater or equal to 0, but was {ttl_s}")));
    }
    if ttl_s > MAX_TTL_S {
        return Err(QueryError::Invalid(format!(
            "ttl is too large. requested ({ttl_s}) maximum ({MAX_TTL_S})"
        )));
    }
    let expiry = u64::from(ctx.now_s) + u64::from(ttl_s.unsigned_abs());
    if ttl_s != NO_TTL && expiry > MAX_EXPIRY_S {
        return Err(QueryError::Invalid(format!(
            "Request on table {}.{} with ttl of {ttl_s} seconds exceeds maximum supported expiration date of \
             2106-02-07T06:28:13+00:00. In order to avoid this use a lower TTL.",
            modify.table.keyspace, modify.table.name
        )));
    }
    let expires_s = if ttl_s == NO_TTL { NO_DELETION_TIME } else { expiry as u32 };
    Ok(WriteTimes { timestamp_us, ttl_s, expires_s, now_s: ctx.now_s })
}

/// The partitions that a statement changes.
pub fn keys(modify: &Modify, ctx: &WriteContext<'_>) -> Result<Vec<PartitionKey>, QueryError> {
    restrict::partition_keys(&modify.partition, &modify.table, &ctx.eval)
}

/// The mutations of a statement, one for each partition. `existing` is asked only if the statement
/// [needs to read](Modify::needs_read) or changes counters.
pub fn mutations(
    modify: &Modify,
    ctx: &WriteContext<'_>,
    existing: &mut ReadExisting<'_>,
) -> Result<Vec<Mutation>, QueryError> {
    let times = times(modify, ctx)?;
    let keys = keys(modify, ctx)?;
    let mut mutations = Vec::with_capacity(keys.len());
    for key in keys {
        let update = update_of(modify, &key, &times, ctx, existing)?;
        mutations.push(Mutation { table: modify.table.clone(), key, update });
    }
    Ok(mutations)
}

fn update_of(
    modify: &Modify,
    key: &PartitionKey,
    times: &WriteTimes,
    ctx: &WriteContext<'_>,
    existing: &mut ReadExisting<'_>,
) -> Result<PartitionUpdate, QueryError> {
    let mut update = PartitionUpdate::default();
    if modify.operations.is_empty() && modify.kind == Kind::Delete {
        delete_rows(modify, times, ctx, &mut update)?;
        return Ok(update);
    }
    let has_statics = modify.operations.iter().any(|operation| operation.column().kind == ColumnKind::Static);
    if has_statics {
        let mut row = change::RowChange::new(Row::empty(Clustering::EMPTY), *times);
        let statics =
            modify.operations.iter().filter(|operation| operation.column().kind == ColumnKind::Static);
        row.apply_all(statics, ctx, &mut || existing(key, None).map(|existing| existing.static_row))?;
        update.static_row = Some(row.finish());
        let is_static_insert = modify.kind != Kind::Delete && modify.clustering.is_empty();
        if modify.is_static_only() && (is_static_insert || modify.kind == Kind::Delete) {
            return Ok(update);
        }
    }
    let reads =
        |operation: &Operation| operation.needs_read() || matches!(operation, Operation::Count { .. });
    let has_reads = modify.operations.iter().any(reads);
    let clusterings = clusterings(modify, ctx)?;
    update.rows.reserve_exact(clusterings.len());
    for clustering in clusterings {
        let read = has_reads.then(|| clustering.clone());
        let mut row = Row::empty(clustering);
        row.columns.reserve_exact(modify.operations.len());
        if modify.kind == Kind::Insert {
            row.liveness = Liveness {
                timestamp_us: times.timestamp_us,
                ttl_s: times.ttl_s,
                local_deletion_s: times.expires_s,
            };
        }
        let mut row = change::RowChange::new(row, *times);
        let regulars =
            modify.operations.iter().filter(|operation| operation.column().kind == ColumnKind::Regular);
        row.apply_all(regulars, ctx, &mut || {
            assert!(read.is_some(), "only operations that read ask for the row");
            existing(key, read.as_ref()).map(|existing| existing.row)
        })?;
        let row = row.finish();
        if !row.is_empty() {
            update.rows.push(row);
        }
    }
    if update.rows.len() > 1 {
        update.rows.sort_by(|a, b| a.clustering.cmp(&b.clustering));
        update.rows.dedup_by(|a, b| a.clustering == b.clustering);
    }
    Ok(update)
}

/// The rows that a statement names in each partition.
pub fn clusterings(modify: &Modify, ctx: &WriteContext<'_>) -> Result<Vec<Clustering>, QueryError> {
    if modify.table.clustering.is_empty() {
        return Ok(vec![Clustering::EMPTY]);
    }
    let columns = &modify.table.clustering;
    if let Some(values) = modify.clustering.only_values(columns.len(), &ctx.eval) {
        return Ok(vec![restrict::clustering(values, columns)?]);
    }
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let (prefixes, _) = modify.clustering.prefixes(&names, &ctx.eval)?;
    prefixes.into_iter().map(|values| restrict::clustering(values, columns)).collect()
}

/// DELETE of whole partitions, rows or ranges.
fn delete_rows(
    modify: &Modify,
    times: &WriteTimes,
    ctx: &WriteContext<'_>,
    update: &mut PartitionUpdate,
) -> Result<(), QueryError> {
    let deletion = times.deletion();
    if modify.clustering.is_empty() {
        check_storable(deletion, "a partition")?;
        update.deletion = deletion;
        return Ok(());
    }
    let is_full =
        modify.clustering.prefix_len() == modify.table.clustering.len() && !modify.clustering.has_slice();
    if is_full {
        let mut clusterings = clusterings(modify, ctx)?;
        clusterings.sort();
        clusterings.dedup();
        update.rows =
            clusterings.into_iter().map(|clustering| Row { deletion, ..Row::empty(clustering) }).collect();
        return Ok(());
    }
    check_storable(deletion, "a range of rows")?;
    let (slices, _) = restrict::slices(&modify.clustering, &modify.table, &ctx.eval)?;
    update.range_tombstones = slices
        .0
        .into_iter()
        .map(|slice| RangeTombstone { start: slice.start, end: slice.end, deletion })
        .collect();
    Ok(())
}

/// BTI files have no place for such a deletion with a negative time (Cassandra writes them and cannot read them again).
fn check_storable(deletion: DeletionTime, of_what: &str) -> Result<(), QueryError> {
    if deletion.timestamp_us < 0 {
        return Err(QueryError::Invalid(format!(
            "A deletion of {of_what} needs a timestamp of 0 or later (got {}); nothing was deleted",
            deletion.timestamp_us
        )));
    }
    Ok(())
}

/// True if executing the statement reads first, so that its partition must be locked meanwhile.
pub fn reads_first(modify: &Modify) -> bool {
    modify.needs_read()
        || modify.table.is_counter && modify.operations.iter().any(|o| matches!(o, Operation::Count { .. }))
}
