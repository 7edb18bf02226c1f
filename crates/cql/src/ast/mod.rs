//! Syntax tree of a CQL statement: what was written, before any schema is known.
//!
//! The parser makes it, the binder reads it. Identifiers are already folded (lower case unless quoted), literals
//! keep their text, bind markers carry their position in [`Statement::markers`].
//!
//! Read in order: [`Statement`], [`Select`], [`Term`], [`TypeName`], then the rest as needed.
//!
//! Never here: names resolved against a schema, values decoded to bytes.

mod auth;
mod describe;
mod dml;
mod name;
mod relation;
mod schema;
mod select;
mod statement;
mod term;
mod types;

pub use auth::*;
pub use describe::*;
pub use dml::*;
pub use name::*;
pub use relation::*;
pub use schema::*;
pub use select::*;
pub use statement::*;
pub use term::*;
pub use types::*;
