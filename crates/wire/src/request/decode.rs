//! From an envelope to a request.

use bytes::Bytes;
use model::QueryError;

use super::params::{QueryParams, decode_positional};
use super::{BatchKind, Request, RequestBody, StatementRef};
use crate::codec::Reader;
use crate::frame::Envelope;
use crate::response::EventKind;
use crate::version::{FLAG_CUSTOM_PAYLOAD, FLAG_TRACING, Opcode, Version};

/// PREPARE flag (v5): a keyspace follows.
const PREPARE_FLAG_KEYSPACE: i32 = 0x01;

impl Request {
    /// Reads a request. The error is the answer to the client; the connection can go on.
    ///
    /// Bytes left over at the end are ignored, as Cassandra ignores them.
    pub fn decode(envelope: Envelope) -> Result<Request, QueryError> {
        let Envelope { version, flags, stream, opcode, body } = envelope;
        let mut reader = Reader::new(body);
        let mut payload = Vec::new();
        if flags & FLAG_CUSTOM_PAYLOAD != 0 && opcode != Opcode::Options {
            if version < Version::V4 {
                return Err(QueryError::Protocol(
                    "Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4".to_string(),
                ));
            }
            payload = reader.bytes_map()?;
        }
        let body = RequestBody::decode(opcode, version, &mut reader)?;
        Ok(Request { version, stream, tracing: flags & FLAG_TRACING != 0, payload, body })
    }
}

impl RequestBody {
    fn decode(opcode: Opcode, version: Version, reader: &mut Reader) -> Result<RequestBody, QueryError> {
        Ok(match opcode {
            Opcode::Query => RequestBody::Query {
                text: reader.long_string()?,
                params: QueryParams::decode(reader, version)?,
            },
            Opcode::Execute => RequestBody::Execute {
                id: reader.short_bytes()?,
                result_metadata_id: decode_metadata_id(reader, version)?,
                params: QueryParams::decode(reader, version)?,
            },
            Opcode::Batch => decode_batch(reader, version)?,
            Opcode::Prepare => {
                let text = reader.long_string()?;
                let flags = if version >= Version::V5 { reader.int()? } else { 0 };
                let has_keyspace = flags & PREPARE_FLAG_KEYSPACE != 0;
                RequestBody::Prepare { text, keyspace: has_keyspace.then(|| reader.string()).transpose()? }
            }
            Opcode::Options => RequestBody::Options,
            Opcode::Startup => RequestBody::Startup(reader.string_map()?),
            Opcode::AuthResponse => RequestBody::AuthResponse(reader.bytes()?),
            Opcode::Register => RequestBody::Register(decode_events(reader)?),
            other => {
                let text = format!("Unexpected message {} in {version}", other.name());
                return Err(QueryError::Protocol(text));
            }
        })
    }
}

fn decode_metadata_id(reader: &mut Reader, version: Version) -> Result<Option<Bytes>, QueryError> {
    if version >= Version::V5 { reader.short_bytes().map(Some) } else { Ok(None) }
}

fn decode_batch(reader: &mut Reader, version: Version) -> Result<RequestBody, QueryError> {
    let kind = reader.byte()?;
    let count = usize::from(reader.short()?);
    // A statement takes 5 bytes at least: kind, an empty id, no values.
    let mut statements = Vec::with_capacity(count.min(reader.remaining() / 5));
    for _ in 0..count {
        let statement = match reader.byte()? {
            0 => StatementRef::Text(reader.long_string()?),
            1 => StatementRef::Id(reader.short_bytes()?),
            kind => {
                return Err(QueryError::Protocol(format!(
                    "Invalid query kind in BATCH messages. Must be 0 or 1 but got {kind}"
                )));
            }
        };
        statements.push((statement, decode_positional(reader, version)?));
    }
    let params = QueryParams::decode(reader, version)?;
    let kind = match kind {
        0 => BatchKind::Logged,
        1 => BatchKind::Unlogged,
        2 => BatchKind::Counter,
        // A Java byte: negative from 128 on.
        kind => return Err(QueryError::Protocol(format!("Invalid BATCH message type {}", kind as i8))),
    };
    Ok(RequestBody::Batch { kind, statements, params })
}

fn decode_events(reader: &mut Reader) -> Result<Vec<EventKind>, QueryError> {
    let count = reader.short()?;
    let mut events = Vec::new();
    for _ in 0..count {
        let name = reader.string()?;
        let event = EventKind::from_name(&name)
            .ok_or_else(|| QueryError::Protocol(format!("Invalid value '{name}' for Type")))?;
        // A set: registering twice means nothing more.
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(events)
}
