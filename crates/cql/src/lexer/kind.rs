//! The kinds of tokens and the keywords.

use crate::ast::NativeType;

/// How a keyword may be used apart from its own meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Not a keyword, or one that is nothing else.
    Reserved,
    /// Any identifier: columns, tables, functions, types.
    Basic,
    /// A type that may name columns, tables and functions, but no user type.
    Native(NativeType),
    /// Columns and tables, but neither functions nor types.
    Column,
}

macro_rules! kinds {
    (
        other { $($other:ident $shown:literal)* }
        keywords { $($keyword:ident $word:literal $class:expr;)* }
    ) => {
        /// What a token is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Kind {
            $($other,)*
            $($keyword,)*
        }

        impl Kind {
            /// As error texts name it after "expecting".
            pub fn shown(self) -> &'static str {
                match self {
                    $(Kind::$other => $shown,)*
                    $(Kind::$keyword => concat!("K_", $word),)*
                }
            }

            /// How the keyword may be used.
            pub fn class(self) -> Class {
                match self {
                    $(Kind::$other => Class::Reserved,)*
                    $(Kind::$keyword => $class,)*
                }
            }

            /// The keyword that this word is; `word` in upper case.
            pub fn keyword(word: &str) -> Option<Kind> {
                match word {
                    $($word => Some(Kind::$keyword),)*
                    "TABLE" => Some(Kind::Columnfamily),
                    "COLUMNFAMILIES" => Some(Kind::Tables),
                    "NAN" => Some(Kind::PositiveNan),
                    "INFINITY" => Some(Kind::PositiveInfinity),
                    "TRUE" | "FALSE" => Some(Kind::Boolean),
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    other {
        Eof "EOF"
        Space "WS"
        Comment "COMMENT"
        Ident "IDENT"
        QuotedName "QUOTED_NAME"
        EmptyQuotedName "EMPTY_QUOTED_NAME"
        String "STRING_LITERAL"
        Integer "INTEGER"
        Float "FLOAT"
        Boolean "BOOLEAN"
        Duration "DURATION"
        Uuid "UUID"
        Hex "HEXNUMBER"
        PositiveNan "K_POSITIVE_NAN"
        NegativeNan "K_NEGATIVE_NAN"
        PositiveInfinity "K_POSITIVE_INFINITY"
        NegativeInfinity "K_NEGATIVE_INFINITY"
        Question "QMARK"
        Range "RANGE"
        ExprOpen "'expr('"
        NotEqual "'!='"
        Percent "'%'"
        Open "'('"
        Close "')'"
        Plus "'+'"
        PlusEqual "'+='"
        Comma "','"
        Minus "'-'"
        MinusEqual "'-='"
        Dot "'.'"
        Slash "'/'"
        Colon "':'"
        Semicolon "';'"
        Less "'<'"
        LessEqual "'<='"
        Equal "'='"
        Greater "'>'"
        GreaterEqual "'>='"
        OpenBracket "'['"
        Star "'\\*'"
        CloseBracket "']'"
        OpenBrace "'{'"
        CloseBrace "'}'"
    }
    keywords {
        Access "ACCESS" Class::Basic;
        Add "ADD" Class::Reserved;
        Aggregate "AGGREGATE" Class::Basic;
        Aggregates "AGGREGATES" Class::Basic;
        All "ALL" Class::Basic;
        Allow "ALLOW" Class::Reserved;
        Alter "ALTER" Class::Reserved;
        And "AND" Class::Reserved;
        Ann "ANN" Class::Basic;
        Apply "APPLY" Class::Reserved;
        As "AS" Class::Basic;
        Asc "ASC" Class::Reserved;
        Ascii "ASCII" Class::Native(NativeType::Ascii);
        Authorize "AUTHORIZE" Class::Reserved;
        Batch "BATCH" Class::Reserved;
        Begin "BEGIN" Class::Reserved;
        Bigint "BIGINT" Class::Native(NativeType::Bigint);
        Blob "BLOB" Class::Native(NativeType::Blob);
        BooleanType "BOOLEAN" Class::Native(NativeType::Boolean);
        By "BY" Class::Reserved;
        Called "CALLED" Class::Basic;
        Cast "CAST" Class::Column;
        Cidrs "CIDRS" Class::Basic;
        Cluster "CLUSTER" Class::Basic;
        Clustering "CLUSTERING" Class::Basic;
        Columnfamily "COLUMNFAMILY" Class::Reserved;
        Compact "COMPACT" Class::Basic;
        Contains "CONTAINS" Class::Basic;
        Count "COUNT" Class::Column;
        Counter "COUNTER" Class::Native(NativeType::Counter);
        Create "CREATE" Class::Reserved;
        Custom "CUSTOM" Class::Basic;
        Datacenters "DATACENTERS" Class::Basic;
        Date "DATE" Class::Native(NativeType::Date);
        Decimal "DECIMAL" Class::Native(NativeType::Decimal);
        Default "DEFAULT" Class::Basic;
        Delete "DELETE" Class::Reserved;
        Desc "DESC" Class::Reserved;
        Describe "DESCRIBE" Class::Reserved;
        Distinct "DISTINCT" Class::Column;
        Double "DOUBLE" Class::Native(NativeType::Double);
        Drop "DROP" Class::Reserved;
        DurationType "DURATION" Class::Native(NativeType::Duration);
        Entries "ENTRIES" Class::Reserved;
        Execute "EXECUTE" Class::Reserved;
        Exists "EXISTS" Class::Basic;
        Filtering "FILTERING" Class::Basic;
        Finalfunc "FINALFUNC" Class::Basic;
        FloatType "FLOAT" Class::Native(NativeType::Float);
        From "FROM" Class::Reserved;
        Frozen "FROZEN" Class::Basic;
        Full "FULL" Class::Reserved;
        Function "FUNCTION" Class::Basic;
        Functions "FUNCTIONS" Class::Basic;
        Grant "GRANT" Class::Reserved;
        Group "GROUP" Class::Basic;
        Hashed "HASHED" Class::Basic;
        Identity "IDENTITY" Class::Basic;
        If "IF" Class::Reserved;
        In "IN" Class::Reserved;
        Index "INDEX" Class::Reserved;
        Inet "INET" Class::Native(NativeType::Inet);
        Initcond "INITCOND" Class::Basic;
        Input "INPUT" Class::Basic;
        Insert "INSERT" Class::Reserved;
        Int "INT" Class::Native(NativeType::Int);
        Internals "INTERNALS" Class::Basic;
        Into "INTO" Class::Reserved;
        Is "IS" Class::Reserved;
        Json "JSON" Class::Column;
        Key "KEY" Class::Column;
        Keys "KEYS" Class::Basic;
        Keyspace "KEYSPACE" Class::Reserved;
        Keyspaces "KEYSPACES" Class::Basic;
        Language "LANGUAGE" Class::Basic;
        Like "LIKE" Class::Basic;
        Limit "LIMIT" Class::Reserved;
        List "LIST" Class::Basic;
        Login "LOGIN" Class::Basic;
        Map "MAP" Class::Basic;
        Masked "MASKED" Class::Basic;
        Materialized "MATERIALIZED" Class::Reserved;
        Maxwritetime "MAXWRITETIME" Class::Column;
        Mbean "MBEAN" Class::Basic;
        Mbeans "MBEANS" Class::Basic;
        Modify "MODIFY" Class::Reserved;
        Nologin "NOLOGIN" Class::Basic;
        Norecursive "NORECURSIVE" Class::Reserved;
        Nosuperuser "NOSUPERUSER" Class::Basic;
        Not "NOT" Class::Reserved;
        Null "NULL" Class::Reserved;
        Of "OF" Class::Reserved;
        On "ON" Class::Reserved;
        Only "ONLY" Class::Basic;
        Options "OPTIONS" Class::Basic;
        Or "OR" Class::Reserved;
        Order "ORDER" Class::Reserved;
        Partition "PARTITION" Class::Basic;
        Password "PASSWORD" Class::Basic;
        Per "PER" Class::Basic;
        Permission "PERMISSION" Class::Basic;
        Permissions "PERMISSIONS" Class::Basic;
        Primary "PRIMARY" Class::Reserved;
        Rename "RENAME" Class::Reserved;
        Replace "REPLACE" Class::Basic;
        Returns "RETURNS" Class::Basic;
        Revoke "REVOKE" Class::Reserved;
        Role "ROLE" Class::Basic;
        Roles "ROLES" Class::Basic;
        Schema "SCHEMA" Class::Reserved;
        Select "SELECT" Class::Reserved;
        SelectMasked "SELECT_MASKED" Class::Basic;
        Set "SET" Class::Reserved;
        Sfunc "SFUNC" Class::Basic;
        Smallint "SMALLINT" Class::Native(NativeType::Smallint);
        Static "STATIC" Class::Basic;
        Storage "STORAGE" Class::Basic;
        Stype "STYPE" Class::Basic;
        Superuser "SUPERUSER" Class::Basic;
        Tables "TABLES" Class::Basic;
        Text "TEXT" Class::Native(NativeType::Text);
        Time "TIME" Class::Native(NativeType::Time);
        Timestamp "TIMESTAMP" Class::Native(NativeType::Timestamp);
        Timeuuid "TIMEUUID" Class::Native(NativeType::Timeuuid);
        Tinyint "TINYINT" Class::Native(NativeType::Tinyint);
        To "TO" Class::Reserved;
        Token "TOKEN" Class::Reserved;
        Trigger "TRIGGER" Class::Basic;
        Truncate "TRUNCATE" Class::Reserved;
        Ttl "TTL" Class::Column;
        Tuple "TUPLE" Class::Basic;
        Type "TYPE" Class::Basic;
        Types "TYPES" Class::Basic;
        Unlogged "UNLOGGED" Class::Reserved;
        Unmask "UNMASK" Class::Basic;
        Unset "UNSET" Class::Basic;
        Update "UPDATE" Class::Reserved;
        Use "USE" Class::Reserved;
        User "USER" Class::Basic;
        Users "USERS" Class::Basic;
        Using "USING" Class::Reserved;
        UuidType "UUID" Class::Native(NativeType::Uuid);
        Values "VALUES" Class::Basic;
        Varchar "VARCHAR" Class::Native(NativeType::Varchar);
        Varint "VARINT" Class::Native(NativeType::Varint);
        Vector "VECTOR" Class::Basic;
        View "VIEW" Class::Reserved;
        Where "WHERE" Class::Reserved;
        With "WITH" Class::Reserved;
        Writetime "WRITETIME" Class::Column;
    }
}

impl Kind {
    /// White space or comment.
    pub fn is_hidden(self) -> bool {
        matches!(self, Kind::Space | Kind::Comment)
    }

    /// Can be an identifier: a word, a quoted name or a keyword that is not reserved.
    pub fn is_name(self) -> bool {
        matches!(self, Kind::Ident | Kind::QuotedName) || self.class() != Class::Reserved
    }

    /// Can be the name of a function, `token` and `count` among them.
    pub fn is_function_name(self) -> bool {
        match self {
            Kind::Ident | Kind::QuotedName | Kind::Token | Kind::Count => true,
            _ => matches!(self.class(), Class::Basic | Class::Native(_)),
        }
    }

    /// Is a keyword that may only name columns and tables, and is not `count`.
    pub fn is_column_keyword(self) -> bool {
        self.class() == Class::Column && self != Kind::Count
    }

    /// A constant of one token; `null` is none.
    pub fn is_constant(self) -> bool {
        matches!(
            self,
            Kind::String
                | Kind::Integer
                | Kind::Float
                | Kind::Boolean
                | Kind::Duration
                | Kind::Uuid
                | Kind::Hex
                | Kind::PositiveNan
                | Kind::NegativeNan
                | Kind::PositiveInfinity
                | Kind::NegativeInfinity
        )
    }

    /// One of `= < <= > >= !=`.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Kind::Equal | Kind::Less | Kind::LessEqual | Kind::Greater | Kind::GreaterEqual | Kind::NotEqual
        )
    }
}
