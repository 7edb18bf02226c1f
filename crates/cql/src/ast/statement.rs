//! A whole statement.

use super::auth::*;
use super::describe::Describe;
use super::dml::*;
use super::name::QualifiedName;
use super::schema::*;
use super::select::Select;

/// A parsed statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it asks for.
    pub kind: StatementKind,
    /// One element for each bind marker, in order of appearance: the name of `:name` (folded), `None` for `?`.
    pub markers: Vec<Option<String>>,
}

/// What a statement asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant says what its content says")]
pub enum StatementKind {
    Select(Box<Select>),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Batch(Batch),
    /// `USE keyspace`
    Use(String),
    /// `TRUNCATE [TABLE] t`
    Truncate(QualifiedName),
    CreateKeyspace(CreateKeyspace),
    AlterKeyspace(AlterKeyspace),
    DropKeyspace(DropKeyspace),
    CreateTable(CreateTable),
    AlterTable(AlterTable),
    DropTable(DropObject),
    CreateType(CreateType),
    AlterType(AlterType),
    DropType(DropObject),
    CreateIndex(CreateIndex),
    DropIndex(DropObject),
    CreateView(Box<CreateView>),
    AlterView(AlterView),
    DropView(DropObject),
    CreateFunction(CreateFunction),
    DropFunction(DropFunction),
    CreateAggregate(Box<CreateAggregate>),
    DropAggregate(DropFunction),
    CreateTrigger(CreateTrigger),
    DropTrigger(DropTrigger),
    CreateRole(CreateRole),
    AlterRole(AlterRole),
    DropRole(DropRole),
    /// `GRANT role TO role`
    GrantRole(RoleGrant),
    /// `REVOKE role FROM role`
    RevokeRole(RoleGrant),
    GrantPermissions(PermissionGrant),
    RevokePermissions(PermissionGrant),
    ListPermissions(ListPermissions),
    ListRoles(ListRoles),
    /// `LIST USERS`
    ListUsers,
    AddIdentity(AddIdentity),
    DropIdentity(DropIdentity),
    Describe(Describe),
}
