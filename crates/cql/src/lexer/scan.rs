//! The shapes of tokens.

use super::{Kind, LexError, LexProblem};

/// Longest keyword: `MAXWRITETIME`, `SELECT_MASKED`; one more is room to see that a word is longer.
const KEYWORD_BYTES_MAX: usize = 16;

/// A place in the text; [`Scanner::next_token`] moves it.
pub(super) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// Byte offset of the next token.
    pub at: usize,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, bytes: text.as_bytes(), at: 0 }
    }

    /// Reads one token and moves behind it.
    pub fn next_token(&mut self) -> Result<Kind, LexError> {
        let Some(first) = self.peek(0) else {
            return Ok(Kind::Eof);
        };
        match first {
            b' ' | b'\t' | b'\n' | b'\r' => Ok(self.space()),
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' => self.word(),
            b'\'' => self.string(),
            b'$' => self.dollar_string(),
            b'"' => self.quoted_name(),
            b'-' => self.minus(),
            b'/' => match self.peek(1) {
                Some(b'/') => self.line_comment(),
                Some(b'*') => self.block_comment(),
                _ => Ok(self.take(1, Kind::Slash)),
            },
            _ => self.sign(first),
        }
    }

    fn sign(&mut self, first: u8) -> Result<Kind, LexError> {
        let equal_follows = self.peek(1) == Some(b'=');
        let (bytes, kind) = match first {
            b'?' => (1, Kind::Question),
            b'%' => (1, Kind::Percent),
            b'(' => (1, Kind::Open),
            b')' => (1, Kind::Close),
            b',' => (1, Kind::Comma),
            b':' => (1, Kind::Colon),
            b';' => (1, Kind::Semicolon),
            b'=' => (1, Kind::Equal),
            b'[' => (1, Kind::OpenBracket),
            b']' => (1, Kind::CloseBracket),
            b'*' => (1, Kind::Star),
            b'{' => (1, Kind::OpenBrace),
            b'}' => (1, Kind::CloseBrace),
            b'.' if self.peek(1) == Some(b'.') => (2, Kind::Range),
            b'.' => (1, Kind::Dot),
            b'+' if equal_follows => (2, Kind::PlusEqual),
            b'+' => (1, Kind::Plus),
            b'<' if equal_follows => (2, Kind::LessEqual),
            b'<' => (1, Kind::Less),
            b'>' if equal_follows => (2, Kind::GreaterEqual),
            b'>' => (1, Kind::Greater),
            b'!' if equal_follows => (2, Kind::NotEqual),
            b'!' => return Err(self.error(1, LexProblem::Expecting('='))),
            _ => return Err(self.error(0, LexProblem::NoViable)),
        };
        Ok(self.take(bytes, kind))
    }

    fn minus(&mut self) -> Result<Kind, LexError> {
        match self.peek(1) {
            Some(b'-') => self.line_comment(),
            Some(b'=') => Ok(self.take(2, Kind::MinusEqual)),
            Some(b'n' | b'N') => self.rest_of_word(b"NAN", Kind::NegativeNan),
            Some(b'i' | b'I') => self.rest_of_word(b"INFINITY", Kind::NegativeInfinity),
            Some(b'P') => self.negative_iso_duration(),
            Some(b'0'..=b'9') => {
                let digits = self.run(1, u8::is_ascii_digit);
                match self.peek(digits) {
                    Some(b'.' | b'e' | b'E') => self.float(digits),
                    _ if self.unit_follows(digits, true) => self.duration(digits),
                    _ => Ok(self.take(digits, Kind::Integer)),
                }
            }
            _ => Ok(self.take(1, Kind::Minus)),
        }
    }

    /// A sign and then exactly these letters in any case; what follows them is another token.
    fn rest_of_word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, LexError> {
        for (index, letter) in word.iter().enumerate() {
            if self.peek(1 + index).is_none_or(|found| found.to_ascii_uppercase() != *letter) {
                return Err(self.error(1 + index, LexProblem::ExpectingSet));
            }
        }
        Ok(self.take(1 + word.len(), kind))
    }

    fn space(&mut self) -> Kind {
        let end = self.run(1, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.take(end, Kind::Space)
    }

    fn line_comment(&mut self) -> Result<Kind, LexError> {
        let end = self.run(2, |byte| !matches!(byte, b'\n' | b'\r'));
        match self.peek(end) {
            Some(_) => Ok(self.take(end + 1, Kind::Comment)),
            None => Err(self.error(end, LexProblem::ExpectingSet)),
        }
    }

    fn block_comment(&mut self) -> Result<Kind, LexError> {
        match self.text[self.at + 2..].find("*/") {
            Some(inside) => Ok(self.take(2 + inside + 2, Kind::Comment)),
            None => {
                let half_closed = self.text[self.at + 2..].ends_with('*');
                let wanted = if half_closed { '/' } else { '*' };
                Err(self.error(self.bytes.len() - self.at, LexProblem::Expecting(wanted)))
            }
        }
    }

    fn string(&mut self) -> Result<Kind, LexError> {
        let end = self.end_of_quotes(1, b'\'', '\'')?;
        Ok(self.take(end, Kind::String))
    }

    fn quoted_name(&mut self) -> Result<Kind, LexError> {
        match (self.peek(1), self.peek(2)) {
            (None, _) => Err(self.error(1, LexProblem::NoViable)),
            (Some(b'"'), Some(b'"')) => {
                let end = self.end_of_quotes(1, b'"', '"')?;
                Ok(self.take(end, Kind::QuotedName))
            }
            (Some(b'"'), _) => Ok(self.take(2, Kind::EmptyQuotedName)),
            _ => {
                let end = self.end_of_quotes(1, b'"', '"')?;
                Ok(self.take(end, Kind::QuotedName))
            }
        }
    }

    /// Offset behind the closing quote; two in a row are one of the content.
    fn end_of_quotes(&self, from: usize, quote: u8, shown: char) -> Result<usize, LexError> {
        let mut end = from;
        loop {
            end = self.run(end, |&byte| byte != quote);
            match (self.peek(end), self.peek(end + 1)) {
                (Some(_), Some(next)) if next == quote => end += 2,
                (Some(_), _) => return Ok(end + 1),
                (None, _) => return Err(self.error(end, LexProblem::Expecting(shown))),
            }
        }
    }

    fn dollar_string(&mut self) -> Result<Kind, LexError> {
        if self.peek(1) != Some(b'$') {
            return Err(self.error(1, LexProblem::Expecting('$')));
        }
        let inside = &self.text[self.at + 2..];
        if let Some(bytes) = inside.find("$$") {
            return Ok(self.take(2 + bytes + 2, Kind::String));
        }
        // Cassandra gives up one character before the end, unless that one is a dollar.
        let last = inside.chars().next_back().filter(|&last| last != '$');
        let end = 2 + inside.len() - last.map_or(0, char::len_utf8);
        Err(self.error(end, LexProblem::Expecting('$')))
    }

    fn word(&mut self) -> Result<Kind, LexError> {
        if self.text[self.at..].starts_with("expr(") {
            return Ok(self.take(5, Kind::ExprOpen));
        }
        let end = self.run(0, |byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let word = &self.bytes[self.at..self.at + end];
        if end == 8 && self.peek(8) == Some(b'-') && word.iter().all(u8::is_ascii_hexdigit) {
            return self.uuid();
        }
        if word[0] == b'P' && matches!(word.get(1), Some(b'0'..=b'9' | b'T')) {
            let digits = word[1..].iter().filter(|byte| byte.is_ascii_digit()).count();
            if end == 5 && digits == 4 && self.peek(5) == Some(b'-') {
                return self.iso_timestamp_duration();
            }
            if iso_duration(word) {
                return Ok(self.take(end, Kind::Duration));
            }
        }
        let kind = keyword(word).unwrap_or(Kind::Ident);
        Ok(self.take(end, kind))
    }

    /// Digits begin an integer, a float, a duration, a blob or a UUID.
    fn number(&mut self) -> Result<Kind, LexError> {
        let digits = self.run(0, u8::is_ascii_digit);
        if self.peek(0) == Some(b'0') && digits == 1 && matches!(self.peek(1), Some(b'x' | b'X')) {
            let end = self.run(2, u8::is_ascii_hexdigit);
            return Ok(self.take(end, Kind::Hex));
        }
        match self.peek(digits) {
            Some(b'.') => self.float(digits),
            Some(b'-') if digits == 8 => self.uuid(),
            Some(b'a'..=b'c' | b'A'..=b'C' | b'f' | b'F') if digits < 8 => self.uuid(),
            Some(b'e' | b'E') if digits < 8 => self.float_or_uuid(digits),
            Some(b'e' | b'E') => self.float(digits),
            Some(b'd' | b'D') if digits < 8 => self.duration_or_uuid(digits),
            _ if self.unit_follows(digits, true) => self.duration(digits),
            _ => Ok(self.take(digits, Kind::Integer)),
        }
    }

    /// `1e5` may become a float or, with more hex digits, a UUID.
    fn float_or_uuid(&mut self, digits: usize) -> Result<Kind, LexError> {
        let mut end = digits + 1;
        match self.peek(end) {
            Some(b'+') => return self.float(digits),
            Some(b'-') if end < 8 => return self.float(digits),
            Some(b'-') => return self.float_or_uuid_behind_minus(digits, end + 1),
            Some(byte) if byte.is_ascii_hexdigit() => {}
            _ => return Err(self.error(end, LexProblem::NoViable)),
        }
        while end < 8 && self.peek(end).is_some_and(|byte| byte.is_ascii_digit()) {
            end += 1;
        }
        match self.peek(end) {
            Some(byte) if end < 8 && byte.is_ascii_hexdigit() => self.uuid(),
            Some(b'-') if end == 8 => self.uuid(),
            _ => self.float(digits),
        }
    }

    /// `1234567e-12` is a float until a hex letter comes, or a second `-` behind four digits.
    fn float_or_uuid_behind_minus(&mut self, digits: usize, start: usize) -> Result<Kind, LexError> {
        let end = self.run(start, u8::is_ascii_digit);
        match self.peek(end) {
            Some(byte) if end < start + 4 && byte.is_ascii_hexdigit() => self.uuid(),
            Some(b'-') if end == start + 4 => self.uuid(),
            _ if end == start => Err(self.error(end, LexProblem::NoViable)),
            _ => self.float(digits),
        }
    }

    /// `1d5` may become a duration or, with more hex digits, a UUID.
    fn duration_or_uuid(&mut self, digits: usize) -> Result<Kind, LexError> {
        let mut end = digits + 1;
        loop {
            // Behind a `d`.
            match self.peek(end) {
                Some(b'-') if end == 8 => return self.uuid(),
                Some(byte) if end < 8 && byte.is_ascii_digit() => {}
                Some(byte) if end < 8 && byte.is_ascii_hexdigit() => return self.uuid(),
                _ => return self.duration(digits),
            }
            end = self.run(end, u8::is_ascii_digit);
            match self.peek(end) {
                Some(b'-') if end == 8 => return self.uuid(),
                Some(b'd' | b'D') if end < 8 => end += 1,
                _ if self.unit_follows(end, true) => return self.duration(digits),
                Some(byte) if end < 8 && byte.is_ascii_hexdigit() => return self.uuid(),
                _ => return Err(self.error(end, LexProblem::NoViable)),
            }
        }
    }

    /// The integer ends at `integer_end`; behind it `..` is a range, `...` a float and a range.
    fn float(&mut self, integer_end: usize) -> Result<Kind, LexError> {
        let mut end = integer_end;
        if self.peek(end) == Some(b'.') {
            match (self.peek(end + 1), self.peek(end + 2)) {
                (Some(b'.'), Some(b'.')) => return Ok(self.take(end + 1, Kind::Float)),
                (Some(b'.'), _) => return Ok(self.take(end, Kind::Integer)),
                _ => end = self.run(end + 1, u8::is_ascii_digit),
            }
        }
        if matches!(self.peek(end), Some(b'e' | b'E')) {
            end += 1;
            if matches!(self.peek(end), Some(b'+' | b'-')) {
                end += 1;
            }
            let exponent_end = self.run(end, u8::is_ascii_digit);
            if exponent_end == end {
                return Err(self.error(end, LexProblem::EmptyLoop));
            }
            end = exponent_end;
        }
        Ok(self.take(end, Kind::Float))
    }

    /// The first number ends at `digits_end` and a unit follows.
    fn duration(&mut self, digits_end: usize) -> Result<Kind, LexError> {
        let mut end = digits_end;
        loop {
            end = self.unit(end)?;
            if !self.peek(end).is_some_and(|byte| byte.is_ascii_digit()) {
                return Ok(self.take(end, Kind::Duration));
            }
            end = self.run(end, u8::is_ascii_digit);
        }
    }

    /// Whether a duration's unit, at least its first letter, stands at `from`.
    fn unit_follows(&self, from: usize, days: bool) -> bool {
        match self.peek(from).map(|byte| byte.to_ascii_lowercase()) {
            Some(b'd') => days,
            Some(b'y' | b'm' | b'w' | b'h' | b's' | b'u' | b'n') => true,
            Some(_) => self.text[self.at..].get(from..).is_some_and(|rest| rest.starts_with('µ')),
            None => false,
        }
    }

    /// Offset behind the unit at `from`.
    fn unit(&self, from: usize) -> Result<usize, LexError> {
        let second = self.peek(from + 1).map(|byte| byte.to_ascii_lowercase());
        match self.peek(from).map(|byte| byte.to_ascii_lowercase()) {
            Some(b'm') if matches!(second, Some(b'o' | b's')) => Ok(from + 2),
            Some(b'y' | b'm' | b'w' | b'd' | b'h' | b's') => Ok(from + 1),
            Some(b'u' | b'n') if second == Some(b's') => Ok(from + 2),
            Some(b'u' | b'n') => Err(self.error(from + 1, LexProblem::ExpectingSet)),
            Some(_) if self.unit_follows(from, true) => {
                let micro_end = from + 'µ'.len_utf8();
                match self.peek(micro_end) {
                    Some(b's' | b'S') => Ok(micro_end + 1),
                    _ => Err(self.error(micro_end, LexProblem::ExpectingSet)),
                }
            }
            _ => Err(self.error(from, LexProblem::NoViable)),
        }
    }

    fn uuid(&mut self) -> Result<Kind, LexError> {
        let mut end = 0;
        for (group, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            if group > 0 {
                if self.peek(end) != Some(b'-') {
                    return Err(self.error(end, LexProblem::Expecting('-')));
                }
                end += 1;
            }
            for _ in 0..digits {
                if !self.peek(end).is_some_and(|byte| byte.is_ascii_hexdigit()) {
                    return Err(self.error(end, LexProblem::ExpectingSet));
                }
                end += 1;
            }
        }
        Ok(self.take(end, Kind::Uuid))
    }

    fn negative_iso_duration(&mut self) -> Result<Kind, LexError> {
        let end = self.run(1, u8::is_ascii_alphanumeric);
        let word = &self.bytes[self.at + 1..self.at + end];
        if word.len() == 5 && word[1..].iter().all(u8::is_ascii_digit) && self.peek(end) == Some(b'-') {
            return self.iso_timestamp_duration();
        }
        // Nothing else can begin like this, so the longest part that is a duration is one.
        match (2..=word.len()).rev().find(|&bytes| iso_duration(&word[..bytes])) {
            Some(bytes) => Ok(self.take(1 + bytes, Kind::Duration)),
            None => {
                let digits = self.run(2, u8::is_ascii_digit);
                Err(self.error(digits, LexProblem::NoViable))
            }
        }
    }

    /// `P0001-02-03T04:05:06`, maybe with a minus in front.
    fn iso_timestamp_duration(&mut self) -> Result<Kind, LexError> {
        let shape = "P0000-00-00T00:00:00";
        let mut end = usize::from(self.peek(0) == Some(b'-'));
        for wanted in shape.chars() {
            let found = self.peek(end);
            if wanted == '0' && !found.is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.error(end, LexProblem::ExpectingSet));
            }
            if wanted != '0' && found.map(char::from) != Some(wanted) {
                return Err(self.error(end, LexProblem::Expecting(wanted)));
            }
            end += 1;
        }
        Ok(self.take(end, Kind::Duration))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Offset behind the bytes from `from` on that `belongs` accepts.
    fn run(&self, from: usize, belongs: impl Fn(&u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at + from..).unwrap_or_default();
        from + rest.iter().position(|byte| !belongs(byte)).unwrap_or(rest.len())
    }

    fn take(&mut self, bytes: usize, kind: Kind) -> Kind {
        self.at += bytes;
        kind
    }

    fn error(&self, ahead: usize, why: LexProblem) -> LexError {
        LexError { at: self.at + ahead, why }
    }
}

fn keyword(word: &[u8]) -> Option<Kind> {
    let mut upper = [0; KEYWORD_BYTES_MAX];
    let upper = upper.get_mut(..word.len())?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    Kind::keyword(str::from_utf8(upper).ok()?)
}

/// Whether the word is all of `P1Y2M3DT4H5M6S` or `P7W`: parts in order, at least one, capital letters.
fn iso_duration(word: &[u8]) -> bool {
    let Some(rest) = word.strip_prefix(b"P") else {
        return false;
    };
    if let Some((b'W', digits)) = rest.split_last() {
        return !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    }
    let (date, time) = match rest.iter().position(|&byte| byte == b'T') {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    match time {
        Some(time) => (date.is_empty() || iso_parts(date, b"YMD")) && iso_parts(time, b"HMS"),
        None => iso_parts(date, b"YMD"),
    }
}

/// One or more numbers, each with one of the designators, in that order.
fn iso_parts(mut text: &[u8], mut designators: &[u8]) -> bool {
    if text.is_empty() {
        return false;
    }
    while !text.is_empty() {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some(&designator) = text.get(digits) else {
            return false;
        };
        match designators.iter().position(|&known| known == designator) {
            Some(at) if digits > 0 => designators = &designators[at + 1..],
            _ => return false,
        }
        text = &text[digits + 1..];
    }
    true
}
