//! SELECT.

use super::Parser;
use super::failure::Parse;
use crate::ast::{Ordering, Select, Selector, Term, WhereClause};
use crate::lexer::Kind;

/// DISTINCT or not, and the selectors.
type SelectClause = (bool, Vec<Selector>);

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Parse<Select> {
        self.expect(Kind::Select)?;
        let (json, (distinct, selectors)) = self.json_or_not()?;
        self.expect(Kind::From)?;
        let table = self.table_name()?;
        let where_clause = self.optional_where()?;
        let mut select = Select {
            table,
            json,
            distinct,
            selectors,
            where_clause,
            group_by: Vec::new(),
            order_by: Vec::new(),
            per_partition_limit: None,
            limit: None,
            allow_filtering: false,
        };
        if self.accept(Kind::Group)? {
            self.expect(Kind::By)?;
            select.group_by = self.comma_separated(Parser::selectable)?;
        }
        if self.accept(Kind::Order)? {
            self.expect(Kind::By)?;
            select.order_by = self.comma_separated(Parser::ordering)?;
        }
        if self.accept(Kind::Per)? {
            self.expect(Kind::Partition)?;
            self.expect(Kind::Limit)?;
            select.per_partition_limit = Some(self.integer_value()?);
        }
        if self.accept(Kind::Limit)? {
            select.limit = Some(self.integer_value()?);
        }
        if self.accept(Kind::Allow)? {
            self.expect(Kind::Filtering)?;
            select.allow_filtering = true;
        }
        Ok(select)
    }

    pub(super) fn optional_where(&mut self) -> Parse<WhereClause> {
        match self.accept(Kind::Where)? {
            true => self.where_clause(),
            false => Ok(WhereClause::default()),
        }
    }

    /// `json` and `distinct` may be columns: they are keywords if a selection follows them.
    fn json_or_not(&mut self) -> Parse<(bool, SelectClause)> {
        if self.kind() == Kind::Json {
            self.decided_by_trial()?;
            let clause = self.attempt(|parser| {
                parser.advance()?;
                parser.select_clause()
            })?;
            if let Some(clause) = clause {
                return Ok((true, clause));
            }
        } else {
            self.selectors_begin()?;
        }
        Ok((false, self.select_clause()?))
    }

    fn select_clause(&mut self) -> Parse<SelectClause> {
        if self.kind() == Kind::Distinct {
            self.decided_by_trial()?;
            let selectors = self.attempt(|parser| {
                parser.advance()?;
                parser.selectors()
            })?;
            if let Some(selectors) = selectors {
                return Ok((true, selectors));
            }
        } else {
            self.selectors_begin()?;
        }
        Ok((false, self.selectors()?))
    }

    fn selectors_begin(&mut self) -> Parse<()> {
        if self.kind() != Kind::Star && !Parser::begins_term(self.kind()) {
            return self.no_viable(1);
        }
        self.decided(1)
    }

    /// `*` (empty) or a list.
    pub(super) fn selectors(&mut self) -> Parse<Vec<Selector>> {
        if self.accept(Kind::Star)? {
            return Ok(Vec::new());
        }
        if !Parser::begins_term(self.kind()) {
            return self.no_viable(1);
        }
        self.comma_separated(|parser| {
            let selectable = parser.selectable()?;
            let mut alias = None;
            if parser.accept(Kind::As)? {
                alias = Some(parser.identifier()?);
            }
            Ok(Selector { selectable, alias })
        })
    }

    fn ordering(&mut self) -> Parse<Ordering> {
        let column = self.column()?;
        let mut ann_of: Option<Term> = None;
        if self.accept(Kind::Ann)? {
            self.expect(Kind::Of)?;
            ann_of = Some(self.term()?);
        }
        let ascending = self.accept(Kind::Asc)?;
        let descending = !ascending && self.accept(Kind::Desc)?;
        Ok(Ordering { column, ann_of, descending })
    }
}
