//! Aggregates and groups: many rows, one row of the result.

use cql::bind::select::SelectPlan;
use cql::bind::select::aggregate::{Aggregate, Reduction};
use cql::bind::term::EvalContext;
use model::{Clustering, CqlType, PartitionKey, QueryError, Value};
use num_bigint::BigInt;

use super::row::{RowView, evaluate};

/// The group under way.
pub struct Groups {
    states: Vec<State>,
    /// What the first row of the group gives for each column.
    first: Option<Vec<Value>>,
    /// Values of the grouping columns.
    key: Vec<Value>,
    last: Option<(PartitionKey, Option<Clustering>)>,
}

/// One aggregate's state.
#[derive(Clone, Debug, Default)]
struct State {
    count: i64,
    value: Value,
    sum: Sum,
}

#[derive(Clone, Debug, Default)]
enum Sum {
    #[default]
    Nothing,
    Integer(i128),
    Float(f64),
    Big(BigDecimal),
}

impl Groups {
    /// No group yet.
    pub fn new(plan: &SelectPlan) -> Groups {
        let states = vec![State::default(); plan.selection.aggregates.len()];
        Groups { states, first: None, key: Vec::new(), last: None }
    }

    /// True if a group has rows.
    pub fn is_open(&self) -> bool {
        self.first.is_some()
    }

    /// The last row's place.
    pub fn last_position(&self) -> Option<(PartitionKey, Option<Clustering>)> {
        self.last.clone()
    }

    /// True if a row belongs to another group than the one before.
    pub fn starts_new(&self, plan: &SelectPlan, view: &RowView<'_>) -> bool {
        plan.group_by.is_some() && self.key != group_key(plan, view)
    }

    /// Adds a row.
    pub fn add(
        &mut self,
        plan: &SelectPlan,
        view: &RowView<'_>,
        key: &PartitionKey,
        clustering: Option<&Clustering>,
        ctx: &EvalContext<'_>,
    ) -> Result<(), QueryError> {
        if self.first.is_none() {
            let nothing = vec![None; plan.selection.aggregates.len()];
            let columns = plan.selection.columns.iter();
            let values = columns.map(|column| evaluate(&column.selector, view, ctx, &nothing));
            self.first = Some(values.collect::<Result<_, _>>()?);
            self.key = group_key(plan, view);
        }
        self.last = Some((key.clone(), clustering.cloned()));
        for (state, aggregate) in self.states.iter_mut().zip(&plan.selection.aggregates) {
            let value = match &aggregate.argument {
                Some(argument) => evaluate(argument, view, ctx, &[])?,
                None => None,
            };
            state.add(aggregate, value);
        }
        Ok(())
    }

    /// The group's row; the next row begins a new group.
    pub fn finish(&mut self, plan: &SelectPlan, ctx: &EvalContext<'_>) -> Result<Vec<Value>, QueryError> {
        let states =
            std::mem::replace(&mut self.states, vec![State::default(); plan.selection.aggregates.len()]);
        let results: Vec<Value> = states
            .into_iter()
            .zip(&plan.selection.aggregates)
            .map(|(state, aggregate)| state.result(aggregate))
            .collect();
        let first = self.first.take();
        let nothing = RowView { key: &[], statics: None, row: None, now_s: 0 };
        let mut values = Vec::with_capacity(plan.selection.columns.len());
        for (index, column) in plan.selection.columns.iter().enumerate() {
            values.push(if super::row::has_aggregate(&column.selector) {
                evaluate(&column.selector, &nothing, ctx, &results)?
            } else {
                first.as_ref().and_then(|first| first[index].clone())
            });
        }
        Ok(values)
    }
}

fn group_key(plan: &SelectPlan, view: &RowView<'_>) -> Vec<Value> {
    let count = plan.group_by.unwrap_or(0);
    let mut key: Vec<Value> = view.key.iter().take(count).cloned().map(Some).collect();
    if let Some(row) = view.row {
        key.extend(row.clustering.values.iter().take(count.saturating_sub(view.key.len())).cloned());
    }
    key
}

impl State {
    fn add(&mut self, aggregate: &Aggregate, value: Value) {
        if aggregate.reduction == Reduction::CountRows {
            self.count += 1;
            return;
        }
        let Some(value) = value else { return };
        self.count += 1;
        let ty = &aggregate.ty;
        match aggregate.reduction {
            Reduction::CountRows | Reduction::Count => {}
            Reduction::Min => {
                if self.value.as_ref().is_none_or(|old| ty.compare(&value, old).is_lt()) {
                    self.value = Some(value);
                }
            }
            Reduction::Max => {
                if self.value.as_ref().is_none_or(|old| ty.compare(&value, old).is_gt()) {
                    self.value = Some(value);
                }
            }
            Reduction::Sum | Reduction::Avg => self.sum.add(ty, &value),
        }
    }

    fn result(self, aggregate: &Aggregate) -> Value {
        match aggregate.reduction {
            Reduction::CountRows | Reduction::Count => Some(self.count.to_be_bytes().to_vec().into()),
            Reduction::Min | Reduction::Max => self.value,
            Reduction::Sum => Some(self.sum.value(&aggregate.ty, 1).into()),
            Reduction::Avg => Some(self.sum.value(&aggregate.ty, self.count.max(1)).into()),
        }
    }
}

impl Sum {
    fn add(&mut self, ty: &CqlType, value: &[u8]) {
        match ty {
            CqlType::Float | CqlType::Double => {
                let number = match (<[u8; 4]>::try_from(value), <[u8; 8]>::try_from(value)) {
                    (Ok(bytes), _) => f64::from(f32::from_be_bytes(bytes)),
                    (_, Ok(bytes)) => f64::from_be_bytes(bytes),
                    _ => return,
                };
                let sum = if let Sum::Float(sum) = self { *sum } else { 0.0 };
                *self = Sum::Float(sum + number);
            }
            CqlType::Varint | CqlType::Decimal => {
                let number = if *ty == CqlType::Varint {
                    Some(BigDecimal { unscaled: BigInt::from_signed_bytes_be(value), scale: 0 })
                } else {
                    BigDecimal::from_bytes(value)
                };
                let Some(number) = number else { return };
                *self = Sum::Big(match std::mem::take(self) {
                    Sum::Big(sum) => sum.plus(&number),
                    _ => number,
                });
            }
            _ => {
                if value.is_empty() || value.len() > 8 {
                    return;
                }
                let sign = if value[0] & 0x80 == 0 { 0 } else { -1_i128 };
                let number = value.iter().fold(sign, |number, byte| (number << 8) | i128::from(*byte));
                let sum = if let Sum::Integer(sum) = self { *sum } else { 0 };
                *self = Sum::Integer(sum.saturating_add(number));
            }
        }
    }

    /// The sum divided by `count`, in the type.
    fn value(&self, ty: &CqlType, count: i64) -> Vec<u8> {
        let integer = match self {
            Sum::Integer(sum) => sum / i128::from(count),
            _ => 0,
        };
        let float = match self {
            Sum::Float(sum) => sum / count as f64,
            _ => 0.0,
        };
        match ty {
            CqlType::Tinyint => (integer as i8).to_be_bytes().to_vec(),
            CqlType::Smallint => (integer as i16).to_be_bytes().to_vec(),
            CqlType::Int => (integer as i32).to_be_bytes().to_vec(),
            CqlType::Float => (float as f32).to_be_bytes().to_vec(),
            CqlType::Double => float.to_be_bytes().to_vec(),
            CqlType::Varint => match self {
                Sum::Big(sum) => (&sum.unscaled / count).to_signed_bytes_be(),
                _ => vec![0],
            },
            CqlType::Decimal => match self {
                Sum::Big(sum) if count == 1 => sum.to_bytes(),
                Sum::Big(sum) => sum.divided_by(count).to_bytes(),
                _ => vec![0, 0, 0, 0, 0],
            },
            _ => (integer as i64).to_be_bytes().to_vec(),
        }
    }
}

/// Most digits that scales are aligned over: beyond, the smaller number is lost, as in floating point.
const MAX_ALIGN_DIGITS: u32 = 10_000;

/// A decimal: `unscaled * 10^-scale`.
#[derive(Clone, Debug)]
struct BigDecimal {
    unscaled: BigInt,
    scale: i32,
}

impl BigDecimal {
    fn from_bytes(bytes: &[u8]) -> Option<BigDecimal> {
        let (scale, unscaled) = bytes.split_first_chunk::<4>()?;
        Some(BigDecimal {
            unscaled: BigInt::from_signed_bytes_be(unscaled),
            scale: i32::from_be_bytes(*scale),
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.scale.to_be_bytes().to_vec();
        bytes.extend(self.unscaled.to_signed_bytes_be());
        bytes
    }

    fn plus(&self, other: &BigDecimal) -> BigDecimal {
        let (low, high) = if self.scale <= other.scale { (self, other) } else { (other, self) };
        let digits = high.scale.abs_diff(low.scale);
        if digits > MAX_ALIGN_DIGITS {
            return low.clone();
        }
        let aligned = &low.unscaled * BigInt::from(10).pow(digits);
        BigDecimal { unscaled: aligned + &high.unscaled, scale: high.scale }
    }

    /// The quotient with the same scale, rounded half to even (`BigDecimal.divide` of Cassandra's avg).
    fn divided_by(&self, count: i64) -> BigDecimal {
        let count = BigInt::from(count);
        let quotient: BigInt = &self.unscaled / &count;
        let rest: BigInt = (&self.unscaled - &quotient * &count) * 2;
        let distance = rest.magnitude().cmp(count.magnitude());
        let is_odd = quotient.bit(0);
        let up = distance.is_gt() || (distance.is_eq() && is_odd);
        let step = if rest.sign() == num_bigint::Sign::Minus { -1 } else { 1 };
        let unscaled = if up { quotient + step } else { quotient };
        BigDecimal { unscaled, scale: self.scale }
    }
}
