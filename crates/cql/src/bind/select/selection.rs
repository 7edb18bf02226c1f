//! What a SELECT computes from each row, and how its columns are called.

use std::sync::Arc;

use model::{Column, ColumnId, ColumnKind, CqlType, QueryError, Table};

use super::aggregate::{Aggregate, Reduction};
use crate::ast::{ArithmeticOperator, CellMetadata, FunctionName, Select, Selectable, Term};
use crate::bind::function::{self, Argument, Function};
use crate::bind::term::{Expr, exact_type, fit, type_fit};
use crate::bind::{Markers, Receiver, Scope, column, types};

/// Where a column's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Component of the partition key.
    PartitionKey(usize),
    /// Clustering value.
    Clustering(usize),
    /// In the static row.
    Static(ColumnId),
    /// In the row.
    Regular(ColumnId),
}

impl Access {
    /// Where that column is.
    pub fn of(column: &Column) -> Access {
        match column.kind {
            ColumnKind::PartitionKey => Access::PartitionKey(column.position as usize),
            ColumnKind::Clustering => Access::Clustering(column.position as usize),
            ColumnKind::Static => Access::Static(column.id),
            ColumnKind::Regular => Access::Regular(column.id),
        }
    }
}

/// An expression over one row.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are what the variant says")]
pub enum Selector {
    /// A column.
    Column { access: Access, ty: CqlType },
    /// The write time or the time to live of a column's cell or cells, or of one element.
    CellMetadata {
        kind: CellMetadata,
        access: Access,
        ty: CqlType,
        element: Option<Expr>,
        field: Option<u16>,
    },
    /// A value that is the same for all rows.
    Value(Expr),
    /// A function's result.
    Call { function: Function, arguments: Vec<Selector> },
    /// An aggregate's result: index into [`Selection::aggregates`].
    Aggregate(usize),
    /// A field of a user type, by index.
    Field { inner: Box<Selector>, index: usize, count: usize },
    /// The value of a map at a key, or a set's element if it is there.
    Element { inner: Box<Selector>, ty: CqlType, key: Expr },
    /// The entries of a map or set between two keys.
    Slice { inner: Box<Selector>, ty: CqlType, from: Option<Expr>, to: Option<Expr> },
    /// A collection, tuple, user type or vector.
    Composite { ty: CqlType, parts: Vec<Selector> },
}

/// One column of the result.
#[derive(Clone, Debug)]
pub struct SelectedColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: CqlType,
    /// What is in it.
    pub selector: Selector,
}

/// What a SELECT computes.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The result's columns.
    pub columns: Vec<SelectedColumn>,
    /// Where each column's value is, if all of them are plain columns with a cell each: the fast way.
    pub plain: Option<Vec<Access>>,
    /// The aggregates that columns refer to.
    pub aggregates: Vec<Aggregate>,
    /// Names of all columns of the table that are looked at.
    pub mentioned: Vec<Arc<str>>,
}

impl Selection {
    /// True if rows are reduced.
    pub fn is_aggregate(&self) -> bool {
        !self.aggregates.is_empty()
    }

    /// Binds the selection clause.
    pub fn bind(
        select: &Select,
        table: &Arc<Table>,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Selection, QueryError> {
        let mut binder =
            Binder { table, scope, markers, aggregates: Vec::new(), mentioned: Vec::new(), depth: 0 };
        let mut columns = Vec::new();
        if select.selectors.is_empty() {
            for column in table.columns() {
                binder.mentioned.push(column.name.clone());
                let selector = Selector::Column { access: Access::of(column), ty: column.ty.clone() };
                columns.push(SelectedColumn { name: column.name.clone(), ty: column.ty.clone(), selector });
            }
            if select.distinct {
                return Err(QueryError::Invalid(distinct_star(table)));
            }
        }
        for item in &select.selectors {
            let bound = binder.bind(&item.selectable)?;
            let is_bracketed =
                matches!(&item.selectable, Selectable::Parentheses(parts) if parts.len() == 1);
            let Bound::Typed { selector, ty, name } = bound else {
                return Err(untyped(&bound.name()));
            };
            if is_bracketed {
                return Err(untyped(&name));
            }
            let name = item.alias.clone().unwrap_or(name);
            columns.push(SelectedColumn { name: name.into(), ty, selector });
        }
        let (aggregates, mentioned) = (binder.aggregates, binder.mentioned);
        let plain = columns.iter().map(|column| match &column.selector {
            Selector::Column { access, ty } if !ty.is_multi_cell() && *ty != CqlType::Counter => {
                Some(*access)
            }
            _ => None,
        });
        let plain = plain.collect();
        Ok(Selection { columns, plain, aggregates, mentioned })
    }
}

fn distinct_star(table: &Table) -> String {
    let other = table.clustering.iter().chain(&table.regulars).next();
    let name = other.map_or("*", |column| &*column.name);
    format!(
        "SELECT DISTINCT queries must only request partition key columns and/or static columns (not {name})"
    )
}

/// A bound expression: of a known type, or a term that takes the type of where it goes.
enum Bound {
    Typed { selector: Selector, ty: CqlType, name: String },
    Term(Term),
}

impl Bound {
    fn name(&self) -> String {
        match self {
            Bound::Typed { name, .. } => name.clone(),
            Bound::Term(term) => term.to_string(),
        }
    }

    fn argument(&self) -> Argument<'_> {
        match self {
            Bound::Typed { ty, name, .. } => Argument::Typed(ty.clone(), name.clone()),
            Bound::Term(term) => Argument::Term(term),
        }
    }
}

struct Binder<'b, 's> {
    table: &'b Arc<Table>,
    scope: Scope<'s>,
    markers: &'b mut Markers,
    aggregates: Vec<Aggregate>,
    mentioned: Vec<Arc<str>>,
    depth: usize,
}

/// Deepest nesting of selectors.
const MAX_DEPTH: usize = 100;

impl Binder<'_, '_> {
    fn bind(&mut self, selectable: &Selectable) -> Result<Bound, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::invalid("Selectors are nested too deeply"));
        }
        let bound = self.bind_one(selectable);
        self.depth -= 1;
        bound
    }

    fn bind_one(&mut self, selectable: &Selectable) -> Result<Bound, QueryError> {
        if let (Some(term), false) = (as_term(selectable), matches!(selectable, Selectable::TypeHint(..))) {
            return Ok(match exact_type(&term, self.scope, &self.table.keyspace) {
                Some(ty) if !matches!(term, Term::Literal(_)) => {
                    let name = term.to_string();
                    let selector = self.value(&term, &ty, &name)?;
                    Bound::Typed { selector, ty, name }
                }
                _ => Bound::Term(term),
            });
        }
        match selectable {
            Selectable::Column(name) => {
                let (access, ty) = self.column(name)?;
                let selector = Selector::Column { access, ty: ty.clone() };
                Ok(Bound::Typed { selector, ty, name: name.clone() })
            }
            Selectable::CountRows => {
                self.aggregate(Reduction::CountRows, None, CqlType::Bigint, "count".to_owned())
            }
            Selectable::Function(name, arguments) => self.call(name, arguments),
            Selectable::CellMetadata(kind, inner) => self.cell_metadata(*kind, inner),
            Selectable::Cast(inner, target) => {
                let inner = self.bind(inner)?;
                let Bound::Typed { ty, .. } = &inner else { return Err(untyped(&inner.name())) };
                if *ty == types::native(*target) {
                    return Ok(inner);
                }
                let function = function::cast(&inner.argument(), *target, None, self.scope)?;
                let name = function.shown(&[inner.name()]);
                self.finish_call(function, vec![inner], name)
            }
            Selectable::TypeHint(hint, inner) => {
                let ty = types::resolve(hint, self.scope.schema, &self.table.keyspace)?;
                let shown = format!("({}){}", hint_name(&ty), self.shown(inner)?);
                let selector = self.of_type(inner, &ty, &shown)?;
                Ok(Bound::Typed { selector, ty, name: shown })
            }
            Selectable::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right),
            Selectable::Negation(inner) => {
                let inner = self.bind(inner)?;
                let name = format!("-{}", inner.name());
                let function = function::negation(&inner.argument(), None, self.scope)?;
                self.finish_call(function, vec![inner], name)
            }
            Selectable::Field(inner, field) => self.field(inner, field),
            Selectable::Element(inner, key) => self.element(inner, key),
            Selectable::Slice(inner, from, to) => self.slice(inner, from.as_ref(), to.as_ref()),
            Selectable::Parentheses(parts) if parts.len() == 1 => {
                let inner = self.bind(&parts[0])?;
                Ok(match inner {
                    Bound::Typed { selector, ty, name } => {
                        Bound::Typed { selector, ty, name: format!("({name})") }
                    }
                    term => term,
                })
            }
            Selectable::Parentheses(parts) => {
                self.composite(parts, "(", ")", |types| CqlType::Tuple(types.into()))
            }
            Selectable::List(parts) => {
                self.composite(parts, "[", "]", |types| CqlType::list(types[0].clone(), false))
            }
            Selectable::Set(parts) => {
                self.composite(parts, "{", "}", |types| CqlType::set(types[0].clone(), false))
            }
            // Whether it is a map or a user type, and of what, only a type hint says.
            Selectable::MapOrUserType(_) => Err(untyped(&self.shown(selectable)?)),
            Selectable::Term(term) => Ok(Bound::Term(term.clone())),
        }
    }

    /// How a result calls it, without keeping what it computes.
    fn shown(&mut self, selectable: &Selectable) -> Result<String, QueryError> {
        let all = |binder: &mut Self, parts: &[Selectable]| {
            let parts = parts.iter().map(|part| binder.shown(part)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, QueryError>(parts.join(", "))
        };
        Ok(match selectable {
            Selectable::List(parts) => format!("[{}]", all(self, parts)?),
            Selectable::Set(parts) => format!("{{{}}}", all(self, parts)?),
            Selectable::Parentheses(parts) => format!("({})", all(self, parts)?),
            Selectable::MapOrUserType(entries) => {
                let entry = |(key, value): &(Selectable, Selectable)| {
                    let key = match key {
                        Selectable::Column(name) => name.clone(),
                        other => self.shown(other)?,
                    };
                    Ok::<_, QueryError>(format!("{key}: {}", self.shown(value)?))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            other => self.bind(other)?.name(),
        })
    }

    /// Binds what has a type hint; `shown`: the whole, for errors.
    fn of_type(
        &mut self,
        selectable: &Selectable,
        ty: &CqlType,
        shown: &str,
    ) -> Result<Selector, QueryError> {
        let refused = || {
            QueryError::Invalid(format!(
                "Cannot assign value {shown} to {shown} of type {}",
                ty.freeze().cql_name()
            ))
        };
        if let Some(term) = as_term(selectable) {
            if !fit(&term, ty, self.scope, &self.table.keyspace).is_assignable() {
                return Err(refused());
            }
            return self.value(&term, ty, shown);
        }
        let mut parts = Vec::new();
        match (selectable, ty) {
            (Selectable::List(elements), CqlType::List { element, .. })
            | (Selectable::Set(elements), CqlType::Set { element, .. }) => {
                for part in elements {
                    parts.push(self.of_type(part, element, shown)?);
                }
            }
            (Selectable::List(elements), CqlType::Vector { element, dimension })
                if elements.len() == *dimension as usize =>
            {
                for part in elements {
                    parts.push(self.of_type(part, element, shown)?);
                }
            }
            (Selectable::MapOrUserType(entries), CqlType::Map { key, value, .. }) => {
                for (key_part, value_part) in entries {
                    parts.push(self.of_type(key_part, key, shown)?);
                    parts.push(self.of_type(value_part, value, shown)?);
                }
            }
            (Selectable::MapOrUserType(entries), CqlType::Udt { definition, .. }) => {
                for (field, field_type) in &definition.fields {
                    let is_it = |key: &Selectable| matches!(key, Selectable::Column(name) if **name == **field);
                    parts.push(match entries.iter().find(|(key, _)| is_it(key)) {
                        Some((_, value)) => self.of_type(value, field_type, shown)?,
                        None => Selector::Value(Expr::Null),
                    });
                }
                let known = |key: &Selectable| {
                    matches!(key, Selectable::Column(name)
                        if definition.fields.iter().any(|(field, _)| **field == **name))
                };
                if !entries.iter().all(|(key, _)| known(key)) {
                    return Err(refused());
                }
            }
            (Selectable::Parentheses(elements), CqlType::Tuple(types)) if elements.len() == types.len() => {
                for (part, ty) in elements.iter().zip(types.iter()) {
                    parts.push(self.of_type(part, ty, shown)?);
                }
            }
            _ => {
                let Bound::Typed { selector, ty: given, .. } = self.bind(selectable)? else {
                    return Err(refused());
                };
                return if type_fit(&given, ty).is_assignable() { Ok(selector) } else { Err(refused()) };
            }
        }
        Ok(Selector::Composite { ty: ty.clone(), parts })
    }

    fn column(&mut self, name: &str) -> Result<(Access, CqlType), QueryError> {
        let column = column(self.table, name)?;
        if !self.mentioned.contains(&column.name) {
            self.mentioned.push(column.name.clone());
        }
        Ok((Access::of(column), column.ty.clone()))
    }

    fn value(&mut self, term: &Term, ty: &CqlType, name: &str) -> Result<Selector, QueryError> {
        let receiver = Receiver::new(self.table, name, ty.clone());
        Ok(Selector::Value(Expr::bind(term, &receiver, self.scope, self.markers)?))
    }

    fn aggregate(
        &mut self,
        reduction: Reduction,
        argument: Option<Selector>,
        ty: CqlType,
        name: String,
    ) -> Result<Bound, QueryError> {
        let result = reduction.result(&ty)?;
        self.aggregates.push(Aggregate { reduction, argument, ty });
        Ok(Bound::Typed { selector: Selector::Aggregate(self.aggregates.len() - 1), ty: result, name })
    }

    fn call(&mut self, name: &FunctionName, arguments: &[Selectable]) -> Result<Bound, QueryError> {
        let is_native = name.keyspace.as_deref().is_none_or(|keyspace| keyspace == "system");
        if let Some(reduction) = Reduction::named(&name.name).filter(|_| is_native) {
            return self.call_aggregate(reduction, arguments);
        }
        let bound = arguments.iter().map(|argument| self.bind(argument)).collect::<Result<Vec<_>, _>>()?;
        let given: Vec<Argument<'_>> = bound.iter().map(Bound::argument).collect();
        let function = function::resolve_selection(self.scope, name, &given, self.table)?;
        let names: Vec<String> = bound.iter().map(Bound::name).collect();
        let shown = function.shown(&names);
        self.finish_call(function, bound, shown)
    }

    fn call_aggregate(
        &mut self,
        reduction: Reduction,
        arguments: &[Selectable],
    ) -> Result<Bound, QueryError> {
        let [argument] = arguments else {
            return Err(reduction.wrong_count(arguments.len()));
        };
        let before = self.aggregates.len();
        let bound = self.bind(argument)?;
        if self.aggregates.len() != before {
            return Err(QueryError::invalid(
                "aggregate functions cannot be used as arguments of aggregate functions",
            ));
        }
        match bound {
            // count(1) counts rows.
            Bound::Term(Term::Literal(_)) if reduction == Reduction::Count => {
                self.aggregate(Reduction::CountRows, None, CqlType::Bigint, "count".to_owned())
            }
            Bound::Term(Term::Null) if reduction == Reduction::Count => {
                let nothing = Selector::Value(Expr::Null);
                self.aggregate(reduction, Some(nothing), CqlType::Blob, "system.count(NULL)".to_owned())
            }
            Bound::Term(term) => {
                let Some(ty) = Argument::Term(&term).known_type(self.scope, true) else {
                    return Err(QueryError::Invalid(format!(
                        "Cannot infer type of argument {term} in call to function system.{}(any): use type casts to \
                         disambiguate",
                        reduction.name()
                    )));
                };
                let name = format!("system.{}({term})", reduction.name());
                let argument = self.value(&term, &ty, &name)?;
                self.aggregate(reduction, Some(argument), ty, name)
            }
            Bound::Typed { selector, ty, name } => {
                let shown = format!("system.{}({name})", reduction.name());
                self.aggregate(reduction, Some(selector), ty, shown)
            }
        }
    }

    fn finish_call(
        &mut self,
        function: Function,
        bound: Vec<Bound>,
        name: String,
    ) -> Result<Bound, QueryError> {
        let mut arguments = Vec::with_capacity(bound.len());
        for (index, (argument, ty)) in bound.into_iter().zip(function.arguments.clone()).enumerate() {
            arguments.push(match argument {
                Bound::Typed { selector, .. } => selector,
                Bound::Term(term) => {
                    self.value(&term, &ty, &format!("arg{index}({})", function.full_name()))?
                }
            });
        }
        let ty = function.result.clone();
        Ok(Bound::Typed { selector: Selector::Call { function, arguments }, ty, name })
    }

    fn arithmetic(
        &mut self,
        operator: ArithmeticOperator,
        left: &Selectable,
        right: &Selectable,
    ) -> Result<Bound, QueryError> {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        let name = format!("{} {} {}", left.name(), operator.sign(), right.name());
        let function = function::arithmetic(operator, &left.argument(), &right.argument(), None, self.scope)?;
        self.finish_call(function, vec![left, right], name)
    }

    fn cell_metadata(&mut self, kind: CellMetadata, inner: &Selectable) -> Result<Bound, QueryError> {
        let (name, element, field_name) = match inner {
            Selectable::Column(name) => (name, None, None),
            Selectable::Element(of, key) => match &**of {
                Selectable::Column(name) => (name, Some(key), None),
                _ => return Err(unsupported_metadata(kind)),
            },
            Selectable::Field(of, field) => match &**of {
                Selectable::Column(name) => (name, None, Some(field)),
                _ => return Err(unsupported_metadata(kind)),
            },
            _ => return Err(unsupported_metadata(kind)),
        };
        let (access, ty) = self.column(name)?;
        if matches!(access, Access::PartitionKey(_) | Access::Clustering(_)) {
            return Err(QueryError::Invalid(format!(
                "Cannot use selection function {} on PRIMARY KEY part {name}",
                kind.name()
            )));
        }
        let mut shown = name.clone();
        let mut bound_element = None;
        let mut field = None;
        if let Some(key) = element {
            let key_type = match &ty {
                CqlType::Map { key, frozen: false, .. } => CqlType::clone(key),
                CqlType::Set { element, frozen: false } => CqlType::clone(element),
                _ => return Err(unsupported_metadata(kind)),
            };
            let receiver = Receiver::new(self.table, format!("key({name})"), key_type);
            bound_element = Some(Expr::bind(key, &receiver, self.scope, self.markers)?);
            shown = format!("{name}[{key}]");
        }
        if let Some(wanted) = field_name {
            let CqlType::Udt { definition, frozen: false } = &ty else {
                return Err(unsupported_metadata(kind));
            };
            let index =
                definition.fields.iter().position(|(known, _)| **known == **wanted).ok_or_else(|| {
                    QueryError::Invalid(format!("{name} of type {} has no field {wanted}", ty.cql_name()))
                })?;
            field = u16::try_from(index).ok();
            shown = format!("{name}.{wanted}");
        }
        let one = if kind == CellMetadata::Ttl { CqlType::Int } else { CqlType::Bigint };
        let is_list = ty.is_multi_cell() && bound_element.is_none() && field.is_none();
        let result =
            if is_list && kind != CellMetadata::MaxWriteTime { CqlType::list(one, false) } else { one };
        let selector = Selector::CellMetadata { kind, access, ty, element: bound_element, field };
        Ok(Bound::Typed { selector, ty: result, name: format!("{}({shown})", kind.name()) })
    }

    fn field(&mut self, inner: &Selectable, field: &str) -> Result<Bound, QueryError> {
        let inner = self.bind(inner)?;
        let Bound::Typed { selector, ty, name } = inner else {
            return Err(QueryError::Invalid(format!(
                "Invalid field selection: {} is not a user type",
                inner.name()
            )));
        };
        let CqlType::Udt { definition, .. } = &ty else {
            return Err(QueryError::Invalid(format!(
                "Invalid field selection: {name} of type {} is not a user type",
                ty.cql_name()
            )));
        };
        let index = definition.fields.iter().position(|(known, _)| **known == *field);
        let index = index.ok_or_else(|| {
            QueryError::Invalid(format!("{name} of type {} has no field {field}", definition.name))
        })?;
        let result = definition.fields[index].1.clone();
        let selector = Selector::Field { inner: Box::new(selector), index, count: definition.fields.len() };
        Ok(Bound::Typed { selector, ty: result, name: format!("{name}.{field}") })
    }

    fn collection(
        &mut self,
        inner: &Selectable,
        what: &str,
    ) -> Result<(Selector, CqlType, String, CqlType, CqlType), QueryError> {
        let inner = self.bind(inner)?;
        let Bound::Typed { selector, ty, name } = inner else {
            return Err(QueryError::Invalid(format!(
                "Invalid element selection: {} is not a collection",
                inner.name()
            )));
        };
        match &ty {
            CqlType::Map { key, value, .. } => {
                let (key, value) = (CqlType::clone(key), CqlType::clone(value));
                Ok((selector, ty, name, key, value))
            }
            CqlType::Set { element, .. } => {
                let element = CqlType::clone(element);
                Ok((selector, ty, name, element.clone(), element))
            }
            CqlType::List { .. } => Err(QueryError::Invalid(format!(
                "{what} selection is only allowed on sets and maps, but {name} is a list"
            ))),
            _ => Err(QueryError::Invalid(format!(
                "Invalid element selection: {name} is of type {} is not a collection",
                ty.cql_name()
            ))),
        }
    }

    fn element(&mut self, inner: &Selectable, key: &Term) -> Result<Bound, QueryError> {
        let (selector, ty, name, key_type, value_type) = self.collection(inner, "Element")?;
        let receiver = Receiver::new(self.table, format!("key({name})"), key_type);
        let bound = Expr::bind(key, &receiver, self.scope, self.markers)?;
        let selector = Selector::Element { inner: Box::new(selector), ty, key: bound };
        Ok(Bound::Typed { selector, ty: value_type, name: format!("{name}[{key}]") })
    }

    fn slice(
        &mut self,
        inner: &Selectable,
        from: Option<&Term>,
        to: Option<&Term>,
    ) -> Result<Bound, QueryError> {
        let (selector, ty, name, key_type, _) = self.collection(inner, "Slice")?;
        let receiver = Receiver::new(self.table, format!("key({name})"), key_type);
        let mut bound = |term: Option<&Term>| {
            term.map(|term| Expr::bind(term, &receiver, self.scope, self.markers)).transpose()
        };
        let (lower, upper) = (bound(from)?, bound(to)?);
        let text = |term: Option<&Term>| term.map(Term::to_string).unwrap_or_default();
        let shown = format!("{name}[{}..{}]", text(from), text(to));
        let selector = Selector::Slice { inner: Box::new(selector), ty: ty.clone(), from: lower, to: upper };
        Ok(Bound::Typed { selector, ty, name: shown })
    }

    fn composite(
        &mut self,
        parts: &[Selectable],
        open: &str,
        close: &str,
        make: fn(Vec<CqlType>) -> CqlType,
    ) -> Result<Bound, QueryError> {
        let bound = parts.iter().map(|part| self.bind(part)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = bound.iter().map(Bound::name).collect();
        let shown = format!("{open}{}{close}", names.join(", "));
        let known = bound.iter().find_map(|part| match part {
            Bound::Typed { ty, .. } => Some(ty.clone()),
            Bound::Term(_) => None,
        });
        let (mut types, mut selectors) = (Vec::new(), Vec::new());
        for part in bound {
            match part {
                Bound::Typed { selector, ty, .. } => {
                    types.push(ty.freeze());
                    selectors.push(selector);
                }
                Bound::Term(term) => {
                    let ty = known.clone().filter(|_| open != "(").ok_or_else(|| untyped(&shown))?;
                    selectors.push(self.value(&term, &ty, &shown)?);
                    types.push(ty);
                }
            }
        }
        let ty = make(types);
        Ok(Bound::Typed {
            selector: Selector::Composite { ty: ty.clone(), parts: selectors },
            ty,
            name: shown,
        })
    }
}

/// The type in a hint as results show it: user types with their keyspace.
fn hint_name(ty: &CqlType) -> String {
    match ty {
        CqlType::Udt { definition, frozen } => {
            let name = format!("{}.{}", definition.keyspace, definition.name);
            if *frozen { format!("frozen<{name}>") } else { name }
        }
        CqlType::Tuple(fields) => {
            format!("tuple<{}>", fields.iter().map(hint_name).collect::<Vec<_>>().join(", "))
        }
        CqlType::List { element, frozen: false } => format!("list<{}>", hint_name(element)),
        CqlType::Set { element, frozen: false } => format!("set<{}>", hint_name(element)),
        CqlType::Map { key, value, frozen: false } => {
            format!("map<{}, {}>", hint_name(key), hint_name(value))
        }
        other => other.cql_name(),
    }
}

fn untyped(term: &str) -> QueryError {
    QueryError::Invalid(format!(
        "Cannot infer type for term {term} in selection clause (try using a cast to force a type)"
    ))
}

fn unsupported_metadata(kind: CellMetadata) -> QueryError {
    QueryError::Invalid(format!(
        "{} is only supported on columns, map or set elements and fields of user types",
        kind.name()
    ))
}

/// The selectable as a term, if no column is in it.
fn as_term(selectable: &Selectable) -> Option<Term> {
    let all = |parts: &[Selectable]| parts.iter().map(as_term).collect::<Option<Vec<Term>>>();
    match selectable {
        Selectable::Term(term) => Some(term.clone()),
        Selectable::List(parts) => all(parts).map(Term::List),
        Selectable::Set(parts) => all(parts).map(Term::Set),
        Selectable::Parentheses(parts) => all(parts).map(Term::Tuple),
        Selectable::MapOrUserType(entries) => {
            let entries = entries.iter().map(|(key, value)| Some((as_term(key)?, as_term(value)?)));
            entries.collect::<Option<Vec<_>>>().map(Term::Map)
        }
        Selectable::TypeHint(hint, inner) => {
            Some(Term::TypeHint(Box::new(hint.clone()), Box::new(as_term(inner)?)))
        }
        _ => None,
    }
}
