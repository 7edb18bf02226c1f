//! `exp`, `log` and `log10` of decimals, to 32 significant digits.
//!
//! Computed in fixed point with enough digits to spare that the last one is right.

use num_bigint::{BigInt, Sign};

use super::{Decimal, Failure, divide_half_up, power_of_ten};

/// Significant digits of a result.
const RESULT_DIGITS: i64 = 32;
/// Digits after the point while computing, beyond those that the argument needs.
const SPARE_DIGITS: i64 = 48;
/// Digits of an argument that are looked at.
const MAX_ARGUMENT_DIGITS: i64 = 4000;

/// A number times `10^digits`.
struct Fixed {
    one: BigInt,
    digits: i64,
}

impl Fixed {
    fn new(digits: i64) -> Result<Fixed, Failure> {
        Ok(Fixed { one: power_of_ten(digits)?, digits })
    }

    fn multiply(&self, a: &BigInt, b: &BigInt) -> BigInt {
        a * b / &self.one
    }

    /// `ln((1 + z) / (1 - z)) = 2 (z + z^3/3 + z^5/5 ...)`, for |z| < 1.
    fn twice_atanh(&self, z: &BigInt) -> BigInt {
        let square = self.multiply(z, z);
        let (mut power, mut sum, mut odd) = (z.clone(), z.clone(), 1_u64);
        while power.sign() != Sign::NoSign {
            power = self.multiply(&power, &square);
            odd += 2;
            sum += &power / odd;
        }
        sum * 2
    }

    /// The natural logarithm of a fixed-point number between 1 and 10.
    fn ln(&self, number: &BigInt) -> BigInt {
        let (above, below) = (number - &self.one, number + &self.one);
        self.twice_atanh(&(above * &self.one / below))
    }

    fn ln_ten(&self) -> BigInt {
        self.ln(&(&self.one * 10))
    }

    /// e to the power of a fixed-point number of small size.
    fn exp(&self, number: &BigInt) -> BigInt {
        let (mut term, mut sum, mut n) = (self.one.clone(), self.one.clone(), 0_u64);
        while term.sign() != Sign::NoSign {
            n += 1;
            term = self.multiply(&term, number) / n;
            sum += &term;
        }
        sum
    }

    fn decimal(&self, number: BigInt) -> Decimal {
        Decimal { unscaled: number, scale: self.digits as i32 }
    }
}

/// e to the power of `number`.
pub fn exp(number: &Decimal) -> Result<Decimal, Failure> {
    if number.unscaled.sign() == Sign::NoSign {
        return Ok(Decimal::whole(BigInt::from(1)));
    }
    let whole_digits = number.digits() - i64::from(number.scale);
    if whole_digits > 9 {
        return Err("Overflow".to_owned());
    }
    if whole_digits < -RESULT_DIGITS * 2 {
        return significant(Decimal::whole(BigInt::from(1)), RESULT_DIGITS);
    }
    let fixed = Fixed::new(RESULT_DIGITS + SPARE_DIGITS + whole_digits.max(0))?;
    let scaled = number.divide_to_scale(&Decimal::whole(BigInt::from(1)), fixed.digits as i32)?.unscaled;
    let ln_ten = fixed.ln_ten();
    // e^x = 10^k e^(x - k ln 10): what is left is small and the power of ten exact.
    let k = divide_half_up(&scaled, &ln_ten);
    let mut result = fixed.decimal(fixed.exp(&(&scaled - &k * &ln_ten)));
    let k = i32::try_from(&k).map_err(|_| "Overflow")?;
    result.scale = result.scale.checked_sub(k).ok_or("Overflow")?;
    significant(result, RESULT_DIGITS)
}

/// The natural logarithm.
pub fn ln(number: &Decimal) -> Result<Decimal, Failure> {
    if number.unscaled.sign() != Sign::Plus {
        return Err("Natural log of number zero or less".to_owned());
    }
    if is_one(number) {
        return Ok(Decimal::zero());
    }
    let (fixed, result) = ln_fixed(number)?;
    significant(fixed.decimal(result), RESULT_DIGITS)
}

/// The logarithm to base 10.
pub fn log10(number: &Decimal) -> Result<Decimal, Failure> {
    if number.unscaled.sign() != Sign::Plus {
        return Err("Log10 of number zero or less".to_owned());
    }
    if is_one(number) {
        return Ok(Decimal::zero());
    }
    let stripped = number.clone().stripped();
    if stripped == (Decimal { unscaled: BigInt::from(1), scale: -1 }) {
        return Ok(Decimal::whole(BigInt::from(1)));
    }
    if stripped.unscaled == BigInt::from(1) {
        let power = Decimal::whole(BigInt::from(-i64::from(stripped.scale)));
        return significant(power, RESULT_DIGITS);
    }
    let (fixed, result) = ln_fixed(number)?;
    significant(fixed.decimal(result * &fixed.one / fixed.ln_ten()), RESULT_DIGITS)
}

fn is_one(number: &Decimal) -> bool {
    number.clone().stripped() == Decimal::whole(BigInt::from(1))
}

fn ln_fixed(number: &Decimal) -> Result<(Fixed, BigInt), Failure> {
    let digits = number.digits();
    if digits > MAX_ARGUMENT_DIGITS {
        return Err("Overflow".to_owned());
    }
    // Of an argument close to 1 the leading digits of the logarithm are zeros: as many as it has digits.
    let fixed = Fixed::new(RESULT_DIGITS + SPARE_DIGITS + digits)?;
    let exponent = digits - 1 - i64::from(number.scale);
    let mantissa = &number.unscaled * power_of_ten(fixed.digits - (digits - 1))?;
    let result = fixed.ln(&mantissa) + fixed.ln_ten() * exponent;
    Ok((fixed, result))
}

/// Rounded to exactly that many significant digits.
fn significant(number: Decimal, digits: i64) -> Result<Decimal, Failure> {
    let surplus = number.digits() - digits;
    let scale = i32::try_from(i64::from(number.scale) - surplus).map_err(|_| "Overflow")?;
    let unscaled = if surplus <= 0 {
        number.unscaled * power_of_ten(-surplus)?
    } else {
        divide_half_up(&number.unscaled, &power_of_ten(surplus)?)
    };
    let rounded = Decimal { unscaled, scale };
    // 9.99...9 may have become 10.00...0: one digit too many.
    if rounded.digits() > digits { significant(rounded, digits) } else { Ok(rounded) }
}
