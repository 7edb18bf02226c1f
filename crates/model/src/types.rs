//! CQL types: what a column, a field or an element can hold.
//!
//! A type is a cheap value (inner types are shared). How its values are checked, ordered, printed
//! and parsed stands in [`crate::value`]; its names (CQL text, Java class) in [`crate::value::name`].

use std::sync::Arc;

/// A CQL type. Collections and user types carry whether they are frozen: a frozen one is a single
/// cell, one that is not is *multi-cell* (a cell for each element). Tuples and vectors are always frozen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CqlType {
    /// US-ASCII text.
    Ascii,
    /// 64-bit signed integer.
    Bigint,
    /// Bytes.
    Blob,
    /// true or false.
    Boolean,
    /// 64-bit counter; a cell holds a counter context, a client sees a bigint.
    Counter,
    /// Days since -5877641-06-23 (2^31 is 1970-01-01), unsigned 32 bits.
    Date,
    /// Scale and unscaled varint.
    Decimal,
    /// 64-bit IEEE 754.
    Double,
    /// Months, days, nanoseconds.
    Duration,
    /// No value at all: the column of a legacy dense table without value column.
    Empty,
    /// 32-bit IEEE 754.
    Float,
    /// IPv4 or IPv6 address.
    Inet,
    /// 32-bit signed integer.
    Int,
    /// 16-bit signed integer.
    Smallint,
    /// UTF-8 text (`varchar` is the same type).
    Text,
    /// Nanoseconds since midnight.
    Time,
    /// Milliseconds since the Unix epoch.
    Timestamp,
    /// UUID of version 1, ordered by time.
    Timeuuid,
    /// 8-bit signed integer.
    Tinyint,
    /// UUID of any version.
    Uuid,
    /// Integer of any size.
    Varint,
    /// A list; multi-cell unless frozen.
    List {
        /// Type of each element.
        element: Arc<CqlType>,
        /// One cell for the whole value.
        frozen: bool,
    },
    /// A set, ordered by its element type.
    Set {
        /// Type of each element.
        element: Arc<CqlType>,
        /// One cell for the whole value.
        frozen: bool,
    },
    /// A map, ordered by its key type.
    Map {
        /// Type of each key.
        key: Arc<CqlType>,
        /// Type of each value.
        value: Arc<CqlType>,
        /// One cell for the whole value.
        frozen: bool,
    },
    /// A tuple: always one cell.
    Tuple(Arc<[CqlType]>),
    /// A user-defined type.
    Udt {
        /// The type's definition as of this schema version.
        definition: Arc<UserType>,
        /// One cell for the whole value.
        frozen: bool,
    },
    /// A vector of a fixed number of non-null elements: always one cell.
    Vector {
        /// Type of each element.
        element: Arc<CqlType>,
        /// Number of elements.
        dimension: u32,
    },
    /// A type that we only know by its Java class name: values are opaque bytes.
    Custom(Arc<str>),
}

/// The definition of a user-defined type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserType {
    /// Keyspace it belongs to.
    pub keyspace: Arc<str>,
    /// Its name, without quotes.
    pub name: Arc<str>,
    /// Field names and types in order of declaration.
    pub fields: Vec<(Arc<str>, CqlType)>,
}

impl CqlType {
    /// A list type.
    pub fn list(element: CqlType, frozen: bool) -> CqlType {
        CqlType::List { element: Arc::new(element), frozen }
    }

    /// A set type.
    pub fn set(element: CqlType, frozen: bool) -> CqlType {
        CqlType::Set { element: Arc::new(element), frozen }
    }

    /// A map type.
    pub fn map(key: CqlType, value: CqlType, frozen: bool) -> CqlType {
        CqlType::Map { key: Arc::new(key), value: Arc::new(value), frozen }
    }

    /// A vector type.
    pub fn vector(element: CqlType, dimension: u32) -> CqlType {
        CqlType::Vector { element: Arc::new(element), dimension }
    }

    /// True if a column of this type has a cell for each element (a *complex* column).
    pub fn is_multi_cell(&self) -> bool {
        matches!(
            self,
            CqlType::List { frozen: false, .. }
                | CqlType::Set { frozen: false, .. }
                | CqlType::Map { frozen: false, .. }
                | CqlType::Udt { frozen: false, .. }
        )
    }

    /// True for list, set and map, frozen or not.
    pub fn is_collection(&self) -> bool {
        matches!(self, CqlType::List { .. } | CqlType::Set { .. } | CqlType::Map { .. })
    }

    /// The same type as one cell: frozen here and in all that it contains. A vector stays as it was declared,
    /// its elements too (as in Cassandra: it shows in their names only).
    pub fn freeze(&self) -> CqlType {
        match self {
            CqlType::List { element, .. } => CqlType::list(element.freeze(), true),
            CqlType::Set { element, .. } => CqlType::set(element.freeze(), true),
            CqlType::Map { key, value, .. } => CqlType::map(key.freeze(), value.freeze(), true),
            CqlType::Tuple(fields) => CqlType::Tuple(fields.iter().map(CqlType::freeze).collect()),
            CqlType::Udt { definition, .. } => {
                let fields = definition.fields.iter().map(|(name, ty)| (name.clone(), ty.freeze())).collect();
                let definition = UserType { fields, ..UserType::clone(definition) };
                CqlType::Udt { definition: Arc::new(definition), frozen: true }
            }
            other => other.clone(),
        }
    }

    /// The length that every non-empty value has, where a cell of this type is stored without a length.
    ///
    /// `tinyint`, `smallint`, `date` and `time` are *not* fixed in Cassandra's files.
    /// Source: `AbstractType.valueLengthIfFixed`.
    #[inline]
    pub fn fixed_bytes(&self) -> Option<usize> {
        match self {
            CqlType::Boolean => Some(1),
            CqlType::Int | CqlType::Float => Some(4),
            CqlType::Bigint | CqlType::Double | CqlType::Timestamp => Some(8),
            CqlType::Uuid | CqlType::Timeuuid => Some(16),
            CqlType::Empty => Some(0),
            CqlType::Vector { element, dimension } => {
                element.fixed_bytes().and_then(|bytes| bytes.checked_mul(*dimension as usize))
            }
            _ => None,
        }
    }

    /// True if this type is, or contains, the user type `keyspace.name`.
    pub fn mentions(&self, keyspace: &str, name: &str) -> bool {
        match self {
            CqlType::List { element, .. }
            | CqlType::Set { element, .. }
            | CqlType::Vector { element, .. } => element.mentions(keyspace, name),
            CqlType::Map { key, value, .. } => key.mentions(keyspace, name) || value.mentions(keyspace, name),
            CqlType::Tuple(fields) => fields.iter().any(|field| field.mentions(keyspace, name)),
            CqlType::Udt { definition, .. } => {
                (&*definition.keyspace == keyspace && &*definition.name == name)
                    || definition.fields.iter().any(|(_, ty)| ty.mentions(keyspace, name))
            }
            _ => false,
        }
    }
}
