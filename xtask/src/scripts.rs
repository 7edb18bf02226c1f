//! `cargo xtask scripts`: the CQL scripts against any running node, Helenus or Cassandra.
//!
//! Each script gets a keyspace of its own, named as the file, and a connection that uses it. Commands:
//!
//! * `cql [types] [timestamp=N] [now=N] [consistency=NAME] [serial=NAME]`: statements, one after the other;
//!   rows, errors and warnings are shown. `types` shows the types of the columns too.
//! * `page N`: one statement, read in pages of N rows; each page is shown.
//! * `prepare NAME`: prepares a statement; shows its markers, and which of them make the partition key.
//! * `execute NAME [page=N]`: runs it, once for each line of values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::CqlType;
use model::error::consistency_name;
use testkit::{Step, script, table};
use wire::response::{Decoded, Prepared, Rows};
use wire::{QueryParams, RequestBody, Response, Values};

use crate::arguments::Arguments;
use crate::peer::{Client, bind, literal::literal, statements};

/// Where the scripts are.
pub const FOLDER: &str = "crates/server/testdata/cql";

/// `--host H --port P [--update] [FILTER]`; true if there was no difference.
pub fn command(arguments: &mut Arguments) -> Result<bool, String> {
    let (host, port) = arguments.node()?;
    let update = arguments.flag("--update");
    let filter = arguments.rest()?;
    run(&host, port, filter.as_deref(), update)
}

/// Runs the scripts whose name contains `filter`; with `update`, writes the answers into them.
pub fn run(host: &str, port: u16, filter: Option<&str>, update: bool) -> Result<bool, String> {
    let files = script::files(Path::new(FOLDER)).map_err(|error| format!("{FOLDER}: {error}"))?;
    let chosen: Vec<&PathBuf> =
        files.iter().filter(|path| stem(path).contains(filter.unwrap_or(""))).collect();
    let (mut steps, mut differences) = (0, 0);
    for path in &chosen {
        let outcome = run_one(host, port, path).map_err(|problem| format!("{}: {problem}", stem(path)))?;
        steps += outcome.steps_count;
        if update {
            std::fs::write(path, &outcome.updated).map_err(|error| error.to_string())?;
            continue;
        }
        differences += outcome.differences.len();
        outcome.differences.iter().for_each(|difference| print!("{difference}"));
    }
    println!("{} scripts, {steps} steps, {differences} differences (-expected, +actual)", chosen.len());
    Ok(differences == 0)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn run_one(host: &str, port: u16, path: &Path) -> Result<script::Outcome, String> {
    let mut session = Session { client: Client::connect(host, port)?, prepared: HashMap::new() };
    let keyspace = stem(path);
    let drop = format!("DROP KEYSPACE IF EXISTS {keyspace}");
    session.client.must(&drop)?;
    session.client.must(&format!(
        "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ))?;
    session.client.must(&format!("USE {keyspace}"))?;
    let mut torn = None;
    let outcome = script::run_file(path, |step| match (&torn, session.run(step)) {
        (Some(problem), _) => format!("NOT RUN: {problem}"),
        (None, Ok(output)) => output,
        (None, Err(problem)) => format!("BROKEN: {}", torn.insert(problem)),
    })
    .map_err(|problem| problem.to_string())?;
    if torn.is_none() {
        session.client.must(&drop)?;
    }
    Ok(outcome)
}

struct Session {
    client: Client,
    prepared: HashMap<String, (Prepared, Option<Bytes>)>,
}

impl Session {
    fn run(&mut self, step: &Step<'_>) -> Result<String, String> {
        let mut output = String::new();
        match step.command {
            "cql" => {
                for statement in statements::split(step.input) {
                    let decoded = self.client.query(&statement, params(step)?)?;
                    show(&decoded, step.has("types"), &mut output);
                }
            }
            "page" => {
                let page_size = step.argument(0).parse().map_err(|_| "page wants a number of rows")?;
                let text = statements::split(step.input).join(";");
                let params = QueryParams { page_size: Some(page_size), ..params(step)? };
                self.pages(&mut output, params, |params| RequestBody::Query {
                    text: (&*text).into(),
                    params,
                })?;
            }
            "prepare" => {
                let text = statements::split(step.input).join(";");
                let decoded =
                    self.client.ask(RequestBody::Prepare { text: (&*text).into(), keyspace: None })?;
                show(&decoded, true, &mut output);
                if let Response::Prepared(prepared) = decoded.response {
                    self.prepared
                        .insert(step.argument(0).to_owned(), (*prepared, decoded.result_metadata_id));
                }
            }
            "execute" => self.execute(step, &mut output)?,
            other => return Err(format!("{}: no command {other}", step.location)),
        }
        Ok(output)
    }

    fn execute(&mut self, step: &Step<'_>, output: &mut String) -> Result<(), String> {
        let name = step.argument(0);
        let (prepared, metadata_id) =
            self.prepared.get(name).cloned().ok_or_else(|| format!("{name} was not prepared"))?;
        let types: Vec<&CqlType> = prepared.bind.columns.iter().map(|column| &column.ty).collect();
        let lines: Vec<&str> = if types.is_empty() { vec![""] } else { step.input.lines().collect() };
        for line in lines {
            let values = Values::Positional(bind::values(line, &types)?);
            let page_size = step.option("page").map(str::parse).transpose().map_err(|_| "page=N")?;
            let params = QueryParams { values, page_size, ..params(step)? };
            self.pages(output, params, |params| RequestBody::Execute {
                id: prepared.id.clone(),
                result_metadata_id: metadata_id.clone(),
                params,
            })?;
        }
        Ok(())
    }

    /// Asks until there is no further page; shows each.
    fn pages(
        &mut self,
        output: &mut String,
        mut params: QueryParams,
        body: impl Fn(QueryParams) -> RequestBody,
    ) -> Result<(), String> {
        loop {
            let decoded = self.client.ask(body(params.clone()))?;
            show(&decoded, false, output);
            match decoded.response {
                Response::Rows(Rows { paging_state: Some(state), .. }) => {
                    output.push_str("more\n");
                    params.paging_state = Some(state);
                }
                _ => return Ok(()),
            }
        }
    }
}

fn params(step: &Step<'_>) -> Result<QueryParams, String> {
    let level = |name: &str| match step.option(name) {
        None => Ok(None),
        Some(wanted) => (0..12)
            .find(|level| consistency_name(*level) == wanted)
            .map(Some)
            .ok_or_else(|| format!("{}: no consistency level {wanted}", step.location)),
    };
    let number = |name: &str| {
        step.option(name).map(str::parse::<i64>).transpose().map_err(|_| format!("{name} wants a number"))
    };
    Ok(QueryParams {
        consistency: level("consistency")?.unwrap_or(1),
        serial_consistency: level("serial")?,
        timestamp_us: number("timestamp")?,
        now_in_seconds: number("now")?.map(|now| now as i32),
        ..QueryParams::default()
    })
}

/// Appends what a user would see of an answer.
fn show(decoded: &Decoded, with_types: bool, output: &mut String) {
    for warning in &decoded.warnings {
        output.push_str(&format!("WARNING: {}\n", table::one_line(warning)));
    }
    match &decoded.response {
        Response::Error(error) => {
            let code = error.code(wire::Version::V5);
            output.push_str(&format!("ERROR {code:04x}: {}\n", table::one_line(&error.message)));
        }
        Response::Rows(rows) => output.push_str(&rows_text(rows, with_types)),
        Response::Prepared(prepared) => output.push_str(&prepared_text(prepared)),
        _ => {}
    }
}

fn rows_text(rows: &Rows, with_types: bool) -> String {
    let columns = rows.metadata.columns();
    let names: Vec<String> = columns
        .iter()
        .map(
            |column| if with_types { column_text(&column.name, &column.ty) } else { column.name.to_string() },
        )
        .collect();
    let values: Vec<Vec<String>> = rows
        .rows
        .iter()
        .map(|row| {
            columns.iter().zip(row).map(|(column, value)| literal(&column.ty, value.as_deref())).collect()
        })
        .collect();
    table::render(&names, &values)
}

fn prepared_text(prepared: &Prepared) -> String {
    let markers: Vec<String> =
        prepared.bind.columns.iter().map(|column| column_text(&column.name, &column.ty)).collect();
    let key: Vec<String> = prepared.bind.partition_key_indices.iter().map(u16::to_string).collect();
    let result: Vec<String> = match &prepared.result {
        Some(result) => result.columns().iter().map(|column| column_text(&column.name, &column.ty)).collect(),
        None => Vec::new(),
    };
    format!(
        "markers: {}\npartition key: {}\nresult: {}\n",
        markers.join(", "),
        key.join(", "),
        result.join(", ")
    )
}

fn column_text(name: &str, ty: &CqlType) -> String {
    format!("{name} {}", type_text(ty))
}

/// A type as CQL names it. On the wire nothing says that a collection or a user type is frozen.
fn type_text(ty: &CqlType) -> String {
    match ty {
        CqlType::List { element, .. } => format!("list<{}>", type_text(element)),
        CqlType::Set { element, .. } => format!("set<{}>", type_text(element)),
        CqlType::Map { key, value, .. } => format!("map<{}, {}>", type_text(key), type_text(value)),
        CqlType::Tuple(fields) => {
            format!("tuple<{}>", fields.iter().map(type_text).collect::<Vec<_>>().join(", "))
        }
        CqlType::Udt { definition, .. } => definition.name.to_string(),
        CqlType::Vector { element, dimension } => format!("vector<{}, {dimension}>", type_text(element)),
        CqlType::Custom(class) => format!("'{class}'"),
        native => format!("{native:?}").to_lowercase(),
    }
}
