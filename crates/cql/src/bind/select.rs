//! SELECT, bound: which partitions, which rows of them, what is computed from each, in which order, how many.
//!
//! Read in order: [`SelectPlan`] (a bound statement), [`filter`] (the WHERE clause), [`selection`] (what is
//! computed), [`aggregate`].

use std::sync::Arc;

use model::{Column, ColumnKind, CqlType, QueryError, Table};

use super::restrict::KeyRestrictions;
use super::term::Expr;
use super::{Markers, Receiver, Scope, column};
use crate::ast::{self, Select, Selectable};

pub mod aggregate;
pub mod filter;
pub mod selection;

pub use filter::{Filter, FilterKind, Partitions};
pub use selection::{Access, Selection, Selector};

/// What Cassandra answers where rows would have to be read in vain.
pub const NEEDS_FILTERING: &str = "Cannot execute this query as it might involve data filtering and thus may have \
     unpredictable performance. If you want to execute this query despite the performance unpredictability, use \
     ALLOW FILTERING";

/// A bound SELECT.
#[derive(Clone, Debug)]
pub struct SelectPlan {
    /// The table.
    pub table: Arc<Table>,
    /// What is computed from each row.
    pub selection: Selection,
    /// Which partitions.
    pub partitions: Partitions,
    /// Leading restrictions of the clustering columns: these become slices.
    pub clustering: KeyRestrictions,
    /// All other restrictions, tested on each row.
    pub filters: Vec<Filter>,
    /// Rows of each partition come in reverse clustering order.
    pub reversed: bool,
    /// ORDER BY was given: with several partitions all rows are sorted together.
    pub is_ordered: bool,
    /// DISTINCT: one row a partition.
    pub distinct: bool,
    /// GROUP BY: all partition key columns, or these many primary key columns; `None`: no GROUP BY.
    pub group_by: Option<usize>,
    /// LIMIT.
    pub limit: Option<Expr>,
    /// PER PARTITION LIMIT.
    pub per_partition_limit: Option<Expr>,
    /// SELECT JSON: one text column; the names of the selected columns are then in `selection`.
    pub json: bool,
}

impl SelectPlan {
    /// The columns of the result: name and type.
    pub fn result_columns(&self) -> Vec<(Arc<str>, CqlType)> {
        if self.json {
            return vec![("[json]".into(), CqlType::Text)];
        }
        self.selection.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect()
    }

    /// True if clustering columns or regular columns are restricted: a partition of which only the static row is
    /// there then gives no row.
    pub fn restricts_rows(&self) -> bool {
        let of_row = |filter: &Filter| !matches!(filter.access, Access::PartitionKey(_) | Access::Static(_));
        !self.clustering.is_empty() || self.filters.iter().any(of_row)
    }
}

/// Binds a SELECT.
pub fn bind_select(
    select: &Select,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<SelectPlan, QueryError> {
    let table = scope.table(&select.table)?;
    let selection = Selection::bind(select, table, scope, markers)?;
    let mut bound = filter::bind_where(&select.where_clause, table, scope, markers)?;
    if select.distinct {
        check_distinct(table, &selection, &bound)?;
    }
    let group_by = bind_group_by(select, table, scope, &bound)?;
    bind_ann(select, table, scope, markers)?;
    let reversed = bind_order(select, table, &bound)?;
    bound.check(table, select.allow_filtering)?;
    let mut limit = |term: &Option<ast::Term>, name: &str| {
        let receiver = Receiver::new(table, name, CqlType::Int);
        term.as_ref().map(|term| Expr::bind(term, &receiver, scope, markers)).transpose()
    };
    let per_partition_limit = limit(&select.per_partition_limit, "[per_partition_limit]")?;
    let limit = limit(&select.limit, "[limit]")?;
    if per_partition_limit.is_some() && select.distinct {
        return Err(QueryError::invalid("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries"));
    }
    if per_partition_limit.is_some() && selection.is_aggregate() && group_by.is_none() {
        return Err(QueryError::invalid("PER PARTITION LIMIT is not allowed with aggregate queries."));
    }
    Ok(SelectPlan {
        table: table.clone(),
        selection,
        partitions: bound.partitions,
        clustering: bound.clustering,
        filters: bound.filters,
        reversed,
        is_ordered: !select.order_by.is_empty(),
        distinct: select.distinct,
        group_by,
        limit,
        per_partition_limit,
        json: select.json,
    })
}

fn check_distinct(
    table: &Table,
    selection: &Selection,
    bound: &filter::BoundWhere,
) -> Result<(), QueryError> {
    if bound.restricts_other_than_partition() {
        return Err(QueryError::invalid(
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.",
        ));
    }
    for name in &selection.mentioned {
        let column = column(table, name)?;
        if !matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Static) {
            return Err(QueryError::Invalid(format!(
                "SELECT DISTINCT queries must only request partition key columns and/or static columns (not {name})"
            )));
        }
    }
    if bound.names_partition() {
        return Ok(());
    }
    for column in &table.partition_key {
        if !selection.mentioned.iter().any(|name| **name == *column.name) {
            return Err(QueryError::Invalid(format!(
                "SELECT DISTINCT queries must request all the partition key columns (missing {})",
                column.name
            )));
        }
    }
    Ok(())
}

/// Refuses ORDER BY ... ANN OF: it needs an index on its vector, and there are no indexes yet.
fn bind_ann(
    select: &Select,
    table: &Table,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<(), QueryError> {
    let mut ann = None;
    for ordering in &select.order_by {
        let column = column(table, &ordering.column)?;
        if let Some(term) = &ordering.ann_of {
            Expr::bind(term, &Receiver::column(table, column), scope, markers)?;
            ann = Some((ordering, column));
        }
    }
    let Some((ordering, column)) = ann else { return Ok(()) };
    let is_float_vector =
        matches!(&column.ty, CqlType::Vector { element, .. } if **element == CqlType::Float);
    Err(QueryError::invalid(if select.order_by.len() > 1 {
        "ANN ordering does not support any other ordering"
    } else if ordering.descending {
        "Descending ANN ordering is not supported"
    } else if !is_float_vector {
        "ANN ordering is only supported on float vector indexes"
    } else {
        "ANN ordering by vector requires the column to be indexed"
    }))
}

/// True if the rows come in reverse order.
fn bind_order(select: &Select, table: &Table, bound: &filter::BoundWhere) -> Result<bool, QueryError> {
    if select.order_by.is_empty() {
        return Ok(false);
    }
    for ordering in &select.order_by {
        column(table, &ordering.column)?;
    }
    if !bound.names_partition() {
        return Err(QueryError::invalid(
            "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.",
        ));
    }
    // A column that is named again keeps its place and takes the later direction.
    let mut orderings: Vec<(&Column, bool)> = Vec::with_capacity(select.order_by.len());
    for ordering in &select.order_by {
        let column = column(table, &ordering.column)?;
        match orderings.iter_mut().find(|(known, _)| known.id == column.id) {
            Some((_, descending)) => *descending = ordering.descending,
            None => orderings.push((column, ordering.descending)),
        }
    }
    let mut reversed = None;
    let mut next = 0;
    for (column, descending) in orderings {
        if column.kind != ColumnKind::Clustering {
            return Err(QueryError::Invalid(format!(
                "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got {}",
                column.name
            )));
        }
        // Columns that are fixed by an equality may be left out.
        while next < column.position as usize {
            let fixed = bound
                .clustering
                .covering(next)
                .is_some_and(|test| matches!(test.test, super::restrict::Test::Eq(_)));
            if !fixed {
                return Err(QueryError::invalid(
                    "Order by currently only supports the ordering of columns following their declared order in the \
                     PRIMARY KEY",
                ));
            }
            next += 1;
        }
        next = column.position as usize + 1;
        let is_reverse = descending != column.reversed;
        if *reversed.get_or_insert(is_reverse) != is_reverse {
            return Err(QueryError::invalid("Unsupported order by relation"));
        }
    }
    Ok(reversed.unwrap_or(false))
}

fn bind_group_by(
    select: &Select,
    table: &Table,
    scope: Scope<'_>,
    bound: &filter::BoundWhere,
) -> Result<Option<usize>, QueryError> {
    let _ = scope;
    if select.group_by.is_empty() {
        return Ok(None);
    }
    let key: Vec<&model::Column> = table.partition_key.iter().chain(&table.clustering).collect();
    let mut next = 0;
    for selectable in &select.group_by {
        let Selectable::Column(name) = selectable else {
            return Err(QueryError::invalid(
                "GROUP BY of functions is not yet supported by Helenus; group by columns of the PRIMARY KEY",
            ));
        };
        let column = column(table, name)?;
        let Some(position) = key.iter().position(|known| known.id == column.id) else {
            return Err(QueryError::Invalid(format!(
                "Group by is currently only supported on the columns of the PRIMARY KEY, got {name}"
            )));
        };
        while next < position && bound.is_fixed(table, next) {
            next += 1;
        }
        if next != position {
            return Err(QueryError::invalid(
                "Group by currently only support groups of columns following their declared order in the PRIMARY KEY",
            ));
        }
        next += 1;
    }
    if next < table.partition_key.len() {
        return Err(QueryError::invalid("Group by is not supported on only a part of the partition key"));
    }
    Ok(Some(next))
}
