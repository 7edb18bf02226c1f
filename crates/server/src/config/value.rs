//! Values of settings: `10s`, `32MiB`, numbers, addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::ConfigError;

/// Reads settings, with errors that name the key.
pub(super) struct Reader<'s> {
    settings: &'s BTreeMap<String, Value>,
}

/// A value as text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl<'s> Reader<'s> {
    pub(super) fn new(settings: &'s BTreeMap<String, Value>) -> Reader<'s> {
        Reader { settings }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.settings.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(_) | Value::Object(_)) => Err(wrong(key, "a single value")),
            Some(value) => Ok(Some(text(value))),
        }
    }

    /// A class by its name: `Name`, or `{class_name: Name}`.
    pub(super) fn class(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.settings.get(key) {
            Some(Value::Object(object)) => match object.get("class_name") {
                Some(name) => Ok(Some(text(name))),
                None => Err(wrong(key, "a class name")),
            },
            _ => self.text(key),
        }
    }

    /// `data_file_directories`: one directory; its parent holds everything, as it does for Cassandra.
    pub(super) fn data_file_directory(&self) -> Result<Option<PathBuf>, ConfigError> {
        let directory = match self.settings.get("data_file_directories") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) => match list.as_slice() {
                [only] => text(only),
                _ => {
                    return Err(ConfigError(
                        "data_file_directories: one directory is supported, not several".to_owned(),
                    ));
                }
            },
            Some(value) => text(value),
        };
        let path = PathBuf::from(directory);
        // The data of tables is in `data` below our directory.
        if path.file_name().is_some_and(|name| name == "data") {
            return Ok(path.parent().map(PathBuf::from));
        }
        Ok(Some(path))
    }

    pub(super) fn signed(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => text.trim().parse().map(Some).map_err(|_| wrong(key, "a whole number")),
        }
    }

    pub(super) fn number(&self, key: &str, min: u64, max: u64) -> Result<Option<u64>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|number| (min..=max).contains(number));
        number.map(Some).ok_or_else(|| wrong(key, &format!("a whole number from {min} to {max}")))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("true" | "yes" | "on") => Ok(Some(true)),
            Some("false" | "no" | "off") => Ok(Some(false)),
            Some(_) => Err(wrong(key, "true or false")),
        }
    }

    pub(super) fn address(&self, key: &str) -> Result<Option<IpAddr>, ConfigError> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("localhost") => Ok(Some(IpAddr::from([127, 0, 0, 1]))),
            Some(text) => text.parse().map(Some).map_err(|_| wrong(key, "an IP address")),
        }
    }

    /// `500ms`, `10s`, `1h`: a number and a unit.
    pub(super) fn duration(&self, key: &str) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let units = [("ms", 1), ("us", 0), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let (number, unit) = split(&text);
        let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        match (number, factor) {
            (Some(number), Some(0)) => Ok(Some(Duration::from_micros(number))),
            (Some(number), Some(factor)) if number.checked_mul(factor).is_some() => {
                Ok(Some(Duration::from_millis(number * factor)))
            }
            _ => Err(wrong(key, "a duration such as 500ms, 10s or 1h")),
        }
    }

    /// `16MiB`, `1GiB`: a number and a unit.
    pub(super) fn bytes(&self, key: &str, min: u64, max: u64) -> Result<Option<u64>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let units = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let (number, unit) = split(&text);
        let shift = units.iter().find(|(name, _)| *name == unit).map(|(_, shift)| *shift);
        let bytes = match (number, shift) {
            (Some(number), Some(shift)) => number.checked_mul(1 << shift),
            _ => None,
        };
        bytes
            .filter(|bytes| (min..=max).contains(bytes))
            .map(Some)
            .ok_or_else(|| wrong(key, &format!("a size such as 16MiB, of at least {min} bytes")))
    }
}

impl Reader<'_> {
    /// `64MiB/s`; a bare number counts MiB/s, too, as in older files.
    pub(super) fn mib_per_s(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let (number, unit) = split(&text);
        match (number, unit) {
            (Some(mib), "MiB/s" | "") => Ok(Some(mib)),
            (Some(kib), "KiB/s") => Ok(Some(kib.div_ceil(1_024))),
            _ => Err(wrong(key, "a rate such as 64MiB/s")),
        }
    }
}

fn split(text: &str) -> (Option<u64>, &str) {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..digits].parse().ok(), text[digits..].trim())
}

fn wrong(key: &str, wanted: &str) -> ConfigError {
    ConfigError(format!("{key} must be {wanted}"))
}
