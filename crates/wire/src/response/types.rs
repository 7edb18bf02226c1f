//! Types as metadata has them: an option id, then what belongs to it.
//!
//! Frozen-ness is not told. A type that a version lacks goes as custom type with its Java class.
//!
//! Source: native protocol v5, "Type encoding"; `DataType.java`.

use std::sync::Arc;

use model::types::UserType;
use model::{CqlType, QueryError};

use crate::codec::{self, Reader};
use crate::version::Version;

const CUSTOM: u16 = 0x00;
const LIST: u16 = 0x20;
const MAP: u16 = 0x21;
const SET: u16 = 0x22;
const UDT: u16 = 0x30;
const TUPLE: u16 = 0x31;

/// Types in types: deeper than any schema, shallow enough for every stack.
const DEPTH_MAX: usize = 64;

/// The one list of simple types: CQL type, option id, the first version that has it.
const SIMPLE: [(CqlType, u16, Version); 20] = [
    (CqlType::Ascii, 0x01, Version::V3),
    (CqlType::Bigint, 0x02, Version::V3),
    (CqlType::Blob, 0x03, Version::V3),
    (CqlType::Boolean, 0x04, Version::V3),
    (CqlType::Counter, 0x05, Version::V3),
    (CqlType::Decimal, 0x06, Version::V3),
    (CqlType::Double, 0x07, Version::V3),
    (CqlType::Float, 0x08, Version::V3),
    (CqlType::Int, 0x09, Version::V3),
    (CqlType::Timestamp, 0x0b, Version::V3),
    (CqlType::Uuid, 0x0c, Version::V3),
    (CqlType::Text, 0x0d, Version::V3),
    (CqlType::Varint, 0x0e, Version::V3),
    (CqlType::Timeuuid, 0x0f, Version::V3),
    (CqlType::Inet, 0x10, Version::V3),
    (CqlType::Date, 0x11, Version::V4),
    (CqlType::Time, 0x12, Version::V4),
    (CqlType::Smallint, 0x13, Version::V4),
    (CqlType::Tinyint, 0x14, Version::V4),
    (CqlType::Duration, 0x15, Version::V5),
];

/// Appends a type.
pub(super) fn encode(ty: &CqlType, version: Version, out: &mut Vec<u8>) {
    match ty {
        CqlType::List { element, .. } => {
            codec::put_short(out, LIST);
            encode(element, version, out);
        }
        CqlType::Set { element, .. } => {
            codec::put_short(out, SET);
            encode(element, version, out);
        }
        CqlType::Map { key, value, .. } => {
            codec::put_short(out, MAP);
            encode(key, version, out);
            encode(value, version, out);
        }
        CqlType::Tuple(fields) => {
            codec::put_short(out, TUPLE);
            codec::put_count(out, fields.len());
            for field in fields.iter() {
                encode(field, version, out);
            }
        }
        CqlType::Udt { definition, .. } => {
            codec::put_short(out, UDT);
            codec::put_string(out, &definition.keyspace);
            codec::put_string(out, &definition.name);
            codec::put_count(out, definition.fields.len());
            for (name, field) in &definition.fields {
                codec::put_string(out, name);
                encode(field, version, out);
            }
        }
        CqlType::Custom(class) => encode_custom(class, out),
        simple => match SIMPLE.iter().find(|(ty, ..)| ty == simple) {
            Some((_, id, since)) if version >= *since => codec::put_short(out, *id),
            _ => encode_custom(&simple.class_name(), out),
        },
    }
}

fn encode_custom(class: &str, out: &mut Vec<u8>) {
    codec::put_short(out, CUSTOM);
    codec::put_string(out, class);
}

/// Reads a type. Collections and user types come out as not frozen: metadata does not tell.
pub(super) fn decode(reader: &mut Reader) -> Result<CqlType, QueryError> {
    decode_nested(reader, 0)
}

fn decode_nested(reader: &mut Reader, depth: usize) -> Result<CqlType, QueryError> {
    if depth > DEPTH_MAX {
        return Err(QueryError::Protocol(format!("a type is nested deeper than {DEPTH_MAX}")));
    }
    let inner = |reader: &mut Reader| decode_nested(reader, depth + 1);
    Ok(match reader.short()? {
        CUSTOM => {
            let class = reader.string()?;
            match CqlType::parse_class_name(&class) {
                Ok((ty, _)) => ty,
                Err(_) => CqlType::Custom(Arc::from(class.as_str())),
            }
        }
        LIST => CqlType::list(inner(reader)?, false),
        SET => CqlType::set(inner(reader)?, false),
        MAP => CqlType::map(inner(reader)?, inner(reader)?, false),
        TUPLE => {
            let count = reader.short()?;
            CqlType::Tuple((0..count).map(|_| inner(reader)).collect::<Result<_, _>>()?)
        }
        UDT => {
            let keyspace = Arc::from(reader.string()?.as_str());
            let name = Arc::from(reader.string()?.as_str());
            let count = reader.short()?;
            let fields = (0..count)
                .map(|_| Ok((Arc::from(reader.string()?.as_str()), inner(reader)?)))
                .collect::<Result<_, QueryError>>()?;
            CqlType::Udt { definition: Arc::new(UserType { keyspace, name, fields }), frozen: false }
        }
        id => match SIMPLE.iter().find(|(_, simple, _)| *simple == id) {
            Some((ty, ..)) => ty.clone(),
            None => return Err(QueryError::Protocol(format!("Unknown type id {id}"))),
        },
    })
}
