"""Batches (logged, unlogged, counter) and lightweight transactions."""
import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.query import BatchStatement, BatchType, SimpleStatement


def test_batch_of_prepared_and_simple_statements(db):
    db.table("first", "k int PRIMARY KEY, v text")
    db.table("second", "k int PRIMARY KEY, v text")
    insert = db.session.prepare("INSERT INTO first (k, v) VALUES (?, ?)")
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        batch = BatchStatement(batch_type=kind)
        for k in range(5):
            batch.add(insert, (k, f"{kind}"))
        batch.add("INSERT INTO second (k, v) VALUES (1, %s)", (f"{kind}",))
        batch.add(SimpleStatement("DELETE FROM second WHERE k = 2"))
        db.execute(batch)
        assert sorted(db.rows("SELECT k, v FROM first")) == [(k, f"{kind}") for k in range(5)]
        assert db.rows("SELECT k, v FROM second") == [(1, f"{kind}")]


def test_batch_as_text(db):
    db.table("texts", "k int PRIMARY KEY, v int")
    db.execute("BEGIN BATCH INSERT INTO texts (k, v) VALUES (1, 1); UPDATE texts SET v = 2 WHERE k = 2; APPLY BATCH")
    db.execute("BEGIN UNLOGGED BATCH USING TIMESTAMP 99 INSERT INTO texts (k, v) VALUES (3, 3) APPLY BATCH;")
    assert sorted(db.rows("SELECT k, v FROM texts")) == [(1, 1), (2, 2), (3, 3)]
    assert db.one("SELECT writetime(v) FROM texts WHERE k = 3") == (99,)
    batch = db.session.prepare("BEGIN BATCH UPDATE texts SET v = ? WHERE k = ?; DELETE FROM texts WHERE k = ?; APPLY BATCH")
    db.execute(batch, (20, 2, 1))
    assert sorted(db.rows("SELECT k, v FROM texts")) == [(2, 20), (3, 3)]


def test_an_empty_batch(db):
    db.execute(BatchStatement())


def test_counter_batch(db):
    db.table("totals", "k int PRIMARY KEY, n counter")
    update = db.session.prepare("UPDATE totals SET n = n + ? WHERE k = ?")
    batch = BatchStatement(batch_type=BatchType.COUNTER)
    for k in range(3):
        batch.add(update, (k + 1, k))
    db.execute(batch)
    db.execute(batch)
    assert sorted(db.rows("SELECT k, n FROM totals")) == [(0, 2), (1, 4), (2, 6)]
    db.execute("BEGIN COUNTER BATCH UPDATE totals SET n = n - 1 WHERE k = 0; APPLY BATCH")
    assert db.one("SELECT n FROM totals WHERE k = 0") == (1,)


def test_counters_do_not_mix_with_rows(db):
    db.table("totals2", "k int PRIMARY KEY, n counter")
    db.table("plain_rows", "k int PRIMARY KEY, v int")
    batch = BatchStatement(batch_type=BatchType.LOGGED)
    batch.add("UPDATE totals2 SET n = n + 1 WHERE k = 1")
    with pytest.raises(InvalidRequest):
        db.execute(batch)
    batch = BatchStatement(batch_type=BatchType.COUNTER)
    batch.add("INSERT INTO plain_rows (k, v) VALUES (1, 1)")
    with pytest.raises(InvalidRequest):
        db.execute(batch)
    assert db.rows("SELECT * FROM totals2") == [] and db.rows("SELECT * FROM plain_rows") == []


def test_one_bad_statement_leaves_nothing(db):
    db.table("whole", "k int PRIMARY KEY, v int")
    batch = BatchStatement()
    batch.add("INSERT INTO whole (k, v) VALUES (1, 1)")
    batch.add("INSERT INTO whole (k, nothing) VALUES (2, 1)")
    with pytest.raises(InvalidRequest):
        db.execute(batch)
    assert db.rows("SELECT k FROM whole") == []


def test_a_batch_has_one_timestamp(db):
    db.table("stamped", "k int PRIMARY KEY, v int")
    batch = BatchStatement()
    for k in range(4):
        batch.add("INSERT INTO stamped (k, v) VALUES (%s, 0)", (k,))
    db.execute(batch)
    assert len({written for (written,) in db.rows("SELECT writetime(v) FROM stamped")}) == 1


def lwt(db, query, *arguments):
    """The result row of a conditional statement as a dictionary."""
    return db.execute(query, *arguments).one()._asdict()


def test_insert_if_not_exists(db):
    db.table("users", "id int PRIMARY KEY, name text, age int")
    insert = db.session.prepare("INSERT INTO users (id, name, age) VALUES (?, ?, ?) IF NOT EXISTS")
    assert db.execute(insert, (1, "Ada", 36)).was_applied is True
    result = db.execute(insert, (1, "Grace", 40))
    assert result.was_applied is False
    assert result.one()._asdict() == {"applied": False, "id": 1, "age": 36, "name": "Ada"}
    assert lwt(db, "INSERT INTO users (id, name) VALUES (2, 'x') IF NOT EXISTS") == {"applied": True}
    assert db.one("SELECT name, age FROM users WHERE id = 1") == ("Ada", 36)


def test_update_if(db):
    db.table("accounts", "id int PRIMARY KEY, owner text, balance int, tags set<text>")
    db.execute("INSERT INTO accounts (id, owner, balance, tags) VALUES (1, 'Ada', 10, {'a'})")
    assert lwt(db, "UPDATE accounts SET balance = 20 WHERE id = 1 IF balance = 10") == {"applied": True}
    assert lwt(db, "UPDATE accounts SET balance = 30 WHERE id = 1 IF balance = 10") == {"applied": False, "balance": 20}
    refused = lwt(db, "UPDATE accounts SET balance = 30 WHERE id = 1 IF owner = 'Bob' AND balance > 5")
    assert refused == {"applied": False, "owner": "Ada", "balance": 20}
    update = db.session.prepare("UPDATE accounts SET balance = ? WHERE id = ? IF balance IN ? AND owner != ?")
    assert db.execute(update, (40, 1, [19, 20], "Bob")).was_applied
    assert lwt(db, "UPDATE accounts SET balance = 1 WHERE id = 1 IF EXISTS") == {"applied": True}
    assert lwt(db, "UPDATE accounts SET balance = 1 WHERE id = 9 IF EXISTS") == {"applied": False}
    assert lwt(db, "UPDATE accounts SET balance = 1 WHERE id = 9 IF balance = 3") == {"applied": False}
    assert lwt(db, "UPDATE accounts SET balance = 1 WHERE id = 9 IF balance = null") == {"applied": True}
    assert sorted(db.rows("SELECT id, balance FROM accounts")) == [(1, 1), (9, 1)]


def test_delete_if(db):
    db.table("sessions", "id int PRIMARY KEY, secret text")
    db.execute("INSERT INTO sessions (id, secret) VALUES (1, 'abc')")
    assert lwt(db, "DELETE FROM sessions WHERE id = 1 IF secret = 'wrong'") == {"applied": False, "secret": "abc"}
    assert lwt(db, "DELETE FROM sessions WHERE id = 1 IF EXISTS") == {"applied": True}
    assert lwt(db, "DELETE FROM sessions WHERE id = 1 IF EXISTS") == {"applied": False}


def test_conditions_on_static_columns(db):
    db.table("queue", "q text, id int, version int static, item text, PRIMARY KEY (q, id)")
    assert lwt(db, "INSERT INTO queue (q, version) VALUES ('a', 1) IF NOT EXISTS") == {"applied": True}
    refused = lwt(db, "UPDATE queue SET version = 3, item = 'x' WHERE q = 'a' AND id = 1 IF version = 2")
    assert refused == {"applied": False, "version": 1}
    assert lwt(db, "UPDATE queue SET version = 2, item = 'x' WHERE q = 'a' AND id = 1 IF version = 1") == {"applied": True}
    assert db.one("SELECT version, id, item FROM queue WHERE q = 'a'") == (2, 1, "x")


def test_conditional_batch(db):
    db.table("steps", "p int, c int, v int, PRIMARY KEY (p, c)")
    db.execute("INSERT INTO steps (p, c, v) VALUES (1, 1, 1)")
    batch = BatchStatement(serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL)
    batch.add("UPDATE steps SET v = 2 WHERE p = 1 AND c = 1 IF v = 1")
    batch.add("INSERT INTO steps (p, c, v) VALUES (1, 2, 2) IF NOT EXISTS")
    assert db.execute(batch).was_applied is True
    result = db.execute(batch)
    assert result.was_applied is False
    assert [row._asdict() for row in result] == [{"applied": False, "p": 1, "c": 1, "v": 2}, {"applied": False, "p": 1, "c": 2, "v": 2}]
    assert db.rows("SELECT c, v FROM steps WHERE p = 1") == [(1, 2), (2, 2)]


def refused(db, *statements):
    """Names and rows of the answer to a batch that is not applied."""
    result = db.execute(f"BEGIN BATCH {'; '.join(statements)}; APPLY BATCH")
    names = result.column_names
    return names, [tuple(row)[1:] for row in result if row[0] is False]


def test_what_a_refused_batch_shows(db):
    """The key, and no more columns than the conditions and changes needed to read; rows in their order."""
    db.table("shown", "p int, c int, a int, b text, s int static, PRIMARY KEY (p, c)", "CLUSTERING ORDER BY (c DESC)")
    for c in (1, 2):
        db.execute(f"INSERT INTO shown (p, c, a, b, s) VALUES (1, {c}, {c}, 'x', 9)")
    applied = "[applied]"
    of_1, of_2, of_7 = ("UPDATE shown SET b = 'z' WHERE p = 1 AND c = %d" % c for c in (1, 2, 7))
    assert refused(db, f"{of_1} IF b = 'q' AND a = 5") == ([applied, "p", "c", "b", "a"], [(1, 1, "x", 1)])
    assert refused(db, f"{of_1} IF a = 5", f"{of_2} IF b = 'x'") == ([applied, "p", "c", "a", "b"], [(1, 2, 2, "x"), (1, 1, 1, "x")])
    assert refused(db, f"{of_1} IF s = 5 AND a = 1") == ([applied, "p", "c", "a", "s"], [(1, 1, 1, 9)])
    assert refused(db, f"{of_7} IF a = 5") == ([applied], [()])
    assert refused(db, f"{of_7} IF a = 5 AND s = 1") == ([applied, "p", "c", "a", "s"], [(1, None, None, 9)])
    everything = [applied, "p", "c", "s", "a", "b"]
    assert refused(db, f"{of_1} IF a = 5", f"{of_7} IF EXISTS") == (everything, [(1, 1, None, 1, "x")])
    # Nothing is asked of a row: the first one stands for the partition.
    assert refused(db, "UPDATE shown SET s = 3 WHERE p = 1 IF s = 1") == ([applied, "p", "c", "s"], [(1, 2, 9)])
    assert refused(db, "INSERT INTO shown (p, s) VALUES (1, 4) IF NOT EXISTS") == (everything, [(1, 2, 9, None, None)])
    with pytest.raises(InvalidRequest, match="Cannot mix IF conditions and IF EXISTS for the same row"):
        refused(db, f"{of_1} IF a = 5", f"{of_1} IF EXISTS")


def test_only_one_of_many_racing_inserts_wins(db):
    db.table("locks", "name text PRIMARY KEY, owner int")
    insert = db.session.prepare("INSERT INTO locks (name, owner) VALUES ('only', ?) IF NOT EXISTS")
    futures = [db.session.execute_async(insert, (owner,)) for owner in range(20)]
    applied = [owner for owner, future in enumerate(futures) if future.result().was_applied]
    assert len(applied) == 1
    assert db.one("SELECT owner FROM locks WHERE name = 'only'") == (applied[0],)


def test_serial_reads(db):
    db.table("serial", "k int PRIMARY KEY, v int")
    write = SimpleStatement("INSERT INTO serial (k, v) VALUES (1, 1) IF NOT EXISTS",
                            consistency_level=ConsistencyLevel.QUORUM, serial_consistency_level=ConsistencyLevel.SERIAL)
    assert db.execute(write).was_applied
    for level in (ConsistencyLevel.SERIAL, ConsistencyLevel.LOCAL_SERIAL):
        assert db.one(SimpleStatement("SELECT v FROM serial WHERE k = 1", consistency_level=level)) == (1,)


# What Cassandra 5.0.9 says a batch of 6,074 bytes and these statements is large.
SIZES = [
    (["INSERT INTO w (k, c, d, v) VALUES (1, 1, 'abc', 0x00) USING TTL 100"], 6164),
    (["UPDATE w USING TTL 100 SET v = 0x00 WHERE k = 1 AND c = 1 AND d = 'abc'"], 6152),
    (["INSERT INTO w (k, c, d, v) VALUES (1, 1, 'abc', null)"], 6151),
    (["INSERT INTO w (k, c, d, st, x) VALUES (1, 1, 'abc', 'abc', 1)"], 6178),
    (["INSERT INTO w (k, st) VALUES (1, 'abc')"], 6126),
    (["UPDATE w SET l = l + [1, 2] WHERE k = 1 AND c = 1 AND d = 'abc'"], 6223),
    (["UPDATE w SET m = {'ab': 1, 'c': 2} WHERE k = 1 AND c = 1 AND d = 'abc'"], 6194),
    (["UPDATE w SET s = s + {'ab', 'c'} WHERE k = 1 AND c = 1 AND d = 'abc'"], 6186),
    (["DELETE FROM w WHERE k = 1"], 6103),
    (["DELETE FROM w WHERE k = 1 AND c = 1 AND d = 'abc'"], 6131),
    (["DELETE v FROM w WHERE k = 1 AND c = 1 AND d = 'abc'"], 6151),
    (["DELETE m FROM w WHERE k = 1 AND c = 1 AND d = 'abc'"], 6143),
    (["DELETE FROM w WHERE k = 1 AND c = 1"], 6127),
    (["DELETE FROM w WHERE k = 1 AND c > 1 AND c < 5", "DELETE FROM w WHERE k = 1 AND c > 7"], 6143),
    (["INSERT INTO w (k, c, d, v) VALUES (1, 1, 'abc', 0x00)", "INSERT INTO w (k, c, d, v) VALUES (1, 2, 'abc', 0x00)"], 6201),
]


def warnings_of(db, kind, statements):
    future = db.session.execute_async(f"BEGIN {kind} BATCH " + " ".join(f"{statement};" for statement in statements) + " APPLY BATCH")
    future.result()
    return future.warnings or []


def test_how_large_a_batch_is(db):
    for name in ("bat", "bat2"):
        db.table(name, "k int, c int, v blob, PRIMARY KEY (k, c)")
    db.table("w", "k int, c int, d text, st text static, v blob, x int, l list<int>, m map<text, int>, s set<text>, PRIMARY KEY (k, c, d)")
    db.table("cnt", "k int, c int, n counter, PRIMARY KEY (k, c)")
    large = lambda k, bytes_count, table="bat": f"INSERT INTO {table} (k, c, v) VALUES ({k}, 1, 0x{'00' * bytes_count})"
    with pytest.raises(InvalidRequest, match="code=2200.*message=\"Batch too large\""):
        db.execute(f"BEGIN BATCH {large(1, 30000)}; {large(2, 30000)}; APPLY BATCH")
    assert db.rows("SELECT k FROM bat") == []
    if db.version < 4:  # warnings begin with v4
        return
    too_large = lambda tables, size: f"Batch for [{', '.join(f'{db.keyspace}.{table}' for table in tables)}] is of size {size}, exceeding specified threshold of 5120 by {size - 5120}."
    for statements, size in SIZES:
        for kind in ("", "UNLOGGED"):
            (warning,) = warnings_of(db, kind, [large(900, 6000)] + statements)
            assert warning in (too_large(["w", "bat"], size), too_large(["bat", "w"], size)), statements
    # The limit itself is not too large; one partition is never measured, nor are several tables' of one key.
    assert warnings_of(db, "", [large(1, 2486), large(2, 2486)]) == []
    assert warnings_of(db, "", [large(1, 2486), large(2, 2487)]) == [too_large(["bat"], 5121)]
    assert warnings_of(db, "", [large(1, 60000)]) == warnings_of(db, "UNLOGGED", [large(1, 6000), large(1, 6000, "bat2")]) == []
    assert db.one("SELECT c FROM bat WHERE k = 1") == (1,)
    # Keys are counted, not tables; counter batches are not logged either.
    small = lambda keys, tables: [f"INSERT INTO {table} (k, c, v) VALUES ({k}, 1, 0x)" for k in range(keys) for table in tables]
    assert warnings_of(db, "UNLOGGED", small(10, ["bat", "bat2"])) == []
    assert warnings_of(db, "", small(11, ["bat"])) == []
    (warning,) = warnings_of(db, "UNLOGGED", small(11, ["bat", "bat2"]))
    assert warning.startswith("Unlogged batch covering 11 partitions detected against tables [")
    (warning, second) = warnings_of(db, "COUNTER", [f"UPDATE cnt SET n = n + 1 WHERE k = {k} AND c = 1" for k in range(200)])
    assert warning == too_large(["cnt"], 22000)
    assert second == (f"Unlogged batch covering 200 partitions detected against table [{db.keyspace}.cnt]. You should use a logged batch "
                      "for atomicity, or asynchronous writes for performance.")
