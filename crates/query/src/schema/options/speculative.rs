//! `speculative_retry` and `additional_write_policy`: `99p`, `20ms`, `ALWAYS`, `NEVER`, `MAX(99p,20ms)`.

use cql::describe::java_double;
use model::QueryError;

enum Policy {
    Percentile(f64),
    Fixed(u32),
    Always,
    Never,
}

/// The policy in the form in which Cassandra shows it.
///
/// Errors name `speculative_retry` for both options, as Cassandra does.
pub(super) fn parse(text: &str) -> Result<String, QueryError> {
    let lower = text.to_ascii_lowercase();
    for (prefix, name) in [("min(", "MIN"), ("max(", "MAX")] {
        if let Some(arguments) = lower.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')')) {
            return hybrid(text, name, arguments);
        }
    }
    match single(text, &lower)? {
        Policy::Percentile(percentile) => Ok(percentile_text(percentile)),
        Policy::Fixed(ms) => Ok(format!("{ms}ms")),
        Policy::Always => Ok("ALWAYS".to_owned()),
        Policy::Never => Ok("NEVER".to_owned()),
    }
}

fn hybrid(text: &str, name: &str, arguments: &str) -> Result<String, QueryError> {
    let Some((first, second)) = arguments.split_once(',') else { return invalid(text, "") };
    match (single(text, first.trim())?, single(text, second.trim())?) {
        (Policy::Percentile(percentile), Policy::Fixed(ms))
        | (Policy::Fixed(ms), Policy::Percentile(percentile)) => {
            Ok(format!("{name}({},{ms}ms)", percentile_text(percentile)))
        }
        (Policy::Percentile(_), Policy::Percentile(_)) => same_kind(text, "PERCENTILE"),
        (Policy::Fixed(_), Policy::Fixed(_)) => same_kind(text, "FIXED"),
        _ => invalid(text, ""),
    }
}

fn same_kind(text: &str, kind: &str) -> Result<String, QueryError> {
    invalid(
        text,
        &format!(": MIN()/MAX() arguments should be of different types, but both are of type {kind}"),
    )
}

fn single(text: &str, lower: &str) -> Result<Policy, QueryError> {
    match lower {
        "always" => return Ok(Policy::Always),
        "never" | "none" => return Ok(Policy::Never),
        _ => {}
    }
    if let Some(number) = lower.strip_suffix("ms").and_then(number) {
        return Ok(Policy::Fixed(number as u32)); // fractions of a millisecond are cut off
    }
    let percentile = lower.strip_suffix("percentile").or_else(|| lower.strip_suffix('p'));
    match percentile.and_then(number) {
        Some(percentile) if percentile > 0.0 && percentile < 100.0 => Ok(Policy::Percentile(percentile)),
        Some(_) => Err(QueryError::Config(format!(
            "Invalid value {text} for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)"
        ))),
        None => invalid(text, ""),
    }
}

/// A number of digits and at most one point.
fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text.is_empty() || !digits { None } else { text.parse().ok() }
}

fn percentile_text(percentile: f64) -> String {
    let text = java_double(percentile);
    format!("{}p", text.strip_suffix(".0").unwrap_or(&text))
}

fn invalid<T>(text: &str, reason: &str) -> Result<T, QueryError> {
    Err(QueryError::Config(format!("Invalid value {text} for option 'speculative_retry'{reason}")))
}
