//! Binding: a syntax tree and a schema make a statement whose names are resolved and whose types fit.
//!
//! Happens once for each PREPARE (D8): what comes out holds columns, types and marker positions, and is
//! run many times without a name being looked up again.
//!
//! Read in order: [`Receiver`] (where a value goes), [`term`] (values), [`function`] (what can be called),
//! [`restrict`] (the primary key in WHERE), [`modify`] (INSERT, UPDATE, DELETE), [`select`].
//!
//! Never here: execution, clocks, randomness (they come in by [`term::EvalContext`]).

pub mod function;
pub mod modify;
pub mod restrict;
pub mod select;
pub mod term;
pub mod types;

use std::sync::Arc;

use model::{CqlType, QueryError, Schema, Table};

use crate::ast;

pub use term::{EvalContext, Expr, ValueSource};

/// Where a value goes: what it must fit, and how errors and bind metadata call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Keyspace of the table.
    pub keyspace: Arc<str>,
    /// The table.
    pub table: Arc<str>,
    /// The column, or a made-up name such as `value(m)` or `[limit]`.
    pub name: Arc<str>,
    /// The type.
    pub ty: CqlType,
}

impl Receiver {
    /// A receiver of that table.
    pub fn new(table: &Table, name: impl Into<Arc<str>>, ty: CqlType) -> Receiver {
        Receiver { keyspace: table.keyspace.clone(), table: table.name.clone(), name: name.into(), ty }
    }

    /// A column as receiver.
    pub fn column(table: &Table, column: &model::Column) -> Receiver {
        Receiver::new(table, column.name.clone(), column.ty.clone())
    }

    /// The same place under another name and with another type (an element of it, a field).
    pub fn with(&self, name: impl Into<Arc<str>>, ty: CqlType) -> Receiver {
        Receiver { keyspace: self.keyspace.clone(), table: self.table.clone(), name: name.into(), ty }
    }
}

/// The bind markers of one statement: filled in while its terms are bound.
#[derive(Clone, Debug, Default)]
pub struct Markers {
    names: Vec<Option<String>>,
    receivers: Vec<Option<Receiver>>,
}

impl Markers {
    /// One place for each marker of the statement.
    pub fn new(names: &[Option<String>]) -> Markers {
        Markers { names: names.to_vec(), receivers: vec![None; names.len()] }
    }

    /// Notes what a marker receives. A named marker keeps its own name.
    pub fn bind(&mut self, index: usize, receiver: &Receiver) {
        let mut receiver = receiver.clone();
        if let Some(Some(name)) = self.names.get(index) {
            receiver.name = name.as_str().into();
        }
        self.receivers[index] = Some(receiver);
    }

    /// Number of markers.
    pub fn count(&self) -> usize {
        self.receivers.len()
    }

    /// What each marker receives, in order.
    pub fn into_receivers(self) -> Result<Vec<Receiver>, QueryError> {
        self.receivers
            .into_iter()
            .map(|receiver| {
                receiver.ok_or_else(|| QueryError::invalid("Cannot infer the type of a bind marker"))
            })
            .collect()
    }
}

/// What a statement is bound against.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The keyspace of names without one.
    pub keyspace: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// Resolves a table's name. Errors are those of DML (`table nope does not exist`).
    pub fn table(&self, name: &ast::QualifiedName) -> Result<&'a Arc<Table>, QueryError> {
        let keyspace_name = name.keyspace.as_deref().or(self.keyspace).ok_or_else(|| {
            QueryError::invalid(
                "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename",
            )
        })?;
        let keyspace = self
            .schema
            .keyspace(keyspace_name)
            .ok_or_else(|| QueryError::Invalid(format!("keyspace {keyspace_name} does not exist")))?;
        let table = keyspace.tables.get(name.name.as_str());
        table.ok_or_else(|| QueryError::Invalid(format!("table {} does not exist", name.name)))
    }
}

/// Resolves a column's name.
pub fn column<'t>(table: &'t Table, name: &str) -> Result<&'t model::Column, QueryError> {
    table.column(name).ok_or_else(|| {
        let quoted = model::value::name::quote_identifier;
        QueryError::Invalid(format!(
            "Undefined column name {name} in table {}.{}",
            quoted(&table.keyspace),
            quoted(&table.name)
        ))
    })
}
