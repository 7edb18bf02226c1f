//! `abs`, `exp`, `log`, `log10`, `round`: each for every numeric type, with a result of the same type.

use model::{CqlType, QueryError};
use num_bigint::{BigInt, Sign};

use super::super::decimal::{Decimal, Failure, transcendental};
use super::super::number::{NUMERIC, Number};
use super::{Function, of_one};

#[derive(Clone, Copy)]
enum Kind {
    Abs,
    Exp,
    Log,
    Log10,
    Round,
}

/// The function of that name, for each numeric type.
pub fn functions(name: &str) -> Vec<Function> {
    let kind = match name {
        "abs" => Kind::Abs,
        "exp" => Kind::Exp,
        "log" => Kind::Log,
        "log10" => Kind::Log10,
        "round" => Kind::Round,
        _ => return Vec::new(),
    };
    let one = |ty: &CqlType| {
        let argument = ty.clone();
        of_one(name, ty.clone(), ty.clone(), move |bytes| {
            let Some(number) = Number::read(&argument, bytes) else { return Ok(None) };
            let result = apply(kind, &number).and_then(|result| result.write(&argument));
            let failed = |text| QueryError::Server(format!("java.lang.ArithmeticException: {text}"));
            result.map(|bytes| Some(bytes.into())).map_err(failed)
        })
    };
    NUMERIC.iter().map(one).collect()
}

fn apply(kind: Kind, number: &Number) -> Result<Number, Failure> {
    Ok(match number {
        Number::Integer(number) => match kind {
            Kind::Abs => Number::Integer(number.wrapping_abs()),
            Kind::Round => Number::Integer(*number),
            _ => Number::Double(real(kind, *number as f64)),
        },
        // Math.round gives an int for a float and a long for a double.
        Number::Float(number) if matches!(kind, Kind::Round) => {
            Number::Float(half_up(f64::from(*number)) as i32 as f32)
        }
        Number::Float(number) => Number::Float(real(kind, f64::from(*number)) as f32),
        Number::Double(number) if matches!(kind, Kind::Round) => {
            Number::Double(half_up(*number) as i64 as f64)
        }
        Number::Double(number) => Number::Double(real(kind, *number)),
        Number::Varint(number) => match kind {
            Kind::Abs => Number::Varint(BigInt::from_biguint(Sign::Plus, number.magnitude().clone())),
            Kind::Round => Number::Varint(number.clone()),
            _ => Number::Varint(exact(kind, &Decimal::whole(number.clone()))?.truncate()?),
        },
        Number::Decimal(number) => Number::Decimal(exact(kind, number)?),
    })
}

fn real(kind: Kind, number: f64) -> f64 {
    match kind {
        Kind::Abs => number.abs(),
        Kind::Exp => number.exp(),
        Kind::Log => number.ln(),
        Kind::Log10 => number.log10(),
        Kind::Round => half_up(number),
    }
}

/// The nearest whole number, halves upwards.
fn half_up(number: f64) -> f64 {
    let floor = number.floor();
    if number - floor >= 0.5 { floor + 1.0 } else { floor }
}

fn exact(kind: Kind, number: &Decimal) -> Result<Decimal, Failure> {
    match kind {
        Kind::Abs => Ok(Decimal {
            unscaled: BigInt::from_biguint(Sign::Plus, number.unscaled.magnitude().clone()),
            scale: number.scale,
        }),
        Kind::Exp => transcendental::exp(number),
        Kind::Log => transcendental::ln(number),
        Kind::Log10 => transcendental::log10(number),
        Kind::Round => number.round(),
    }
}
