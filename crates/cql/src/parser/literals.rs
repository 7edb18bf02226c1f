//! Literals, of one token and of many.

use super::Parser;
use super::failure::Parse;
use crate::ast::{Literal, LiteralKind, Term};
use crate::lexer::Kind;

impl Parser<'_> {
    /// A constant of one token.
    pub(super) fn constant(&mut self) -> Parse<Literal> {
        let (kind, fixed) = match self.kind() {
            Kind::String => (LiteralKind::String, None),
            Kind::Integer => (LiteralKind::Integer, None),
            Kind::Float => (LiteralKind::Float, None),
            Kind::Boolean => (LiteralKind::Boolean, None),
            Kind::Duration => (LiteralKind::Duration, None),
            Kind::Uuid => (LiteralKind::Uuid, None),
            Kind::Hex => (LiteralKind::Hex, None),
            Kind::PositiveNan | Kind::NegativeNan => (LiteralKind::Float, Some("NaN")),
            Kind::PositiveInfinity => (LiteralKind::Float, Some("Infinity")),
            Kind::NegativeInfinity => (LiteralKind::Float, Some("-Infinity")),
            _ => return self.no_viable(1),
        };
        let content = self.take_content()?;
        Ok(Literal { kind, text: fixed.map_or(content, str::to_owned) })
    }

    /// An integer or a marker.
    pub(super) fn integer_value(&mut self) -> Parse<Term> {
        match self.kind() {
            Kind::Integer => Ok(Term::Literal(self.constant()?)),
            _ => Ok(Term::Marker(self.marker()?)),
        }
    }

    /// A literal, null, a marker, or a collection, tuple or user type of terms.
    pub(super) fn value(&mut self) -> Parse<Term> {
        match self.kind() {
            Kind::OpenBracket => {
                self.decided(1)?;
                self.list_literal()
            }
            Kind::OpenBrace => self.braces(),
            Kind::Open => {
                self.decided(1)?;
                self.tuple_literal()
            }
            Kind::Null => {
                self.decided(1)?;
                self.advance()?;
                Ok(Term::Null)
            }
            Kind::Colon | Kind::Question => {
                self.decided(1)?;
                Ok(Term::Marker(self.marker()?))
            }
            kind if kind.is_constant() => {
                self.decided(1)?;
                Ok(Term::Literal(self.constant()?))
            }
            _ => self.no_viable(1),
        }
    }

    fn list_literal(&mut self) -> Parse<Term> {
        self.expect(Kind::OpenBracket)?;
        let mut elements = Vec::new();
        if Parser::begins_term(self.kind()) {
            elements = self.comma_separated(Parser::term)?;
        }
        self.expect(Kind::CloseBracket)?;
        Ok(Term::List(elements))
    }

    /// `(a, b)`
    pub(super) fn tuple_literal(&mut self) -> Parse<Term> {
        Ok(Term::Tuple(self.parenthesised(Parser::term)?))
    }

    /// `{a: 1}` with a bare word is a user type; all else in braces is a set or a map.
    fn braces(&mut self) -> Parse<Term> {
        let is_user_type = match self.look(2)? {
            kind if kind.is_name() => match self.look(3)? {
                Kind::Dot => false,
                Kind::Open if !kind.is_column_keyword() || kind == Kind::Cast => false,
                Kind::Colon => true,
                _ => return self.no_viable(3),
            },
            Kind::CloseBrace => false,
            kind if Parser::begins_term(kind) => false,
            _ => return self.no_viable(2),
        };
        let names = self.look(2)?.is_name();
        self.decided(if names { 3 } else { 2 })?;
        if is_user_type { self.user_type_literal() } else { self.set_or_map_literal() }
    }

    fn user_type_literal(&mut self) -> Parse<Term> {
        self.expect(Kind::OpenBrace)?;
        let fields = self.comma_separated(|parser| {
            let field = parser.identifier()?;
            parser.expect(Kind::Colon)?;
            Ok((field, parser.term()?))
        })?;
        self.expect(Kind::CloseBrace)?;
        Ok(Term::UserType(fields))
    }

    fn set_or_map_literal(&mut self) -> Parse<Term> {
        self.expect(Kind::OpenBrace)?;
        if self.accept(Kind::CloseBrace)? {
            return Ok(Term::Set(Vec::new()));
        }
        let first = self.term()?;
        let found = match self.kind() {
            Kind::Colon => Term::Map(self.map_entries(first)?),
            Kind::Comma | Kind::CloseBrace => {
                let mut elements = vec![first];
                while self.accept(Kind::Comma)? {
                    elements.push(self.term()?);
                }
                Term::Set(elements)
            }
            _ => return self.no_viable(1),
        };
        self.expect(Kind::CloseBrace)?;
        Ok(found)
    }

    /// `: v, k: v, …` behind the first key
    fn map_entries(&mut self, first: Term) -> Parse<Vec<(Term, Term)>> {
        self.expect(Kind::Colon)?;
        let mut entries = vec![(first, self.term()?)];
        while self.accept(Kind::Comma)? {
            let key = self.term()?;
            self.expect(Kind::Colon)?;
            entries.push((key, self.term()?));
        }
        Ok(entries)
    }

    /// `{k: v, …}` or `{}`, where nothing but a map can stand.
    pub(super) fn map_literal(&mut self) -> Parse<Vec<(Term, Term)>> {
        self.expect(Kind::OpenBrace)?;
        let mut entries = Vec::new();
        if Parser::begins_term(self.kind()) {
            let first = self.term()?;
            entries = self.map_entries(first)?;
        }
        self.expect(Kind::CloseBrace)?;
        Ok(entries)
    }
}
