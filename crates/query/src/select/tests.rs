//! Plays conversations recorded with a running Cassandra: tables in memory, every answer compared.
//!
//! Each SELECT that succeeds is asked again in pages of several sizes: all pages together are the whole answer (P14).

use std::collections::BTreeMap;

use bytes::Bytes;
use cql::ast::StatementKind;
use cql::bind::modify::{self, Modify};
use cql::bind::select::{SelectPlan, bind_select};
use cql::bind::term::{EvalContext, ValueSource};
use cql::bind::{Markers, Scope};
use model::merge::{merge_updates, update_stream};
use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::read::{Place, Position};
use model::{
    Mutation, PartitionKey, PartitionSelection, PartitionUpdate, QueryError, ReadCommand, Schema, TableId,
    Value,
};
use uuid::Uuid;

use super::{PagingPosition, RowSink, RowSource, SelectOptions, SelectOutcome, execute};
use crate::modify::{Existing, WriteContext, mutations};
use crate::schema::change::{ChangeContext, apply_schema_statement};
use crate::system::definitions;

mod random;
mod refused;
mod shown;

/// Answers in which Helenus differs on purpose: what it does not have, and the order of alternatives in a message,
/// which changes from start to start in Cassandra.
const DIFFERENT: [&str; 3] =
    ["not yet supported by Helenus", "known type signatures", "following signatures"];

const NOW_S: u32 = 1_800_000_000;

/// Gives a new timeuuid each time.
#[derive(Default)]
struct Clock(std::cell::Cell<u16>);

impl ValueSource for Clock {
    fn now_us(&self) -> i64 {
        i64::from(NOW_S) * 1_000_000
    }
    fn timeuuid(&self) -> Uuid {
        self.0.set(self.0.get() + 1);
        Uuid::from_fields(u32::from(self.0.get()), 0, 0x1000, &[0x80; 8])
    }
    fn random_uuid(&self) -> Uuid {
        Uuid::nil()
    }
}

/// Tables in memory.
#[derive(Default)]
struct Store {
    partitions: BTreeMap<(TableId, PartitionKey), PartitionUpdate>,
}

impl Store {
    fn apply(&mut self, mutation: Mutation) {
        let place = (mutation.table.id, mutation.key);
        let old = self.partitions.remove(&place).unwrap_or_default();
        self.partitions.insert(place, merge_updates(&mutation.table, old, mutation.update));
    }
}

struct Found(std::vec::IntoIter<Box<dyn PartitionStream>>);

impl PartitionIterator for Found {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        Ok(self.0.next())
    }
}

impl RowSource for Store {
    fn read(&self, command: ReadCommand) -> Result<Box<dyn PartitionIterator>, QueryError> {
        let selected = |key: &PartitionKey| match &command.partitions {
            PartitionSelection::Key(wanted) => key == wanted,
            PartitionSelection::Range { start, end } => {
                let position = Position { token: key.token, place: Place::Key(key.key.clone()) };
                start.as_ref().is_none_or(|start| position > *start)
                    && end.as_ref().is_none_or(|end| position <= *end)
            }
        };
        let of_table =
            self.partitions.iter().filter(|((id, key), _)| *id == command.table.id && selected(key));
        let streams = of_table.map(|((_, key), update)| {
            update_stream(key.clone(), update.clone(), &command.slices, command.reversed)
        });
        Ok(Box::new(Found(streams.collect::<Vec<_>>().into_iter())))
    }
}

/// Rows as values.
#[derive(Default)]
struct Rows {
    rows: Vec<Vec<Value>>,
    current: Vec<Value>,
}

impl RowSink for Rows {
    fn value(&mut self, value: Option<&[u8]>) {
        self.current.push(value.map(Bytes::copy_from_slice));
    }
    fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.current));
    }
}

/// A client's session on tables in memory.
struct Session {
    schema: Schema,
    keyspace: Option<String>,
    statements: u16,
    store: Store,
    clock: Clock,
}

impl Session {
    fn new() -> Session {
        Session {
            schema: definitions::initial_schema(),
            keyspace: None,
            statements: 0,
            store: Store::default(),
            clock: Clock::default(),
        }
    }

    /// Runs a statement that must succeed.
    #[track_caller]
    fn run(&mut self, text: &str) -> Vec<String> {
        self.answer(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn answer(&mut self, text: &str) -> Result<Vec<String>, QueryError> {
        self.statements += 1;
        let statement = cql::parse(text).map_err(|error| QueryError::Syntax(error.message))?;
        let mut markers = Markers::new(&statement.markers);
        let schema = self.schema.clone();
        let scope = Scope { schema: &schema, keyspace: self.keyspace.as_deref() };
        match &statement.kind {
            StatementKind::Use(keyspace) => self.keyspace = Some(keyspace.clone()),
            StatementKind::Select(select) => {
                let plan = bind_select(select, scope, &mut markers)?;
                if markers.count() > 0 {
                    return Err(QueryError::invalid("Invalid amount of bind variables"));
                }
                return self.select(text, &plan);
            }
            StatementKind::Insert(insert) => {
                self.write(&modify::bind_insert(insert, scope, &mut markers)?)?
            }
            StatementKind::Update(update) => {
                self.write(&modify::bind_update(update, scope, &mut markers)?)?
            }
            StatementKind::Delete(delete) => {
                self.write(&modify::bind_delete(delete, scope, &mut markers)?)?
            }
            statement => self.change(statement)?,
        }
        Ok(Vec::new())
    }

    fn change(&mut self, statement: &StatementKind) -> Result<(), QueryError> {
        let ctx = ChangeContext {
            keyspace: self.keyspace.as_deref(),
            now_us: 1_795_373_000_000_000 + i64::from(self.statements) * 1000,
            new_table_id: Uuid::from_u128(u128::from(self.statements)),
            datacenters: &[("datacenter1".to_owned(), 1)],
        };
        self.schema = apply_schema_statement(&self.schema, statement, &ctx)?.new;
        Ok(())
    }

    fn write(&mut self, modify: &Modify) -> Result<(), QueryError> {
        let ctx = WriteContext {
            eval: EvalContext { values: &[], source: &self.clock },
            timestamp_us: 1_795_373_000_000_000 + i64::from(self.statements),
            now_s: NOW_S,
            host_id: Uuid::nil(),
        };
        let store = &self.store;
        let mut existing = |key: &PartitionKey, clustering: Option<&model::Clustering>| {
            let update = store.partitions.get(&(modify.table.id, key.clone()));
            let row = |update: &PartitionUpdate| {
                update.rows.iter().find(|row| Some(&row.clustering) == clustering).cloned()
            };
            Ok(Existing {
                static_row: update.and_then(|update| update.static_row.clone()),
                row: update.and_then(row),
            })
        };
        for mutation in mutations(modify, &ctx, &mut existing)? {
            self.store.apply(mutation);
        }
        Ok(())
    }

    fn select(&self, text: &str, plan: &SelectPlan) -> Result<Vec<String>, QueryError> {
        let (outcome, rows) = self.page(plan, None, None)?;
        let columns = plan.result_columns();
        let shown: Vec<String> =
            columns.iter().map(|(name, ty)| format!("{name} {}", shown::type_name(ty))).collect();
        let mut lines: Vec<String> =
            outcome.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
        lines.push(format!("columns: {}", shown.join(" | ")));
        for row in &rows {
            let values: Vec<String> =
                row.iter().zip(&columns).map(|(value, (_, ty))| shown::value(ty, value)).collect();
            lines.push(format!("row: {}", values.join(" | ")));
        }
        for page_size in [1, 2, 3, 7, 100] {
            match self.all_pages(plan, page_size) {
                Ok(paged) => assert_eq!(paged, rows, "{text}: pages of {page_size}"),
                Err(error) => assert!(error.to_string().starts_with("Cannot page"), "{text}: {error}"),
            }
        }
        Ok(lines)
    }

    fn all_pages(&self, plan: &SelectPlan, page_size: u32) -> Result<Vec<Vec<Value>>, QueryError> {
        let (mut all, mut paging) = (Vec::new(), None);
        loop {
            let (outcome, rows) = self.page(plan, Some(page_size), paging)?;
            assert!(
                rows.len() <= page_size as usize || plan.group_by.is_none() && plan.selection.is_aggregate()
            );
            all.extend(rows);
            let Some(next) = outcome.next_page else { return Ok(all) };
            let sent = Bytes::from(next.encode());
            paging = Some(PagingPosition::decode(&sent).expect("a paging state can be read back"));
        }
    }

    fn page(
        &self,
        plan: &SelectPlan,
        page_size: Option<u32>,
        paging: Option<PagingPosition>,
    ) -> Result<(SelectOutcome, Vec<Vec<Value>>), QueryError> {
        let ctx = EvalContext { values: &[], source: &Clock::default() };
        let options = SelectOptions { page_size, paging, now_s: NOW_S };
        let mut rows = Rows::default();
        let outcome = execute(plan, &ctx, &options, &self.store, &mut rows)?;
        assert_eq!(outcome.rows_count, rows.rows.len() as u64);
        Ok((outcome, rows.rows))
    }
}

fn code(error: &QueryError) -> &'static str {
    match error {
        QueryError::Server(_) => "0000",
        QueryError::Function { .. } => "1400",
        QueryError::Syntax(_) => "2000",
        QueryError::Unauthorized(_) => "2100",
        QueryError::Invalid(_) => "2200",
        QueryError::Config(_) => "2300",
        QueryError::AlreadyExists { .. } => "2400",
        other => panic!("a statement does not end in {other:?}"),
    }
}

/// Plays a conversation; panics with all differences.
#[track_caller]
fn play(conversation: &str) {
    let mut session = Session::new();
    let (mut differences, mut count) = (String::new(), 0);
    let body = conversation.split_once("\n> ").expect("a statement").1;
    for exchange in body.split("\n> ") {
        let (statement, want) = exchange.split_once('\n').expect("an answer");
        let got = match session.answer(statement) {
            Ok(lines) => ["OK".to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("{} {}", code(&error), error.to_string().replace('\n', "\\n")),
        };
        let want = want.trim_end_matches('\n');
        let same_start = |text: &str| {
            got.split_once(text).map(|(start, _)| start) == want.split_once(text).map(|(start, _)| start)
        };
        let is_different =
            DIFFERENT.iter().any(|text| got.contains(text) && (text.contains("Helenus") || same_start(text)));
        if got != want && !is_different {
            count += 1;
            differences.push_str(&format!("\n> {statement}\nwant {want}\ngot  {got}\n"));
        }
    }
    assert!(differences.is_empty(), "{count} differences\n{differences}");
}

#[test]
fn where_clauses_select_what_cassandra_selects() {
    play(include_str!("../../testdata/cassandra-5.0/select/where.txt"));
}

#[test]
fn functions_operators_and_casts_give_what_cassandra_gives() {
    play(include_str!("../../testdata/cassandra-5.0/select/functions.txt"));
}

#[test]
fn aggregates_and_groups_are_those_of_cassandra() {
    play(include_str!("../../testdata/cassandra-5.0/select/aggregates.txt"));
}

#[test]
fn selections_are_computed_and_named_as_cassandra_does() {
    play(include_str!("../../testdata/cassandra-5.0/select/selection.txt"));
}
