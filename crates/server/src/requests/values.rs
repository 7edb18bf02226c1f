//! Values for markers, and the other options of a request.

use coordinator::Consistency;
use model::{BoundValue, QueryError};
use query::executor::RequestOptions;
use query::statement::Statement;
use wire::{QueryParams, Values};

use super::{consistency, positional};

/// Options of a QUERY: the number of values must be that of the markers.
pub(super) fn options_of_query(
    statement: &Statement,
    mut params: QueryParams,
) -> Result<(RequestOptions, bool), QueryError> {
    let given = std::mem::replace(&mut params.values, Values::Positional(Vec::new()));
    let values = positional(statement, given).filter(|values| values.len() == statement.markers.len());
    let values = values.ok_or_else(|| QueryError::invalid("Invalid amount of bind variables"))?;
    options(params, values)
}

/// Options of an EXECUTE.
pub(super) fn options_of_execute(
    statement: &Statement,
    mut params: QueryParams,
) -> Result<(RequestOptions, bool), QueryError> {
    let given = std::mem::replace(&mut params.values, Values::Positional(Vec::new()));
    let count = given.len();
    let wrong = |count: usize| {
        QueryError::Invalid(format!(
            "there were {} markers(?) in CQL but {count} bound variables",
            statement.markers.len()
        ))
    };
    let values = positional(statement, given).ok_or_else(|| wrong(count))?;
    if values.len() != statement.markers.len() {
        return Err(wrong(values.len()));
    }
    options(params, values)
}

/// All options; the flag is "skip metadata".
pub(super) fn options(
    params: QueryParams,
    values: Vec<BoundValue>,
) -> Result<(RequestOptions, bool), QueryError> {
    let serial_consistency = match params.serial_consistency {
        Some(code) => consistency(code)?,
        None => Consistency::Serial,
    };
    let options = RequestOptions {
        consistency: consistency(params.consistency)?,
        serial_consistency,
        values,
        page_size: params.page_size,
        paging_state: params.paging_state,
        timestamp_us: params.timestamp_us,
        now_s: params.now_in_seconds,
    };
    Ok((options, params.skip_metadata))
}
