//! Java class names of types: written, and read back with a limit of depth.

use std::sync::Arc;

use super::super::number::{hex, unhex};
use super::NATIVE;
use crate::{CqlType, UserType};

/// The package of Cassandra's types; a name without a dot is in it.
const PACKAGE: &str = "org.apache.cassandra.db.marshal.";

/// Types nest no deeper than this in a class name.
const DEPTH_MAX: usize = 64;

/// Types that we keep as opaque bytes under their class name, without looking at their arguments.
const OPAQUE: &[&str] = &[
    "ColumnToCollectionType",
    "DateType",
    "LegacyTimeUUIDType",
    "LexicalUUIDType",
    "PartitionerDefinedOrder",
];

impl CqlType {
    /// Java class string with the full prefix, as in the SSTable header: `...MapType(...UTF8Type,...)`,
    /// `FrozenType(...)` around a frozen collection or user type, outermost only.
    pub fn class_name(&self) -> String {
        let mut name = String::new();
        self.write_class_name(false, &mut name);
        name
    }

    fn native_class(&self) -> Option<&'static str> {
        NATIVE.iter().find(|(ty, _, _)| ty == self).map(|(_, _, class)| *class)
    }

    /// `inside_frozen`: in a frozen type or a tuple nothing more is marked as frozen.
    fn write_class_name(&self, inside_frozen: bool, out: &mut String) {
        if let CqlType::Custom(class) = self {
            out.push_str(class);
            return;
        }
        let frozen = (self.is_collection() || matches!(self, CqlType::Udt { .. })) && !self.is_multi_cell();
        let marked = frozen && !inside_frozen;
        if marked {
            out.push_str(PACKAGE);
            out.push_str("FrozenType(");
        }
        out.push_str(PACKAGE);
        let below = inside_frozen || frozen;
        match self {
            CqlType::List { element, .. } => write_of("ListType", [&**element], below, out),
            CqlType::Set { element, .. } => write_of("SetType", [&**element], below, out),
            CqlType::Map { key, value, .. } => write_of("MapType", [&**key, &**value], below, out),
            CqlType::Tuple(fields) => write_of("TupleType", fields.iter(), true, out),
            CqlType::Vector { element, dimension } => {
                out.push_str("VectorType(");
                element.write_class_name(inside_frozen, out);
                out.push_str(&format!(" , {dimension})"));
            }
            CqlType::Udt { definition, .. } => write_user_type(definition, below, out),
            _ => out.push_str(self.native_class().expect("all that are not native are above")),
        }
        if marked {
            out.push(')');
        }
    }

    /// Reads a Java class string; the flag is true if it was wrapped in `ReversedType`.
    pub fn parse_class_name(text: &str) -> Result<(CqlType, bool), String> {
        let mut parser = Parser { text, at: 0 };
        parser.skip_blanks();
        if parser.is_at_end() {
            return Ok((CqlType::Blob, false));
        }
        let parsed = parser.class(0)?;
        parser.skip_blanks();
        if parser.is_at_end() { Ok(parsed) } else { Err(parser.unexpected()) }
    }
}

/// The types of a composite's components, if this class name (as we write it) is a `CompositeType`.
pub(in crate::value) fn composite_components(class: &str) -> Option<Vec<CqlType>> {
    let arguments = class.strip_prefix(PACKAGE)?.strip_prefix("CompositeType")?;
    Parser { text: arguments, at: 0 }.arguments(0).ok()
}

fn component_name((ty, is_reversed): &(CqlType, bool)) -> String {
    match (ty.class_name(), is_reversed) {
        (name, true) => format!("{PACKAGE}ReversedType({name})"),
        (name, false) => name,
    }
}

/// Aliases are listed as a Java `HashMap` of bytes walks them: by bucket, then as they came.
fn in_java_map_order(aliases: &mut [(u8, String)]) {
    let mut buckets_count = 16;
    while aliases.len() * 4 > buckets_count * 3 {
        buckets_count *= 2;
    }
    aliases.sort_by_key(|(alias, _)| usize::from(*alias) & (buckets_count - 1));
}

fn write_of<'a>(name: &str, inner: impl IntoIterator<Item = &'a CqlType>, below: bool, out: &mut String) {
    out.push_str(name);
    out.push('(');
    for (index, ty) in inner.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        ty.write_class_name(below, out);
    }
    out.push(')');
}

fn write_user_type(definition: &UserType, below: bool, out: &mut String) {
    out.push_str(&format!("UserType({},{}", definition.keyspace, hex(definition.name.as_bytes())));
    for (name, ty) in &definition.fields {
        out.push_str(&format!(",{}:", hex(name.as_bytes())));
        ty.write_class_name(below, out);
    }
    out.push(')');
}

/// A place in a class string.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn unexpected(&self) -> String {
        match self.rest().chars().next() {
            Some(found) => {
                format!("Syntax error parsing '{}': unexpected character '{found}' at {}", self.text, self.at)
            }
            None => format!("Syntax error parsing '{}': it ends too early", self.text),
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(wanted);
        self.at += usize::from(found) * wanted.len_utf8();
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A name: letters, digits and what Java puts in class names.
    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '&' | '$');
        let bytes = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += bytes;
        &rest[..bytes]
    }

    /// One type; the flag says that it was reversed.
    fn class(&mut self, depth: usize) -> Result<(CqlType, bool), String> {
        if depth > DEPTH_MAX {
            return Err(format!("Types are nested more than {DEPTH_MAX} deep"));
        }
        self.skip_blanks();
        let start = self.at;
        let name = self.word();
        if name.is_empty() {
            return Err(self.unexpected());
        }
        let short = name.strip_prefix(PACKAGE).unwrap_or(name);
        let invalid = || format!("Invalid definition for comparator {PACKAGE}{short}.");
        let ty = match short {
            "ReversedType" => {
                let [inner] = self.exactly(depth, &invalid())?;
                return Ok((inner, true));
            }
            "FrozenType" => self.exactly::<1>(depth, &invalid())?[0].freeze(),
            "ListType" => {
                let [element] = self.exactly(depth, &invalid())?;
                CqlType::list(element, false)
            }
            "SetType" => {
                let [element] = self.exactly(depth, &invalid())?;
                CqlType::set(element, false)
            }
            "MapType" => {
                let [key, value] = self.exactly(depth, &invalid())?;
                CqlType::map(key, value, false)
            }
            "TupleType" => {
                let fields = self.arguments(depth)?;
                CqlType::Tuple(fields.iter().map(CqlType::freeze).collect())
            }
            "VectorType" => self.vector(depth, &invalid())?,
            "UserType" => self.user_type(depth)?,
            "CompositeType" => self.composite(depth).ok_or_else(invalid)?,
            "DynamicCompositeType" => self.dynamic_composite(depth).ok_or_else(invalid)?,
            _ if OPAQUE.contains(&short) => {
                self.skip_arguments()?;
                let dot = if short.len() == name.len() { PACKAGE } else { "" };
                CqlType::Custom(format!("{dot}{}", self.text[start..self.at].trim()).into())
            }
            _ => {
                let native = native_of_class(short).ok_or_else(|| {
                    let package = if name.contains('.') { "" } else { PACKAGE };
                    format!("Unable to find abstract-type class '{package}{name}'")
                })?;
                self.arguments(depth)?;
                native
            }
        };
        Ok((ty, false))
    }

    /// `(type,type...)`, or nothing at all.
    fn arguments(&mut self, depth: usize) -> Result<Vec<CqlType>, String> {
        Ok(self.arguments_as_written(depth)?.into_iter().map(|(ty, _)| ty).collect())
    }

    /// As [`Self::arguments`], with the flag of each that it was reversed.
    fn arguments_as_written(&mut self, depth: usize) -> Result<Vec<(CqlType, bool)>, String> {
        let mut types = Vec::new();
        if !self.eat('(') {
            return Ok(types);
        }
        if self.eat(')') {
            return Ok(types);
        }
        loop {
            types.push(self.class(depth + 1)?);
            if !self.eat(',') {
                self.expect(')')?;
                return Ok(types);
            }
        }
    }

    fn exactly<const N: usize>(&mut self, depth: usize, invalid: &str) -> Result<[CqlType; N], String> {
        let types = self.arguments(depth)?;
        types.try_into().map_err(|_| invalid.to_owned())
    }

    /// `(type,type...)`, one at least; kept under its name with the full prefix everywhere.
    fn composite(&mut self, depth: usize) -> Option<CqlType> {
        let components = self.arguments_as_written(depth).ok()?;
        let names: Vec<_> = components.iter().map(component_name).collect();
        (!names.is_empty())
            .then(|| CqlType::Custom(format!("{PACKAGE}CompositeType({})", names.join(",")).into()))
    }

    /// `(alias=>type,alias=>type...)` or nothing; an alias is one ASCII character.
    fn dynamic_composite(&mut self, depth: usize) -> Option<CqlType> {
        let mut aliases: Vec<(u8, String)> = Vec::new();
        if self.eat('(') && !self.eat(')') {
            loop {
                let &[alias] = self.word().as_bytes() else { return None };
                if !(self.eat('=') && self.rest().starts_with('>')) {
                    return None;
                }
                self.at += 1;
                let name = component_name(&self.class(depth + 1).ok()?);
                match aliases.iter_mut().find(|(known, _)| *known == alias) {
                    Some((_, known)) => *known = name,
                    None => aliases.push((alias, name)),
                }
                if !self.eat(',') {
                    self.expect(')').ok()?;
                    break;
                }
            }
        }
        in_java_map_order(&mut aliases);
        let shown: Vec<_> =
            aliases.iter().map(|(alias, name)| format!("{}=>{name}", char::from(*alias))).collect();
        Some(CqlType::Custom(format!("{PACKAGE}DynamicCompositeType({})", shown.join(",")).into()))
    }

    fn vector(&mut self, depth: usize, invalid: &str) -> Result<CqlType, String> {
        self.expect('(')?;
        let (element, _) = self.class(depth + 1)?;
        self.expect(',')?;
        let dimension =
            self.word().parse().ok().filter(|dimension| (1..=i32::MAX as u32).contains(dimension));
        self.expect(')')?;
        Ok(CqlType::vector(element.freeze(), dimension.ok_or_else(|| invalid.to_owned())?))
    }

    fn user_type(&mut self, depth: usize) -> Result<CqlType, String> {
        self.expect('(')?;
        let keyspace = Arc::from(self.word());
        self.expect(',')?;
        let name = self.hex_name()?;
        let mut fields = Vec::new();
        while self.eat(',') {
            let field = self.hex_name()?;
            self.expect(':')?;
            fields.push((field, self.class(depth + 1)?.0));
        }
        self.expect(')')?;
        let definition = Arc::new(UserType { keyspace, name, fields });
        Ok(CqlType::Udt { definition, frozen: false })
    }

    fn hex_name(&mut self) -> Result<Arc<str>, String> {
        let word = self.word();
        let bytes = unhex(word);
        let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        name.map(Arc::from)
            .ok_or_else(|| format!("Syntax error parsing '{}': '{word}' is no name in hex", self.text))
    }

    /// Steps over balanced parentheses.
    fn skip_arguments(&mut self) -> Result<(), String> {
        if !self.rest().trim_start().starts_with('(') {
            return Ok(());
        }
        let mut open = 0_usize;
        for (index, c) in self.rest().char_indices() {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => continue,
            }
            if open == 0 {
                self.at += index + 1;
                return Ok(());
            }
        }
        self.at = self.text.len();
        Err(self.unexpected())
    }
}

fn native_of_class(short: &str) -> Option<CqlType> {
    NATIVE.iter().find(|(_, _, class)| *class == short).map(|(ty, _, _)| ty.clone())
}
