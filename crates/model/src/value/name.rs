//! Names of types: CQL text as `system_schema.columns` shows it, and Java class names as files and v3/v4
//! metadata have them.
//!
//! Never here: what a type's name means in a keyspace (the binder of CQL resolves user types).

use std::borrow::Cow;

use crate::CqlType;

mod class;

pub(super) use class::composite_components;

/// Native types: CQL name, Java class without the package.
static NATIVE: [(CqlType, &str, &str); 21] = [
    (CqlType::Ascii, "ascii", "AsciiType"),
    (CqlType::Bigint, "bigint", "LongType"),
    (CqlType::Blob, "blob", "BytesType"),
    (CqlType::Boolean, "boolean", "BooleanType"),
    (CqlType::Counter, "counter", "CounterColumnType"),
    (CqlType::Date, "date", "SimpleDateType"),
    (CqlType::Decimal, "decimal", "DecimalType"),
    (CqlType::Double, "double", "DoubleType"),
    (CqlType::Duration, "duration", "DurationType"),
    (CqlType::Empty, "empty", "EmptyType"),
    (CqlType::Float, "float", "FloatType"),
    (CqlType::Inet, "inet", "InetAddressType"),
    (CqlType::Int, "int", "Int32Type"),
    (CqlType::Smallint, "smallint", "ShortType"),
    (CqlType::Text, "text", "UTF8Type"),
    (CqlType::Time, "time", "TimeType"),
    (CqlType::Timestamp, "timestamp", "TimestampType"),
    (CqlType::Timeuuid, "timeuuid", "TimeUUIDType"),
    (CqlType::Tinyint, "tinyint", "ByteType"),
    (CqlType::Uuid, "uuid", "UUIDType"),
    (CqlType::Varint, "varint", "IntegerType"),
];

/// Words that cannot be a name unless quoted, ascending. Source: Cassandra's `reserved_keywords.txt`.
const RESERVED: &[&str] = &[
    "add",
    "allow",
    "alter",
    "and",
    "apply",
    "asc",
    "authorize",
    "batch",
    "begin",
    "by",
    "columnfamily",
    "create",
    "delete",
    "desc",
    "describe",
    "drop",
    "entries",
    "execute",
    "from",
    "full",
    "grant",
    "if",
    "in",
    "index",
    "infinity",
    "insert",
    "into",
    "is",
    "keyspace",
    "limit",
    "materialized",
    "modify",
    "nan",
    "norecursive",
    "not",
    "null",
    "of",
    "on",
    "or",
    "order",
    "primary",
    "rename",
    "revoke",
    "schema",
    "select",
    "set",
    "table",
    "to",
    "token",
    "truncate",
    "unlogged",
    "update",
    "use",
    "using",
    "view",
    "where",
    "with",
];

/// True if `word` (lower case) is reserved: as a name it needs quotes.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// The name as CQL text: in double quotes where it would otherwise be read as something else.
/// Source: `ColumnIdentifier.maybeQuote`.
pub fn quote_identifier(name: &str) -> Cow<'_, str> {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && !is_reserved(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    }
}

impl CqlType {
    /// CQL text: `map<text, frozen<list<int>>>`, `frozen<tuple<int, text>>`, `frozen<addr>`, `vector<float, 3>`.
    pub fn cql_name(&self) -> String {
        let mut name = String::new();
        self.write_cql_name(false, &mut name);
        name
    }

    /// The name of a native type; `None` for all others.
    pub fn native_name(&self) -> Option<&'static str> {
        NATIVE.iter().find(|(ty, _, _)| ty == self).map(|(_, name, _)| *name)
    }

    /// The native type of this name (lower case, `varchar` too); `None` for all others.
    pub fn from_native_name(name: &str) -> Option<CqlType> {
        let name = if name == "varchar" { "text" } else { name };
        NATIVE.iter().find(|(_, native, _)| *native == name).map(|(ty, _, _)| ty.clone())
    }

    /// `inside`: what stands in another type is shown frozen, whether or not it was declared so.
    fn write_cql_name(&self, inside: bool, out: &mut String) {
        if let Some(name) = self.native_name() {
            out.push_str(name);
            return;
        }
        let frozen = match self {
            CqlType::Tuple(_) => true,
            CqlType::Vector { .. } | CqlType::Custom(_) => false,
            _ => inside || !self.is_multi_cell(),
        };
        if frozen {
            out.push_str("frozen<");
        }
        match self {
            CqlType::List { element, .. } => write_of("list", [&**element], out),
            CqlType::Set { element, .. } => write_of("set", [&**element], out),
            CqlType::Map { key, value, .. } => write_of("map", [&**key, &**value], out),
            CqlType::Tuple(fields) => write_of("tuple", fields.iter(), out),
            CqlType::Udt { definition, .. } => out.push_str(&quote_identifier(&definition.name)),
            CqlType::Vector { element, dimension } => {
                out.push_str("vector<");
                element.write_cql_name(false, out);
                out.push_str(&format!(", {dimension}>"));
            }
            CqlType::Custom(class) if class.ends_with("marshal.DateType") => out.push_str("timestamp"),
            CqlType::Custom(class) => out.push_str(&format!("'{class}'")),
            _ => unreachable!("native types have been written"),
        }
        if frozen {
            out.push('>');
        }
    }
}

fn write_of<'a>(name: &str, inner: impl IntoIterator<Item = &'a CqlType>, out: &mut String) {
    out.push_str(name);
    out.push('<');
    for (index, ty) in inner.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        ty.write_cql_name(true, out);
    }
    out.push('>');
}
