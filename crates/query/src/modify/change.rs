//! What one operation does to a row: cells and deletions.

use bytes::Bytes;
use cql::ast::ArithmeticOperator;
use cql::bind::function::number::{self, Number};
use cql::bind::modify::Operation;
use cql::bind::term::Expr;
use model::row::NO_TTL;
use model::value::collection;
use model::{BoundValue, Cell, Column, ColumnData, ColumnId, CqlType, DeletionTime, QueryError, Row};
use uuid::Uuid;

use super::{WriteContext, WriteTimes};

/// 2010-01-01 in 100 ns units since 1582-10-15: times of elements put before a list are mirrored at it.
const PREPEND_REFERENCE_TICKS: u64 = (1_262_304_000_000 + 12_219_292_800_000) * 10_000;

/// A row under construction.
pub struct RowChange {
    row: Row,
    times: WriteTimes,
}

impl RowChange {
    /// Begins with a row that has its place and marker.
    pub fn new(row: Row, times: WriteTimes) -> RowChange {
        RowChange { row, times }
    }

    /// Applies operations in order. `existing` reads what is there; it is asked once, and only if needed.
    pub fn apply_all<'o>(
        &mut self,
        operations: impl Iterator<Item = &'o Operation>,
        ctx: &WriteContext<'_>,
        existing: &mut dyn FnMut() -> Result<Option<Row>, QueryError>,
    ) -> Result<(), QueryError> {
        let mut known: Option<Option<Row>> = None;
        for operation in operations {
            let reads = operation.needs_read() || matches!(operation, Operation::Count { .. });
            if reads && known.is_none() {
                known = Some(existing()?);
            }
            self.apply(operation, ctx, known.as_ref().and_then(Option::as_ref))?;
        }
        Ok(())
    }

    /// The row: columns by number, cells of collections by path.
    pub fn finish(mut self) -> Row {
        if !self.row.columns.is_sorted_by_key(|(id, _)| *id) {
            self.row.columns.sort_by_key(|(id, _)| *id);
        }
        self.row
    }

    fn apply(
        &mut self,
        operation: &Operation,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        match operation {
            Operation::Set { column, value } => match value.evaluate(&ctx.eval)? {
                BoundValue::Unset => {}
                BoundValue::Null => {
                    self.set(column, Cell::tombstone(self.times.timestamp_us, self.times.now_s))
                }
                BoundValue::Value(bytes) => {
                    let cell = self.cell(bytes);
                    self.set(column, cell);
                }
            },
            Operation::Replace { column, value } => match value.evaluate(&ctx.eval)? {
                BoundValue::Unset => {}
                BoundValue::Null => self.delete_complex(column, self.times.timestamp_us - 1),
                BoundValue::Value(bytes) => {
                    self.delete_complex(column, self.times.timestamp_us - 1);
                    self.add_elements(column, &bytes, false, ctx)?;
                }
            },
            Operation::Add { column, value } => {
                if let BoundValue::Value(bytes) = value.evaluate(&ctx.eval)? {
                    self.add_elements(column, &bytes, false, ctx)?;
                }
            }
            Operation::Prepend { column, value } => {
                if let BoundValue::Value(bytes) = value.evaluate(&ctx.eval)? {
                    self.add_elements(column, &bytes, true, ctx)?;
                }
            }
            Operation::Remove { column, value } => self.remove(column, value, ctx, existing)?,
            Operation::SetElement { column, key, value } => {
                self.set_element(column, key, value, ctx, existing)?
            }
            Operation::SetField { column, field, value } => match value.evaluate(&ctx.eval)? {
                BoundValue::Unset => {}
                BoundValue::Null => self.delete_element(column, Bytes::copy_from_slice(&field.to_be_bytes())),
                BoundValue::Value(bytes) => {
                    let cell = self.cell(bytes);
                    self.put(column, Bytes::copy_from_slice(&field.to_be_bytes()), cell);
                }
            },
            Operation::Accumulate { column, value } => self.accumulate(column, value, ctx, existing)?,
            Operation::Count { column, value, negative } => {
                self.count(column, value, *negative, ctx, existing)?
            }
            Operation::Delete { column } if column.ty.is_multi_cell() => {
                self.delete_complex(column, self.times.timestamp_us);
            }
            Operation::Delete { column } => {
                self.set(column, Cell::tombstone(self.times.timestamp_us, self.times.now_s));
            }
            Operation::DeleteElement { column, key } => self.remove_element(column, key, ctx, existing)?,
            Operation::DeleteField { column, field } => {
                self.delete_element(column, Bytes::copy_from_slice(&field.to_be_bytes()));
            }
        }
        Ok(())
    }

    fn cell(&self, value: Bytes) -> Cell {
        if self.times.ttl_s == NO_TTL {
            Cell::live(self.times.timestamp_us, value)
        } else {
            Cell::expiring(self.times.timestamp_us, self.times.ttl_s, self.times.expires_s, value)
        }
    }

    fn set(&mut self, column: &Column, cell: Cell) {
        match self.row.columns.iter_mut().find(|(id, _)| *id == column.id) {
            Some((_, data)) => *data = ColumnData::Cell(cell),
            None => self.row.columns.push((column.id, ColumnData::Cell(cell))),
        }
    }

    fn complex(&mut self, id: ColumnId) -> (&mut DeletionTime, &mut Vec<(Bytes, Cell)>) {
        let index = match self.row.columns.iter().position(|(known, _)| *known == id) {
            Some(index) => index,
            None => {
                let empty = ColumnData::Complex { deletion: DeletionTime::LIVE, cells: Vec::new() };
                self.row.columns.push((id, empty));
                self.row.columns.len() - 1
            }
        };
        match &mut self.row.columns[index].1 {
            ColumnData::Complex { deletion, cells } => (deletion, cells),
            ColumnData::Cell(_) => panic!("column {id:?} is multi-cell and simple in one statement"),
        }
    }

    fn delete_complex(&mut self, column: &Column, timestamp_us: i64) {
        let now_s = self.times.now_s;
        *self.complex(column.id).0 = DeletionTime { timestamp_us, local_deletion_s: now_s };
    }

    /// Puts a cell at its place among those of a collection; a second one for a path replaces the first.
    fn put(&mut self, column: &Column, path: Bytes, cell: Cell) {
        let (_, cells) = self.complex(column.id);
        match cells.binary_search_by(|(known, _)| path_order(&column.ty, known, &path)) {
            Ok(found) => cells[found].1 = cell,
            Err(place) => cells.insert(place, (path, cell)),
        }
    }

    fn delete_element(&mut self, column: &Column, path: Bytes) {
        let tombstone = Cell::tombstone(self.times.timestamp_us, self.times.now_s);
        self.put(column, path, tombstone);
    }

    fn add_elements(
        &mut self,
        column: &Column,
        value: &Bytes,
        is_prepend: bool,
        ctx: &WriteContext<'_>,
    ) -> Result<(), QueryError> {
        match &column.ty {
            CqlType::List { .. } => {
                let mut elements = collection::unpack_list(value).map_err(QueryError::Invalid)?;
                if is_prepend {
                    // The later made, the earlier its mirrored time: so the last element is made first.
                    elements.reverse();
                }
                for element in elements {
                    let uuid = ctx.eval.source.timeuuid();
                    let path = if is_prepend { mirrored(uuid) } else { uuid };
                    let cell = self.cell(element);
                    self.put(column, Bytes::copy_from_slice(path.as_bytes()), cell);
                }
            }
            CqlType::Set { .. } => {
                for element in collection::unpack_list(value).map_err(QueryError::Invalid)? {
                    let cell = self.cell(Bytes::new());
                    self.put(column, element, cell);
                }
            }
            CqlType::Map { .. } => {
                for (key, value) in collection::unpack_map(value).map_err(QueryError::Invalid)? {
                    let cell = self.cell(value);
                    self.put(column, key, cell);
                }
            }
            CqlType::Udt { definition, .. } => {
                let fields =
                    collection::unpack_tuple(value, definition.fields.len()).map_err(QueryError::Invalid)?;
                for (index, field) in fields.into_iter().enumerate() {
                    let path = Bytes::copy_from_slice(&(index as u16).to_be_bytes());
                    if let Some(field) = field {
                        let cell = self.cell(field);
                        self.put(column, path, cell);
                    }
                }
            }
            other => return Err(QueryError::Server(format!("{} has no elements", other.cql_name()))),
        }
        Ok(())
    }

    fn remove(
        &mut self,
        column: &Column,
        value: &Expr,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        let BoundValue::Value(bytes) = value.evaluate(&ctx.eval)? else { return Ok(()) };
        let unwanted = collection::unpack_list(&bytes).map_err(QueryError::Invalid)?;
        let CqlType::List { element, .. } = &column.ty else {
            for path in unwanted {
                self.delete_element(column, path);
            }
            return Ok(());
        };
        let paths: Vec<Bytes> = live_cells(existing, column, self.times.now_s)
            .filter(|(_, cell)| unwanted.iter().any(|value| element.compare(value, &cell.value).is_eq()))
            .map(|(path, _)| path.clone())
            .collect();
        for path in paths {
            self.delete_element(column, path);
        }
        Ok(())
    }

    fn set_element(
        &mut self,
        column: &Column,
        key: &Expr,
        value: &Expr,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        let is_list = matches!(column.ty, CqlType::List { .. });
        let key = key.evaluate(&ctx.eval)?;
        let value = value.evaluate(&ctx.eval)?;
        let path = match key {
            BoundValue::Value(key) if is_list => {
                element_path(existing, column, &key, self.times.now_s, "set")?
            }
            BoundValue::Value(key) => key,
            BoundValue::Null if is_list => {
                return Err(QueryError::invalid("Invalid null value for list index"));
            }
            BoundValue::Unset if is_list => {
                return Err(QueryError::invalid("Invalid unset value for list index"));
            }
            BoundValue::Null => return Err(QueryError::invalid("Invalid null map key")),
            BoundValue::Unset => return Err(QueryError::invalid("Invalid unset map key")),
        };
        match value {
            BoundValue::Unset => {}
            BoundValue::Null => self.delete_element(column, path),
            BoundValue::Value(bytes) => {
                let cell = self.cell(bytes);
                self.put(column, path, cell);
            }
        }
        Ok(())
    }

    fn remove_element(
        &mut self,
        column: &Column,
        key: &Expr,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        let BoundValue::Value(key) = key.evaluate(&ctx.eval)? else {
            return Err(QueryError::Invalid(format!("Invalid null value for an element of {}", column.name)));
        };
        let path = if matches!(column.ty, CqlType::List { .. }) {
            element_path(existing, column, &key, self.times.now_s, "delete")?
        } else {
            key
        };
        self.delete_element(column, path);
        Ok(())
    }

    fn accumulate(
        &mut self,
        column: &Column,
        value: &Expr,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        let addend = match value.evaluate(&ctx.eval)? {
            BoundValue::Value(bytes) => bytes,
            BoundValue::Unset => return Ok(()),
            BoundValue::Null => {
                return Err(QueryError::Invalid(format!("Invalid null value for column {}", column.name)));
            }
        };
        let Some(ColumnData::Cell(found)) = existing.and_then(|row| row.column(column.id)) else {
            return Ok(());
        };
        if !found.is_live(self.times.now_s) {
            return Ok(());
        }
        let sum = if matches!(column.ty, CqlType::Text | CqlType::Ascii) {
            [found.value.as_ref(), addend.as_ref()].concat()
        } else {
            let read = |bytes: &Bytes| {
                Number::read(&column.ty, bytes).ok_or_else(|| {
                    QueryError::Invalid(format!("Invalid empty value for column {}", column.name))
                })
            };
            number::compute(ArithmeticOperator::Add, &read(&found.value)?, &read(&addend)?, &column.ty)
                .map_err(QueryError::Invalid)?
        };
        let cell = self.cell(sum.into());
        self.set(column, cell);
        Ok(())
    }

    fn count(
        &mut self,
        column: &Column,
        value: &Expr,
        negative: bool,
        ctx: &WriteContext<'_>,
        existing: Option<&Row>,
    ) -> Result<(), QueryError> {
        let delta = match value.evaluate(&ctx.eval)? {
            BoundValue::Value(bytes) => bytes.as_ref().try_into().map(i64::from_be_bytes),
            BoundValue::Unset => return Ok(()),
            BoundValue::Null => return Err(QueryError::invalid("Invalid null value for counter increment")),
        };
        let delta = delta.map_err(|_| QueryError::invalid("Expected 8 or 0 byte long (0)"))?;
        let delta = if negative {
            delta.checked_neg().ok_or_else(|| {
                QueryError::Invalid(format!(
                    "The negation of {delta} overflows supported counter precision (signed 8 bytes integer)"
                ))
            })?
        } else {
            delta
        };
        let (clock, host) = (self.times.timestamp_us, ctx.host_id);
        let context = match existing.and_then(|row| row.column(column.id)) {
            Some(ColumnData::Cell(cell)) if cell.is_live(self.times.now_s) => {
                model::counter::add_delta(&cell.value, host, clock, delta).ok_or_else(|| {
                    QueryError::Server(format!("counter {} holds no counter context", column.name))
                })?
            }
            _ => model::counter::create(host, clock, delta),
        };
        self.set(column, Cell::live(self.times.timestamp_us, context));
        Ok(())
    }
}

/// The order of a collection's paths.
pub fn path_order(ty: &CqlType, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    match ty {
        CqlType::List { .. } => CqlType::Timeuuid.compare(a, b),
        CqlType::Set { element, .. } => element.compare(a, b),
        CqlType::Map { key, .. } => key.compare(a, b),
        _ => a.cmp(b),
    }
}

fn live_cells<'r>(
    row: Option<&'r Row>,
    column: &Column,
    now_s: u32,
) -> impl Iterator<Item = &'r (Bytes, Cell)> {
    let cells = match row.and_then(|row| row.column(column.id)) {
        Some(ColumnData::Complex { cells, .. }) => cells.as_slice(),
        _ => &[],
    };
    cells.iter().filter(move |(_, cell)| cell.is_live(now_s))
}

/// The path of a list's element by its index.
fn element_path(
    existing: Option<&Row>,
    column: &Column,
    index: &[u8],
    now_s: u32,
    verb: &str,
) -> Result<Bytes, QueryError> {
    let index =
        index.try_into().map(i32::from_be_bytes).map_err(|_| QueryError::invalid("Invalid list index"))?;
    let cells: Vec<&Bytes> = live_cells(existing, column, now_s).map(|(path, _)| path).collect();
    if cells.is_empty() {
        let what = if verb == "set" { "set an element on" } else { "delete an element from" };
        return Err(QueryError::Invalid(format!("Attempted to {what} a list which is null")));
    }
    let found = usize::try_from(index).ok().and_then(|index| cells.get(index));
    found.map(|path| Bytes::clone(path)).ok_or_else(|| {
        QueryError::Invalid(format!("List index {index} out of bound, list has size {}", cells.len()))
    })
}

/// A timeuuid as far before the reference as the given one is behind it.
fn mirrored(uuid: Uuid) -> Uuid {
    let ticks = uuid.get_timestamp().map_or(0, |timestamp| timestamp.to_gregorian().0);
    let mirrored = (2 * PREPEND_REFERENCE_TICKS).saturating_sub(ticks);
    let (low, middle, high) = (mirrored as u32, (mirrored >> 32) as u16, (mirrored >> 48) as u16);
    let mut tail = [0; 8];
    tail.copy_from_slice(&uuid.as_bytes()[8..]);
    Uuid::from_fields(low, middle, (high & 0x0fff) | 0x1000, &tail)
}
