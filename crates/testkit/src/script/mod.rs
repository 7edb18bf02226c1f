//! Scripts: commands with their input and the output that is expected.
//!
//! ```text
//! # A comment; it belongs to the step below it.
//! command argument argument
//! input, any number of lines
//! ----
//! expected output; the first empty line ends it
//! ```
//!
//! Read in order: [`run_scripts`] (what tests call), [`Step`] (what they are handed), [`parse`].

mod parse;

use std::fmt;
use std::path::{Path, PathBuf};

pub use parse::{BadScript, Script, parse};

/// One command of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The first word of the command line.
    pub command: &'a str,
    /// The other words.
    pub arguments: Vec<&'a str>,
    /// The lines between the command line and `----`.
    pub input: &'a str,
    /// The lines after it.
    pub expected: &'a str,
    /// Where the command stands: `tombstone_wins.test:2`.
    pub location: String,
}

impl Step<'_> {
    /// The argument at `index`; panics with the location if there is none.
    pub fn argument(&self, index: usize) -> &str {
        self.arguments
            .get(index)
            .unwrap_or_else(|| panic!("{}: {} wants an argument {index}", self.location, self.command))
    }

    /// The value of an argument `name=value`.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    /// True if `word` is one of the arguments.
    pub fn has(&self, word: &str) -> bool {
        self.arguments.contains(&word)
    }
}

/// What a script gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Steps whose output was not the expected one.
    pub differences: Vec<Difference>,
    /// How many steps ran.
    pub steps_count: usize,
    /// The script with the actual outputs in it.
    pub updated: String,
}

/// A step that gave something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where the step stands.
    pub location: String,
    /// What the script says.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.location)?;
        let (expected, actual): (Vec<&str>, Vec<&str>) =
            (self.expected.lines().collect(), self.actual.lines().collect());
        for index in 0..expected.len().max(actual.len()) {
            match (expected.get(index), actual.get(index)) {
                (Some(expected), Some(actual)) if expected == actual => writeln!(f, "    {expected}")?,
                (expected, actual) => {
                    if let Some(line) = expected {
                        writeln!(f, "  - {line}")?;
                    }
                    if let Some(line) = actual {
                        writeln!(f, "  + {line}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The `*.test` files of a folder, in the order of their names.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    files.sort();
    Ok(files)
}

/// Runs one script: `run` gives each step's output.
pub fn run_file(path: &Path, mut run: impl FnMut(&Step<'_>) -> String) -> Result<Outcome, BadScript> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path)
        .map_err(|error| BadScript { location: name.clone(), problem: error.to_string() })?;
    let script = parse(&name, &text)?;
    let mut outputs = Vec::new();
    let mut outcome = Outcome::default();
    for step in &script.steps {
        let actual = tidy_output(&run(step));
        if actual != step.expected {
            outcome.differences.push(Difference {
                location: step.location.clone(),
                expected: step.expected.to_owned(),
                actual: actual.clone(),
            });
        }
        outputs.push(actual);
    }
    outcome.steps_count = outputs.len();
    outcome.updated = script.with_outputs(&outputs);
    Ok(outcome)
}

/// Runs every script of a folder (relative to the crate under test), each with a state of its own, and
/// panics if an output is not the expected one. `UPDATE_EXPECT=1` rewrites the scripts instead.
#[track_caller]
pub fn run_scripts<S: Default>(folder: impl AsRef<Path>, mut run: impl FnMut(&Step<'_>, &mut S) -> String) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let folder = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(root) => PathBuf::from(root).join(folder),
        None => folder.as_ref().to_owned(),
    };
    let files = files(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!files.is_empty(), "{}: no *.test files", folder.display());
    let mut failed = String::new();
    for path in files {
        let mut state = S::default();
        let outcome =
            run_file(&path, |step| run(step, &mut state)).unwrap_or_else(|problem| panic!("{problem}"));
        if update && !outcome.differences.is_empty() {
            std::fs::write(&path, &outcome.updated).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        } else {
            outcome.differences.iter().for_each(|difference| failed.push_str(&difference.to_string()));
        }
    }
    assert!(failed.is_empty(), "outputs differ (-expected, +actual):\n{failed}");
}

/// An output in the form in which it stands in a script: no empty lines, no blanks at line ends.
fn tidy_output(output: &str) -> String {
    let mut tidy = String::with_capacity(output.len());
    for line in output.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy
}

#[cfg(test)]
mod tests;
