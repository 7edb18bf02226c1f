use std::collections::BTreeMap;

use super::*;

/// What a running Cassandra 5.0.9 answers to DESCRIBE FULL SCHEMA.
const DESCRIBED: &str = include_str!("../../../testdata/cassandra-5.0/system_tables.txt");

fn described() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let mut described = BTreeMap::new();
    for block in DESCRIBED.trim_start_matches("> ").split("\n> ") {
        let (head, text) = block.split_once('\n').expect("a head line");
        let mut words = head.split(' ');
        let kind = words.next().expect("a kind");
        let keyspace = words.next().expect("a keyspace");
        let name = words.next().expect("a name").trim_matches('"');
        let name = if kind == "keyspace" { "" } else { name };
        described.insert((keyspace, name), text.trim_end_matches('\n'));
    }
    described
}

#[test]
fn every_table_describes_itself_as_cassandra_does() {
    let described = described();
    let mut count = 0;
    for keyspace in keyspaces().values() {
        assert_eq!(cql::describe::keyspace(keyspace), described[&(&*keyspace.name, "")]);
        for table in keyspace.tables.values() {
            assert_eq!(cql::describe::table(table, false), described[&(&*keyspace.name, &*table.name)]);
            count += 1;
        }
    }
    assert_eq!(count, 23 + 8 + 4 + 11 + 2 + 3 + 3);
}

/// All tables that are stored are there: only views of the node's state may be missing.
#[test]
fn no_stored_table_is_missing() {
    for (keyspace, name) in described().into_keys().filter(|(_, name)| !name.is_empty()) {
        let is_there = keyspaces()[keyspace].tables.contains_key(name);
        assert!(is_there || keyspace == "system_views", "{keyspace}.{name}");
    }
}

#[test]
fn ids_are_those_of_every_cassandra_node() {
    let mut count = 0;
    for line in TABLES.lines() {
        let Some((statement, id)) = line.split_once("; -- ") else { continue };
        let name = statement.strip_prefix("CREATE TABLE ").expect("only tables have ids");
        let (keyspace, name) = name.split_once(" (").expect("columns").0.split_once('.').expect("keyspace");
        let name = name.trim_matches('"');
        assert_eq!(table(keyspace, name).id.to_string(), id, "{keyspace}.{name}");
        count += 1;
    }
    assert_eq!(count, 48);
}

#[test]
fn columns_are_in_the_order_of_select_star() {
    let names: Vec<&str> = table("system", "peers_v2").columns().map(|column| &*column.name).collect();
    let want = [
        "peer",
        "peer_port",
        "data_center",
        "host_id",
        "native_address",
        "native_port",
        "preferred_ip",
        "preferred_port",
        "rack",
        "release_version",
        "schema_version",
        "tokens",
    ];
    assert_eq!(names, want);
}

#[test]
fn users_write_neither_the_nodes_own_tables_nor_virtual_ones() {
    let check = |keyspace, name, kind| check_writable(table(keyspace, name), kind);
    assert_eq!(
        check("system_views", "settings", WriteKind::Modify),
        Err(QueryError::invalid("Modification is not supported by table system_views.settings"))
    );
    assert_eq!(
        check("system_views", "clients", WriteKind::Truncate),
        Err(QueryError::invalid("Truncation is not supported by table system_views.clients"))
    );
    assert!(matches!(check("system", "local", WriteKind::Modify), Err(QueryError::Unauthorized(_))));
    assert!(matches!(
        check("system_schema", "tables", WriteKind::Truncate),
        Err(QueryError::Unauthorized(_))
    ));
    assert_eq!(check("system_traces", "events", WriteKind::Modify), Ok(()));
}
