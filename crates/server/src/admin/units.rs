//! Numbers as Cassandra prints them.

/// A size: `110 bytes`, `5.2 KiB`, `14.72 KiB`. Source: `FileUtils.stringifyFileSize`.
pub fn bytes(bytes: f64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in units {
        let one = (1_u64 << shift) as f64;
        if bytes >= one {
            return format!("{} {unit}", up_to_two_digits(bytes / one));
        }
    }
    format!("{} bytes", bytes as u64)
}

/// A size by powers of 1024 with three digits behind the point: `14.729KiB`, `0B`. Source: `FBUtilities.prettyPrintMemory`.
pub fn short_bytes(bytes: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift {
            return format!("{:.3}{unit}", bytes as f64 / (1_u64 << shift) as f64);
        }
    }
    format!("{bytes}B")
}

/// At most two digits behind the point, without zeros at the end.
fn up_to_two_digits(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// As Java prints a double.
pub fn java_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    cql::describe::java_double(number)
}

/// Milliseconds since 1970: `2026-11-22T21:46:45.270Z`; nothing for none.
pub fn moment(ms: Option<i64>) -> String {
    ms.map(storage::snapshot::moment_text).unwrap_or_default()
}

/// Milliseconds since 1970 as Java's `LocalDateTime` prints them: zeros at the end are left out. The zone is UTC.
pub fn local_moment(ms: i64) -> String {
    let text = storage::snapshot::moment_text(ms);
    let text = text.trim_end_matches('Z');
    let text = text.strip_suffix(".000").unwrap_or(text);
    let has_seconds = !text.contains('.') && text.ends_with(":00");
    text.strip_suffix(":00").filter(|_| has_seconds).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{bytes, local_moment, short_bytes};

    #[test]
    fn moments_end_where_java_ends_them() {
        let texts =
            [1_795_398_464_585, 1_795_398_464_000, 1_795_398_420_000, 1_795_398_420_100].map(local_moment);
        let want =
            ["2026-11-23T01:47:44.585", "2026-11-23T01:47:44", "2026-11-23T01:47", "2026-11-23T01:47:00.100"];
        assert_eq!(texts, want);
    }

    #[test]
    fn sizes_are_cassandras() {
        let texts = [110.0, 1_085.0, 5_325.0, 15_076.0, 1_048_576.0].map(bytes);
        assert_eq!(texts, ["110 bytes", "1.06 KiB", "5.2 KiB", "14.72 KiB", "1 MiB"]);
        assert_eq!([0, 15_083, 15_076].map(short_bytes), ["0B", "14.729KiB", "14.723KiB"]);
    }
}
