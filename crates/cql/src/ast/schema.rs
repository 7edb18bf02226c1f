//! Statements that change the schema.

use super::name::{FunctionName, QualifiedName};
use super::relation::WhereClause;
use super::select::Selector;
use super::term::Term;
use super::types::TypeName;

/// `name = value` after WITH; the parser has refused a name given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Folded, not checked against the known ones.
    pub name: String,
    /// Value.
    pub value: PropertyValue,
}

/// Value of a property: text, whatever literal it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyValue {
    /// A constant's text without quotes, or a bare keyword.
    Text(String),
    /// `{'k': 'v'}`, keys unique, in order; `{}` is empty.
    Map(Vec<(String, String)>),
}

/// `CREATE KEYSPACE`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateKeyspace {
    /// Name.
    pub keyspace: String,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// `WITH`
    pub properties: Vec<Property>,
}

/// `ALTER KEYSPACE`
#[derive(Clone, Debug, PartialEq)]
pub struct AlterKeyspace {
    /// Name.
    pub keyspace: String,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// `WITH`
    pub properties: Vec<Property>,
}

/// `DROP KEYSPACE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropKeyspace {
    /// Name.
    pub keyspace: String,
    /// `IF EXISTS`
    pub if_exists: bool,
}

/// `CREATE TABLE`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Name.
    pub table: QualifiedName,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// In order of appearance; a name may come twice (the binder says so).
    pub columns: Vec<ColumnDefinition>,
    /// Every PRIMARY KEY given, in order of appearance: `PRIMARY KEY (…)` and columns marked with it. One is right.
    pub primary_keys: Vec<PrimaryKey>,
    /// `CLUSTERING ORDER BY`
    pub clustering_order: Vec<ClusteringOrder>,
    /// `COMPACT STORAGE`
    pub compact_storage: bool,
    /// `WITH`, `id` among them.
    pub properties: Vec<Property>,
}

/// `name type [STATIC] [MASKED WITH …]`
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: String,
    /// Type.
    pub column_type: TypeName,
    /// `STATIC`
    pub is_static: bool,
    /// `MASKED WITH`
    pub mask: Option<ColumnMask>,
}

/// `MASKED WITH [ks.]function(arguments)`; the first argument, the column itself, is not written.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnMask {
    /// `MASKED WITH DEFAULT` is `system.mask_default` without arguments.
    pub function: FunctionName,
    /// The rest of the arguments.
    pub arguments: Vec<Term>,
}

/// `((a, b), c, d)`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrimaryKey {
    /// `a, b`
    pub partition_key: Vec<String>,
    /// `c, d`
    pub clustering: Vec<String>,
}

/// One element of CLUSTERING ORDER BY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusteringOrder {
    /// Column.
    pub column: String,
    /// `DESC`
    pub descending: bool,
}

/// `ALTER TABLE`
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    /// Name.
    pub table: QualifiedName,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// What changes.
    pub change: TableChange,
}

/// What an ALTER TABLE does.
#[derive(Clone, Debug, PartialEq)]
pub enum TableChange {
    /// `ALTER c TYPE t`
    AlterType {
        /// Column.
        column: String,
        /// New type.
        column_type: TypeName,
    },
    /// `ALTER [IF EXISTS] c MASKED WITH …`, `ALTER [IF EXISTS] c DROP MASKED` (`mask` is `None`)
    Mask {
        /// Column.
        column: String,
        /// `IF EXISTS` of the column
        if_exists: bool,
        /// New mask.
        mask: Option<ColumnMask>,
    },
    /// `ADD [IF NOT EXISTS] c t`, `ADD (c t, d t)`
    Add {
        /// `IF NOT EXISTS` of the columns
        if_not_exists: bool,
        /// New columns.
        columns: Vec<ColumnDefinition>,
    },
    /// `DROP [IF EXISTS] c`, `DROP (c, d) [USING TIMESTAMP t]`
    Drop {
        /// `IF EXISTS` of the columns
        if_exists: bool,
        /// Columns.
        columns: Vec<String>,
        /// `USING TIMESTAMP`, microseconds
        timestamp_us: Option<i64>,
    },
    /// `RENAME [IF EXISTS] a TO b AND c TO d`
    Rename {
        /// `IF EXISTS` of the columns
        if_exists: bool,
        /// From, to.
        columns: Vec<(String, String)>,
    },
    /// `DROP COMPACT STORAGE`
    DropCompactStorage,
    /// `WITH …`
    Properties(Vec<Property>),
}

/// `CREATE TYPE`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateType {
    /// Name.
    pub name: QualifiedName,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Name, type; a name may come twice.
    pub fields: Vec<(String, TypeName)>,
}

/// `ALTER TYPE`
#[derive(Clone, Debug, PartialEq)]
pub struct AlterType {
    /// Name.
    pub name: QualifiedName,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// What changes.
    pub change: TypeChange,
}

/// What an ALTER TYPE does.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeChange {
    /// `ALTER f TYPE t`
    Alter {
        /// Field.
        field: String,
        /// New type.
        field_type: TypeName,
    },
    /// `ADD [IF NOT EXISTS] f t`
    Add {
        /// `IF NOT EXISTS` of the field
        if_not_exists: bool,
        /// Field.
        field: String,
        /// Type.
        field_type: TypeName,
    },
    /// `RENAME [IF EXISTS] a TO b AND …`
    Rename {
        /// `IF EXISTS` of the fields
        if_exists: bool,
        /// From, to.
        fields: Vec<(String, String)>,
    },
}

/// `CREATE [CUSTOM] INDEX`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// `CUSTOM`
    pub custom: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Name, if one was given.
    pub name: Option<String>,
    /// Table.
    pub table: QualifiedName,
    /// Usually one; may be empty for a custom index.
    pub targets: Vec<IndexTarget>,
    /// `USING 'class'`
    pub using: Option<String>,
    /// `WITH OPTIONS = {…}`
    pub properties: Vec<Property>,
}

/// What an index covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexTarget {
    /// Column.
    pub column: String,
    /// Which part of a collection.
    pub kind: IndexTargetKind,
}

/// Part of a column that an index covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexTargetKind {
    /// `c`
    Simple,
    /// `values(c)`
    Values,
    /// `keys(c)`
    Keys,
    /// `entries(c)`
    Entries,
    /// `full(c)`
    Full,
}

/// `CREATE MATERIALIZED VIEW`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    /// Name.
    pub view: QualifiedName,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// `FROM`
    pub base: QualifiedName,
    /// Empty for `*`.
    pub selectors: Vec<Selector>,
    /// `WHERE`
    pub where_clause: WhereClause,
    /// `PRIMARY KEY`
    pub primary_key: PrimaryKey,
    /// `CLUSTERING ORDER BY`
    pub clustering_order: Vec<ClusteringOrder>,
    /// `WITH`
    pub properties: Vec<Property>,
}

/// `ALTER MATERIALIZED VIEW … WITH`
#[derive(Clone, Debug, PartialEq)]
pub struct AlterView {
    /// Name.
    pub view: QualifiedName,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// `WITH`
    pub properties: Vec<Property>,
}

/// `DROP TABLE`, `DROP TYPE`, `DROP INDEX`, `DROP MATERIALIZED VIEW`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropObject {
    /// Name.
    pub name: QualifiedName,
    /// `IF EXISTS`
    pub if_exists: bool,
}

/// `CREATE [OR REPLACE] FUNCTION`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFunction {
    /// Name.
    pub name: FunctionName,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Name, type.
    pub arguments: Vec<(String, TypeName)>,
    /// `CALLED ON NULL INPUT` (otherwise `RETURNS NULL ON NULL INPUT`)
    pub called_on_null_input: bool,
    /// `RETURNS`
    pub return_type: TypeName,
    /// `LANGUAGE`, lower case
    pub language: String,
    /// `AS`
    pub body: String,
}

/// `CREATE [OR REPLACE] AGGREGATE`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateAggregate {
    /// Name.
    pub name: FunctionName,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Types.
    pub arguments: Vec<TypeName>,
    /// `SFUNC`
    pub state_function: String,
    /// `STYPE`
    pub state_type: TypeName,
    /// `FINALFUNC`
    pub final_function: Option<String>,
    /// `INITCOND`
    pub initial_condition: Option<Term>,
}

/// `DROP FUNCTION`, `DROP AGGREGATE`
#[derive(Clone, Debug, PartialEq)]
pub struct DropFunction {
    /// Name.
    pub name: FunctionName,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// `(types)` if given.
    pub arguments: Option<Vec<TypeName>>,
}

/// `CREATE TRIGGER n ON t USING 'class'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTrigger {
    /// Name.
    pub name: String,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Table.
    pub table: QualifiedName,
    /// `USING`
    pub class: String,
}

/// `DROP TRIGGER n ON t`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropTrigger {
    /// Name.
    pub name: String,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// Table.
    pub table: QualifiedName,
}
