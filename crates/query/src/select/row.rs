//! One row's values: what lives, what a selector makes of it, whether it passes a test.

use std::borrow::Cow;

use bytes::Bytes;
use cql::ast::{CellMetadata, Operator};
use cql::bind::select::{Access, Selection, Selector};
use cql::bind::term::{EvalContext, Expr};
use model::row::NO_TTL;
use model::value::collection;
use model::{BoundValue, Cell, Clustering, ColumnData, ColumnId, CqlType, PlainRow, QueryError, Row, Value};

/// A row that was read, taken out of where it stands or still there.
#[derive(Clone, Copy)]
pub enum RowRef<'r> {
    /// Taken out.
    Whole(&'r Row),
    /// In place.
    Plain(&'r PlainRow<'r>),
}

impl<'r> RowRef<'r> {
    /// A value of its clustering.
    #[inline]
    pub fn clustering_value(&self, index: usize) -> Option<&'r [u8]> {
        match self {
            RowRef::Whole(row) => row.clustering.values.get(index)?.as_deref(),
            RowRef::Plain(row) => row.clustering_value(index),
        }
    }

    /// Its place, to be kept.
    pub fn clustering(&self) -> Clustering {
        match self {
            RowRef::Whole(row) => row.clustering.clone(),
            RowRef::Plain(row) => row.clustering(),
        }
    }

    /// True if a reader sees the row: its marker or any cell lives.
    #[inline]
    pub fn is_live(&self, now_s: u32) -> bool {
        match self {
            RowRef::Whole(row) => is_live(row, now_s),
            RowRef::Plain(row) => row.is_live(now_s),
        }
    }

    /// The value of a column that has one cell, if it lives.
    #[inline]
    fn simple(&self, column: ColumnId, now_s: u32) -> Option<&'r [u8]> {
        match self {
            RowRef::Whole(row) => simple_value(row, column, now_s),
            RowRef::Plain(row) => {
                let cell = row.cell(column)?;
                cell.is_live(now_s).then(|| row.value(cell))
            }
        }
    }

    fn column(&self, column: ColumnId) -> Option<Cow<'r, ColumnData>> {
        match self {
            RowRef::Whole(row) => row.column(column).map(Cow::Borrowed),
            RowRef::Plain(row) => {
                row.cell(column).map(|cell| Cow::Owned(ColumnData::Cell(row.to_cell(cell))))
            }
        }
    }
}

fn simple_value(row: &Row, column: ColumnId, now_s: u32) -> Option<&[u8]> {
    match row.column(column)? {
        ColumnData::Cell(cell) if cell.is_live(now_s) => Some(&cell.value),
        _ => None,
    }
}

/// What a selector looks at.
#[derive(Clone, Copy)]
pub struct RowView<'r> {
    /// Components of the partition key.
    pub key: &'r [Bytes],
    /// The static row, if it lives.
    pub statics: Option<&'r Row>,
    /// The row; `None` where only the static row is there.
    pub row: Option<RowRef<'r>>,
    /// Second at which expiry is judged.
    pub now_s: u32,
}

impl<'r> RowView<'r> {
    /// The value of a column that has one cell.
    #[inline]
    pub fn simple(&self, access: Access) -> Option<&'r [u8]> {
        match access {
            Access::PartitionKey(index) => self.key.get(index).map(|value| &value[..]),
            Access::Clustering(index) => self.row?.clustering_value(index),
            Access::Static(id) => simple_value(self.statics?, id, self.now_s),
            Access::Regular(id) => self.row?.simple(id, self.now_s),
        }
    }

    fn column_data(&self, access: Access) -> Option<Cow<'r, ColumnData>> {
        match access {
            Access::Static(id) => self.statics?.column(id).map(Cow::Borrowed),
            Access::Regular(id) => self.row?.column(id),
            _ => None,
        }
    }
}

/// True if a reader sees the row: its marker or any cell lives.
pub fn is_live(row: &Row, now_s: u32) -> bool {
    row.liveness.is_live(now_s)
        || row.columns.iter().any(|(_, data)| match data {
            ColumnData::Cell(cell) => cell.is_live(now_s),
            ColumnData::Complex { cells, .. } => cells.iter().any(|(_, cell)| cell.is_live(now_s)),
        })
}

/// The value of a column: collections are put together from their cells, counters summed up.
pub fn column_value<'r>(access: Access, ty: &CqlType, view: &RowView<'r>) -> Option<Cow<'r, [u8]>> {
    if *ty == CqlType::Counter {
        let context = view.simple(access)?;
        return Some(Cow::Owned(model::counter::total(context).unwrap_or(0).to_be_bytes().to_vec()));
    }
    if !ty.is_multi_cell() {
        return view.simple(access).map(Cow::Borrowed);
    }
    let data = view.column_data(access)?;
    let ColumnData::Complex { cells, .. } = &*data else { return None };
    let live = cells.iter().filter(|(_, cell)| cell.is_live(view.now_s));
    assemble(ty, live).map(Cow::Owned)
}

/// A collection or user type from its live cells; `None` if there is none.
pub fn assemble<'c>(ty: &CqlType, cells: impl Iterator<Item = &'c (Bytes, Cell)>) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]>;
    let count;
    match ty {
        CqlType::List { .. } => {
            parts = cells.map(|(_, cell)| &cell.value[..]).collect();
            count = parts.len();
        }
        CqlType::Set { .. } => {
            parts = cells.map(|(path, _)| &path[..]).collect();
            count = parts.len();
        }
        CqlType::Map { .. } => {
            parts = cells.flat_map(|(path, cell)| [&path[..], &cell.value[..]]).collect();
            count = parts.len() / 2;
        }
        CqlType::Udt { definition, .. } => {
            let mut fields: Vec<Value> = vec![None; definition.fields.len()];
            for (path, cell) in cells {
                let index = path.as_ref().try_into().map(u16::from_be_bytes).map_or(usize::MAX, usize::from);
                if let Some(field) = fields.get_mut(index) {
                    *field = Some(cell.value.clone());
                }
            }
            if fields.iter().all(Option::is_none) {
                return None;
            }
            return Some(collection::pack_tuple(&fields));
        }
        _ => return None,
    }
    (count > 0).then(|| collection::pack(count, &parts))
}

/// What a selector gives for a row. `aggregates`: results of the selection's aggregates, if it has any.
pub fn evaluate(
    selector: &Selector,
    view: &RowView<'_>,
    ctx: &EvalContext<'_>,
    aggregates: &[Value],
) -> Result<Value, QueryError> {
    let inner = |selector: &Selector| evaluate(selector, view, ctx, aggregates);
    match selector {
        Selector::Column { access, ty } => {
            Ok(column_value(*access, ty, view).map(|value| Bytes::copy_from_slice(&value)))
        }
        Selector::CellMetadata { kind, access, ty, element, field, range } => {
            let path = match (element, field) {
                (Some(key), _) => Some(value_of(key, ctx)?.unwrap_or_default()),
                (None, Some(field)) => Some(Bytes::copy_from_slice(&field.to_be_bytes())),
                (None, None) => None,
            };
            let bound = |side: &Option<Expr>| side.as_ref().map_or(Ok(None), |expr| value_of(expr, ctx));
            let (from, to) = match range {
                Some((from, to)) => (bound(from)?, bound(to)?),
                None => (None, None),
            };
            let data = view.column_data(*access);
            Ok(cell_metadata(*kind, data.as_deref(), ty, &CellPart { path, from, to }, view.now_s))
        }
        Selector::Value(expr) => value_of(expr, ctx),
        Selector::Call { function, arguments } => {
            let arguments = arguments.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
            function.call(&arguments, ctx)
        }
        Selector::Aggregate(index) => Ok(aggregates.get(*index).cloned().flatten()),
        Selector::Field { inner: of, index, count } => {
            let Some(value) = inner(of)? else { return Ok(None) };
            let fields = collection::unpack_tuple(&value, *count).map_err(QueryError::Server)?;
            Ok(fields.get(*index).cloned().flatten())
        }
        Selector::Element { inner: of, ty, key } => {
            let (Some(value), Some(key)) = (inner(of)?, value_of(key, ctx)?) else { return Ok(None) };
            let entries = entries(ty, &value)?;
            let key_type = key_type(ty);
            Ok(entries
                .into_iter()
                .find(|(known, _)| key_type.compare(known, &key).is_eq())
                .map(|(_, value)| value))
        }
        Selector::Slice { inner: of, ty, from, to } => {
            let Some(value) = inner(of)? else { return Ok(None) };
            let side = |side: &Option<Expr>| side.as_ref().map_or(Ok(None), |expr| value_of(expr, ctx));
            let (from, to) = (side(from)?, side(to)?);
            let key_type = key_type(ty);
            let mut kept = entries(ty, &value)?;
            kept.retain(|(key, _)| {
                from.as_ref().is_none_or(|from| key_type.compare(key, from).is_ge())
                    && to.as_ref().is_none_or(|to| key_type.compare(key, to).is_le())
            });
            if kept.is_empty() {
                return Ok(None);
            }
            let is_map = matches!(ty, CqlType::Map { .. });
            let parts: Vec<Bytes> = kept
                .iter()
                .flat_map(
                    |(key, value)| if is_map { vec![key.clone(), value.clone()] } else { vec![key.clone()] },
                )
                .collect();
            Ok(Some(collection::pack(kept.len(), &parts).into()))
        }
        Selector::Composite { ty, parts } => {
            let values = parts.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
            compose(ty, values)
        }
    }
}

fn compose(ty: &CqlType, values: Vec<Value>) -> Result<Value, QueryError> {
    if matches!(ty, CqlType::Tuple(_) | CqlType::Udt { .. }) {
        return Ok(Some(collection::pack_tuple(&values).into()));
    }
    let mut parts: Vec<Bytes> = Vec::with_capacity(values.len());
    for value in values {
        parts.push(value.ok_or_else(|| QueryError::invalid("null is not supported inside collections"))?);
    }
    match ty {
        CqlType::Set { element, .. } => {
            parts.sort_by(|a, b| element.compare(a, b));
            parts.dedup();
        }
        CqlType::Map { key, .. } => {
            let mut entries: Vec<(Bytes, Bytes)> =
                parts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            // The last of equal keys wins.
            entries.reverse();
            entries.sort_by(|a, b| key.compare(&a.0, &b.0));
            entries.dedup_by(|a, b| key.compare(&a.0, &b.0).is_eq());
            let flat: Vec<Bytes> = entries.into_iter().flat_map(|(key, value)| [key, value]).collect();
            return Ok(Some(collection::pack(flat.len() / 2, &flat).into()));
        }
        CqlType::Vector { element, .. } => return Ok(Some(collection::pack_vector(element, &parts).into())),
        _ => {}
    }
    Ok(Some(collection::pack(parts.len(), &parts).into()))
}

fn value_of(expr: &Expr, ctx: &EvalContext<'_>) -> Result<Value, QueryError> {
    match expr.evaluate(ctx)? {
        BoundValue::Value(bytes) => Ok(Some(bytes)),
        BoundValue::Null => Ok(None),
        BoundValue::Unset => Err(QueryError::invalid("Invalid unset value in the selection clause")),
    }
}

fn key_type(ty: &CqlType) -> &CqlType {
    match ty {
        CqlType::Map { key, .. } => key,
        CqlType::Set { element, .. } => element,
        other => other,
    }
}

/// Keys with values; of a set each element is its own value.
fn entries(ty: &CqlType, value: &Bytes) -> Result<Vec<(Bytes, Bytes)>, QueryError> {
    match ty {
        CqlType::Map { .. } => collection::unpack_map(value).map_err(QueryError::Server),
        _ => {
            let elements = collection::unpack_list(value).map_err(QueryError::Server)?;
            Ok(elements.into_iter().map(|element| (element.clone(), element)).collect())
        }
    }
}

/// Which cells of a column are asked about: the one at a path, or those between two.
struct CellPart {
    path: Option<Bytes>,
    from: Value,
    to: Value,
}

/// Write time or time to live of one cell, or a list with those of several.
fn cell_metadata(
    kind: CellMetadata,
    data: Option<&ColumnData>,
    ty: &CqlType,
    part: &CellPart,
    now_s: u32,
) -> Value {
    let of_cell = |cell: &Cell| -> Value {
        if !cell.is_live(now_s) {
            return None;
        }
        match kind {
            CellMetadata::WriteTime | CellMetadata::MaxWriteTime => {
                Some(cell.timestamp_us.to_be_bytes().to_vec().into())
            }
            CellMetadata::Ttl if cell.ttl_s == NO_TTL => None,
            CellMetadata::Ttl => {
                let left = cell.local_deletion_s.saturating_sub(now_s) as i32;
                Some(left.to_be_bytes().to_vec().into())
            }
        }
    };
    let cells = match data? {
        ColumnData::Cell(cell) => return of_cell(cell),
        ColumnData::Complex { cells, .. } => cells,
    };
    let key_type = key_type(ty);
    let is_user_type = matches!(ty, CqlType::Udt { .. });
    if let Some(path) = &part.path {
        let is_it =
            |known: &Bytes| if is_user_type { known == path } else { key_type.compare(known, path).is_eq() };
        return cells.iter().find(|(known, _)| is_it(known)).and_then(|(_, cell)| of_cell(cell));
    }
    let live: Vec<&(Bytes, Cell)> = cells
        .iter()
        .filter(|(path, cell)| {
            cell.is_live(now_s)
                && part.from.as_ref().is_none_or(|from| key_type.compare(path, from).is_ge())
                && part.to.as_ref().is_none_or(|to| key_type.compare(path, to).is_le())
        })
        .collect();
    if live.is_empty() {
        return None;
    }
    if kind == CellMetadata::MaxWriteTime {
        let newest = live.iter().map(|(_, cell)| cell.timestamp_us).max()?;
        return Some(newest.to_be_bytes().to_vec().into());
    }
    let values: Vec<Value> = match ty {
        // All fields have their place, also those without a value.
        CqlType::Udt { definition, .. } => (0..definition.fields.len() as u16)
            .map(|field| {
                let found = live.iter().find(|(path, _)| path.as_ref() == field.to_be_bytes());
                found.and_then(|(_, cell)| of_cell(cell))
            })
            .collect(),
        _ => live.iter().map(|(_, cell)| of_cell(cell)).collect(),
    };
    // A list that, unlike a list in a column, has nulls in it.
    let mut out = (values.len() as i32).to_be_bytes().to_vec();
    out.extend(collection::pack_tuple(&values));
    Some(out.into())
}

/// True if an aggregate's result is in it.
pub fn has_aggregate(selector: &Selector) -> bool {
    match selector {
        Selector::Aggregate(_) => true,
        Selector::Call { arguments: parts, .. } | Selector::Composite { parts, .. } => {
            parts.iter().any(has_aggregate)
        }
        Selector::Field { inner, .. } | Selector::Element { inner, .. } | Selector::Slice { inner, .. } => {
            has_aggregate(inner)
        }
        Selector::Column { .. } | Selector::CellMetadata { .. } | Selector::Value(_) => false,
    }
}

/// True if a column's value passes a filter. `key`: of a map's element; `wanted`: one value, or those of IN.
pub fn test(
    ty: &CqlType,
    value: &[u8],
    operator: Operator,
    key: Option<&Bytes>,
    wanted: &[Bytes],
) -> Result<bool, QueryError> {
    if let Some(key) = key {
        let CqlType::Map { key: key_type, value: value_type, .. } = ty else { return Ok(false) };
        let entries = entries(ty, &Bytes::copy_from_slice(value))?;
        let found = entries.iter().find(|(known, _)| key_type.compare(known, key).is_eq());
        return Ok(found.is_some_and(|(_, found)| {
            wanted.iter().any(|wanted| compare(value_type, found, operator, wanted))
        }));
    }
    match operator {
        Operator::Contains => {
            let value = Bytes::copy_from_slice(value);
            let element = match ty {
                CqlType::Map { value, .. } => value,
                CqlType::List { element, .. } | CqlType::Set { element, .. } => element,
                _ => return Ok(false),
            };
            let found = entries(ty, &value)?;
            Ok(found
                .iter()
                .any(|(_, part)| wanted.iter().any(|wanted| element.compare(part, wanted).is_eq())))
        }
        Operator::ContainsKey => {
            let key_type = key_type(ty);
            let found = entries(ty, &Bytes::copy_from_slice(value))?;
            Ok(found.iter().any(|(key, _)| wanted.iter().any(|wanted| key_type.compare(key, wanted).is_eq())))
        }
        _ => Ok(wanted.iter().any(|wanted| compare(ty, value, operator, wanted))),
    }
}

/// Compares two values.
pub fn compare(ty: &CqlType, value: &[u8], operator: Operator, wanted: &[u8]) -> bool {
    let ty = if *ty == CqlType::Counter { &CqlType::Bigint } else { ty };
    let order = ty.compare(value, wanted);
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Lt => order.is_lt(),
        Operator::Lte => order.is_le(),
        Operator::Gt => order.is_gt(),
        Operator::Gte => order.is_ge(),
        Operator::Neq => order.is_ne(),
        Operator::Contains | Operator::ContainsKey | Operator::Like => false,
    }
}

/// A row of SELECT JSON.
pub fn json_row(selection: &Selection, values: &[Value]) -> String {
    let mut out = String::from("{");
    for (index, (column, value)) in selection.columns.iter().zip(values).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        // A name with capitals carries its own quotes inside the JSON string.
        let name = if column.name.chars().any(char::is_uppercase) {
            format!("\"{}\"", column.name)
        } else {
            column.name.to_string()
        };
        out.push_str(&serde_json::Value::String(name).to_string());
        out.push_str(": ");
        match value {
            Some(value) => {
                let ty = if column.ty == CqlType::Counter { &CqlType::Bigint } else { &column.ty };
                out.push_str(&ty.to_json(value));
            }
            None => out.push_str("null"),
        }
    }
    out.push('}');
    out
}
