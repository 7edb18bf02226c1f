//! Reads numbers and strings off the front of a record's body, never beyond its end.

use stdx::vint::read_unsigned_vint;

pub(crate) use model::codec::Malformed;

pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let (value, taken) =
            read_unsigned_vint(self.rest).map_err(|_| Malformed("the bytes end inside a number"))?;
        self.rest = &self.rest[taken..];
        Ok(value)
    }

    /// A number of bytes, or of things that take at least a byte each.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.unsigned()?;
        if count > self.rest.len() as u64 {
            return Err(Malformed("more elements than bytes"));
        }
        Ok(count as usize)
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Malformed("a length beyond the end"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.count()?;
        let bytes = self.take(bytes)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a name is not UTF-8"))
    }

    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("bytes are left over")) }
    }
}
