//! `to_json` and `from_json`.

use model::{CqlType, QueryError};

use super::parameter::{self, Parameter};
use super::{Call, Function};

/// The function of that name, for these arguments and this receiver.
pub fn function(name: &str, call: &Call<'_>) -> Result<Option<Function>, QueryError> {
    match name {
        "to_json" | "tojson" => to_json(call).map(Some),
        "from_json" | "fromjson" => from_json(name, call).map(Some),
        _ => Ok(None),
    }
}

fn to_json(call: &Call<'_>) -> Result<Function, QueryError> {
    let types = parameter::types("to_json", &[Parameter::Any], 0, call)?;
    let shown = if types[0] == CqlType::Counter { CqlType::Bigint } else { types[0].clone() };
    Ok(Function::native("to_json", types, CqlType::Text, move |values, _| {
        let text = values[0].as_ref().map_or_else(|| "null".to_owned(), |value| shown.to_json(value));
        Ok(Some(text.into()))
    }))
}

fn from_json(name: &str, call: &Call<'_>) -> Result<Function, QueryError> {
    if call.in_selection {
        return Err(QueryError::Invalid(format!(
            "{name}() cannot be used in the selection clause of a SELECT statement"
        )));
    }
    let types = parameter::types("from_json", &[Parameter::Fixed(CqlType::Text)], 0, call)?;
    let Some(receiver) = call.receiver.cloned() else {
        return Err(QueryError::invalid(
            "from_json() can only be used where the type of its result is known",
        ));
    };
    let result = receiver.clone();
    Ok(Function::native("from_json", types, result, move |values, _| {
        let Some(text) = &values[0] else { return Ok(None) };
        let document: serde_json::Value = serde_json::from_slice(text).map_err(|error| {
            failure(format!(
                "execution of 'system.from_json[text]' failed: Could not decode JSON string '{}': {error}",
                String::from_utf8_lossy(text)
            ))
        })?;
        let value = receiver
            .parse_json(&document)
            .map_err(|text| failure(format!("org.apache.cassandra.serializers.MarshalException: {text}")))?;
        Ok(value.map(Into::into))
    }))
}

fn failure(message: String) -> QueryError {
    QueryError::Function {
        keyspace: "system".to_owned(),
        name: "from_json".to_owned(),
        arguments: vec!["text".to_owned()],
        message,
    }
}
