//! Test tools of all crates: the script runner for `*.test` files, and tables as a Cassandra user reads them.
//!
//! A script is a text that a Cassandra user can read: commands, what goes in, and what must come out.
//! [`run_scripts`] runs every script of a folder and compares; with `UPDATE_EXPECT=1` it writes what came
//! out into the script instead.
//!
//! Read in order: [`script`] (the format, the runner), [`table`] (rows as text).
//!
//! Never here: product code, and nothing that product code uses: this is a dev-dependency.
#![expect(clippy::disallowed_methods, reason = "tests read and rewrite their scripts on the real disk")]

pub mod script;
pub mod table;

pub use script::{Outcome, Step, run_file, run_scripts};
