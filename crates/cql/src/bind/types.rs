//! Types as written, resolved against the user types of a keyspace.

use model::{CqlType, QueryError, Schema};

use crate::ast::{NativeType, TypeName};

/// The native type of that name.
pub fn native(ty: NativeType) -> CqlType {
    match ty {
        NativeType::Ascii => CqlType::Ascii,
        NativeType::Bigint => CqlType::Bigint,
        NativeType::Blob => CqlType::Blob,
        NativeType::Boolean => CqlType::Boolean,
        NativeType::Counter => CqlType::Counter,
        NativeType::Date => CqlType::Date,
        NativeType::Decimal => CqlType::Decimal,
        NativeType::Double => CqlType::Double,
        NativeType::Duration => CqlType::Duration,
        NativeType::Float => CqlType::Float,
        NativeType::Inet => CqlType::Inet,
        NativeType::Int => CqlType::Int,
        NativeType::Smallint => CqlType::Smallint,
        NativeType::Text | NativeType::Varchar => CqlType::Text,
        NativeType::Time => CqlType::Time,
        NativeType::Timestamp => CqlType::Timestamp,
        NativeType::Timeuuid => CqlType::Timeuuid,
        NativeType::Tinyint => CqlType::Tinyint,
        NativeType::Uuid => CqlType::Uuid,
        NativeType::Varint => CqlType::Varint,
    }
}

/// Resolves a type in an expression (a type hint, a cast): user types of `keyspace` or of the one they name.
///
/// The rules of column definitions (what may stand inside what) are checked where columns are defined.
pub fn resolve(name: &TypeName, schema: &Schema, keyspace: &str) -> Result<CqlType, QueryError> {
    let inner = |name: &TypeName| resolve(name, schema, keyspace);
    Ok(match name {
        TypeName::Native(ty) => native(*ty),
        TypeName::List(element) => CqlType::list(inner(element)?.freeze(), false),
        TypeName::Set(element) => CqlType::set(inner(element)?.freeze(), false),
        TypeName::Map(key, value) => CqlType::map(inner(key)?.freeze(), inner(value)?.freeze(), false),
        TypeName::Tuple(fields) => {
            CqlType::Tuple(fields.iter().map(|f| inner(f).map(|ty| ty.freeze())).collect::<Result<_, _>>()?)
        }
        TypeName::Vector(element, dimension) => {
            let dimension = u32::try_from(*dimension).ok().filter(|d| *d > 0).ok_or_else(|| {
                QueryError::Invalid(format!("vectors may only have positive dimensions; given {dimension}"))
            })?;
            CqlType::vector(inner(element)?.freeze(), dimension)
        }
        TypeName::Frozen(inside) => inner(inside)?.freeze(),
        TypeName::User(name) => {
            let keyspace = name.keyspace.as_deref().unwrap_or(keyspace);
            let found = schema.keyspace(keyspace).and_then(|ks| ks.types.get(name.name.as_str()));
            let definition =
                found.ok_or_else(|| QueryError::Invalid(format!("Unknown type {keyspace}.{}", name.name)))?;
            CqlType::Udt { definition: definition.clone(), frozen: false }
        }
        TypeName::Custom(class) => CqlType::parse_class_name(class).map_err(QueryError::Syntax)?.0,
    })
}
