//! Plays conversations recorded with a running Cassandra and compares every answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cql::ast::StatementKind;
use model::{ColumnId, DeletionTime, Mutation, PartitionKey, QueryError, Row, Schema, TableId, Value};
use uuid::Uuid;

use super::change::{ChangeContext, SchemaChange, apply_schema_statement};
use super::describe::{DescribeContext, DescribeResult, describe};
use super::rows;
use crate::system::definitions;

/// Answers in which Helenus differs on purpose: what it does not have.
const DIFFERENT: [&str; 1] = ["not yet supported by Helenus"];

/// A client's session on a schema that is stored after each change.
pub(super) struct Session {
    pub(super) schema: Schema,
    keyspace: Option<String>,
    statements: u16,
    stored: Stored,
}

impl Session {
    pub(super) fn new() -> Session {
        let schema = definitions::initial_schema();
        let mut stored = Stored::default();
        let nothing = Schema { version: Uuid::nil(), keyspaces: BTreeMap::new() };
        stored.apply(rows::mutations(&nothing, &schema, 1));
        Session { schema, keyspace: None, statements: 0, stored }
    }

    /// Runs a statement that must succeed.
    #[track_caller]
    pub(super) fn run(&mut self, text: &str) -> Vec<String> {
        self.answer(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    pub(super) fn answer(&mut self, text: &str) -> Result<Vec<String>, QueryError> {
        self.statements += 1;
        let statement = cql::parse(text).map_err(|error| QueryError::Syntax(error.message))?;
        match &statement.kind {
            StatementKind::Use(keyspace) => {
                self.keyspace = Some(keyspace.clone());
                Ok(Vec::new())
            }
            StatementKind::Describe(statement) => {
                let ctx = DescribeContext {
                    schema: &self.schema,
                    keyspace: self.keyspace.as_deref(),
                    cluster_name: "test",
                    range_ownership: &[],
                };
                describe(statement, &ctx).map(|result| shown(&result))
            }
            statement => self.change(statement),
        }
    }

    fn change(&mut self, statement: &StatementKind) -> Result<Vec<String>, QueryError> {
        let number = self.statements;
        let ctx = ChangeContext {
            keyspace: self.keyspace.as_deref(),
            now_us: 1_795_373_000_000_000 + i64::from(number) * 1000,
            new_table_id: Uuid::from_u128(u128::from(number)),
            datacenters: &[("datacenter1".to_owned(), 1)],
        };
        let SchemaChange { new, effect, warnings, events } =
            apply_schema_statement(&self.schema, statement, &ctx)?;
        assert_eq!(events.last(), effect.as_ref());
        assert_eq!(effect.is_some(), new.version != self.schema.version, "the version tells each change");
        assert_eq!(rows::schema_version(&new), new.version);
        if effect.is_none() {
            assert_eq!(new, self.schema);
        }
        self.stored.apply(rows::mutations(&self.schema, &new, ctx.now_us));
        assert_eq!(without_column_ids(&self.stored.schema()), without_column_ids(&new));
        self.schema = new;
        Ok(warnings.into_iter().map(|warning| format!("warning: {warning}")).collect())
    }
}

/// The tables of `system_schema` as a store would keep them.
#[derive(Default)]
pub(super) struct Stored {
    rows: BTreeMap<(TableId, PartitionKey, Bytes), Row>,
}

impl Stored {
    pub(super) fn apply(&mut self, mutations: Vec<Mutation>) {
        for Mutation { table, key, update } in mutations {
            assert_eq!(&*table.keyspace, "system_schema");
            assert!(update.range_tombstones.is_empty() && update.static_row.is_none());
            if update.deletion != DeletionTime::LIVE {
                self.rows.retain(|(id, row_key, _), _| *id != table.id || *row_key != key);
            }
            assert!(update.rows.is_sorted_by(|a, b| a.clustering < b.clustering));
            for row in update.rows {
                let place = (table.id, key.clone(), row.clustering.order.clone());
                if row.deletion != DeletionTime::LIVE {
                    assert!(self.rows.remove(&place).is_some(), "only what is there is deleted");
                    continue;
                }
                assert!(row.columns.is_sorted_by_key(|(id, _)| *id));
                self.rows.insert(place, row);
            }
        }
    }

    pub(super) fn schema(&self) -> Schema {
        let read = &mut |table: &Arc<model::Table>| {
            let rows = self.rows.iter().filter(|((id, ..), _)| *id == table.id);
            Ok(rows.map(|((_, key, _), row)| (key.clone(), row.clone())).collect())
        };
        rows::schema_from_rows(read).expect("what was written can be read")
    }
}

/// The schema as it is compared with one that was read from rows: column numbers are not stored.
fn without_column_ids(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for keyspace in schema.keyspaces.values_mut() {
        for table in Arc::make_mut(keyspace).tables.values_mut() {
            let table = Arc::make_mut(table);
            table.next_column_id = 0;
            let keys = table.partition_key.iter_mut().chain(&mut table.clustering);
            keys.chain(&mut table.statics)
                .chain(&mut table.regulars)
                .for_each(|column| column.id = ColumnId(0));
        }
    }
    schema
}

fn shown(result: &DescribeResult) -> Vec<String> {
    let text = |value: &Value| {
        let bytes = value.as_ref().expect("all columns of DESCRIBE have values");
        String::from_utf8(bytes.to_vec()).expect("all columns of DESCRIBE are text")
    };
    let mut lines = Vec::new();
    for row in &result.rows {
        let cells: Vec<String> = row.iter().take(3).map(text).collect();
        lines.push(format!("row: {}", cells.join(" | ")));
        if let Some(statement) = row.get(3) {
            lines.extend(text(statement).lines().map(|line| format!("  {}", normalised(line))));
        }
    }
    lines
}

fn normalised(line: &str) -> String {
    if let Some((head, id)) = line.split_once("ID = ") {
        return format!("{head}ID = <id>{}", &id[36..]);
    }
    match line.split_once("TIMESTAMP 1795") {
        Some((head, _)) => format!("{head}TIMESTAMP <now>;"),
        None => line.to_owned(),
    }
}

fn code(error: &QueryError) -> &'static str {
    match error {
        QueryError::Server(_) => "0000",
        QueryError::Syntax(_) => "2000",
        QueryError::Unauthorized(_) => "2100",
        QueryError::Invalid(_) => "2200",
        QueryError::Config(_) => "2300",
        QueryError::AlreadyExists { .. } => "2400",
        other => panic!("a schema statement does not end in {other:?}"),
    }
}

/// Plays a conversation; panics with all differences.
#[track_caller]
fn play(conversation: &str) {
    let mut session = Session::new();
    let mut differences = String::new();
    let body = conversation.split_once("\n> ").expect("a statement").1;
    for exchange in body.split("\n> ") {
        let (statement, want) = exchange.split_once('\n').expect("an answer");
        let got = match session.answer(statement) {
            Ok(lines) => ["OK".to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("{} {}", code(&error), error.to_string().replace('\n', "\\n")),
        };
        let is_different = DIFFERENT.iter().any(|text| got.contains(text));
        if got != want.trim_end_matches('\n') && !is_different {
            differences.push_str(&format!("\n> {statement}\nwant {want}\ngot  {got}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn keyspaces() {
    play(include_str!("../../testdata/cassandra-5.0/ddl/keyspaces.txt"));
}

#[test]
fn tables() {
    play(include_str!("../../testdata/cassandra-5.0/ddl/tables.txt"));
}

#[test]
fn types() {
    play(include_str!("../../testdata/cassandra-5.0/ddl/types.txt"));
}

#[test]
fn options() {
    play(include_str!("../../testdata/cassandra-5.0/ddl/options.txt"));
}

#[test]
fn alter() {
    play(include_str!("../../testdata/cassandra-5.0/ddl/alter.txt"));
}

#[test]
fn a_type_cannot_grow_without_bound() {
    let mut session = Session::new();
    session.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    session.run("USE k");
    session.run("CREATE TYPE t0 (a int)");
    let mut refused = None;
    for depth in 1..70 {
        let statement = format!("CREATE TYPE t{depth} (a frozen<t{}>)", depth - 1);
        if let Err(error) = session.answer(&statement) {
            refused = Some((depth, error.to_string()));
            break;
        }
    }
    let (depth, text) = refused.expect("64 are enough");
    assert!(depth > 60 && text.starts_with("The type is too large"), "{depth}: {text}");
    // The deepest one cannot be made deeper from below.
    let error = session.answer("ALTER TYPE t0 ADD b frozen<list<frozen<list<frozen<list<int>>>>>>");
    assert!(error.expect_err("too deep").to_string().starts_with("The type is too large"));
    session.run("CREATE TYPE w0 (a int)");
    let doubled = |n: u32| format!("CREATE TYPE w{n} (a frozen<w{}>, b frozen<w{}>)", n - 1, n - 1);
    let last = (1..40).find(|n| session.answer(&doubled(*n)).is_err()).expect("2^40 are too many");
    assert!((10..16).contains(&last), "{last}");
}
