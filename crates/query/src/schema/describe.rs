//! DESCRIBE: which objects, in which order, under which columns. The texts come from [`cql::describe`].

use cql::ast;
use model::{CqlType, QueryError, Schema, Value};
use uuid::Uuid;

/// What DESCRIBE needs to know.
#[derive(Clone, Copy, Debug)]
pub struct DescribeContext<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The session's keyspace (USE).
    pub keyspace: Option<&'a str>,
    /// Name of the cluster.
    pub cluster_name: &'a str,
    /// For `DESCRIBE CLUSTER` with a keyspace: token as text, and its replicas as `address:storage port`.
    pub range_ownership: &'a [(String, Vec<String>)],
}

/// The answer to a DESCRIBE: all columns are of `system.describe`.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeResult {
    /// Column names and types.
    pub columns: Vec<(&'static str, CqlType)>,
    /// Rows in order.
    pub rows: Vec<Vec<Value>>,
}

/// Answers a DESCRIBE.
pub fn describe(statement: &ast::Describe, ctx: &DescribeContext<'_>) -> Result<DescribeResult, QueryError> {
    let _ = (statement, ctx);
    Err(QueryError::Server("DESCRIBE is not there yet".to_owned()))
}

/// Where the next page of a DESCRIBE begins: the partition-key field of its paging state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribePosition {
    /// The schema that the first page was made from.
    pub schema_version: Uuid,
    /// Rows that were sent.
    pub offset: u64,
}

impl DescribePosition {
    /// `<short 1><string release version><uuid schema_version><long offset>`
    pub fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads what [`DescribePosition::encode`] wrote; 000A if it is something else.
    pub fn decode(bytes: &[u8]) -> Result<DescribePosition, QueryError> {
        let _ = bytes;
        Err(QueryError::Protocol("Invalid value for the paging state".to_owned()))
    }
}

/// Cuts one page out of a DESCRIBE's rows; gives the position of the next one if there is more.
/// An error if the schema has changed since `from` was given out.
pub fn page(
    result: DescribeResult,
    schema_version: Uuid,
    from: Option<DescribePosition>,
    page_size: Option<usize>,
) -> Result<(DescribeResult, Option<DescribePosition>), QueryError> {
    let _ = (schema_version, from, page_size);
    Ok((result, None))
}
