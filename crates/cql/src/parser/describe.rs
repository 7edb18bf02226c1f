//! DESCRIBE.

use super::Parser;
use super::failure::Parse;
use crate::ast::{Describe, DescribeTarget, QualifiedName};
use crate::lexer::Kind;

/// How Cassandra breaks when the name is missing.
const NO_TYPE: &str = "NullPointerException Cannot invoke \"org.apache.cassandra.cql3.ColumnIdentifier.toString()\" because \"this.utName\" is null";
const NO_FUNCTION: &str = "NullPointerException Cannot read field \"keyspace\" because \"fn\" is null";
const NO_AGGREGATE: &str = "NullPointerException Cannot read field \"keyspace\" because \"ag\" is null";

impl Parser<'_> {
    /// Behind DESCRIBE or DESC.
    pub(super) fn describe(&mut self) -> Parse<Describe> {
        let target = self.describe_target()?;
        let internals = self.accept(Kind::With)?;
        if internals {
            self.expect(Kind::Internals)?;
        }
        Ok(Describe { target, internals })
    }

    fn describe_target(&mut self) -> Parse<DescribeTarget> {
        let first = self.kind();
        if self.is_described_name(first)? {
            return Ok(DescribeTarget::Generic(self.described_name()?));
        }
        match first {
            Kind::Cluster
            | Kind::Keyspaces
            | Kind::Tables
            | Kind::Types
            | Kind::Functions
            | Kind::Aggregates => self.decided_by_trial()?,
            _ => self.decided(1)?,
        }
        match first {
            Kind::Full | Kind::Schema => {
                let full = self.accept(Kind::Full)?;
                self.expect(Kind::Schema)?;
                Ok(DescribeTarget::Schema { full })
            }
            Kind::Only | Kind::Keyspace => {
                let only = self.accept(Kind::Only)?;
                self.expect(Kind::Keyspace)?;
                let mut keyspace = None;
                if self.kind().is_name() || self.kind() == Kind::Question {
                    keyspace = Some(self.keyspace_name()?);
                }
                Ok(DescribeTarget::Keyspace { keyspace, only })
            }
            Kind::Materialized => {
                self.advance()?;
                self.expect(Kind::View)?;
                Ok(DescribeTarget::View(self.table_name()?))
            }
            _ => {
                self.advance()?;
                self.described_object(first)
            }
        }
    }

    /// Behind the word that says what it is.
    fn described_object(&mut self, what: Kind) -> Parse<DescribeTarget> {
        Ok(match what {
            Kind::Cluster => DescribeTarget::Cluster,
            Kind::Keyspaces => DescribeTarget::Keyspaces,
            Kind::Tables => DescribeTarget::Tables,
            Kind::Types => DescribeTarget::Types,
            Kind::Functions => DescribeTarget::Functions,
            Kind::Aggregates => DescribeTarget::Aggregates,
            Kind::Columnfamily => DescribeTarget::Table(self.table_name()?),
            Kind::Index => DescribeTarget::Index(self.table_name()?),
            Kind::Type => DescribeTarget::Type(self.or_broken(NO_TYPE, Parser::user_type_name)?),
            Kind::Function => DescribeTarget::Function(self.or_broken(NO_FUNCTION, Parser::function_name)?),
            _ => DescribeTarget::Aggregate(self.or_broken(NO_AGGREGATE, Parser::function_name)?),
        })
    }

    /// Whether what follows is a bare name; some keywords are either, by the token behind them.
    fn is_described_name(&mut self, first: Kind) -> Parse<bool> {
        let name_ends = |next: Kind| matches!(next, Kind::Eof | Kind::With | Kind::Dot | Kind::Semicolon);
        match first {
            Kind::Full
            | Kind::Schema
            | Kind::Keyspace
            | Kind::Columnfamily
            | Kind::Index
            | Kind::Materialized
            // The plural words always mean themselves.
            | Kind::Cluster
            | Kind::Keyspaces
            | Kind::Tables
            | Kind::Types
            | Kind::Functions
            | Kind::Aggregates => Ok(false),
            Kind::Only | Kind::Type | Kind::Function | Kind::Aggregate => {
                let next = self.look(2)?;
                if name_ends(next) {
                    return Ok(true);
                }
                let object = match first {
                    Kind::Only => next == Kind::Keyspace,
                    Kind::Type => next.is_name(),
                    _ => next.is_name() || matches!(next, Kind::Token | Kind::Question),
                };
                if !object {
                    return self.no_viable(2);
                }
                self.decided(2)?;
                Ok(false)
            }
            _ if first.is_name() => {
                self.decided(1)?;
                Ok(true)
            }
            _ => self.no_viable(1),
        }
    }

    fn described_name(&mut self) -> Parse<QualifiedName> {
        let mut keyspace = None;
        match self.look(2)? {
            Kind::Dot => {
                self.decided(2)?;
                keyspace = Some(self.identifier()?);
                self.expect(Kind::Dot)?;
            }
            Kind::Eof => {}
            Kind::With | Kind::Semicolon => self.decided(2)?,
            _ => return self.no_viable(2),
        }
        Ok(QualifiedName { keyspace, name: self.identifier()? })
    }
}
