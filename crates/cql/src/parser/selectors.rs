//! Expressions of the selection clause.

use super::Parser;
use super::failure::Parse;
use crate::ast::{ArithmeticOperator, CellMetadata, Selectable, Term};
use crate::lexer::Kind;

/// What a name or a marker at the head of a selector turns out to be.
enum Head {
    Column,
    Literal,
    Function,
}

impl Parser<'_> {
    /// Any expression, without alias.
    pub(super) fn selectable(&mut self) -> Parse<Selectable> {
        self.nested(|parser| {
            let operations = parser.operations;
            let found = parser.selection_sum();
            parser.operations = operations;
            found
        })
    }

    fn selection_sum(&mut self) -> Parse<Selectable> {
        let mut left = self.selection_product()?;
        loop {
            let operator = match self.kind() {
                Kind::Plus => ArithmeticOperator::Add,
                Kind::Minus => ArithmeticOperator::Subtract,
                _ => return Ok(left),
            };
            self.count_operation()?;
            self.advance()?;
            let right = self.selection_product()?;
            left = Selectable::Arithmetic(operator, Box::new(left), Box::new(right));
        }
    }

    fn selection_product(&mut self) -> Parse<Selectable> {
        let mut left = self.selection_group()?;
        loop {
            let operator = match self.kind() {
                Kind::Star => ArithmeticOperator::Multiply,
                Kind::Slash => ArithmeticOperator::Divide,
                Kind::Percent => ArithmeticOperator::Modulo,
                _ => return Ok(left),
            };
            self.count_operation()?;
            self.advance()?;
            let right = self.selection_group()?;
            left = Selectable::Arithmetic(operator, Box::new(left), Box::new(right));
        }
    }

    /// `-a`, or one expression with `.field` and `[element]` behind it.
    fn selection_group(&mut self) -> Parse<Selectable> {
        if !Parser::begins_term(self.kind()) {
            return self.no_viable(1);
        }
        if self.kind() == Kind::Minus {
            self.decided(1)?;
            return self.nested(|parser| {
                parser.advance()?;
                Ok(Selectable::Negation(Box::new(parser.selection_group()?)))
            });
        }
        self.decided_by_trial()?;
        let bare = self.bare_selection()?;
        // Modifiers belong to it only if all of them can be read and something fitting follows.
        match self.attempt(Parser::modifiers)? {
            Some(modifiers) => Ok(modifiers.into_iter().fold(bare, Modifier::apply)),
            None => Ok(bare),
        }
    }

    fn modifiers(&mut self) -> Parse<Vec<Modifier>> {
        let operations = self.operations;
        let mut modifiers = Vec::new();
        loop {
            match self.kind() {
                Kind::Dot => {
                    self.advance()?;
                    modifiers.push(Modifier::Field(self.identifier()?));
                }
                Kind::OpenBracket => {
                    self.advance()?;
                    modifiers.push(self.element_or_slice()?);
                    self.expect(Kind::CloseBracket)?;
                }
                kind if Parser::selection_ends(kind) => {
                    self.operations = operations;
                    return Ok(modifiers);
                }
                _ => return self.no_viable(1),
            }
            self.count_operation()?;
        }
    }

    /// Tokens behind a selector without modifiers.
    fn selection_ends(kind: Kind) -> bool {
        matches!(
            kind,
            Kind::Eof
                | Kind::Allow
                | Kind::As
                | Kind::From
                | Kind::Limit
                | Kind::Order
                | Kind::Per
                | Kind::Percent
                | Kind::Close
                | Kind::Plus
                | Kind::Comma
                | Kind::Minus
                | Kind::Slash
                | Kind::Colon
                | Kind::Semicolon
                | Kind::Star
                | Kind::CloseBracket
                | Kind::CloseBrace
        )
    }

    fn element_or_slice(&mut self) -> Parse<Modifier> {
        if self.accept(Kind::Range)? {
            return Ok(Modifier::Slice(None, Some(self.term()?)));
        }
        if !Parser::begins_term(self.kind()) {
            return self.no_viable(1);
        }
        let from = self.term()?;
        if !self.accept(Kind::Range)? {
            return Ok(Modifier::Element(from));
        }
        let mut to = None;
        if Parser::begins_term(self.kind()) {
            to = Some(self.term()?);
        }
        Ok(Modifier::Slice(Some(from), to))
    }

    fn bare_selection(&mut self) -> Parse<Selectable> {
        let first = self.kind();
        if first == Kind::Minus || !Parser::begins_term(first) {
            return self.no_viable(1);
        }
        self.decided(1)?;
        match first {
            Kind::OpenBracket => self.selection_list(),
            Kind::OpenBrace => self.selection_set_or_map(),
            Kind::Open => {
                self.decided_by_trial()?;
                let hint = self.attempt(|parser| parser.nested(Parser::selection_type_hint))?;
                match hint {
                    Some(hint) => Ok(hint),
                    None => Ok(Selectable::Parentheses(self.parenthesised(Parser::selectable)?)),
                }
            }
            _ => match self.selection_head()? {
                Head::Column => Ok(Selectable::Column(self.identifier()?)),
                Head::Literal => Ok(Selectable::Term(self.selection_literal()?)),
                Head::Function => self.selection_function(),
            },
        }
    }

    fn selection_type_hint(&mut self) -> Parse<Selectable> {
        self.expect(Kind::Open)?;
        let hint = self.type_name()?;
        self.expect(Kind::Close)?;
        Ok(Selectable::TypeHint(hint, Box::new(self.bare_selection()?)))
    }

    fn selection_list(&mut self) -> Parse<Selectable> {
        self.expect(Kind::OpenBracket)?;
        let mut elements = Vec::new();
        if Parser::begins_term(self.kind()) {
            elements = self.comma_separated(Parser::selectable)?;
        }
        self.expect(Kind::CloseBracket)?;
        Ok(Selectable::List(elements))
    }

    fn selection_set_or_map(&mut self) -> Parse<Selectable> {
        match self.look(2)? {
            Kind::CloseBrace => {
                self.advance()?;
                self.advance()?;
                return Ok(Selectable::Set(Vec::new()));
            }
            second if Parser::begins_term(second) => self.advance()?,
            _ => return self.no_viable(2),
        }
        let first = self.selectable()?;
        let found = match self.kind() {
            Kind::Colon => {
                self.advance()?;
                let mut entries = vec![(first, self.selectable()?)];
                while self.accept(Kind::Comma)? {
                    let key = self.selectable()?;
                    self.expect(Kind::Colon)?;
                    entries.push((key, self.selectable()?));
                }
                Selectable::MapOrUserType(entries)
            }
            Kind::Comma | Kind::CloseBrace => {
                let mut elements = vec![first];
                while self.accept(Kind::Comma)? {
                    elements.push(self.selectable()?);
                }
                Selectable::Set(elements)
            }
            _ => return self.no_viable(1),
        };
        self.expect(Kind::CloseBrace)?;
        Ok(found)
    }

    fn selection_head(&mut self) -> Parse<Head> {
        let first = self.kind();
        let (ahead, head) = match first {
            Kind::Null | Kind::Colon => (1, Head::Literal),
            Kind::Token => (1, Head::Function),
            _ if first.is_constant() => (1, Head::Literal),
            _ if first.is_name() || first == Kind::Question => {
                let callable = match first {
                    Kind::Question => false,
                    _ => !matches!(first, Kind::Distinct | Kind::Json | Kind::Key),
                };
                let plain = || match first {
                    Kind::Question => Head::Literal,
                    _ => Head::Column,
                };
                match self.look(2)? {
                    Kind::Open if callable => (2, Head::Function),
                    Kind::OpenBracket => (2, plain()),
                    Kind::Dot => self.selection_head_behind_dot(plain())?,
                    next if Parser::selection_ends(next) => (2, plain()),
                    _ => return self.no_viable(2),
                }
            }
            _ => return self.no_viable(1),
        };
        self.decided(ahead)?;
        Ok(head)
    }

    /// Behind `name.`: a field, or a function of a keyspace.
    fn selection_head_behind_dot(&mut self, plain: Head) -> Parse<(usize, Head)> {
        match self.look(3)? {
            Kind::Token => Ok((3, Head::Function)),
            third if third.is_column_keyword() => Ok((3, plain)),
            third if third.is_name() => match self.look(4)? {
                Kind::Open => Ok((4, Head::Function)),
                Kind::OpenBracket | Kind::Dot => Ok((4, plain)),
                next if Parser::selection_ends(next) => Ok((4, plain)),
                _ => self.no_viable(4),
            },
            _ => self.no_viable(3),
        }
    }

    fn selection_literal(&mut self) -> Parse<Term> {
        match self.kind() {
            Kind::Null => {
                self.advance()?;
                Ok(Term::Null)
            }
            Kind::Colon | Kind::Question => Ok(Term::Marker(self.marker()?)),
            _ => Ok(Term::Literal(self.constant()?)),
        }
    }

    fn selection_function(&mut self) -> Parse<Selectable> {
        let first = self.kind();
        let metadata = match first {
            Kind::Maxwritetime => Some(CellMetadata::MaxWriteTime),
            Kind::Writetime => Some(CellMetadata::WriteTime),
            Kind::Ttl => Some(CellMetadata::Ttl),
            _ => None,
        };
        if metadata.is_none() && !matches!(first, Kind::Count | Kind::Cast) {
            self.decided(1)?;
            return self.selection_call();
        }
        match self.look(2)? {
            Kind::Dot => {
                self.decided(2)?;
                return self.selection_call();
            }
            Kind::Open => {}
            _ => return self.no_viable(2),
        }
        if first == Kind::Count {
            return self.selection_count();
        }
        self.decided(2)?;
        self.advance()?;
        self.advance()?;
        let found = match metadata {
            Some(metadata) => {
                let column = Selectable::Column(self.identifier()?);
                let modifiers = self.modifiers()?;
                let argument = modifiers.into_iter().fold(column, Modifier::apply);
                Selectable::CellMetadata(metadata, Box::new(argument))
            }
            None => {
                let argument = self.selectable()?;
                self.expect(Kind::As)?;
                Selectable::Cast(Box::new(argument), self.native_type()?)
            }
        };
        self.expect(Kind::Close)?;
        Ok(found)
    }

    /// `count(*)`, or a call like any other.
    fn selection_count(&mut self) -> Parse<Selectable> {
        match self.look(3)? {
            Kind::Star => {
                self.decided(3)?;
                for _ in 0..3 {
                    self.advance()?;
                }
                self.expect(Kind::Close)?;
                Ok(Selectable::CountRows)
            }
            third if third == Kind::Close || Parser::begins_term(third) => {
                self.decided(3)?;
                self.selection_call()
            }
            _ => self.no_viable(3),
        }
    }

    fn selection_call(&mut self) -> Parse<Selectable> {
        let name = self.function_name()?;
        self.expect(Kind::Open)?;
        let mut arguments = Vec::new();
        if Parser::begins_term(self.kind()) {
            arguments = self.comma_separated(Parser::selectable)?;
        }
        self.expect(Kind::Close)?;
        Ok(Selectable::Function(name, arguments))
    }
}

/// What stands behind a selector.
enum Modifier {
    Field(String),
    Element(Term),
    Slice(Option<Term>, Option<Term>),
}

impl Modifier {
    fn apply(receiver: Selectable, modifier: Modifier) -> Selectable {
        let receiver = Box::new(receiver);
        match modifier {
            Modifier::Field(field) => Selectable::Field(receiver, field),
            Modifier::Element(key) => Selectable::Element(receiver, key),
            Modifier::Slice(from, to) => Selectable::Slice(receiver, from, to),
        }
    }
}
