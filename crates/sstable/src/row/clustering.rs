//! Clustering values: for every 32 columns two bits each for empty and null, then the values.

use bytes::{Bytes, BytesMut};
use model::plain::Span;
use model::value::comparable::{ROW_TERMINATOR, encode_clustering_value, encode_prefix};
use model::{CqlType, Value};
use stdx::vint;

use crate::cursor::{Cursor, Fault, put_vbytes};
use crate::statistics::header::fixed_bytes;

/// Columns that one header describes.
const BATCH: usize = 32;

/// Appends values of the first clustering columns.
pub(crate) fn encode_values(values: &[Value], types: &[(CqlType, bool)], out: &mut Vec<u8>) {
    for (batch, types) in values.chunks(BATCH).zip(types.chunks(BATCH)) {
        let mut header = 0_u64;
        for (i, value) in batch.iter().enumerate() {
            match value {
                None => header |= 2 << (2 * i),
                Some(value) if value.is_empty() => header |= 1 << (2 * i),
                Some(_) => {}
            }
        }
        vint::write_unsigned_vint(out, header);
        for (value, (ty, _)) in batch.iter().zip(types) {
            match value {
                Some(value) if value.is_empty() => {}
                Some(value) if fixed_bytes(ty).is_some() => out.extend_from_slice(value),
                Some(value) => put_vbytes(out, value),
                None => {}
            }
        }
    }
}

/// Bytes of the places that the rows of a stream share at most, and at first.
const SHARED_BYTES_MAX: usize = 4096;
const SHARED_BYTES_MIN: usize = 256;

/// Where the rows of a stream stand. All but the first share their bytes: an allocation a row would cost as much as
/// half of its decoding.
#[derive(Default)]
pub(crate) struct Places {
    /// The place of the row that is being read.
    pub(crate) place: Vec<u8>,
    shared: BytesMut,
    /// Bytes that are shared next; 0: there was no row.
    next_bytes: usize,
}

impl Places {
    /// Takes note of where a row of these values stands.
    pub(crate) fn set(&mut self, values: &[Value], types: &[(CqlType, bool)]) {
        self.place.clear();
        encode_prefix(values, types, &mut self.place);
        self.place.push(ROW_TERMINATOR);
    }

    /// The place, to be kept.
    pub(crate) fn keep(&mut self) -> Bytes {
        if self.next_bytes == 0 || self.place.len() > SHARED_BYTES_MIN {
            self.next_bytes = self.next_bytes.max(SHARED_BYTES_MIN);
            return Bytes::copy_from_slice(&self.place);
        }
        if self.shared.capacity() < self.place.len() {
            self.shared = BytesMut::with_capacity(self.next_bytes);
            self.next_bytes = (2 * self.next_bytes).min(SHARED_BYTES_MAX);
        }
        self.shared.extend_from_slice(&self.place);
        self.shared.split().freeze()
    }
}

/// Reads a value for each of `types`; they share `buffer`, over which the cursor goes, if it is given.
pub(crate) fn decode_values(
    cursor: &mut Cursor<'_>,
    buffer: Option<&Bytes>,
    types: &[(CqlType, bool)],
) -> Result<Vec<Value>, Fault> {
    let mut values = Vec::with_capacity(types.len());
    for batch in types.chunks(BATCH) {
        let header = cursor.uvint()?;
        if batch.len() < BATCH && header >> (2 * batch.len()) != 0 {
            return Err(Fault::Bad("a clustering's header speaks of columns that do not exist"));
        }
        for (i, (ty, _)) in batch.iter().enumerate() {
            let value = match header >> (2 * i) & 3 {
                0 => Some(decode_value(cursor, buffer, fixed_bytes(ty))?),
                1 => Some(Bytes::new()),
                2 => None,
                _ => return Err(Fault::Bad("a clustering value is both empty and null")),
            };
            values.push(value);
        }
    }
    Ok(values)
}

/// Goes past the values of a row's clustering; writes its byte-comparable place over `place`.
#[inline]
pub(crate) fn place_of(
    cursor: &mut Cursor<'_>,
    types: &[(CqlType, bool)],
    place: &mut Vec<u8>,
) -> Result<(), Fault> {
    place_with(cursor, types, place, |_| {})
}

/// As [`place_of`]; tells where each value stands, `None` for null.
#[inline]
pub(crate) fn place_with(
    cursor: &mut Cursor<'_>,
    types: &[(CqlType, bool)],
    place: &mut Vec<u8>,
    mut each: impl FnMut(Option<Span>),
) -> Result<(), Fault> {
    place.clear();
    for batch in types.chunks(BATCH) {
        let header = cursor.uvint()?;
        if batch.len() < BATCH && header >> (2 * batch.len()) != 0 {
            return Err(Fault::Bad("a clustering's header speaks of columns that do not exist"));
        }
        for (i, (ty, reversed)) in batch.iter().enumerate() {
            let value = match (header >> (2 * i) & 3, fixed_bytes(ty)) {
                (0, Some(count)) => Some(cursor.take(count)?),
                (0, None) => Some(cursor.vbytes()?),
                (1, _) => Some(&[][..]),
                (2, _) => None,
                _ => return Err(Fault::Bad("a clustering value is both empty and null")),
            };
            each(value.map(|value| Span::new(cursor.position() - value.len(), cursor.position())));
            encode_clustering_value(value, ty, *reversed, place);
        }
    }
    place.push(ROW_TERMINATOR);
    Ok(())
}

/// Goes past values of all of `types`.
pub(crate) fn skip_values(cursor: &mut Cursor<'_>, types: &[(CqlType, bool)]) -> Result<(), Fault> {
    for batch in types.chunks(BATCH) {
        let header = cursor.uvint()?;
        for (i, (ty, _)) in batch.iter().enumerate() {
            match (header >> (2 * i) & 3, fixed_bytes(ty)) {
                (0, Some(count)) => cursor.take(count)?,
                (0, None) => cursor.vbytes()?,
                _ => &[],
            };
        }
    }
    Ok(())
}

/// Reads one value, with its length if that is not fixed.
#[inline]
pub(crate) fn decode_value(
    cursor: &mut Cursor<'_>,
    buffer: Option<&Bytes>,
    fixed: Option<usize>,
) -> Result<Bytes, Fault> {
    let bytes = match fixed {
        Some(count) => cursor.take(count)?,
        None => cursor.vbytes()?,
    };
    Ok(match buffer {
        Some(buffer) => buffer.slice(cursor.position() - bytes.len()..cursor.position()),
        None => Bytes::copy_from_slice(bytes),
    })
}
