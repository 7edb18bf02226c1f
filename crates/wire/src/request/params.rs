//! The options that QUERY, EXECUTE and BATCH share: consistency, values, paging, timestamps.
//!
//! Source: native protocol v5, "QUERY"; decoding as in `QueryOptions.java`.

use bytes::Bytes;
pub use model::BoundValue;
use model::QueryError;

use crate::codec::{self, Reader, Text};
use crate::version::Version;

const FLAG_VALUES: u32 = 0x01;
const FLAG_SKIP_METADATA: u32 = 0x02;
const FLAG_PAGE_SIZE: u32 = 0x04;
const FLAG_PAGING_STATE: u32 = 0x08;
const FLAG_SERIAL_CONSISTENCY: u32 = 0x10;
const FLAG_TIMESTAMP: u32 = 0x20;
const FLAG_NAMES: u32 = 0x40;
const FLAG_KEYSPACE: u32 = 0x80;
const FLAG_NOW_IN_SECONDS: u32 = 0x100;

/// The highest number of a consistency level (NODE_LOCAL).
const CONSISTENCY_MAX: u16 = 0x0b;

/// Values of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// In the order of the markers.
    Positional(Vec<BoundValue>),
    /// By marker name, in the order sent.
    Named(Vec<(Text, BoundValue)>),
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Positional(values) => values.len(),
            Values::Named(values) => values.len(),
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Options of QUERY, EXECUTE and BATCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParams {
    /// Consistency level by its number, 0 to 11; see [`model::error::consistency_name`].
    pub consistency: u16,
    /// Values for the markers.
    pub values: Values,
    /// The client holds the result metadata already.
    pub skip_metadata: bool,
    /// Rows in a page; 0 and less are the executor's to judge.
    pub page_size: Option<i32>,
    /// Where to go on. Empty unless there is a page size too.
    pub paging_state: Option<Bytes>,
    /// Serial consistency level by its number.
    pub serial_consistency: Option<u16>,
    /// Default timestamp, microseconds.
    pub timestamp_us: Option<i64>,
    /// Keyspace of unqualified names.
    pub keyspace: Option<Text>,
    /// Now, in seconds, for expiry (v5).
    pub now_in_seconds: Option<i32>,
}

impl Default for QueryParams {
    /// Consistency ONE, nothing else.
    fn default() -> QueryParams {
        QueryParams {
            consistency: 1,
            values: Values::Positional(Vec::new()),
            skip_metadata: false,
            page_size: None,
            paging_state: None,
            serial_consistency: None,
            timestamp_us: None,
            keyspace: None,
            now_in_seconds: None,
        }
    }
}

impl QueryParams {
    /// Reads them from a body.
    pub(super) fn decode(reader: &mut Reader, version: Version) -> Result<QueryParams, QueryError> {
        let consistency = decode_consistency(reader)?;
        let flags = if version >= Version::V5 { reader.int()? as u32 } else { u32::from(reader.byte()?) };
        let has = |flag: u32| flags & flag != 0;
        let mut params =
            QueryParams { consistency, skip_metadata: has(FLAG_SKIP_METADATA), ..Default::default() };
        if has(FLAG_VALUES) {
            params.values = if has(FLAG_NAMES) {
                Values::Named(decode_named(reader, version)?)
            } else {
                Values::Positional(decode_positional(reader, version)?)
            };
        }
        if has(FLAG_PAGE_SIZE) {
            params.page_size = Some(reader.int()?);
        }
        if has(FLAG_PAGING_STATE) {
            params.paging_state = reader.bytes()?.filter(|_| params.page_size.is_some());
        }
        if has(FLAG_SERIAL_CONSISTENCY) {
            params.serial_consistency = Some(decode_consistency(reader)?);
        }
        if has(FLAG_TIMESTAMP) {
            let timestamp_us = reader.long()?;
            if timestamp_us == i64::MIN {
                return Err(QueryError::Protocol(format!(
                    "Out of bound timestamp, must be in [{}, {}] (got {timestamp_us})",
                    i64::MIN + 1,
                    i64::MAX
                )));
            }
            params.timestamp_us = Some(timestamp_us);
        }
        if has(FLAG_KEYSPACE) {
            params.keyspace = Some(reader.string()?);
        }
        if has(FLAG_NOW_IN_SECONDS) && version >= Version::V5 {
            params.now_in_seconds = Some(reader.int()?);
        }
        Ok(params)
    }

    /// Appends them to a body.
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        codec::put_short(out, self.consistency);
        let flags = self.flags(version);
        if version >= Version::V5 {
            codec::put_int(out, flags as i32);
        } else {
            codec::put_byte(out, flags as u8);
        }
        if flags & FLAG_VALUES != 0 {
            match &self.values {
                Values::Positional(values) => encode_positional(values, out),
                Values::Named(values) => {
                    codec::put_count(out, values.len());
                    for (name, value) in values {
                        codec::put_string(out, name);
                        encode_value(value, out);
                    }
                }
            }
        }
        if let Some(page_size) = self.page_size {
            codec::put_int(out, page_size);
        }
        if let Some(state) = &self.paging_state {
            codec::put_bytes(out, Some(state));
        }
        if let Some(consistency) = self.serial_consistency {
            codec::put_short(out, consistency);
        }
        if let Some(timestamp_us) = self.timestamp_us {
            codec::put_long(out, timestamp_us);
        }
        if let Some(keyspace) = &self.keyspace {
            codec::put_string(out, keyspace);
        }
        if let Some(now) = self.now_in_seconds.filter(|_| version >= Version::V5) {
            codec::put_int(out, now);
        }
    }

    fn flags(&self, version: Version) -> u32 {
        let when = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        when(!self.values.is_empty(), FLAG_VALUES)
            | when(!self.values.is_empty() && matches!(self.values, Values::Named(_)), FLAG_NAMES)
            | when(self.skip_metadata, FLAG_SKIP_METADATA)
            | when(self.page_size.is_some(), FLAG_PAGE_SIZE)
            | when(self.paging_state.is_some(), FLAG_PAGING_STATE)
            | when(self.serial_consistency.is_some(), FLAG_SERIAL_CONSISTENCY)
            | when(self.timestamp_us.is_some(), FLAG_TIMESTAMP)
            | when(self.keyspace.is_some(), FLAG_KEYSPACE)
            | when(self.now_in_seconds.is_some() && version >= Version::V5, FLAG_NOW_IN_SECONDS)
    }
}

fn decode_consistency(reader: &mut Reader) -> Result<u16, QueryError> {
    match reader.short()? {
        level if level <= CONSISTENCY_MAX => Ok(level),
        level => Err(QueryError::Protocol(format!("Unknown code {level} for a consistency level"))),
    }
}

/// Reads a count and as many values.
pub(super) fn decode_positional(
    reader: &mut Reader,
    version: Version,
) -> Result<Vec<BoundValue>, QueryError> {
    let count = usize::from(reader.short()?);
    // A value takes 4 bytes at least.
    let mut values = Vec::with_capacity(count.min(reader.remaining() / 4));
    for _ in 0..count {
        values.push(decode_value(reader, version)?);
    }
    Ok(values)
}

fn decode_named(reader: &mut Reader, version: Version) -> Result<Vec<(Text, BoundValue)>, QueryError> {
    let count = usize::from(reader.short()?);
    let mut values = Vec::with_capacity(count.min(reader.remaining() / 6));
    for _ in 0..count {
        values.push((reader.string()?, decode_value(reader, version)?));
    }
    Ok(values)
}

#[inline]
fn decode_value(reader: &mut Reader, version: Version) -> Result<BoundValue, QueryError> {
    match reader.int()? {
        length if length >= 0 => reader.sized(length).map(BoundValue::Value),
        -1 => Ok(BoundValue::Null),
        _ if version < Version::V4 => Ok(BoundValue::Null),
        -2 => Ok(BoundValue::Unset),
        length => Err(QueryError::Protocol(format!("Invalid ByteBuf length {length}"))),
    }
}

/// Appends a count and as many values.
pub(super) fn encode_positional(values: &[BoundValue], out: &mut Vec<u8>) {
    codec::put_count(out, values.len());
    for value in values {
        encode_value(value, out);
    }
}

fn encode_value(value: &BoundValue, out: &mut Vec<u8>) {
    match value {
        BoundValue::Null => codec::put_int(out, -1),
        BoundValue::Unset => codec::put_int(out, -2),
        BoundValue::Value(bytes) => codec::put_bytes(out, Some(bytes)),
    }
}
