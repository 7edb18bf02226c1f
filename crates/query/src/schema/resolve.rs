//! Types as written become types: user types are looked up, frozen-ness is settled, nonsense is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use cql::ast::{NativeType, TypeName};
use model::{CqlType, QueryError, UserType};

/// The user types that a statement on `keyspace` can name.
#[derive(Clone, Copy)]
pub(crate) struct Types<'a> {
    pub(crate) keyspace: &'a str,
    pub(crate) types: &'a BTreeMap<Arc<str>, Arc<UserType>>,
}

impl Types<'_> {
    /// The type of a column or field.
    pub(crate) fn resolve(&self, name: &TypeName) -> Result<CqlType, QueryError> {
        match name {
            TypeName::Native(native) => Ok(cql::bind::types::native(*native)),
            TypeName::Frozen(inner) => self.resolve_frozen(inner),
            TypeName::List(element) => {
                self.check_element(name, element)?;
                Ok(CqlType::list(self.resolve(element)?, false))
            }
            TypeName::Set(element) => {
                self.check_element(name, element)?;
                refuse_duration(element, || format!("Durations are not allowed inside sets: {name}"))?;
                Ok(CqlType::set(self.resolve(element)?, false))
            }
            TypeName::Map(key, value) => {
                self.check_element(name, key)?;
                self.check_element(name, value)?;
                refuse_duration(key, || format!("Durations are not allowed as map keys: {name}"))?;
                Ok(CqlType::map(self.resolve(key)?, self.resolve(value)?, false))
            }
            TypeName::Tuple(elements) => {
                if elements.iter().any(is_counter) {
                    return Err(QueryError::invalid("Counters are not allowed inside tuples"));
                }
                let elements: Result<Vec<CqlType>, QueryError> =
                    elements.iter().map(|element| self.resolve_frozen(element)).collect();
                Ok(CqlType::Tuple(elements?.into()))
            }
            TypeName::Vector(element, dimension) => {
                let dimension = u32::try_from(*dimension).ok().filter(|dimension| *dimension > 0);
                let Some(dimension) = dimension else {
                    return Err(QueryError::Invalid(format!(
                        "vectors may only have positive dimensions; given {}",
                        vector_dimension(name)
                    )));
                };
                Ok(CqlType::vector(self.resolve(element)?, dimension))
            }
            TypeName::User(user) => {
                if let Some(keyspace) = &user.keyspace
                    && keyspace != self.keyspace
                {
                    return Err(QueryError::Invalid(format!(
                        "Statement on keyspace {} cannot refer to a user type in keyspace {keyspace}; user \
                         types can only be used in the keyspace they are defined in",
                        self.keyspace
                    )));
                }
                match self.types.get(user.name.as_str()) {
                    Some(definition) => {
                        Ok(CqlType::Udt { definition: Arc::clone(definition), frozen: false })
                    }
                    None => Err(QueryError::Invalid(format!("Unknown type {}.{}", self.keyspace, user.name))),
                }
            }
            TypeName::Custom(class) => match CqlType::parse_class_name(class) {
                Ok((ty, _)) => Ok(ty),
                Err(reason) => Err(QueryError::Syntax(format!("Error setting type {class}: {reason}"))),
            },
        }
    }

    /// `frozen<…>` of a type; a vector stays as it is written.
    fn resolve_frozen(&self, inner: &TypeName) -> Result<CqlType, QueryError> {
        match inner {
            TypeName::List(element) => {
                self.check_frozen_element(inner, element)?;
                Ok(CqlType::list(self.resolve_frozen(element)?, true))
            }
            TypeName::Set(element) => {
                self.check_frozen_element(inner, element)?;
                refuse_duration(element, || {
                    format!("Durations are not allowed inside sets: {}", frozen(inner))
                })?;
                Ok(CqlType::set(self.resolve_frozen(element)?, true))
            }
            TypeName::Map(key, value) => {
                self.check_frozen_element(inner, key)?;
                self.check_frozen_element(inner, value)?;
                refuse_duration(key, || format!("Durations are not allowed as map keys: {}", frozen(inner)))?;
                Ok(CqlType::map(self.resolve_frozen(key)?, self.resolve_frozen(value)?, true))
            }
            TypeName::User(_) => Ok(self.resolve(inner)?.freeze()),
            TypeName::Frozen(inner) => self.resolve_frozen(inner),
            other => self.resolve(other),
        }
    }

    /// What may stand inside a collection that is not frozen.
    fn check_element(&self, collection: &TypeName, element: &TypeName) -> Result<(), QueryError> {
        match element {
            TypeName::Native(NativeType::Counter) => {
                Err(QueryError::Invalid(format!("Counters are not allowed inside collections: {collection}")))
            }
            TypeName::List(_) | TypeName::Set(_) | TypeName::Map(..) => Err(QueryError::Invalid(format!(
                "Non-frozen collections are not allowed inside collections: {collection}"
            ))),
            TypeName::User(_) => {
                self.resolve(element)?;
                Err(QueryError::Invalid(format!(
                    "Non-frozen UDTs are not allowed inside collections: {collection}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn check_frozen_element(&self, collection: &TypeName, element: &TypeName) -> Result<(), QueryError> {
        if is_counter(element) {
            return Err(QueryError::Invalid(format!(
                "Counters are not allowed inside collections: {}",
                frozen(collection)
            )));
        }
        Ok(())
    }

    /// The type of a column or field, of bearable size.
    pub(crate) fn resolve_bounded(&self, name: &TypeName) -> Result<CqlType, QueryError> {
        let ty = self.resolve(name)?;
        check_size(&ty)?;
        Ok(ty)
    }

    /// The type of a column: a user type that is not frozen may not hold a collection that is not.
    pub(crate) fn resolve_column(&self, name: &TypeName) -> Result<CqlType, QueryError> {
        let ty = self.resolve_bounded(name)?;
        if let CqlType::Udt { definition, frozen: false } = &ty
            && definition.fields.iter().any(|(_, field)| field.is_multi_cell())
        {
            return Err(QueryError::invalid(
                "Non-frozen UDTs with nested non-frozen collections are not supported",
            ));
        }
        Ok(ty)
    }
}

/// Refuses unknown Java class names, which is said before anything that needs the schema.
pub(crate) fn check_class_names(name: &TypeName) -> Result<(), QueryError> {
    match name {
        TypeName::Native(_) | TypeName::User(_) => Ok(()),
        TypeName::Custom(class) => match CqlType::parse_class_name(class) {
            Ok(_) => Ok(()),
            Err(reason) => Err(QueryError::Syntax(format!("Error setting type {class}: {reason}"))),
        },
        TypeName::List(inner)
        | TypeName::Set(inner)
        | TypeName::Frozen(inner)
        | TypeName::Vector(inner, _) => check_class_names(inner),
        TypeName::Map(key, value) => check_class_names(key).and_then(|()| check_class_names(value)),
        TypeName::Tuple(elements) => elements.iter().try_for_each(check_class_names),
    }
}

/// How deep types may stand in each other, user types counted with what is in them.
const DEPTH_MAX: u32 = 64;
/// How many types one type may consist of: a few user types that hold each other twice are soon a million.
const PARTS_MAX: u32 = 10_000;

/// Refuses a type that would cost too much to walk through.
pub(crate) fn check_size(ty: &CqlType) -> Result<(), QueryError> {
    fn fits(ty: &CqlType, depth: u32, parts: &mut u32) -> bool {
        *parts += 1;
        if depth > DEPTH_MAX || *parts > PARTS_MAX {
            return false;
        }
        match ty {
            CqlType::List { element, .. }
            | CqlType::Set { element, .. }
            | CqlType::Vector { element, .. } => fits(element, depth + 1, parts),
            CqlType::Map { key, value, .. } => fits(key, depth + 1, parts) && fits(value, depth + 1, parts),
            CqlType::Tuple(fields) => fields.iter().all(|field| fits(field, depth + 1, parts)),
            CqlType::Udt { definition, .. } => {
                definition.fields.iter().all(|(_, field)| fits(field, depth + 1, parts))
            }
            _ => true,
        }
    }
    if fits(ty, 0, &mut 0) {
        return Ok(());
    }
    Err(QueryError::Invalid(format!(
        "The type is too large: user types, tuples and collections may be nested {DEPTH_MAX} deep and consist of \
         {PARTS_MAX} types"
    )))
}

fn vector_dimension(name: &TypeName) -> i32 {
    if let TypeName::Vector(_, dimension) = name { *dimension } else { 0 }
}

fn is_counter(name: &TypeName) -> bool {
    matches!(name, TypeName::Native(NativeType::Counter))
}

fn refuse_duration(name: &TypeName, text: impl FnOnce() -> String) -> Result<(), QueryError> {
    if matches!(name, TypeName::Native(NativeType::Duration)) {
        return Err(QueryError::Invalid(text()));
    }
    Ok(())
}

/// The text of a type after freezing: all collections, tuples and user types in it are frozen too.
fn frozen(name: &TypeName) -> String {
    match name {
        TypeName::List(element) => format!("frozen<list<{}>>", frozen(element)),
        TypeName::Set(element) => format!("frozen<set<{}>>", frozen(element)),
        TypeName::Map(key, value) => format!("frozen<map<{}, {}>>", frozen(key), frozen(value)),
        TypeName::User(user) => format!("frozen<{user}>"),
        TypeName::Frozen(inner) => frozen(inner),
        other => other.to_string(),
    }
}

/// The same type with `new` in place of every earlier definition of that user type.
pub(crate) fn replace_user_type(ty: &CqlType, new: &Arc<UserType>) -> CqlType {
    let inner = |ty: &CqlType| replace_user_type(ty, new);
    match ty {
        CqlType::List { element, frozen } => CqlType::list(inner(element), *frozen),
        CqlType::Set { element, frozen } => CqlType::set(inner(element), *frozen),
        CqlType::Map { key, value, frozen } => CqlType::map(inner(key), inner(value), *frozen),
        CqlType::Vector { element, dimension } => CqlType::vector(inner(element), *dimension),
        CqlType::Tuple(fields) => CqlType::Tuple(fields.iter().map(inner).collect()),
        CqlType::Udt { definition, frozen } => {
            let definition = if definition.name == new.name && definition.keyspace == new.keyspace {
                Arc::clone(new)
            } else {
                let fields = definition.fields.iter().map(|(name, ty)| (Arc::clone(name), inner(ty)));
                Arc::new(UserType { fields: fields.collect(), ..UserType::clone(definition) })
            };
            let ty = CqlType::Udt { definition, frozen: false };
            if *frozen { ty.freeze() } else { ty }
        }
        other => other.clone(),
    }
}

/// The type of a dropped column: tuples for user types, which may be dropped after it.
pub(crate) fn expand_user_types(ty: &CqlType) -> CqlType {
    match ty {
        CqlType::List { element, frozen } => CqlType::list(expand_user_types(element), *frozen),
        CqlType::Set { element, frozen } => CqlType::set(expand_user_types(element), *frozen),
        CqlType::Map { key, value, frozen } => {
            CqlType::map(expand_user_types(key), expand_user_types(value), *frozen)
        }
        CqlType::Vector { element, dimension } => CqlType::vector(expand_user_types(element), *dimension),
        CqlType::Tuple(fields) => CqlType::Tuple(fields.iter().map(expand_user_types).collect()),
        CqlType::Udt { definition, .. } => {
            CqlType::Tuple(definition.fields.iter().map(|(_, ty)| expand_user_types(&ty.freeze())).collect())
        }
        other => other.clone(),
    }
}

/// True if bytes of type `old` can be read as `new`: what a column that is added again may be.
pub(crate) fn is_compatible(new: &CqlType, old: &CqlType) -> bool {
    match (new, old) {
        (new, old) if new == old => true,
        (CqlType::Blob, old) => !old.is_multi_cell() && old.fixed_bytes().is_none(),
        (CqlType::Text, CqlType::Ascii)
        | (CqlType::Uuid, CqlType::Timeuuid)
        | (CqlType::Bigint, CqlType::Timestamp)
        | (CqlType::Timestamp, CqlType::Bigint) => true,
        (CqlType::List { element: a, frozen: fa }, CqlType::List { element: b, frozen: fb })
        | (CqlType::Set { element: a, frozen: fa }, CqlType::Set { element: b, frozen: fb }) => {
            fa == fb && is_compatible(a, b)
        }
        (
            CqlType::Map { key: ka, value: va, frozen: fa },
            CqlType::Map { key: kb, value: vb, frozen: fb },
        ) => fa == fb && is_compatible(ka, kb) && is_compatible(va, vb),
        _ => false,
    }
}
