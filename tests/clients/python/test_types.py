"""Every type there and back: as a column, null, unset, empty, inside collections and in keys."""
import datetime
import math
import uuid
from collections import namedtuple
from decimal import Decimal

import pytest
from cassandra.query import UNSET_VALUE
from cassandra.util import Date, Duration, OrderedMapSerializedKey, SortedSet, Time

INSTANT = datetime.datetime(2026, 3, 1, 12, 30, 15, 123000)
TIME_UUID = uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f")

NATIVE = {
    "ascii": ["plain", "", "~!@"],
    "bigint": [0, -(2**63), 2**63 - 1],
    "blob": [b"", bytes(range(256)), b"x" * 70_000],
    "boolean": [True, False],
    "date": [Date(0), Date("1969-12-31"), Date("2026-03-01"), Date(-2**31), Date(2**31 - 1)],
    "decimal": [Decimal("0"), Decimal("-1.5"), Decimal("12345678901234567890.123456789"), Decimal("1E+40"), Decimal("1E-40")],
    "double": [0.0, -1.5, math.inf, -math.inf, 5e-324, 1.7976931348623157e308],
    "duration": [Duration(0, 0, 0), Duration(14, 3, 1), Duration(-1, -2, -3), Duration(2**31 - 1, 2**31 - 1, 2**63 - 1)],
    "float": [0.0, -1.5, math.inf, 2.0**40],
    "inet": ["127.0.0.1", "255.255.255.255", "::1", "2001:db8::ff00:42:8329"],
    "int": [0, -(2**31), 2**31 - 1],
    "smallint": [0, -(2**15), 2**15 - 1],
    "text": ["", "plain", "naïve ☃ 𐍈", "it's", "line\nbreak\0nul"],
    "time": [Time(0), Time("08:12:54.123456789"), Time(86_399_999_999_999)],
    "timestamp": [INSTANT, datetime.datetime(1970, 1, 1), datetime.datetime(1815, 12, 10, 1, 2, 3, 4000)],
    "timeuuid": [TIME_UUID],
    "tinyint": [0, -128, 127],
    "uuid": [uuid.UUID(int=0), uuid.UUID("f47ac10b-58cc-4372-a567-0e02b2c3d479")],
    "varchar": ["also text"],
    "varint": [0, -1, 127, 128, -(2**200), 2**200],
}

COMPOUND = {
    "list<int>": [[1, 2, 2, -3]],
    "set<text>": [SortedSet(["a", "b", "ü"])],
    "map<text, bigint>": [{"a": 1, "b": -(2**40)}],
    "frozen<list<text>>": [["x", "", "z"], []],
    "frozen<set<int>>": [SortedSet([3, -1, 2]), SortedSet()],
    "frozen<map<uuid, text>>": [{uuid.UUID(int=1): "one"}, {}],
    "list<frozen<map<int, frozen<set<text>>>>>": [[{1: SortedSet(["a"])}, {2: SortedSet(["b", "c"])}]],
    "map<frozen<list<int>>, frozen<list<int>>>": [{(1, 2): [3, 4]}],
    "tuple<int, text, double>": [(1, "a", 0.5), (None, "b", None)],
    "frozen<tuple<int, frozen<tuple<text, boolean>>>>": [(1, ("x", True))],
    "list<frozen<tuple<int, text>>>": [[(1, "a"), (2, "b")]],
    "vector<float, 3>": [[1.0, -2.5, 0.0]],
    "vector<int, 2>": [[1, -1]],
    "vector<text, 2>": [["a", "longer text"]],
    "list<frozen<vector<double, 2>>>": [[[1.5, 2.5], [-1.0, 0.0]]],
    "map<time, duration>": [{Time(1): Duration(1, 2, 3)}],
    "set<inet>": [SortedSet(["10.0.0.1", "::1"])],
}
ALL = NATIVE | COMPOUND
KEYABLE = [name for name in NATIVE if name != "duration"]
NO_DRIVER_LITERAL = [name for name in ALL if "vector" in name or "tuple" in name or name == "map<time, duration>"]


def driver_writes_literal(cql_type, value):
    """Whether the driver itself turns this value into text that means the same."""
    if isinstance(value, float):
        return not math.isinf(value)
    if isinstance(value, Date):
        return abs(value.days_from_epoch) < 700_000  # no years beyond 9999
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) < 16  # it goes through a float
    if isinstance(value, Duration):
        return 0 <= value.months < 2**31 - 1  # it prints a minus before each part
    return True


def plain(value):
    """Containers of the driver as plain Python, so that they compare by content."""
    if isinstance(value, OrderedMapSerializedKey) or isinstance(value, dict):
        return {key_of(key): plain(item) for key, item in value.items()}
    if isinstance(value, SortedSet):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return [plain(item) for item in value] if isinstance(value, list) else value


def key_of(key):
    return tuple(key) if isinstance(key, list) else key


@pytest.fixture(scope="module")
def wide(db):
    """One table with a column of every type, c0, c1, ..."""
    columns = ", ".join(f"c{index} {cql_type}" for index, cql_type in enumerate(ALL))
    db.table("wide", f"k int PRIMARY KEY, {columns}")
    return {cql_type: f"c{index}" for index, cql_type in enumerate(ALL)}


@pytest.mark.parametrize("cql_type", ALL)
def test_there_and_back_prepared(db, wide, cql_type):
    column = wide[cql_type]
    insert = db.session.prepare(f"INSERT INTO wide (k, {column}) VALUES (?, ?)")
    select = db.session.prepare(f"SELECT {column} FROM wide WHERE k = ?")
    for k, value in enumerate(ALL[cql_type]):
        db.execute(insert, (k, value))
        assert plain(db.one(select, (k,))[0]) == plain(value)


@pytest.mark.parametrize("cql_type", [name for name in ALL if name not in NO_DRIVER_LITERAL])
def test_there_and_back_as_literal(db, wide, cql_type):
    column = wide[cql_type]
    values = [value for value in ALL[cql_type] if driver_writes_literal(cql_type, value)]
    for k, value in enumerate(values):
        db.execute(f"INSERT INTO wide (k, {column}) VALUES (%s, %s)", (k, value))
        assert plain(db.one(f"SELECT {column} FROM wide WHERE k = %s", (k,))[0]) == plain(value)


def test_literals_the_driver_does_not_write(db, wide):
    literals = {
        "double": ("NaN", None), "float": ("-Infinity", -math.inf), "duration": ("-1y2mo3w4d5h6m7s8ms9us10ns", Duration(-14, -25, -18_367_008_009_010)),
        "time": ("'08:12:54.1'", Time("08:12:54.1")), "timestamp": ("'2026-03-01T12:30:15.123+0100'", INSTANT - datetime.timedelta(hours=1)),
        "date": ("'2026-03-01'", Date("2026-03-01")), "vector<float, 3>": ("[1, 2.5, -3]", [1.0, 2.5, -3.0]),
        "tuple<int, text, double>": ("(1, 'x', 2)", (1, "x", 2.0)), "blob": ("0xCAFE", b"\xca\xfe"), "text": ("$$it's$$", "it's"),
    }
    for cql_type, (literal, value) in literals.items():
        column = wide[cql_type]
        db.execute(f"INSERT INTO wide (k, {column}) VALUES (50, {literal})")
        (got,) = db.one(f"SELECT {column} FROM wide WHERE k = 50")
        assert math.isnan(got) if value is None else plain(got) == plain(value), cql_type


def test_null_is_read_back_for_every_type(db, wide):
    columns = ", ".join(wide.values())
    insert = db.session.prepare(f"INSERT INTO wide (k, {columns}) VALUES (100, {', '.join('?' * len(wide))})")
    db.execute(insert, [ALL[cql_type][0] for cql_type in wide])
    db.execute(insert, [None] * len(wide))
    row = db.one(f"SELECT {columns} FROM wide WHERE k = 100")
    assert row == (None,) * len(wide)


def test_unset_leaves_the_old_value(db, wide):
    columns = ", ".join(wide.values())
    insert = db.session.prepare(f"INSERT INTO wide (k, {columns}) VALUES (101, {', '.join('?' * len(wide))})")
    values = [ALL[cql_type][-1] for cql_type in wide]
    if db.version < 4:  # the driver refuses by itself: unset begins with v4
        with pytest.raises(ValueError):
            db.execute(insert, [UNSET_VALUE] * len(wide))
        return
    db.execute(insert, values)
    before = db.one(f"SELECT {columns} FROM wide WHERE k = 101")
    db.execute(insert, [UNSET_VALUE] * len(wide))
    assert db.one(f"SELECT {columns} FROM wide WHERE k = 101") == before
    assert None not in before[:len(NATIVE)]


def test_empty_collections(db, wide):
    names = ("list<int>", "set<text>", "map<text, bigint>")
    for name, empty in zip(names, ([], set(), {})):
        db.run(f"INSERT INTO wide (k, {wide[name]}) VALUES (?, ?)", (102, empty))
        assert db.one(f"SELECT {wide[name]} FROM wide WHERE k = 102") == (None,)


def test_collections_change_in_place(db):
    db.table("grow", "k int PRIMARY KEY, l list<int>, s set<int>, m map<text, int>")
    db.execute("INSERT INTO grow (k, l, s, m) VALUES (1, [1, 2], {1}, {'a': 1})")
    db.run("UPDATE grow SET l = l + ?, s = s + ?, m = m + ? WHERE k = 1", ([3], {2, 3}, {"b": 2}))
    db.run("UPDATE grow SET l = ? + l, s = s - ?, m[?] = ? WHERE k = 1", ([0], {1}, "c", 3))
    db.run("UPDATE grow SET l[1] = ?, m = m - ? WHERE k = 1", (9, {"a"}))
    assert tuple(map(plain, db.one("SELECT l, s, m FROM grow WHERE k = 1"))) == ([0, 9, 2, 3], [2, 3], {"b": 2, "c": 3})
    db.execute("DELETE l[0], m['b'] FROM grow WHERE k = 1")
    db.execute("UPDATE grow SET l = l - [9] WHERE k = 1")
    assert tuple(map(plain, db.one("SELECT l, s, m FROM grow WHERE k = 1"))) == ([2, 3], [2, 3], {"c": 3})


@pytest.mark.parametrize("layout", ["partition", "clustering"])
def test_every_type_in_a_key(db, layout):
    """Each keyable type at once, as one compound key."""
    names = [f"k{index}" for index in range(len(KEYABLE))]
    columns = ", ".join(f"{name} {cql_type}" for name, cql_type in zip(names, KEYABLE))
    joined = ", ".join(names)
    key = f"({joined})" if layout == "partition" else f"p, {joined}"
    db.table(f"keys_{layout}", f"p int, {columns}, v int, PRIMARY KEY ({key})")
    insert = db.session.prepare(f"INSERT INTO keys_{layout} (p, {joined}, v) VALUES (1, {', '.join('?' * len(names))}, ?)")
    prefix = "" if layout == "partition" else "p = 1 AND "
    condition = prefix + " AND ".join(f"{name} = ?" for name in names)
    select = db.session.prepare(f"SELECT {joined}, v FROM keys_{layout} WHERE {condition}")
    for pick in (0, -1):
        values = [(NATIVE[cql_type] + [b"k"] * (cql_type == "blob"))[pick] for cql_type in KEYABLE]
        db.execute(insert, [*values, pick])
        assert db.one(select, values) == (*values, pick)


def test_types_known_by_their_class_only(db):
    marshal = "org.apache.cassandra.db.marshal."
    db.table("composites", "k int PRIMARY KEY, c 'CompositeType(AsciiType, Int32Type)', d 'DynamicCompositeType(s => UTF8Type, i => Int32Type)'")
    for literal, value in {"'abc:123'": ("abc", 123), "'abc'": ("abc",), r"'a\:b:-1'": ("a:b", -1), "12": ("12",)}.items():
        db.execute(f"INSERT INTO composites (k, c) VALUES (0, {literal})")
        assert db.one("SELECT c FROM composites WHERE k = 0") == (value,)
    columns = db.cluster.metadata.keyspaces[db.keyspace].tables["composites"].columns
    assert columns["c"].cql_type == f"'{marshal}CompositeType({marshal}AsciiType,{marshal}Int32Type)'"
    assert columns["d"].cql_type == f"'{marshal}DynamicCompositeType(s=>{marshal}UTF8Type,i=>{marshal}Int32Type)'"


def test_user_defined_types(db):
    db.execute("CREATE TYPE IF NOT EXISTS street (name text, number int)")
    db.execute("CREATE TYPE IF NOT EXISTS person (name text, home frozen<street>, phones frozen<set<text>>, born date)")
    db.table("people", "k int PRIMARY KEY, p person, f frozen<person>, l list<frozen<street>>, m map<text, frozen<street>>")
    street = namedtuple("street", "name number")
    person = namedtuple("person", "name home phones born")
    db.cluster.register_user_type(db.keyspace, "street", street)
    db.cluster.register_user_type(db.keyspace, "person", person)
    ada = person("Ada", street("Main", 1), SortedSet(["1", "2"]), Date("1815-12-10"))
    db.run("INSERT INTO people (k, p, f, l, m) VALUES (?, ?, ?, ?, ?)",
           (1, ada, ada, [street("A", 1), street("B", None)], {"x": street("C", 3)}))
    row = db.execute("SELECT p, f, l, m FROM people WHERE k = 1").one()
    assert row.p == ada and row.f == ada
    assert row.l == [street("A", 1), street("B", None)] and dict(row.m) == {"x": street("C", 3)}
    db.execute("UPDATE people SET p.name = 'Grace' WHERE k = 1")
    db.execute("UPDATE people SET p.home = null WHERE k = 1")
    assert db.execute("SELECT p FROM people WHERE k = 1").one().p == ada._replace(name="Grace", home=None)
    assert db.one("SELECT p.name, f.home FROM people WHERE k = 1") == ("Grace", street("Main", 1))
    db.execute("ALTER TYPE street ADD zip text")
    assert db.one("SELECT f.home.zip FROM people WHERE k = 1") == (None,)


def test_counters(db):
    db.table("counts", "k int, c int, hits counter, misses counter, PRIMARY KEY (k, c)")
    update = db.session.prepare("UPDATE counts SET hits = hits + ?, misses = misses - ? WHERE k = ? AND c = ?")
    for _ in range(10):
        db.execute(update, (3, 1, 1, 1))
    db.execute("UPDATE counts SET hits = hits + 5 WHERE k = 1 AND c = 2")
    assert db.rows("SELECT c, hits, misses FROM counts WHERE k = 1") == [(1, 30, -10), (2, 5, None)]
    db.execute("DELETE hits FROM counts WHERE k = 1 AND c = 2")
    assert db.rows("SELECT c, hits FROM counts WHERE k = 1") == [(1, 30)]
