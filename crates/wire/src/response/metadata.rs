//! Metadata: which columns a result has, which markers a statement has.
//!
//! The column specifications of a plan are encoded once for each version and then copied: a plan answers
//! many times.
//!
//! Source: native protocol v5, "Rows" and "Prepared"; the id as in `ResultSet.ResultMetadata`.

use std::sync::{Arc, OnceLock};

use md5::{Digest, Md5};
use model::CqlType;

use super::types;
use crate::codec;
use crate::version::Version;

pub(super) const FLAG_GLOBAL_TABLE: i32 = 0x01;
pub(super) const FLAG_HAS_MORE_PAGES: i32 = 0x02;
pub(super) const FLAG_NO_METADATA: i32 = 0x04;
pub(super) const FLAG_METADATA_CHANGED: i32 = 0x08;

/// Id of the metadata of a statement without a result: MD5 of nothing.
pub const NO_RESULT_ID: [u8; 16] =
    [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e];

/// A column of a result, or a bind marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Keyspace of its table.
    pub keyspace: Arc<str>,
    /// Its table.
    pub table: Arc<str>,
    /// Its name, without quotes.
    pub name: Arc<str>,
    /// Its type.
    pub ty: CqlType,
}

/// What the columns of a result are.
#[derive(Debug, Clone, Default)]
pub struct ResultMetadata {
    columns: Vec<ColumnSpec>,
    id: OnceLock<[u8; 16]>,
    /// Specifications as v3, v4 and v5 have them.
    encoded: [OnceLock<Box<[u8]>>; 3],
}

impl PartialEq for ResultMetadata {
    fn eq(&self, other: &ResultMetadata) -> bool {
        self.columns == other.columns
    }
}

impl ResultMetadata {
    /// Metadata of these columns; they count as columns of the first one's table, as all results' do.
    pub fn new(columns: Vec<ColumnSpec>) -> ResultMetadata {
        ResultMetadata { columns, ..ResultMetadata::default() }
    }

    /// The columns.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// Id of this metadata (v5): a client that holds it needs no metadata with a result.
    pub fn id(&self) -> [u8; 16] {
        *self.id.get_or_init(|| {
            let mut digest = Md5::new();
            for column in &self.columns {
                digest.update(column.name.as_bytes());
                digest.update([0]);
                digest.update(column.ty.class_name().as_bytes());
                digest.update([0, 0]);
            }
            digest.finalize().into()
        })
    }

    pub(super) fn global_flag(&self) -> i32 {
        if self.columns.is_empty() { 0 } else { FLAG_GLOBAL_TABLE }
    }

    /// Keyspace, table and the columns' specifications; nothing without columns.
    pub(super) fn specifications(&self, version: Version) -> &[u8] {
        let slot = usize::from(version.number().min(5) - 3);
        self.encoded[slot].get_or_init(|| {
            let mut out = Vec::new();
            encode_specifications(&self.columns, true, version, &mut out);
            out.into()
        })
    }

    /// As it stands behind PREPARED.
    pub(super) fn encode_described(&self, version: Version, out: &mut Vec<u8>) {
        codec::put_int(out, self.global_flag());
        codec::put_int(out, codec::int_of(self.columns.len()));
        out.extend_from_slice(self.specifications(version));
    }
}

/// Result metadata of a statement whose result is not known beforehand, or that has none.
pub(super) fn encode_no_result(out: &mut Vec<u8>) {
    codec::put_int(out, FLAG_NO_METADATA);
    codec::put_int(out, 0);
}

/// What the bind markers of a statement are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreparedMetadata {
    /// The markers in order.
    pub columns: Vec<ColumnSpec>,
    /// For each partition key column the index of its marker; empty unless each has one.
    pub partition_key_indices: Vec<u16>,
}

impl PreparedMetadata {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let is_global = self.columns.first().is_some_and(|first| {
            self.columns.iter().all(|c| c.table == first.table && c.keyspace == first.keyspace)
        });
        codec::put_int(out, if is_global { FLAG_GLOBAL_TABLE } else { 0 });
        codec::put_int(out, codec::int_of(self.columns.len()));
        if version >= Version::V4 {
            codec::put_int(out, codec::int_of(self.partition_key_indices.len()));
            for index in &self.partition_key_indices {
                codec::put_short(out, *index);
            }
        }
        encode_specifications(&self.columns, is_global, version, out);
    }
}

fn encode_specifications(columns: &[ColumnSpec], is_global: bool, version: Version, out: &mut Vec<u8>) {
    if let Some(first) = columns.first().filter(|_| is_global) {
        codec::put_string(out, &first.keyspace);
        codec::put_string(out, &first.table);
    }
    for column in columns {
        if !is_global {
            codec::put_string(out, &column.keyspace);
            codec::put_string(out, &column.table);
        }
        codec::put_string(out, &column.name);
        types::encode(&column.ty, version, out);
    }
}
