//! Requests of the native protocol, carried out by the executor.
//!
//! The one place where the words of the protocol (flags, positional and named values, metadata that is skipped)
//! meet those of `query`.
//!
//! Read in order: [`Requests`], [`values`] (values for markers), [`traced`] (requests that want a trace).
//!
//! Never here: what a statement means.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use coordinator::Consistency;
use model::{BoundValue, QueryError};
use query::executor::{Answer, AnswerRows, ClientState, Done, Executor, RequestOptions};
use query::schema::change::{ChangeKind, ChangeTarget, Effect};
use query::statement::{Bound, Statement, metadata};
use wire::response::{Prepared, ReplyTo, Rows, SchemaChange, SchemaChangeKind, SchemaTarget};
use wire::{
    BatchKind, Event, Extras, PreparedMetadata, QueryParams, RequestBody, Response, RowsWriter, SentMetadata,
    StatementRef, Values, Version,
};

use crate::native::{ClientInfo, EventHub, Handled, Outcome, Reply, RequestContext, RequestHandler};

mod traced;
mod values;

/// Carries out requests.
pub struct Requests {
    executor: Arc<Executor>,
    hub: Arc<EventHub>,
}

/// One connection's state.
pub struct Session {
    state: RefCell<ClientState>,
    peer: SocketAddr,
}

impl Requests {
    /// Requests go to this executor, news to this hub.
    pub fn new(executor: Arc<Executor>, hub: Arc<EventHub>) -> Requests {
        Requests { executor, hub }
    }

    fn query(
        &self,
        session: &Rc<Session>,
        text: &str,
        params: QueryParams,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Result<Handled, QueryError> {
        let keyspace = self.keyspace(session, params.keyspace.as_ref().map(wire::codec::Text::as_str))?;
        let statement = self.executor.bind(text, keyspace.as_ref())?;
        let options = values::options_of_query(&statement, params)?;
        self.start(session, statement, options, None, ctx, out)
    }

    fn execute(
        &self,
        session: &Rc<Session>,
        id: &[u8],
        result_id: Option<&[u8]>,
        params: QueryParams,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Result<Handled, QueryError> {
        let statement = self.executor.find(id)?;
        let sent = match (&statement.result, result_id) {
            (Some(result), Some(id)) if ctx.reply.version >= Version::V5 && result.id() != *id => {
                Some(SentMetadata::Changed)
            }
            _ => None,
        };
        let options = values::options_of_execute(&statement, params)?;
        self.start(session, statement, options, sent, ctx, out)
    }

    /// Carries out a statement: a SELECT and a plain write at once, all else in a future.
    fn start(
        &self,
        session: &Rc<Session>,
        statement: Arc<Statement>,
        (options, skip_metadata): (RequestOptions, bool),
        sent: Option<SentMetadata>,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Result<Handled, QueryError> {
        let sent = sent.unwrap_or(if skip_metadata { SentMetadata::Skipped } else { SentMetadata::Full });
        match &statement.bound {
            Bound::Select(..) => {
                let start = out.len();
                let executor = self.executor.clone();
                let select = Select { executor, statement, options, reply: ctx.reply, sent };
                match self.executor.coordinator().attempt(|| select.write(out)) {
                    Ok(Ok(())) => Ok(Handled::Written),
                    Ok(Err(error)) => {
                        out.truncate(start);
                        Err(error)
                    }
                    Err(reads) => {
                        out.truncate(start);
                        Ok(Handled::Pending(Box::pin(select.go_on(reads))))
                    }
                }
            }
            Bound::Modify(..) => match self.executor.write(&statement, &options)? {
                Some(commit) if commit.is_synced() => {
                    Response::Void.encode(&ctx.reply, &Extras::default(), out);
                    Ok(Handled::Written)
                }
                Some(commit) => Ok(Handled::Committing(commit.synced())),
                None => Ok(self.run(session, statement, options)),
            },
            _ => Ok(self.run(session, statement, options)),
        }
    }

    fn run(&self, session: &Rc<Session>, statement: Arc<Statement>, options: RequestOptions) -> Handled {
        let client = session.state.borrow().clone();
        let work = self.executor.clone().run(statement, client, options);
        Handled::Pending(Box::pin(finish(self.hub.clone(), session.clone(), work)))
    }

    fn batch(
        &self,
        session: &Rc<Session>,
        kind: BatchKind,
        statements: Vec<(StatementRef, Vec<BoundValue>)>,
        params: QueryParams,
    ) -> Result<Handled, QueryError> {
        let keyspace = self.keyspace(session, params.keyspace.as_ref().map(wire::codec::Text::as_str))?;
        let mut parts = Vec::with_capacity(statements.len());
        for (statement, values) in statements {
            let statement = match statement {
                StatementRef::Text(text) => self.executor.bind(text.as_str(), keyspace.as_ref())?,
                StatementRef::Id(id) => self.executor.find(&id)?,
            };
            if statement.markers.len() != values.len() {
                return Err(QueryError::Invalid(format!(
                    "There were {} markers(?) in CQL but {} bound variables",
                    statement.markers.len(),
                    values.len()
                )));
            }
            parts.push((statement, values));
        }
        let kind = match kind {
            BatchKind::Logged => cql::ast::BatchKind::Logged,
            BatchKind::Unlogged => cql::ast::BatchKind::Unlogged,
            BatchKind::Counter => cql::ast::BatchKind::Counter,
        };
        let (options, _) = values::options(params, Vec::new())?;
        let work = self.executor.clone().run_batch_message(kind, parts, options);
        Ok(Handled::Pending(Box::pin(finish(self.hub.clone(), session.clone(), work))))
    }

    fn prepare(
        &self,
        session: &Rc<Session>,
        text: &str,
        keyspace: Option<&str>,
    ) -> Result<Handled, QueryError> {
        let keyspace = self.keyspace(session, keyspace)?;
        let (statement, is_new) = self.executor.prepare(text, keyspace.as_ref())?;
        let mut warnings = Vec::new();
        if let (true, true, Some(keyspace)) = (is_new, statement.is_unqualified, &statement.keyspace) {
            warnings.push(use_warning(&statement.id, keyspace));
        }
        let columns = statement.markers.iter().map(|receiver| wire::ColumnSpec {
            keyspace: receiver.keyspace.clone(),
            table: receiver.table.clone(),
            name: receiver.name.clone(),
            ty: receiver.ty.clone(),
        });
        let bind = PreparedMetadata {
            columns: columns.collect(),
            partition_key_indices: statement.partition_key_markers.clone(),
        };
        let prepared = Prepared {
            id: bytes::Bytes::copy_from_slice(&statement.id),
            bind,
            result: statement.result.clone(),
        };
        let response = Response::Prepared(Box::new(prepared));
        Ok(Handled::Ready(Ok(Reply::Message(response, Extras::warnings(warnings)))))
    }

    /// The keyspace of names that have none: the request's, or the session's.
    fn keyspace(&self, session: &Session, requested: Option<&str>) -> Result<Option<Arc<str>>, QueryError> {
        Ok(match requested {
            Some(keyspace) => Some(keyspace.into()),
            None => session.state.borrow().keyspace.clone(),
        })
    }
}

/// A SELECT, which may have to be run more than once.
struct Select {
    executor: Arc<Executor>,
    statement: Arc<Statement>,
    options: RequestOptions,
    reply: ReplyTo,
    sent: SentMetadata,
}

impl Select {
    /// Appends the answer; after an error, or if something was missing, what was appended is worth nothing.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), QueryError> {
        let result = self.statement.result.as_ref();
        let result = result.ok_or_else(|| QueryError::Server("a SELECT without columns".to_owned()))?;
        let mut writer = RowsWriter::begin(out, &self.reply, result, self.sent);
        let (outcome, state) = self.executor.select(&self.statement, &self.options, &mut writer)?;
        writer.finish(state.as_deref(), &Extras::warnings(outcome.warnings));
        Ok(())
    }

    /// Runs it again until nothing is missing.
    async fn go_on(self, reads: storage::BlockReads) -> Outcome {
        let executor = self.executor.clone();
        let run = move || {
            let mut out = Vec::new();
            self.write(&mut out).map(|()| out)
        };
        executor.coordinator().go_on(reads, run).await.map(Reply::Encoded)
    }
}

impl RequestHandler for Requests {
    type Session = Session;

    fn open(&self, client: ClientInfo) -> Rc<Session> {
        Rc::new(Session { state: RefCell::default(), peer: client.peer })
    }

    fn foresee(&self, requests: &mut dyn Iterator<Item = &RequestBody>) {
        let mut known: Option<Arc<Statement>> = None;
        let partition = |request: &RequestBody| {
            let RequestBody::Execute { id, params, .. } = request else { return None };
            let Values::Positional(values) = &params.values else { return None };
            // Mostly they are all of one statement.
            if known.as_ref().is_none_or(|known| known.id[..] != id[..]) {
                known = self.executor.prepared().find(id);
            }
            known.as_ref()?.partition(values)
        };
        let keys: Vec<_> = requests.filter_map(partition).collect();
        self.executor.coordinator().foresee(&keys);
    }

    fn handle(
        &self,
        session: &Rc<Session>,
        request: RequestBody,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Handled {
        if ctx.tracing {
            return self.handle_traced(session, request, ctx, out);
        }
        self.handle_plain(session, request, ctx, out)
    }
}

impl Requests {
    fn handle_plain(
        &self,
        session: &Rc<Session>,
        request: RequestBody,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Handled {
        let handled = match request {
            RequestBody::Query { text, params } => self.query(session, text.as_str(), params, ctx, out),
            RequestBody::Execute { id, result_metadata_id, params } => {
                self.execute(session, &id, result_metadata_id.as_deref(), params, ctx, out)
            }
            RequestBody::Batch { kind, statements, params } => self.batch(session, kind, statements, params),
            RequestBody::Prepare { text, keyspace } => {
                self.prepare(session, text.as_str(), keyspace.as_ref().map(wire::codec::Text::as_str))
            }
            other => Err(QueryError::Protocol(format!("Unexpected message {:?}", other.opcode()))),
        };
        handled.unwrap_or_else(|error| Handled::Ready(Err(error)))
    }
}

/// Waits for a statement and makes its reply; what it changed is told to the session and to other clients.
async fn finish(
    hub: Arc<EventHub>,
    session: Rc<Session>,
    work: impl Future<Output = Result<Done, QueryError>>,
) -> Outcome {
    let done = work.await?;
    for event in &done.events {
        hub.publish(Event::Schema(schema_change(event)));
    }
    let response = match done.answer {
        Answer::Void => Response::Void,
        Answer::Keyspace(keyspace) => {
            session.state.borrow_mut().keyspace = Some(keyspace.as_str().into());
            Response::SetKeyspace(keyspace)
        }
        Answer::Schema(effect) => Response::SchemaChange(schema_change(&effect)),
        Answer::Rows(rows) => rows_response(rows),
    };
    Ok(Reply::Message(response, Extras::warnings(done.warnings)))
}

fn rows_response(rows: AnswerRows) -> Response {
    let metadata = metadata(&rows.keyspace, &rows.table, rows.columns);
    Response::Rows(Rows {
        metadata: Arc::new(metadata),
        sent: SentMetadata::Full,
        paging_state: rows.paging_state,
        rows: rows.rows,
    })
}

fn schema_change(effect: &Effect) -> SchemaChange {
    let kind = match effect.kind {
        ChangeKind::Created => SchemaChangeKind::Created,
        ChangeKind::Updated => SchemaChangeKind::Updated,
        ChangeKind::Dropped => SchemaChangeKind::Dropped,
    };
    let target = match effect.target {
        ChangeTarget::Keyspace => SchemaTarget::Keyspace,
        ChangeTarget::Table => SchemaTarget::Table(effect.name.clone()),
        ChangeTarget::Type => SchemaTarget::Type(effect.name.clone()),
    };
    SchemaChange { kind, target, keyspace: effect.keyspace.clone() }
}

/// Cassandra's advice against names without a keyspace in prepared statements.
fn use_warning(id: &[u8; 16], keyspace: &str) -> String {
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "`USE <keyspace>` with prepared statements is considered to be an anti-pattern due to ambiguity in \
         non-qualified table names. Please consider removing instances of `Session#setKeyspace(<keyspace>)`, \
         `Session#execute(\"USE <keyspace>\")` and `cluster.newSession(<keyspace>)` from your code, and always use fully \
         qualified table names (e.g. <keyspace>.<table>). Keyspace used: {keyspace}, statement keyspace: {keyspace}, \
         statement id: {id}"
    )
}

/// A consistency level by its number.
fn consistency(code: u16) -> Result<Consistency, QueryError> {
    Consistency::from_code(code)
}

/// Values by position.
fn positional(statement: &Statement, values: Values) -> Option<Vec<BoundValue>> {
    match values {
        Values::Positional(values) => Some(values),
        Values::Named(mut named) => {
            let find = |name: &str, named: &mut Vec<(wire::codec::Text, BoundValue)>| {
                named.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.clone())
            };
            statement.markers.iter().map(|receiver| find(&receiver.name, &mut named)).collect()
        }
    }
}
