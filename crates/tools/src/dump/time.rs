//! Moments as text.

use model::value::time::date_of_day;

const DAY_S: i64 = 86_400;

/// Microseconds as Java's `Instant` prints them; like the tool, seconds are cut towards zero while the rest is
/// counted upwards, so that moments before 1970 are a second off.
pub(crate) fn instant_us(timestamp_us: i64) -> String {
    let nanos = i64::try_from(i128::from(timestamp_us) * 1000).unwrap_or(if timestamp_us < 0 {
        i64::MIN
    } else {
        i64::MAX
    });
    instant(timestamp_us / 1_000_000, nanos.rem_euclid(1_000_000_000))
}

/// Seconds likewise.
pub(crate) fn instant_s(second: i64) -> String {
    instant(second, 0)
}

fn instant(second: i64, nanos: i64) -> String {
    let (year, month, day) = date_of_day(second.div_euclid(DAY_S));
    let of_day = second.rem_euclid(DAY_S);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        10_000.. => format!("+{year}"),
        _ => format!("-{:04}", -year),
    };
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = match nanos {
        0 => String::new(),
        n if n % 1_000_000 == 0 => format!(".{:03}", n / 1_000_000),
        n if n % 1000 == 0 => format!(".{:06}", n / 1000),
        n => format!(".{n:09}"),
    };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// `11/22/2026 17:09:09`, in UTC.
pub(crate) fn american(second: i64) -> String {
    let (year, month, day) = date_of_day(second.div_euclid(DAY_S));
    let of_day = second.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}")
}
