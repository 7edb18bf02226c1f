//! Timestamps, dates, times of day and durations: text forms, Cassandra's full ranges.
//!
//! The calendar is the proleptic Gregorian one, in 64-bit numbers: no value is too far away.
//! Never here: the current time (`'now'` is for whoever has a clock) and named time zones but UTC.

mod duration;

pub use duration::Duration;

const DAY_MS: i64 = 86_400_000;
const DAY_NS: i64 = 86_400_000_000_000;
/// The value of a `date` that is 1970-01-01.
const EPOCH_DATE: i64 = 1 << 31;

/// Year, month and day of a day counted from 1970-01-01.
pub fn date_of_day(day: i64) -> (i64, u32, u32) {
    // Counted from 0000-03-01 in cycles of 400 years, so that the leap day is the last of its year.
    let shifted = day + 719_468;
    let (cycle, day_of_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + cycle * 400 + i64::from(month <= 2), month as u32, day)
}

/// The day, counted from 1970-01-01, of a date that exists.
pub fn day_of_date(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    cycle * 146_097 + year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year - 719_468
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn format_year(year: i64) -> String {
    match year {
        10_000.. => format!("+{year}"),
        0.. => format!("{year:04}"),
        _ => format!("-{:04}", year.unsigned_abs()),
    }
}

/// A timestamp (milliseconds since 1970) in UTC: `2011-02-03T04:05:00.000Z`; `separator` stands before the time.
///
/// The year is that of its era, as Cassandra prints it: 0000 comes out as 0001, -0001 as 0002.
pub fn format_timestamp(timestamp_ms: i64, separator: char) -> String {
    let (year, month, day) = date_of_day(timestamp_ms.div_euclid(DAY_MS));
    let year = format_year(if year > 0 { year } else { 1 - year });
    let of_day = timestamp_ms.rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// A date's value as `2012-01-01`; years beyond 9999 have a sign.
pub fn format_date(date: u32) -> String {
    let (year, month, day) = date_of_day(i64::from(date) - EPOCH_DATE);
    format!("{}-{month:02}-{day:02}", format_year(year))
}

/// A time of day as `08:12:54.123456789`; what is no time of day (it can be stored) as a bare number.
pub fn format_time(time_ns: i64) -> String {
    if !(0..DAY_NS).contains(&time_ns) {
        return time_ns.to_string();
    }
    let seconds = time_ns / 1_000_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:09}", time_ns % 1_000_000_000)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Takes `least` to `most` digits off the front of `rest`.
fn take_digits(rest: &mut &str, least: usize, most: usize) -> Option<i64> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, tail) = rest.split_at(count);
    let value = (count >= least).then(|| if count == 0 { Some(0) } else { digits.parse().ok() })??;
    *rest = tail;
    Some(value)
}

fn take(rest: &mut &str, prefix: char) -> Option<()> {
    *rest = rest.strip_prefix(prefix)?;
    Some(())
}

/// A timestamp's text in milliseconds: a number of them, or `2011-02-03`, `2011-02-03 04:05`,
/// `2011-02-03T04:05:06.789+0100` and kin. Without a zone it is UTC.
///
/// Source: the patterns of `TimestampSerializer`. As there, a day past the end of its month is the month's last.
pub fn parse_timestamp(text: &str) -> Result<i64, String> {
    if is_integer(text) {
        return text.parse().map_err(|_| format!("Unable to make long (for date) from: '{text}'"));
    }
    timestamp_of(text).ok_or_else(|| format!("Unable to parse a date/time from '{text}'"))
}

fn timestamp_of(text: &str) -> Option<i64> {
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let has_time = text.contains(':') && text.get(8..)?.contains([' ', 'T']);
    let least = if has_time { 1 } else { 2 };
    let year = take_digits(&mut rest, 4, 4)?;
    let year = if negative { -year } else { year };
    take(&mut rest, '-')?;
    let month = take_digits(&mut rest, least, 2)? as u32;
    take(&mut rest, '-')?;
    let day = take_digits(&mut rest, least, 2)? as u32;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let day = day_of_date(year, month, day.min(days_in_month(year, month)));
    let time = rest.strip_prefix(['T', ' ']).filter(|time| time.starts_with(|c: char| c.is_ascii_digit()));
    let of_day = match time {
        Some(time) => {
            rest = time;
            take_time_ms(&mut rest)?
        }
        None => 0,
    };
    Some(day * DAY_MS + of_day - zone_ms(rest)?)
}

/// `HH:mm[:ss[.fraction]]`; 24:00 is the end of the day.
fn take_time_ms(rest: &mut &str) -> Option<i64> {
    let hour = take_digits(rest, 1, 2)?;
    take(rest, ':')?;
    let minute = take_digits(rest, 1, 2)?;
    let (mut second, mut milli) = (0, 0);
    if take(rest, ':').is_some() {
        second = take_digits(rest, 1, 2)?;
        if take(rest, '.').is_some() {
            let before = rest.len();
            let fraction = take_digits(rest, 0, 9)?;
            let count = (before - rest.len()) as u32;
            milli = fraction * 10_i64.pow(9 - count) / 1_000_000;
        }
    }
    let at_the_end = hour == 24 && minute == 0 && second == 0 && milli == 0;
    if minute > 59 || second > 59 || (hour > 23 && !at_the_end) {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

/// The offset at the end of a timestamp: nothing, `Z`, `+01`, `+0100`, `-01:30`, ` UTC`.
fn zone_ms(text: &str) -> Option<i64> {
    let zone = text.strip_prefix(' ').unwrap_or(text);
    match zone {
        "" => return text.is_empty().then_some(0),
        "Z" => return Some(0),
        "UTC" | "GMT" | "UT" => return (text != zone).then_some(0),
        _ => {}
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let mut rest = zone.strip_prefix(['+', '-'])?;
    let hours = take_digits(&mut rest, 2, 2)?;
    let minutes = match rest {
        "" => 0,
        _ => {
            rest = rest.strip_prefix(':').unwrap_or(rest);
            take_digits(&mut rest, 2, 2)?
        }
    };
    let offset = hours * 60 + minutes;
    (rest.is_empty() && minutes < 60 && offset <= 18 * 60).then_some(sign * offset * 60_000)
}

/// A date's text: the value itself as a number (2147483648 is 1970-01-01), or `2012-01-01`.
pub fn parse_date(text: &str) -> Result<u32, String> {
    if is_integer(text) {
        return text.parse().map_err(|_| format!("Unable to make unsigned int (for date) from: '{text}'"));
    }
    let day = day_of(text).ok_or_else(|| format!("Unable to coerce '{text}' to a formatted date (long)"))?;
    u32::try_from(day + EPOCH_DATE).map_err(|_| match day {
        ..0 => format!("Input date {text} is less than min supported date -5877641-06-23T00:00Z"),
        _ => format!("Input date {text} is greater than max supported date +5881580-07-11T00:00Z"),
    })
}

fn day_of(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.chars().next()? {
        sign @ ('+' | '-') => (Some(sign), &text[1..]),
        _ => (None, text),
    };
    let before = rest.len();
    let year = take_digits(&mut rest, 4, if sign.is_some() { 9 } else { 4 })?;
    if sign == Some('+') && before - rest.len() == 4 {
        return None;
    }
    let year = if sign == Some('-') { -year } else { year };
    take(&mut rest, '-')?;
    let month = take_digits(&mut rest, 2, 2)? as u32;
    take(&mut rest, '-')?;
    let day = take_digits(&mut rest, 2, 2)? as u32;
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    (exists && rest.is_empty()).then(|| day_of_date(year, month, day))
}

/// A time's text in nanoseconds: a number of them, or `08:12:54` with up to nine digits after a point.
pub fn parse_time(text: &str) -> Result<i64, String> {
    if is_integer(text) {
        let number = text.parse().ok().filter(|time_ns| (0..DAY_NS).contains(time_ns));
        return number.ok_or_else(|| format!("Unable to make long (for time) from: '{text}'"));
    }
    time_of(text.trim())
        .ok_or_else(|| format!("(TimeType) Unable to coerce '{text}' to a formatted time (long)"))
}

fn time_of(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let below = |limit: i64, text: Option<&str>| text?.parse().ok().filter(|part| (0..limit).contains(part));
    let hour = below(24, parts.next())?;
    let minute = below(60, parts.next())?;
    let seconds = parts.next()?;
    let (second, fraction) = seconds.split_once('.').map_or((seconds, None), |(a, b)| (a, Some(b)));
    let second = below(60, Some(second))?;
    let nanos = match fraction {
        None => 0,
        Some(mut digits) => {
            let count = digits.len() as u32;
            let value = take_digits(&mut digits, 1, 9)?;
            digits.is_empty().then(|| value * 10_i64.pow(9 - count))?
        }
    };
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}
