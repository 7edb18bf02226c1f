//! Identifiers and names.

use super::Parser;
use super::failure::Parse;
use crate::ast::{FunctionName, Marker, QualifiedName};
use crate::lexer::{Class, Kind};

/// Words that may become types one day; not valid as names of user types.
const RESERVED_TYPE_NAMES: [&str; 7] =
    ["byte", "complex", "enum", "date", "interval", "macaddr", "bitstring"];

impl Parser<'_> {
    /// A name without quotes is folded to lower case.
    pub(super) fn identifier(&mut self) -> Parse<String> {
        if !self.kind().is_name() {
            return self.no_viable(1);
        }
        self.folded()
    }

    /// A column, `""` among them.
    pub(super) fn column(&mut self) -> Parse<String> {
        if self.accept(Kind::EmptyQuotedName)? {
            return Ok(String::new());
        }
        self.identifier()
    }

    /// The next token's content, in lower case unless it was quoted.
    fn folded(&mut self) -> Parse<String> {
        let quoted = self.kind() == Kind::QuotedName;
        let mut name = self.take_content()?;
        if !quoted {
            name.make_ascii_lowercase();
        }
        Ok(name)
    }

    fn name_but_no_marker(&mut self, what: &str) -> Parse<String> {
        if self.kind() == Kind::Question {
            return self.refuse(format!("Bind variables cannot be used for {what} names"));
        }
        self.identifier()
    }

    pub(super) fn keyspace_name(&mut self) -> Parse<String> {
        self.name_but_no_marker("keyspace")
    }

    pub(super) fn table_name(&mut self) -> Parse<QualifiedName> {
        self.qualified("table", |next| {
            matches!(
                next,
                Kind::Add
                    | Kind::Allow
                    | Kind::Alter
                    | Kind::As
                    | Kind::Drop
                    | Kind::From
                    | Kind::Group
                    | Kind::Json
                    | Kind::Limit
                    | Kind::Norecursive
                    | Kind::Of
                    | Kind::Order
                    | Kind::Per
                    | Kind::Primary
                    | Kind::Rename
                    | Kind::Set
                    | Kind::To
                    | Kind::Using
                    | Kind::Where
                    | Kind::With
                    | Kind::Open
                    | Kind::Semicolon
            )
        })
    }

    pub(super) fn index_name(&mut self) -> Parse<QualifiedName> {
        self.qualified("index", |next| next == Kind::Semicolon)
    }

    fn qualified(&mut self, what: &str, may_follow: impl FnOnce(Kind) -> bool) -> Parse<QualifiedName> {
        if !self.kind().is_name() && self.kind() != Kind::Question {
            return self.no_viable(1);
        }
        let keyspace = match self.look(2)? {
            Kind::Dot => {
                self.decided(2)?;
                let keyspace = self.keyspace_name()?;
                self.expect(Kind::Dot)?;
                Some(keyspace)
            }
            Kind::Eof => None,
            next if may_follow(next) => {
                self.decided(2)?;
                None
            }
            _ => return self.no_viable(2),
        };
        let name = self.name_but_no_marker(what)?;
        Ok(QualifiedName { keyspace, name })
    }

    /// An index's name in CREATE INDEX, where the table gives the keyspace.
    pub(super) fn bare_index_name(&mut self) -> Parse<String> {
        self.name_but_no_marker("index")
    }

    /// `[keyspace.]type`; names of native types and some keywords cannot be user types.
    pub(super) fn user_type_name(&mut self) -> Parse<QualifiedName> {
        let next = self.kind();
        let type_like = match next.class() {
            Class::Basic => true,
            Class::Native(_) | Class::Column => next == Kind::Key,
            Class::Reserved => next.is_name(),
        };
        let qualified = next.is_name() && (!type_like || self.look(2)? == Kind::Dot);
        let mut keyspace = None;
        if qualified {
            keyspace = Some(self.identifier()?);
            self.expect(Kind::Dot)?;
        }
        let name = match self.kind() {
            Kind::Ident if RESERVED_TYPE_NAMES.contains(&self.tokens.source(self.at)) => {
                let name = self.tokens.source(self.at);
                return self.refuse(format!("Invalid (reserved) user type name {name}"));
            }
            Kind::Ident | Kind::QuotedName | Kind::Key => self.folded()?,
            kind if kind.class() == Class::Basic => self.folded()?,
            _ => return self.no_viable(1),
        };
        Ok(QualifiedName { keyspace, name })
    }

    /// `[keyspace.]function`
    pub(super) fn function_name(&mut self) -> Parse<FunctionName> {
        let qualified = match self.kind() {
            Kind::Token => {
                self.decided(1)?;
                false
            }
            kind if kind == Kind::Question || kind.is_column_keyword() => {
                self.decided(1)?;
                true
            }
            kind if kind.is_name() => match self.look(2)? {
                Kind::Dot => {
                    self.decided(2)?;
                    true
                }
                Kind::Eof => false,
                Kind::Open | Kind::With | Kind::Semicolon => {
                    self.decided(2)?;
                    false
                }
                _ => return self.no_viable(2),
            },
            _ => return self.no_viable(1),
        };
        let mut keyspace = None;
        if qualified {
            keyspace = Some(self.keyspace_name()?);
            self.expect(Kind::Dot)?;
        }
        let name = self.bare_function_name()?;
        Ok(FunctionName { keyspace, name })
    }

    pub(super) fn bare_function_name(&mut self) -> Parse<String> {
        if !self.kind().is_function_name() {
            return self.no_viable(1);
        }
        self.folded()
    }

    /// A role, in quotes or not; folded unless quoted.
    pub(super) fn role_name(&mut self) -> Parse<String> {
        if self.kind() == Kind::String {
            return self.take_content();
        }
        self.name_but_no_marker("role")
    }

    /// `?` or `:name`
    pub(super) fn marker(&mut self) -> Parse<Marker> {
        let name = match self.kind() {
            Kind::Question => {
                self.advance()?;
                None
            }
            Kind::Colon => {
                self.advance()?;
                Some(self.identifier()?)
            }
            _ => return self.no_viable(1),
        };
        let index = self.markers.len();
        self.markers.push(name);
        Ok(Marker { index })
    }

    /// `(a, b)`
    pub(super) fn column_tuple(&mut self) -> Parse<Vec<String>> {
        self.parenthesised(Parser::column)
    }
}
