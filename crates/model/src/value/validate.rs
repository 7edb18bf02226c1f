//! Are these bytes a value of this type? Error texts are Cassandra's (`TypeSerializer.validate`).
//!
//! Every value that comes from outside passes here once; what lies in memory and on disk is trusted to be
//! well formed, and still nothing that reads it panics.
//!
//! Some texts reach a Cassandra client not as an invalid request but as a server error (code 0000) with
//! the Java class in front; the text here is without it. These are: bytes after the end of a user type's value
//! (`org.apache.cassandra.serializers.MarshalException: `), a cut vint in a duration or vector
//! (`java.lang.AssertionError: `), an element of a vector that is longer than what follows
//! (`java.lang.IndexOutOfBoundsException: `). The caller puts the class in front: [`is_server_error`].

use stdx::vint::{Vint32Error, read_unsigned_vint32, read_vint};

use crate::CqlType;

/// The class that Cassandra's answer names in front of `text`, where the failure surfaces as code 0000.
pub fn is_server_error(text: &str) -> Option<&'static str> {
    if text.ends_with("Invalid remaining data after end of UDT value") {
        Some("org.apache.cassandra.serializers.MarshalException")
    } else if text.starts_with("Invalidate data at offset") || text == "Unexpected error" {
        Some("java.lang.AssertionError")
    } else if text.starts_with("Attempted to read ") {
        Some("java.lang.IndexOutOfBoundsException")
    } else if text.ends_with(" is out of range for a 32-bit integer") {
        Some("org.apache.cassandra.utils.vint.VIntCoding$VIntOutOfRangeException")
    } else {
        None
    }
}

impl CqlType {
    /// Checks the serialised value. The error is the text that a client gets after the column's name is known,
    /// e.g. `Expected 4 or 0 byte int (3)`.
    ///
    /// Recursion goes as deep as the type, whose depth is limited where types are read.
    pub fn validate(&self, value: &[u8]) -> Result<(), String> {
        let bytes = value.len();
        let check = |ok: bool, text: &str| if ok { Ok(()) } else { Err(format!("{text} ({bytes})")) };
        match self {
            CqlType::Blob | CqlType::Varint | CqlType::Custom(_) => Ok(()),
            CqlType::Ascii => match value.iter().find(|byte| !byte.is_ascii()) {
                Some(&byte) => Err(format!("Invalid byte for ascii: {}", byte as i8)),
                None => Ok(()),
            },
            CqlType::Text if is_utf8(value) => Ok(()),
            CqlType::Text => Err("String didn't validate.".to_owned()),
            CqlType::Bigint | CqlType::Counter => check(matches!(bytes, 0 | 8), "Expected 8 or 0 byte long"),
            CqlType::Int => check(matches!(bytes, 0 | 4), "Expected 4 or 0 byte int"),
            CqlType::Smallint => check(bytes == 2, "Expected 2 bytes for a smallint"),
            CqlType::Tinyint => check(bytes == 1, "Expected 1 byte for a tinyint"),
            CqlType::Boolean => check(bytes <= 1, "Expected 1 or 0 byte value"),
            CqlType::Date => check(bytes == 4, "Expected 4 byte long for date"),
            CqlType::Time => check(bytes == 8, "Expected 8 byte long for time"),
            CqlType::Timestamp => check(matches!(bytes, 0 | 8), "Expected 8 or 0 byte long for date"),
            CqlType::Float => check(matches!(bytes, 0 | 4), "Expected 4 or 0 byte value for a float"),
            CqlType::Double => check(matches!(bytes, 0 | 8), "Expected 8 or 0 byte value for a double"),
            CqlType::Decimal => check(bytes == 0 || bytes >= 4, "Expected 0 or at least 4 bytes"),
            CqlType::Uuid => check(matches!(bytes, 0 | 16), "UUID should be 16 or 0 bytes"),
            CqlType::Timeuuid => {
                check(matches!(bytes, 0 | 16), "UUID should be 16 or 0 bytes")?;
                match value.get(6) {
                    Some(byte) if byte >> 4 != 1 => Err("Invalid version for TimeUUID type: 0x0".to_owned()),
                    _ => Ok(()),
                }
            }
            CqlType::Inet if matches!(bytes, 0 | 4 | 16) => Ok(()),
            CqlType::Inet => {
                Err(format!("Expected 4 or 16 byte inetaddress; got {}", super::number::hex(value)))
            }
            CqlType::Duration => validate_duration(value),
            CqlType::Empty if bytes == 0 => Ok(()),
            CqlType::Empty => Err("EmptyType only accept empty values".to_owned()),
            CqlType::List { element, .. } => validate_elements(value, "list", &[element]),
            CqlType::Set { element, .. } => validate_elements(value, "set", &[element]),
            CqlType::Map { key, value: of, .. } => validate_elements(value, "map", &[key, of]),
            CqlType::Tuple(fields) => validate_tuple(fields, value),
            CqlType::Udt { definition, .. } => validate_udt(&definition.fields, value),
            CqlType::Vector { element, dimension } => self.validate_vector(element, *dimension, value),
        }
    }

    /// Cassandra takes 0 bytes for a value of this type (`AbstractType.allowsEmpty`).
    pub fn empty_is_allowed(&self) -> bool {
        !matches!(
            self,
            CqlType::Date
                | CqlType::Time
                | CqlType::Smallint
                | CqlType::Tinyint
                | CqlType::Duration
                | CqlType::Empty
                | CqlType::List { .. }
                | CqlType::Set { .. }
                | CqlType::Map { .. }
                | CqlType::Vector { .. }
        )
    }

    /// An empty value of this type means nothing and is treated as null by functions and comparisons
    /// (`AbstractType.isEmptyValueMeaningless`); it is still stored and returned as it came.
    pub fn is_empty_value_meaningless(&self) -> bool {
        self.empty_is_allowed()
            && !matches!(
                self,
                CqlType::Ascii
                    | CqlType::Text
                    | CqlType::Blob
                    | CqlType::Custom(_)
                    | CqlType::Tuple(_)
                    | CqlType::Udt { .. }
            )
    }

    fn validate_vector(&self, element: &CqlType, dimension: u32, value: &[u8]) -> Result<(), String> {
        if value.is_empty() {
            return Err("Invalid empty vector value".to_owned());
        }
        let mut rest = value;
        for _ in 0..dimension {
            let taken = match element.fixed_bytes() {
                Some(0) => break,
                Some(bytes) => split(&mut rest, bytes),
                None if rest.is_empty() => None,
                None => Some(split_vint_element(value.len(), &mut rest)?),
            };
            let taken = taken.ok_or_else(|| format!("Not enough bytes to read a {}", self.cql_name()))?;
            element.validate(taken)?;
        }
        match rest.len() {
            0 => Ok(()),
            bytes => Err(format!("Unexpected {bytes} extraneous bytes after {} value", self.cql_name())),
        }
    }
}

fn split<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(bytes)?;
    *rest = tail;
    Some(taken)
}

fn split_length(rest: &mut &[u8]) -> Option<i32> {
    let bytes = split(rest, 4)?;
    Some(i32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
}

/// The next element of a vector whose elements differ in length; `whole` is the vector's length.
pub(super) fn split_vint_element<'a>(whole: usize, rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let (length, taken) = match read_unsigned_vint32(rest) {
        Ok(read) => read,
        Err(Vint32Error::Truncated) => (-1, 0),
        Err(Vint32Error::OutOfRange(raw)) => {
            return Err(format!("{} is out of range for a 32-bit integer", raw as i64));
        }
    };
    let Ok(length) = usize::try_from(length) else {
        let offset = whole - rest.len();
        return Err(format!(
            "Invalidate data at offset {offset}; saw size of {length} but only >= 0 is expected"
        ));
    };
    *rest = &rest[taken..];
    split(rest, length).ok_or_else(|| format!("Attempted to read {length}, but the size is {}", rest.len()))
}

/// A count, then so many groups of elements, one of each type.
fn validate_elements(value: &[u8], kind: &str, types: &[&CqlType]) -> Result<(), String> {
    let mut rest = value;
    let short = || format!("Not enough bytes to read a {kind}");
    let count = split_length(&mut rest).ok_or_else(short)?;
    for _ in 0..count {
        for ty in types {
            let length = split_length(&mut rest).ok_or_else(short)?;
            let length =
                usize::try_from(length).map_err(|_| "Null value read when not allowed".to_owned())?;
            ty.validate(split(&mut rest, length).ok_or_else(short)?)?;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("Unexpected extraneous bytes after {kind} value")) }
}

fn validate_tuple(fields: &[CqlType], value: &[u8]) -> Result<(), String> {
    let mut rest = value;
    for (index, ty) in fields.iter().enumerate() {
        if let Some(field) = split_field(&mut rest, || format!("{index}th component"))? {
            ty.validate(field)?;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err("Invalid remaining data after end of tuple value".to_owned()) }
}

fn validate_udt(fields: &[(std::sync::Arc<str>, CqlType)], value: &[u8]) -> Result<(), String> {
    let mut rest = value;
    for (index, (name, ty)) in fields.iter().enumerate() {
        let field = split_field(&mut rest, || format!("{index}th field {name}"))?;
        if let Some(field) = field {
            ty.validate(field)
                .map_err(|text| format!("Failure validating the {index}th field {name}; {text}"))?;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err("Invalid remaining data after end of UDT value".to_owned()) }
}

/// The next field of a tuple or user type; `None` is null, or that the value ends before it.
fn split_field<'a>(rest: &mut &'a [u8], name: impl Fn() -> String) -> Result<Option<&'a [u8]>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let length = split_length(rest).ok_or_else(|| format!("Not enough bytes to read size of {}", name()))?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    split(rest, length).map(Some).ok_or_else(|| format!("Not enough bytes to read {}", name()))
}

fn validate_duration(value: &[u8]) -> Result<(), String> {
    if value.len() < 3 {
        return Err(format!("Expected at least 3 bytes for a duration ({})", value.len()));
    }
    let mut parts = [0; 3];
    let mut rest = value;
    for part in &mut parts {
        let (read, taken) = read_vint(rest).map_err(|_| "Unexpected error".to_owned())?;
        *part = read;
        rest = &rest[taken..];
    }
    let [months, days, nanos] = parts;
    for (part, name) in [(months, "months"), (days, "days")] {
        if i32::try_from(part).is_err() {
            return Err(format!("The duration {name} must be a 32 bits integer but was: {part}"));
        }
    }
    let some_negative = parts.iter().any(|part| *part < 0);
    if some_negative && parts.iter().any(|part| *part > 0) {
        return Err(format!(
            "The duration months, days and nanoseconds must be all of the same sign ({months}, {days}, {nanos})"
        ));
    }
    Ok(())
}

/// Cassandra's own idea of UTF-8: as the standard, and also Java's two-byte zero, lone surrogates and
/// code points above U+10FFFF. Source: `UTF8Serializer.UTF8Validator`.
fn is_utf8(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok() || is_loose_utf8(value)
}

fn is_loose_utf8(mut rest: &[u8]) -> bool {
    let follows = |bytes: &[u8]| bytes.iter().all(|byte| byte & 0xc0 == 0x80);
    while let Some(&first) = rest.first() {
        let (bytes, second) = match first {
            0x00..=0x7f => (1, 0x80..=0xbf),
            0xc0 => (2, 0x80..=0x80),
            0xc2..=0xdf => (2, 0x80..=0xbf),
            0xe0 => (3, 0xa0..=0xbf),
            0xe1..=0xef => (3, 0x80..=0xbf),
            0xf0 => (4, 0x90..=0xbf),
            0xf1..=0xf7 => (4, 0x80..=0xbf),
            _ => return false,
        };
        let Some((character, tail)) = rest.split_at_checked(bytes) else { return false };
        if !follows(&character[1..]) || character.get(1).is_some_and(|byte| !second.contains(byte)) {
            return false;
        }
        rest = tail;
    }
    true
}
