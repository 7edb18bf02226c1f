//! The serialization header: types, columns and bases that Data.db was written with.

use std::sync::Arc;

use model::schema::{answer_order, stored_order};
use model::{Column, CqlType, Table};
use stdx::vint;

use crate::cursor::{Cursor, Fault, put_vbytes};
use crate::error::ReadError;
use crate::metadata::{EPOCH_LOCAL_DELETION_S, EPOCH_TIMESTAMP_US, EncodingStats};

/// More columns of one kind than any table has.
const COLUMNS_MAX: usize = 65_536;

/// How Data.db is to be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SerializationHeader {
    pub(crate) bases: EncodingStats,
    /// Java class string; only recorded.
    pub(crate) key_type: String,
    pub(crate) clustering: Vec<ClusteringType>,
    /// In the order of the file.
    pub(crate) statics: Vec<HeaderColumn>,
    pub(crate) regulars: Vec<HeaderColumn>,
}

/// A clustering column's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClusteringType {
    pub(crate) name: String,
    pub(crate) ty: CqlType,
    pub(crate) reversed: bool,
}

/// A static or regular column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderColumn {
    pub(crate) name: Arc<str>,
    pub(crate) type_name: String,
    pub(crate) ty: CqlType,
}

impl HeaderColumn {
    pub(crate) fn of(column: &Column) -> HeaderColumn {
        HeaderColumn { name: column.name.clone(), type_name: column.ty.class_name(), ty: column.ty.clone() }
    }

    /// The order of columns in rows: simple ones, then multi-cell ones, each by name.
    pub(crate) fn sort_key(&self) -> (bool, bool, &[u8]) {
        stored_order(&self.name, self.ty.is_multi_cell())
    }

    /// The order of columns in a table.
    pub(crate) fn answer_order(&self) -> (u8, &[u8]) {
        answer_order(&self.name, self.ty.is_multi_cell())
    }
}

/// The length of every value of the type, if they are stored without it.
#[inline]
pub(crate) fn fixed_bytes(ty: &CqlType) -> Option<usize> {
    match ty {
        CqlType::Custom(name) if name.ends_with(".DateType") => Some(8),
        CqlType::Custom(name) if name.ends_with(".LexicalUUIDType") => Some(16),
        other => other.fixed_bytes(),
    }
}

impl SerializationHeader {
    /// Of a table with these of its columns.
    pub(crate) fn of(
        table: &Table,
        bases: EncodingStats,
        statics: Vec<HeaderColumn>,
        regulars: Vec<HeaderColumn>,
    ) -> SerializationHeader {
        let keys: Vec<String> = table.partition_key.iter().map(|column| column.ty.class_name()).collect();
        let key_type = match keys.as_slice() {
            [only] => only.clone(),
            several => format!("org.apache.cassandra.db.marshal.CompositeType({})", several.join(",")),
        };
        let clustering = table.clustering.iter().map(|column| {
            let name = column.ty.class_name();
            let name = if column.reversed {
                format!("org.apache.cassandra.db.marshal.ReversedType({name})")
            } else {
                name
            };
            ClusteringType { name, ty: column.ty.clone(), reversed: column.reversed }
        });
        SerializationHeader { bases, key_type, clustering: clustering.collect(), statics, regulars }
    }

    pub(crate) fn clustering_types(&self) -> Vec<(CqlType, bool)> {
        self.clustering.iter().map(|column| (column.ty.clone(), column.reversed)).collect()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let timestamp = self.bases.min_timestamp_us.wrapping_sub(EPOCH_TIMESTAMP_US);
        vint::write_unsigned_vint(&mut out, timestamp as u64);
        let deletion = self.bases.min_local_deletion_s.wrapping_sub(EPOCH_LOCAL_DELETION_S);
        vint::write_unsigned_vint32(&mut out, deletion as i32);
        vint::write_unsigned_vint32(&mut out, self.bases.min_ttl_s);
        put_vbytes(&mut out, self.key_type.as_bytes());
        vint::write_unsigned_vint(&mut out, self.clustering.len() as u64);
        for column in &self.clustering {
            put_vbytes(&mut out, column.name.as_bytes());
        }
        for columns in [&self.statics, &self.regulars] {
            vint::write_unsigned_vint(&mut out, columns.len() as u64);
            for column in columns {
                put_vbytes(&mut out, column.name.as_bytes());
                put_vbytes(&mut out, column.type_name.as_bytes());
            }
        }
        out
    }

    /// The outer error is one of bytes, the inner one of a type that we do not know.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Result<SerializationHeader, ReadError>, Fault> {
        let bases = EncodingStats {
            min_timestamp_us: (cursor.uvint()? as i64).wrapping_add(EPOCH_TIMESTAMP_US),
            min_local_deletion_s: (cursor.uvint32()? as u32).wrapping_add(EPOCH_LOCAL_DELETION_S),
            min_ttl_s: cursor.uvint32()?,
        };
        let key_type = text(cursor)?;
        let mut clustering = Vec::new();
        for _ in 0..count(cursor, 1)? {
            let name = text(cursor)?;
            match CqlType::parse_class_name(&name) {
                Ok((ty, reversed)) => clustering.push(ClusteringType { name, ty, reversed }),
                Err(_) => return Ok(Err(ReadError::Unsupported { version: format!("type {name}") })),
            }
        }
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            for _ in 0..count(cursor, 2)? {
                let column = text(cursor)?;
                let type_name = text(cursor)?;
                match CqlType::parse_class_name(&type_name) {
                    Ok((ty, _)) => list.push(HeaderColumn { name: column.into(), type_name, ty }),
                    Err(_) => {
                        return Ok(Err(ReadError::Unsupported { version: format!("type {type_name}") }));
                    }
                }
            }
        }
        let [statics, regulars] = lists;
        Ok(Ok(SerializationHeader { bases, key_type, clustering, statics, regulars }))
    }
}

/// The types of the partition key's columns, from the key's class string.
pub(crate) fn key_types(class: &str) -> Result<Vec<CqlType>, ReadError> {
    let unsupported = || ReadError::Unsupported { version: format!("key type {class}") };
    let parse = |name: &str| CqlType::parse_class_name(name).map(|(ty, _)| ty).map_err(|_| unsupported());
    let composite = class.strip_prefix("org.apache.cassandra.db.marshal.CompositeType(");
    let Some(inner) = composite.and_then(|rest| rest.strip_suffix(')')) else {
        return Ok(vec![parse(class)?]);
    };
    let (mut types, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).ok_or_else(unsupported)?,
            b',' if depth == 0 => {
                types.push(parse(&inner[start..at])?);
                start = at + 1;
            }
            _ => {}
        }
    }
    types.push(parse(&inner[start..])?);
    Ok(types)
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    String::from_utf8(cursor.vbytes()?.to_vec()).map_err(|_| Fault::Bad("a name is not readable text"))
}

fn count(cursor: &mut Cursor<'_>, element_bytes: usize) -> Result<usize, Fault> {
    let count = cursor.length()?;
    if count > COLUMNS_MAX || count > cursor.remaining() / element_bytes {
        return Err(Fault::Bad("there are more columns than bytes for them"));
    }
    Ok(count)
}
