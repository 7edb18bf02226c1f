//! Roles, users, permissions, identities.

use super::Parser;
use super::failure::{Parse, Why};
use crate::ast::{
    Access, AddIdentity, AlterRole, CreateRole, DropIdentity, DropRole, ListPermissions, ListRoles,
    Permission, PermissionGrant, Permissions, Resource, RoleGrant, RoleOptions,
};
use crate::lexer::Kind;

impl Parser<'_> {
    /// Behind CREATE.
    pub(super) fn create_role(&mut self) -> Parse<CreateRole> {
        self.expect(Kind::Role)?;
        let if_not_exists = self.if_not_exists()?;
        let role = self.role_name()?;
        let mut options = self.role_options()?;
        options.login.get_or_insert(false);
        options.superuser.get_or_insert(false);
        Ok(CreateRole { role, if_not_exists, options })
    }

    /// Behind ALTER.
    pub(super) fn alter_role(&mut self) -> Parse<AlterRole> {
        self.expect(Kind::Role)?;
        let if_exists = self.if_exists()?;
        let role = self.role_name()?;
        Ok(AlterRole { role, if_exists, options: self.role_options()? })
    }

    /// Behind DROP.
    pub(super) fn drop_role(&mut self) -> Parse<DropRole> {
        self.expect(Kind::Role)?;
        let if_exists = self.if_exists()?;
        Ok(DropRole { role: self.role_name()?, if_exists })
    }

    pub(super) fn create_user(&mut self) -> Parse<CreateRole> {
        self.expect(Kind::User)?;
        let if_not_exists = self.if_not_exists()?;
        let role = self.user_name()?;
        let mut options = self.user_options()?;
        options.login = Some(true);
        options.superuser.get_or_insert(false);
        Ok(CreateRole { role, if_not_exists, options })
    }

    pub(super) fn alter_user(&mut self) -> Parse<AlterRole> {
        self.expect(Kind::User)?;
        let if_exists = self.if_exists()?;
        let role = self.user_name()?;
        Ok(AlterRole { role, if_exists, options: self.user_options()? })
    }

    pub(super) fn drop_user(&mut self) -> Parse<DropRole> {
        self.expect(Kind::User)?;
        let if_exists = self.if_exists()?;
        Ok(DropRole { role: self.user_name()?, if_exists })
    }

    /// Users' names are not folded.
    fn user_name(&mut self) -> Parse<String> {
        match self.kind() {
            Kind::Ident | Kind::String => self.take_content(),
            Kind::QuotedName => self.refuse(
                "Quoted strings are are not supported for user names and USER is deprecated, please use ROLE",
            ),
            _ => self.no_viable(1),
        }
    }

    fn user_options(&mut self) -> Parse<RoleOptions> {
        let mut options = RoleOptions::default();
        if self.accept(Kind::With)? {
            let password = match self.kind() {
                Kind::Password => &mut options.password,
                Kind::Hashed => {
                    self.advance()?;
                    &mut options.hashed_password
                }
                _ => return self.no_viable(1),
            };
            self.expect(Kind::Password)?;
            *password = Some(self.expect_content(Kind::String)?);
        }
        if self.accept(Kind::Superuser)? {
            options.superuser = Some(true);
        } else if self.accept(Kind::Nosuperuser)? {
            options.superuser = Some(false);
        }
        Ok(options)
    }

    /// `[WITH option AND …]`
    fn role_options(&mut self) -> Parse<RoleOptions> {
        let mut options = RoleOptions::default();
        if self.accept(Kind::With)? {
            self.and_separated(|parser| parser.role_option(&mut options))?;
        }
        if options.password.is_some() && options.hashed_password.is_some() {
            return self.refuse("Options 'password' and 'hashed password' are mutually exclusive");
        }
        Ok(options)
    }

    fn role_option(&mut self, options: &mut RoleOptions) -> Parse<()> {
        let option = self.kind();
        if option == Kind::Access {
            return self.access(options);
        }
        if !matches!(option, Kind::Password | Kind::Hashed | Kind::Options | Kind::Superuser | Kind::Login) {
            return self.no_viable(1);
        }
        self.decided(1)?;
        self.advance()?;
        if option == Kind::Hashed {
            self.expect(Kind::Password)?;
        }
        self.expect(Kind::Equal)?;
        match option {
            Kind::Password => {
                let password = self.expect_content(Kind::String)?;
                self.set_once(&mut options.password, password, "PASSWORD")
            }
            Kind::Hashed => {
                let password = self.expect_content(Kind::String)?;
                self.set_once(&mut options.hashed_password, password, "HASHED_PASSWORD")
            }
            Kind::Options => {
                let map = self.property_map()?;
                self.set_once(&mut options.custom, map, "OPTIONS")
            }
            Kind::Superuser => {
                let superuser = self.boolean()?;
                self.set_once(&mut options.superuser, superuser, "SUPERUSER")
            }
            _ => {
                let login = self.boolean()?;
                self.set_once(&mut options.login, login, "LOGIN")
            }
        }
    }

    fn set_once<T>(&self, option: &mut Option<T>, value: T, name: &str) -> Parse<()> {
        if option.replace(value).is_some() {
            return self.refuse(format!("Multiple definition for property '{name}'"));
        }
        Ok(())
    }

    fn boolean(&mut self) -> Parse<bool> {
        Ok(self.expect_content(Kind::Boolean)?.eq_ignore_ascii_case("true"))
    }

    /// `ACCESS TO ALL DATACENTERS`, `ACCESS TO DATACENTERS {…}`, `ACCESS FROM … CIDRS …`
    fn access(&mut self, options: &mut RoleOptions) -> Parse<()> {
        let (what, option) = match self.look(2)? {
            Kind::To => (Kind::Datacenters, &mut options.datacenters),
            Kind::From => (Kind::Cidrs, &mut options.cidr_groups),
            _ => return self.no_viable(2),
        };
        let third = self.look(3)?;
        if third != Kind::All && third != what {
            return self.no_viable(3);
        }
        self.decided(3)?;
        self.advance()?;
        self.advance()?;
        if self.accept(Kind::All)? {
            self.expect(what)?;
            *option = Some(Access::All);
            return Ok(());
        }
        self.expect(what)?;
        self.expect(Kind::OpenBrace)?;
        let names = self.comma_separated(|parser| parser.expect_content(Kind::String))?;
        self.expect(Kind::CloseBrace)?;
        *option = Some(Access::Some(names));
        Ok(())
    }

    /// Behind `GRANT` (`between` is TO) and `REVOKE` (FROM).
    pub(super) fn role_grant(&mut self, between: Kind) -> Parse<RoleGrant> {
        let role = self.role_name()?;
        self.expect(between)?;
        Ok(RoleGrant { role, grantee: self.role_name()? })
    }

    /// Behind `GRANT` (`between` is TO) and `REVOKE` (FROM).
    pub(super) fn permission_grant(&mut self, between: Kind) -> Parse<PermissionGrant> {
        let permissions = self.permissions()?;
        self.expect(Kind::On)?;
        let resource = self.resource()?;
        self.expect(between)?;
        Ok(PermissionGrant { permissions, resource, grantee: self.role_name()? })
    }

    fn permissions(&mut self) -> Parse<Permissions> {
        if self.accept(Kind::All)? {
            self.accept(Kind::Permissions)?;
            return Ok(Permissions::All);
        }
        let mut some = vec![self.permission()?];
        while self.accept(Kind::Comma)? {
            some.push(self.permission()?);
        }
        Ok(Permissions::Some(some))
    }

    fn permission(&mut self) -> Parse<Permission> {
        let permission = match self.kind() {
            Kind::Create => Permission::Create,
            Kind::Alter => Permission::Alter,
            Kind::Drop => Permission::Drop,
            Kind::Select => Permission::Select,
            Kind::Modify => Permission::Modify,
            Kind::Authorize => Permission::Authorize,
            Kind::Describe => Permission::Describe,
            Kind::Execute => Permission::Execute,
            Kind::Unmask => Permission::Unmask,
            Kind::SelectMasked => Permission::SelectMasked,
            _ => {
                let how = "NullPointerException Cannot invoke \"Object.getClass()\" because \"e\" is null";
                return Err(self.failure(self.at, Why::Broken(how)));
            }
        };
        self.advance()?;
        self.accept(Kind::Permission)?;
        Ok(permission)
    }

    fn resource(&mut self) -> Parse<Resource> {
        let first = self.kind();
        let ends = |next: Kind| {
            matches!(
                next,
                Kind::Eof
                    | Kind::From
                    | Kind::Norecursive
                    | Kind::Of
                    | Kind::To
                    | Kind::Dot
                    | Kind::Semicolon
            )
        };
        let second = match first {
            Kind::All | Kind::Role | Kind::Function | Kind::Mbean | Kind::Mbeans => self.look(2)?,
            Kind::Keyspace => {
                self.decided(1)?;
                self.advance()?;
                return Ok(Resource::Keyspace(self.keyspace_name()?));
            }
            Kind::Columnfamily => {
                self.decided(1)?;
                self.advance()?;
                return Ok(Resource::Table(self.table_name()?));
            }
            _ if first.is_name() || first == Kind::Question => {
                self.decided(1)?;
                return Ok(Resource::Table(self.table_name()?));
            }
            _ => return self.no_viable(1),
        };
        if second != Kind::Eof {
            self.touch(2)?;
        }
        if ends(second) {
            // A table that is named like the keyword.
            return Ok(Resource::Table(self.table_name()?));
        }
        let fits = match first {
            Kind::All => matches!(
                second,
                Kind::Keyspaces | Kind::Tables | Kind::Roles | Kind::Functions | Kind::Mbeans
            ),
            Kind::Role => second.is_name() || matches!(second, Kind::Question | Kind::String),
            Kind::Function => second.is_name() || matches!(second, Kind::Question | Kind::Token),
            _ => second == Kind::String,
        };
        if !fits {
            return self.no_viable(2);
        }
        self.decided(2)?;
        if second == Kind::Functions
            && !matches!(
                self.look(3)?,
                Kind::In | Kind::Eof | Kind::From | Kind::Norecursive | Kind::Of | Kind::To | Kind::Semicolon
            )
        {
            return self.no_viable(3);
        }
        self.advance()?;
        match first {
            Kind::All => self.all_of(second),
            Kind::Role => Ok(Resource::Role(self.role_name()?)),
            Kind::Function => {
                let name = self.function_name()?;
                Ok(Resource::Function(name, self.type_list()?))
            }
            Kind::Mbean => Ok(Resource::Mbean(self.expect_content(Kind::String)?)),
            _ => Ok(Resource::Mbeans(self.expect_content(Kind::String)?)),
        }
    }

    /// Behind ALL.
    fn all_of(&mut self, what: Kind) -> Parse<Resource> {
        self.advance()?;
        match what {
            Kind::Keyspaces => Ok(Resource::AllKeyspaces),
            Kind::Roles => Ok(Resource::AllRoles),
            Kind::Mbeans => Ok(Resource::AllMbeans),
            Kind::Functions => {
                if !self.accept(Kind::In)? {
                    return Ok(Resource::AllFunctions);
                }
                self.expect(Kind::Keyspace)?;
                Ok(Resource::AllFunctionsIn(self.keyspace_name()?))
            }
            _ => {
                self.expect(Kind::In)?;
                self.expect(Kind::Keyspace)?;
                Ok(Resource::AllTables(self.keyspace_name()?))
            }
        }
    }

    /// Behind LIST.
    pub(super) fn list_permissions(&mut self) -> Parse<ListPermissions> {
        let permissions = self.permissions()?;
        let mut resource = None;
        if self.accept(Kind::On)? {
            resource = Some(self.resource()?);
        }
        let role = self.of_role()?;
        let recursive = !self.accept(Kind::Norecursive)?;
        Ok(ListPermissions { permissions, resource, role, recursive })
    }

    /// Behind `LIST ROLES`.
    pub(super) fn list_roles(&mut self) -> Parse<ListRoles> {
        let role = self.of_role()?;
        let recursive = !self.accept(Kind::Norecursive)?;
        Ok(ListRoles { role, recursive })
    }

    fn of_role(&mut self) -> Parse<Option<String>> {
        match self.accept(Kind::Of)? {
            true => Ok(Some(self.role_name()?)),
            false => Ok(None),
        }
    }

    /// Behind `ADD`.
    pub(super) fn add_identity(&mut self) -> Parse<AddIdentity> {
        self.expect(Kind::Identity)?;
        let if_not_exists = self.if_not_exists()?;
        let identity = self.identity()?;
        self.expect(Kind::To)?;
        self.expect(Kind::Role)?;
        Ok(AddIdentity { identity, role: self.identity()?, if_not_exists })
    }

    /// Behind `DROP`.
    pub(super) fn drop_identity(&mut self) -> Parse<DropIdentity> {
        self.expect(Kind::Identity)?;
        let if_exists = self.if_exists()?;
        Ok(DropIdentity { identity: self.identity()?, if_exists })
    }

    fn identity(&mut self) -> Parse<String> {
        match self.kind() {
            Kind::Ident | Kind::String => self.take_content(),
            Kind::QuotedName => self.refuse("Quoted strings are are not supported for identity"),
            _ => self.no_viable(1),
        }
    }
}
