//! Properties after WITH: text as it was written becomes a typed value.

use std::collections::BTreeMap;

use cql::ast::{Property, PropertyValue};
use model::QueryError;

/// The properties of one statement. Errors are syntax errors, as in Cassandra.
#[derive(Clone, Copy)]
pub(crate) struct Properties<'a>(pub(crate) &'a [Property]);

impl Properties<'_> {
    /// Refuses a property that is not in `known`.
    pub(crate) fn check_names(&self, known: &[&str]) -> Result<(), QueryError> {
        match self.0.iter().find(|property| !known.contains(&property.name.as_str())) {
            Some(property) => Err(QueryError::Syntax(format!("Unknown property '{}'", property.name))),
            None => Ok(()),
        }
    }

    fn value(&self, name: &str) -> Option<&PropertyValue> {
        self.0.iter().find(|property| property.name == name).map(|property| &property.value)
    }

    /// A text, whatever literal it was.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, QueryError> {
        match self.value(name) {
            None => Ok(None),
            Some(PropertyValue::Text(text)) => Ok(Some(text)),
            Some(PropertyValue::Map(_)) => {
                Err(QueryError::Syntax(format!("Invalid value for property '{name}'. It should be a string")))
            }
        }
    }

    /// A map.
    pub(crate) fn map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, QueryError> {
        match self.value(name) {
            None => Ok(None),
            Some(PropertyValue::Map(entries)) => Ok(Some(entries.iter().cloned().collect())),
            Some(PropertyValue::Text(_)) => {
                Err(QueryError::Syntax(format!("Invalid value for property '{name}'. It should be a map.")))
            }
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, QueryError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(Some(true)),
            "0" | "false" | "no" => Ok(Some(false)),
            _ => Err(QueryError::Syntax(format!(
                "Invalid boolean value {text} for '{name}'. Positive values can be '1', 'true' or 'yes'. \
                 Negative values can be '0', 'false' or 'no'."
            ))),
        }
    }

    /// A 32-bit integer.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i32>, QueryError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| QueryError::Syntax(format!("Invalid integer value {text} for '{name}'")))
    }

    /// A floating-point number.
    pub(crate) fn double(&self, name: &str) -> Result<Option<f64>, QueryError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| QueryError::Syntax(format!("Invalid double value {text} for '{name}'")))
    }
}
