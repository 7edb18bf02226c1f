//! Names that may carry a keyspace.

use std::fmt;

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
            write!(f, "{keyspace}.")?;
        }
        f.write_str(&self.name)
    }
}
