//! `testdata/cassandra-5.0/`: statements and what Cassandra 5.0.9 answered.

use crate::parse;

/// Statement, code (`OK` or hex), text. See the comments at its top for how it was made.
const ANSWERS: &str = include_str!("../../../testdata/cassandra-5.0/errors_all.tsv");

/// Statements with a syntax error, and Cassandra's text.
const SYNTAX: &str = include_str!("../../../testdata/cassandra-5.0/syntax_errors.tsv");

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// Statement, code, text.
pub(super) fn rows(file: &str) -> impl Iterator<Item = (String, String, String)> {
    file.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let mut cells = line.split('\t').map(unescape);
        let mut cell = || cells.next().unwrap_or_default();
        (cell(), cell(), cell())
    })
}

/// All statements of the corpus, right and wrong.
pub(super) fn statements() -> Vec<String> {
    rows(ANSWERS).chain(rows(SYNTAX)).map(|(statement, _, _)| statement).collect()
}

/// Refused by Cassandra's grammar, with a text that does not begin like a recognition error.
fn refused_by_the_grammar(text: &str) -> bool {
    [
        "Multiple incompatible setting",
        "Multiple definitions for property",
        "frozen<> is only allowed",
        "Only expressions of the form",
        "line ",
        "Failed parsing statement",
        "Bind variables cannot be used",
        "Invalid property",
        "Quoted strings are",
        "Multiple definition for",
    ]
    .iter()
    .any(|begin| text.starts_with(begin))
}

#[test]
fn what_cassandra_accepted_or_refused_later_parses() {
    let mut wrong = Vec::new();
    for (statement, code, text) in rows(ANSWERS).chain(rows(SYNTAX)) {
        if code == "2000" && refused_by_the_grammar(&text) {
            continue;
        }
        if let Err(error) = parse(&statement) {
            wrong.push(format!("{statement}\n    {error}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[track_caller]
fn check_texts(file: &str, floor: usize) {
    let (mut same, mut all, mut wrong) = (0, 0, Vec::new());
    for (statement, code, text) in rows(file) {
        if code != "2000" || !refused_by_the_grammar(&text) {
            continue;
        }
        all += 1;
        let found = parse(&statement).err().map(|error| error.message);
        if found.as_deref() == Some(text.as_str()) {
            same += 1;
        } else {
            wrong.push(format!("{statement}\n    want {text}\n    have {found:?}"));
        }
    }
    println!("{same} of {all} texts are Cassandra's\n{}", wrong.join("\n"));
    assert!(same >= floor, "{same} of {all} texts are Cassandra's:\n{}", wrong.join("\n"));
}

#[test]
fn syntax_errors_have_cassandras_words() {
    check_texts(ANSWERS, 53);
}

#[test]
fn more_syntax_errors_have_cassandras_words() {
    check_texts(SYNTAX, 1500);
}
