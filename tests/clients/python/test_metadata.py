"""What the driver learns of the schema, how it hears of changes, and what it prints as CQL."""
import os
import pathlib
import time
import uuid

import pytest
from cassandra import AlreadyExists

from conftest import open_cluster

EXPECTED = pathlib.Path(__file__).parent / "expected"

SCHEMA = [
    "CREATE TYPE street (name text, number int)",
    "CREATE TYPE person (name text, home frozen<street>, tags frozen<set<text>>)",
    """CREATE TABLE everything (
        p1 int, p2 text, c1 timestamp, c2 uuid, s int static, a ascii, b vector<float, 3>,
        l list<int>, m map<text, frozen<list<int>>>, t tuple<int, text>, u frozen<person>, v person,
        PRIMARY KEY ((p1, p2), c1, c2)
    ) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND comment = 'it''s a table' AND gc_grace_seconds = 4711
      AND caching = {'keys': 'NONE', 'rows_per_partition': '10'} AND default_time_to_live = 100""",
    """CREATE TABLE "QuotedName" ("Key" int PRIMARY KEY, "select" text, plain int)""",
    "CREATE TABLE hits (page text PRIMARY KEY, n counter)",
]


@pytest.fixture(scope="module")
def schema(db):
    """A keyspace of its own for the metadata, so that other tests' tables are not in it."""
    name = f"{db.keyspace}_schema"
    db.execute(f"DROP KEYSPACE IF EXISTS {name}")
    db.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}} AND durable_writes = false")
    session = db.cluster.connect(name)
    for statement in SCHEMA:
        session.execute(statement)
    db.cluster.refresh_schema_metadata()
    yield db.cluster.metadata.keyspaces[name]
    session.execute(f"DROP KEYSPACE {name}")
    session.shutdown()


def test_keyspace(schema):
    assert schema.durable_writes is False
    assert schema.replication_strategy.export_for_schema() == "{'class': 'NetworkTopologyStrategy', 'datacenter1': '1'}"
    assert sorted(schema.tables) == ["QuotedName", "everything", "hits"]
    assert sorted(schema.user_types) == ["person", "street"]


def test_table(schema):
    table = schema.tables["everything"]
    assert [column.name for column in table.partition_key] == ["p1", "p2"]
    assert [column.name for column in table.clustering_key] == ["c1", "c2"]
    assert [column.is_reversed for column in table.clustering_key] == [True, False]
    assert {name: column.cql_type for name, column in table.columns.items()} == {
        "p1": "int", "p2": "text", "c1": "timestamp", "c2": "uuid", "s": "int", "a": "ascii",
        "b": "vector<float, 3>", "l": "list<int>", "m": "map<text, frozen<list<int>>>",
        "t": "frozen<tuple<int, text>>", "u": "frozen<person>", "v": "person",
    }
    assert [name for name, column in table.columns.items() if column.is_static] == ["s"]
    assert table.options["comment"] == "it's a table"
    assert table.options["gc_grace_seconds"] == 4711 and table.options["default_time_to_live"] == 100
    assert dict(table.options["caching"]) == {"keys": "NONE", "rows_per_partition": "10"}
    assert not table.indexes and not table.views


def test_user_types(schema):
    person = schema.user_types["person"]
    assert person.field_names == ["name", "home", "tags"]
    assert person.field_types == ["text", "frozen<street>", "frozen<set<text>>"]


def test_export_as_cql(schema):
    """The driver's whole script, as it was on Apache Cassandra 5.0."""
    got = schema.export_as_string().replace(schema.name, "KEYSPACE_NAME") + "\n"
    if os.environ.get("UPDATE_EXPECT"):
        (EXPECTED / "export.cql").write_text(got)
    assert got == (EXPECTED / "export.cql").read_text()


def test_quoted_names_work(schema, db):
    db.execute(f'INSERT INTO {schema.name}."QuotedName" ("Key", "select", plain) VALUES (1, \'x\', 2)')
    assert db.rows(f'SELECT * FROM {schema.name}."QuotedName"') == [(1, 2, "x")]
    assert sorted(schema.tables["QuotedName"].columns) == ["Key", "plain", "select"]


def test_system_tables_are_in_the_metadata(db):
    keyspaces = db.cluster.metadata.keyspaces
    assert {"system", "system_schema", "system_traces", "system_virtual_schema"} <= set(keyspaces)
    assert [column.name for column in keyspaces["system"].tables["local"].partition_key] == ["key"]
    assert keyspaces["system_schema"].tables["columns"].columns["type"].cql_type == "text"
    assert keyspaces["system_virtual_schema"].virtual


def test_system_tables_can_be_read(db):
    (local,) = db.rows("SELECT key, cluster_name, data_center, rack, partitioner, cql_version, native_protocol_version, "
                       "release_version, host_id, schema_version, tokens, bootstrapped FROM system.local")
    assert local[0] == "local" and local[2:4] == ("datacenter1", "rack1") and local[6] == "5" and local[11] == "COMPLETED"
    assert isinstance(local[8], uuid.UUID) and isinstance(local[9], uuid.UUID) and len(local[10]) == 16
    assert db.rows("SELECT * FROM system.peers_v2") == [] and db.rows("SELECT * FROM system.peers") == []
    assert db.one("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", (db.keyspace,)) == (db.keyspace,)
    select = db.session.prepare("SELECT table_name FROM system_schema.tables WHERE keyspace_name IN ?")
    assert ("local",) in db.rows(select, (["system"],))
    db.rows("SELECT * FROM system_virtual_schema.columns")


def eventually(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}")


def test_another_session_sees_schema_changes(db):
    """One session changes the schema; a second cluster object learns it from events alone."""
    watcher = open_cluster(db.version, db.variant.compression, schema_event_refresh_window=0)
    watcher.connect()
    name = f"{db.keyspace}_events"
    try:
        db.execute(f"DROP KEYSPACE IF EXISTS {name}")
        db.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        known = watcher.metadata.keyspaces
        eventually(lambda: name in known, "the new keyspace")
        db.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY)")
        eventually(lambda: "t" in known[name].tables, "the new table")
        db.execute(f"ALTER TABLE {name}.t ADD v text")
        eventually(lambda: "v" in known[name].tables["t"].columns, "the new column")
        db.execute(f"CREATE TYPE {name}.u (a int)")
        eventually(lambda: "u" in known[name].user_types, "the new type")
        db.execute(f"ALTER TYPE {name}.u ADD b int")
        eventually(lambda: known[name].user_types["u"].field_names == ["a", "b"], "the new field")
        db.execute(f"DROP TYPE {name}.u")
        eventually(lambda: "u" not in known[name].user_types, "the dropped type")
        db.execute(f"DROP TABLE {name}.t")
        eventually(lambda: "t" not in known[name].tables, "the dropped table")
        db.execute(f"ALTER KEYSPACE {name} WITH durable_writes = false")
        eventually(lambda: not known[name].durable_writes, "the altered keyspace")
        db.execute(f"DROP KEYSPACE {name}")
        eventually(lambda: name not in known, "the dropped keyspace")
    finally:
        watcher.shutdown()


def test_raw_events(db):
    """The pushed events themselves, as the driver hands them to whoever registers."""
    watcher = open_cluster(db.version, db.variant.compression)
    watcher.connect()
    seen = []
    connection = watcher.control_connection._connection
    connection.register_watchers({"SCHEMA_CHANGE": seen.append})
    name = f"{db.keyspace}_raw"
    try:
        db.execute(f"DROP KEYSPACE IF EXISTS {name}")
        del seen[:]
        db.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        db.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY)")
        db.execute(f"CREATE TABLE IF NOT EXISTS {name}.t (k int PRIMARY KEY)")
        db.execute(f"DROP TABLE {name}.t")
        db.execute(f"DROP KEYSPACE {name}")
        mine = lambda: [event for event in seen if event["keyspace"] == name]
        eventually(lambda: mine() and mine()[-1]["change_type"] == "DROPPED" and mine()[-1]["target_type"] == "KEYSPACE", "the last event")
        kinds = [(event["change_type"], event["target_type"], event.get("table") or "") for event in mine()]
        assert kinds == [("CREATED", "KEYSPACE", ""), ("CREATED", "TABLE", "t"), ("DROPPED", "TABLE", "t"), ("DROPPED", "KEYSPACE", "")]
    finally:
        watcher.shutdown()


def test_schema_agreement(db):
    assert db.cluster.control_connection.wait_for_schema_agreement()


def test_repeated_creation(db):
    db.table("once", "k int PRIMARY KEY")
    db.execute("CREATE TABLE IF NOT EXISTS once (k int PRIMARY KEY, other int)")
    with pytest.raises(AlreadyExists) as caught:
        db.execute("CREATE TABLE once (k int PRIMARY KEY)")
    assert (caught.value.keyspace, caught.value.table) == (db.keyspace, "once")
    assert list(db.cluster.metadata.keyspaces[db.keyspace].tables["once"].columns) == ["k"]
