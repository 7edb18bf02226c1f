"""Paging: every page size gives the same rows; a page state goes on where it stopped."""
import pytest
from cassandra.query import SimpleStatement

PARTITIONS, ROWS = 20, 150


@pytest.fixture(scope="module")
def pages(db):
    db.table("pages", "p int, c int, v text, PRIMARY KEY (p, c)")
    insert = db.session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)")
    futures = [db.session.execute_async(insert, (p, c, f"{p}/{c}")) for p in range(PARTITIONS) for c in range(ROWS)]
    for future in futures:
        future.result()
    return {(p, c) for p in range(PARTITIONS) for c in range(ROWS)}


@pytest.mark.parametrize("fetch_size", [7, 100, 149, 150, 151, 2999, 3000, 3001, 5000])
def test_a_whole_table_in_pages(db, pages, fetch_size):
    statement = SimpleStatement("SELECT p, c, v FROM pages", fetch_size=fetch_size)
    rows = db.rows(statement)
    assert len(rows) == PARTITIONS * ROWS
    assert {(p, c) for p, c, _ in rows} == pages
    assert all(v == f"{p}/{c}" for p, c, v in rows)


@pytest.mark.parametrize("fetch_size", [1, 2, 3, 50, 149, 150, 151])
def test_one_partition_in_pages(db, pages, fetch_size):
    select = db.session.prepare("SELECT c FROM pages WHERE p = ?")
    select.fetch_size = fetch_size
    assert db.rows(select, (3,)) == [(c,) for c in range(ROWS)]
    backwards = SimpleStatement("SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 60", fetch_size=fetch_size)
    assert db.rows(backwards) == [(c,) for c in range(ROWS - 1, ROWS - 61, -1)]


@pytest.mark.parametrize("fetch_size", [10, 37])
def test_slices_in_and_limits_in_pages(db, pages, fetch_size):
    for query, count in (
        ("SELECT p, c FROM pages WHERE p IN (1, 5, 9)", 3 * ROWS),
        ("SELECT p, c FROM pages WHERE p = 2 AND c >= 30 AND c < 130", 100),
        ("SELECT p, c FROM pages WHERE p = 2 AND c IN (1, 2, 3, 50, 99)", 5),
        ("SELECT p, c FROM pages LIMIT 333", 333),
        ("SELECT p, c FROM pages PER PARTITION LIMIT 11", 11 * PARTITIONS),
        ("SELECT p, c FROM pages PER PARTITION LIMIT 11 LIMIT 111", 111),
        ("SELECT DISTINCT p FROM pages", PARTITIONS),
        ("SELECT p, c FROM pages WHERE c = 4 ALLOW FILTERING", PARTITIONS),
    ):
        rows = db.rows(SimpleStatement(query, fetch_size=fetch_size))
        assert len(rows) == count and len(set(rows)) == count, query


def test_count_over_many_pages(db, pages):
    assert db.rows(SimpleStatement("SELECT count(*) FROM pages", fetch_size=10)) == [(PARTITIONS * ROWS,)]


def test_a_page_state_is_resumed_by_another_session(db, pages):
    statement = SimpleStatement("SELECT p, c FROM pages", fetch_size=400)
    other = db.cluster.connect(db.keyspace)
    rows, state, sessions = [], None, [db.session, other]
    try:
        while True:
            result = sessions[0].execute(statement, paging_state=state)
            rows += [tuple(row) for row in result.current_rows]
            state = result.paging_state
            sessions.reverse()
            if state is None:
                break
    finally:
        other.shutdown()
    assert len(rows) == PARTITIONS * ROWS and set(rows) == pages


def test_no_page_size_means_everything_at_once(db, pages):
    result = db.execute(SimpleStatement("SELECT p FROM pages", fetch_size=None))
    assert len(result.current_rows) == PARTITIONS * ROWS and not result.has_more_pages


def test_fetch_next_page_by_hand(db, pages):
    result = db.execute(SimpleStatement("SELECT c FROM pages WHERE p = 1", fetch_size=100))
    assert len(result.current_rows) == 100 and result.has_more_pages
    result.fetch_next_page()
    assert len(result.current_rows) == 50 and not result.has_more_pages


def test_rows_deleted_between_pages(db):
    db.table("shrinking", "p int, c int, PRIMARY KEY (p, c)")
    insert = db.session.prepare("INSERT INTO shrinking (p, c) VALUES (1, ?)")
    for c in range(30):
        db.execute(insert, (c,))
    result = db.execute(SimpleStatement("SELECT c FROM shrinking WHERE p = 1", fetch_size=10))
    assert [row.c for row in result.current_rows] == list(range(10))
    db.execute("DELETE FROM shrinking WHERE p = 1 AND c >= 5 AND c < 15")
    result.fetch_next_page()
    assert [row.c for row in result.current_rows] == list(range(15, 25))
