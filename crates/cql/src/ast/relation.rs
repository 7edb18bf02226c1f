//! WHERE clauses.

use std::fmt;

use super::name::{QualifiedName, comma_separated, quoted_if_needed};
use super::term::{Marker, Term};

/// What follows WHERE; empty if there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WhereClause {
    /// Joined by AND, in order of appearance.
    pub relations: Vec<Relation>,
    /// `expr(index, value)`
    pub expressions: Vec<CustomIndexExpression>,
}

/// `expr(index, value)`: a question only that index understands.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomIndexExpression {
    /// The index; `keyspace` is always `None`.
    pub index: QualifiedName,
    /// What it is asked.
    pub value: Term,
}

/// One condition on columns.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// `c = v`, `c LIKE v`, `c CONTAINS v`
    Column {
        /// Column.
        column: String,
        /// Any operator.
        operator: Operator,
        /// Value.
        value: Term,
    },
    /// `c[key] = v`
    Element {
        /// Column.
        column: String,
        /// Map key (or list index, which the binder refuses).
        key: Term,
        /// One of the comparisons.
        operator: Operator,
        /// Value.
        value: Term,
    },
    /// `c IN (…)`, `c IN ?`
    In {
        /// Column.
        column: String,
        /// Values.
        values: InValues,
    },
    /// `c IS NOT NULL`
    IsNotNull {
        /// Column.
        column: String,
    },
    /// `token(a, b) > v`
    Token {
        /// The columns in brackets.
        columns: Vec<String>,
        /// One of the comparisons.
        operator: Operator,
        /// Value.
        value: Term,
    },
    /// `(a, b) > (1, 2)`, `(a, b) > ?`
    Columns {
        /// The columns in brackets, also if it is just one.
        columns: Vec<String>,
        /// One of the comparisons.
        operator: Operator,
        /// `Term::Tuple` or `Term::Marker`.
        value: Term,
    },
    /// `(a, b) IN ((1, 2), …)`, `(a, b) IN (?, ?)`, `(a, b) IN ?`
    ColumnsIn {
        /// The columns in brackets, also if it is just one.
        columns: Vec<String>,
        /// Each `Term::Tuple` or `Term::Marker`.
        values: InValues,
    },
}

/// Right-hand side of IN.
#[derive(Clone, Debug, PartialEq)]
pub enum InValues {
    /// `(a, b)`, maybe empty
    List(Vec<Term>),
    /// `?`: one bound list
    Marker(Marker),
}

/// Operators with one value on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Eq,
    /// `<`
    Lt,
    /// `<=`
    Lte,
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `!=`
    Neq,
    /// `CONTAINS`
    Contains,
    /// `CONTAINS KEY`
    ContainsKey,
    /// `LIKE`
    Like,
}

impl Operator {
    /// As error texts write it.
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Eq => "=",
            Operator::Lt => "<",
            Operator::Lte => "<=",
            Operator::Gt => ">",
            Operator::Gte => ">=",
            Operator::Neq => "!=",
            Operator::Contains => "CONTAINS",
            Operator::ContainsKey => "CONTAINS KEY",
            Operator::Like => "LIKE",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

impl fmt::Display for InValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InValues::Marker(_) => f.write_str("?"),
            InValues::List(terms) => {
                let terms: Vec<String> = terms.iter().map(Term::to_string).collect();
                write!(f, "({})", terms.join(", "))
            }
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Relation::Column { column, operator, value } => {
                write!(f, "{} {operator} {value}", quoted_if_needed(column))
            }
            Relation::Element { column, key, operator, value } => {
                write!(f, "{}[{key}] {operator} {value}", quoted_if_needed(column))
            }
            Relation::In { column, values } => write!(f, "{} IN {values}", quoted_if_needed(column)),
            Relation::IsNotNull { column } => write!(f, "{} IS NOT NULL", quoted_if_needed(column)),
            Relation::Token { columns, operator, value } => {
                write!(f, "token({}) {operator} {value}", comma_separated(columns))
            }
            Relation::Columns { columns, operator, value } => {
                write!(f, "({}) {operator} {value}", comma_separated(columns))
            }
            Relation::ColumnsIn { columns, values } => {
                write!(f, "({}) IN {values}", comma_separated(columns))
            }
        }
    }
}
