//! Moments as text, as manifests hold them: `2026-11-22T21:46:45.270Z`.

const MS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since 1970 as text; the fraction is left out when it is zero.
pub(super) fn to_text(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    let (year, month, day) = date_of_days(days);
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60);
    let fraction = match in_day % 1_000 {
        0 => String::new(),
        ms => format!(".{ms:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The reverse of [`to_text`]; `None` for anything else.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let ms = number(format!("{fraction:0<3}").get(..3)?)?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !is_time || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 9_999 {
        return None;
    }
    Some(((days_of_date(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000 + ms)
}

fn number(text: &str) -> Option<i64> {
    let is_short_number = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    is_short_number.then(|| text.parse().ok()).flatten()
}

/// Days are counted from 0000-03-01, so that a leap day is the last of its year, in eras of 400 years.
fn date_of_days(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_in_era + i64::from(month <= 2), month, day)
}

fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, in_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let in_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{from_text, to_text};

    #[track_caller]
    fn check(ms: i64, text: &str) {
        assert_eq!(to_text(ms), text);
        assert_eq!(from_text(text), Some(ms));
    }

    #[test]
    fn moments_are_written_as_cassandra_writes_them() {
        check(1_795_384_005_270, "2026-11-22T21:46:45.270Z");
        check(1_795_384_005_000, "2026-11-22T21:46:45Z");
        check(951_782_400_000, "2000-02-29T00:00:00Z");
        check(0, "1970-01-01T00:00:00Z");
        for day in (0..60_000).step_by(17) {
            assert_eq!(from_text(&to_text(day * 86_400_000 + 1)), Some(day * 86_400_000 + 1));
        }
        for bad in [
            "",
            "Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22",
            "a-b-cTd:e:fZ",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00.abµZ",
            "2026-11-22T21:46Z",
        ] {
            assert_eq!(from_text(bad), None, "{bad}");
        }
    }
}
