//! The one error of the text side: a statement that is not CQL.

use std::error::Error;
use std::fmt;

/// Text that the grammar does not know. Sent to the client with code 2000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The whole text in Cassandra's words, such as
    /// `line 1:7 no viable alternative at input 'FROM' (SELECT [FROM]...)`.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SyntaxError {}
