//! What a statement does to one column.

use model::{Column, CqlType, QueryError, Table};

use crate::ast::{self, Term};
use crate::bind::function::number::NUMERIC;
use crate::bind::term::Expr;
use crate::bind::{Markers, Receiver, Scope};

/// What happens to one static or regular column. Which variant fits is decided by the column's type.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the column and what the variant says")]
pub enum Operation {
    /// A new value for a simple column; null deletes.
    Set { column: Column, value: Expr },
    /// A new value for a multi-cell column: what was there is deleted first.
    Replace { column: Column, value: Expr },
    /// Elements added: to the end of a list, to a set, or entries of a map.
    Add { column: Column, value: Expr },
    /// Elements put before a list.
    Prepend { column: Column, value: Expr },
    /// Elements taken away: of a list by value (reads first), of a set, of a map by key (value is a set of keys).
    Remove { column: Column, value: Expr },
    /// A map's entry, or a list's element by index (reads first).
    SetElement { column: Column, key: Expr, value: Expr },
    /// A user type's field, by index.
    SetField { column: Column, field: u16, value: Expr },
    /// A number grows by this, or a text gets it at its end; null stays null. Only with a condition (reads first).
    Accumulate { column: Column, value: Expr },
    /// A counter goes up by this, or down.
    Count { column: Column, value: Expr, negative: bool },
    /// The column is deleted.
    Delete { column: Column },
    /// An element of a map, set or (reads first) list is deleted.
    DeleteElement { column: Column, key: Expr },
    /// A user type's field is deleted.
    DeleteField { column: Column, field: u16 },
}

impl Operation {
    /// The column.
    pub fn column(&self) -> &Column {
        match self {
            Operation::Set { column, .. }
            | Operation::Replace { column, .. }
            | Operation::Add { column, .. }
            | Operation::Prepend { column, .. }
            | Operation::Remove { column, .. }
            | Operation::SetElement { column, .. }
            | Operation::SetField { column, .. }
            | Operation::Accumulate { column, .. }
            | Operation::Count { column, .. }
            | Operation::Delete { column }
            | Operation::DeleteElement { column, .. }
            | Operation::DeleteField { column, .. } => column,
        }
    }

    /// True if it depends on what is there.
    pub fn needs_read(&self) -> bool {
        let is_list = matches!(self.column().ty, CqlType::List { .. });
        match self {
            Operation::Accumulate { .. } => true,
            Operation::Remove { .. } | Operation::SetElement { .. } | Operation::DeleteElement { .. } => {
                is_list
            }
            _ => false,
        }
    }

    /// Binds `c = value` of INSERT and UPDATE.
    pub fn bind_set(
        table: &Table,
        column: &Column,
        value: &Term,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Operation, QueryError> {
        if column.ty == CqlType::Counter {
            if matches!(value, Term::Null) {
                return Err(QueryError::invalid("Invalid null value for counter increment/decrement"));
            }
            return Err(QueryError::Invalid(format!(
                "Cannot set the value of counter column {} (counters can only be incremented/decremented, not set)",
                column.name
            )));
        }
        let value = Expr::bind(value, &Receiver::column(table, column), scope, markers)?;
        let column = column.clone();
        Ok(if column.ty.is_multi_cell() {
            Operation::Replace { column, value }
        } else {
            Operation::Set { column, value }
        })
    }

    /// Binds one element of SET. `is_conditional`: the statement has an IF, so that it may read.
    pub fn bind(
        table: &Table,
        column: &Column,
        operation: &ast::Operation,
        is_conditional: bool,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Operation, QueryError> {
        let receiver = Receiver::column(table, column);
        if let (CqlType::Counter, ast::Operation::Add(Term::Null) | ast::Operation::Subtract(Term::Null)) =
            (&column.ty, operation)
        {
            return Err(QueryError::invalid("Invalid null value for counter increment/decrement"));
        }
        match operation {
            ast::Operation::Set(value) => Operation::bind_set(table, column, value, scope, markers),
            ast::Operation::Add(value) | ast::Operation::Prepend(value) => {
                let is_prepend = matches!(operation, ast::Operation::Prepend(_));
                let name = &column.name;
                let text = if is_prepend {
                    format!("{name} = {value} - {name}")
                } else {
                    format!("{name} = {name} + {value}")
                };
                if is_conditional
                    && !is_prepend
                    && !column.ty.is_collection()
                    && column.ty != CqlType::Counter
                {
                    check_accumulates(column, &text)?;
                    let value = Expr::bind(value, &receiver, scope, markers)?;
                    return Ok(Operation::Accumulate { column: column.clone(), value });
                }
                if is_prepend && !matches!(column.ty, CqlType::List { .. }) {
                    return Err(QueryError::Invalid(format!(
                        "Invalid operation ({text}) for non list column {name}"
                    )));
                }
                check_collection(column, &text, true)?;
                let value = Expr::bind(value, &receiver, scope, markers)?;
                let column = column.clone();
                Ok(match (&column.ty, is_prepend) {
                    (CqlType::Counter, false) => Operation::Count { column, value, negative: false },
                    (_, true) => Operation::Prepend { column, value },
                    _ => Operation::Add { column, value },
                })
            }
            ast::Operation::Subtract(value) => bind_subtract(column, value, &receiver, scope, markers),
            ast::Operation::SetElement(key, value) => {
                let text = format!("{}[{key}] = {value}", column.name);
                check_collection(column, &text, false)?;
                let (key_receiver, value_receiver) = element_receivers(column, &receiver, &text)?;
                let key = Expr::bind(key, &key_receiver, scope, markers)?;
                let value = Expr::bind(value, &value_receiver, scope, markers)?;
                Ok(Operation::SetElement { column: column.clone(), key, value })
            }
            ast::Operation::SetField(field, value) => {
                let text = format!("{}.{field} = {value}", column.name);
                let (index, ty) = udt_field(column, field, &text)?;
                let receiver = receiver.with(format!("{}.{field}", column.name), ty);
                let value = Expr::bind(value, &receiver, scope, markers)?;
                Ok(Operation::SetField { column: column.clone(), field: index, value })
            }
        }
    }

    /// Binds one element of DELETE's list.
    pub fn bind_deletion(
        table: &Table,
        column: &Column,
        target: &ast::Deletion,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Operation, QueryError> {
        let receiver = Receiver::column(table, column);
        match target {
            ast::Deletion::Column(_) => Ok(Operation::Delete { column: column.clone() }),
            ast::Deletion::Element(name, key) => {
                if !column.ty.is_collection() {
                    return Err(QueryError::Invalid(format!(
                        "Invalid deletion operation for non collection column {name}"
                    )));
                }
                if !column.ty.is_multi_cell() {
                    return Err(QueryError::Invalid(format!(
                        "Invalid deletion operation for frozen collection column {name}"
                    )));
                }
                let key_receiver = match &column.ty {
                    CqlType::Set { element, .. } => {
                        receiver.with(format!("value({name})"), CqlType::clone(element))
                    }
                    CqlType::Map { key, .. } => receiver.with(format!("key({name})"), CqlType::clone(key)),
                    _ => receiver.with(format!("idx({name})"), CqlType::Int),
                };
                let key = Expr::bind(key, &key_receiver, scope, markers)?;
                Ok(Operation::DeleteElement { column: column.clone(), key })
            }
            ast::Deletion::Field(name, field) => {
                let CqlType::Udt { definition, frozen } = &column.ty else {
                    return Err(QueryError::Invalid(format!(
                        "Invalid deletion operation for non-UDT column {name}"
                    )));
                };
                if *frozen {
                    return Err(QueryError::Invalid(format!(
                        "Frozen UDT column {name} does not support field deletions"
                    )));
                }
                let index = definition.fields.iter().position(|(known, _)| **known == **field);
                let index = index.and_then(|index| u16::try_from(index).ok()).ok_or_else(|| {
                    QueryError::Invalid(format!("UDT column {name} does not have a field named {field}"))
                })?;
                Ok(Operation::DeleteField { column: column.clone(), field: index })
            }
        }
    }
}

/// `+`, `-` and `[..] =` are for collections that are not frozen (and `+`, `-` for counters).
fn check_collection(column: &Column, text: &str, counters: bool) -> Result<(), QueryError> {
    if counters && column.ty == CqlType::Counter {
        return Ok(());
    }
    if column.ty.is_collection() {
        if column.ty.is_multi_cell() {
            return Ok(());
        }
        return Err(QueryError::Invalid(format!(
            "Invalid operation ({text}) for frozen collection column {}",
            column.name
        )));
    }
    let what = if counters { "counter" } else { "collection" };
    Err(QueryError::Invalid(format!("Invalid operation ({text}) for non {what} column {}", column.name)))
}

/// Without a collection `+` is for numbers and texts.
fn check_accumulates(column: &Column, text: &str) -> Result<(), QueryError> {
    if NUMERIC.contains(&column.ty) || matches!(column.ty, CqlType::Text | CqlType::Ascii) {
        return Ok(());
    }
    Err(QueryError::Invalid(format!(
        "Invalid operation ({text}) for non-numeric and non-text type {}",
        column.name
    )))
}

fn bind_subtract(
    column: &Column,
    value: &Term,
    receiver: &Receiver,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<Operation, QueryError> {
    let text = format!("{0} = {0} - {value}", column.name);
    check_collection(column, &text, true)?;
    let receiver = match &column.ty {
        // A map loses keys: what is subtracted is a set of them.
        CqlType::Map { key, .. } => {
            if matches!(value, Term::Map(_)) {
                return Err(QueryError::Invalid(format!(
                    "Value for a map substraction has to be a set, but was: '{value}'"
                )));
            }
            receiver.with(receiver.name.clone(), CqlType::set(CqlType::clone(key), false))
        }
        _ => receiver.clone(),
    };
    let value = Expr::bind(value, &receiver, scope, markers)?;
    let column = column.clone();
    Ok(match column.ty {
        CqlType::Counter => Operation::Count { column, value, negative: true },
        _ => Operation::Remove { column, value },
    })
}

fn element_receivers(
    column: &Column,
    receiver: &Receiver,
    text: &str,
) -> Result<(Receiver, Receiver), QueryError> {
    let name = &column.name;
    match &column.ty {
        CqlType::List { element, .. } => Ok((
            receiver.with(format!("idx({name})"), CqlType::Int),
            receiver.with(format!("value({name})"), CqlType::clone(element)),
        )),
        CqlType::Map { key, value, .. } => Ok((
            receiver.with(format!("key({name})"), CqlType::clone(key)),
            receiver.with(format!("value({name})"), CqlType::clone(value)),
        )),
        _ => Err(QueryError::Invalid(format!("Invalid operation ({text}) for set column {name}"))),
    }
}

fn udt_field(column: &Column, field: &str, text: &str) -> Result<(u16, CqlType), QueryError> {
    let CqlType::Udt { definition, frozen } = &column.ty else {
        return Err(QueryError::Invalid(format!(
            "Invalid operation ({text}) for non-UDT column {}",
            column.name
        )));
    };
    if *frozen {
        return Err(QueryError::Invalid(format!(
            "Invalid operation ({text}) for frozen UDT column {}",
            column.name
        )));
    }
    let index = definition.fields.iter().position(|(known, _)| **known == *field);
    let missing =
        || QueryError::Invalid(format!("UDT column {} does not have a field named {field}", column.name));
    let index = index.ok_or_else(missing)?;
    Ok((u16::try_from(index).map_err(|_| missing())?, definition.fields[index].1.clone()))
}
