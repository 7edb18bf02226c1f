//! Times as milliseconds, the calendar, and durations added to them.

use bytes::Bytes;
use model::CqlType;
use stdx::vint;
use uuid::Uuid;

use super::Function;

/// 100 ns units between 1582-10-15 and 1970-01-01.
const UUID_EPOCH_OFFSET: u64 = 0x01b2_1dd2_1381_4000;
/// Days of the date type at 1970-01-01.
const DATE_EPOCH: i64 = 1 << 31;
/// Milliseconds of a day.
pub const MS_PER_DAY: i64 = 86_400_000;
/// Nanoseconds of a day.
pub const NS_PER_DAY: i64 = MS_PER_DAY * 1_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// A function that turns one kind of time into another: a timeuuid, timestamp or date into a timestamp, date or
/// number of milliseconds.
pub fn conversion(name: &str, from: CqlType, to: CqlType) -> Function {
    let (source, target) = (from.clone(), to.clone());
    Function::native(name, vec![from], to, move |values, _| {
        let Some(value) = &values[0] else { return Ok(None) };
        Ok(millis(&source, value).map(|millis| write(&target, millis).into()))
    })
}

/// A time in its type: days for a date, milliseconds for all others.
pub fn write(ty: &CqlType, millis: i64) -> Vec<u8> {
    if *ty == CqlType::Date { date_of(millis) } else { millis.to_be_bytes().to_vec() }
}

/// The date of that millisecond. Cassandra rounds seconds down but days towards 1970: the last day before it is empty.
pub fn date_of(millis: i64) -> Vec<u8> {
    let days = millis.div_euclid(1000) / (MS_PER_DAY / 1000) + DATE_EPOCH;
    (days.clamp(0, i64::from(u32::MAX)) as u32).to_be_bytes().to_vec()
}

/// Milliseconds since 1970 of a timeuuid, timestamp or date.
pub fn millis(ty: &CqlType, value: &Bytes) -> Option<i64> {
    match ty {
        CqlType::Timeuuid => {
            let uuid = Uuid::from_slice(value).ok()?;
            let (ticks, _) = uuid.get_timestamp()?.to_gregorian();
            Some((ticks as i64 - UUID_EPOCH_OFFSET as i64).div_euclid(10_000))
        }
        CqlType::Date => {
            let days = u32::from_be_bytes(value.as_ref().try_into().ok()?);
            Some((i64::from(days) - DATE_EPOCH) * MS_PER_DAY)
        }
        _ => Some(i64::from_be_bytes(value.as_ref().try_into().ok()?)),
    }
}

/// A version 1 uuid of that millisecond plus `extra_ticks`, with the given low half.
pub fn time_uuid(millis: i64, extra_ticks: u64, low: u64) -> Vec<u8> {
    let ticks =
        (millis as u64).wrapping_mul(10_000).wrapping_add(UUID_EPOCH_OFFSET).wrapping_add(extra_ticks);
    let high = (ticks << 32) | ((ticks >> 16) & 0xffff_0000) | 0x1000 | ((ticks >> 48) & 0x0fff);
    [high.to_be_bytes(), low.to_be_bytes()].concat()
}

/// A duration: its parts are not converted into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    /// Months of any length.
    pub months: i64,
    /// Days of any length.
    pub days: i64,
    /// Nanoseconds.
    pub nanoseconds: i64,
}

impl Duration {
    /// From the serialised form: three zigzag vints.
    pub fn read(bytes: &[u8]) -> Option<Duration> {
        let mut rest = bytes;
        let mut next = || {
            let (raw, taken) = vint::read_unsigned_vint(rest).ok()?;
            rest = &rest[taken..];
            Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
        };
        Some(Duration { months: next()?, days: next()?, nanoseconds: next()? })
    }

    /// Later by this duration (`sign` 1) or earlier (-1). A day that a month does not have becomes its last.
    pub fn add_to(&self, millis: i64, sign: i64) -> i64 {
        let moved =
            if self.months == 0 { millis } else { add_months(millis, sign.saturating_mul(self.months)) };
        let days = self.days.saturating_mul(MS_PER_DAY);
        moved
            .saturating_add(sign.saturating_mul(days))
            .saturating_add(sign.saturating_mul(self.nanoseconds / NS_PER_MS))
    }

    /// The last `start + n * self` that is not after `time`; `start` is not after `time`, no part is negative.
    pub fn floor(&self, time: i64, start: i64) -> i64 {
        let fixed = self.days.saturating_mul(MS_PER_DAY).saturating_add(self.nanoseconds / NS_PER_MS);
        if self.months == 0 {
            return time - (time - start).checked_rem(fixed).unwrap_or(0);
        }
        let times = |n: i64| Duration {
            months: self.months.saturating_mul(n),
            days: self.days.saturating_mul(n),
            nanoseconds: self.nanoseconds.saturating_mul(n),
        };
        // No month is shorter than 28 days, so this many of them reach beyond `time`.
        let (mut low, mut high) = (0, (time - start) / (28 * MS_PER_DAY) + 2);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if times(middle).add_to(start, 1) <= time {
                low = middle;
            } else {
                high = middle;
            }
        }
        times(low).add_to(start, 1)
    }
}

fn add_months(millis: i64, months: i64) -> i64 {
    let (days, in_day) = (millis.div_euclid(MS_PER_DAY), millis.rem_euclid(MS_PER_DAY));
    let (year, month, day) = civil_of_days(days);
    let total = year.saturating_mul(12).saturating_add(month - 1).saturating_add(months);
    // Beyond any date that a type of CQL can hold.
    let total = total.clamp(-4_000_000_000, 4_000_000_000);
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let next_month =
        if month == 12 { days_of_civil(year + 1, 1, 1) } else { days_of_civil(year, month + 1, 1) };
    let length = next_month - days_of_civil(year, month, 1);
    days_of_civil(year, month, day.min(length)).saturating_mul(MS_PER_DAY).saturating_add(in_day)
}

/// Year, month from 1, day from 1 of a day since 1970 in the proleptic Gregorian calendar.
fn civil_of_days(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that a leap day ends its year; an era is 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
