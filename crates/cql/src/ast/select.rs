//! SELECT.

use super::name::{FunctionName, QualifiedName};
use super::relation::WhereClause;
use super::term::{ArithmeticOperator, Term};
use super::types::{NativeType, TypeName};

/// `SELECT … FROM …`
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// What is read.
    pub table: QualifiedName,
    /// `SELECT JSON`
    pub json: bool,
    /// `SELECT DISTINCT`
    pub distinct: bool,
    /// Empty for `*`.
    pub selectors: Vec<Selector>,
    /// `WHERE`
    pub where_clause: WhereClause,
    /// `GROUP BY`
    pub group_by: Vec<Selectable>,
    /// `ORDER BY`
    pub order_by: Vec<Ordering>,
    /// `PER PARTITION LIMIT`: an integer literal or a marker.
    pub per_partition_limit: Option<Term>,
    /// `LIMIT`: an integer literal or a marker.
    pub limit: Option<Term>,
    /// `ALLOW FILTERING`
    pub allow_filtering: bool,
}

/// `expression [AS alias]`
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// What is computed.
    pub selectable: Selectable,
    /// Its name in the result.
    pub alias: Option<String>,
}

/// An expression of the selection clause.
#[derive(Clone, Debug, PartialEq)]
pub enum Selectable {
    /// A column.
    Column(String),
    /// A literal of one token, null or a marker; never a `Term` made of others.
    Term(Term),
    /// `count(*)`. (`count(1)` is an ordinary `Function`.)
    CountRows,
    /// `[ks.]f(a, b)`
    Function(FunctionName, Vec<Selectable>),
    /// `writetime(c)`, `maxwritetime(c)`, `ttl(c)`; the argument is a column with fields, elements, slices.
    CellMetadata(CellMetadata, Box<Selectable>),
    /// `cast(a as t)`
    Cast(Box<Selectable>, NativeType),
    /// `(type) a`
    TypeHint(TypeName, Box<Selectable>),
    /// `a + b`
    Arithmetic(ArithmeticOperator, Box<Selectable>, Box<Selectable>),
    /// `-a`
    Negation(Box<Selectable>),
    /// `a.field`
    Field(Box<Selectable>, String),
    /// `a[key]`
    Element(Box<Selectable>, Term),
    /// `a[from..to]`, either end may be open
    Slice(Box<Selectable>, Option<Term>, Option<Term>),
    /// `[a, b]`: list or vector
    List(Vec<Selectable>),
    /// `{a, b}`; `{}` may turn out to be a map
    Set(Vec<Selectable>),
    /// `{k: v}`: a map or a user type, by the receiver's type (keys `Column` = field names)
    MapOrUserType(Vec<(Selectable, Selectable)>),
    /// `(a, b)`: a tuple; `(a)`: just brackets, or a tuple of one if a type hint asks for it
    Parentheses(Vec<Selectable>),
}

/// What is asked about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellMetadata {
    /// `writetime`
    WriteTime,
    /// `maxwritetime`
    MaxWriteTime,
    /// `ttl`
    Ttl,
}

impl CellMetadata {
    /// Function name as the result names it.
    pub fn name(self) -> &'static str {
        match self {
            CellMetadata::WriteTime => "writetime",
            CellMetadata::MaxWriteTime => "maxwritetime",
            CellMetadata::Ttl => "ttl",
        }
    }
}

/// One element of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordering {
    /// Column.
    pub column: String,
    /// `ANN OF term`
    pub ann_of: Option<Term>,
    /// `DESC`
    pub descending: bool,
}
