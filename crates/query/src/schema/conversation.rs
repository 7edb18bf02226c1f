//! Plays conversations recorded with a running Cassandra and compares every answer.

use cql::ast::StatementKind;
use model::{QueryError, Schema, Value};
use uuid::Uuid;

use super::change::{ChangeContext, SchemaChange, apply_schema_statement};
use super::describe::{DescribeContext, DescribeResult, describe};
use super::rows;
use crate::system::definitions;

/// Answers in which Helenus differs on purpose: what it does not have.
const DIFFERENT: [&str; 1] = ["not yet supported by Helenus"];

struct Session {
    schema: Schema,
    keyspace: Option<String>,
    statements: u16,
}

impl Session {
    fn new() -> Session {
        Session { schema: definitions::initial_schema(), keyspace: None, statements: 0 }
    }

    fn answer(&mut self, text: &str) -> Result<Vec<String>, QueryError> {
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
        let SchemaChange { new, effect, warnings, events } = apply_schema_statement(&self.schema, statement, &ctx)?;
        assert_eq!(events.last(), effect.as_ref());
        assert_eq!(effect.is_some(), new.version != self.schema.version, "the version tells each change");
        assert_eq!(rows::schema_version(&new), new.version);
        if effect.is_none() {
            assert_eq!(new, self.schema);
        }
        self.schema = new;
        Ok(warnings.into_iter().map(|warning| format!("warning: {warning}")).collect())
    }
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
