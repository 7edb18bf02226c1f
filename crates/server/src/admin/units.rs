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

#[cfg(test)]
mod tests {
    use super::{bytes, short_bytes};

    #[test]
    fn sizes_are_cassandras() {
        let texts = [110.0, 1_085.0, 5_325.0, 15_076.0, 1_048_576.0].map(bytes);
        assert_eq!(texts, ["110 bytes", "1.06 KiB", "5.2 KiB", "14.72 KiB", "1 MiB"]);
        assert_eq!([0, 15_083, 15_076].map(short_bytes), ["0B", "14.729KiB", "14.723KiB"]);
    }
}
