//! `cargo xtask errors`: every statement of `errors_all.tsv` on a fresh node, and how many of its answers
//! have Cassandra's code and Cassandra's text.

use std::path::Path;

use wire::{QueryParams, Response, Version};

use crate::arguments::Arguments;
use crate::peer::{Client, statements};

const FOLDER: &str = "crates/cql/testdata/cassandra-5.0";

const ALREADY_EXISTS: &str = "2400";

/// One line of the file.
struct Expected {
    statement: String,
    code: String,
    text: String,
}

/// `--host H --port P [--same-code PERCENT] [--same-text PERCENT] [--quiet]`; true if the shares are reached.
pub fn command(arguments: &mut Arguments) -> Result<bool, String> {
    let (host, port) = arguments.node()?;
    let code_wanted = percent(arguments, "--same-code")?;
    let text_wanted = percent(arguments, "--same-text")?;
    let is_quiet = arguments.flag("--quiet");
    arguments.rest()?;
    run(&host, port, code_wanted, text_wanted, is_quiet)
}

fn percent(arguments: &mut Arguments, name: &str) -> Result<f64, String> {
    arguments
        .option(name)?
        .map_or(Ok(0.0), |value| value.parse().map_err(|_| format!("{name} wants a number")))
}

/// Runs all statements in order; prints differences and shares.
pub fn run(
    host: &str,
    port: u16,
    code_wanted: f64,
    text_wanted: f64,
    is_quiet: bool,
) -> Result<bool, String> {
    let all = expected()?;
    let mut client = Client::connect(host, port)?;
    let mut schema = prepare(&mut client, is_quiet)?;
    let (mut same_code, mut same_text) = (0, 0);
    for (index, each) in all.iter().enumerate() {
        let (code, text) = answer_to(&mut client, each, &mut schema)?;
        let is_same_text = code == each.code && comparable(&text) == comparable(&each.text);
        same_code += usize::from(code == each.code);
        same_text += usize::from(is_same_text);
        if !is_same_text && !is_quiet {
            println!("{}: {}", index + 1, each.statement.escape_debug());
            println!("  - {} {}\n  + {code} {}", each.code, each.text.escape_debug(), text.escape_debug());
        }
    }
    let share = |count: usize| 100.0 * count as f64 / all.len() as f64;
    println!(
        "{} statements: {same_code} with Cassandra's code ({:.1} %), {same_text} with its text too ({:.1} %)",
        all.len(),
        share(same_code),
        share(same_text)
    );
    Ok(share(same_code) >= code_wanted && share(same_text) >= text_wanted)
}

fn read(name: &str) -> Result<String, String> {
    let path = Path::new(FOLDER).join(name);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

fn expected() -> Result<Vec<Expected>, String> {
    let text = read("errors_all.tsv")?;
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut fields = line.split('\t').map(|field| field.replace("\\n", "\n"));
            match (fields.next(), fields.next(), fields.next()) {
                (Some(statement), Some(code), Some(text)) => Ok(Expected { statement, code, text }),
                _ => Err(format!("a line of errors_all.tsv has no three fields: {line}")),
            }
        })
        .collect()
}

/// Makes the schema. What the node does not know yet (indexes, views, functions) is named and left out.
fn prepare(client: &mut Client, is_quiet: bool) -> Result<Schema, String> {
    let setup = statements::split(&read("errors_setup.cql")?);
    let (first, rest) = setup.split_first().ok_or("errors_setup.cql is empty")?;
    client.must(first).map_err(|problem| format!("this wants a fresh node: {problem}"))?;
    for statement in rest {
        if let Err(problem) = client.must(statement)
            && !is_quiet
        {
            println!("left out of the schema: {problem}");
        }
    }
    Ok(Schema(setup))
}

/// The statements that made the tables as Cassandra has them at this line of the file.
struct Schema(Vec<String>);

impl Schema {
    /// Makes a table again that Cassandra kept as it was and this node did not: what Cassandra refuses for an
    /// index or a view, a node without indexes and views does, and all later statements would miss the table.
    fn restore(&self, client: &mut Client, change: &str) -> Result<(), String> {
        let Some(table) = changed_table(change) else { return Ok(()) };
        client.must(&format!("DROP TABLE IF EXISTS demo.{table}"))?;
        let (create, fill) = (format!("CREATE TABLE {table} "), format!("INSERT INTO {table} "));
        let is_of_table = |made: &&String| {
            made.starts_with(&create) || made.starts_with(&fill) || changed_table(made) == Some(table)
        };
        self.0.iter().filter(is_of_table).try_for_each(|made| client.must(made))
    }
}

/// `t` of `DROP TABLE t` and of `ALTER TABLE t ...`.
fn changed_table(statement: &str) -> Option<&str> {
    let rest = statement.strip_prefix("DROP TABLE ").or_else(|| statement.strip_prefix("ALTER TABLE "))?;
    rest.split(' ').next()
}

/// The answer, with the node in the state that the file's answers were written down in: they come from
/// several runs, each without the table `x` and the keyspace `k9` of the run before, all in keyspace demo.
fn answer_to(
    client: &mut Client,
    expected: &Expected,
    schema: &mut Schema,
) -> Result<(String, String), String> {
    let mut answered = answer(client, &expected.statement)?;
    if answered.0 == ALREADY_EXISTS && expected.code != ALREADY_EXISTS {
        let is_keyspace = expected.statement.starts_with("CREATE KEYSPACE");
        client.must(if is_keyspace {
            "DROP KEYSPACE IF EXISTS k9"
        } else {
            "DROP TABLE IF EXISTS demo.x"
        })?;
        answered = answer(client, &expected.statement)?;
    }
    let is_accepted = answered.0 == "OK";
    if is_accepted && expected.statement.starts_with("USE ") {
        client.must("USE demo")?;
    }
    if is_accepted && expected.code == "OK" && expected.statement.starts_with("ALTER TABLE ") {
        schema.0.push(expected.statement.clone());
    } else if is_accepted && expected.code != "OK" {
        schema.restore(client, &expected.statement)?;
    }
    Ok(answered)
}

/// The text without what differs between two runs of one Cassandra: the order in which the signatures of a
/// function are named, and the addresses of objects.
fn comparable(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split([',', '(', ')', ' ']).filter(|part| !part.is_empty()).collect();
    parts.retain(|part| !part.contains("$Raw@"));
    if text.contains("known type signatures") {
        parts.sort_unstable();
    }
    parts
}

/// Code and text of an answer; `OK` and the warnings if it is no error.
fn answer(client: &mut Client, statement: &str) -> Result<(String, String), String> {
    let decoded = client.query(statement, QueryParams::default())?;
    Ok(match decoded.response {
        Response::Error(error) => (format!("{:04x}", error.code(Version::V5)), error.message),
        _ => {
            let warnings: Vec<String> = decoded.warnings.iter().map(|text| format!("WARN {text}")).collect();
            ("OK".to_owned(), warnings.join("; "))
        }
    })
}
