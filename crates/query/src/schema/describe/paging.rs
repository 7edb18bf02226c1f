//! Pages of a DESCRIBE: it is made anew for each page and cut at an offset, as long as the schema is the same.

use model::QueryError;
use uuid::Uuid;

use super::DescribeResult;
use crate::system::RELEASE_VERSION;

const FORMAT: u16 = 1;

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
        let release = RELEASE_VERSION.as_bytes();
        let mut bytes = FORMAT.to_be_bytes().to_vec();
        bytes.extend((release.len() as u16).to_be_bytes()); // a few characters
        bytes.extend(release);
        bytes.extend(self.schema_version.as_bytes());
        bytes.extend(self.offset.to_be_bytes());
        bytes
    }

    /// Reads what [`DescribePosition::encode`] wrote; 000A if it is something else.
    pub fn decode(bytes: &[u8]) -> Result<DescribePosition, QueryError> {
        let nil = DescribePosition { schema_version: Uuid::nil(), offset: 0 };
        let head_bytes = nil.encode().len() - 24;
        let invalid = || QueryError::Protocol("Invalid value for the paging state".to_owned());
        let tail = bytes.strip_prefix(&nil.encode()[..head_bytes]).ok_or_else(invalid)?;
        let (version, offset) = tail.split_first_chunk::<16>().ok_or_else(invalid)?;
        let offset = offset.try_into().map_err(|_| invalid())?;
        Ok(DescribePosition {
            schema_version: Uuid::from_bytes(*version),
            offset: u64::from_be_bytes(offset),
        })
    }
}

/// Cuts one page out of a DESCRIBE's rows; gives the position of the next one if there is more.
/// An error if the schema has changed since `from` was given out.
pub fn page(
    mut result: DescribeResult,
    schema_version: Uuid,
    from: Option<DescribePosition>,
    page_size: Option<usize>,
) -> Result<(DescribeResult, Option<DescribePosition>), QueryError> {
    if from.is_some_and(|from| from.schema_version != schema_version) {
        return Err(QueryError::invalid(
            "The schema has changed since the previous page of the DESCRIBE statement result. Please retry the \
             DESCRIBE statement.",
        ));
    }
    let count = result.rows.len();
    let start = from.map_or(0, |from| usize::try_from(from.offset).unwrap_or(usize::MAX)).min(count);
    let end = page_size.map_or(count, |page_size| start.saturating_add(page_size)).min(count);
    result.rows.truncate(end);
    result.rows.drain(..start);
    let next = (end < count).then_some(DescribePosition { schema_version, offset: end as u64 });
    Ok((result, next))
}
