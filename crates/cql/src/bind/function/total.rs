//! Sums and means of many values of one type, as `sum`, `avg` and their kin over collections give them.
//!
//! Integers wrap around, doubles are summed with compensation, a decimal's mean moves with each value
//! (`AggregateFcts.java` of Cassandra 5.0).

use model::CqlType;
use num_bigint::{BigInt, Sign};

use super::decimal::{Decimal, Failure};
use super::number::Number;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The sum.
    Sum,
    /// The mean.
    Average,
}

/// What has been added so far.
#[derive(Clone, Debug)]
pub struct Total {
    want: Want,
    ty: CqlType,
    count: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Whole(BigInt),
    Real(Compensated),
    /// The sum, or the mean.
    Decimal(Decimal),
}

/// A sum of doubles with what rounding lost (Kahan).
#[derive(Clone, Debug, Default)]
struct Compensated {
    sum: f64,
    lost: f64,
    plain: f64,
    /// The exact sum, for the mean of finite values whose sum is too big.
    exact: Option<Decimal>,
    /// An infinity or NaN was among them.
    is_inexact: bool,
}

impl Total {
    /// Nothing yet.
    pub fn new(want: Want, ty: &CqlType) -> Total {
        let state = match ty {
            CqlType::Float | CqlType::Double => State::Real(Compensated::default()),
            CqlType::Decimal => State::Decimal(Decimal::zero()),
            _ => State::Whole(BigInt::ZERO),
        };
        Total { want, ty: ty.clone(), count: 0, state }
    }

    /// Adds a value; an empty one counts for nothing.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(number) = Number::read(&self.ty, bytes) else { return Ok(()) };
        self.count += 1;
        match (&mut self.state, number) {
            (State::Whole(sum), Number::Integer(number)) => *sum += number,
            (State::Whole(sum), Number::Varint(number)) => *sum += number,
            (State::Real(sum), number) => sum.add(number.to_f64(), self.want),
            (State::Decimal(sum), Number::Decimal(number)) => {
                *sum = match self.want {
                    Want::Sum => sum.add(&number)?,
                    Want::Average => {
                        let step = number.subtract(sum)?;
                        sum.add(&divide_half_even(&step, self.count))?
                    }
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// The result in the type; of nothing it is zero.
    pub fn result(&self) -> Result<Vec<u8>, Failure> {
        let divisor = if self.want == Want::Average { self.count.max(1) } else { 1 };
        match &self.state {
            State::Whole(sum) => Number::Varint(sum / divisor).write(&self.ty),
            State::Real(sum) => Number::Double(sum.mean(divisor)).write(&self.ty),
            State::Decimal(result) => Ok(result.to_bytes()),
        }
    }
}

impl Compensated {
    fn add(&mut self, number: f64, want: Want) {
        self.plain += number;
        let corrected = number - self.lost;
        let sum = self.sum + corrected;
        self.lost = (sum - self.sum) - corrected;
        self.sum = sum;
        if want == Want::Sum || self.is_inexact {
            return;
        }
        // The scale of the first value stays: adding to a zero would lose it.
        self.exact = match (self.exact.take(), Decimal::from_f64(number)) {
            (Some(exact), Some(number)) => exact.add(&number).ok(),
            (None, number) => number,
            (Some(_), None) => None,
        };
        self.is_inexact = self.exact.is_none();
    }

    fn value(&self) -> f64 {
        let sum = self.sum - self.lost;
        // Infinities make the compensation a NaN.
        if sum.is_nan() && self.plain.is_infinite() { self.plain } else { sum }
    }

    fn mean(&self, count: u64) -> f64 {
        let sum = self.value();
        match &self.exact {
            Some(exact) if sum.is_infinite() => divide_half_even(exact, count).to_f64(),
            _ => sum / count as f64,
        }
    }
}

/// Divides, keeping the scale; halves go to the even neighbour.
fn divide_half_even(dividend: &Decimal, count: u64) -> Decimal {
    let quotient = &dividend.unscaled / count;
    let rest = (&dividend.unscaled % count).magnitude() * 2_u32;
    let is_odd = quotient.bit(0);
    let divisor = num_bigint::BigUint::from(count);
    let away = rest > divisor || rest == divisor && is_odd;
    let step = if dividend.unscaled.sign() == Sign::Minus { -1 } else { 1 };
    let unscaled = if away { quotient + step } else { quotient };
    Decimal { unscaled, scale: dividend.scale }
}

#[cfg(test)]
mod tests;
