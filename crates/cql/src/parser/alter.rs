//! ALTER and DROP of keyspaces, tables, types, views, triggers.

use super::Parser;
use super::failure::Parse;
use crate::ast::{
    AlterKeyspace, AlterTable, AlterType, AlterView, DropKeyspace, DropObject, DropTrigger, TableChange,
    TypeChange,
};
use crate::lexer::Kind;

impl Parser<'_> {
    /// Behind ALTER.
    pub(super) fn alter_keyspace(&mut self) -> Parse<AlterKeyspace> {
        self.expect(Kind::Keyspace)?;
        let if_exists = self.if_exists()?;
        let keyspace = self.keyspace_name()?;
        self.expect(Kind::With)?;
        Ok(AlterKeyspace { keyspace, if_exists, properties: self.properties()? })
    }

    pub(super) fn alter_view(&mut self) -> Parse<AlterView> {
        self.expect(Kind::Materialized)?;
        self.expect(Kind::View)?;
        let if_exists = self.if_exists()?;
        let view = self.table_name()?;
        self.expect(Kind::With)?;
        Ok(AlterView { view, if_exists, properties: self.properties()? })
    }

    pub(super) fn alter_table(&mut self) -> Parse<AlterTable> {
        self.expect(Kind::Columnfamily)?;
        let if_exists = self.if_exists()?;
        let table = self.table_name()?;
        let change = match self.kind() {
            Kind::Alter => self.alter_column()?,
            Kind::Drop => self.drop_columns()?,
            Kind::Add => {
                self.decided(1)?;
                self.advance()?;
                let if_not_exists = self.if_not_exists()?;
                let columns = self.one_or_bracketed(Parser::column_definition)?;
                TableChange::Add { if_not_exists, columns }
            }
            Kind::Rename => {
                self.decided(1)?;
                self.advance()?;
                let if_exists = self.if_exists()?;
                let columns = self.and_separated(Parser::renaming)?;
                TableChange::Rename { if_exists, columns }
            }
            Kind::With => {
                self.decided(1)?;
                self.advance()?;
                TableChange::Properties(self.properties()?)
            }
            _ => return self.no_viable(1),
        };
        Ok(AlterTable { table, if_exists, change })
    }

    /// `a` or `(a, b)`
    fn one_or_bracketed<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        match self.kind() {
            Kind::Open => self.parenthesised(rule),
            kind if kind.is_name() => Ok(vec![rule(self)?]),
            _ => self.no_viable(1),
        }
    }

    /// `a TO b`
    fn renaming(&mut self) -> Parse<(String, String)> {
        let from = self.identifier()?;
        self.expect(Kind::To)?;
        Ok((from, self.identifier()?))
    }

    fn alter_column(&mut self) -> Parse<TableChange> {
        let retype = match self.look(2)? {
            Kind::If => {
                self.decided(2)?;
                false
            }
            second if Parser::begins_column(second) => {
                let retype = match self.look(3)? {
                    Kind::Type => true,
                    Kind::Drop | Kind::Masked => false,
                    _ => return self.no_viable(3),
                };
                self.decided(3)?;
                retype
            }
            _ => return self.no_viable(2),
        };
        self.expect(Kind::Alter)?;
        let if_exists = self.if_exists()?;
        let column = self.column()?;
        if retype {
            self.expect(Kind::Type)?;
            return Ok(TableChange::AlterType { column, column_type: self.type_name()? });
        }
        let mask = match self.kind() {
            Kind::Masked => Some(self.column_mask()?),
            Kind::Drop => {
                self.advance()?;
                self.expect(Kind::Masked)?;
                None
            }
            _ => return self.no_viable(1),
        };
        Ok(TableChange::Mask { column, if_exists, mask })
    }

    fn drop_columns(&mut self) -> Parse<TableChange> {
        let second = self.look(2)?;
        match second {
            Kind::Compact => match self.look(3)? {
                Kind::Storage => {
                    self.decided(3)?;
                    for _ in 0..3 {
                        self.advance()?;
                    }
                    return Ok(TableChange::DropCompactStorage);
                }
                Kind::Using | Kind::Semicolon => self.decided(3)?,
                Kind::Eof => {}
                _ => return self.no_viable(3),
            },
            Kind::If | Kind::Open => self.decided(2)?,
            _ if second.is_name() => self.decided(2)?,
            _ => return self.no_viable(2),
        }
        self.advance()?;
        let if_exists = self.if_exists()?;
        let columns = self.one_or_bracketed(Parser::identifier)?;
        let mut timestamp_us = None;
        if self.accept(Kind::Using)? {
            self.expect(Kind::Timestamp)?;
            let at = self.at;
            self.expect(Kind::Integer)?;
            let text = self.tokens.source(at);
            timestamp_us = match text.parse() {
                Ok(timestamp_us) => Some(timestamp_us),
                Err(_) => return self.refuse(format!("Invalid timestamp {text}")),
            };
        }
        Ok(TableChange::Drop { if_exists, columns, timestamp_us })
    }

    pub(super) fn alter_type(&mut self) -> Parse<AlterType> {
        self.expect(Kind::Type)?;
        let if_exists = self.if_exists()?;
        let name = self.user_type_name()?;
        let change = match self.kind() {
            Kind::Alter => {
                self.advance()?;
                let field = self.identifier()?;
                self.expect(Kind::Type)?;
                TypeChange::Alter { field, field_type: self.type_name()? }
            }
            Kind::Add => {
                self.advance()?;
                let if_not_exists = self.if_not_exists()?;
                let (field, field_type) = self.field_definition()?;
                TypeChange::Add { if_not_exists, field, field_type }
            }
            Kind::Rename => {
                self.advance()?;
                let if_exists = self.if_exists()?;
                TypeChange::Rename { if_exists, fields: self.and_separated(Parser::renaming)? }
            }
            _ => return self.no_viable(1),
        };
        Ok(AlterType { name, if_exists, change })
    }

    /// Behind DROP, as all rules from here on.
    pub(super) fn drop_keyspace(&mut self) -> Parse<DropKeyspace> {
        self.expect(Kind::Keyspace)?;
        let if_exists = self.if_exists()?;
        Ok(DropKeyspace { keyspace: self.keyspace_name()?, if_exists })
    }

    pub(super) fn drop_table(&mut self) -> Parse<DropObject> {
        self.expect(Kind::Columnfamily)?;
        let if_exists = self.if_exists()?;
        Ok(DropObject { name: self.table_name()?, if_exists })
    }

    pub(super) fn drop_type(&mut self) -> Parse<DropObject> {
        self.expect(Kind::Type)?;
        let if_exists = self.if_exists()?;
        Ok(DropObject { name: self.user_type_name()?, if_exists })
    }

    pub(super) fn drop_index(&mut self) -> Parse<DropObject> {
        self.expect(Kind::Index)?;
        let if_exists = self.if_exists()?;
        Ok(DropObject { name: self.index_name()?, if_exists })
    }

    pub(super) fn drop_view(&mut self) -> Parse<DropObject> {
        self.expect(Kind::Materialized)?;
        self.expect(Kind::View)?;
        let if_exists = self.if_exists()?;
        Ok(DropObject { name: self.table_name()?, if_exists })
    }

    pub(super) fn drop_trigger(&mut self) -> Parse<DropTrigger> {
        self.expect(Kind::Trigger)?;
        let if_exists = self.if_exists()?;
        let name = self.identifier()?;
        self.expect(Kind::On)?;
        Ok(DropTrigger { name, if_exists, table: self.table_name()? })
    }
}
