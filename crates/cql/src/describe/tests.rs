use std::collections::BTreeMap;
use std::sync::Arc;

use model::schema::{Column, ColumnId, ColumnKind, DroppedColumn, Table, TableId, TableOptions};
use model::types::{CqlType, UserType};

use super::*;

fn column(name: &str, ty: CqlType, kind: ColumnKind, position: u32) -> Column {
    Column { id: ColumnId(position), name: name.into(), ty, kind, position, reversed: false }
}

/// `demo.t (a int, b int, c int, PRIMARY KEY (a, b))`
fn three_columns() -> Table {
    Table {
        id: TableId("23ecdd30-e694-11f1-8d70-ddec1639f65e".parse().expect("a uuid")),
        keyspace: "demo".into(),
        name: "t".into(),
        partition_key: vec![column("a", CqlType::Int, ColumnKind::PartitionKey, 0)],
        clustering: vec![column("b", CqlType::Int, ColumnKind::Clustering, 0)],
        statics: Vec::new(),
        regulars: vec![column("c", CqlType::Int, ColumnKind::Regular, 0)],
        is_counter: false,
        is_compact: false,
        is_virtual: false,
        options: TableOptions::default(),
        dropped: BTreeMap::new(),
        next_column_id: 3,
    }
}

/// The text without the options between the first and the last.
fn without_options(text: &str) -> String {
    let is_shown =
        |line: &&str| !line.starts_with("    AND ") || line.contains("ORDER BY") || line.ends_with(';');
    text.lines().filter(is_shown).collect::<Vec<_>>().join("\n")
}

const COLUMNS: &str = "    a int,\n    b int,\n    c int,\n    PRIMARY KEY (a, b)\n)";

#[test]
fn a_table_with_internals_shows_its_id_and_what_was_dropped() {
    let mut described = three_columns();
    for (name, ty) in [("c", CqlType::Int), ("d", CqlType::Text)] {
        let name: Arc<str> = name.into();
        let dropped =
            DroppedColumn { name: Arc::clone(&name), ty, kind: ColumnKind::Regular, dropped_at_us: 7000 };
        described.dropped.insert(name, dropped);
    }
    assert_eq!(
        without_options(&table(&described, true)),
        "CREATE TABLE demo.t (\n    a int,\n    b int,\n    c int,\n    d text,\n    PRIMARY KEY (a, b)\n) WITH ID = \
         23ecdd30-e694-11f1-8d70-ddec1639f65e\n    AND CLUSTERING ORDER BY (b ASC)\n    AND speculative_retry = \
         '99p';\nALTER TABLE demo.t DROP c USING TIMESTAMP 7000;\nALTER TABLE demo.t ADD c int;\nALTER TABLE demo.t \
         DROP d USING TIMESTAMP 7000;"
    );
    let plain = without_options(&table(&described, false));
    let want = format!(
        "CREATE TABLE demo.t (\n{COLUMNS} WITH CLUSTERING ORDER BY (b ASC)\n    AND speculative_retry = '99p';"
    );
    assert_eq!(plain, want);
}

#[test]
fn a_compact_table_stands_in_a_comment() {
    let compact = Table { is_compact: true, ..three_columns() };
    assert_eq!(
        without_options(&table(&compact, false)),
        format!(
            "/*\nWarning: Table demo.t omitted because it has constructs not compatible with CQL (was created via \
             legacy API).\nApproximate structure, for reference:\n(this should not be used to reproduce this \
             schema)\n\nCREATE TABLE demo.t (\n{COLUMNS} WITH COMPACT STORAGE\n    AND CLUSTERING ORDER BY (b \
             ASC)\n    AND speculative_retry = '99p';\n*/"
        )
    );
}

#[test]
fn a_virtual_table_has_only_a_comment_for_options() {
    let mut described = Table { is_virtual: true, ..three_columns() };
    described.options.comment = "it's".to_owned();
    let text = |options: &str| {
        format!(
            "/*\nWarning: Table demo.t is a virtual table and cannot be recreated with CQL.\nStructure, for \
             reference:\nVIRTUAL TABLE demo.t (\n{COLUMNS} WITH {options}CLUSTERING ORDER BY (b ASC)\n    AND \
             comment = 'it''s';\n*/"
        )
    };
    assert_eq!(table(&described, false), text(""));
    assert_eq!(table(&described, true), text("ID = 23ecdd30-e694-11f1-8d70-ddec1639f65e\n    AND "));
}

#[test]
fn keyspaces_show_short_class_names_and_two_blanks() {
    let mut described = Keyspace {
        name: "Up".into(),
        replication: [
            ("class".to_owned(), "org.apache.cassandra.locator.NetworkTopologyStrategy".to_owned()),
            ("dc1".to_owned(), "3".to_owned()),
        ]
        .into(),
        durable_writes: false,
        tables: BTreeMap::new(),
        types: BTreeMap::new(),
    };
    assert_eq!(
        keyspace(&described),
        "CREATE KEYSPACE \"Up\" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': '3'}  AND \
         durable_writes = false;"
    );
    described.tables.insert("t".into(), Arc::new(Table { is_virtual: true, ..three_columns() }));
    assert!(keyspace(&described).contains("\nVIRTUAL KEYSPACE \"Up\";\n"));
}

#[test]
fn types_show_their_fields_as_declared() {
    let inner = Arc::new(UserType { keyspace: "k".into(), name: "In".into(), fields: Vec::new() });
    let fields = vec![
        ("select".into(), CqlType::Udt { definition: inner, frozen: true }),
        ("l".into(), CqlType::list(CqlType::Int, false)),
    ];
    assert_eq!(
        user_type(&UserType { keyspace: "k".into(), name: "out".into(), fields }),
        "CREATE TYPE k.out (\n    \"select\" frozen<\"In\">,\n    l list<int>\n);"
    );
}

#[test]
fn doubles_are_those_of_java() {
    let check = |number: f64, want: &str| assert_eq!(java_double(number), want);
    check(0.01, "0.01");
    check(1.0, "1.0");
    check(0.0, "0.0");
    check(0.001, "0.001");
    check(0.0001, "1.0E-4");
    check(6.71e-5, "6.71E-5");
    check(9_999_999.0, "9999999.0");
    check(1e7, "1.0E7");
    check(-0.5, "-0.5");
    check(f64::NAN, "NaN");
    check(f64::NEG_INFINITY, "-Infinity");
}

/// Seen on Cassandra 5.0.9 after dropping six columns, two of them first.
#[test]
fn dropped_columns_come_in_the_order_of_a_hash_map() {
    let mut described = three_columns();
    for name in ["l", "s", "v", "w", "x", "y"] {
        let name: Arc<str> = name.into();
        let dropped = DroppedColumn {
            name: Arc::clone(&name),
            ty: CqlType::Int,
            kind: ColumnKind::Regular,
            dropped_at_us: 0,
        };
        described.dropped.insert(name, dropped);
    }
    let order: String = dropped::in_order(&described).iter().map(|column| &*column.name).collect();
    assert_eq!(order, "yslvwx");
}
