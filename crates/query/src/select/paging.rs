//! Where a page ended: what a client carries to the next request.
//!
//! The content is that of Cassandra's state for v4 and v5 (partition key, row mark, what is left); whoever
//! sends it to a client seals it, because a client must not be able to make one up.

use bytes::Bytes;
use model::{Slices, Value};
use stdx::vint;

/// A place in a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagingPosition {
    /// Key of the last row's partition.
    pub partition_key: Bytes,
    /// Clustering values of the last row; `None` if it was the partition's static row alone.
    pub row: Option<Vec<Value>>,
    /// Rows that LIMIT still allows.
    pub remaining: u32,
    /// Rows that PER PARTITION LIMIT still allows in that partition.
    pub remaining_in_partition: u32,
}

const STATIC_ROW: u8 = 0;
const ROW: u8 = 1;
/// More clustering columns than any table has.
const MAX_VALUES: u64 = 8192;

impl PagingPosition {
    /// True if nothing of the partition can follow, given what is left of the slices.
    pub fn is_partition_done(&self, left: &Slices) -> bool {
        self.row.is_none() || left.0.is_empty()
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.partition_key.len());
        vint::write_unsigned_vint(&mut out, self.partition_key.len() as u64);
        out.extend_from_slice(&self.partition_key);
        match &self.row {
            None => out.push(STATIC_ROW),
            Some(values) => {
                out.push(ROW);
                vint::write_unsigned_vint(&mut out, values.len() as u64);
                for value in values {
                    match value {
                        None => vint::write_unsigned_vint(&mut out, 0),
                        Some(bytes) => {
                            vint::write_unsigned_vint(&mut out, bytes.len() as u64 + 1);
                            out.extend_from_slice(bytes);
                        }
                    }
                }
            }
        }
        vint::write_unsigned_vint(&mut out, u64::from(self.remaining));
        vint::write_unsigned_vint(&mut out, u64::from(self.remaining_in_partition));
        out
    }

    /// From bytes; `None` if they are no position.
    pub fn decode(bytes: &Bytes) -> Option<PagingPosition> {
        let mut rest = bytes.clone();
        let key_bytes = take_vint(&mut rest)?;
        let partition_key = take(&mut rest, key_bytes)?;
        let row = match take(&mut rest, 1)?[0] {
            STATIC_ROW => None,
            ROW => {
                let count = take_vint(&mut rest).filter(|count| *count <= MAX_VALUES)?;
                let mut values = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    values.push(match take_vint(&mut rest)? {
                        0 => None,
                        bytes => Some(take(&mut rest, bytes - 1)?),
                    });
                }
                Some(values)
            }
            _ => return None,
        };
        let remaining = u32::try_from(take_vint(&mut rest)?).ok()?;
        let remaining_in_partition = u32::try_from(take_vint(&mut rest)?).ok()?;
        rest.is_empty().then_some(PagingPosition { partition_key, row, remaining, remaining_in_partition })
    }
}

fn take_vint(rest: &mut Bytes) -> Option<u64> {
    let (value, bytes) = vint::read_unsigned_vint(rest).ok()?;
    let _ = rest.split_to(bytes);
    Some(value)
}

fn take(rest: &mut Bytes, bytes: u64) -> Option<Bytes> {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= rest.len())?;
    Some(rest.split_to(bytes))
}
