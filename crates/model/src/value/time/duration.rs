//! Durations: months, days and nanoseconds, none of which can be turned into another.

use std::fmt;

use stdx::vint::{read_vint, write_vint};

/// A span of time; the three parts never differ in sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Duration {
    /// Months.
    pub months: i32,
    /// Days, of 23 to 25 hours.
    pub days: i32,
    /// Nanoseconds.
    pub nanos: i64,
}

/// Units in the order in which they must stand: symbol, plural for error texts, what one counts.
const UNITS: [(&str, &str, Part); 10] = [
    ("y", "years", Part::Months(12)),
    ("mo", "months", Part::Months(1)),
    ("w", "weeks", Part::Days(7)),
    ("d", "days", Part::Days(1)),
    ("h", "hours", Part::Nanos(3_600_000_000_000)),
    ("m", "minutes", Part::Nanos(60_000_000_000)),
    ("s", "seconds", Part::Nanos(1_000_000_000)),
    ("ms", "milliseconds", Part::Nanos(1_000_000)),
    ("us", "microseconds", Part::Nanos(1000)),
    ("ns", "nanoseconds", Part::Nanos(1)),
];

#[derive(Clone, Copy)]
enum Part {
    Months(i64),
    Days(i64),
    Nanos(i64),
}

impl Duration {
    /// Reads the serialised form: three signed vints.
    pub fn from_bytes(value: &[u8]) -> Option<Duration> {
        let (months, taken) = read_vint(value).ok()?;
        let rest = &value[taken..];
        let (days, taken) = read_vint(rest).ok()?;
        let (nanos, _) = read_vint(&rest[taken..]).ok()?;
        Some(Duration { months: months.try_into().ok()?, days: days.try_into().ok()?, nanos })
    }

    /// The serialised form.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(9);
        write_vint(&mut bytes, i64::from(self.months));
        write_vint(&mut bytes, i64::from(self.days));
        write_vint(&mut bytes, self.nanos);
        bytes
    }

    /// Reads `1y2mo3d4h5m6s7ms8us9ns` and ISO 8601: `P1Y2M3DT4H5M6S`, `P2W`, `P0001-02-03T04:05:06`.
    /// Source: `Duration.from`.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let (negative, source) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let mut builder = Builder { parts: [0; 3], unit: None };
        let read = match source.strip_prefix('P') {
            Some(iso) if source.ends_with('W') => builder.read_iso(iso, "W", ""),
            Some(iso) if source.contains('-') => builder.read_alternative(iso),
            Some(iso) => builder.read_iso(iso, "YMD", "HMS"),
            None if source.is_empty() => Ok(None),
            None => builder.read_units(source),
        };
        read?.ok_or_else(|| format!("Unable to convert '{source}' to a duration"))?;
        let sign = if negative { -1 } else { 1 };
        let [months, days, nanos] = builder.parts.map(|part| sign * part);
        let small = |part: i64| i32::try_from(part).expect("limited when it was added");
        Ok(Duration { months: small(months), days: small(days), nanos })
    }
}

/// `None` is text of another form, `Err` a fault that has its own text.
type Read = Result<Option<()>, String>;

/// Sums what was read, all of it positive.
struct Builder {
    parts: [i64; 3],
    unit: Option<usize>,
}

impl Builder {
    fn add(&mut self, unit: usize, digits: &str) -> Result<(), String> {
        let names = |unit: usize| UNITS[unit].1;
        match self.unit {
            Some(last) if last == unit => {
                return Err(format!("Invalid duration. The {} are specified multiple times", names(unit)));
            }
            Some(last) if last > unit => {
                return Err(format!("Invalid duration. The {} should be after {}", names(last), names(unit)));
            }
            _ => self.unit = Some(unit),
        }
        let count: i64 = digits.parse().map_err(|_| format!("For input string: \"{digits}\""))?;
        let (part, one, limit, total) = match UNITS[unit].2 {
            Part::Months(one) => (0, one, i64::from(i32::MAX), "months"),
            Part::Days(one) => (1, one, i64::from(i32::MAX), "days"),
            Part::Nanos(one) => (2, one, i64::MAX, "nanoseconds"),
        };
        let sum = count.checked_mul(one).and_then(|more| more.checked_add(self.parts[part]));
        // Cassandra names the limit of an int even for nanoseconds.
        self.parts[part] = sum.filter(|sum| *sum <= limit).ok_or_else(|| {
            format!("Invalid duration. The total number of {total} must be less or equal to 2147483647")
        })?;
        Ok(())
    }

    /// Numbers, each with its unit in letters of either case.
    fn read_units(&mut self, mut rest: &str) -> Read {
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let digits_count = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, tail) = rest.split_at(digits_count);
            let symbol_bytes = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (symbol, tail) = tail.split_at(symbol_bytes);
            let symbol = symbol.to_ascii_lowercase().replace('µ', "u");
            let unit = UNITS.iter().position(|(known, _, _)| *known == symbol);
            let (Some(unit), false) = (unit, digits.is_empty()) else { return Ok(None) };
            pieces.push((unit, digits));
            rest = tail;
        }
        for (unit, digits) in pieces {
            self.add(unit, digits)?;
        }
        Ok(Some(()))
    }

    /// Designators of ISO 8601, each at most once and in this order; those of the time after a `T`.
    fn read_iso(&mut self, text: &str, date: &str, time: &str) -> Read {
        let (before, after) = match text.split_once('T') {
            Some((before, after)) if !time.is_empty() => (before, after),
            _ => (text, ""),
        };
        for (mut rest, designators, is_time) in [(before, date, false), (after, time, true)] {
            let mut allowed = designators;
            while !rest.is_empty() {
                let digits_count = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, tail) = rest.split_at(digits_count);
                let Some(designator) = tail.chars().next().filter(|_| digits_count > 0) else {
                    return Ok(None);
                };
                let Some(at) = allowed.find(designator) else { return Ok(None) };
                allowed = &allowed[at + 1..];
                let unit = match (designator, is_time) {
                    ('Y', _) => 0,
                    ('M', false) => 1,
                    ('W', _) => 2,
                    ('D', _) => 3,
                    ('H', _) => 4,
                    ('M', true) => 5,
                    _ => 6,
                };
                self.add(unit, digits)?;
                rest = &tail[1..];
            }
        }
        Ok(Some(()))
    }

    /// `YYYY-MM-DDThh:mm:ss`, each a number of its own whatever the calendar says.
    fn read_alternative(&mut self, text: &str) -> Read {
        const FORM: &str = "0000-00-00T00:00:00";
        let fits =
            |(found, wanted): (u8, u8)| if wanted == b'0' { found.is_ascii_digit() } else { found == wanted };
        if text.len() != FORM.len() || !text.bytes().zip(FORM.bytes()).all(fits) {
            return Ok(None);
        }
        for (unit, range) in [(0, 0..4), (1, 5..7), (3, 8..10), (4, 11..13), (5, 14..16), (6, 17..19)] {
            self.add(unit, &text[range])?;
        }
        Ok(Some(()))
    }
}

/// `-1y2mo3d4h5m6s7ms8us9ns`; nothing at all for no time.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.months < 0 || self.days < 0 || self.nanos < 0 {
            f.write_str("-")?;
        }
        let mut rest = [
            u64::from(self.months.unsigned_abs()),
            u64::from(self.days.unsigned_abs()),
            self.nanos.unsigned_abs(),
        ];
        for (symbol, _, part) in UNITS.iter().filter(|(symbol, _, _)| *symbol != "w") {
            let (index, one) = match part {
                Part::Months(one) => (0, one),
                Part::Days(one) => (1, one),
                Part::Nanos(one) => (2, one),
            };
            let one = one.unsigned_abs();
            if rest[index] >= one {
                write!(f, "{}{symbol}", rest[index] / one)?;
                rest[index] %= one;
            }
        }
        Ok(())
    }
}
