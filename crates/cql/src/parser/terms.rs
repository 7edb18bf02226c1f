//! Terms: values in WHERE, SET, VALUES and wherever no column can stand.

use super::Parser;
use super::failure::Parse;
use crate::ast::{ArithmeticOperator, Term};
use crate::lexer::{Class, Kind};

/// What an opening bracket begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Tuple,
    TypeHint,
}

impl Parser<'_> {
    /// Whether a term can begin with this token.
    pub(super) fn begins_term(kind: Kind) -> bool {
        kind == Kind::Minus || Parser::begins_simple_term(kind)
    }

    fn begins_simple_term(kind: Kind) -> bool {
        kind.is_name()
            || kind.is_constant()
            || matches!(
                kind,
                Kind::Null
                    | Kind::Token
                    | Kind::Question
                    | Kind::Open
                    | Kind::Colon
                    | Kind::OpenBracket
                    | Kind::OpenBrace
            )
    }

    /// Any term.
    pub(super) fn term(&mut self) -> Parse<Term> {
        self.nested(|parser| {
            let operations = parser.operations;
            let found = parser.sum();
            parser.operations = operations;
            found
        })
    }

    fn sum(&mut self) -> Parse<Term> {
        let mut left = self.product()?;
        while let Some(operator) = self.sum_goes_on()? {
            self.count_operation()?;
            self.advance()?;
            let right = self.product()?;
            left = Term::Arithmetic(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// Whether `+` or `-` goes on with this sum; `c = value + c` in SET does not.
    fn sum_goes_on(&mut self) -> Parse<Option<ArithmeticOperator>> {
        match self.kind() {
            Kind::Minus => {
                self.decided(1)?;
                Ok(Some(ArithmeticOperator::Subtract))
            }
            Kind::Plus => Ok(self.plus_goes_on()?.then_some(ArithmeticOperator::Add)),
            Kind::Eof => Ok(None),
            Kind::Allow
            | Kind::And
            | Kind::Apply
            | Kind::Asc
            | Kind::Delete
            | Kind::Desc
            | Kind::Group
            | Kind::If
            | Kind::Insert
            | Kind::Limit
            | Kind::Order
            | Kind::Per
            | Kind::Primary
            | Kind::Update
            | Kind::Where
            | Kind::Range
            | Kind::Close
            | Kind::Comma
            | Kind::Colon
            | Kind::Semicolon
            | Kind::CloseBracket
            | Kind::CloseBrace => {
                self.decided(1)?;
                Ok(None)
            }
            _ => self.no_viable(1),
        }
    }

    fn plus_goes_on(&mut self) -> Parse<bool> {
        let (ahead, goes_on) = match self.look(2)? {
            Kind::EmptyQuotedName => (2, false),
            next if next.is_name() => match self.look(3)? {
                Kind::Dot => (3, true),
                Kind::Open if !next.is_column_keyword() || next == Kind::Cast => (3, true),
                Kind::Where | Kind::Comma => (3, false),
                _ => return self.no_viable(3),
            },
            next if Parser::begins_term(next) => (2, true),
            _ => return self.no_viable(2),
        };
        self.decided(ahead)?;
        Ok(goes_on)
    }

    fn product(&mut self) -> Parse<Term> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.kind() {
                Kind::Star => ArithmeticOperator::Multiply,
                Kind::Slash => ArithmeticOperator::Divide,
                Kind::Percent => ArithmeticOperator::Modulo,
                _ => return Ok(left),
            };
            self.count_operation()?;
            self.advance()?;
            let right = self.signed()?;
            left = Term::Arithmetic(operator, Box::new(left), Box::new(right));
        }
    }

    fn signed(&mut self) -> Parse<Term> {
        if self.accept(Kind::Minus)? {
            return Ok(Term::Negation(Box::new(self.simple_term()?)));
        }
        if !Parser::begins_simple_term(self.kind()) {
            return self.no_viable(1);
        }
        self.simple_term()
    }

    fn simple_term(&mut self) -> Parse<Term> {
        match self.kind() {
            Kind::Question => match self.look(2)? {
                Kind::Dot => {
                    self.decided(2)?;
                    self.function_call()
                }
                Kind::Eof => self.value(),
                next if Parser::marker_ends(next) => {
                    self.decided(2)?;
                    self.value()
                }
                _ => self.no_viable(2),
            },
            Kind::Cast => match self.look(2)? {
                Kind::Dot => {
                    self.decided(2)?;
                    self.function_call()
                }
                Kind::Open => {
                    self.decided(2)?;
                    self.nested(Parser::cast)
                }
                _ => self.no_viable(2),
            },
            Kind::Open => match self.bracket()? {
                Bracket::Tuple => self.value(),
                Bracket::TypeHint => self.nested(Parser::type_hint),
            },
            kind if kind.is_name() || kind == Kind::Token => {
                self.decided(1)?;
                self.function_call()
            }
            kind if Parser::begins_simple_term(kind) => {
                self.decided(1)?;
                self.value()
            }
            _ => self.no_viable(1),
        }
    }

    fn cast(&mut self) -> Parse<Term> {
        self.advance()?;
        self.expect(Kind::Open)?;
        let term = self.simple_term()?;
        self.expect(Kind::As)?;
        let target = self.native_type()?;
        self.expect(Kind::Close)?;
        Ok(Term::Cast(Box::new(term), target))
    }

    fn type_hint(&mut self) -> Parse<Term> {
        self.expect(Kind::Open)?;
        let hint = self.type_name()?;
        self.expect(Kind::Close)?;
        Ok(Term::TypeHint(Box::new(hint), Box::new(self.simple_term()?)))
    }

    fn marker_ends(next: Kind) -> bool {
        Parser::term_ends(next) || matches!(next, Kind::As | Kind::Group | Kind::Per | Kind::Colon)
    }

    /// Tokens behind a term, those apart that can also begin one.
    fn term_ends(next: Kind) -> bool {
        matches!(
            next,
            Kind::Allow
                | Kind::And
                | Kind::Apply
                | Kind::Asc
                | Kind::Delete
                | Kind::Desc
                | Kind::If
                | Kind::Insert
                | Kind::Limit
                | Kind::Order
                | Kind::Primary
                | Kind::Update
                | Kind::Where
                | Kind::Range
                | Kind::Percent
                | Kind::Close
                | Kind::Plus
                | Kind::Comma
                | Kind::Minus
                | Kind::Slash
                | Kind::Semicolon
                | Kind::Star
                | Kind::CloseBracket
                | Kind::CloseBrace
        )
    }

    /// Tells `(1, 2)` from `(int) 1`.
    fn bracket(&mut self) -> Parse<Bracket> {
        let second = self.look(2)?;
        let (ahead, found) = match second {
            Kind::Set => (2, Bracket::TypeHint),
            Kind::String => match self.look(3)? {
                Kind::Close => self.bracket_behind_string()?,
                Kind::Percent | Kind::Plus | Kind::Comma | Kind::Minus | Kind::Slash | Kind::Star => {
                    (3, Bracket::Tuple)
                }
                _ => return self.no_viable(3),
            },
            Kind::Map | Kind::List | Kind::Tuple | Kind::Vector | Kind::Frozen => match self.look(3)? {
                Kind::Open => (3, Bracket::Tuple),
                Kind::Close | Kind::Less => (3, Bracket::TypeHint),
                Kind::Dot => self.bracket_behind_dot()?,
                _ => return self.no_viable(3),
            },
            _ if second.is_name() => {
                let callable = second.class() != Class::Column;
                match self.look(3)? {
                    Kind::Open if callable => (3, Bracket::Tuple),
                    Kind::Open if matches!(second, Kind::Count | Kind::Cast) => (3, Bracket::Tuple),
                    Kind::Close if callable || second == Kind::Key => (3, Bracket::TypeHint),
                    Kind::Dot => self.bracket_behind_dot()?,
                    _ => return self.no_viable(3),
                }
            }
            _ if Parser::begins_term(second) => (2, Bracket::Tuple),
            _ => return self.no_viable(2),
        };
        if self.look(ahead)? != Kind::Eof {
            self.decided(ahead)?;
        }
        Ok(found)
    }

    /// Behind `(keyspace.`: a function or a type.
    fn bracket_behind_dot(&mut self) -> Parse<(usize, Bracket)> {
        let fourth = self.look(4)?;
        match fourth {
            Kind::Count | Kind::Token => Ok((4, Bracket::Tuple)),
            Kind::Key => Ok((4, Bracket::TypeHint)),
            _ => match fourth.class() {
                Class::Native(_) => Ok((4, Bracket::Tuple)),
                Class::Column => self.no_viable(4),
                _ if fourth.is_name() => match self.look(5)? {
                    Kind::Open => Ok((5, Bracket::Tuple)),
                    Kind::Close => Ok((5, Bracket::TypeHint)),
                    _ => self.no_viable(5),
                },
                _ => self.no_viable(4),
            },
        }
    }

    /// Behind `('text')`: a tuple of one, or a class name as a hint for the term that follows.
    fn bracket_behind_string(&mut self) -> Parse<(usize, Bracket)> {
        let fourth = self.look(4)?;
        let hint_word = |next| matches!(next, Kind::Open | Kind::Dot);
        match fourth {
            Kind::Eof => Ok((4, Bracket::Tuple)),
            Kind::Per | Kind::Group | Kind::As => match self.look(5)? {
                next if hint_word(next) => Ok((5, Bracket::TypeHint)),
                Kind::Partition if fourth == Kind::Per => Ok((5, Bracket::Tuple)),
                Kind::By if fourth == Kind::Group => Ok((5, Bracket::Tuple)),
                next if fourth == Kind::As && matches!(next.class(), Class::Native(_)) => {
                    Ok((5, Bracket::Tuple))
                }
                _ => self.no_viable(5),
            },
            Kind::Colon => {
                let fifth = self.look(5)?;
                if !fifth.is_name() {
                    return match Parser::begins_term(fifth) {
                        true => Ok((5, Bracket::Tuple)),
                        false => self.no_viable(5),
                    };
                }
                match self.look(6)? {
                    next if hint_word(next) => Ok((6, Bracket::Tuple)),
                    Kind::Eof => Ok((6, Bracket::TypeHint)),
                    next if Parser::marker_ends(next) => Ok((6, Bracket::TypeHint)),
                    _ => self.no_viable(6),
                }
            }
            next if Parser::term_ends(next) => Ok((4, Bracket::Tuple)),
            next if Parser::begins_simple_term(next) => Ok((4, Bracket::TypeHint)),
            _ => self.no_viable(4),
        }
    }

    fn function_call(&mut self) -> Parse<Term> {
        let first = self.kind();
        let mut open = 2;
        if first != Kind::Token && self.look(2)? == Kind::Dot {
            if !self.look(3)?.is_function_name() {
                return self.no_viable(3);
            }
            open = 4;
        } else if first == Kind::Question || first.is_column_keyword() {
            return self.no_viable(2);
        }
        if self.look(open)? != Kind::Open {
            return self.no_viable(open);
        }
        let behind = self.look(open + 1)?;
        if behind != Kind::Close && !Parser::begins_term(behind) {
            return self.no_viable(open + 1);
        }
        self.decided(open + 1)?;
        let name = self.function_name()?;
        self.expect(Kind::Open)?;
        let mut arguments = Vec::new();
        if behind != Kind::Close {
            arguments = self.comma_separated(Parser::term)?;
        }
        self.expect(Kind::Close)?;
        Ok(Term::Function(Box::new(name), arguments))
    }
}
