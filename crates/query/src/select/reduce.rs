//! Aggregates and groups: many rows, one row of the result.

use bytes::Bytes;
use cql::bind::function::total::{Total, Want};
use cql::bind::select::SelectPlan;
use cql::bind::select::aggregate::{Aggregate, Reduction};
use cql::bind::term::EvalContext;
use model::{Clustering, PartitionKey, QueryError, Value};

use super::row::{RowView, evaluate};

/// The group under way.
pub struct Groups {
    states: Vec<State>,
    /// What the first row of the group gives for each column.
    first: Option<Vec<Value>>,
    /// Values of the grouping columns.
    key: Vec<Value>,
    last: Option<LastRow>,
    /// Clustering of the first row.
    first_clustering: Clustering,
}

/// Where a group's last row was.
#[derive(Clone, Debug)]
pub struct LastRow {
    /// Its partition.
    pub key: PartitionKey,
    /// Its place there; `None` for a static row alone.
    pub clustering: Option<Clustering>,
    /// Groups that PER PARTITION LIMIT still allowed there.
    pub left: u64,
}

/// One aggregate's state.
#[derive(Clone, Debug)]
enum State {
    Count(i64),
    /// The least or greatest value yet.
    Best(Value),
    Total(Total),
}

impl Groups {
    /// No group yet.
    pub fn new(plan: &SelectPlan) -> Groups {
        Groups {
            states: State::all(plan),
            first: None,
            key: Vec::new(),
            last: None,
            first_clustering: Clustering::EMPTY,
        }
    }

    /// True if a group has rows.
    pub fn is_open(&self) -> bool {
        self.first.is_some()
    }

    /// The last row's place.
    pub fn last_row(&self) -> Option<LastRow> {
        self.last.clone()
    }

    /// The first row's place.
    pub fn first_clustering(&self) -> &Clustering {
        &self.first_clustering
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
        last: LastRow,
        ctx: &EvalContext<'_>,
    ) -> Result<(), QueryError> {
        if self.first.is_none() {
            let nothing = vec![None; plan.selection.aggregates.len()];
            let columns = plan.selection.columns.iter();
            let values = columns.map(|column| evaluate(&column.selector, view, ctx, &nothing));
            self.first = Some(values.collect::<Result<_, _>>()?);
            self.key = group_key(plan, view);
            self.first_clustering = last.clustering.clone().unwrap_or(Clustering::EMPTY);
        }
        self.last = Some(last);
        for (state, aggregate) in self.states.iter_mut().zip(&plan.selection.aggregates) {
            let value = match &aggregate.argument {
                Some(argument) => evaluate(argument, view, ctx, &[])?,
                None => None,
            };
            state.add(aggregate, value)?;
        }
        Ok(())
    }

    /// The group's row; the next row begins a new group.
    pub fn finish(&mut self, plan: &SelectPlan, ctx: &EvalContext<'_>) -> Result<Vec<Value>, QueryError> {
        let states = std::mem::replace(&mut self.states, State::all(plan));
        let results: Vec<Value> = states.into_iter().map(State::result).collect::<Result<_, _>>()?;
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
        let clustering = (0..count.saturating_sub(view.key.len())).map(|index| row.clustering_value(index));
        key.extend(clustering.map(|value| value.map(Bytes::copy_from_slice)));
    }
    key
}

impl State {
    /// The states of a new group.
    fn all(plan: &SelectPlan) -> Vec<State> {
        let new = |aggregate: &Aggregate| match aggregate.reduction {
            Reduction::CountRows | Reduction::Count => State::Count(0),
            Reduction::Min | Reduction::Max => State::Best(None),
            Reduction::Sum => State::Total(Total::new(Want::Sum, &aggregate.ty)),
            Reduction::Avg => State::Total(Total::new(Want::Average, &aggregate.ty)),
        };
        plan.selection.aggregates.iter().map(new).collect()
    }

    fn add(&mut self, aggregate: &Aggregate, value: Value) -> Result<(), QueryError> {
        match (self, value) {
            (State::Count(count), value) => {
                *count += i64::from(value.is_some() || aggregate.reduction == Reduction::CountRows);
            }
            (State::Best(best), Some(value)) => {
                let is_better = |old: &bytes::Bytes| {
                    let order = aggregate.ty.compare(&value, old);
                    if aggregate.reduction == Reduction::Min { order.is_lt() } else { order.is_gt() }
                };
                if best.as_ref().is_none_or(is_better) {
                    *best = Some(value);
                }
            }
            (State::Total(total), Some(value)) => total.add(&value).map_err(QueryError::Server)?,
            (_, None) => {}
        }
        Ok(())
    }

    fn result(self) -> Result<Value, QueryError> {
        Ok(match self {
            State::Count(count) => Some(count.to_be_bytes().to_vec().into()),
            State::Best(value) => value,
            State::Total(total) => Some(total.result().map_err(QueryError::Server)?.into()),
        })
    }
}
