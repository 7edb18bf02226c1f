//! The notations inside a body: numbers, strings, byte arrays, lists and maps; read with Cassandra's error
//! texts, written to the end of a `Vec`.
//!
//! Source: native protocol v5, "Notations"; texts as in `CBUtil.java`.

use std::net::IpAddr;

use bytes::Bytes;
use model::QueryError;

/// Reads a body from the front. What it hands out are slices of the body, not copies.
#[derive(Clone, Debug)]
pub struct Reader {
    body: Bytes,
    at: usize,
}

type Read<T> = Result<T, QueryError>;

fn protocol<T>(text: impl Into<String>) -> Read<T> {
    Err(QueryError::Protocol(text.into()))
}

impl Reader {
    /// Reads `body` from its first byte.
    pub fn new(body: Bytes) -> Reader {
        Reader { body, at: 0 }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.body.len() - self.at
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &str) -> Read<[u8; N]> {
        match self.body[self.at..].first_chunk::<N>() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            // Cassandra lets Netty's IndexOutOfBoundsException out here, as a server error.
            None => protocol(format!(
                "Not enough bytes to read {what}: {N} needed, {} left in the message",
                self.remaining()
            )),
        }
    }

    /// `[byte]`
    #[inline]
    pub fn byte(&mut self) -> Read<u8> {
        self.array::<1>("a byte").map(|[byte]| byte)
    }

    /// `[short]`, unsigned
    #[inline]
    pub fn short(&mut self) -> Read<u16> {
        self.array("a short").map(u16::from_be_bytes)
    }

    /// `[int]`
    #[inline]
    pub fn int(&mut self) -> Read<i32> {
        self.array("an int").map(i32::from_be_bytes)
    }

    /// `[long]`
    #[inline]
    pub fn long(&mut self) -> Read<i64> {
        self.array("a long").map(i64::from_be_bytes)
    }

    /// `[uuid]`
    pub fn uuid(&mut self) -> Read<[u8; 16]> {
        self.array("a UUID")
    }

    /// The next `count` bytes, if there are as many.
    #[inline]
    fn slice(&mut self, count: usize) -> Option<Bytes> {
        if count > self.remaining() {
            return None;
        }
        let start = self.at;
        self.at += count;
        Some(self.body.slice(start..self.at))
    }

    fn utf8(&mut self, length: Option<usize>, prefix_bytes: usize) -> Read<Text> {
        let Some(bytes) = length.and_then(|length| self.slice(length)) else {
            return protocol(format!(
                "Not enough bytes to read an UTF8 serialized string preceded by its {prefix_bytes} bytes length"
            ));
        };
        Text::new(bytes)
    }

    /// `[string]`
    pub fn string(&mut self) -> Read<Text> {
        let length = self.short().ok().map(usize::from);
        self.utf8(length, 2)
    }

    /// `[long string]`
    pub fn long_string(&mut self) -> Read<Text> {
        let length = self.int().ok().and_then(|length| usize::try_from(length).ok());
        self.utf8(length, 4)
    }

    /// `[short bytes]`
    pub fn short_bytes(&mut self) -> Read<Bytes> {
        let length = self.short().ok().map(usize::from);
        match length.and_then(|length| self.slice(length)) {
            Some(bytes) => Ok(bytes),
            None => protocol("Not enough bytes to read a byte array preceded by its 2 bytes length"),
        }
    }

    /// `[bytes]`: `None` when the length is negative.
    #[inline]
    pub fn bytes(&mut self) -> Read<Option<Bytes>> {
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        self.sized(length).map(Some)
    }

    /// The `length` bytes of a value.
    #[inline]
    pub(crate) fn sized(&mut self, length: i32) -> Read<Bytes> {
        let remaining = self.remaining();
        match usize::try_from(length).ok().and_then(|length| self.slice(length)) {
            Some(bytes) => Ok(bytes),
            None => protocol(format!(
                "Cannot read value of length {length}, only {remaining} bytes remaining in the message"
            )),
        }
    }

    /// `[inet]` without a port: a length byte, then the address.
    pub fn inet_address(&mut self) -> Read<IpAddr> {
        match self.byte()? {
            4 => Ok(IpAddr::from(self.array::<4>("an address")?)),
            16 => Ok(IpAddr::from(self.array::<16>("an address")?)),
            length => protocol(format!("Invalid length for an address: {length}")),
        }
    }

    /// `[string list]`
    pub fn string_list(&mut self) -> Read<Vec<Text>> {
        let count = self.short()?;
        // Every string takes 2 bytes at least: more than that cannot be there.
        let mut list = Vec::with_capacity(usize::from(count).min(self.remaining() / 2));
        for _ in 0..count {
            list.push(self.string()?);
        }
        Ok(list)
    }

    /// `[string map]`, in the order sent
    pub fn string_map(&mut self) -> Read<Vec<(Text, Text)>> {
        let count = self.short()?;
        let mut map = Vec::with_capacity(usize::from(count).min(self.remaining() / 4));
        for _ in 0..count {
            map.push((self.string()?, self.string()?));
        }
        Ok(map)
    }

    /// `[string multimap]`, in the order sent
    pub fn string_multimap(&mut self) -> Read<Vec<(Text, Vec<Text>)>> {
        let count = self.short()?;
        let mut map = Vec::with_capacity(usize::from(count).min(self.remaining() / 4));
        for _ in 0..count {
            map.push((self.string()?, self.string_list()?));
        }
        Ok(map)
    }

    /// `[bytes map]`, in the order sent
    pub fn bytes_map(&mut self) -> Read<Vec<(Text, Option<Bytes>)>> {
        let count = self.short()?;
        let mut map = Vec::with_capacity(usize::from(count).min(self.remaining() / 6));
        for _ in 0..count {
            map.push((self.string()?, self.bytes()?));
        }
        Ok(map)
    }
}

/// UTF-8 text that is still a slice of the body it came in.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Checks that `bytes` are UTF-8.
    pub fn new(bytes: Bytes) -> Result<Text, QueryError> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Text(bytes)),
            Err(error) => {
                let bad = &bytes[error.valid_up_to()..];
                let length = error.error_len().unwrap_or(bad.len());
                let mut hex = String::new();
                for byte in bad.iter().take(1024) {
                    hex.push_str(&format!("{byte:02x}"));
                }
                protocol(format!(
                    "Cannot decode string as UTF8: '{hex}'; java.nio.charset.MalformedInputException: \
                     Input length = {length}"
                ))
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked when it was made")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Bytes::from(text))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Appends a `[byte]`.
#[inline]
pub fn put_byte(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

/// Appends a `[short]`.
#[inline]
pub fn put_short(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends an `[int]`.
#[inline]
pub fn put_int(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a `[long]`.
#[inline]
pub fn put_long(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A length or count as an `[int]`. What we encode is far below 2 GiB; more would be a broken limit elsewhere.
#[inline]
pub(crate) fn int_of(count: usize) -> i32 {
    i32::try_from(count).expect("messages stay below 2 GiB")
}

/// Appends a `[string]`; what does not fit into 65535 bytes is cut at a character.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
    put_short(out, text.len() as u16);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a `[long string]`.
pub fn put_long_string(out: &mut Vec<u8>, text: &str) {
    put_int(out, int_of(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// Appends `[short bytes]`. Panics above 65535 bytes: ids and the like, all ours.
pub fn put_short_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_short(out, u16::try_from(bytes.len()).expect("an id is short"));
    out.extend_from_slice(bytes);
}

/// Appends `[bytes]`: `None` has length -1.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_int(out, int_of(bytes.len()));
            out.extend_from_slice(bytes);
        }
        None => put_int(out, -1),
    }
}

/// Appends an address with its length byte, without a port.
pub fn put_inet_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.push(16);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// Appends a `[string list]`.
pub fn put_string_list<S: AsRef<str>>(out: &mut Vec<u8>, list: &[S]) {
    put_count(out, list.len());
    for text in list {
        put_string(out, text.as_ref());
    }
}

/// Appends a count as a `[short]`. Panics above 65535: the caller's lists are bounded.
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    put_short(out, u16::try_from(count).expect("at most 65535 entries"));
}

#[cfg(test)]
mod tests;
