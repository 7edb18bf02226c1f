//! The executor: statements of clients against this node's schema and data.
//!
//! One [`Executor`] serves all connections. Reads and plain writes are answered without a stop on the thread
//! that asks (a write then waits for its [`storage::Commit`]); what must wait for locks or for the schema is a future.
//!
//! Read in order: [`Executor`], [`source`] (rows of stored and of virtual tables), [`write`] (what reads before it
//! writes: conditions, counters, batches), [`change`] (schema changes, TRUNCATE), [`trace`].
//!
//! Never here: sockets, frames, protocol versions.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use coordinator::{Consistency, Coordinator};
use cql::ast::StatementKind;
use cql::bind::modify::Modify;
use cql::bind::term::{EvalContext, ValueSource};
use model::{BoundValue, CqlType, Mutation, QueryError, Schema, Value};
use parking_lot::RwLock;
use runtime::Runtime;
use storage::Commit;
use uuid::Uuid;

use crate::modify::{self, WriteContext};
use crate::prepared::{PreparedCache, TEXT_MAX_BYTES};
use crate::schema::change::Effect;
use crate::select::{self, PagingPosition, RowSink, SelectOptions, SelectOutcome};
use crate::statement::{Bound, Statement};
use crate::system::definitions;
use crate::system::virtual_table::NodeState;

mod batch_size;
mod batchlog;
pub mod change;
mod seal;
mod source;
mod start;
pub mod trace;
mod write;

pub use batch_size::BatchLimits;
pub use start::{NodeIdentity, open};

/// 100 ns units between 1582-10-15 and 1970-01-01.
const UUID_EPOCH_TICKS: u64 = 0x01b2_1dd2_1381_4000;

/// What a client remembers between its requests.
#[derive(Clone, Debug, Default)]
pub struct ClientState {
    /// USE.
    pub keyspace: Option<Arc<str>>,
}

/// What comes with a request beside its statement.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// Consistency level.
    pub consistency: Consistency,
    /// Consistency level of the Paxos phase of a conditional write.
    pub serial_consistency: Consistency,
    /// One value for each marker.
    pub values: Vec<BoundValue>,
    /// Rows a page; `None`: all.
    pub page_size: Option<i32>,
    /// Where the previous page ended, as it was sent.
    pub paging_state: Option<Bytes>,
    /// Write time given by the client.
    pub timestamp_us: Option<i64>,
    /// "Now" given by the client.
    pub now_s: Option<i32>,
}

/// What came of a statement.
#[derive(Debug)]
pub enum Answer {
    /// Done, nothing to say.
    Void,
    /// USE.
    Keyspace(String),
    /// Rows that were made at once.
    Rows(AnswerRows),
    /// The schema changed.
    Schema(Effect),
}

/// Rows of an answer that was not written straight into the reply.
#[derive(Debug)]
pub struct AnswerRows {
    /// Keyspace of the metadata.
    pub keyspace: Arc<str>,
    /// Table of the metadata.
    pub table: Arc<str>,
    /// Columns.
    pub columns: Vec<(Arc<str>, CqlType)>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
    /// Where the next page begins.
    pub paging_state: Option<Bytes>,
}

/// An answer with the warnings and events that go with it.
#[derive(Debug)]
pub struct Done {
    /// The answer.
    pub answer: Answer,
    /// Warnings for the client.
    pub warnings: Vec<String>,
    /// Schema changes that registered clients are told of.
    pub events: Vec<Effect>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Done {
        Done { answer, warnings: Vec::new(), events: Vec::new() }
    }
}

/// A schema in use, with its number.
#[derive(Debug)]
struct Published {
    schema: Arc<Schema>,
    epoch: u64,
}

/// Executes statements.
pub struct Executor {
    runtime: Runtime,
    coordinator: Coordinator,
    identity: NodeIdentity,
    published: ArcSwap<Published>,
    epoch: AtomicU64,
    /// One change of the schema at a time.
    changing: tokio::sync::Mutex<()>,
    prepared: PreparedCache,
    last_us: AtomicI64,
    last_ticks: AtomicU64,
    uuid_low: u64,
    seal: seal::Seal,
    batch_limits: BatchLimits,
    batches_told: batch_size::LastTold,
    node_state: RwLock<Arc<NodeState>>,
}

impl Executor {
    /// The schema as of now.
    pub fn schema(&self) -> Arc<Schema> {
        self.published.load().schema.clone()
    }

    /// The prepared statements.
    pub fn prepared(&self) -> &PreparedCache {
        &self.prepared
    }

    /// What the node is.
    pub fn identity(&self) -> &NodeIdentity {
        &self.identity
    }

    /// Reads and writes of replicas.
    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// What virtual tables show of the node.
    pub fn set_node_state(&self, state: NodeState) {
        *self.node_state.write() = Arc::new(state);
    }

    /// A write time, later than all that were given before.
    pub fn unique_us(&self) -> i64 {
        self.unique_us_at(self.runtime.clock().wall_us())
    }

    fn unique_us_at(&self, now: i64) -> i64 {
        let last =
            self.last_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        now.max(last.unwrap_or(now) + 1)
    }

    /// Parses and binds a statement.
    pub fn bind(&self, text: &str, keyspace: Option<&Arc<str>>) -> Result<Arc<Statement>, QueryError> {
        let published = self.published.load();
        Statement::new(text, keyspace, &published.schema, published.epoch).map(Arc::new)
    }

    /// Prepares a statement. The flag is true if it was not known before.
    pub fn prepare(
        &self,
        text: &str,
        keyspace: Option<&Arc<str>>,
    ) -> Result<(Arc<Statement>, bool), QueryError> {
        let statement = self.bind(text, keyspace)?;
        let known = self.prepared.find(&statement.id);
        let is_new = known.is_none();
        if let Some(known) = known.filter(|known| known.epoch == statement.epoch) {
            return Ok((known, false));
        }
        if statement.text.len() <= TEXT_MAX_BYTES {
            self.prepared.put(statement.clone());
        }
        Ok((statement, is_new))
    }

    /// The prepared statement of an id, bound to the schema as of now.
    pub fn find(&self, id: &[u8]) -> Result<Arc<Statement>, QueryError> {
        let unprepared = || QueryError::Unprepared { id: id.into() };
        let statement = self.prepared.find(id).ok_or_else(unprepared)?;
        let published = self.published.load();
        if statement.epoch == published.epoch {
            return Ok(statement);
        }
        let text = statement.text.clone();
        let again = Statement::new(&text, statement.keyspace.as_ref(), &published.schema, published.epoch)?;
        let again = Arc::new(again);
        self.prepared.put(again.clone());
        Ok(again)
    }

    fn eval<'a>(&'a self, values: &'a [BoundValue]) -> EvalContext<'a> {
        EvalContext { values, source: self }
    }

    fn now_s(&self, options: &RequestOptions) -> u32 {
        match options.now_s {
            Some(now_s) => now_s.max(0).unsigned_abs(),
            None => second(self.runtime.clock().wall_us()),
        }
    }

    fn write_context<'a>(&'a self, options: &'a RequestOptions) -> Result<WriteContext<'a>, QueryError> {
        // The clock is read once for both.
        let now_us = self.runtime.clock().wall_us();
        let timestamp_us = match options.timestamp_us {
            Some(i64::MIN) => {
                return Err(QueryError::Protocol(format!(
                    "Out of bound timestamp, must be in [{}, {}] (got {})",
                    i64::MIN + 1,
                    i64::MAX,
                    i64::MIN
                )));
            }
            Some(timestamp_us) => timestamp_us,
            None => self.unique_us_at(now_us),
        };
        let now_s = match options.now_s {
            Some(now_s) => now_s.max(0).unsigned_abs(),
            None => second(now_us),
        };
        Ok(WriteContext {
            eval: self.eval(&options.values),
            timestamp_us,
            now_s,
            host_id: self.identity.host_id,
        })
    }

    /// Runs a SELECT, its rows into `sink`. To be run inside [`Coordinator::attempt`], and again if something was
    /// missing.
    pub fn select<S: RowSink>(
        &self,
        statement: &Statement,
        options: &RequestOptions,
        sink: &mut S,
    ) -> Result<(SelectOutcome, Option<Bytes>), QueryError> {
        let Bound::Select(plan, strategy) = &statement.bound else {
            return Err(QueryError::Server("not a SELECT".to_owned()));
        };
        options.consistency.check_read()?;
        let page_size = match options.page_size {
            Some(0) => return Err(QueryError::Protocol("The page size cannot be 0".to_owned())),
            Some(size) => u32::try_from(size).ok(),
            None => None,
        };
        let paging = match (&options.paging_state, page_size) {
            (Some(state), Some(_)) => Some(self.open_paging_state(state)?),
            _ => None,
        };
        if !plan.table.is_virtual {
            self.coordinator.check(strategy, options.consistency)?;
        }
        let now_s = self.now_s(options);
        let select_options = SelectOptions { page_size, paging, now_s };
        let source = source::Source { executor: self };
        let outcome = select::execute(plan, &self.eval(&options.values), &select_options, &source, sink)?;
        let state = outcome.next_page.as_ref().map(|position| self.seal.close(&position.encode()));
        Ok((outcome, state))
    }

    fn open_paging_state(&self, state: &Bytes) -> Result<PagingPosition, QueryError> {
        let content = self.seal.open(state);
        content
            .and_then(|content| PagingPosition::decode(&content))
            .ok_or_else(|| QueryError::Protocol("Invalid value for the paging state".to_owned()))
    }

    /// Runs an INSERT, UPDATE or DELETE that reads nothing before it writes; `None`: it does read, it must wait for room,
    /// or it is a batch: use [`Executor::run`]. The write is done once the commit is synced.
    pub fn write(
        &self,
        statement: &Statement,
        options: &RequestOptions,
    ) -> Result<Option<Commit>, QueryError> {
        match self.plain_mutations(statement, options)? {
            Some(mutations) => self.coordinator.try_write(&mutations),
            None => Ok(None),
        }
    }

    /// What a statement writes that reads nothing; `None`: it is none.
    fn plain_mutations(
        &self,
        statement: &Statement,
        options: &RequestOptions,
    ) -> Result<Option<Vec<Mutation>>, QueryError> {
        let Bound::Modify(modify, strategy) = &statement.bound else { return Ok(None) };
        if modify.is_conditional() || modify::reads_first(modify) {
            return Ok(None);
        }
        check_writable(modify)?;
        options.consistency.check_write()?;
        let ctx = self.write_context(options)?;
        let expanded;
        let modify = match &modify.json {
            Some(source) => {
                expanded = modify::json::expand(modify, source, &ctx.eval)?;
                &expanded
            }
            None => &**modify,
        };
        let mutations = modify::mutations(modify, &ctx, &mut |_, _| {
            Err(QueryError::Server("a write that reads came the wrong way".to_owned()))
        })?;
        self.coordinator.check(strategy, options.consistency)?;
        Ok(Some(mutations))
    }

    /// Runs any statement but SELECT, to its end.
    pub async fn run(
        self: Arc<Self>,
        statement: Arc<Statement>,
        client: ClientState,
        options: RequestOptions,
    ) -> Result<Done, QueryError> {
        match &statement.bound {
            Bound::Select(..) => Err(QueryError::Server("a SELECT came the wrong way".to_owned())),
            Bound::Modify(modify, strategy) => {
                if let Some(mutations) = self.plain_mutations(&statement, &options)? {
                    let commit = self.coordinator.write_waiting(&mutations).await?;
                    commit.synced().await.map_err(|error| coordinator::write_failed(error, &[]))?;
                    return Ok(Answer::Void.into());
                }
                self.write_after_read(modify, strategy, &options).await
            }
            Bound::Batch(plan) => {
                let parts =
                    plan.statements.iter().map(|(modify, strategy)| (modify, strategy, None)).collect();
                self.run_batch(plan.kind, plan.timestamp.as_ref(), parts, &options).await
            }
            Bound::Other(kind) => self.run_other(kind, &client, &options).await,
        }
    }

    async fn run_other(
        self: &Arc<Self>,
        kind: &StatementKind,
        client: &ClientState,
        options: &RequestOptions,
    ) -> Result<Done, QueryError> {
        match kind {
            StatementKind::Use(keyspace) => {
                if self.schema().keyspace(keyspace).is_none() {
                    return Err(QueryError::Invalid(format!("Keyspace '{keyspace}' does not exist")));
                }
                Ok(Answer::Keyspace(keyspace.clone()).into())
            }
            StatementKind::Truncate(name) => self.truncate(name, client).await,
            StatementKind::Describe(describe) => self.describe(describe, client, options),
            StatementKind::CreateRole(_)
            | StatementKind::AlterRole(_)
            | StatementKind::DropRole(_)
            | StatementKind::GrantRole(_)
            | StatementKind::RevokeRole(_)
            | StatementKind::GrantPermissions(_)
            | StatementKind::RevokePermissions(_)
            | StatementKind::ListPermissions(_)
            | StatementKind::ListRoles(_)
            | StatementKind::ListUsers
            | StatementKind::AddIdentity(_)
            | StatementKind::DropIdentity(_) => Err(QueryError::Unauthorized(
                "You have to be logged in and not anonymous to perform this request".to_owned(),
            )),
            _ => self.change_schema(kind, client).await,
        }
    }
}

impl ValueSource for Executor {
    fn now_us(&self) -> i64 {
        self.runtime.clock().wall_us()
    }

    fn timeuuid(&self) -> Uuid {
        let now = (self.runtime.clock().wall_us().max(0) as u64) * 10 + UUID_EPOCH_TICKS;
        let last = self
            .last_ticks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        let ticks = now.max(last.unwrap_or(now) + 1);
        let (low, middle, high) = (ticks as u32, (ticks >> 32) as u16, (ticks >> 48) as u16);
        Uuid::from_fields(low, middle, (high & 0x0fff) | 0x1000, &self.uuid_low.to_be_bytes())
    }

    fn random_uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.runtime.random().fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The second of a wall time, as deletion times have it.
fn second(wall_us: i64) -> u32 {
    wall_us.div_euclid(1_000_000).clamp(0, i64::from(u32::MAX) - 1) as u32
}

/// Refuses writes to tables that are the node's own.
fn check_writable(modify: &Modify) -> Result<(), QueryError> {
    let table = &modify.table;
    if table.is_virtual {
        return Err(QueryError::Invalid(format!(
            "Modification is not supported by table {}.{}",
            table.keyspace, table.name
        )));
    }
    if definitions::is_local(&table.keyspace) {
        return Err(QueryError::Unauthorized(format!("{} keyspace is not user-modifiable.", table.keyspace)));
    }
    Ok(())
}
