//! Collections, tuples, user types and vectors: taken apart and put together.
//!
//! The form is that of protocol v3 and later: a 4-byte count, then each element with a 4-byte length.
//! Nothing is reserved for a count that the bytes do not bear out.

use bytes::Bytes;
use stdx::vint::write_unsigned_vint;

use super::validate::split_vint_element;
use crate::{CqlType, Value};

fn length_prefix(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).expect("a value is far below 2 GiB: frames and mutations are limited").to_be_bytes()
}

/// Joins the elements of a list or set (map: key, value, key, value ... with `count` pairs).
pub fn pack<E: AsRef<[u8]>>(count: usize, elements: &[E]) -> Vec<u8> {
    let bytes: usize = elements.iter().map(|element| element.as_ref().len() + 4).sum();
    let mut packed = Vec::with_capacity(4 + bytes);
    packed.extend_from_slice(&length_prefix(count));
    for element in elements {
        packed.extend_from_slice(&length_prefix(element.as_ref().len()));
        packed.extend_from_slice(element.as_ref());
    }
    packed
}

/// Takes a list or set apart. Errors are Cassandra's texts, e.g. `Not enough bytes to read a list`.
pub fn unpack_list(value: &Bytes) -> Result<Vec<Bytes>, String> {
    let mut reader = Reader { rest: value.clone(), kind: "list" };
    let count = reader.count()?;
    let mut elements = Vec::with_capacity(reader.plausible(count, 4));
    for _ in 0..count {
        elements.push(reader.element()?);
    }
    reader.end()?;
    Ok(elements)
}

/// Takes a map apart.
pub fn unpack_map(value: &Bytes) -> Result<Vec<(Bytes, Bytes)>, String> {
    let mut reader = Reader { rest: value.clone(), kind: "map" };
    let count = reader.count()?;
    let mut entries = Vec::with_capacity(reader.plausible(count, 8));
    for _ in 0..count {
        entries.push((reader.element()?, reader.element()?));
    }
    reader.end()?;
    Ok(entries)
}

/// What is left of a collection that is taken apart.
struct Reader {
    rest: Bytes,
    kind: &'static str,
}

impl Reader {
    fn short(&self) -> String {
        format!("Not enough bytes to read a {}", self.kind)
    }

    /// A negative count means none, as in Cassandra.
    fn count(&mut self) -> Result<usize, String> {
        let count = read_length(&mut self.rest).ok_or_else(|| self.short())?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Of `count` elements of at least `bytes` each, those that there can be.
    fn plausible(&self, count: usize, bytes: usize) -> usize {
        count.min(self.rest.len() / bytes)
    }

    fn element(&mut self) -> Result<Bytes, String> {
        let length = read_length(&mut self.rest).ok_or_else(|| self.short())?;
        let length = usize::try_from(length).map_err(|_| "Null value read when not allowed".to_owned())?;
        if length > self.rest.len() {
            return Err(self.short());
        }
        Ok(self.rest.split_to(length))
    }

    fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(format!("Unexpected extraneous bytes after {} value", self.kind))
    }
}

fn read_length(rest: &mut Bytes) -> Option<i32> {
    let length = i32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    *rest = rest.slice(4..);
    Some(length)
}

/// Joins the fields of a tuple or user type; trailing nulls are kept.
pub fn pack_tuple(fields: &[Value]) -> Vec<u8> {
    let bytes: usize = fields.iter().map(|field| field.as_ref().map_or(4, |field| field.len() + 4)).sum();
    let mut packed = Vec::with_capacity(bytes);
    for field in fields {
        match field {
            Some(field) => {
                packed.extend_from_slice(&length_prefix(field.len()));
                packed.extend_from_slice(field);
            }
            None => packed.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    packed
}

/// Takes a tuple or user type apart; missing trailing fields come as null.
pub fn unpack_tuple(value: &Bytes, field_count: usize) -> Result<Vec<Value>, String> {
    let mut rest = value.clone();
    let mut fields = Vec::with_capacity(field_count);
    for index in 0..field_count {
        if rest.is_empty() {
            fields.push(None);
            continue;
        }
        let length = read_length(&mut rest)
            .ok_or_else(|| format!("Not enough bytes to read size of {index}th component"))?;
        fields.push(match usize::try_from(length) {
            Err(_) => None,
            Ok(length) if length > rest.len() => {
                return Err(format!("Not enough bytes to read {index}th component"));
            }
            Ok(length) => Some(rest.split_to(length)),
        });
    }
    if rest.is_empty() {
        Ok(fields)
    } else {
        Err("Invalid remaining data after end of tuple value".to_owned())
    }
}

/// Joins the elements of a vector.
pub fn pack_vector<E: AsRef<[u8]>>(element: &CqlType, elements: &[E]) -> Vec<u8> {
    let fixed = element.fixed_bytes().is_some();
    let mut packed = Vec::with_capacity(elements.iter().map(|each| each.as_ref().len() + 1).sum());
    for each in elements {
        if !fixed {
            write_unsigned_vint(&mut packed, each.as_ref().len() as u64);
        }
        packed.extend_from_slice(each.as_ref());
    }
    packed
}

/// Takes a vector apart.
pub fn unpack_vector(value: &Bytes, element: &CqlType, dimension: u32) -> Result<Vec<Bytes>, String> {
    let short =
        || format!("Not enough bytes to read a {}", CqlType::vector(element.clone(), dimension).cql_name());
    let mut rest: &[u8] = value;
    let mut elements = Vec::with_capacity(rest.len().min(dimension as usize));
    for _ in 0..dimension {
        let taken = match element.fixed_bytes() {
            Some(0) => return Err(short()),
            Some(bytes) => {
                let (taken, tail) = rest.split_at_checked(bytes).ok_or_else(short)?;
                rest = tail;
                taken
            }
            None if rest.is_empty() => return Err(short()),
            None => split_vint_element(value.len(), &mut rest)?,
        };
        elements.push(value.slice_ref(taken));
    }
    match rest.len() {
        0 => Ok(elements),
        bytes => {
            let name = CqlType::vector(element.clone(), dimension).cql_name();
            Err(format!("Unexpected {bytes} extraneous bytes after {name} value"))
        }
    }
}
