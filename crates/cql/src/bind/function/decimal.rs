//! Decimals of any size, with Java's rules: which scale a result has, how doubles become decimals.
//!
//! Read in order: [`Decimal`]; [`transcendental`] (exp, logarithms).
//!
//! Source: `DecimalType.java` of Cassandra 5.0, `java.math.BigDecimal`'s documentation.

use num_bigint::{BigInt, Sign};

pub mod transcendental;

/// Digits that a quotient has at least, after the point and in all.
const MIN_QUOTIENT_DIGITS: i64 = 32;
/// Digits after the point that a quotient has at most.
const MAX_QUOTIENT_SCALE: i64 = 1000;
/// Digits by which numbers may be shifted against each other; beyond it a sum would fill the memory.
const MAX_SHIFT_DIGITS: i64 = 20_000;

/// `unscaled * 10^-scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits.
    pub unscaled: BigInt,
    /// How many of them stand after the point.
    pub scale: i32,
}

/// Why a decimal could not be computed; the text is the server's.
pub type Failure = String;

impl Decimal {
    /// Zero without digits after the point.
    pub fn zero() -> Decimal {
        Decimal { unscaled: BigInt::ZERO, scale: 0 }
    }

    /// From the serialised form: scale in 4 bytes, then the digits as a varint.
    pub fn from_bytes(bytes: &[u8]) -> Option<Decimal> {
        let (scale, unscaled) = bytes.split_first_chunk::<4>()?;
        Some(Decimal { unscaled: BigInt::from_signed_bytes_be(unscaled), scale: i32::from_be_bytes(*scale) })
    }

    /// The serialised form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.scale.to_be_bytes().to_vec();
        out.extend(self.unscaled.to_signed_bytes_be());
        out
    }

    /// A whole number.
    pub fn whole(unscaled: BigInt) -> Decimal {
        Decimal { unscaled, scale: 0 }
    }

    /// Reads digits with an optional point and exponent.
    pub fn from_text(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let unscaled = format!("{whole}{fraction}").parse::<BigInt>().ok()?;
        let scale = i32::try_from(fraction.len() as i64 - exponent).ok()?;
        Some(Decimal { unscaled, scale })
    }

    /// A double, as its shortest text with at least one digit after the point: 3 is `3.0`, 1e30 is `1.0E30`.
    pub fn from_f64(number: f64) -> Option<Decimal> {
        number.is_finite().then(|| from_shortest(&format!("{number:e}"), number.abs()))?
    }

    /// The same of a float: of 0.1 it is `0.1`.
    pub fn from_f32(number: f32) -> Option<Decimal> {
        number.is_finite().then(|| from_shortest(&format!("{number:e}"), f64::from(number.abs())))?
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        format!("{}e{}", self.unscaled, -i64::from(self.scale)).parse().unwrap_or(0.0)
    }

    /// The nearest float.
    pub fn to_f32(&self) -> f32 {
        format!("{}e{}", self.unscaled, -i64::from(self.scale)).parse().unwrap_or(0.0)
    }

    /// The digits before the point.
    pub fn truncate(&self) -> Result<BigInt, Failure> {
        let scale = i64::from(self.scale);
        if scale <= 0 {
            return Ok(&self.unscaled * power_of_ten(-scale)?);
        }
        if scale > self.digits() {
            return Ok(BigInt::ZERO);
        }
        Ok(&self.unscaled / power_of_ten(scale)?)
    }

    /// The nearest whole number, halves away from zero.
    pub fn round(&self) -> Result<Decimal, Failure> {
        let scale = i64::from(self.scale);
        if scale <= 0 {
            return Ok(Decimal::whole(&self.unscaled * power_of_ten(-scale)?));
        }
        if scale > self.digits() {
            return Ok(Decimal::zero());
        }
        Ok(Decimal::whole(divide_half_up(&self.unscaled, &power_of_ten(scale)?)))
    }

    /// Number of decimal digits; 1 for zero.
    pub fn digits(&self) -> i64 {
        self.unscaled.magnitude().to_string().len() as i64
    }

    /// The sum.
    pub fn add(&self, other: &Decimal) -> Result<Decimal, Failure> {
        let (a, b, scale) = self.aligned(other)?;
        Ok(Decimal { unscaled: a + b, scale })
    }

    /// The difference.
    pub fn subtract(&self, other: &Decimal) -> Result<Decimal, Failure> {
        let (a, b, scale) = self.aligned(other)?;
        Ok(Decimal { unscaled: a - b, scale })
    }

    /// The product.
    pub fn multiply(&self, other: &Decimal) -> Result<Decimal, Failure> {
        let scale = self.scale.checked_add(other.scale).ok_or("Overflow")?;
        Ok(Decimal { unscaled: &self.unscaled * &other.unscaled, scale })
    }

    /// The quotient, rounded half up to 32 or more digits, without zeros at its end.
    pub fn divide(&self, other: &Decimal) -> Result<Decimal, Failure> {
        if other.unscaled.sign() == Sign::NoSign {
            return Err("BigInteger divide by zero".to_owned());
        }
        let whole_digits = |number: &Decimal| number.digits() - i64::from(number.scale);
        let first_digit = whole_digits(self) - whole_digits(other);
        let scale = (MIN_QUOTIENT_DIGITS - first_digit)
            .max(i64::from(self.scale))
            .max(i64::from(other.scale))
            .max(MIN_QUOTIENT_DIGITS)
            .min(MAX_QUOTIENT_SCALE);
        Ok(self.divide_to_scale(other, scale as i32)?.stripped())
    }

    /// The quotient with that many digits after the point, halves away from zero. `other` is not zero.
    pub fn divide_to_scale(&self, other: &Decimal, scale: i32) -> Result<Decimal, Failure> {
        let shift = i64::from(scale) - i64::from(self.scale) + i64::from(other.scale);
        let unscaled = if shift >= 0 {
            divide_half_up(&(&self.unscaled * power_of_ten(shift)?), &other.unscaled)
        } else {
            divide_half_up(&self.unscaled, &(&other.unscaled * power_of_ten(-shift)?))
        };
        Ok(Decimal { unscaled, scale })
    }

    /// What is left of a whole quotient; it has the sign of `self`.
    pub fn remainder(&self, other: &Decimal) -> Result<Decimal, Failure> {
        if other.unscaled.sign() == Sign::NoSign {
            return Err("BigInteger divide by zero".to_owned());
        }
        let (a, b, scale) = self.aligned(other)?;
        let (quotient, rest) = (&a / &b, &a % &b);
        // BigDecimal computes `this - quotient * divisor` and takes zeros off the quotient down to the difference of
        // the scales.
        let wanted = i64::from(self.scale) - i64::from(other.scale);
        let mut quotient_scale = wanted.max(0);
        if wanted < 0 {
            let (mut left, ten) = (quotient, BigInt::from(10));
            while quotient_scale > wanted && (&left % &ten).sign() == Sign::NoSign {
                left /= &ten;
                quotient_scale -= 1;
            }
        }
        let result_scale = i64::from(self.scale).max(quotient_scale + i64::from(other.scale));
        let surplus = i64::from(scale) - result_scale;
        let unscaled =
            if surplus > 0 { rest / power_of_ten(surplus)? } else { rest * power_of_ten(-surplus)? };
        Ok(Decimal { unscaled, scale: i32::try_from(result_scale).map_err(|_| "Overflow")? })
    }

    /// Without zeros at the end.
    pub fn stripped(mut self) -> Decimal {
        if self.unscaled.sign() == Sign::NoSign {
            return Decimal::zero();
        }
        let ten = BigInt::from(10);
        while (&self.unscaled % &ten).sign() == Sign::NoSign {
            let Some(scale) = self.scale.checked_sub(1) else { break };
            self.unscaled /= &ten;
            self.scale = scale;
        }
        self
    }

    /// Both numbers' digits at the larger of the two scales.
    fn aligned(&self, other: &Decimal) -> Result<(BigInt, BigInt, i32), Failure> {
        let scale = self.scale.max(other.scale);
        let at = |number: &Decimal| {
            Ok::<_, Failure>(&number.unscaled * power_of_ten(i64::from(scale) - i64::from(number.scale))?)
        };
        Ok((at(self)?, at(other)?, scale))
    }
}

fn power_of_ten(exponent: i64) -> Result<BigInt, Failure> {
    if exponent > MAX_SHIFT_DIGITS {
        return Err("Overflow".to_owned());
    }
    Ok(BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0)))
}

/// Divides, rounding halves away from zero.
fn divide_half_up(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    if rest.magnitude() * 2_u32 < *divisor.magnitude() {
        return quotient;
    }
    if (dividend.sign() == Sign::Minus) == (divisor.sign() == Sign::Minus) {
        quotient + 1
    } else {
        quotient - 1
    }
}

/// From Rust's shortest scientific text (`1e30`, `2.5e0`) to the scale of Java's `Double.toString`.
fn from_shortest(text: &str, magnitude: f64) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
    let scale = fraction.len() as i32 - exponent;
    let is_plain = magnitude == 0.0 || (1e-3..1e7).contains(&magnitude);
    let wanted = if is_plain { scale.max(1) } else { (fraction.len() as i32).max(1) - exponent };
    let zeros = u32::try_from(wanted - scale).ok()?;
    Some(Decimal { unscaled: digits * BigInt::from(10).pow(zeros), scale: wanted })
}

#[cfg(test)]
mod tests;
