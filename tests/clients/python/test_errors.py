"""Errors arrive as the driver's own exception types, with their fields; warnings and traces arrive too."""
import pytest
from cassandra import (AlreadyExists, ConsistencyLevel, InvalidRequest, Unauthorized, Unavailable)
from cassandra.protocol import ConfigurationException, SyntaxException
from cassandra.query import BatchStatement, BatchType, SimpleStatement


@pytest.fixture(scope="module")
def items(db):
    return db.table("items", "k int, c int, v text, l list<int>, PRIMARY KEY (k, c)")


@pytest.mark.parametrize("query", ["SELEKT 1", "SELECT FROM items", "INSERT INTO items (k, c) VALUES (1, 2", "SELECT * FROM items WHERE k = 'x", ""])
def test_syntax(db, items, query):
    with pytest.raises(SyntaxException, match="code=2000"):
        db.execute(query)


@pytest.mark.parametrize("query, text", [
    ("SELECT * FROM nothing", "table nothing does not exist"),
    ("SELECT * FROM no_keyspace.t", "keyspace no_keyspace does not exist"),
    ("SELECT nothing FROM items", "Undefined column name nothing in table"),
    ("SELECT * FROM items WHERE v = 'x'", "ALLOW FILTERING"),
    ("INSERT INTO items (k, v) VALUES (1, 'x')", "Some clustering keys are missing: c"),
    ("INSERT INTO items (c, v) VALUES (1, 'x')", "Some partition key parts are missing: k"),
    ("INSERT INTO items (k, c, v) VALUES (1, 1, 5)", "Invalid INTEGER constant \\(5\\) for \"v\" of type text"),
    ("UPDATE items SET k = 2 WHERE k = 1 AND c = 1", "PRIMARY KEY part k found in SET part"),
    ("SELECT * FROM items WHERE k = 1 ORDER BY v", "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got v"),
    ("SELECT * FROM items LIMIT 0", "LIMIT must be strictly positive"),
    ("DROP TABLE nothing", "doesn't exist"),
    ("CREATE TABLE items2 (k int, v nothing, PRIMARY KEY (k))", "Unknown type"),
    ("ALTER TABLE items ADD v int", "already exists"),
])
def test_invalid(db, items, query, text):
    with pytest.raises(InvalidRequest, match=text):
        db.execute(query)
    with pytest.raises(InvalidRequest, match=text):
        db.run(query)


def test_bound_values_of_the_wrong_size(db, items):
    insert = db.session.prepare("INSERT INTO items (k, c, v) VALUES (?, ?, ?)")
    bound = insert.bind((1, 1, "x"))
    bound.values[1] = b"\x00\x01\x02"
    with pytest.raises(InvalidRequest, match="Expected 4 or 0 byte int \\(3\\)"):
        db.execute(bound)
    bound = insert.bind((1, None, "x"))
    with pytest.raises(InvalidRequest, match="Invalid null value in condition for column c"):
        db.execute(bound)


@pytest.fixture(scope="module")
def sizes(db):
    return db.table("sizes", "k blob, c blob, v blob, m map<blob, blob>, PRIMARY KEY (k, c)")


@pytest.mark.parametrize("query, sizes_of, text", [
    ("INSERT INTO sizes (k, c) VALUES (?, ?)", (65535, 65535), None),
    ("INSERT INTO sizes (k, c) VALUES (?, ?)", (65536, 1), "Key length of 65536 is longer than maximum of 65535"),
    ("INSERT INTO sizes (k, c) VALUES (?, ?)", (1, 65536), "Key length of 65536 is longer than maximum of 65535"),
    ("INSERT INTO sizes (k, c) VALUES (?, ?)", (0, 1), "Key may not be empty"),
    ("SELECT k FROM sizes WHERE k = ?", (65536,), "Key length of 65536 is longer than maximum of 65535"),
    ("SELECT k FROM sizes WHERE k = ? AND c = ?", (1, 65536), None),
    ("UPDATE sizes SET m[?] = ? WHERE k = ? AND c = ?", (65536, 65536, 1, 1), None),
    ("INSERT INTO sizes (k, c, v) VALUES (?, ?, ?)", (1, 1, 15 << 20), None),
])
def test_sizes(db, sizes, query, sizes_of, text):
    """What is too large, seen on Cassandra 5.0.9."""
    values = tuple(b"x" * size for size in sizes_of)
    if text is None:
        db.run(query, values)
    else:
        with pytest.raises(InvalidRequest, match=f"code=2200.*{text}"):
            db.run(query, values)


def test_already_exists(db, items):
    with pytest.raises(AlreadyExists) as caught:
        db.execute(f"CREATE KEYSPACE {db.keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    assert (caught.value.keyspace, caught.value.table) == (db.keyspace, "")


def test_configuration(db):
    with pytest.raises(ConfigurationException, match="Unable to find replication strategy class"):
        db.execute("CREATE KEYSPACE wrong WITH replication = {'class': 'NoSuchStrategy', 'replication_factor': 1}")
    with pytest.raises(ConfigurationException):
        db.execute("CREATE KEYSPACE wrong WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 'many'}")


def test_system_tables_may_not_be_changed(db):
    with pytest.raises(Unauthorized, match="code=2100"):
        db.execute("DROP TABLE system.local")


def test_keys_that_are_too_long(db):
    """A key's columns are summed up without what frames them; what passes is counted again as it is stored."""
    db.table("one_key", "k text PRIMARY KEY, v int")
    db.table("two_keys", "a text, b text, c text, v int, PRIMARY KEY ((a, b), c)")
    db.table("two_clusterings", "k int, c text, d text, v int, PRIMARY KEY (k, c, d)")
    text = lambda length: "x" * length
    composite = {(65528, 1, 1): None, (65529, 1, 1): 65536, (65536, 1, 1): 65537, (1, 65536, 1): 65537, (40000, 40000, 1): 80000}
    cases = [("one_key", ("k",), {(65535,): None, (65536,): 65536}, True), ("two_keys", ("a", "b", "c"), composite, True),
             ("two_keys", ("a", "b", "c"), {(1, 1, 65535): None, (1, 1, 65536): 65536}, False),
             ("two_clusterings", ("c", "d"), {(65536, 1): 65537, (40000, 40000): 80000}, False)]
    for table, columns, lengths, also_reads in cases:
        given = (("k", 1),) if table == "two_clusterings" else ()
        for sizes, refused in lengths.items():
            key = dict(given) | {name: text(size) for name, size in zip(columns, sizes)}
            shown = {name: str(value) if name == "k" and given else f"'{value}'" for name, value in key.items()}
            where = lambda values: " AND ".join(f"{name} = {value}" for name, value in values.items())
            marks = {name: "?" for name in key}
            statements = lambda values: [
                f"INSERT INTO {table} ({', '.join(values)}, v) VALUES ({', '.join(values.values())}, 1)",
                f"UPDATE {table} SET v = 1 WHERE {where(values)}", f"DELETE FROM {table} WHERE {where(values)}",
                f"SELECT v FROM {table} WHERE {where(values)}"]
            prepared = [lambda statement=statement: db.execute(db.session.prepare(statement), list(key.values())) for statement in statements(marks)]
            simple = [lambda statement=statement: db.execute(statement) for statement in statements(shown)]
            # The driver cannot make the routing key of a component of more than 65,535 bytes.
            for runs in (simple, prepared if max(sizes) < 65536 or len(key) == 1 else []):
                for number, run in enumerate(runs):
                    if refused is None or (number == 3 and not also_reads):
                        run()
                        continue
                    with pytest.raises(InvalidRequest, match=f"code=2200.*message=\"Key length of {refused} is longer than maximum of 65535\""):
                        run()
    assert db.rows(f"SELECT v FROM one_key WHERE token(k) > token('{text(70000)}') AND token(k) < token('{text(70000)}')") == []


@pytest.fixture(scope="module")
def three_replicas(db):
    name = f"{db.keyspace}_rf3"
    db.execute(f"DROP KEYSPACE IF EXISTS {name}")
    created = db.session.execute_async(
        f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 3}}")
    created.result()
    db.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY, v int)")
    yield name, created.warnings
    db.execute(f"DROP KEYSPACE {name}")


@pytest.mark.parametrize("level, required", [("QUORUM", 2), ("ALL", 3), ("TWO", 2), ("LOCAL_QUORUM", 2)])
@pytest.mark.parametrize("query", [
    "SELECT v FROM {}.t WHERE k = 1", "INSERT INTO {}.t (k, v) VALUES (1, 1)", "UPDATE {}.t SET v = 1 WHERE k = 1 IF v = 2",
])
def test_unavailable(db, three_replicas, query, level, required):
    value = getattr(ConsistencyLevel, level)
    with pytest.raises(Unavailable, match="code=1000") as caught:
        db.execute(SimpleStatement(query.format(three_replicas[0]), consistency_level=value))
    assert caught.value.alive_replicas == 1
    if " IF " not in query:  # a conditional statement speaks of its serial quorum first
        assert (caught.value.consistency, caught.value.required_replicas) == (value, required)
    else:
        assert caught.value.required_replicas == 2


def test_one_of_three_replicas_is_enough_for_one(db, three_replicas):
    name, _ = three_replicas
    db.execute(SimpleStatement(f"INSERT INTO {name}.t (k, v) VALUES (5, 6)", consistency_level=ConsistencyLevel.ONE))
    read = SimpleStatement(f"SELECT v FROM {name}.t WHERE k = 5", consistency_level=ConsistencyLevel.LOCAL_ONE)
    assert db.one(read) == (6,)


def test_warnings(db, three_replicas, items):
    _, warnings = three_replicas
    batch = BatchStatement(batch_type=BatchType.UNLOGGED)
    for k in range(11):
        batch.add("INSERT INTO items (k, c) VALUES (%s, 0)", (k,))
    future = db.session.execute_async(batch)
    future.result()
    if db.version < 4:  # warnings begin with v4
        assert not warnings and not future.warnings
        return
    assert warnings == [f"Your replication factor 3 for keyspace {db.keyspace}_rf3 is higher than the number of nodes 1"]
    (warning,) = future.warnings
    assert warning.startswith(f"Unlogged batch covering 11 partitions detected against table [{db.keyspace}.items].")


def test_levels_that_make_no_sense(db, items):
    with pytest.raises(InvalidRequest, match="ANY ConsistencyLevel is only supported for writes"):
        db.execute(SimpleStatement("SELECT * FROM items", consistency_level=ConsistencyLevel.ANY))
    with pytest.raises(InvalidRequest, match="You must use conditional updates for serializable writes"):
        db.execute(SimpleStatement("INSERT INTO items (k, c) VALUES (1, 1)", consistency_level=ConsistencyLevel.SERIAL))


def test_a_session_survives_errors(db, items):
    for _ in range(20):
        with pytest.raises(SyntaxException):
            db.execute("nonsense")
    assert db.one("SELECT key FROM system.local") == ("local",)


def test_tracing(db, items):
    result = db.execute("INSERT INTO items (k, c, v) VALUES (1, 1, 'traced')", trace=True)
    trace = result.get_query_trace(max_wait_sec=10)
    assert trace.request_type == "Execute CQL3 query" and trace.duration is not None
    assert trace.parameters["query"] == "INSERT INTO items (k, c, v) VALUES (1, 1, 'traced')"
    assert trace.client == "127.0.0.1" and trace.coordinator is not None
    assert trace.events and all(event.description for event in trace.events)
    select = db.session.prepare("SELECT v FROM items WHERE k = ?")
    result = db.execute(select, (1,), trace=True)
    assert result.get_query_trace(max_wait_sec=10).request_type == "Execute CQL3 prepared query"
    batch = BatchStatement()
    batch.add("INSERT INTO items (k, c) VALUES (2, 2)")
    result = db.execute(batch, trace=True)
    assert result.get_query_trace(max_wait_sec=10).request_type == "Execute batch of CQL3 queries"
