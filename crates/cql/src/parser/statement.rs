//! Which statement it is.

use super::Parser;
use super::failure::Parse;
use crate::ast::StatementKind;
use crate::lexer::Kind;

impl Parser<'_> {
    /// Any statement.
    pub(super) fn statement(&mut self) -> Parse<StatementKind> {
        let first = self.kind();
        match first {
            Kind::Create => self.create(),
            Kind::Alter => self.alter(),
            Kind::Drop => self.drop(),
            Kind::Grant => self.grant(Kind::To),
            Kind::Revoke => self.grant(Kind::From),
            Kind::List => self.list(),
            Kind::Select
            | Kind::Insert
            | Kind::Update
            | Kind::Delete
            | Kind::Begin
            | Kind::Use
            | Kind::Truncate
            | Kind::Describe
            | Kind::Desc
            | Kind::Add => {
                self.decided(1)?;
                self.short(first)
            }
            _ => self.no_viable(1),
        }
    }

    /// Statements that their first word tells.
    fn short(&mut self, first: Kind) -> Parse<StatementKind> {
        Ok(match first {
            Kind::Select => StatementKind::Select(Box::new(self.select()?)),
            Kind::Insert => StatementKind::Insert(self.insert()?),
            Kind::Update => StatementKind::Update(self.update()?),
            Kind::Delete => StatementKind::Delete(self.delete()?),
            Kind::Begin => StatementKind::Batch(self.batch()?),
            Kind::Use => {
                self.advance()?;
                StatementKind::Use(self.keyspace_name()?)
            }
            Kind::Truncate => {
                self.advance()?;
                self.accept(Kind::Columnfamily)?;
                StatementKind::Truncate(self.table_name()?)
            }
            Kind::Add => {
                self.advance()?;
                StatementKind::AddIdentity(self.add_identity()?)
            }
            _ => {
                self.advance()?;
                StatementKind::Describe(self.describe()?)
            }
        })
    }

    fn create(&mut self) -> Parse<StatementKind> {
        let mut ahead = 2;
        if self.look(2)? == Kind::Or {
            if self.look(3)? != Kind::Replace {
                return self.no_viable(3);
            }
            ahead = 4;
        }
        let what = self.look(ahead)?;
        let known = match what {
            Kind::Function | Kind::Aggregate => true,
            Kind::Keyspace
            | Kind::Columnfamily
            | Kind::Custom
            | Kind::Index
            | Kind::User
            | Kind::Trigger
            | Kind::Type
            | Kind::Role
            | Kind::Materialized => ahead == 2,
            _ => false,
        };
        if !known {
            return self.no_viable(ahead);
        }
        self.decided(ahead)?;
        self.advance()?;
        let or_replace = self.or_replace()?;
        Ok(match what {
            Kind::Keyspace => StatementKind::CreateKeyspace(self.create_keyspace()?),
            Kind::Columnfamily => StatementKind::CreateTable(self.create_table()?),
            Kind::Custom | Kind::Index => StatementKind::CreateIndex(self.create_index()?),
            Kind::User => StatementKind::CreateRole(self.create_user()?),
            Kind::Trigger => StatementKind::CreateTrigger(self.create_trigger()?),
            Kind::Type => StatementKind::CreateType(self.create_type()?),
            Kind::Role => StatementKind::CreateRole(self.create_role()?),
            Kind::Materialized => StatementKind::CreateView(Box::new(self.create_view()?)),
            Kind::Function => StatementKind::CreateFunction(self.create_function(or_replace)?),
            _ => StatementKind::CreateAggregate(Box::new(self.create_aggregate(or_replace)?)),
        })
    }

    fn alter(&mut self) -> Parse<StatementKind> {
        let what = self.look(2)?;
        if !matches!(
            what,
            Kind::Columnfamily | Kind::Keyspace | Kind::User | Kind::Type | Kind::Role | Kind::Materialized
        ) {
            return self.no_viable(2);
        }
        self.decided(2)?;
        self.advance()?;
        Ok(match what {
            Kind::Columnfamily => StatementKind::AlterTable(self.alter_table()?),
            Kind::Keyspace => StatementKind::AlterKeyspace(self.alter_keyspace()?),
            Kind::User => StatementKind::AlterRole(self.alter_user()?),
            Kind::Type => StatementKind::AlterType(self.alter_type()?),
            Kind::Role => StatementKind::AlterRole(self.alter_role()?),
            _ => StatementKind::AlterView(self.alter_view()?),
        })
    }

    fn drop(&mut self) -> Parse<StatementKind> {
        let what = self.look(2)?;
        if !matches!(
            what,
            Kind::Keyspace
                | Kind::Columnfamily
                | Kind::Index
                | Kind::User
                | Kind::Trigger
                | Kind::Type
                | Kind::Function
                | Kind::Aggregate
                | Kind::Role
                | Kind::Materialized
                | Kind::Identity
        ) {
            return self.no_viable(2);
        }
        self.decided(2)?;
        self.advance()?;
        Ok(match what {
            Kind::Keyspace => StatementKind::DropKeyspace(self.drop_keyspace()?),
            Kind::Columnfamily => StatementKind::DropTable(self.drop_table()?),
            Kind::Index => StatementKind::DropIndex(self.drop_index()?),
            Kind::User => StatementKind::DropRole(self.drop_user()?),
            Kind::Trigger => StatementKind::DropTrigger(self.drop_trigger()?),
            Kind::Type => StatementKind::DropType(self.drop_type()?),
            Kind::Function => {
                self.advance()?;
                StatementKind::DropFunction(self.drop_function()?)
            }
            Kind::Aggregate => {
                self.advance()?;
                StatementKind::DropAggregate(self.drop_function()?)
            }
            Kind::Role => StatementKind::DropRole(self.drop_role()?),
            Kind::Materialized => StatementKind::DropView(self.drop_view()?),
            _ => StatementKind::DropIdentity(self.drop_identity()?),
        })
    }

    /// GRANT and REVOKE of permissions or roles; roles may be named like some permissions.
    fn grant(&mut self, between: Kind) -> Parse<StatementKind> {
        let second = self.look(2)?;
        let permissions = match second {
            Kind::All | Kind::SelectMasked | Kind::Unmask => {
                let permissions = match self.look(3)? {
                    Kind::On => true,
                    Kind::Permissions if second == Kind::All => true,
                    Kind::Permission | Kind::Comma if second != Kind::All => true,
                    third if third == between => false,
                    _ => return self.no_viable(3),
                };
                self.decided(3)?;
                permissions
            }
            Kind::Alter
            | Kind::Authorize
            | Kind::Create
            | Kind::Describe
            | Kind::Drop
            | Kind::Execute
            | Kind::Modify
            | Kind::Select => {
                self.decided(2)?;
                true
            }
            _ if second.is_name() || matches!(second, Kind::String | Kind::Question) => {
                self.decided(2)?;
                false
            }
            _ => return self.no_viable(2),
        };
        self.advance()?;
        Ok(match (permissions, between) {
            (true, Kind::To) => StatementKind::GrantPermissions(self.permission_grant(between)?),
            (true, _) => StatementKind::RevokePermissions(self.permission_grant(between)?),
            (false, Kind::To) => StatementKind::GrantRole(self.role_grant(between)?),
            (false, _) => StatementKind::RevokeRole(self.role_grant(between)?),
        })
    }

    fn list(&mut self) -> Parse<StatementKind> {
        let what = self.look(2)?;
        if !matches!(
            what,
            Kind::All
                | Kind::Alter
                | Kind::Authorize
                | Kind::Create
                | Kind::Describe
                | Kind::Drop
                | Kind::Execute
                | Kind::Modify
                | Kind::Select
                | Kind::SelectMasked
                | Kind::Unmask
                | Kind::Users
                | Kind::Roles
        ) {
            return self.no_viable(2);
        }
        self.decided(2)?;
        self.advance()?;
        match what {
            Kind::Users => {
                self.advance()?;
                Ok(StatementKind::ListUsers)
            }
            Kind::Roles => {
                self.advance()?;
                Ok(StatementKind::ListRoles(self.list_roles()?))
            }
            _ => Ok(StatementKind::ListPermissions(self.list_permissions()?)),
        }
    }
}
