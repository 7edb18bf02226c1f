//! Reads primitives from the front of a byte slice; every length is checked before it is used.

use stdx::vint::{self, Vint32Error};

/// Why a piece could not be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The slice ends too early: at least so many bytes, counted from its start, are needed.
    Short(usize),
    /// More bytes will not help.
    Bad(&'static str),
}

/// Says what is wrong with a piece that has all the bytes it will ever have.
pub(crate) fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::Short(_) => "it ends too early",
        Fault::Bad(what) => what,
    }
}

/// A place in a slice.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(crate) fn starting_at(bytes: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { bytes, at }
    }

    /// Another cursor at the same place.
    pub(crate) fn again(&self) -> Cursor<'a> {
        Cursor { bytes: self.bytes, at: self.at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.remaining() == 0
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        if count > self.remaining() {
            return Err(Fault::Short(self.at.saturating_add(count)));
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// A cursor over the next `count` bytes alone, with the same positions; this one goes past them.
    #[inline(always)]
    pub(crate) fn split(&mut self, count: usize) -> Result<Cursor<'a>, Fault> {
        let start = self.at;
        self.take(count)?;
        Ok(Cursor { bytes: &self.bytes[..self.at], at: start })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        Ok(self.take(N)?.try_into().expect("taken with that length"))
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Short(self.at + 1))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte, which stays.
    pub(crate) fn peek(&self) -> Result<u8, Fault> {
        self.bytes.get(self.at).copied().ok_or(Fault::Short(self.at + 1))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_be_bytes)
    }

    /// One byte and two are read in place: each field of a row mostly has as many as in the row before.
    #[inline(always)]
    pub(crate) fn uvint(&mut self) -> Result<u64, Fault> {
        match self.bytes[self.at..] {
            [first, ..] if first < 0x80 => {
                self.at += 1;
                Ok(u64::from(first))
            }
            [first, second, ..] if first < 0xc0 => {
                self.at += 2;
                Ok(u64::from(first & 0x3f) << 8 | u64::from(second))
            }
            _ => self.long_uvint(),
        }
    }

    fn long_uvint(&mut self) -> Result<u64, Fault> {
        let rest = &self.bytes[self.at..];
        let (value, taken) = vint::read_unsigned_vint(rest).map_err(|_| self.short_vint())?;
        self.at += taken;
        Ok(value)
    }

    pub(crate) fn vint(&mut self) -> Result<i64, Fault> {
        let (value, taken) = vint::read_vint(&self.bytes[self.at..]).map_err(|_| self.short_vint())?;
        self.at += taken;
        Ok(value)
    }

    #[inline]
    pub(crate) fn uvint32(&mut self) -> Result<i32, Fault> {
        let (value, taken) =
            vint::read_unsigned_vint32(&self.bytes[self.at..]).map_err(|error| match error {
                Vint32Error::Truncated => self.short_vint(),
                _ => Fault::Bad("a number needs more than 32 bits"),
            })?;
        self.at += taken;
        Ok(value)
    }

    /// A uvint that says how many bytes or elements follow.
    #[inline(always)]
    pub(crate) fn length(&mut self) -> Result<usize, Fault> {
        let length = self.uvint()?;
        usize::try_from(length)
            .ok()
            .filter(|&length| length <= i32::MAX as usize)
            .ok_or(Fault::Bad("a length is out of range"))
    }

    #[inline(always)]
    pub(crate) fn vbytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn shortbytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A byte that is 0 or 1.
    pub(crate) fn bool(&mut self) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::Bad("a flag is neither 0 nor 1")),
        }
    }

    /// An i32 count of elements of `element_bytes` each, which must all be there.
    pub(crate) fn count(&mut self, element_bytes: usize) -> Result<usize, Fault> {
        let count = usize::try_from(self.i32()?).map_err(|_| Fault::Bad("a count is negative"))?;
        if count > self.remaining() / element_bytes.max(1) {
            return Err(Fault::Short(self.at.saturating_add(count.saturating_mul(element_bytes))));
        }
        Ok(count)
    }

    fn short_vint(&self) -> Fault {
        let bytes = self.bytes.get(self.at).map_or(1, |&first| vint::vint_bytes_from_first(first));
        Fault::Short(self.at + bytes)
    }
}

/// Appends the shorter forms that `stdx` has not.
pub(crate) fn put_vbytes(out: &mut Vec<u8>, bytes: &[u8]) {
    vint::write_unsigned_vint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a 2-byte length and the bytes, 65,535 at most.
pub(crate) fn put_shortbytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("keys are checked against 65,535 bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
