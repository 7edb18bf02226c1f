//! WHERE, and the conditions behind IF.

use super::Parser;
use super::failure::Parse;
use crate::ast::{
    ColumnCondition, ColumnPart, Condition, ConditionTest, CustomIndexExpression, InValues, Operator,
    QualifiedName, Relation, Term, WhereClause,
};
use crate::lexer::Kind;

impl Parser<'_> {
    /// What follows WHERE.
    pub(super) fn where_clause(&mut self) -> Parse<WhereClause> {
        let mut clause = WhereClause::default();
        self.and_separated(|parser| {
            match parser.kind() {
                Kind::ExprOpen => {
                    let expression = parser.custom_index_expression()?;
                    clause.expressions.push(expression);
                }
                kind if Parser::begins_relation(kind) => clause.relations.push(parser.relation()?),
                _ => return parser.no_viable(1),
            }
            Ok(())
        })?;
        Ok(clause)
    }

    fn begins_relation(kind: Kind) -> bool {
        Parser::begins_column(kind) || matches!(kind, Kind::Token | Kind::Open)
    }

    /// Whether a column can begin with this token.
    pub(super) fn begins_column(kind: Kind) -> bool {
        kind.is_name() || kind == Kind::EmptyQuotedName
    }

    fn custom_index_expression(&mut self) -> Parse<CustomIndexExpression> {
        self.expect(Kind::ExprOpen)?;
        let index = QualifiedName { keyspace: None, name: self.bare_index_name()? };
        self.expect(Kind::Comma)?;
        let value = self.term()?;
        self.expect(Kind::Close)?;
        Ok(CustomIndexExpression { index, value })
    }

    fn relation(&mut self) -> Parse<Relation> {
        match self.kind() {
            Kind::Token => {
                self.decided(1)?;
                self.advance()?;
                let columns = self.column_tuple()?;
                let operator = self.comparison()?;
                Ok(Relation::Token { columns, operator, value: self.term()? })
            }
            Kind::Open => self.bracketed_relation(),
            kind if Parser::begins_column(kind) => self.column_relation(),
            _ => self.no_viable(1),
        }
    }

    fn column_relation(&mut self) -> Parse<Relation> {
        let second = self.look(2)?;
        match second {
            Kind::In => match self.look(3)? {
                Kind::Question | Kind::Colon | Kind::Open => self.decided(3)?,
                _ => return self.no_viable(3),
            },
            Kind::Like | Kind::Is | Kind::Contains | Kind::OpenBracket => self.decided(2)?,
            _ if second.is_comparison() => self.decided(2)?,
            _ => return self.no_viable(2),
        }
        let column = self.column()?;
        match second {
            Kind::In => {
                self.advance()?;
                Ok(Relation::In { column, values: self.in_values()? })
            }
            Kind::Like => {
                self.advance()?;
                Ok(Relation::Column { column, operator: Operator::Like, value: self.term()? })
            }
            Kind::Is => {
                self.advance()?;
                self.expect(Kind::Not)?;
                self.expect(Kind::Null)?;
                Ok(Relation::IsNotNull { column })
            }
            Kind::Contains => {
                let operator = self.contains()?;
                Ok(Relation::Column { column, operator, value: self.term()? })
            }
            Kind::OpenBracket => {
                self.advance()?;
                let key = self.term()?;
                self.expect(Kind::CloseBracket)?;
                let operator = self.comparison()?;
                Ok(Relation::Element { column, key, operator, value: self.term()? })
            }
            _ => {
                let operator = self.comparison()?;
                Ok(Relation::Column { column, operator, value: self.term()? })
            }
        }
    }

    /// `(a, b) > …`, or a relation in brackets.
    fn bracketed_relation(&mut self) -> Parse<Relation> {
        let (ahead, tuple) = match self.look(2)? {
            Kind::Token | Kind::Open => (2, false),
            second if Parser::begins_column(second) => match self.look(3)? {
                Kind::Close | Kind::Comma => (3, true),
                Kind::Contains | Kind::In | Kind::Is | Kind::Like | Kind::OpenBracket => (3, false),
                third if third.is_comparison() => (3, false),
                _ => return self.no_viable(3),
            },
            _ => return self.no_viable(2),
        };
        self.decided(ahead)?;
        if !tuple {
            return self.nested(|parser| {
                parser.advance()?;
                let relation = parser.relation()?;
                parser.expect(Kind::Close)?;
                Ok(relation)
            });
        }
        let columns = self.column_tuple()?;
        match self.kind() {
            Kind::In => {
                self.decided(1)?;
                self.advance()?;
                Ok(Relation::ColumnsIn { columns, values: self.tuple_in_values()? })
            }
            kind if kind.is_comparison() => {
                let value = self.look(2)?;
                if !matches!(value, Kind::Open | Kind::Question | Kind::Colon) {
                    return self.no_viable(2);
                }
                self.decided(2)?;
                let operator = self.comparison()?;
                let value = match value {
                    Kind::Open => self.tuple_literal()?,
                    _ => Term::Marker(self.marker()?),
                };
                Ok(Relation::Columns { columns, operator, value })
            }
            _ => self.no_viable(1),
        }
    }

    /// Behind `(a, b) IN`.
    fn tuple_in_values(&mut self) -> Parse<InValues> {
        if matches!(self.kind(), Kind::Question | Kind::Colon) {
            return Ok(InValues::Marker(self.marker()?));
        }
        if self.kind() != Kind::Open {
            return self.no_viable(1);
        }
        match self.look(2)? {
            Kind::Close => {
                self.advance()?;
                self.advance()?;
                Ok(InValues::List(Vec::new()))
            }
            Kind::Open => Ok(InValues::List(self.parenthesised(Parser::tuple_literal)?)),
            Kind::Question | Kind::Colon => {
                let markers = self.parenthesised(|parser| Ok(Term::Marker(parser.marker()?)))?;
                Ok(InValues::List(markers))
            }
            _ => self.no_viable(2),
        }
    }

    /// Behind `a IN`.
    fn in_values(&mut self) -> Parse<InValues> {
        if self.kind() != Kind::Open {
            return Ok(InValues::Marker(self.marker()?));
        }
        self.advance()?;
        let mut terms = Vec::new();
        if Parser::begins_term(self.kind()) {
            terms = self.comma_separated(Parser::term)?;
        }
        self.expect(Kind::Close)?;
        Ok(InValues::List(terms))
    }

    fn contains(&mut self) -> Parse<Operator> {
        self.expect(Kind::Contains)?;
        // `key.f()` is a call, all else behind CONTAINS KEY is its value.
        if self.kind() == Kind::Key && self.look(2)? != Kind::Dot {
            self.advance()?;
            return Ok(Operator::ContainsKey);
        }
        Ok(Operator::Contains)
    }

    fn comparison(&mut self) -> Parse<Operator> {
        let operator = match self.kind() {
            Kind::Equal => Operator::Eq,
            Kind::Less => Operator::Lt,
            Kind::LessEqual => Operator::Lte,
            Kind::Greater => Operator::Gt,
            Kind::GreaterEqual => Operator::Gte,
            Kind::NotEqual => Operator::Neq,
            _ => return self.no_viable(1),
        };
        self.advance()?;
        Ok(operator)
    }

    /// `[IF EXISTS | IF a = 1 AND …]`
    pub(super) fn condition(&mut self) -> Parse<Condition> {
        if !self.accept(Kind::If)? {
            return Ok(Condition::None);
        }
        match self.kind() {
            // `exists` may be a column, too.
            Kind::Exists => match self.look(2)? {
                Kind::In | Kind::Contains | Kind::OpenBracket | Kind::Dot => {}
                next if next.is_comparison() => {}
                Kind::Eof | Kind::Semicolon | Kind::Apply | Kind::Insert | Kind::Update | Kind::Delete => {
                    self.advance()?;
                    return Ok(Condition::Exists);
                }
                _ => return self.no_viable(2),
            },
            kind if Parser::begins_column(kind) => {}
            _ => return self.no_viable(1),
        }
        Ok(Condition::Columns(self.and_separated(Parser::column_condition)?))
    }

    fn column_condition(&mut self) -> Parse<ColumnCondition> {
        let column = self.column()?;
        let part = match self.kind() {
            Kind::OpenBracket => {
                self.advance()?;
                let key = self.term()?;
                self.expect(Kind::CloseBracket)?;
                ColumnPart::Element(key)
            }
            Kind::Dot => {
                self.advance()?;
                ColumnPart::Field(self.identifier()?)
            }
            _ => ColumnPart::Whole,
        };
        let test = match self.kind() {
            Kind::In => {
                self.advance()?;
                ConditionTest::In(self.in_values()?)
            }
            Kind::Contains if part == ColumnPart::Whole => {
                let operator = self.contains()?;
                ConditionTest::Compare(operator, self.term()?)
            }
            _ => {
                let operator = self.comparison()?;
                ConditionTest::Compare(operator, self.term()?)
            }
        };
        Ok(ColumnCondition { column, part, test })
    }
}
