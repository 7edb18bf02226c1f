//! Terms: the values of a statement as written. `Display` is the form Cassandra's error texts quote, where operators
//! are functions: `system."_add"(1, 2)`.

use std::fmt;

use super::name::FunctionName;
use super::types::{NativeType, TypeName};

/// A value as written: a literal, a marker, a call, or something made of those.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A constant of one token.
    Literal(Literal),
    /// `null`
    Null,
    /// `?` or `:name`
    Marker(Marker),
    /// `[a, b]`: a list or a vector, by the receiver's type.
    List(Vec<Term>),
    /// `{a, b}`, and `{}`, which may turn out to be a map.
    Set(Vec<Term>),
    /// `{k: v, …}`, never empty.
    Map(Vec<(Term, Term)>),
    /// `{field: v, …}` with bare identifiers for keys, never empty.
    UserType(Vec<(String, Term)>),
    /// `(a, b)`, also of one element.
    Tuple(Vec<Term>),
    /// `[ks.]f(a, b)`
    Function(Box<FunctionName>, Vec<Term>),
    /// `CAST(a AS t)`
    Cast(Box<Term>, NativeType),
    /// `(type) a`
    TypeHint(Box<TypeName>, Box<Term>),
    /// `a + b`
    Arithmetic(ArithmeticOperator, Box<Term>, Box<Term>),
    /// `-a`
    Negation(Box<Term>),
}

/// A constant of one token; `text` is without quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    /// What the lexer saw.
    pub kind: LiteralKind,
    /// Strings: the content. Everything else: as written (`NaN`, `Infinity`, `-Infinity` are normalised).
    pub text: String,
}

/// Lexical class of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiteralKind {
    /// `'it''s'`, `$$it's$$`
    String,
    /// `-12`
    Integer,
    /// `1.5`, `1e3`, `NaN`
    Float,
    /// `true`, any case
    Boolean,
    /// `1y2mo`, `P1Y`
    Duration,
    /// `550e8400-e29b-41d4-a716-446655440000`
    Uuid,
    /// `0xcafe`
    Hex,
}

impl LiteralKind {
    /// Cassandra's name of the class, as in `Invalid STRING constant (a) for "pk" of type int`.
    pub fn name(self) -> &'static str {
        match self {
            LiteralKind::String => "STRING",
            LiteralKind::Integer => "INTEGER",
            LiteralKind::Float => "FLOAT",
            LiteralKind::Boolean => "BOOLEAN",
            LiteralKind::Duration => "DURATION",
            LiteralKind::Uuid => "UUID",
            LiteralKind::Hex => "HEX",
        }
    }
}

/// A place for a value that comes with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Marker {
    /// Index from 0 into `Statement::markers`, in order of appearance.
    pub index: usize,
}

/// `+ - * / %`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithmeticOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl ArithmeticOperator {
    /// The sign.
    pub fn sign(self) -> char {
        match self {
            ArithmeticOperator::Add => '+',
            ArithmeticOperator::Subtract => '-',
            ArithmeticOperator::Multiply => '*',
            ArithmeticOperator::Divide => '/',
            ArithmeticOperator::Modulo => '%',
        }
    }

    /// The native function that computes it.
    pub fn function(self) -> &'static str {
        match self {
            ArithmeticOperator::Add => "_add",
            ArithmeticOperator::Subtract => "_substract",
            ArithmeticOperator::Multiply => "_multiply",
            ArithmeticOperator::Divide => "_divide",
            ArithmeticOperator::Modulo => "_modulo",
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LiteralKind::String => write!(f, "'{}'", self.text),
            _ => f.write_str(&self.text),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Literal(literal) => write!(f, "{literal}"),
            Term::Null => f.write_str("NULL"),
            Term::Marker(_) => f.write_str("?"),
            Term::List(elements) => write_list(f, "[", elements, "]"),
            Term::Set(elements) => write_list(f, "{", elements, "}"),
            Term::Map(entries) => write_entries(f, entries),
            Term::UserType(fields) => write_entries(f, fields),
            Term::Tuple(elements) => write_list(f, "(", elements, ")"),
            Term::Function(name, arguments) => {
                write!(f, "{name}")?;
                write_list(f, "(", arguments, ")")
            }
            Term::Cast(term, target) => write!(f, "system.cast_as_{}({term})", target.name()),
            Term::TypeHint(hint, term) => write!(f, "({hint}){term}"),
            Term::Arithmetic(operator, left, right) => {
                write!(f, "system.\"{}\"({left}, {right})", operator.function())
            }
            Term::Negation(term) => write!(f, "system.\"_negate\"({term})"),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, open: &str, terms: &[Term], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, term) in terms.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{term}")?;
    }
    f.write_str(close)
}

fn write_entries<K: fmt::Display>(f: &mut fmt::Formatter<'_>, entries: &[(K, Term)]) -> fmt::Result {
    f.write_str("{")?;
    for (index, (key, value)) in entries.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{key}: {value}")?;
    }
    f.write_str("}")
}
