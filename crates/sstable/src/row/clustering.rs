//! Clustering values: for every 32 columns two bits each for empty and null, then the values.

use std::cmp::Ordering;

use bytes::{Bytes, BytesMut};
use model::plain::Span;
use model::value::comparable::{NEXT, ROW_TERMINATOR, encode_clustering_value, short_form};
use model::{CqlType, Value};
use stdx::vint;

use crate::cursor::{Cursor, Fault, put_vbytes};
use crate::statistics::header::fixed_bytes;

/// Columns that one header describes.
const BATCH: usize = 32;

/// Appends values of the first clustering columns.
pub(crate) fn encode_values(values: &[Value], types: &[(CqlType, bool)], out: &mut Vec<u8>) {
    encode_values_with(values, |value| value.as_deref(), types, out);
}

/// The same of values that `bytes` gives.
#[inline]
pub(crate) fn encode_values_with<'v, V>(
    values: &'v [V],
    bytes: impl Fn(&'v V) -> Option<&'v [u8]>,
    types: &[(CqlType, bool)],
    out: &mut Vec<u8>,
) {
    for (batch, types) in values.chunks(BATCH).zip(types.chunks(BATCH)) {
        let mut header = 0_u64;
        for (i, value) in batch.iter().enumerate() {
            match bytes(value) {
                None => header |= 2 << (2 * i),
                Some([]) => header |= 1 << (2 * i),
                Some(_) => {}
            }
        }
        vint::write_unsigned_vint(out, header);
        for (value, (ty, _)) in batch.iter().zip(types) {
            match bytes(value) {
                Some([]) => {}
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

/// Where a row stands, byte-comparable. Its first bytes are kept in a word too: they tell most places apart, and bytes
/// that were just written one by one are slow to be read at once.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Place {
    bytes: Vec<u8>,
    head: u64,
}

const HEAD_BYTES: usize = 8;

/// The first bytes in the order of their comparison, zeros behind them.
#[inline]
fn head_of(bytes: &[u8]) -> u64 {
    if let Some(head) = bytes.first_chunk() {
        return u64::from_be_bytes(*head);
    }
    // Two parts, which may overlap.
    if let (Some(start), Some(end)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let end = u64::from(u32::from_be_bytes(*end)) << (8 * (HEAD_BYTES - bytes.len()));
        return u64::from(u32::from_be_bytes(*start)) << 32 | end;
    }
    let put = |head, (place, byte): (usize, &u8)| head | u64::from(*byte) << (56 - 8 * place);
    bytes.iter().enumerate().fold(0, put)
}

impl Place {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.head = 0;
    }

    /// Takes these bytes instead of its own.
    pub(crate) fn set(&mut self, bytes: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.head = head_of(bytes);
    }

    /// Where it stands to these bytes.
    #[inline]
    pub(crate) fn cmp(&self, bytes: &[u8]) -> Ordering {
        self.head.cmp(&head_of(bytes)).then_with(|| (*self.bytes).cmp(bytes))
    }

    /// True if the other one stands behind this.
    #[inline]
    pub(crate) fn is_before(&self, other: &Place) -> bool {
        match self.head.cmp(&other.head) {
            Ordering::Equal => self.bytes < other.bytes,
            order => order.is_lt(),
        }
    }

    /// Appends `count` bytes, 8 at most, the high ones of a word with zeros below.
    #[inline]
    fn put(&mut self, word: u64, count: usize) {
        let at = self.bytes.len();
        if at < HEAD_BYTES {
            self.head |= word >> (8 * at);
        }
        self.bytes.extend_from_slice(&word.to_be_bytes());
        self.bytes.truncate(at + count);
    }

    /// Appends a clustering value.
    #[inline]
    fn put_value(&mut self, value: Option<&[u8]>, ty: &CqlType, reversed: bool) {
        if let Some(form) = value.and_then(|value| short_form(ty, value)) {
            let (word, count) = form;
            let flip = if reversed { u64::MAX << (64 - 8 * count) } else { 0 };
            let (next, word) = (u64::from(NEXT) << 56, word ^ flip);
            if count < HEAD_BYTES {
                self.put(next | word >> 8, 1 + count);
            } else {
                self.put(next, 1);
                self.put(word, count);
            }
        } else {
            encode_clustering_value(value, ty, reversed, &mut self.bytes);
            self.head = head_of(&self.bytes);
        }
    }

    /// Ends the place of a row.
    #[inline]
    fn end_row(&mut self) {
        self.put(u64::from(ROW_TERMINATOR) << 56, 1);
    }
}

/// Where the rows of a stream stand. All but the first share their bytes: an allocation a row would cost as much as
/// half of its decoding.
#[derive(Default)]
pub(crate) struct Places {
    /// The place of the row that is being read. Boxed, as it changes places with the last one for each row.
    pub(crate) place: Box<Place>,
    shared: BytesMut,
    /// Bytes that are shared next; 0: there was no row.
    next_bytes: usize,
}

impl Places {
    /// Takes note of where a row of these values stands.
    pub(crate) fn set(&mut self, values: &[Value], types: &[(CqlType, bool)]) {
        self.place.clear();
        for (value, (ty, reversed)) in values.iter().zip(types) {
            self.place.put_value(value.as_deref(), ty, *reversed);
        }
        self.place.end_row();
    }

    /// The place, to be kept.
    pub(crate) fn keep(&mut self) -> Bytes {
        let place = &self.place.bytes;
        if self.next_bytes == 0 || place.len() > SHARED_BYTES_MIN {
            self.next_bytes = self.next_bytes.max(SHARED_BYTES_MIN);
            return Bytes::copy_from_slice(place);
        }
        if self.shared.capacity() < place.len() {
            self.shared = BytesMut::with_capacity(self.next_bytes);
            self.next_bytes = (2 * self.next_bytes).min(SHARED_BYTES_MAX);
        }
        self.shared.extend_from_slice(place);
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
    place: &mut Place,
) -> Result<(), Fault> {
    place_with(cursor, types, place, |_| {})
}

/// As [`place_of`]; tells where each value stands, `None` for null.
#[inline]
pub(crate) fn place_with(
    cursor: &mut Cursor<'_>,
    types: &[(CqlType, bool)],
    place: &mut Place,
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
            place.put_value(value, ty, *reversed);
        }
    }
    place.end_row();
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

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    #[test]
    fn places_compare_as_their_bytes() {
        let mut random = Prng::from_seed(7);
        let mut some = || {
            let count = random.index(13);
            (0..count).map(|_| *random.choose(&[0, 1, 0x40, 0xff]).unwrap()).collect::<Vec<u8>>()
        };
        for _ in 0..200_000 {
            let (a, b) = (some(), some());
            let (mut one, mut two) = (Place::default(), Place::default());
            one.set(&a);
            two.set(&b);
            assert_eq!(one.cmp(&b), a.cmp(&b), "{a:02x?} {b:02x?}");
            assert_eq!(one.is_before(&two), a < b, "{a:02x?} {b:02x?}");
        }
    }

    #[test]
    fn a_place_is_the_clustering_in_byte_comparable_form() {
        let mut random = Prng::from_seed(8);
        let types = [CqlType::Int, CqlType::Bigint, CqlType::Text, CqlType::Date, CqlType::Timestamp];
        let mut places = Places::default();
        for _ in 0..50_000 {
            let count = 1 + random.index(3);
            let types: Vec<(CqlType, bool)> =
                (0..count).map(|_| (random.choose(&types).unwrap().clone(), random.chance(0.5))).collect();
            let values: Vec<Value> = types
                .iter()
                .map(|(ty, _)| {
                    let bits = random.next_u64() as i64 >> random.below(64);
                    let bytes = bits.to_be_bytes();
                    let bytes = &bytes[8 - fixed_bytes(ty).unwrap_or(3)..];
                    random
                        .chance(0.9)
                        .then(|| Bytes::copy_from_slice(if random.chance(0.1) { &[] } else { bytes }))
                })
                .collect();
            places.set(&values, &types);
            let mut order = Vec::new();
            model::value::comparable::encode_prefix(&values, &types, &mut order);
            order.push(ROW_TERMINATOR);
            assert_eq!(places.place.bytes(), order, "{types:?} {values:02x?}");
            assert_eq!(places.place.head, head_of(&order), "{types:?} {values:02x?}");
        }
    }
}
