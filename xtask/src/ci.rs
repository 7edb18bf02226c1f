//! `cargo xtask ci`: all that continuous integration runs, in the order in which a mistake shows soonest.
//!
//! Each step prints its name and its time; all steps run, and the end names what failed and what was skipped.

pub mod licenses;
mod node;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::metadata::cargo;
use crate::{errors, scripts, tidy};
use node::Node;

const HOST: &str = "127.0.0.1";

/// Shares of `errors_all.tsv` that must be reached, in percent: with the same code, with the same text.
const SAME_CODE: f64 = 75.0;
const SAME_TEXT: f64 = 60.0;

/// How a step ended.
enum Ended {
    Well,
    Badly(String),
    Skipped(String),
}

#[derive(Default)]
struct Report {
    failed: Vec<String>,
    skipped: Vec<String>,
    times: Vec<(String, Duration)>,
}

impl Report {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Ended) {
        println!("== {name}");
        let started = Instant::now();
        let ended = work();
        let took = started.elapsed();
        let word = match ended {
            Ended::Well => "ok".to_owned(),
            Ended::Badly(problem) => {
                self.failed.push(format!("{name}: {problem}"));
                format!("FAILED: {problem}")
            }
            Ended::Skipped(why) => {
                self.skipped.push(format!("{name}: {why}"));
                format!("skipped: {why}")
            }
        };
        println!("== {name}: {word} ({:.1} s)\n", took.as_secs_f64());
        self.times.push((name.to_owned(), took));
    }

    fn print(&self) -> bool {
        for (name, took) in &self.times {
            println!("{:>7.1} s  {name}", took.as_secs_f64());
        }
        self.skipped.iter().for_each(|skipped| println!("skipped  {skipped}"));
        self.failed.iter().for_each(|failed| println!("FAILED   {failed}"));
        println!(
            "ci: {} steps, {} failed, {} skipped",
            self.times.len(),
            self.failed.len(),
            self.skipped.len()
        );
        self.failed.is_empty()
    }
}

/// `[--without-node]`; true if no step failed.
pub fn command(arguments: &mut Arguments) -> Result<bool, String> {
    let without_node = arguments.flag("--without-node");
    arguments.rest()?;
    let mut report = Report::default();
    house(&mut report);
    if without_node {
        report.skipped.push("all steps with a running node: --without-node".to_owned());
    } else {
        report.step("release build", || run_cargo(&["build", "--release", "--package", "helenus"]));
        with_node(&mut report)?;
    }
    Ok(report.print())
}

/// Steps that need no node.
fn house(report: &mut Report) {
    report.step("format", || run_cargo(&["fmt", "--all", "--check"]));
    report.step("clippy", || {
        run_cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])
    });
    report.step("tidy", || ended(tidy::run()));
    report.step("licences and sources", || ended(licenses::run()));
    report.step("cargo deny", || match Command::new(cargo()).args(["deny", "--version"]).output() {
        Ok(output) if output.status.success() => run_cargo(&["deny", "check", "bans", "licenses", "sources"]),
        _ => Ended::Skipped(
            "cargo-deny is not installed; the step before checked licences and sources".to_owned(),
        ),
    });
    report.step("tests", || run_cargo(&["test", "--workspace", "--quiet"]));
    report
        .step("simulation", || run_cargo(&["run", "--quiet", "--package", "simulator", "--", "--seed", "1"]));
}

/// Steps with a node of the release build. Those that count on a fresh node get one.
fn with_node(report: &mut Report) -> Result<(), String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let binary = std::path::absolute(target.join("release/helenus")).map_err(|error| error.to_string())?;
    if !binary.exists() {
        report.failed.push(format!("{} is not there: no step with a node ran", binary.display()));
        return Ok(());
    }
    report.step("error texts", || {
        on_node(&binary, false, |node| errors::run(HOST, node.port, SAME_CODE, SAME_TEXT, true))
    });
    report.step("CQL scripts", || on_node(&binary, false, |node| scripts::run(HOST, node.port, None, false)));
    report.step("bad input", || {
        on_node(&binary, false, |node| {
            let (port, pid) = (node.port.to_string(), node.pid().to_string());
            python("python3", &["tests/bad_input/bad_input.py", "--port", &port, "--pid", &pid])
        })
    });
    if !node::is_preferred_port_free() {
        report
            .skipped
            .push("examples/users.py: it speaks to port 9042, where somebody else listens".to_owned());
    }
    report.step("stock clients", || {
        on_node(&binary, true, |node| {
            python("python3", &["tests/run_clients.py", "--port", &node.port.to_string()])
        })
    });
    let python_environment = ".venv/bin/python";
    report.step("kill -9", || match std::path::Path::new(python_environment).exists() {
        true => ended(python(python_environment, &["tests/crash/crash.py", &binary.to_string_lossy()])),
        false => Ended::Skipped("tests/run_clients.py could not make .venv".to_owned()),
    });
    report.step("nodetool", || match std::path::Path::new(python_environment).exists() {
        true => ended(python(python_environment, &["tests/nodetool/nodetool.py", &binary.to_string_lossy()])),
        false => Ended::Skipped("tests/run_clients.py could not make .venv".to_owned()),
    });
    report.step("storage with little room", || {
        ended(python("python3", &["tests/storage/storage.py", &binary.to_string_lossy()]))
    });
    report.step("Cassandra is the judge", || judge(&binary));
    Ok(())
}

/// A real Cassandra reads what Helenus wrote, and the other way round; without Java 17 or Maven Central it is skipped.
fn judge(binary: &std::path::Path) -> Ended {
    const SKIPPED: i32 = 77;
    match Command::new("python3").arg("tests/judge/judge.py").arg(binary).status() {
        Err(error) => Ended::Badly(format!("python3: {error}")),
        Ok(status) if status.success() => Ended::Well,
        Ok(status) if status.code() == Some(SKIPPED) => {
            Ended::Skipped("no Java 17, or no Maven Central: no Cassandra to judge (see above)".to_owned())
        }
        Ok(status) => Ended::Badly(format!("tests/judge/judge.py: {status}")),
    }
}

/// Starts a node, works with it, and wants it to drain well.
fn on_node(
    binary: &std::path::Path,
    preferred: bool,
    work: impl FnOnce(&Node) -> Result<bool, String>,
) -> Ended {
    let outcome = Node::start(binary, preferred).and_then(|node| {
        let is_good = work(&node)?;
        node.stop()?;
        Ok(is_good)
    });
    ended(outcome)
}

fn ended(outcome: Result<bool, String>) -> Ended {
    match outcome {
        Ok(true) => Ended::Well,
        Ok(false) => Ended::Badly("see above".to_owned()),
        Err(problem) => Ended::Badly(problem),
    }
}

fn python(interpreter: &str, arguments: &[&str]) -> Result<bool, String> {
    let status = Command::new(interpreter)
        .args(arguments)
        .status()
        .map_err(|error| format!("{interpreter}: {error}"))?;
    Ok(status.success())
}

fn run_cargo(arguments: &[&str]) -> Ended {
    match Command::new(cargo()).args(arguments).status() {
        Err(error) => Ended::Badly(format!("cargo: {error}")),
        Ok(status) if status.success() => Ended::Well,
        Ok(status) => Ended::Badly(format!("cargo {}: {status}", arguments.join(" "))),
    }
}
