//! Times: of the clock, of other values, rounded down.

use model::{CqlType, QueryError, Value};

use super::super::temporal::{self, Duration, MS_PER_DAY, NS_PER_DAY};
use super::Function;
use crate::bind::term::EvalContext;

/// The functions of that name.
pub fn functions(name: &str) -> Vec<Function> {
    use CqlType::{Bigint, Date, Time, Timestamp, Timeuuid};
    let clock = |result: CqlType, make: fn(&EvalContext<'_>) -> Vec<u8>| {
        vec![Function::native(name, vec![], result, move |_, ctx| Ok(Some(make(ctx).into())))]
    };
    let convert = |from: &[CqlType], to: &CqlType| {
        from.iter().map(|from| temporal::conversion(name, from.clone(), to.clone())).collect()
    };
    let bound = |extra_ticks: u64, low: u64| {
        vec![super::of_one(name, Timestamp, Timeuuid, move |bytes| {
            let millis = temporal::millis(&Timestamp, bytes);
            Ok(millis.map(|millis| temporal::time_uuid(millis, extra_ticks, low).into()))
        })]
    };
    match name {
        "now" | "currenttimeuuid" | "current_timeuuid" => {
            clock(Timeuuid, |ctx| ctx.source.timeuuid().as_bytes().to_vec())
        }
        "uuid" => clock(CqlType::Uuid, |ctx| ctx.source.random_uuid().as_bytes().to_vec()),
        "currenttimestamp" | "current_timestamp" => {
            clock(Timestamp, |ctx| (ctx.source.now_us() / 1000).to_be_bytes().to_vec())
        }
        "currentdate" | "current_date" => clock(Date, |ctx| temporal::date_of(ctx.source.now_us() / 1000)),
        "currenttime" | "current_time" => clock(Time, |ctx| {
            (ctx.source.now_us().rem_euclid(MS_PER_DAY * 1000) * 1000).to_be_bytes().to_vec()
        }),
        "mintimeuuid" | "min_timeuuid" => bound(0, 0x8080_8080_8080_8080),
        "maxtimeuuid" | "max_timeuuid" => bound(9999, 0x7f7f_7f7f_7f7f_7f7f),
        "todate" | "to_date" => convert(&[Timeuuid, Timestamp], &Date),
        "totimestamp" | "to_timestamp" => convert(&[Timeuuid, Date], &Timestamp),
        "tounixtimestamp" | "to_unix_timestamp" => convert(&[Timeuuid, Date, Timestamp], &Bigint),
        "floor" => floor_functions(),
        _ => Vec::new(),
    }
}

fn floor_functions() -> Vec<Function> {
    use CqlType::{Date, Time, Timestamp, Timeuuid};
    let mut functions = Vec::new();
    for (source, result) in [(Date, Date), (Timeuuid, Timestamp), (Timestamp, Timestamp)] {
        for with_start in [true, false] {
            let mut arguments = vec![source.clone(), CqlType::Duration];
            arguments.extend(with_start.then(|| result.clone()));
            let (from, to) = (source.clone(), result.clone());
            functions.push(Function::native("floor", arguments, result.clone(), move |values, _| {
                floor(&from, &to, values)
            }));
        }
    }
    functions
        .push(Function::native("floor", vec![Time, CqlType::Duration], Time, |values, _| floor_time(values)));
    functions
}

/// The last multiple of a duration, counted from a start (1970 unless given), that is not after the value.
fn floor(source: &CqlType, result: &CqlType, values: &[Value]) -> Result<Value, QueryError> {
    let (Some(value), Some(duration)) = (&values[0], &values[1]) else { return Ok(None) };
    let (Some(time), Some(parsed)) = (temporal::millis(source, value), Duration::read(duration)) else {
        return Ok(None);
    };
    let start = match values.get(2) {
        None => 0,
        Some(None) => return Ok(None),
        Some(Some(start)) => temporal::millis(result, start).unwrap_or(0),
    };
    let shown = || CqlType::Duration.to_text(duration);
    check_positive(&parsed)?;
    if *source == CqlType::Date && parsed.nanoseconds != 0 {
        return Err(QueryError::Invalid(format!(
            "The floor on date values cannot be computed for the {} duration as precision is below 1 day",
            shown()
        )));
    }
    if parsed.nanoseconds % 1_000_000 != 0 {
        return Err(QueryError::Invalid(format!(
            "The floor cannot be computed for the {} duration as precision is below 1 millisecond",
            shown()
        )));
    }
    if start > time {
        return Err(QueryError::invalid(
            "The floor function starting time is greater than the provided time",
        ));
    }
    let floor = parsed.floor(time, start);
    Ok(Some(
        if *result == CqlType::Date { temporal::date_of(floor) } else { floor.to_be_bytes().to_vec() }.into(),
    ))
}

fn floor_time(values: &[Value]) -> Result<Value, QueryError> {
    let (Some(value), Some(duration)) = (&values[0], &values[1]) else { return Ok(None) };
    let (Ok(bytes), Some(duration)) = (<[u8; 8]>::try_from(value.as_ref()), Duration::read(duration)) else {
        return Ok(None);
    };
    check_positive(&duration)?;
    if duration.months != 0 || duration.days != 0 || duration.nanoseconds > NS_PER_DAY {
        return Err(QueryError::invalid(
            "For time values, the floor can only be computed for durations smaller that a day",
        ));
    }
    let time = i64::from_be_bytes(bytes);
    let floor = time - time.checked_rem(duration.nanoseconds).unwrap_or(0);
    Ok(Some(floor.to_be_bytes().to_vec().into()))
}

fn check_positive(duration: &Duration) -> Result<(), QueryError> {
    if duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0 {
        return Err(QueryError::invalid("Negative durations are not supported by the floor function"));
    }
    Ok(())
}
