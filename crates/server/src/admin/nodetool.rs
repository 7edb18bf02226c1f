//! `helenus nodetool`: the client of the admin port.

use std::process::ExitCode;

/// Carries out one command; returns what the process ends with.
pub fn run(_arguments: Vec<String>) -> ExitCode {
    eprintln!("nodetool: not there yet");
    ExitCode::FAILURE
}
