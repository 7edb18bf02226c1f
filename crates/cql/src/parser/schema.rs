//! CREATE of keyspaces, tables, types, indexes, views, triggers.

use super::Parser;
use super::failure::Parse;
use super::properties::PropertyList;
use crate::ast::{
    ClusteringOrder, ColumnDefinition, ColumnMask, CreateIndex, CreateKeyspace, CreateTable, CreateTrigger,
    CreateType, CreateView, FunctionName, IndexTarget, IndexTargetKind, PrimaryKey, TypeName,
};
use crate::lexer::Kind;

impl Parser<'_> {
    /// Behind CREATE, as all rules here.
    pub(super) fn create_keyspace(&mut self) -> Parse<CreateKeyspace> {
        self.expect(Kind::Keyspace)?;
        let if_not_exists = self.if_not_exists()?;
        let keyspace = self.keyspace_name()?;
        self.expect(Kind::With)?;
        Ok(CreateKeyspace { keyspace, if_not_exists, properties: self.properties()? })
    }

    pub(super) fn create_table(&mut self) -> Parse<CreateTable> {
        self.expect(Kind::Columnfamily)?;
        let if_not_exists = self.if_not_exists()?;
        let mut table = CreateTable {
            table: self.table_name()?,
            if_not_exists,
            columns: Vec::new(),
            primary_keys: Vec::new(),
            clustering_order: Vec::new(),
            compact_storage: false,
            properties: Vec::new(),
        };
        self.expect(Kind::Open)?;
        self.table_column(&mut table)?;
        while self.accept(Kind::Comma)? {
            if self.kind().is_name() || self.kind() == Kind::Primary {
                self.table_column(&mut table)?;
            }
        }
        self.expect(Kind::Close)?;
        if self.accept(Kind::With)? {
            let mut properties = PropertyList::default();
            self.and_separated(|parser| {
                let compact = parser.table_property(&mut properties, &mut table.clustering_order)?;
                table.compact_storage |= compact;
                Ok(())
            })?;
            table.properties = properties.into_list();
        }
        Ok(table)
    }

    fn table_column(&mut self, table: &mut CreateTable) -> Parse<()> {
        if self.kind() == Kind::Primary {
            table.primary_keys.push(self.primary_key()?);
            return Ok(());
        }
        let column = self.column_definition()?;
        if self.accept(Kind::Primary)? {
            self.expect(Kind::Key)?;
            let partition_key = vec![column.name.clone()];
            table.primary_keys.push(PrimaryKey { partition_key, clustering: Vec::new() });
        }
        table.columns.push(column);
        Ok(())
    }

    /// `name type [STATIC] [MASKED WITH …]`
    pub(super) fn column_definition(&mut self) -> Parse<ColumnDefinition> {
        let name = self.identifier()?;
        let column_type = self.type_name()?;
        let is_static = self.accept(Kind::Static)?;
        let mut mask = None;
        if self.kind() == Kind::Masked {
            mask = Some(self.column_mask()?);
        }
        Ok(ColumnDefinition { name, column_type, is_static, mask })
    }

    /// `MASKED WITH DEFAULT`, `MASKED WITH f(…)`
    pub(super) fn column_mask(&mut self) -> Parse<ColumnMask> {
        if self.kind() != Kind::Masked {
            return self.no_viable(1);
        }
        if self.look(2)? != Kind::With {
            return self.no_viable(2);
        }
        let is_default = match self.look(3)? {
            Kind::Default => !matches!(self.look(4)?, Kind::Open | Kind::Dot),
            third if third.is_name() || matches!(third, Kind::Token | Kind::Question) => false,
            _ => return self.no_viable(3),
        };
        self.advance()?;
        self.advance()?;
        if is_default {
            self.advance()?;
            let function =
                FunctionName { keyspace: Some("system".to_owned()), name: "mask_default".to_owned() };
            return Ok(ColumnMask { function, arguments: Vec::new() });
        }
        let function = self.function_name()?;
        let mut arguments = Vec::new();
        if self.kind() != Kind::Open {
            return self.no_viable(1);
        }
        match self.look(2)? {
            Kind::Close => {
                self.advance()?;
                self.advance()?;
            }
            second if Parser::begins_term(second) => {
                arguments = self.parenthesised(Parser::term)?;
            }
            _ => return self.no_viable(2),
        }
        Ok(ColumnMask { function, arguments })
    }

    /// `PRIMARY KEY ((a, b), c)`
    fn primary_key(&mut self) -> Parse<PrimaryKey> {
        self.expect(Kind::Primary)?;
        self.expect(Kind::Key)?;
        self.expect(Kind::Open)?;
        let partition_key = match self.kind() {
            Kind::Open => self.parenthesised(Parser::identifier)?,
            _ => vec![self.identifier()?],
        };
        let mut clustering = Vec::new();
        while self.accept(Kind::Comma)? {
            clustering.push(self.identifier()?);
        }
        self.expect(Kind::Close)?;
        Ok(PrimaryKey { partition_key, clustering })
    }

    /// A property, CLUSTERING ORDER or COMPACT STORAGE; whether it was the last.
    fn table_property(
        &mut self,
        properties: &mut PropertyList,
        order: &mut Vec<ClusteringOrder>,
    ) -> Parse<bool> {
        match self.kind() {
            Kind::Compact => match self.look(2)? {
                Kind::Storage => {
                    self.advance()?;
                    self.advance()?;
                    return Ok(true);
                }
                Kind::Equal => {}
                _ => return self.no_viable(2),
            },
            Kind::Clustering => match self.look(2)? {
                Kind::Order => {
                    self.advance()?;
                    self.advance()?;
                    self.expect(Kind::By)?;
                    order.extend(self.parenthesised(Parser::clustering_order)?);
                    return Ok(false);
                }
                Kind::Equal => {}
                _ => return self.no_viable(2),
            },
            kind if kind.is_name() => {}
            _ => return self.no_viable(1),
        }
        self.property(properties)?;
        Ok(false)
    }

    fn clustering_order(&mut self) -> Parse<ClusteringOrder> {
        let column = self.identifier()?;
        let descending = match self.kind() {
            Kind::Asc => false,
            Kind::Desc => true,
            _ => return self.no_viable(1),
        };
        self.advance()?;
        Ok(ClusteringOrder { column, descending })
    }

    pub(super) fn create_type(&mut self) -> Parse<CreateType> {
        self.expect(Kind::Type)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.user_type_name()?;
        self.expect(Kind::Open)?;
        let mut fields = vec![self.field_definition()?];
        while self.accept(Kind::Comma)? {
            if self.kind().is_name() {
                fields.push(self.field_definition()?);
            }
        }
        self.expect(Kind::Close)?;
        Ok(CreateType { name, if_not_exists, fields })
    }

    /// `name type`
    pub(super) fn field_definition(&mut self) -> Parse<(String, TypeName)> {
        let field = self.identifier()?;
        Ok((field, self.type_name()?))
    }

    pub(super) fn create_index(&mut self) -> Parse<CreateIndex> {
        let custom = self.accept(Kind::Custom)?;
        self.expect(Kind::Index)?;
        let if_not_exists = self.if_not_exists()?;
        let mut name = None;
        if self.kind().is_name() || self.kind() == Kind::Question {
            name = Some(self.bare_index_name()?);
        }
        self.expect(Kind::On)?;
        let table = self.table_name()?;
        self.expect(Kind::Open)?;
        let mut targets = Vec::new();
        let begins = Parser::begins_column(self.kind());
        if begins || matches!(self.kind(), Kind::Entries | Kind::Full) {
            targets = self.comma_separated(Parser::index_target)?;
        }
        self.expect(Kind::Close)?;
        let mut using = None;
        if self.accept(Kind::Using)? {
            using = Some(self.expect_content(Kind::String)?);
        }
        let properties = self.optional_properties()?;
        Ok(CreateIndex { custom, if_not_exists, name, table, targets, using, properties })
    }

    fn index_target(&mut self) -> Parse<IndexTarget> {
        let kind = match self.kind() {
            Kind::Entries => IndexTargetKind::Entries,
            Kind::Full => IndexTargetKind::Full,
            word @ (Kind::Values | Kind::Keys) => match (self.look(2)?, word) {
                (Kind::Open, Kind::Values) => IndexTargetKind::Values,
                (Kind::Open, _) => IndexTargetKind::Keys,
                (Kind::Close | Kind::Comma, _) => IndexTargetKind::Simple,
                _ => return self.no_viable(2),
            },
            _ => IndexTargetKind::Simple,
        };
        if kind == IndexTargetKind::Simple {
            return Ok(IndexTarget { column: self.column()?, kind });
        }
        self.advance()?;
        self.expect(Kind::Open)?;
        let column = self.column()?;
        self.expect(Kind::Close)?;
        Ok(IndexTarget { column, kind })
    }

    pub(super) fn create_view(&mut self) -> Parse<CreateView> {
        self.expect(Kind::Materialized)?;
        self.expect(Kind::View)?;
        let if_not_exists = self.if_not_exists()?;
        let view = self.table_name()?;
        self.expect(Kind::As)?;
        self.expect(Kind::Select)?;
        let selectors = self.selectors()?;
        self.expect(Kind::From)?;
        let base = self.table_name()?;
        let where_clause = self.optional_where()?;
        let primary_key = self.primary_key()?;
        let mut clustering_order = Vec::new();
        let mut properties = PropertyList::default();
        if self.accept(Kind::With)? {
            self.and_separated(|parser| {
                if parser.table_property(&mut properties, &mut clustering_order)? {
                    return parser.refuse("COMPACT STORAGE tables are not allowed starting with version 4.0");
                }
                Ok(())
            })?;
        }
        Ok(CreateView {
            view,
            if_not_exists,
            base,
            selectors,
            where_clause,
            primary_key,
            clustering_order,
            properties: properties.into_list(),
        })
    }

    pub(super) fn create_trigger(&mut self) -> Parse<CreateTrigger> {
        self.expect(Kind::Trigger)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.identifier()?;
        self.expect(Kind::On)?;
        let table = self.table_name()?;
        self.expect(Kind::Using)?;
        let class = self.expect_content(Kind::String)?;
        Ok(CreateTrigger { name, if_not_exists, table, class })
    }
}
