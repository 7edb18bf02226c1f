//! Developer commands: `cargo xtask COMMAND`. The only automation, beside the scripts that a user starts.
//!
//! Read in order: [`tidy`] (what the house looks like), [`ci`] (all that continuous integration runs),
//! [`scripts`] and [`errors`] (the same questions to any node), [`oracle`] (a real Cassandra to ask).
//!
//! Never here: anything that the node needs.
#![expect(clippy::disallowed_methods, reason = "a developer's command, not the node: real files, clock, sockets")]

mod arguments;
mod peer;
mod scripts;

use std::process::ExitCode;

use arguments::Arguments;

const USAGE: &str = "\
cargo xtask COMMAND

  scripts [--host H] [--port P] [--update] [FILTER]   the CQL scripts against a running node";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let mut arguments = Arguments::new(words);
    // Paths below are relative to the checkout.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let outcome = match std::env::set_current_dir(root) {
        Err(error) => Err(format!("{root}: {error}")),
        Ok(()) => match command.as_str() {
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
