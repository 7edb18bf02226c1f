//! What a client is told of a JSON document that is no object: the words of Cassandra's parser, Jackson.

/// Where Jackson found it; the document itself is never quoted.
const SOURCE: &str = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ";

const MISMATCH: &str = "com.fasterxml.jackson.databind.exc.MismatchedInputException: ";

/// For a text of white space alone.
pub(super) fn empty(text: &str) -> String {
    format!(
        "{MISMATCH}No content to map due to end-of-input\n at {SOURCE}{}]",
        1 + text.matches('\n').count()
    )
}

/// For a document that is something else than an object.
pub(super) fn no_object(text: &str, document: &serde_json::Value) -> String {
    let (what, token) = match document {
        serde_json::Value::Array(_) => ("Array value", "START_ARRAY"),
        serde_json::Value::Bool(true) => ("Boolean value", "VALUE_TRUE"),
        serde_json::Value::Bool(false) => ("Boolean value", "VALUE_FALSE"),
        serde_json::Value::Number(number) if number.is_f64() => {
            ("Floating-point value", "VALUE_NUMBER_FLOAT")
        }
        serde_json::Value::Number(_) => ("Integer value", "VALUE_NUMBER_INT"),
        serde_json::Value::String(string) => {
            return format!(
                "{MISMATCH}Cannot construct instance of `java.util.LinkedHashMap` (although at least one Creator \
                 exists): no String-argument constructor/factory method to deserialize from String value \
                 ('{string}')\n at {}",
                place(text, start(text))
            );
        }
        serde_json::Value::Object(_) | serde_json::Value::Null => ("Object value", "START_OBJECT"),
    };
    format!(
        "{MISMATCH}Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.Object,java.lang.Object>` from \
         {what} (token `JsonToken.{token}`)\n at {}",
        place(text, start(text))
    )
}

/// For a text that begins with a bare word.
pub(super) fn unknown_word(text: &str) -> Option<String> {
    let start = start(text);
    let rest = &text[start..];
    let is_part = |each: char| each.is_alphanumeric() || matches!(each, '_' | '$');
    let word = &rest[..rest.find(|each| !is_part(each)).unwrap_or(rest.len())];
    if !word.starts_with(|each: char| is_part(each) && !each.is_numeric()) {
        return None;
    }
    Some(format!(
        "com.fasterxml.jackson.core.JsonParseException: Unrecognized token '{word}': was expecting (JSON String, Number, \
         Array, Object or token 'null', 'true' or 'false')\n at {}",
        place(text, start + word.len())
    ))
}

/// Where the first character stands that is no white space.
fn start(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// `[Source: ...; line: 1, column: 5]` of a byte of the text.
fn place(text: &str, at: usize) -> String {
    let before = &text[..at];
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |last| last.chars().count());
    format!("{SOURCE}{line}, column: {column}]")
}
