//! INSERT, UPDATE, DELETE, BATCH.

use super::name::QualifiedName;
use super::relation::{InValues, Operator, WhereClause};
use super::term::{Marker, Term};

/// `USING TIMESTAMP t AND TTL t`; each an integer literal or a marker. The last one of a kind wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// `TIMESTAMP`
    pub timestamp: Option<Term>,
    /// `TTL`
    pub ttl: Option<Term>,
}

/// `INSERT INTO t …`
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// Table.
    pub table: QualifiedName,
    /// Values.
    pub source: InsertSource,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// `USING`
    pub attributes: Attributes,
}

/// Where the values of an INSERT come from.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// `(columns) VALUES (values)`; the counts may differ (the binder says so). A column named `""` is possible.
    Values {
        /// Columns.
        columns: Vec<String>,
        /// Values.
        values: Vec<Term>,
    },
    /// `JSON '…' [DEFAULT NULL|UNSET]`
    Json {
        /// The document.
        value: JsonValue,
        /// `DEFAULT UNSET`: columns that are absent are left alone instead of set to null.
        default_unset: bool,
    },
}

/// A JSON document as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonValue {
    /// `'{…}'`, without quotes
    Literal(String),
    /// `?`
    Marker(Marker),
}

/// `UPDATE t SET …`
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Table.
    pub table: QualifiedName,
    /// `USING`
    pub attributes: Attributes,
    /// `SET`, in order.
    pub assignments: Vec<Assignment>,
    /// `WHERE`
    pub where_clause: WhereClause,
    /// `IF`
    pub condition: Condition,
}

/// One element of SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Column.
    pub column: String,
    /// What happens to it.
    pub operation: Operation,
}

/// What an UPDATE does to one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `c = v`
    Set(Term),
    /// `c = c + v`, `c += v`, and `c = c -3` (lexed as column and integer: `Add(-3)`)
    Add(Term),
    /// `c = c - v`, `c -= v`
    Subtract(Term),
    /// `c = v + c`
    Prepend(Term),
    /// `c[key] = v`
    SetElement(Term, Term),
    /// `c.field = v`
    SetField(String, Term),
}

/// `DELETE … FROM t`
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Table.
    pub table: QualifiedName,
    /// What is deleted; empty for whole rows.
    pub targets: Vec<Deletion>,
    /// `USING TIMESTAMP`; the TTL is always `None`.
    pub attributes: Attributes,
    /// `WHERE`
    pub where_clause: WhereClause,
    /// `IF`
    pub condition: Condition,
}

/// One element of DELETE's column list.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// `c`
    Column(String),
    /// `c[key]`
    Element(String, Term),
    /// `c.field`
    Field(String, String),
}

/// What follows IF in UPDATE and DELETE.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Condition {
    /// No IF.
    #[default]
    None,
    /// `IF EXISTS`
    Exists,
    /// `IF a = 1 AND …`, never empty
    Columns(Vec<ColumnCondition>),
}

/// One condition on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnCondition {
    /// Column.
    pub column: String,
    /// The part of it that is compared.
    pub part: ColumnPart,
    /// The comparison.
    pub test: ConditionTest,
}

/// Which part of a column a condition looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnPart {
    /// All of it.
    Whole,
    /// `c[key]`
    Element(Term),
    /// `c.field`
    Field(String),
}

/// How a condition compares.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionTest {
    /// `= v`, `< v`, …, and `CONTAINS [KEY] v` for a whole column.
    Compare(Operator, Term),
    /// `IN (…)`, `IN ?`
    In(InValues),
}

/// `BEGIN BATCH … APPLY BATCH`
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How it is applied.
    pub kind: BatchKind,
    /// `USING`
    pub attributes: Attributes,
    /// Its statements, maybe none.
    pub statements: Vec<Modification>,
}

/// The kinds of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchKind {
    /// No word
    Logged,
    /// `UNLOGGED`
    Unlogged,
    /// `COUNTER`
    Counter,
}

/// A statement that may stand in a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Modification {
    /// `INSERT`
    Insert(Insert),
    /// `UPDATE`
    Update(Update),
    /// `DELETE`
    Delete(Delete),
}
