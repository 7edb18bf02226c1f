//! Developer commands: `cargo xtask COMMAND`. The only automation, beside the scripts that a user starts.
//!
//! Read in order: [`tidy`] (what the house looks like), [`ci`] (all that continuous integration runs),
//! [`scripts`] and [`errors`] (the same questions to any node), [`oracle`] (a real Cassandra to ask).
//!
//! Never here: anything that the node needs.
#![expect(
    clippy::disallowed_methods,
    reason = "a developer's command, not the node: real files, clock, sockets"
)]

mod arguments;

mod ci;
mod metadata;
mod tidy;

mod peer;

mod errors;
mod oracle;
mod scripts;

use std::process::{Command, ExitCode};

use arguments::Arguments;

const USAGE: &str = "\
cargo xtask COMMAND

  ci [--without-node]    format, clippy, tidy, licences, tests, a short simulation, then everything
                         that talks to a node: error texts, scripts, bad input, stock clients, kill -9
  tidy                   floors, module openings, paths of a machine; prints what is longest
  licenses               licences and sources of all packages
  sim --seed N           a simulated cluster; all its options are the simulator's

  scripts [--host H] [--port P] [--update] [FILTER]
                         the CQL scripts against a running node
  errors [--host H] [--port P] [--same-code PERCENT] [--same-text PERCENT] [--quiet]
                         the statements of errors_all.tsv against a fresh node
  oracle [--update] [--errors] [FILTER]
                         brings up a real Cassandra and runs the scripts (and the errors) against it";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let mut arguments = Arguments::new(words);
    // Paths below are relative to the checkout.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let outcome = match std::env::set_current_dir(root) {
        Err(error) => Err(format!("{root}: {error}")),
        Ok(()) => match command.as_str() {
            "ci" => ci::command(&mut arguments),
            "tidy" => arguments.rest().and_then(|_| tidy::run()),
            "licenses" => arguments.rest().and_then(|_| ci::licenses::run()),
            "sim" => simulate(&mut arguments),
            "errors" => errors::command(&mut arguments),
            "oracle" => oracle::command(&mut arguments),
            "scripts" => scripts::command(&mut arguments),
            "" | "help" | "--help" => {
                println!("{USAGE}");
                Ok(!command.is_empty())
            }
            unknown => Err(format!("no command {unknown}\n\n{USAGE}")),
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The simulator has a binary of its own; this only saves typing.
fn simulate(arguments: &mut Arguments) -> Result<bool, String> {
    let status = Command::new(metadata::cargo())
        .args(["run", "--quiet", "--package", "simulator", "--"])
        .args(arguments.all())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    Ok(status.success())
}
