//! Changes of the schema, TRUNCATE, DESCRIBE.
//!
//! A change is made to the value, written to `system_schema` in one entry of the commit log, and published
//! once that is safe: a crash leaves the old schema or the new one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use coordinator::write_failed;
use cql::ast::{self, StatementKind};
use model::{QueryError, Schema};
use uuid::Uuid;

use super::{Answer, AnswerRows, ClientState, Done, Executor, Published, RequestOptions};
use crate::schema::change::{ChangeContext, ChangeKind, ChangeTarget, Effect, apply_schema_statement};
use crate::schema::describe::{self, DescribeContext, DescribePosition};
use crate::schema::rows;
use crate::system::{definitions, local};
use cql::bind::term::ValueSource;

impl Executor {
    /// Runs CREATE, ALTER or DROP.
    pub(super) async fn change_schema(
        self: &Arc<Self>,
        statement: &StatementKind,
        client: &ClientState,
    ) -> Result<Done, QueryError> {
        let guard = self.changing.lock().await;
        let old = self.schema();
        let now_us = self.unique_us();
        let datacenters = self.coordinator.topology().datacenters();
        let ctx = ChangeContext {
            keyspace: client.keyspace.as_deref(),
            now_us,
            new_table_id: self.timeuuid(),
            datacenters: &datacenters,
        };
        let change = apply_schema_statement(&old, statement, &ctx)?;
        let Some(effect) = change.effect else {
            return Ok(Done { answer: Answer::Void, warnings: change.warnings, events: Vec::new() });
        };
        let new = Arc::new(change.new);
        let mut mutations = rows::mutations(&old, &new, now_us);
        mutations.extend(local::schema_version_row(new.version, now_us));
        let commit = self.coordinator.write_waiting(&mutations).await?;
        commit.synced().await.map_err(|error| write_failed(error, &mutations))?;
        // From here on the change is there whatever happens. Opening and removing directories may block for a moment.
        let engine = self.coordinator.engine().clone();
        let for_engine = new.clone();
        let updated = self.runtime.blocking(move || engine.update_tables(&for_engine)).await;
        updated.map_err(|error| {
            QueryError::Server(format!("the schema was changed, but storage could not follow: {error}"))
        })?;
        self.publish(new);
        for event in &change.events {
            self.forget_prepared(event, &old);
        }
        drop(guard);
        Ok(Done { answer: Answer::Schema(effect), warnings: change.warnings, events: change.events })
    }

    pub(super) fn publish(&self, schema: Arc<Schema>) {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        self.published.store(Arc::new(Published { schema, epoch }));
    }

    /// Throws away prepared statements whose table has other columns now, or is gone.
    fn forget_prepared(&self, event: &Effect, old: &Schema) {
        match event.target {
            ChangeTarget::Keyspace if event.kind == ChangeKind::Dropped => {
                self.prepared.forget_keyspace(&event.keyspace)
            }
            ChangeTarget::Table => {
                let schema = self.schema();
                let (before, after) =
                    (old.table(&event.keyspace, &event.name), schema.table(&event.keyspace, &event.name));
                let is_same = match (before, after) {
                    (Some(before), Some(after)) => before.columns().eq(after.columns()),
                    _ => false,
                };
                if !is_same {
                    self.prepared.forget_table(&event.keyspace, &event.name);
                }
            }
            _ => {}
        }
    }

    /// Runs TRUNCATE.
    pub(super) async fn truncate(
        &self,
        name: &ast::QualifiedName,
        client: &ClientState,
    ) -> Result<Done, QueryError> {
        let schema = self.schema();
        let scope = cql::bind::Scope { schema: &schema, keyspace: client.keyspace.as_deref() };
        let table = scope.table(name)?;
        if table.is_virtual {
            return Err(QueryError::Invalid(format!(
                "Truncation is not supported by table {}.{}",
                table.keyspace, table.name
            )));
        }
        if definitions::is_local(&table.keyspace) {
            return Err(QueryError::Unauthorized(format!(
                "{} keyspace is not user-modifiable.",
                table.keyspace
            )));
        }
        let engine = self.coordinator.engine().clone();
        engine
            .truncate(table.id)
            .await
            .map_err(|error| QueryError::Truncate(format!("Error during truncate: {error}")))?;
        Ok(Answer::Void.into())
    }

    /// Runs DESCRIBE.
    pub(super) fn describe(
        &self,
        statement: &ast::Describe,
        client: &ClientState,
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        let schema = self.schema();
        let ownership = self.range_ownership();
        let ctx = DescribeContext {
            schema: &schema,
            keyspace: client.keyspace.as_deref(),
            cluster_name: &self.identity.cluster_name,
            range_ownership: &ownership,
        };
        let described = describe::describe(statement, &ctx)?;
        let mut offset = 0;
        if let (Some(state), Some(_)) = (&options.paging_state, options.page_size) {
            let content = self.seal.open(state);
            let position = content.and_then(|content| DescribePosition::decode(&content).ok());
            let position = position
                .ok_or_else(|| QueryError::Protocol("Invalid value for the paging state".to_owned()))?;
            if position.schema_version != schema.version {
                return Err(QueryError::invalid(
                    "The schema has changed since the previous page of the DESCRIBE statement result. Please retry the \
                     DESCRIBE statement.",
                ));
            }
            offset = usize::try_from(position.offset).unwrap_or(usize::MAX);
        }
        let page = options.page_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        let total = described.rows.len();
        let rows: Vec<_> = described.rows.into_iter().skip(offset).take(page.unwrap_or(usize::MAX)).collect();
        let end = offset + rows.len();
        let paging_state: Option<Bytes> = (page.is_some() && end < total).then(|| {
            let position = DescribePosition { schema_version: schema.version, offset: end as u64 };
            self.seal.close(&position.encode())
        });
        let columns = described.columns.into_iter().map(|(name, ty)| (name.into(), ty)).collect();
        Ok(Answer::Rows(AnswerRows {
            keyspace: "system".into(),
            table: "describe".into(),
            columns,
            rows,
            paging_state,
        })
        .into())
    }

    fn range_ownership(&self) -> Vec<(String, Vec<String>)> {
        let topology = self.coordinator.topology();
        let local = topology.local();
        let owner = format!("/{}:{}", local.address, local.storage_port);
        local.tokens.iter().map(|token| (token.0.to_string(), vec![owner.clone()])).collect()
    }

    /// A version 1 uuid never given before.
    pub fn fresh_timeuuid(&self) -> Uuid {
        self.timeuuid()
    }
}
