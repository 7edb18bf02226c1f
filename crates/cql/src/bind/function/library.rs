//! The native functions (`system.*`) of one value a row.

use bytes::Bytes;
use model::{CqlType, QueryError, Value};
use uuid::Uuid;

use super::{Argument, Function};

/// 100 ns units between 1582-10-15 and 1970-01-01.
const UUID_EPOCH_OFFSET: u64 = 0x01b2_1dd2_1381_4000;
/// Days of the date type at 1970-01-01.
const DATE_EPOCH: i64 = 1 << 31;
const MS_PER_DAY: i64 = 86_400_000;

/// All native functions of that name; some depend on the arguments or on where the result goes.
pub fn candidates(
    name: &str,
    arguments: &[Argument<'_>],
    receiver: Option<&CqlType>,
) -> Result<Vec<Function>, QueryError> {
    let _ = (arguments, receiver);
    let functions = time_functions(name);
    if !functions.is_empty() {
        return Ok(functions);
    }
    Ok(blob_functions(name))
}

/// `token(..)` of a table: the token of its partition key columns' values.
pub fn token(table: &model::Table) -> Function {
    let types = table.partition_key.iter().map(|column| column.ty.clone()).collect();
    Function::native("token", types, CqlType::Bigint, |values, _| {
        let mut components = Vec::with_capacity(values.len());
        for value in values {
            let Some(bytes) = value else { return Ok(None) };
            if bytes.len() > model::key::MAX_KEY_BYTES {
                return Err(QueryError::invalid("Key is too long for the token function"));
            }
            components.push(bytes.clone());
        }
        let key = model::PartitionKey::compose(&components);
        Ok(Some(model::Token::of(&key).0.to_be_bytes().to_vec().into()))
    })
}

fn time_functions(name: &str) -> Vec<Function> {
    use CqlType::{Bigint, Date, Time, Timestamp, Timeuuid};
    let clock = |result: CqlType, make: fn(&super::EvalContext<'_>) -> Vec<u8>| {
        vec![Function::native(name, vec![], result, move |_, ctx| Ok(Some(make(ctx).into())))]
    };
    let convert = |from: CqlType, to: CqlType, body: fn(i64) -> Vec<u8>| {
        let source = from.clone();
        Function::native(name, vec![from], to, move |values, _| {
            Ok(millis(&source, &values[0]).map(|ms| body(ms).into()))
        })
    };
    match name {
        "now" | "currenttimeuuid" | "current_timeuuid" => {
            clock(Timeuuid, |ctx| ctx.source.timeuuid().as_bytes().to_vec())
        }
        "uuid" => clock(CqlType::Uuid, |ctx| ctx.source.random_uuid().as_bytes().to_vec()),
        "currenttimestamp" | "current_timestamp" => {
            clock(Timestamp, |ctx| (ctx.source.now_us() / 1000).to_be_bytes().to_vec())
        }
        "currentdate" | "current_date" => clock(Date, |ctx| date_of(ctx.source.now_us() / 1000)),
        "currenttime" | "current_time" => clock(Time, |ctx| {
            (ctx.source.now_us().rem_euclid(MS_PER_DAY * 1000) * 1000).to_be_bytes().to_vec()
        }),
        "mintimeuuid" | "min_timeuuid" => {
            vec![convert(Timestamp, Timeuuid, |ms| time_uuid(ms, 0, 0x8080_8080_8080_8080))]
        }
        "maxtimeuuid" | "max_timeuuid" => {
            vec![convert(Timestamp, Timeuuid, |ms| time_uuid(ms, 9999, 0x7f7f_7f7f_7f7f_7f7f))]
        }
        "todate" | "to_date" => vec![convert(Timeuuid, Date, date_of), convert(Timestamp, Date, date_of)],
        "totimestamp" | "to_timestamp" => {
            let bytes = |ms: i64| ms.to_be_bytes().to_vec();
            vec![convert(Timeuuid, Timestamp, bytes), convert(Date, Timestamp, bytes)]
        }
        "tounixtimestamp" | "to_unix_timestamp" => {
            let bytes = |ms: i64| ms.to_be_bytes().to_vec();
            vec![
                convert(Timeuuid, Bigint, bytes),
                convert(Timestamp, Bigint, bytes),
                convert(Date, Bigint, bytes),
            ]
        }
        _ => Vec::new(),
    }
}

fn date_of(ms: i64) -> Vec<u8> {
    let days = ms.div_euclid(MS_PER_DAY) + DATE_EPOCH;
    (days.clamp(0, i64::from(u32::MAX)) as u32).to_be_bytes().to_vec()
}

/// Milliseconds since 1970 of a timeuuid, timestamp or date.
fn millis(ty: &CqlType, value: &Value) -> Option<i64> {
    let bytes = value.as_ref()?;
    match ty {
        CqlType::Timeuuid => {
            let uuid = Uuid::from_slice(bytes).ok()?;
            let (ticks, _) = uuid.get_timestamp()?.to_gregorian();
            Some((ticks as i64 - UUID_EPOCH_OFFSET as i64).div_euclid(10_000))
        }
        CqlType::Date => {
            let days = u32::from_be_bytes(bytes.as_ref().try_into().ok()?);
            Some((i64::from(days) - DATE_EPOCH) * MS_PER_DAY)
        }
        _ => Some(i64::from_be_bytes(bytes.as_ref().try_into().ok()?)),
    }
}

/// A version 1 uuid of that millisecond plus `extra_ticks`, with the given low half.
fn time_uuid(ms: i64, extra_ticks: u64, low: u64) -> Vec<u8> {
    let ticks = (ms as u64).wrapping_mul(10_000).wrapping_add(UUID_EPOCH_OFFSET).wrapping_add(extra_ticks);
    let high = (ticks << 32) | ((ticks >> 16) & 0xffff_0000) | 0x1000 | ((ticks >> 48) & 0x0fff);
    [high.to_be_bytes(), low.to_be_bytes()].concat()
}

/// `int_as_blob`, `blob_as_int` and their old spellings, for every native type.
fn blob_functions(name: &str) -> Vec<Function> {
    const TYPES: [(&str, CqlType); 20] = [
        ("ascii", CqlType::Ascii),
        ("bigint", CqlType::Bigint),
        ("boolean", CqlType::Boolean),
        ("counter", CqlType::Counter),
        ("date", CqlType::Date),
        ("decimal", CqlType::Decimal),
        ("double", CqlType::Double),
        ("duration", CqlType::Duration),
        ("float", CqlType::Float),
        ("inet", CqlType::Inet),
        ("int", CqlType::Int),
        ("smallint", CqlType::Smallint),
        ("text", CqlType::Text),
        ("time", CqlType::Time),
        ("timestamp", CqlType::Timestamp),
        ("timeuuid", CqlType::Timeuuid),
        ("tinyint", CqlType::Tinyint),
        ("uuid", CqlType::Uuid),
        ("varchar", CqlType::Text),
        ("varint", CqlType::Varint),
    ];
    let find = |wanted: &str| TYPES.iter().find(|(ty, _)| *ty == wanted).map(|(_, ty)| ty.clone());
    let to_blob = name.strip_suffix("_as_blob").or_else(|| name.strip_suffix("asblob"));
    if let Some(ty) = to_blob.and_then(find) {
        return vec![Function::native(name, vec![ty], CqlType::Blob, |values, _| Ok(values[0].clone()))];
    }
    let from_blob = name.strip_prefix("blob_as_").or_else(|| name.strip_prefix("blobas"));
    if let Some(ty) = from_blob.and_then(find) {
        let (target, function) = (ty.clone(), name.to_owned());
        return vec![Function::native(name, vec![CqlType::Blob], ty, move |values, _| {
            let Some(bytes) = &values[0] else { return Ok(None) };
            target.validate(bytes).map_err(|_| {
                QueryError::Invalid(format!(
                    "In call to function system.{function}, value 0x{} is not a valid binary representation for \
                     type {}",
                    hex(bytes),
                    target.cql_name()
                ))
            })?;
            Ok(Some(bytes.clone()))
        })];
    }
    Vec::new()
}

fn hex(bytes: &Bytes) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
