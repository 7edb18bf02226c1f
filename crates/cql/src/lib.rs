//! CQL: text to syntax tree, syntax tree to a statement bound to a schema, and back to text.
//!
//! Read in order: [`ast`] (what a statement is), [`parse`] (how text becomes one).

pub mod ast;
pub mod bind;
pub mod describe;
mod error;
mod lexer;
mod parser;

pub use error::SyntaxError;
pub use parser::{parse, parse_type};
