//! Names of types: CQL text as `system_schema.columns` shows it, and Java class names as files and v3/v4
//! metadata have them.

use crate::CqlType;

impl CqlType {
    /// CQL text: `map<text, frozen<list<int>>>`, `frozen<tuple<int, text>>`, `frozen<addr>`, `vector<float, 3>`.
    pub fn cql_name(&self) -> String {
        todo!()
    }

    /// Java class string with the full prefix, as in the SSTable header: `...MapType(...UTF8Type,...)`,
    /// `FrozenType(...)` around a frozen collection or user type, outermost only.
    pub fn class_name(&self) -> String {
        todo!()
    }

    /// Reads a Java class string; the flag is true if it was wrapped in `ReversedType`.
    pub fn parse_class_name(text: &str) -> Result<(CqlType, bool), String> {
        let _ = text;
        todo!()
    }
}
