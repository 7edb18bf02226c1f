//! CREATE and DROP of functions and aggregates.

use super::Parser;
use super::failure::Parse;
use crate::ast::{CreateAggregate, CreateFunction, DropFunction};
use crate::lexer::Kind;

impl Parser<'_> {
    /// `[OR REPLACE]` behind CREATE
    pub(super) fn or_replace(&mut self) -> Parse<bool> {
        let found = self.accept(Kind::Or)?;
        if found {
            self.expect(Kind::Replace)?;
        }
        Ok(found)
    }

    pub(super) fn create_function(&mut self, or_replace: bool) -> Parse<CreateFunction> {
        self.expect(Kind::Function)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.function_name()?;
        self.expect(Kind::Open)?;
        let mut arguments = Vec::new();
        if self.kind().is_name() {
            arguments = self.comma_separated(Parser::field_definition)?;
        }
        self.expect(Kind::Close)?;
        let called_on_null_input = match self.kind() {
            Kind::Returns => {
                self.advance()?;
                self.expect(Kind::Null)?;
                false
            }
            Kind::Called => {
                self.advance()?;
                true
            }
            _ => return self.no_viable(1),
        };
        self.expect(Kind::On)?;
        self.expect(Kind::Null)?;
        self.expect(Kind::Input)?;
        self.expect(Kind::Returns)?;
        let return_type = self.type_name()?;
        self.expect(Kind::Language)?;
        let language = self.expect_content(Kind::Ident)?.to_ascii_lowercase();
        self.expect(Kind::As)?;
        let body = self.expect_content(Kind::String)?;
        Ok(CreateFunction {
            name,
            or_replace,
            if_not_exists,
            arguments,
            called_on_null_input,
            return_type,
            language,
            body,
        })
    }

    pub(super) fn create_aggregate(&mut self, or_replace: bool) -> Parse<CreateAggregate> {
        self.expect(Kind::Aggregate)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.function_name()?;
        let arguments = self.type_list()?;
        self.expect(Kind::Sfunc)?;
        let state_function = self.bare_function_name()?;
        self.expect(Kind::Stype)?;
        let state_type = self.type_name()?;
        let mut final_function = None;
        if self.accept(Kind::Finalfunc)? {
            final_function = Some(self.bare_function_name()?);
        }
        let mut initial_condition = None;
        if self.accept(Kind::Initcond)? {
            initial_condition = Some(self.term()?);
        }
        Ok(CreateAggregate {
            name,
            or_replace,
            if_not_exists,
            arguments,
            state_function,
            state_type,
            final_function,
            initial_condition,
        })
    }

    /// Behind `DROP FUNCTION` and `DROP AGGREGATE`.
    pub(super) fn drop_function(&mut self) -> Parse<DropFunction> {
        let if_exists = self.if_exists()?;
        let name = self.function_name()?;
        let mut arguments = None;
        if self.kind() == Kind::Open {
            arguments = Some(self.type_list()?);
        }
        Ok(DropFunction { name, if_exists, arguments })
    }
}
