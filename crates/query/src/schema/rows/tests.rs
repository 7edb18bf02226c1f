use model::{ColumnData, QueryError};

use super::*;
use crate::schema::conversation::{Session, Stored};

const BIG: [&str; 10] = [
    "CREATE KEYSPACE big WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1} \
     AND durable_writes = false",
    "USE big",
    "CREATE TYPE \"Inner\" (\"a b\" int, l list<int>, v vector<float, 3>)",
    "CREATE TYPE outer1 (i frozen<\"Inner\">, m map<text, frozen<\"Inner\">>)",
    "CREATE TYPE abc (o frozen<outer1>)",
    "CREATE TABLE all_types (a ascii, b bigint, c blob, d boolean, e decimal, f double, g float, h inet, \
     i smallint, j tinyint, k time, l date, m timeuuid, n varint, o duration, p list<int>, q set<text>, \
     r map<text, frozen<list<int>>>, s frozen<outer1>, t tuple<int, frozen<\"Inner\">>, \
     u vector<text, 2>, w frozen<map<int, text>>, x uuid, y timestamp, z text, \"Odd \"\"name\" int, \
     PRIMARY KEY ((a, b), d, h)) WITH CLUSTERING ORDER BY (d DESC, h ASC)",
    "CREATE TABLE counters (k int, c int, n counter, s counter static, PRIMARY KEY (k, c))",
    "CREATE TABLE statics (k int, c frozen<abc>, s list<int> static, t text static, v int, PRIMARY KEY (k, c))",
    "CREATE TABLE settings (k int PRIMARY KEY) WITH comment = 'it''s' AND cdc = true \
     AND allow_auto_snapshot = false AND incremental_backups = false AND gc_grace_seconds = 1 \
     AND compression = {'enabled': false} AND caching = {'keys': 'NONE', 'rows_per_partition': '10'} \
     AND compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 10} \
     AND crc_check_chance = 0.5 AND read_repair = 'NONE' AND speculative_retry = 'MAX(99p,10ms)' \
     AND default_time_to_live = 7 AND memtable_flush_period_in_ms = 8 AND min_index_interval = 9 \
     AND max_index_interval = 10 AND additional_write_policy = '5ms' AND bloom_filter_fp_chance = 0.2",
    "CREATE TABLE flat (k int PRIMARY KEY)",
];

fn big() -> Session {
    let mut session = Session::new();
    for statement in BIG {
        session.run(statement);
    }
    session
}

fn nothing() -> Schema {
    Schema { version: Uuid::nil(), keyspaces: BTreeMap::new() }
}

/// Column numbers too: nothing has been altered.
#[test]
fn a_schema_comes_back_from_its_rows_as_it_was() {
    let session = big();
    let mut stored = Stored::default();
    stored.apply(mutations(&nothing(), &session.schema, 1));
    assert_eq!(stored.schema(), session.schema);
}

#[test]
fn what_is_altered_comes_back_too() {
    let mut session = big(); // each change is compared with what its rows say
    session.run("ALTER TABLE all_types DROP p");
    session.run("ALTER TABLE all_types ADD (p list<int>, aa int)");
    session.run("ALTER TABLE all_types DROP (s, t)");
    session.run("ALTER TABLE all_types RENAME a TO \"A\" AND d TO dd");
    session.run("ALTER TYPE \"Inner\" RENAME l TO ll");
    session.run("ALTER TYPE outer1 ADD extra set<int>");
    session.run("ALTER TABLE settings WITH cdc = false AND comment = ''");
    session.run("DROP TABLE counters");
    session.run("DROP TABLE flat");
    session.run("CREATE TABLE flat (k text PRIMARY KEY)");
    session.run("DROP KEYSPACE big");
}

#[test]
fn rows_of_a_keyspace_are_those_of_its_first_write() {
    let session = big();
    let keyspace = session.schema.keyspace("big").expect("created");
    let rows = rows_of_keyspace(keyspace, 5);
    let count = |name: &str| rows.iter().filter(|(table, ..)| &*table.name == name).count();
    assert_eq!(
        ["keyspaces", "types", "tables", "columns", "dropped_columns"].map(count),
        [1, 3, 5, 26 + 4 + 5 + 1 + 1, 0]
    );
    let (_, key, _) = &rows[0];
    assert_eq!(&*key.key, b"big");
}

#[test]
fn a_change_writes_only_what_is_different() {
    let mut session = big();
    let before = session.schema.clone();
    session.run("ALTER TABLE flat ADD v int");
    let mutations = mutations(&before, &session.schema, 9);
    assert_eq!(mutations.len(), 1);
    assert_eq!(&*mutations[0].table.name, "columns");
    assert_eq!(mutations[0].update.rows.len(), 1);
    assert!(super::mutations(&session.schema, &session.schema.clone(), 10).is_empty());
}

#[test]
fn a_value_that_becomes_null_is_deleted() {
    let mut session = big();
    let before = session.schema.clone();
    session.run("ALTER TABLE settings WITH cdc = false");
    let mutations = mutations(&before, &session.schema, 3_000_000);
    let [Mutation { table, update, .. }] = &mutations[..] else { panic!("{mutations:?}") };
    let cdc = table.column("cdc").expect("a column").id;
    let Some(ColumnData::Cell(cell)) = update.rows[0].column(cdc) else { panic!("{update:?}") };
    assert_eq!((cell.is_tombstone(), cell.local_deletion_s), (true, 3));
}

#[test]
fn a_dropped_keyspace_is_deleted_by_partition() {
    let mut session = big();
    let before = session.schema.clone();
    session.run("DROP KEYSPACE big");
    let mutations = mutations(&before, &session.schema, 3_000_000);
    let tables: Vec<&str> = mutations.iter().map(|mutation| &*mutation.table.name).collect();
    assert_eq!(tables, ["columns", "keyspaces", "tables", "types"]);
    assert!(mutations.iter().all(|mutation| mutation.update.rows.is_empty()));
    assert!(mutations.iter().all(|mutation| mutation.update.deletion.timestamp_us == 3_000_000));
}

#[test]
fn the_version_depends_on_the_schema_and_not_on_the_way_to_it() {
    let (mut one, mut two) = (Session::new(), Session::new());
    let create = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
    one.run(create);
    assert_ne!(one.schema.version, two.schema.version);
    two.run("CREATE KEYSPACE j WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    two.run(create);
    two.run("DROP KEYSPACE j");
    assert_eq!(one.schema.version, two.schema.version);
    assert_eq!(one.schema.version.get_version_num(), 3);
    assert_eq!(definitions::initial_schema().version, Session::new().schema.version);
}

#[test]
fn an_empty_store_is_a_new_node() {
    let schema = schema_from_rows(&mut |_| Ok(Vec::new())).expect("nothing is wrong");
    assert_eq!(schema, definitions::initial_schema());
}

#[test]
fn broken_rows_are_an_error_that_names_them() {
    let session = big();
    let keyspace = session.schema.keyspace("big").expect("created");
    let rows = rows_of_keyspace(keyspace, 5);
    let without = |name: &str| -> Result<Schema, QueryError> {
        schema_from_rows(&mut |table| {
            let wanted = rows.iter().filter(|(owner, ..)| owner.id == table.id && &*owner.name != name);
            Ok(wanted.map(|(_, key, row)| (key.clone(), row.clone())).collect())
        })
    };
    let text = |name: &str| without(name).expect_err("rows are missing").to_string();
    assert_eq!(text("columns"), "system_schema.columns has no partition key of big.all_types");
    assert_eq!(text("types"), "Unknown type big.outer1");
    assert!(without("none").is_ok());
}
