//! From an envelope to a response: the client's side.

use std::sync::Arc;

use bytes::Bytes;
use model::QueryError;

use super::metadata::{
    ColumnSpec, FLAG_GLOBAL_TABLE, FLAG_HAS_MORE_PAGES, FLAG_METADATA_CHANGED, FLAG_NO_METADATA,
    PreparedMetadata, ResultMetadata,
};
use super::{
    ErrorBody, Event, KIND_PREPARED, KIND_ROWS, KIND_SCHEMA_CHANGE, KIND_SET_KEYSPACE, KIND_VOID, Prepared,
    Response, Rows, SchemaChange, SentMetadata, types,
};
use crate::codec::Reader;
use crate::frame::Envelope;
use crate::version::{FLAG_CUSTOM_PAYLOAD, FLAG_TRACING, FLAG_WARNING, Opcode, Version};

/// A response with what its header says.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The request's stream, -1 for an event.
    pub stream: i16,
    /// Id of the trace, if one was asked for.
    pub tracing_id: Option<[u8; 16]>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// The response.
    pub response: Response,
    /// Id of the result's metadata: of a prepared statement's result, or of rows whose metadata changed (v5).
    pub result_metadata_id: Option<Bytes>,
}

impl Decoded {
    /// Reads a response.
    ///
    /// Rows without metadata come out with as many nameless blob columns.
    pub fn decode(envelope: Envelope) -> Result<Decoded, QueryError> {
        let Envelope { version, flags, stream, opcode, body } = envelope;
        let mut reader = Reader::new(body);
        let tracing_id = if flags & FLAG_TRACING != 0 { Some(reader.uuid()?) } else { None };
        let mut warnings = Vec::new();
        if flags & FLAG_WARNING != 0 {
            warnings = reader.string_list()?.iter().map(|text| text.to_string()).collect();
        }
        if flags & FLAG_CUSTOM_PAYLOAD != 0 {
            reader.bytes_map()?;
        }
        let mut result_metadata_id = None;
        let response = match opcode {
            Opcode::Error => Response::Error(ErrorBody::decode(&mut reader, version)?),
            Opcode::Ready => Response::Ready,
            Opcode::Authenticate => Response::Authenticate(reader.string()?.to_string()),
            Opcode::Supported => Response::Supported(decode_options(&mut reader)?),
            Opcode::AuthChallenge => Response::AuthChallenge(reader.bytes()?),
            Opcode::AuthSuccess => Response::AuthSuccess(reader.bytes()?),
            Opcode::Event => Response::Event(Event::decode(&mut reader)?),
            Opcode::Result => decode_result(&mut reader, version, &mut result_metadata_id)?,
            other => return Err(QueryError::Protocol(format!("{} is no response", other.name()))),
        };
        Ok(Decoded { stream, tracing_id, warnings, response, result_metadata_id })
    }
}

fn decode_options(reader: &mut Reader) -> Result<Vec<(String, Vec<String>)>, QueryError> {
    let options = reader.string_multimap()?;
    let strings = |values: &[crate::codec::Text]| values.iter().map(|value| value.to_string()).collect();
    Ok(options.iter().map(|(key, values)| (key.to_string(), strings(values))).collect())
}

fn decode_result(
    reader: &mut Reader,
    version: Version,
    metadata_id: &mut Option<Bytes>,
) -> Result<Response, QueryError> {
    Ok(match reader.int()? {
        KIND_VOID => Response::Void,
        KIND_ROWS => Response::Rows(decode_rows(reader, metadata_id)?),
        KIND_SET_KEYSPACE => Response::SetKeyspace(reader.string()?.to_string()),
        KIND_PREPARED => {
            let id = reader.short_bytes()?;
            if version >= Version::V5 {
                *metadata_id = Some(reader.short_bytes()?);
            }
            let bind = decode_bind(reader, version)?;
            let header = ResultHeader::decode(reader, metadata_id)?;
            let result = (header.sent != SentMetadata::Skipped).then_some(header.metadata);
            Response::Prepared(Box::new(Prepared { id, bind, result }))
        }
        KIND_SCHEMA_CHANGE => Response::SchemaChange(SchemaChange::decode(reader)?),
        kind => return Err(QueryError::Protocol(format!("Unknown kind of result {kind}"))),
    })
}

struct ResultHeader {
    metadata: Arc<ResultMetadata>,
    sent: SentMetadata,
    paging_state: Option<Bytes>,
}

impl ResultHeader {
    fn decode(reader: &mut Reader, metadata_id: &mut Option<Bytes>) -> Result<ResultHeader, QueryError> {
        let flags = reader.int()?;
        let count = column_count(reader)?;
        let mut paging_state = None;
        if flags & FLAG_HAS_MORE_PAGES != 0 {
            paging_state = reader.bytes()?;
        }
        let mut sent = SentMetadata::Full;
        if flags & FLAG_METADATA_CHANGED != 0 {
            *metadata_id = Some(reader.short_bytes()?);
            sent = SentMetadata::Changed;
        }
        let columns = if flags & FLAG_NO_METADATA != 0 {
            sent = SentMetadata::Skipped;
            nameless(count)
        } else {
            decode_columns(reader, count, flags & FLAG_GLOBAL_TABLE != 0)?
        };
        Ok(ResultHeader { metadata: Arc::new(ResultMetadata::new(columns)), sent, paging_state })
    }
}

fn nameless(count: usize) -> Vec<ColumnSpec> {
    let empty: Arc<str> = Arc::from("");
    let column =
        ColumnSpec { keyspace: empty.clone(), table: empty.clone(), name: empty, ty: model::CqlType::Blob };
    vec![column; count]
}

fn column_count(reader: &mut Reader) -> Result<usize, QueryError> {
    let count = reader.int()?;
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= usize::from(u16::MAX))
        .ok_or_else(|| QueryError::Protocol(format!("Invalid number of columns: {count}")))
}

fn decode_columns(reader: &mut Reader, count: usize, is_global: bool) -> Result<Vec<ColumnSpec>, QueryError> {
    let string =
        |reader: &mut Reader| -> Result<Arc<str>, QueryError> { Ok(Arc::from(reader.string()?.as_str())) };
    let mut table = (Arc::from(""), Arc::from(""));
    if is_global && count > 0 {
        table = (string(reader)?, string(reader)?);
    }
    // A column takes 4 bytes at least.
    let mut columns = Vec::with_capacity(count.min(reader.remaining() / 4));
    for _ in 0..count {
        if !is_global {
            table = (string(reader)?, string(reader)?);
        }
        let (keyspace, table) = table.clone();
        columns.push(ColumnSpec { keyspace, table, name: string(reader)?, ty: types::decode(reader)? });
    }
    Ok(columns)
}

fn decode_bind(reader: &mut Reader, version: Version) -> Result<PreparedMetadata, QueryError> {
    let flags = reader.int()?;
    let count = column_count(reader)?;
    let mut partition_key_indices = Vec::new();
    if version >= Version::V4 {
        for _ in 0..column_count(reader)? {
            partition_key_indices.push(reader.short()?);
        }
    }
    let columns = decode_columns(reader, count, flags & FLAG_GLOBAL_TABLE != 0)?;
    Ok(PreparedMetadata { columns, partition_key_indices })
}

fn decode_rows(reader: &mut Reader, metadata_id: &mut Option<Bytes>) -> Result<Rows, QueryError> {
    let header = ResultHeader::decode(reader, metadata_id)?;
    let columns = header.metadata.columns().len();
    let count = reader.int()?;
    // A row takes 4 bytes a column; a row without columns does not exist.
    let rows_max = reader.remaining().checked_div(4 * columns).unwrap_or(0);
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= rows_max)
        .ok_or_else(|| QueryError::Protocol(format!("Invalid number of rows: {count}")))?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        rows.push((0..columns).map(|_| reader.bytes()).collect::<Result<Vec<_>, _>>()?);
    }
    let ResultHeader { metadata, sent, paging_state } = header;
    Ok(Rows { metadata, sent, paging_state, rows })
}
