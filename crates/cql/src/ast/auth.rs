//! Roles, permissions, identities.

use super::name::{FunctionName, QualifiedName};
use super::types::TypeName;

/// `CREATE ROLE`, `CREATE USER`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRole {
    /// Name, folded unless quoted.
    pub role: String,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Options; for `CREATE USER`, login is `Some(true)` and superuser is given; for `CREATE ROLE` they default to `Some(false)`.
    pub options: RoleOptions,
}

/// `ALTER ROLE`, `ALTER USER`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterRole {
    /// Name, folded unless quoted.
    pub role: String,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// Only what was written.
    pub options: RoleOptions,
}

/// `DROP ROLE`, `DROP USER`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRole {
    /// Name, folded unless quoted.
    pub role: String,
    /// `IF EXISTS`
    pub if_exists: bool,
}

/// What may be said about a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleOptions {
    /// `PASSWORD`
    pub password: Option<String>,
    /// `HASHED PASSWORD`; never together with a password.
    pub hashed_password: Option<String>,
    /// `SUPERUSER`
    pub superuser: Option<bool>,
    /// `LOGIN`
    pub login: Option<bool>,
    /// `OPTIONS`
    pub custom: Option<Vec<(String, String)>>,
    /// `ACCESS TO`
    pub datacenters: Option<Access>,
    /// `ACCESS FROM`
    pub cidr_groups: Option<Access>,
}

/// From or to where a role may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// `ALL DATACENTERS`, `ALL CIDRS`
    All,
    /// `DATACENTERS {'a', 'b'}`, `CIDRS {'a', 'b'}`
    Some(Vec<String>),
}

/// `GRANT role TO grantee`, `REVOKE role FROM grantee`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// The role that is given or taken.
    pub role: String,
    /// Who has it afterwards, or no longer.
    pub grantee: String,
}

/// `GRANT permissions ON resource TO grantee`, `REVOKE … FROM grantee`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionGrant {
    /// What.
    pub permissions: Permissions,
    /// On what.
    pub resource: Resource,
    /// Whom.
    pub grantee: String,
}

/// `LIST permissions [ON resource] [OF role] [NORECURSIVE]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPermissions {
    /// Which.
    pub permissions: Permissions,
    /// `ON`
    pub resource: Option<Resource>,
    /// `OF`
    pub role: Option<String>,
    /// Not `NORECURSIVE`
    pub recursive: bool,
}

/// `LIST ROLES [OF role] [NORECURSIVE]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRoles {
    /// `OF`
    pub role: Option<String>,
    /// Not `NORECURSIVE`
    pub recursive: bool,
}

/// `ADD IDENTITY 'i' TO ROLE 'r'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddIdentity {
    /// As written, not folded.
    pub identity: String,
    /// As written, not folded.
    pub role: String,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
}

/// `DROP IDENTITY 'i'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIdentity {
    /// As written, not folded.
    pub identity: String,
    /// `IF EXISTS`
    pub if_exists: bool,
}

/// `ALL [PERMISSIONS]` or some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// `ALL`: those the resource knows
    All,
    /// In order of appearance, maybe with repetitions.
    Some(Vec<Permission>),
}

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words of the statement")]
pub enum Permission {
    Create,
    Alter,
    Drop,
    Select,
    Modify,
    Authorize,
    Describe,
    Execute,
    Unmask,
    SelectMasked,
}

impl Permission {
    /// Cassandra's name: `SELECT`, `SELECT_MASKED`.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Create => "CREATE",
            Permission::Alter => "ALTER",
            Permission::Drop => "DROP",
            Permission::Select => "SELECT",
            Permission::Modify => "MODIFY",
            Permission::Authorize => "AUTHORIZE",
            Permission::Describe => "DESCRIBE",
            Permission::Execute => "EXECUTE",
            Permission::Unmask => "UNMASK",
            Permission::SelectMasked => "SELECT_MASKED",
        }
    }
}

/// What permissions are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `ALL KEYSPACES`
    AllKeyspaces,
    /// `KEYSPACE k`
    Keyspace(String),
    /// `ALL TABLES IN KEYSPACE k`
    AllTables(String),
    /// `[TABLE] t`
    Table(QualifiedName),
    /// `ALL ROLES`
    AllRoles,
    /// `ROLE r`
    Role(String),
    /// `ALL FUNCTIONS`
    AllFunctions,
    /// `ALL FUNCTIONS IN KEYSPACE k`
    AllFunctionsIn(String),
    /// `FUNCTION f(types)`
    Function(FunctionName, Vec<TypeName>),
    /// `ALL MBEANS`
    AllMbeans,
    /// `MBEAN 'name'`
    Mbean(String),
    /// `MBEANS 'pattern'`
    Mbeans(String),
}
