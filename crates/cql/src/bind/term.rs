//! Terms bound to what they are for: constants are serialised once, markers know their types.

use bytes::Bytes;
use model::value::collection;
use model::{BoundValue, CqlType, QueryError};
use uuid::Uuid;

use super::function::decimal::Decimal;
use super::function::{self, Argument, Function};
use super::{Markers, Receiver, Scope};
use crate::ast::{Literal, LiteralKind, Term};

/// Deepest nesting of terms; the parser refuses deeper texts, this is the second wall.
const MAX_DEPTH: usize = 200;

/// Clock and randomness for functions such as `now()`: the caller's, so that runs can be repeated.
pub trait ValueSource {
    /// Microseconds since 1970.
    fn now_us(&self) -> i64;
    /// A timeuuid never given before.
    fn timeuuid(&self) -> Uuid;
    /// A random (version 4) uuid.
    fn random_uuid(&self) -> Uuid;
}

/// What a bound term needs to become a value.
#[derive(Clone, Copy)]
pub struct EvalContext<'a> {
    /// The request's values, one for each marker.
    pub values: &'a [BoundValue],
    /// Clock and randomness.
    pub source: &'a dyn ValueSource,
}

/// A bound term.
#[derive(Clone, Debug)]
pub enum Expr {
    /// `null`, or an empty collection literal, which is the same for a multi-cell column.
    Null,
    /// A value known when the statement was bound.
    Constant(Bytes),
    /// The value of a marker; it must be one of this type.
    Marker {
        /// Index into the request's values.
        index: usize,
        /// What it must be.
        ty: CqlType,
    },
    /// A collection, tuple, user type or vector with parts that are not constant.
    Composite {
        /// What it makes.
        ty: CqlType,
        /// Elements in order; of a map key, value, key, value ...
        parts: Vec<Expr>,
    },
    /// A function's result.
    Call {
        /// Which.
        function: Function,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
}

/// How well a term fits a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Not at all.
    No,
    /// It can be converted.
    Weak,
    /// It is of that type.
    Exact,
}

impl Fit {
    /// True unless it does not fit.
    pub fn is_assignable(self) -> bool {
        self != Fit::No
    }
}

impl Expr {
    /// Binds a term to its receiver.
    pub fn bind(
        term: &Term,
        receiver: &Receiver,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Expr, QueryError> {
        bind_at_depth(term, receiver, scope, markers, 0)
    }

    /// The value. Values of markers are checked against their type.
    pub fn evaluate(&self, ctx: &EvalContext<'_>) -> Result<BoundValue, QueryError> {
        match self {
            Expr::Null => Ok(BoundValue::Null),
            Expr::Constant(bytes) => Ok(BoundValue::Value(bytes.clone())),
            Expr::Marker { index, ty } => {
                let value = ctx.values.get(*index).cloned().unwrap_or(BoundValue::Null);
                if let BoundValue::Value(bytes) = &value {
                    validate(ty, bytes)?;
                }
                Ok(value)
            }
            Expr::Composite { ty, parts } => compose(ty, parts, ctx),
            Expr::Call { function, arguments } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    match argument.evaluate(ctx)? {
                        BoundValue::Null => values.push(None),
                        BoundValue::Value(bytes) => values.push(Some(bytes)),
                        BoundValue::Unset => {
                            return Err(QueryError::Invalid(format!(
                                "Invalid unset value for argument in call to function {}",
                                function.name
                            )));
                        }
                    }
                }
                Ok(function.call(&values, ctx)?.into())
            }
        }
    }

    /// True if it is the literal null.
    pub fn is_null(&self) -> bool {
        matches!(self, Expr::Null)
    }
}

/// Checks a value that came with a request; a user type that is too long is Cassandra's server error.
pub fn validate(ty: &CqlType, bytes: &Bytes) -> Result<(), QueryError> {
    ty.validate(bytes).map_err(|text| {
        if text == "Invalid remaining data after end of UDT value" {
            QueryError::Server(format!("org.apache.cassandra.serializers.MarshalException: {text}"))
        } else {
            QueryError::Invalid(text)
        }
    })
}

fn bind_at_depth(
    term: &Term,
    receiver: &Receiver,
    scope: Scope<'_>,
    markers: &mut Markers,
    depth: usize,
) -> Result<Expr, QueryError> {
    if depth > MAX_DEPTH {
        return Err(QueryError::invalid("Terms are nested too deeply"));
    }
    let mut part =
        |term: &Term, receiver: &Receiver| bind_at_depth(term, receiver, scope, markers, depth + 1);
    match term {
        Term::Null => Ok(Expr::Null),
        Term::Literal(literal) => constant(literal, receiver).map(Expr::Constant),
        Term::Marker(marker) => {
            markers.bind(marker.index, receiver);
            Ok(Expr::Marker { index: marker.index, ty: receiver.ty.clone() })
        }
        Term::List(elements) => bind_list(elements, receiver, scope, &mut part),
        Term::Set(elements) => bind_set(elements, receiver, scope, &mut part),
        Term::Map(entries) => bind_map(entries, receiver, scope, &mut part),
        Term::UserType(fields) => bind_user_type(fields, receiver, scope, &mut part),
        Term::Tuple(elements) => bind_tuple(elements, receiver, scope, &mut part),
        Term::Function(name, arguments) => {
            let given: Vec<Argument<'_>> = arguments.iter().map(Argument::Term).collect();
            let function = function::resolve(scope, name, &given, Some(receiver))?;
            check_result(&function, receiver)?;
            let bound = bind_arguments(arguments, &function, receiver, &mut part)?;
            Ok(Expr::Call { function, arguments: bound })
        }
        Term::Cast(..) | Term::Arithmetic(..) | Term::Negation(..) => {
            let (function, arguments) = function::resolve_operation(scope, term, Some(&receiver.ty))?;
            check_result(&function, receiver)?;
            let bound = bind_arguments(&arguments, &function, receiver, &mut part)?;
            Ok(Expr::Call { function, arguments: bound })
        }
        Term::TypeHint(hint, inner) => {
            let hinted = super::types::resolve(hint, scope.schema, &receiver.keyspace)?;
            let cast = receiver.with(term.to_string(), hinted.clone());
            if !fit(inner, &cast.ty, scope, &receiver.keyspace).is_assignable() {
                return Err(QueryError::Invalid(format!("Cannot cast value {inner} to type {hint}")));
            }
            if !type_fit(&hinted, &receiver.ty).is_assignable() {
                return Err(QueryError::Invalid(format!(
                    "Cannot assign value {term} to {} of type {}",
                    receiver.name,
                    receiver.ty.cql_name()
                )));
            }
            part(inner, &cast)
        }
    }
}

fn check_result(function: &Function, receiver: &Receiver) -> Result<(), QueryError> {
    if !type_fit(&function.result, &receiver.ty).is_assignable() {
        return Err(QueryError::Invalid(format!(
            "Type error: cannot assign result of function {} (type {}) to {} (type {})",
            function.full_name(),
            function.result.cql_name(),
            receiver.name,
            receiver.ty.cql_name()
        )));
    }
    Ok(())
}

type BindPart<'p> = dyn FnMut(&Term, &Receiver) -> Result<Expr, QueryError> + 'p;

fn bind_arguments(
    arguments: &[Term],
    function: &Function,
    receiver: &Receiver,
    part: &mut BindPart<'_>,
) -> Result<Vec<Expr>, QueryError> {
    let mut bound = Vec::with_capacity(arguments.len());
    for (index, (argument, ty)) in arguments.iter().zip(&function.arguments).enumerate() {
        let name = format!("arg{index}({})", function.full_name());
        bound.push(part(argument, &receiver.with(name, ty.clone()))?);
    }
    Ok(bound)
}

/// Serialises a constant for its receiver. Texts are those of `Constants.Literal`.
fn constant(literal: &Literal, receiver: &Receiver) -> Result<Bytes, QueryError> {
    if literal_fit(literal, &receiver.ty) == Fit::No {
        return Err(QueryError::Invalid(format!(
            "Invalid {} constant ({}) for \"{}\" of type {}",
            literal.kind.name(),
            literal.text,
            receiver.name,
            receiver.ty.cql_name()
        )));
    }
    if literal.kind == LiteralKind::Hex {
        return hex(&literal.text).map(Bytes::from);
    }
    let ty = if receiver.ty == CqlType::Counter { &CqlType::Bigint } else { &receiver.ty };
    ty.parse_text(&literal.text).map(Bytes::from).map_err(QueryError::Invalid)
}

fn hex(text: &str) -> Result<Vec<u8>, QueryError> {
    let digits = text.get(2..).unwrap_or_default();
    let bad = || QueryError::Invalid(format!("cannot parse '{digits}' as hex bytes"));
    if !digits.len().is_multiple_of(2) {
        return Err(bad());
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8).ok_or_else(bad);
    digits.as_bytes().chunks(2).map(|pair| Ok((nibble(pair[0])? << 4) | nibble(pair[1])?)).collect()
}

/// How well a literal of that class fits a type (`Constants.Literal.testAssignment`).
fn literal_fit(literal: &Literal, ty: &CqlType) -> Fit {
    use CqlType::*;
    let fits = match literal.kind {
        LiteralKind::String => matches!(ty, Ascii | Text | Inet | Date | Time | Timestamp | Custom(_)),
        LiteralKind::Integer => matches!(
            ty,
            Bigint
                | Counter
                | Date
                | Decimal
                | Double
                | Duration
                | Float
                | Int
                | Smallint
                | Time
                | Timestamp
                | Tinyint
                | Varint
        ),
        LiteralKind::Uuid => matches!(ty, Uuid | Timeuuid),
        LiteralKind::Float => matches!(ty, Decimal | Double | Float),
        LiteralKind::Boolean => matches!(ty, Boolean),
        LiteralKind::Hex => matches!(ty, Blob),
        LiteralKind::Duration => matches!(ty, Duration),
    };
    match fits {
        true if preferred_type(literal) == *ty => Fit::Exact,
        true => Fit::Weak,
        false => Fit::No,
    }
}

/// The type that a literal has if nobody asks for another: the smallest of int, bigint, varint that holds an integer,
/// double unless digits would be lost, ascii unless there are other characters.
pub fn preferred_type(literal: &Literal) -> CqlType {
    match literal.kind {
        LiteralKind::String if literal.text.is_ascii() => CqlType::Ascii,
        LiteralKind::String => CqlType::Text,
        LiteralKind::Integer if literal.text.parse::<i32>().is_ok() => CqlType::Int,
        LiteralKind::Integer if literal.text.parse::<i64>().is_ok() => CqlType::Bigint,
        LiteralKind::Integer => CqlType::Varint,
        LiteralKind::Float => {
            let double: f64 = literal.text.parse().unwrap_or(f64::NAN);
            match (Decimal::from_f64(double), Decimal::from_text(&literal.text)) {
                (Some(rounded), Some(exact)) if rounded.clone().stripped() != exact.clone().stripped() => {
                    CqlType::Decimal
                }
                _ => CqlType::Double,
            }
        }
        LiteralKind::Boolean => CqlType::Boolean,
        LiteralKind::Duration => CqlType::Duration,
        LiteralKind::Uuid => CqlType::Uuid,
        LiteralKind::Hex => CqlType::Blob,
    }
}

/// How well a value of one type fits another (`AbstractType.testAssignment`).
pub fn type_fit(given: &CqlType, wanted: &CqlType) -> Fit {
    use CqlType::*;
    let plain = |ty: &CqlType| if *ty == Counter { Bigint } else { ty.freeze() };
    if given == wanted || plain(given) == plain(wanted) {
        return Fit::Exact;
    }
    // What IsValueCompatibleWith says: the bytes of one are good bytes of the other.
    let compatible = matches!(
        (given, wanted),
        (_, Blob)
            | (Ascii, Text)
            | (Timeuuid, Uuid)
            | (Int | Bigint | Timestamp, Varint)
            | (Timestamp, Bigint)
            | (Bigint, Timestamp)
            | (Int, Date)
    ) && !matches!(given, List { .. } | Set { .. } | Map { .. });
    if compatible { Fit::Weak } else { Fit::No }
}

/// How well a term fits a type, without binding it.
pub fn fit(term: &Term, ty: &CqlType, scope: Scope<'_>, keyspace: &str) -> Fit {
    let all = |terms: &mut dyn Iterator<Item = (&Term, &CqlType)>| {
        terms.map(|(term, ty)| fit(term, ty, scope, keyspace)).min().unwrap_or(Fit::Weak).min(Fit::Weak)
    };
    match (term, ty) {
        (Term::Null | Term::Marker(_), _) => Fit::Weak,
        (Term::Literal(literal), _) => literal_fit(literal, ty),
        (Term::List(elements), CqlType::List { element, .. }) => {
            all(&mut elements.iter().map(|term| (term, &**element)))
        }
        (Term::List(elements), CqlType::Vector { element, dimension }) => {
            if elements.len() != *dimension as usize {
                return Fit::No;
            }
            all(&mut elements.iter().map(|term| (term, &**element)))
        }
        (Term::Set(elements), CqlType::Set { element, .. }) => {
            all(&mut elements.iter().map(|term| (term, &**element)))
        }
        (Term::Set(elements), CqlType::Map { .. }) if elements.is_empty() => Fit::Weak,
        (Term::Map(entries), CqlType::Map { key, value, .. }) => {
            all(&mut entries.iter().flat_map(|(k, v)| [(k, &**key), (v, &**value)]))
        }
        (Term::UserType(fields), CqlType::Udt { definition, .. }) => {
            let field_type = |name: &str| definition.fields.iter().find(|(field, _)| &**field == name);
            if fields.iter().any(|(name, _)| field_type(name).is_none()) {
                return Fit::No;
            }
            all(&mut fields.iter().filter_map(|(name, term)| field_type(name).map(|(_, ty)| (term, ty))))
        }
        (Term::Tuple(elements), CqlType::Tuple(types)) if elements.len() <= types.len() => {
            all(&mut elements.iter().zip(types.iter()))
        }
        (Term::Tuple(elements), _) if elements.len() == 1 => fit(&elements[0], ty, scope, keyspace),
        // What cannot be resolved tells its own error when it is bound.
        (Term::Function(name, arguments), _) => {
            if name.keyspace.is_none() && name.name == "token" {
                return type_fit(&CqlType::Bigint, ty);
            }
            let given: Vec<Argument<'_>> = arguments.iter().map(Argument::Term).collect();
            match function::resolve(scope, name, &given, None) {
                Ok(function) => type_fit(&function.result, ty),
                Err(_) => Fit::Weak,
            }
        }
        (Term::TypeHint(hint, _), _) => match super::types::resolve(hint, scope.schema, keyspace) {
            Ok(hinted) => type_fit(&hinted, ty),
            Err(_) => Fit::No,
        },
        (Term::Cast(_, target), _) => type_fit(&super::types::native(*target), ty),
        (Term::Arithmetic(..) | Term::Negation(_), _) => {
            match function::resolve_operation(scope, term, Some(ty)) {
                Ok((function, _)) => type_fit(&function.result, ty),
                Err(_) => Fit::Weak,
            }
        }
        _ => Fit::No,
    }
}

/// The type of a term, where it has one of its own (`Term.Raw.getExactTypeIfKnown`).
pub fn exact_type(term: &Term, scope: Scope<'_>, keyspace: &str) -> Option<CqlType> {
    match term {
        Term::Function(name, _) if name.keyspace.is_none() && name.name == "token" => Some(CqlType::Bigint),
        Term::Function(name, arguments) => {
            let given: Vec<Argument<'_>> = arguments.iter().map(Argument::Term).collect();
            Some(function::resolve(scope, name, &given, None).ok()?.result)
        }
        Term::TypeHint(hint, _) => super::types::resolve(hint, scope.schema, keyspace).ok(),
        Term::Tuple(elements) if elements.len() == 1 => exact_type(&elements[0], scope, keyspace),
        Term::Cast(_, target) => Some(super::types::native(*target)),
        Term::Literal(literal) => match literal.kind {
            LiteralKind::Boolean => Some(CqlType::Boolean),
            LiteralKind::Hex => Some(CqlType::Blob),
            LiteralKind::Duration => Some(CqlType::Duration),
            LiteralKind::Uuid => Some(CqlType::Uuid),
            _ => None,
        },
        Term::Arithmetic(..) | Term::Negation(_) => {
            Some(function::resolve_operation(scope, term, None).ok()?.0.result)
        }
        _ => None,
    }
}

fn bind_list(
    elements: &[Term],
    receiver: &Receiver,
    scope: Scope<'_>,
    part: &mut BindPart<'_>,
) -> Result<Expr, QueryError> {
    let (element, kind) = match &receiver.ty {
        CqlType::List { element, .. } => (element, "list"),
        CqlType::Vector { element, .. } => (element, "vector"),
        other => {
            return Err(QueryError::Invalid(format!(
                "Unexpected receiver type '{}'; only list and vector are expected",
                other.cql_name()
            )));
        }
    };
    let inner = receiver.with(format!("value({})", receiver.name), CqlType::clone(element));
    for term in elements {
        if !fit(term, &inner.ty, scope, &receiver.keyspace).is_assignable() {
            return Err(QueryError::Invalid(format!(
                "Invalid {kind} literal for {}: value {term} is not of type {}",
                receiver.name,
                inner.ty.cql_name()
            )));
        }
    }
    if let CqlType::Vector { dimension, .. } = &receiver.ty
        && elements.len() != *dimension as usize
    {
        return Err(QueryError::Invalid(format!(
            "Invalid vector literal for {} of type {}; expected {dimension} elements, but given {}",
            receiver.name,
            receiver.ty.cql_name(),
            elements.len()
        )));
    }
    let parts = elements.iter().map(|term| part(term, &inner)).collect::<Result<Vec<_>, _>>()?;
    finish(&receiver.ty, parts)
}

fn bind_set(
    elements: &[Term],
    receiver: &Receiver,
    scope: Scope<'_>,
    part: &mut BindPart<'_>,
) -> Result<Expr, QueryError> {
    let element = match &receiver.ty {
        CqlType::Set { element, .. } => element,
        CqlType::Map { .. } if elements.is_empty() => return finish(&receiver.ty, Vec::new()),
        other => {
            return Err(QueryError::Invalid(format!(
                "Invalid set literal for {} of type {}",
                receiver.name,
                other.cql_name()
            )));
        }
    };
    let inner = receiver.with(format!("value({})", receiver.name), CqlType::clone(element));
    for term in elements {
        if !fit(term, &inner.ty, scope, &receiver.keyspace).is_assignable() {
            return Err(QueryError::Invalid(format!(
                "Invalid set literal for {}: value {term} is not of type {}",
                receiver.name,
                inner.ty.cql_name()
            )));
        }
    }
    let parts = elements.iter().map(|term| part(term, &inner)).collect::<Result<Vec<_>, _>>()?;
    finish(&receiver.ty, parts)
}

fn bind_map(
    entries: &[(Term, Term)],
    receiver: &Receiver,
    scope: Scope<'_>,
    part: &mut BindPart<'_>,
) -> Result<Expr, QueryError> {
    let CqlType::Map { key, value, .. } = &receiver.ty else {
        return Err(QueryError::Invalid(format!(
            "Invalid map literal for {} of type {}",
            receiver.name,
            receiver.ty.cql_name()
        )));
    };
    let key = receiver.with(format!("key({})", receiver.name), CqlType::clone(key));
    let value = receiver.with(format!("value({})", receiver.name), CqlType::clone(value));
    let mut parts = Vec::with_capacity(entries.len() * 2);
    for (key_term, value_term) in entries {
        for (what, term, inner) in [("key", key_term, &key), ("value", value_term, &value)] {
            if !fit(term, &inner.ty, scope, &receiver.keyspace).is_assignable() {
                return Err(QueryError::Invalid(format!(
                    "Invalid map literal for {}: {what} {term} is not of type {}",
                    receiver.name,
                    inner.ty.cql_name()
                )));
            }
            parts.push(part(term, inner)?);
        }
    }
    finish(&receiver.ty, parts)
}

fn bind_user_type(
    fields: &[(String, Term)],
    receiver: &Receiver,
    scope: Scope<'_>,
    part: &mut BindPart<'_>,
) -> Result<Expr, QueryError> {
    let CqlType::Udt { definition, .. } = &receiver.ty else {
        let what = if matches!(receiver.ty, CqlType::Map { .. }) { "map" } else { "user type" };
        return Err(QueryError::Invalid(format!(
            "Invalid {what} literal for {} of type {}",
            receiver.name,
            receiver.ty.cql_name()
        )));
    };
    for (name, term) in fields {
        let Some((_, ty)) = definition.fields.iter().find(|(field, _)| **field == **name) else {
            return Err(QueryError::Invalid(format!(
                "Unknown field '{name}' in value of user defined type {}",
                definition.name
            )));
        };
        if !fit(term, ty, scope, &receiver.keyspace).is_assignable() {
            return Err(QueryError::Invalid(format!(
                "Invalid user type literal for {}: field {name} is not of type {}",
                receiver.name,
                ty.cql_name()
            )));
        }
    }
    let mut parts = Vec::with_capacity(definition.fields.len());
    for (field, ty) in &definition.fields {
        let term = fields.iter().find(|(name, _)| **name == **field).map_or(&Term::Null, |(_, term)| term);
        parts.push(part(term, &receiver.with(format!("{}.{field}", receiver.name), ty.clone()))?);
    }
    finish(&receiver.ty, parts)
}

fn bind_tuple(
    elements: &[Term],
    receiver: &Receiver,
    scope: Scope<'_>,
    part: &mut BindPart<'_>,
) -> Result<Expr, QueryError> {
    if let ([only], false) = (elements, matches!(receiver.ty, CqlType::Tuple(_))) {
        // Just brackets.
        return part(only, receiver);
    }
    let CqlType::Tuple(types) = &receiver.ty else {
        return Err(QueryError::Invalid(format!(
            "Invalid tuple type literal for {} of type {}",
            receiver.name,
            receiver.ty.cql_name()
        )));
    };
    if elements.len() > types.len() {
        return Err(QueryError::Invalid(format!(
            "Invalid tuple literal for {}: too many elements. Type {} expects {} but got {}",
            receiver.name,
            receiver.ty.cql_name(),
            types.len(),
            elements.len()
        )));
    }
    let mut parts = Vec::with_capacity(elements.len());
    for (index, (term, ty)) in elements.iter().zip(types.iter()).enumerate() {
        if !fit(term, ty, scope, &receiver.keyspace).is_assignable() {
            return Err(QueryError::Invalid(format!(
                "Invalid tuple literal for {}: component {index} is not of type {}",
                receiver.name,
                ty.cql_name()
            )));
        }
        parts.push(part(term, &receiver.with(format!("{}[{index}]", receiver.name), ty.clone()))?);
    }
    finish(&receiver.ty, parts)
}

/// Folds constants: what has no marker and no call is serialised now.
fn finish(ty: &CqlType, parts: Vec<Expr>) -> Result<Expr, QueryError> {
    if parts.iter().any(|part| !matches!(part, Expr::Constant(_) | Expr::Null)) {
        return Ok(Expr::Composite { ty: ty.clone(), parts });
    }
    struct NoSource;
    impl ValueSource for NoSource {
        fn now_us(&self) -> i64 {
            0
        }
        fn timeuuid(&self) -> Uuid {
            Uuid::nil()
        }
        fn random_uuid(&self) -> Uuid {
            Uuid::nil()
        }
    }
    // Constants call nothing, so the empty source is never asked.
    let value = compose(ty, &parts, &EvalContext { values: &[], source: &NoSource })?;
    Ok(match value {
        BoundValue::Value(bytes) => Expr::Constant(bytes),
        _ => Expr::Null,
    })
}

fn compose(ty: &CqlType, parts: &[Expr], ctx: &EvalContext<'_>) -> Result<BoundValue, QueryError> {
    let mut values = Vec::with_capacity(parts.len());
    let is_collection = ty.is_collection() || matches!(ty, CqlType::Vector { .. });
    for part in parts {
        match part.evaluate(ctx)? {
            BoundValue::Value(bytes) => values.push(Some(bytes)),
            BoundValue::Null | BoundValue::Unset if is_collection => {
                return Err(QueryError::invalid("null is not supported inside collections"));
            }
            BoundValue::Null | BoundValue::Unset => values.push(None),
        }
    }
    let bytes = match ty {
        CqlType::Tuple(_) | CqlType::Udt { .. } => collection::pack_tuple(&values),
        _ => pack_collection(ty, values.into_iter().flatten().collect()),
    };
    Ok(bytes.into())
}

/// Joins the elements of a collection or vector; sets and maps in their order, the last of equals wins.
fn pack_collection(ty: &CqlType, mut elements: Vec<Bytes>) -> Vec<u8> {
    match ty {
        CqlType::Set { element, .. } => {
            elements.sort_by(|a, b| element.compare(a, b));
            elements.dedup_by(|a, b| element.compare(a, b).is_eq());
            collection::pack(elements.len(), &elements)
        }
        CqlType::Map { key, .. } => {
            let mut entries: Vec<(Bytes, Bytes)> = Vec::with_capacity(elements.len() / 2);
            let mut rest = elements.into_iter();
            while let (Some(k), Some(v)) = (rest.next(), rest.next()) {
                entries.push((k, v));
            }
            entries.reverse();
            entries.sort_by(|a, b| key.compare(&a.0, &b.0));
            entries.dedup_by(|a, b| key.compare(&a.0, &b.0).is_eq());
            let flat: Vec<Bytes> = entries.into_iter().flat_map(|(k, v)| [k, v]).collect();
            collection::pack(flat.len() / 2, &flat)
        }
        CqlType::Vector { element, .. } => collection::pack_vector(element, &elements),
        _ => collection::pack(elements.len(), &elements),
    }
}
