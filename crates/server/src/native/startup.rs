//! OPTIONS and STARTUP: what we offer, and what a client may choose.
//!
//! Source: native protocol v5, "STARTUP"; texts as in `StartupMessage.java`.

use model::QueryError;
use wire::codec::Text;
use wire::{Compression, Response, Version};

const CQL_VERSION: &str = "CQL_VERSION";
const COMPRESSION: &str = "COMPRESSION";

/// The oldest CQL that is taken; Cassandra says 3.0.0 and means this.
const CQL_VERSION_MIN: (u64, u64, u64) = (2, 99, 0);

/// The answer to OPTIONS.
pub(super) fn supported() -> Response {
    let option = |key: &str, values: &[&str]| {
        (key.to_string(), values.iter().map(|value| (*value).to_string()).collect())
    };
    Response::Supported(vec![
        option("PROTOCOL_VERSIONS", &["3/v3", "4/v4", "5/v5", "6/v6-beta"]),
        option(COMPRESSION, &["snappy", "lz4"]),
        option(CQL_VERSION, &["3.4.7"]),
    ])
}

/// The compression that STARTUP's options ask for.
pub(super) fn negotiate(
    version: Version,
    options: &[(Text, Text)],
) -> Result<Option<Compression>, QueryError> {
    let option = |name: &str| {
        options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let Some(cql_version) = option(CQL_VERSION) else {
        return protocol("Missing value CQL_VERSION in STARTUP message".to_string());
    };
    match parse_version(cql_version) {
        None => return protocol(format!("Invalid version value: {cql_version}")),
        Some(number) if number < CQL_VERSION_MIN => {
            return protocol(format!(
                "CQL version {cql_version} is not supported by the binary protocol (supported version are >= 3.0.0)"
            ));
        }
        Some(_) => {}
    }
    let Some(name) = option(COMPRESSION) else { return Ok(None) };
    match Compression::from_name(name) {
        Some(Compression::Snappy) if version >= Version::V5 => {
            protocol("Snappy compression is not supported in protocol V5".to_string())
        }
        Some(compression) => Ok(Some(compression)),
        None => protocol(format!("Unknown compression algorithm: {name}")),
    }
}

fn protocol<T>(text: String) -> Result<T, QueryError> {
    Err(QueryError::Protocol(text))
}

/// Major, minor and patch of `3.4.7` or `3.4.7-rc1`.
fn parse_version(text: &str) -> Option<(u64, u64, u64)> {
    let number = text.split_once('-').map_or(text, |(number, _)| number);
    let mut parts = number.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: Version, options: &[(&str, &str)], want: Result<Option<Compression>, &str>) {
        let options: Vec<_> = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let want = want.map_err(|text| QueryError::Protocol(text.to_string()));
        assert_eq!(negotiate(version, &options), want);
    }

    #[test]
    fn startup_is_judged_in_cassandras_words() {
        let cql = ("cql_version", "3.0.0");
        check(Version::V4, &[], Err("Missing value CQL_VERSION in STARTUP message"));
        check(Version::V4, &[cql, ("X", "y")], Ok(None));
        check(Version::V4, &[cql, ("compression", "LZ4")], Ok(Some(Compression::Lz4)));
        check(Version::V4, &[cql, ("COMPRESSION", "snappy")], Ok(Some(Compression::Snappy)));
        let snappy = "Snappy compression is not supported in protocol V5";
        check(Version::V5, &[cql, ("COMPRESSION", "snappy")], Err(snappy));
        check(Version::V4, &[cql, ("COMPRESSION", "")], Err("Unknown compression algorithm: "));
        let old =
            "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)";
        check(Version::V4, &[("CQL_VERSION", "2.0.0")], Err(old));
        for good in ["2.99.0", "3.4.9", "4.0.0", "3.0.0-beta"] {
            check(Version::V4, &[("CQL_VERSION", good)], Ok(None));
        }
        check(Version::V4, &[("CQL_VERSION", "3")], Err("Invalid version value: 3"));
        check(Version::V4, &[("CQL_VERSION", "x.y.z")], Err("Invalid version value: x.y.z"));
    }
}
