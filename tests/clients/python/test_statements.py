"""SELECT, INSERT, UPDATE and DELETE in the forms programs use."""
import time

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.query import SimpleStatement

from conftest import open_cluster


@pytest.fixture(scope="module")
def events(db):
    """Four partitions of ten rows, c descending, with a static column."""
    db.execute("DROP TABLE IF EXISTS events")
    db.execute("CREATE TABLE events (p int, c int, d int, s text static, v text, PRIMARY KEY (p, c, d)) "
               "WITH CLUSTERING ORDER BY (c DESC, d ASC)")
    insert = db.session.prepare("INSERT INTO events (p, c, d, s, v) VALUES (?, ?, ?, ?, ?)")
    for p in range(4):
        for c in range(5):
            for d in range(2):
                db.execute(insert, (p, c, d, f"static {p}", f"{p}.{c}.{d}"))


def values(db, query, arguments=None):
    return [row[0] for row in db.rows(query, arguments)]


def test_clustering_order_and_its_reverse(db, events):
    down = [f"1.{c}.{d}" for c in (4, 3, 2, 1, 0) for d in (0, 1)]
    assert values(db, "SELECT v FROM events WHERE p = 1") == down
    assert values(db, "SELECT v FROM events WHERE p = 1 ORDER BY c DESC") == down
    assert values(db, "SELECT v FROM events WHERE p = 1 ORDER BY c ASC, d DESC") == down[::-1]
    assert values(db, "SELECT v FROM events WHERE p = 1 ORDER BY c ASC LIMIT 3") == down[::-1][:3]


@pytest.mark.parametrize("condition, want", [
    ("c = 2", ["2.0", "2.1"]),
    ("c = 2 AND d = 1", ["2.1"]),
    ("c > 3", ["4.0", "4.1"]),
    ("c >= 1 AND c < 3", ["2.0", "2.1", "1.0", "1.1"]),
    ("c = 2 AND d > 0", ["2.1"]),
    ("(c, d) > (3, 0)", ["4.0", "4.1", "3.1"]),
    ("(c, d) <= (0, 0)", ["0.0"]),
    ("c IN (0, 4, 9)", ["4.0", "4.1", "0.0", "0.1"]),
    ("c IN (0, 4) AND d = 1", ["4.1", "0.1"]),
    ("(c, d) IN ((0, 0), (4, 1))", ["4.1", "0.0"]),
    ("c > 9", []),
])
def test_slices(db, events, condition, want):
    assert values(db, f"SELECT v FROM events WHERE p = 2 AND {condition}") == [f"2.{item}" for item in want]


def test_slices_with_markers(db, events):
    select = db.session.prepare("SELECT v FROM events WHERE p = ? AND c >= ? AND c < ? LIMIT ?")
    assert values(db, select, (3, 1, 3, 3)) == ["3.2.0", "3.2.1", "3.1.0"]
    select = db.session.prepare("SELECT v FROM events WHERE p = ? AND (c, d) > (?, ?)")
    assert values(db, select, (3, 4, 0)) == ["3.4.1"]
    select = db.session.prepare("SELECT v FROM events WHERE p IN ? AND c IN ? AND d = ?")
    assert sorted(values(db, select, ([0, 3], [1, 2], 0))) == ["0.1.0", "0.2.0", "3.1.0", "3.2.0"]


def test_in_on_the_partition_key(db, events):
    rows = db.rows("SELECT p, v FROM events WHERE p IN (3, 1, 7) AND c = 0 AND d = 0")
    assert sorted(rows) == [(1, "1.0.0"), (3, "3.0.0")]


def test_limits(db, events):
    assert len(db.rows("SELECT v FROM events")) == 40
    assert len(db.rows("SELECT v FROM events LIMIT 7")) == 7
    rows = db.rows("SELECT p, v FROM events PER PARTITION LIMIT 2")
    assert sorted(rows) == [(p, f"{p}.4.{d}") for p in range(4) for d in (0, 1)]
    assert len(db.rows("SELECT p FROM events PER PARTITION LIMIT 3 LIMIT 8")) == 8


def test_static_columns(db, events):
    assert sorted(db.rows("SELECT DISTINCT p, s FROM events")) == [(p, f"static {p}") for p in range(4)]
    db.execute("UPDATE events SET s = 'alone' WHERE p = 77")
    assert db.rows("SELECT p, c, d, s, v FROM events WHERE p = 77") == [(77, None, None, "alone", None)]
    db.execute("DELETE s FROM events WHERE p = 77")
    assert db.rows("SELECT s FROM events WHERE p = 77") == []


def test_token_ranges_cover_the_table_once(db, events):
    tokens = sorted(db.rows("SELECT DISTINCT token(p), p FROM events"))
    low, high = -(2**63), 2**63 - 1
    cuts = [low, *[token for token, _ in tokens], high]
    seen = []
    for start, end in zip(cuts, cuts[1:]):
        seen += db.rows("SELECT DISTINCT p FROM events WHERE token(p) > %s AND token(p) <= %s", (start, end))
    assert [p for (p,) in seen] == [p for _, p in tokens]
    metadata_token = db.cluster.metadata.token_map.token_class.from_key(b"\x00\x00\x00\x01").value
    assert db.one("SELECT token(p) FROM events WHERE p = 1 LIMIT 1") == (metadata_token,)
    rows = db.rows("SELECT p FROM events WHERE token(p) >= token(1) AND token(p) <= token(1) AND c = 0 AND d = 0 ALLOW FILTERING")
    assert rows == [(1,)]


def test_count_and_aliases(db, events):
    assert db.one("SELECT count(*) FROM events") == (40,)
    row = db.execute("SELECT count(*) AS how_many, p AS partition_ FROM events WHERE p = 1").one()
    assert (row.how_many, row.partition_) == (10, 1)


def test_allow_filtering(db, events):
    with pytest.raises(InvalidRequest, match="ALLOW FILTERING"):
        db.execute("SELECT v FROM events WHERE v = '1.1.1'")
    assert db.rows("SELECT p, c, d FROM events WHERE v = '1.1.1' ALLOW FILTERING") == [(1, 1, 1)]
    assert len(db.rows("SELECT v FROM events WHERE c = 2 ALLOW FILTERING")) == 8


def test_ttl_and_writetime(db):
    db.table("aged", "k int PRIMARY KEY, v text, w text")
    db.execute("INSERT INTO aged (k, v) VALUES (1, 'x') USING TTL 1000 AND TIMESTAMP 1234567890")
    ttl, written = db.one("SELECT ttl(v), writetime(v) FROM aged WHERE k = 1")
    assert 900 < ttl <= 1000 and written == 1234567890
    assert db.one("SELECT ttl(w), writetime(w) FROM aged WHERE k = 1") == (None, None)
    # Of whole seconds: with a TTL of 1 it may be gone at once.
    db.run("UPDATE aged USING TTL ? SET w = ? WHERE k = ?", (2, "gone soon", 1))
    assert db.one("SELECT w FROM aged WHERE k = 1") == ("gone soon",)
    time.sleep(2.1)
    assert db.one("SELECT v, w FROM aged WHERE k = 1") == ("x", None)


def test_default_ttl(db):
    db.execute("DROP TABLE IF EXISTS short")
    db.execute("CREATE TABLE short (k int PRIMARY KEY, v int) WITH default_time_to_live = 500")
    db.execute("INSERT INTO short (k, v) VALUES (1, 1)")
    db.execute("INSERT INTO short (k, v) VALUES (2, 1) USING TTL 0")
    assert 400 < db.one("SELECT ttl(v) FROM short WHERE k = 1")[0] <= 500
    assert db.one("SELECT ttl(v) FROM short WHERE k = 2") == (None,)


def test_the_newest_timestamp_wins(db):
    db.table("clocks", "k int PRIMARY KEY, v text")
    db.execute("INSERT INTO clocks (k, v) VALUES (1, 'new') USING TIMESTAMP 2000")
    db.execute("INSERT INTO clocks (k, v) VALUES (1, 'old') USING TIMESTAMP 1000")
    assert db.one("SELECT v FROM clocks WHERE k = 1") == ("new",)
    db.execute("DELETE FROM clocks USING TIMESTAMP 1500 WHERE k = 1")
    assert db.one("SELECT v, writetime(v) FROM clocks WHERE k = 1") == ("new", 2000)
    db.execute("DELETE FROM clocks USING TIMESTAMP 2000 WHERE k = 1")
    assert db.rows("SELECT v FROM clocks WHERE k = 1") == []


def test_the_client_may_bring_its_own_clock(db):
    db.table("own_clock", "k int PRIMARY KEY, v text")
    cluster = open_cluster(db.version, db.variant.compression, timestamp_generator=lambda: 424242)
    session = cluster.connect(db.keyspace)
    try:
        session.execute("INSERT INTO own_clock (k, v) VALUES (1, 'x')")
        session.execute(session.prepare("INSERT INTO own_clock (k, v) VALUES (?, ?)"), (2, "y"))
        assert sorted(db.rows("SELECT k, writetime(v) FROM own_clock")) == [(1, 424242), (2, 424242)]
    finally:
        cluster.shutdown()


def test_values_by_name(db):
    db.table("named", "k int PRIMARY KEY, v text, w text")
    insert = db.session.prepare("INSERT INTO named (k, v, w) VALUES (:id, :text, :text)")
    db.execute(insert, {"id": 1, "text": "twice"})
    assert db.one("SELECT v, w FROM named WHERE k = 1") == ("twice", "twice")
    insert = db.session.prepare("INSERT INTO named (k, v, w) VALUES (?, ?, ?)")
    db.execute(insert, {"w": "W", "v": "V", "k": 2})
    assert db.one("SELECT v, w FROM named WHERE k = 2") == ("V", "W")
    db.execute("INSERT INTO named (k, v) VALUES (%(key)s, %(value)s)", {"key": 3, "value": "it's"})
    assert db.one("SELECT v FROM named WHERE k = 3") == ("it's",)


def test_deletes_of_every_reach(db):
    db.table("holes", "p int, c int, d int, v int, w int, PRIMARY KEY (p, c, d)")
    insert = db.session.prepare("INSERT INTO holes (p, c, d, v, w) VALUES (1, ?, ?, 0, 0)")
    for c in range(6):
        for d in range(3):
            db.execute(insert, (c, d))
    db.execute("DELETE v FROM holes WHERE p = 1 AND c = 0 AND d = 0")
    db.execute("DELETE FROM holes WHERE p = 1 AND c = 0 AND d = 1")
    db.execute("DELETE FROM holes WHERE p = 1 AND c = 1")
    db.execute("DELETE FROM holes WHERE p = 1 AND c > 2 AND c <= 4")
    db.execute("DELETE FROM holes WHERE p = 1 AND c = 5 AND d IN (0, 2)")
    left = db.rows("SELECT c, d, v FROM holes WHERE p = 1")
    assert left == [(0, 0, None), (0, 2, 0), (2, 0, 0), (2, 1, 0), (2, 2, 0), (5, 1, 0)]
    db.execute("DELETE FROM holes WHERE p = 1")
    assert db.rows("SELECT c FROM holes WHERE p = 1") == []


def test_a_row_of_only_a_key(db):
    db.table("bare", "k int PRIMARY KEY, v int")
    db.execute("INSERT INTO bare (k) VALUES (1)")
    db.execute("UPDATE bare SET v = 1 WHERE k = 2")
    db.execute("UPDATE bare SET v = null WHERE k = 2")
    assert db.rows("SELECT k, v FROM bare") == [(1, None)]


def test_truncate(db):
    db.table("wiped", "k int PRIMARY KEY")
    db.execute("INSERT INTO wiped (k) VALUES (1)")
    db.execute(SimpleStatement("TRUNCATE TABLE wiped", consistency_level=ConsistencyLevel.ONE))
    assert db.rows("SELECT k FROM wiped") == []
    db.execute("INSERT INTO wiped (k) VALUES (2)")
    assert db.rows("SELECT k FROM wiped") == [(2,)]


def test_prepared_statements_follow_the_schema(db):
    db.table("moving", "k int PRIMARY KEY, a int")
    db.execute("INSERT INTO moving (k, a) VALUES (1, 10)")
    select = db.session.prepare("SELECT * FROM moving WHERE k = ?")
    assert db.one(select, (1,)) == (1, 10)
    db.execute("ALTER TABLE moving ADD b int")
    db.execute("UPDATE moving SET b = 20 WHERE k = 1")
    row = db.execute(select, (1,)).one()
    assert (row.k, row.a) == (1, 10)
    if db.version >= 5:
        assert row.b == 20
    db.execute("ALTER TABLE moving DROP a")
    assert db.one("SELECT * FROM moving WHERE k = 1") == (1, 20)
    assert db.one(db.session.prepare("SELECT * FROM moving WHERE k = ?"), (1,))[-1] == 20


def test_distinct_takes_one_row_of_each_partition_into_an_aggregate(db):
    db.table("partitions", "p int, c int, PRIMARY KEY (p, c)")
    for p in range(3):
        for c in range(2):
            db.execute("INSERT INTO partitions (p, c) VALUES (%s, %s)", (p, c))
    assert db.one("SELECT DISTINCT COUNT(p) FROM partitions") == (3,)
    assert db.one("SELECT DISTINCT SUM(p) FROM partitions WHERE p IN (1, 2)") == (3,)
    assert db.rows("SELECT DISTINCT p, COUNT(p) FROM partitions WHERE p IN (1, 2) GROUP BY p") == [(1, 1), (2, 1)]


def test_the_last_of_two_directions_counts(db):
    db.table("turns", "p int, c int, d int, PRIMARY KEY (p, c, d)")
    for c in range(3):
        db.execute("INSERT INTO turns (p, c, d) VALUES (1, %s, 0)", (c,))
    assert values(db, "SELECT c FROM turns WHERE p = 1 ORDER BY c ASC, c DESC") == [2, 1, 0]
    assert values(db, "SELECT c FROM turns WHERE p = 1 ORDER BY c DESC, d ASC, c ASC") == [0, 1, 2]
    with pytest.raises(InvalidRequest, match="Unsupported order by relation"):
        db.execute("SELECT c FROM turns WHERE p = 1 ORDER BY c DESC, d DESC, c ASC")


def test_groups_are_limited_within_a_partition(db):
    db.table("grouped", "p int, c int, d int, a int, PRIMARY KEY (p, c, d)")
    insert = db.session.prepare("INSERT INTO grouped (p, c, d, a) VALUES (?, ?, ?, ?)")
    for p in range(3):
        for c in range(4):
            for d in range(2):
                db.execute(insert, (p, c, d, c))
    for limit, page in ((1, None), (2, None), (1, 1), (2, 1), (2, 3), (3, 2), (9, 2)):
        query = f"SELECT p, c, SUM(a) FROM grouped WHERE p IN (0, 1, 2) GROUP BY p, c PER PARTITION LIMIT {limit}"
        statement = SimpleStatement(query, fetch_size=page)
        assert db.rows(statement) == [(p, c, 2 * c) for p in range(3) for c in range(min(limit, 4))], (limit, page)
        scan = SimpleStatement(query.replace("WHERE p IN (0, 1, 2)", ""), fetch_size=page)
        assert sorted(db.rows(scan)) == db.rows(statement), (limit, page)
    assert len(db.rows("SELECT c FROM grouped WHERE p IN (0, 1) GROUP BY p, c PER PARTITION LIMIT 3 LIMIT 5")) == 5
