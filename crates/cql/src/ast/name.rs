//! Names that may carry a keyspace.

use std::borrow::Cow;
use std::fmt;

use crate::lexer::is_reserved_word;

/// An identifier as CQL would have to write it: in quotes if it has capital letters or odd characters, or is reserved.
pub fn quoted_if_needed(name: &str) -> Cow<'_, str> {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && !is_reserved_word(name);
    match plain {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))),
    }
}

/// Identifiers with commas between them, in quotes where needed.
pub(super) fn comma_separated(names: &[String]) -> String {
    let names: Vec<Cow<'_, str>> = names.iter().map(|name| quoted_if_needed(name)).collect();
    names.join(", ")
}

/// Name of a table, view, index or type: `[keyspace.]name`, folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    /// The keyspace if it was written; otherwise the session's.
    pub keyspace: Option<String>,
    /// The name itself.
    pub name: String,
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = &self.keyspace {
            write!(f, "{keyspace}.")?;
        }
        f.write_str(&self.name)
    }
}

/// Name of a function or aggregate: `[keyspace.]name`, folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionName {
    /// The keyspace if it was written; otherwise `system` and then the session's.
    pub keyspace: Option<String>,
    /// The name itself; the token function is `token`, counting is `count`.
    pub name: String,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = &self.keyspace {
            write!(f, "{}.", quoted_if_needed(keyspace))?;
        }
        match self.name.as_str() {
            // A reserved word, and yet this function's name.
            "token" => f.write_str("token"),
            name => f.write_str(&quoted_if_needed(name)),
        }
    }
}
