//! Values for bind markers, from the text of a script: `1`, `'text'`, `0xcafe`, `true`, `null`, `unset`.

use model::CqlType;
use wire::BoundValue;

/// The values of a line, separated by commas. One that has no marker counts as an int.
pub fn values(line: &str, types: &[&CqlType]) -> Result<Vec<BoundValue>, String> {
    let parts = split(line);
    let missing = CqlType::Int;
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| value(part, types.get(index).copied().unwrap_or(&missing)))
        .collect()
}

fn split(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for each in line.chars() {
        is_quoted ^= each == '\'';
        match parts.last_mut() {
            Some(last) if each != ',' || is_quoted => last.push(each),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Numbers take the type's width; bytes in hexadecimal fit any type as they are.
fn value(text: &str, ty: &CqlType) -> Result<BoundValue, String> {
    let bad = || format!("{text} is no value for a marker of type {ty:?}");
    let bytes = match text {
        "null" => return Ok(BoundValue::Null),
        "unset" => return Ok(BoundValue::Unset),
        "true" => vec![1],
        "false" => vec![0],
        _ => {
            if let Some(quoted) = text.strip_prefix('\'').and_then(|tail| tail.strip_suffix('\'')) {
                quoted.replace("''", "'").into_bytes()
            } else if let Some(hex) = text.strip_prefix("0x") {
                bytes_of(hex).ok_or_else(bad)?
            } else {
                number(text, ty).ok_or_else(bad)?
            }
        }
    };
    Ok(BoundValue::Value(bytes.into()))
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn number(text: &str, ty: &CqlType) -> Option<Vec<u8>> {
    Some(match ty {
        CqlType::Tinyint => text.parse::<i8>().ok()?.to_be_bytes().to_vec(),
        CqlType::Smallint => text.parse::<i16>().ok()?.to_be_bytes().to_vec(),
        CqlType::Int => text.parse::<i32>().ok()?.to_be_bytes().to_vec(),
        CqlType::Bigint | CqlType::Counter | CqlType::Timestamp | CqlType::Time => {
            text.parse::<i64>().ok()?.to_be_bytes().to_vec()
        }
        CqlType::Double => text.parse::<f64>().ok()?.to_be_bytes().to_vec(),
        CqlType::Float => text.parse::<f32>().ok()?.to_be_bytes().to_vec(),
        _ => return None,
    })
}
