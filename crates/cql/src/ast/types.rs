//! CQL types as written.

use std::fmt;

use super::name::QualifiedName;

/// A type as written; user types are not resolved, nothing is checked but the syntax.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// `int`, `text`, …
    Native(NativeType),
    /// `list<t>`
    List(Box<TypeName>),
    /// `set<t>`
    Set(Box<TypeName>),
    /// `map<k, v>`
    Map(Box<TypeName>, Box<TypeName>),
    /// `tuple<a, b, …>`, never empty
    Tuple(Vec<TypeName>),
    /// `vector<t, dimension>`; the dimension may still be zero or negative (the binder says so)
    Vector(Box<TypeName>, i32),
    /// `frozen<t>` with `t` a collection, tuple or user type (the parser refuses others); vectors count too.
    Frozen(Box<TypeName>),
    /// `[keyspace.]name`
    User(QualifiedName),
    /// `'org.apache.cassandra.db.marshal.…'`: a class name with its parameters
    Custom(String),
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeName::Native(native) => f.write_str(native.name()),
            TypeName::List(element) => write!(f, "list<{element}>"),
            TypeName::Set(element) => write!(f, "set<{element}>"),
            TypeName::Map(key, value) => write!(f, "map<{key}, {value}>"),
            TypeName::Tuple(elements) => {
                f.write_str("tuple<")?;
                for (index, element) in elements.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{element}")?;
                }
                f.write_str(">")
            }
            TypeName::Vector(element, dimension) => write!(f, "vector<{element}, {dimension}>"),
            TypeName::Frozen(inner) => write!(f, "frozen<{inner}>"),
            TypeName::User(name) => write!(f, "{name}"),
            TypeName::Custom(class) => write!(f, "'{class}'"),
        }
    }
}

macro_rules! native_types {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// The types that need no definition.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum NativeType {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
        }

        impl NativeType {
            /// The name in lower case, as written in CQL.
            pub fn name(self) -> &'static str {
                match self {
                    $(NativeType::$variant => $name,)*
                }
            }
        }
    };
}

native_types! {
    Ascii "ascii",
    Bigint "bigint",
    Blob "blob",
    Boolean "boolean",
    Counter "counter",
    Date "date",
    Decimal "decimal",
    Double "double",
    Duration "duration",
    Float "float",
    Inet "inet",
    Int "int",
    Smallint "smallint",
    Text "text",
    Time "time",
    Timestamp "timestamp",
    Timeuuid "timeuuid",
    Tinyint "tinyint",
    Uuid "uuid",
    Varchar "varchar",
    Varint "varint",
}
