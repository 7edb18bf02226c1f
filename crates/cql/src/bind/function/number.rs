//! Numbers of any numeric type: read, computed with as Java computes, written.
//!
//! Integers wrap around in their own type, floats follow IEEE 754, varint and decimal have no end.

use model::CqlType;
use num_bigint::{BigInt, Sign};

use super::decimal::{Decimal, Failure};
use crate::ast::ArithmeticOperator;

/// The numeric types in the order in which operators are tried.
pub const NUMERIC: [CqlType; 9] = [
    CqlType::Tinyint,
    CqlType::Smallint,
    CqlType::Int,
    CqlType::Bigint,
    CqlType::Counter,
    CqlType::Float,
    CqlType::Double,
    CqlType::Varint,
    CqlType::Decimal,
];

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// `tinyint` to `bigint`, `counter`, and the milliseconds of a `timestamp`.
    Integer(i64),
    /// `float`
    Float(f32),
    /// `double`
    Double(f64),
    /// `varint`
    Varint(BigInt),
    /// `decimal`
    Decimal(Decimal),
}

impl Number {
    /// Reads a value of a numeric type; `None` for an empty value.
    pub fn read(ty: &CqlType, bytes: &[u8]) -> Option<Number> {
        Some(match ty {
            CqlType::Tinyint => Number::Integer(i64::from(i8::from_be_bytes(bytes.try_into().ok()?))),
            CqlType::Smallint => Number::Integer(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
            CqlType::Int => Number::Integer(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
            CqlType::Bigint | CqlType::Counter | CqlType::Timestamp => {
                Number::Integer(i64::from_be_bytes(bytes.try_into().ok()?))
            }
            CqlType::Float => Number::Float(f32::from_be_bytes(bytes.try_into().ok()?)),
            CqlType::Double => Number::Double(f64::from_be_bytes(bytes.try_into().ok()?)),
            // A value that was assigned from another type (int, timestamp) is read as that many bytes, too.
            CqlType::Varint if !bytes.is_empty() => Number::Varint(BigInt::from_signed_bytes_be(bytes)),
            CqlType::Decimal => Number::Decimal(Decimal::from_bytes(bytes)?),
            _ => return None,
        })
    }

    /// The value in a numeric type, converted as Java converts: integers lose their high bytes, floats are cut off
    /// towards zero and stop at the ends of the type.
    pub fn write(&self, ty: &CqlType) -> Result<Vec<u8>, Failure> {
        Ok(match ty {
            CqlType::Tinyint => (self.to_small()? as i8).to_be_bytes().to_vec(),
            CqlType::Smallint => (self.to_small()? as i16).to_be_bytes().to_vec(),
            CqlType::Int => self.to_small()?.to_be_bytes().to_vec(),
            CqlType::Bigint | CqlType::Counter => self.to_i64()?.to_be_bytes().to_vec(),
            CqlType::Float => self.to_f32().to_be_bytes().to_vec(),
            CqlType::Double => self.to_f64().to_be_bytes().to_vec(),
            CqlType::Varint => match self {
                Number::Varint(number) => number.to_signed_bytes_be(),
                Number::Decimal(number) => number.truncate()?.to_signed_bytes_be(),
                other => BigInt::from(other.to_i64()?).to_signed_bytes_be(),
            },
            _ => self.cast_decimal()?.to_bytes(),
        })
    }

    /// As an int: what a narrower type is cut from.
    fn to_small(&self) -> Result<i32, Failure> {
        Ok(match self {
            Number::Float(number) => *number as i32,
            Number::Double(number) => *number as i32,
            other => other.to_i64()? as i32,
        })
    }

    /// As a bigint.
    pub fn to_i64(&self) -> Result<i64, Failure> {
        Ok(match self {
            Number::Integer(number) => *number,
            Number::Float(number) => *number as i64,
            Number::Double(number) => *number as i64,
            Number::Varint(number) => low_bits(number),
            Number::Decimal(number) => low_bits(&number.truncate()?),
        })
    }

    /// As a double.
    pub fn to_f64(&self) -> f64 {
        match self {
            Number::Integer(number) => *number as f64,
            Number::Float(number) => f64::from(*number),
            Number::Double(number) => *number,
            Number::Varint(number) => number.to_string().parse().unwrap_or(0.0),
            Number::Decimal(number) => number.to_f64(),
        }
    }

    fn to_f32(&self) -> f32 {
        match self {
            Number::Integer(number) => *number as f32,
            Number::Float(number) => *number,
            Number::Double(number) => *number as f32,
            Number::Varint(number) => number.to_string().parse().unwrap_or(0.0),
            Number::Decimal(number) => number.to_f32(),
        }
    }

    fn to_varint(&self) -> Result<BigInt, Failure> {
        match self {
            Number::Varint(number) => Ok(number.clone()),
            Number::Decimal(number) => number.truncate(),
            other => Ok(BigInt::from(other.to_i64()?)),
        }
    }

    /// As a decimal by CAST: whole numbers stay whole.
    fn cast_decimal(&self) -> Result<Decimal, Failure> {
        match self {
            Number::Integer(number) => Ok(Decimal::whole(BigInt::from(*number))),
            Number::Float(number) => Decimal::from_f32(*number).ok_or_else(|| no_digit(f64::from(*number))),
            Number::Double(number) => Decimal::from_f64(*number).ok_or_else(|| no_digit(*number)),
            other => other.to_decimal(),
        }
    }

    /// As a decimal in arithmetic: integers go through a double, so 3 is `3.0`.
    fn to_decimal(&self) -> Result<Decimal, Failure> {
        match self {
            Number::Decimal(number) => Ok(number.clone()),
            Number::Varint(number) => Ok(Decimal::whole(number.clone())),
            other => Decimal::from_f64(other.to_f64()).ok_or_else(not_finite),
        }
    }
}

/// What `new BigDecimal("NaN")` and `new BigDecimal("Infinity")` say.
fn no_digit(number: f64) -> Failure {
    let first = if number.is_nan() { 'N' } else { 'I' };
    format!("Character {first} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.")
}

fn not_finite() -> Failure {
    "A NaN or an infinite number cannot be converted into a decimal".to_owned()
}

/// The lowest 64 bits, as `BigInteger.longValue` takes them.
fn low_bits(number: &BigInt) -> i64 {
    let low = number.magnitude().iter_u64_digits().next().unwrap_or(0);
    let low = if number.sign() == Sign::Minus { low.wrapping_neg() } else { low };
    low as i64
}

/// `left operator right`, in the type of the result.
pub fn compute(
    operator: ArithmeticOperator,
    left: &Number,
    right: &Number,
    result: &CqlType,
) -> Result<Vec<u8>, Failure> {
    use ArithmeticOperator::{Add, Divide, Modulo, Multiply, Subtract};
    let number = match result {
        CqlType::Tinyint | CqlType::Smallint | CqlType::Int | CqlType::Bigint => {
            let (l, r) = (left.to_i64()?, right.to_i64()?);
            if r == 0 && matches!(operator, Divide | Modulo) {
                return Err("/ by zero".to_owned());
            }
            Number::Integer(match operator {
                Add => l.wrapping_add(r),
                Subtract => l.wrapping_sub(r),
                Multiply => l.wrapping_mul(r),
                Divide => l.wrapping_div(r),
                Modulo => l.wrapping_rem(r),
            })
        }
        CqlType::Float => {
            let (l, r) = (left.to_f32(), right.to_f32());
            Number::Float(match operator {
                Add => l + r,
                Subtract => l - r,
                Multiply => l * r,
                Divide => l / r,
                Modulo => l % r,
            })
        }
        CqlType::Double => {
            let (l, r) = (left.to_f64(), right.to_f64());
            Number::Double(match operator {
                Add => l + r,
                Subtract => l - r,
                Multiply => l * r,
                Divide => l / r,
                Modulo => l % r,
            })
        }
        CqlType::Varint => {
            let (l, r) = (left.to_varint()?, right.to_varint()?);
            if r.sign() == Sign::NoSign && matches!(operator, Divide | Modulo) {
                return Err("BigInteger divide by zero".to_owned());
            }
            Number::Varint(match operator {
                Add => l + r,
                Subtract => l - r,
                Multiply => l * r,
                Divide => l / r,
                Modulo => l % r,
            })
        }
        _ => {
            let (l, r) = (left.to_decimal()?, right.to_decimal()?);
            Number::Decimal(match operator {
                Add => l.add(&r)?,
                Subtract => l.subtract(&r)?,
                Multiply => l.multiply(&r)?,
                Divide => l.divide(&r)?,
                Modulo => l.remainder(&r)?,
            })
        }
    };
    number.write(result)
}

/// `-number`, in its own type.
pub fn negate(number: &Number, ty: &CqlType) -> Result<Vec<u8>, Failure> {
    let negated = match number {
        Number::Integer(number) => Number::Integer(number.wrapping_neg()),
        Number::Float(number) => Number::Float(-number),
        Number::Double(number) => Number::Double(-number),
        Number::Varint(number) => Number::Varint(-number),
        Number::Decimal(number) => {
            Number::Decimal(Decimal { unscaled: -&number.unscaled, scale: number.scale })
        }
    };
    negated.write(ty)
}
