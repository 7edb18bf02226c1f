//! `compression = {…}`

use std::collections::BTreeMap;

use cql::describe::java_double;
use model::QueryError;

const PACKAGE: &str = "org.apache.cassandra.io.compress.";
const CHUNK_LENGTH_DEFAULT_KB: &str = "16";

/// Checks the options of a compressor; adds what is not given.
pub(super) fn parse(mut map: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, QueryError> {
    let enabled = map.remove("enabled").is_none_or(|text| text.eq_ignore_ascii_case("true"));
    if !enabled && !map.is_empty() {
        return config("If the 'enabled' option is set to false no other options must be specified");
    }
    if !enabled || map.is_empty() {
        return Ok([("enabled".to_owned(), "false".to_owned())].into());
    }
    let class = match map.remove("class") {
        None => return config("Missing sub-option 'class' for the 'compression' option."),
        Some(class) if class.is_empty() => {
            return config(
                "The 'class' option must not be empty. To disable compression use 'enabled' : false",
            );
        }
        Some(class) if class.contains('.') => class,
        Some(class) => format!("{PACKAGE}{class}"),
    };
    let chunk = match map.remove("chunk_length_in_kb") {
        None => CHUNK_LENGTH_DEFAULT_KB.to_owned(),
        Some(text) => chunk_length_kb(&text)?.to_string(),
    };
    let ratio = map.remove("min_compress_ratio").map(|text| min_compress_ratio(&text)).transpose()?;
    let own_options: &[&str] = match class.strip_prefix(PACKAGE) {
        Some("LZ4Compressor") => &["lz4_compressor_type", "lz4_high_compressor_level"],
        Some("ZstdCompressor") => &["compression_level"],
        Some("SnappyCompressor" | "DeflateCompressor" | "NoopCompressor") => &[],
        _ => return config(&format!("Could not create Compression for type {class}")),
    };
    let unknown: Vec<&str> =
        map.keys().map(String::as_str).filter(|key| !own_options.contains(key)).collect();
    if !unknown.is_empty() {
        return config(&format!("Unknown compression options {}", unknown.join(", ")));
    }
    check_own_options(&map)?;
    map.insert("chunk_length_in_kb".to_owned(), chunk);
    map.insert("class".to_owned(), class);
    if let Some(ratio) = ratio.filter(|ratio| *ratio != 0.0) {
        map.insert("min_compress_ratio".to_owned(), java_double(ratio));
    }
    Ok(map)
}

fn config<T>(text: &str) -> Result<T, QueryError> {
    Err(QueryError::Config(text.to_owned()))
}

fn chunk_length_kb(text: &str) -> Result<u32, QueryError> {
    let Ok(kb) = text.parse::<i32>() else { return config("Invalid value for chunk_length_in_kb") };
    match u32::try_from(kb) {
        Err(_) | Ok(0) => config("Invalid negative or null chunk_length_in_kb"),
        Ok(kb) if !kb.is_power_of_two() => config("chunk_length_in_kb must be a power of 2"),
        Ok(kb) if kb > 1 << 20 => config("Invalid value for chunk_length_in_kb"),
        Ok(kb) => Ok(kb),
    }
}

fn min_compress_ratio(text: &str) -> Result<f64, QueryError> {
    match text.parse::<f64>() {
        Err(_) => config(&format!("For input string: \"{text}\"")),
        Ok(ratio) if ratio < 0.0 => config("Invalid negative min_compress_ratio"),
        Ok(ratio) if ratio > 0.0 && ratio < 1.0 => {
            config("min_compress_ratio can either be 0 or greater than or equal to 1")
        }
        Ok(ratio) => Ok(ratio),
    }
}

fn check_own_options(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    if let Some(kind) = map.get("lz4_compressor_type")
        && !matches!(kind.as_str(), "fast" | "high")
    {
        return config(&format!(
            "Invalid compressor type '{kind}' specified for LZ4 parameter 'lz4_compressor_type'. Valid \
             options are [high, fast]."
        ));
    }
    if let Some(level) = map.get("lz4_high_compressor_level")
        && !level.parse::<i32>().is_ok_and(|level| (1..=17).contains(&level))
    {
        return config(&format!(
            "Invalid value [{level}] for parameter 'lz4_high_compressor_level'. Value must be between 1 \
             and 17."
        ));
    }
    if let Some(level) = map.get("compression_level") {
        let cause = match level.parse::<i32>() {
            Err(_) => format!("java.lang.NumberFormatException For input string: \"{level}\""),
            Ok(number) if !(-131_072..=22).contains(&number) => {
                format!("java.lang.IllegalArgumentException compression_level={level} is invalid")
            }
            Ok(_) => return Ok(()),
        };
        return config(&format!("ZstdCompressor.create() threw an error: {cause}"));
    }
    Ok(())
}
