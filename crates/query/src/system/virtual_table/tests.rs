use super::*;

fn rows(keyspace: &str, name: &str, node: &NodeState) -> Vec<(PartitionKey, Row)> {
    let schema = definitions::initial_schema();
    let table = definitions::table(keyspace, name);
    let found = virtual_table(table.id).expect("it is served");
    assert_eq!(found.table(), table);
    found.rows(&VirtualContext { schema: &schema, node })
}

/// Key, clustering and values of a row as text where they are text.
fn shown(table: &Table, (key, row): &(PartitionKey, Row)) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut shown = vec![text(&key.key)];
    shown.extend(row.clustering.values.iter().flatten().map(|value| text(value)));
    for column in &table.regulars {
        if let Some(ColumnData::Cell(cell)) = row.column(column.id) {
            shown.push(format!("{}={}", column.name, text(&cell.value)));
        }
    }
    shown
}

#[test]
fn every_virtual_table_that_is_defined_is_served() {
    for table in definitions::initial_schema().tables() {
        assert_eq!(virtual_table(table.id).is_some(), table.is_virtual, "{}.{}", table.keyspace, table.name);
    }
    assert_eq!(virtual_tables().count(), 6);
}

#[test]
fn the_virtual_schema_describes_itself() {
    let node = NodeState::default();
    let keyspaces = rows("system_virtual_schema", "keyspaces", &node);
    let names: Vec<&[u8]> = keyspaces.iter().map(|(key, _)| key.key.as_ref()).collect();
    assert_eq!(names, [b"system_views" as &[u8], b"system_virtual_schema"]);

    let table = definitions::table("system_virtual_schema", "tables");
    let tables = rows("system_virtual_schema", "tables", &node);
    assert_eq!(tables.len(), 6);
    assert_eq!(
        shown(table, &tables[3]),
        ["system_virtual_schema", "columns", "comment=virtual column definitions"]
    );

    let table = definitions::table("system_virtual_schema", "columns");
    let columns = rows("system_virtual_schema", "columns", &node);
    assert_eq!(columns.len(), 14 + 2 + 2 + 8 + 1 + 3);
    assert_eq!(
        shown(table, &columns[0]),
        [
            "system_views",
            "clients",
            "address",
            "clustering_order=none",
            "column_name_bytes=address",
            "kind=partition_key",
            "position=\0\0\0\0",
            "type=inet",
        ]
    );
    assert!(columns.is_sorted_by(|(a, a_row), (b, b_row)| {
        (&a.key, &a_row.clustering.order) < (&b.key, &b_row.clustering.order)
    }));
}

#[test]
fn settings_stand_in_the_order_of_their_names() {
    let settings = [("b".to_owned(), None), ("a".to_owned(), Some("1".to_owned()))].into();
    let node = NodeState { settings, ..NodeState::default() };
    let table = definitions::table("system_views", "settings");
    let rows: Vec<Vec<String>> =
        rows("system_views", "settings", &node).iter().map(|row| shown(table, row)).collect();
    assert_eq!(rows, [vec!["a", "value=1"], vec!["b"]]);
}

#[test]
fn clients_are_shown_with_their_options() {
    let client = Client {
        address: ([127, 0, 0, 1], 40000).into(),
        options: [("CQL_VERSION".to_owned(), "3.0.0".to_owned())].into(),
        driver: Some(("gocql".to_owned(), "2".to_owned())),
        stage: "ready".to_owned(),
        keyspace: None,
        protocol_version: 5,
        request_count: 3,
        username: "anonymous".to_owned(),
    };
    let node = NodeState { clients: vec![client], ..NodeState::default() };
    let table = definitions::table("system_views", "clients");
    let rows = rows("system_views", "clients", &node);
    let shown = shown(table, &rows[0]);
    assert_eq!(&*rows[0].0.key, [127, 0, 0, 1]);
    assert!(
        shown.contains(&"driver_name=gocql".to_owned()) && shown.contains(&"username=anonymous".to_owned())
    );
    assert!(!shown.iter().any(|value| value.starts_with("keyspace_name")));
}
