//! INSERT, UPDATE, DELETE.

use std::collections::HashMap;

use super::Parser;
use super::failure::Parse;
use crate::ast::{
    Assignment, Attributes, Delete, Deletion, Insert, InsertSource, JsonValue, Literal, LiteralKind,
    Operation, Term, Update,
};
use crate::lexer::Kind;

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Parse<Insert> {
        self.expect(Kind::Insert)?;
        self.expect(Kind::Into)?;
        let table = self.table_name()?;
        let source = match self.kind() {
            Kind::Open => self.insert_values()?,
            Kind::Json => self.insert_json()?,
            _ => return self.no_viable(1),
        };
        let if_not_exists = self.if_not_exists()?;
        let attributes = self.attributes()?;
        Ok(Insert { table, source, if_not_exists, attributes })
    }

    fn insert_values(&mut self) -> Parse<InsertSource> {
        let columns = self.column_tuple()?;
        self.expect(Kind::Values)?;
        let values = self.parenthesised(Parser::term)?;
        Ok(InsertSource::Values { columns, values })
    }

    fn insert_json(&mut self) -> Parse<InsertSource> {
        self.expect(Kind::Json)?;
        let value = match self.kind() {
            Kind::String => JsonValue::Literal(self.take_content()?),
            _ => JsonValue::Marker(self.marker()?),
        };
        let mut default_unset = false;
        if self.accept(Kind::Default)? {
            default_unset = match self.kind() {
                Kind::Null => false,
                Kind::Unset => true,
                _ => return self.no_viable(1),
            };
            self.advance()?;
        }
        Ok(InsertSource::Json { value, default_unset })
    }

    /// `[USING TIMESTAMP t AND TTL t]`
    pub(super) fn attributes(&mut self) -> Parse<Attributes> {
        let mut attributes = Attributes::default();
        if self.accept(Kind::Using)? {
            self.and_separated(|parser| {
                let attribute = match parser.kind() {
                    Kind::Timestamp => &mut attributes.timestamp,
                    Kind::Ttl => &mut attributes.ttl,
                    _ => return parser.no_viable(1),
                };
                parser.advance()?;
                *attribute = Some(parser.integer_value()?);
                Ok(())
            })?;
        }
        Ok(attributes)
    }

    pub(super) fn update(&mut self) -> Parse<Update> {
        self.expect(Kind::Update)?;
        let table = self.table_name()?;
        let attributes = self.attributes()?;
        self.expect(Kind::Set)?;
        let mut compatible = Compatible::default();
        let assignments = self.comma_separated(|parser| {
            let assignment = parser.assignment()?;
            if !compatible.admit(&assignment) {
                let column = &assignment.column;
                return parser.refuse(format!("Multiple incompatible setting of column {column}"));
            }
            Ok(assignment)
        })?;
        self.expect(Kind::Where)?;
        let where_clause = self.where_clause()?;
        let condition = self.condition()?;
        Ok(Update { table, attributes, assignments, where_clause, condition })
    }

    fn assignment(&mut self) -> Parse<Assignment> {
        let column = self.column()?;
        let operation = match self.kind() {
            Kind::Equal => {
                self.advance()?;
                self.whole_column(&column)?
            }
            Kind::PlusEqual => {
                self.advance()?;
                Operation::Add(self.term()?)
            }
            Kind::MinusEqual => {
                self.advance()?;
                Operation::Subtract(self.term()?)
            }
            Kind::OpenBracket => {
                self.advance()?;
                let key = self.term()?;
                self.expect(Kind::CloseBracket)?;
                self.expect(Kind::Equal)?;
                Operation::SetElement(key, self.term()?)
            }
            Kind::Dot => {
                self.advance()?;
                let field = self.identifier()?;
                self.expect(Kind::Equal)?;
                Operation::SetField(field, self.term()?)
            }
            _ => return self.no_viable(1),
        };
        Ok(Assignment { column, operation })
    }

    /// Behind `c =`: `v`, `v + c`, `c + v`, `c - v`, `c -3`.
    fn whole_column(&mut self, column: &str) -> Parse<Operation> {
        let first = self.kind();
        if Parser::begins_column(first) {
            let call = match first {
                Kind::EmptyQuotedName => false,
                _ => !first.is_column_keyword() || first == Kind::Cast,
            };
            let behind = self.look(2)?;
            match behind {
                Kind::Open if call => {}
                Kind::Dot if first != Kind::EmptyQuotedName => {}
                Kind::Plus | Kind::Minus | Kind::Integer => {
                    self.decided(2)?;
                    return self.column_and_value(column, behind);
                }
                _ => return self.no_viable(2),
            }
            self.decided(2)?;
        } else if Parser::begins_term(first) {
            self.decided(1)?;
        } else {
            return self.no_viable(1);
        }
        let value = self.term()?;
        if !self.accept(Kind::Plus)? {
            return Ok(Operation::Set(value));
        }
        if self.column()? != column {
            return self.refuse("Only expressions of the form X = <value> + X are supported.");
        }
        Ok(Operation::Prepend(value))
    }

    fn column_and_value(&mut self, column: &str, sign: Kind) -> Parse<Operation> {
        let same = self.column()? == column;
        let text = self.tokens.content(self.at);
        self.advance()?;
        if sign == Kind::Integer {
            if !same {
                let sign = if text.starts_with('-') { '-' } else { '+' };
                return self
                    .refuse(format!("Only expressions of the form X = X {sign} <value> are supported."));
            }
            return Ok(Operation::Add(Term::Literal(Literal { kind: LiteralKind::Integer, text })));
        }
        let value = self.term()?;
        if !same {
            return self.refuse(format!("Only expressions of the form X = X {text}<value> are supported."));
        }
        Ok(match sign {
            Kind::Plus => Operation::Add(value),
            _ => Operation::Subtract(value),
        })
    }

    pub(super) fn delete(&mut self) -> Parse<Delete> {
        self.expect(Kind::Delete)?;
        let mut targets = Vec::new();
        if Parser::begins_column(self.kind()) {
            targets = self.comma_separated(Parser::deletion)?;
        }
        self.expect(Kind::From)?;
        let table = self.table_name()?;
        let mut attributes = Attributes::default();
        if self.accept(Kind::Using)? {
            self.expect(Kind::Timestamp)?;
            attributes.timestamp = Some(self.integer_value()?);
        }
        self.expect(Kind::Where)?;
        let where_clause = self.where_clause()?;
        let condition = self.condition()?;
        Ok(Delete { table, targets, attributes, where_clause, condition })
    }

    fn deletion(&mut self) -> Parse<Deletion> {
        if !Parser::begins_column(self.kind()) {
            return self.no_viable(1);
        }
        if !matches!(self.look(2)?, Kind::From | Kind::Comma | Kind::OpenBracket | Kind::Dot) {
            return self.no_viable(2);
        }
        self.decided(2)?;
        let column = self.column()?;
        if self.accept(Kind::OpenBracket)? {
            let key = self.term()?;
            self.expect(Kind::CloseBracket)?;
            return Ok(Deletion::Element(column, key));
        }
        if self.accept(Kind::Dot)? {
            return Ok(Deletion::Field(column, self.identifier()?));
        }
        Ok(Deletion::Column(column))
    }
}

/// Columns set so far: one that is set as a whole is set once, parts and increments may come together.
#[derive(Default)]
struct Compatible {
    set_as_a_whole: HashMap<String, bool>,
}

impl Compatible {
    fn admit(&mut self, assignment: &Assignment) -> bool {
        let whole = matches!(assignment.operation, Operation::Set(_));
        match self.set_as_a_whole.insert(assignment.column.clone(), whole) {
            Some(before) => !whole && !before,
            None => true,
        }
    }
}
