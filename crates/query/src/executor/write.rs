//! Writes that read first: conditions, counters, list elements by index; and batches.
//!
//! The partition is locked while it is read and written, so that nobody comes between.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cluster::Strategy;
use coordinator::{Consistency, write_failed};
use cql::ast::BatchKind;
use cql::bind::Expr;
use cql::bind::modify::Modify;
use model::{
    Bound, BoundKind, BoundValue, Clustering, Mutation, PartitionKey, PartitionSelection, PartitionUpdate,
    QueryError, ReadCommand, Row, Slice, Slices, Table, Unfiltered,
};

use super::{Answer, AnswerRows, Done, Executor, RequestOptions, batch_size, check_writable};
use crate::modify::cas::{self, CasAnswer};
use crate::modify::{self, Existing, WriteContext};
use crate::statement::{Statement, check_batch};

/// A statement of a batch, with values of its own if it came in a BATCH message.
pub type BatchPart<'b> = (&'b Modify, &'b Strategy, Option<&'b [BoundValue]>);

impl Executor {
    /// Runs a statement that reads before it writes.
    pub(super) async fn write_after_read(
        &self,
        modify: &Modify,
        strategy: &Strategy,
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        check_writable(modify)?;
        let ctx = self.write_context(options)?;
        let expanded;
        let modify = match &modify.json {
            Some(source) => {
                expanded = modify::json::expand(modify, source, &ctx.eval)?;
                &expanded
            }
            None => modify,
        };
        if modify.is_conditional() {
            return self.run_conditional(&[(modify, strategy, None)], false, options).await;
        }
        check_plain(modify, options.consistency)?;
        self.coordinator.check(strategy, options.consistency)?;
        let keys = modify::keys(modify, &ctx)?;
        let locks = self.lock_all(keys.into_iter().map(|key| (modify.table.id, key)).collect()).await?;
        // The time is taken under the lock: a later change of a counter must have a later time.
        let ctx = self.write_context(options)?;
        let read = || {
            let mut existing = |key: &PartitionKey, clustering: Option<&Clustering>| {
                self.existing(&modify.table, key, clustering)
            };
            modify::mutations(modify, &ctx, &mut existing)
        };
        let mutations = self.coordinator.read_first(read).await?;
        let commit = self.coordinator.write_waiting(&mutations).await?;
        drop(locks);
        commit.synced().await.map_err(|error| write_failed(error, &mutations))?;
        Ok(Answer::Void.into())
    }

    /// Runs a BATCH message: statements with values of their own.
    pub async fn run_batch_message(
        self: Arc<Self>,
        kind: BatchKind,
        statements: Vec<(Arc<Statement>, Vec<BoundValue>)>,
        options: RequestOptions,
    ) -> Result<Done, QueryError> {
        let mut parts: Vec<BatchPart<'_>> = Vec::with_capacity(statements.len());
        for (statement, values) in &statements {
            let crate::statement::Bound::Modify(modify, strategy) = &statement.bound else {
                return Err(QueryError::invalid(
                    "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.",
                ));
            };
            parts.push((modify, strategy, Some(values)));
        }
        self.run_batch(kind, None, parts, &options).await
    }

    /// Runs a batch. Parts without values of their own share the request's.
    pub(super) async fn run_batch(
        self: &Arc<Self>,
        kind: BatchKind,
        timestamp: Option<&Expr>,
        parts: Vec<BatchPart<'_>>,
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        let modifies: Vec<&Modify> = parts.iter().map(|(modify, ..)| *modify).collect();
        check_batch(kind, timestamp.is_some(), &modifies)?;
        if parts.is_empty() {
            return Ok(Answer::Void.into());
        }
        for modify in &modifies {
            check_writable(modify)?;
        }
        let mut options = options.clone();
        if let Some(timestamp) = timestamp
            && let BoundValue::Value(bytes) = timestamp.evaluate(&self.eval(&options.values))?
        {
            let bytes =
                bytes.as_ref().try_into().map_err(|_| QueryError::invalid("Invalid timestamp value"))?;
            options.timestamp_us = Some(i64::from_be_bytes(bytes));
        }
        if modifies.iter().any(|modify| modify.is_conditional()) {
            return self.run_conditional(&parts, true, &options).await;
        }
        self.run_plain_batch(kind, &parts, &options).await
    }

    async fn run_plain_batch(
        self: &Arc<Self>,
        kind: BatchKind,
        parts: &[BatchPart<'_>],
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        for (modify, strategy, _) in parts {
            check_plain(modify, options.consistency)?;
            self.coordinator.check(strategy, options.consistency)?;
        }
        let locks = self.lock_readers(parts, options).await?;
        let mut options = options.clone();
        // One time for the whole batch.
        options.timestamp_us.get_or_insert_with(|| self.unique_us());
        let mutations = self.coordinator.read_first(|| self.mutations_of(parts, &options)).await?;
        let mutations = join(mutations);
        let now = self.runtime.clock().monotonic();
        let warnings = batch_size::check(&self.batch_limits, kind, &mutations, &self.batches_told, now)?;
        if kind == BatchKind::Logged && self.needs_batchlog(&mutations) {
            self.write_logged(mutations).await?;
            return Ok(Done { answer: Answer::Void, warnings, events: Vec::new() });
        }
        let commit = self.coordinator.write_waiting(&mutations).await?;
        drop(locks);
        commit.synced().await.map_err(|error| write_failed(error, &mutations))?;
        Ok(Done { answer: Answer::Void, warnings, events: Vec::new() })
    }

    /// Locks the partitions of parts that read, in order, each once.
    async fn lock_readers(
        &self,
        parts: &[BatchPart<'_>],
        options: &RequestOptions,
    ) -> Result<Vec<storage::PartitionLock>, QueryError> {
        let mut keys = Vec::new();
        for (modify, _, values) in parts {
            if modify::reads_first(modify) {
                let part_options = with_values(options, *values);
                let ctx = self.write_context(&part_options)?;
                keys.extend(modify::keys(modify, &ctx)?.into_iter().map(|key| (modify.table.id, key)));
            }
        }
        self.lock_all(keys).await
    }

    async fn lock_all(
        &self,
        mut keys: Vec<(model::TableId, PartitionKey)>,
    ) -> Result<Vec<storage::PartitionLock>, QueryError> {
        keys.sort();
        keys.dedup();
        self.coordinator.lock_all(&keys).await
    }

    fn mutations_of(
        &self,
        parts: &[BatchPart<'_>],
        options: &RequestOptions,
    ) -> Result<Vec<Mutation>, QueryError> {
        let mut all: Vec<Mutation> = Vec::with_capacity(parts.len());
        let mut earlier = Earlier::default();
        for (modify, _, values) in parts {
            let part_options = with_values(options, *values);
            let ctx = self.write_context(&part_options)?;
            let expanded;
            let modify = match &modify.json {
                Some(source) => {
                    expanded = modify::json::expand(modify, source, &ctx.eval)?;
                    &expanded
                }
                None => *modify,
            };
            let mut existing = |key: &PartitionKey, clustering: Option<&Clustering>| {
                let mut found = self.existing(&modify.table, key, clustering)?;
                if modify.table.is_counter {
                    earlier.overlay(&mut found, &modify.table, key, clustering);
                }
                Ok(found)
            };
            let made = modify::mutations(modify, &ctx, &mut existing)?;
            if modify.table.is_counter {
                made.iter().for_each(|mutation| earlier.add(mutation));
            }
            all.extend(made);
        }
        Ok(all)
    }

    /// Runs statements on one partition of which at least one has a condition.
    async fn run_conditional(
        &self,
        parts: &[BatchPart<'_>],
        is_batch: bool,
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        if !options.serial_consistency.is_serial() {
            return Err(QueryError::invalid(
                "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL",
            ));
        }
        options.consistency.check_cas_commit()?;
        let (first, strategy, values) = parts[0];
        self.coordinator.check(strategy, options.serial_consistency)?;
        let mut key = None;
        for (modify, _, values) in parts {
            let part_options = with_values(options, *values);
            let ctx = self.write_context(&part_options)?;
            for found in modify::keys(modify, &ctx)? {
                if key.as_ref().is_some_and(|key| *key != found) {
                    return Err(QueryError::invalid("Batch with conditions cannot span multiple partitions"));
                }
                key = Some(found);
            }
        }
        let Some(key) = key else { return Ok(self.cas_done(&first.table, CasAnswer::applied())) };
        let lock = self.coordinator.lock(first.table.id, &key).await;
        let _ = values;
        let mut options = options.clone();
        options.timestamp_us = Some(self.unique_us());
        let refused = self.coordinator.read_first(|| self.refused(parts, &key, is_batch, &options)).await?;
        if let Some(refused) = refused {
            return Ok(self.cas_done(&first.table, refused));
        }
        let mutations = self.coordinator.read_first(|| self.mutations_of(parts, &options)).await?;
        let mutations = join(mutations);
        let commit = self.coordinator.write_waiting(&mutations).await?;
        drop(lock);
        commit.synced().await.map_err(|error| write_failed(error, &mutations))?;
        Ok(self.cas_done(&first.table, CasAnswer::applied()))
    }

    fn refused(
        &self,
        parts: &[BatchPart<'_>],
        key: &PartitionKey,
        is_batch: bool,
        options: &RequestOptions,
    ) -> Result<Option<CasAnswer>, QueryError> {
        let table = parts[0].0.table.clone();
        let mut tests: Vec<(&Modify, RequestOptions)> = Vec::with_capacity(parts.len());
        for (modify, _, values) in parts {
            tests.push((modify, with_values(options, *values)));
        }
        let mut contexts: Vec<(&Modify, WriteContext<'_>)> = Vec::with_capacity(parts.len());
        for (modify, options) in &tests {
            contexts.push((modify, self.write_context(options)?));
        }
        let mut reads = cas::Reads {
            row: &mut |key, clustering| self.existing(&table, key, clustering),
            first: &mut |key, takes| self.existing_in(&table, key, Slices::all(), takes),
        };
        cas::refuse(&contexts, key, is_batch, &mut reads)
    }

    fn cas_done(&self, table: &Table, answer: CasAnswer) -> Done {
        Answer::Rows(AnswerRows {
            keyspace: table.keyspace.clone(),
            table: table.name.clone(),
            columns: answer.columns,
            rows: answer.rows,
            paging_state: None,
        })
        .into()
    }

    /// What is there of a row (`None`: of the static row alone).
    fn existing(
        &self,
        table: &Arc<Table>,
        key: &PartitionKey,
        clustering: Option<&Clustering>,
    ) -> Result<Existing, QueryError> {
        let slices = match clustering {
            None => Slices(Vec::new()),
            Some(clustering) if clustering.values.is_empty() => Slices::all(),
            Some(clustering) => {
                let types = table.clustering_types();
                Slices(vec![Slice {
                    start: Bound::new(BoundKind::InclusiveStart, clustering.values.clone(), &types),
                    end: Bound::new(BoundKind::InclusiveEnd, clustering.values.clone(), &types),
                }])
            }
        };
        self.existing_in(table, key, slices, &|_| true)
    }

    /// The static row, and the first row of the slices that is taken.
    fn existing_in(
        &self,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: Slices,
        takes: &dyn Fn(&Row) -> bool,
    ) -> Result<Existing, QueryError> {
        let command = ReadCommand {
            table: table.clone(),
            partitions: PartitionSelection::Key(key.clone()),
            slices,
            reversed: false,
        };
        let failed =
            |error: model::partition::SourceError| QueryError::Server(format!("read failed: {error}"));
        let mut found = Existing { static_row: None, row: None };
        let mut partitions = self.coordinator.read(&command)?;
        while let Some(mut partition) = partitions.next_partition().map_err(failed)? {
            found.static_row = partition.header().static_row.clone();
            while let Some(unfiltered) = partition.next().map_err(failed)? {
                if let Unfiltered::Row(row) = unfiltered
                    && takes(&row)
                {
                    found.row = Some(row);
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

/// What earlier statements of the batch make of counters: one that goes up twice goes up by both. By partition and
/// clustering, as a batch may hold 65,535 of them.
#[derive(Default)]
struct Earlier {
    partitions: HashMap<(model::TableId, Bytes), EarlierRows>,
}

#[derive(Default)]
struct EarlierRows {
    static_row: Option<Row>,
    /// By the byte-comparable form of their clustering.
    rows: HashMap<Bytes, Row>,
}

impl Earlier {
    fn add(&mut self, mutation: &Mutation) {
        let table = &mutation.table;
        let rows = self.partitions.entry((table.id, mutation.key.key.clone())).or_default();
        if let Some(row) = &mutation.update.static_row {
            rows.static_row = Some(merged(table, rows.static_row.take(), row));
        }
        for row in &mutation.update.rows {
            let old = rows.rows.remove(&row.clustering.order);
            rows.rows.insert(row.clustering.order.clone(), merged(table, old, row));
        }
    }

    /// Lays over what was read of a row what this batch has changed of it.
    fn overlay(
        &self,
        found: &mut Existing,
        table: &Table,
        key: &PartitionKey,
        clustering: Option<&Clustering>,
    ) {
        let Some(earlier) = self.partitions.get(&(table.id, key.key.clone())) else { return };
        if let Some(row) = &earlier.static_row {
            found.static_row = Some(merged(table, found.static_row.take(), row));
        }
        if let Some(row) = clustering.and_then(|clustering| earlier.rows.get(&clustering.order)) {
            found.row = Some(merged(table, found.row.take(), row));
        }
    }
}

fn merged(table: &Table, old: Option<Row>, new: &Row) -> Row {
    match old {
        Some(old) => model::merge::merge_rows(table, old, new.clone()),
        None => new.clone(),
    }
}

fn with_values(options: &RequestOptions, values: Option<&[BoundValue]>) -> RequestOptions {
    let mut options = options.clone();
    if let Some(values) = values {
        options.values = values.to_vec();
    }
    options
}

fn check_plain(modify: &Modify, consistency: Consistency) -> Result<(), QueryError> {
    consistency.check_write()?;
    if modify.table.is_counter && consistency == Consistency::Any {
        return Err(QueryError::Invalid(format!(
            "Consistency level ANY is not yet supported for counter table {}",
            modify.table.name
        )));
    }
    Ok(())
}

/// Joins the mutations of one partition into one.
fn join(mutations: Vec<Mutation>) -> Vec<Mutation> {
    let mut places = HashMap::with_capacity(mutations.len());
    let mut joined: Vec<(Mutation, Vec<PartitionUpdate>)> = Vec::with_capacity(mutations.len());
    for mut mutation in mutations {
        let place = *places.entry((mutation.table.id, mutation.key.key.clone())).or_insert(joined.len());
        let update = std::mem::take(&mut mutation.update);
        match joined.get_mut(place) {
            Some((_, updates)) => updates.push(update),
            None => joined.push((mutation, vec![update])),
        }
    }
    let join = |(mutation, updates): (Mutation, _)| Mutation {
        update: merge_all(&mutation.table, updates),
        ..mutation
    };
    joined.into_iter().map(join).collect()
}

/// Merges neighbours until one is left: a batch may hold 65,535 changes of a partition, and one after the other each
/// would have to go past all rows of those before it.
fn merge_all(table: &Table, mut updates: Vec<PartitionUpdate>) -> PartitionUpdate {
    while updates.len() > 1 {
        let mut rest = updates.into_iter();
        let mut merged = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(first) = rest.next() {
            merged.push(match rest.next() {
                Some(second) => model::merge::merge_updates(table, first, second),
                None => first,
            });
        }
        updates = merged;
    }
    updates.pop().unwrap_or_default()
}
