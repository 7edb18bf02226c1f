"""Cases 16-31: what stands in the bodies. They use the keyspace bad_input, which is dropped first."""
import os
import struct

import wire
from case import collector, error_or_close, expect_alive, expect_error
from wire import (AUTH_RESPONSE, AUTH_SUCCESS, BATCH, EXECUTE, INVALID, ONE, OPTIONS, PREPARE, PROTOCOL, QUERY, QUORUM, READY,
                  REGISTER, RESULT, SERIAL, SERVER, STARTUP, SUPPORTED, SYNTAX, UNPREPARED, frame, integer, long, long_string,
                  query, short, string, string_map, value, values)

CASES = []
case = collector(CASES)

KEYSPACE = "bad_input"
VALUES, SKIP_METADATA, PAGE_SIZE, PAGING_STATE, SERIAL_LEVEL, TIMESTAMP, NAMES, IN_KEYSPACE, NOW = (
    0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x100)
UNSET = -2
INSERT = f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (?, ?)"
VOID, ROWS = 1, 2


def cql(connection, text, flags=0, tail=b"", consistency=ONE, **header):
    return connection.ask(QUERY, query(text, flags, tail, consistency, connection.version), **header)


def prepare(node):
    with node.open() as connection:
        connection.patience_s = 60
        for statement in (
            f"DROP KEYSPACE IF EXISTS {KEYSPACE}",
            f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
            f"CREATE TABLE {KEYSPACE}.t (k int PRIMARY KEY, v text, i inet, u uuid, l list<int>)",
            f"CREATE TABLE {KEYSPACE}.other (k int, c int, v text, PRIMARY KEY (k, c))",
            f"CREATE TABLE {KEYSPACE}.counts (k int PRIMARY KEY, n counter)",
        ):
            reply = cql(connection, statement)
            assert reply.opcode == RESULT, f"{statement}: {reply}"
        for k in range(100):
            assert cql(connection, INSERT, VALUES, values(integer(k), b"x" * 50_000)).kind == VOID


def clean_up(node):
    with node.open() as connection:
        connection.patience_s = 60
        cql(connection, f"DROP KEYSPACE IF EXISTS {KEYSPACE}")


def expect_result(reply, *kinds):
    assert reply.opcode == RESULT and (not kinds or reply.kind in kinds), f"want a result of kind {kinds}, got {reply}"
    return reply


def expect_answer(reply):
    """Either is sane: a result or an error."""
    assert reply.opcode in (RESULT, wire.ERROR), f"want a result or an error, got {reply}"
    return reply


def prepared_id(connection, text):
    tail = integer(0) if connection.version >= 5 else b""
    reply = expect_result(connection.ask(PREPARE, long_string(text) + tail), 4)
    (size,) = struct.unpack_from(">H", reply.rest, 4)
    statement, rest = reply.rest[6:6 + size], reply.rest[6 + size:]
    result_id = b""
    if connection.version >= 5:
        (size,) = struct.unpack_from(">H", rest)
        result_id = rest[2:2 + size]
    return statement, result_id


def short_bytes(data):
    return short(len(data)) + data


def execute(connection, statement, *items, flags=VALUES, tail=None, result_id=None, consistency=ONE):
    body = short_bytes(statement)
    if connection.version >= 5:
        body += short_bytes(b"" if result_id is None else result_id)
    body += short(consistency) + wire.query_flags(flags, connection.version)
    return connection.ask(EXECUTE, body + (values(*items) if tail is None else tail))


@case(16, "strings: longer than the body, bad UTF-8, surrogates, NUL")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            expect_error(connection.ask(QUERY, integer(1000) + b"SELECT"), PROTOCOL, "Not enough bytes")
            expect_error(cql(connection, b"SELECT \xff\xfe"), PROTOCOL, "Cannot decode string as UTF8")
            expect_error(cql(connection, b"SELECT \xed\xa0\x80"), PROTOCOL, "Cannot decode string as UTF8")
            expect_error(cql(connection, b"SELECT \x00 FROM t"), SYNTAX)
            expect_error(connection.ask(REGISTER, short(1) + short(50) + b"SCHEMA"), PROTOCOL)
            expect_alive(connection)


@case(17, "lengths of values: -3, beyond the body, 2^31-1")
def _(node):
    for version in (3, 4, 5):
        with node.open(version) as connection:
            minus_three = cql(connection, INSERT, VALUES, values(integer(1), -3))
            if version == 3:  # any negative length is null there
                expect_result(minus_three, VOID)
            else:
                expect_error(minus_three, PROTOCOL, "Invalid ByteBuf length -3")
            for length in (10, 0x7FFFFFFF, 0x40000000, -0x80000000):
                reply = cql(connection, INSERT, VALUES, short(2) + value(integer(1)) + integer(length) + b"abc")
                if version > 3 or length > 0:
                    expect_error(reply, (PROTOCOL, SERVER))
            expect_error(connection.ask(QUERY, integer(-5) + b"SELECT"), (PROTOCOL, SERVER))
            expect_error(connection.ask(QUERY, integer(0x7FFFFFFF) + b"SELECT"), PROTOCOL)
            expect_alive(connection)


@case(18, "lists and maps of 65,535 entries in an empty body")
def _(node):
    with node.open() as connection:
        expect_error(connection.ask(REGISTER, short(65535)), PROTOCOL)
        expect_error(connection.ask(QUERY, short(65535), flags=0x04), (PROTOCOL, SERVER))
        expect_error(cql(connection, INSERT, VALUES, short(65535)), (PROTOCOL, SERVER))
        expect_alive(connection)
    with node.raw() as connection:
        error_or_close(connection, frame(STARTUP, short(65535)))


@case(19, "inet of five bytes, uuid of three, an unknown consistency")
def _(node):
    with node.open() as connection:
        expect_error(cql(connection, f"INSERT INTO {KEYSPACE}.t (k, i) VALUES (?, ?)", VALUES, values(integer(1), b"12345")),
                     INVALID, "Expected 4 or 16 byte inetaddress")
        expect_error(cql(connection, f"INSERT INTO {KEYSPACE}.t (k, u) VALUES (?, ?)", VALUES, values(integer(1), b"123")),
                     INVALID, "UUID should be 16 or 0 bytes \\(3\\)")
        expect_error(cql(connection, "SELECT key FROM system.local", consistency=119), PROTOCOL, "Unknown code 119 for a consistency level")
        expect_alive(connection)


@case(20, "bytes after a body are not the next message")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            body = query("SELECT key FROM system.local", version=version) + frame(OPTIONS, version=version, stream=77)
            reply = expect_answer(connection.ask(QUERY, body, stream=5))
            assert reply.stream == 5
            assert connection.ask(OPTIONS, stream=6).stream == 6


@case(21, "a QUERY before STARTUP")
def _(node):
    for opcode in (QUERY, PREPARE, REGISTER, BATCH):
        with node.raw() as connection:
            body = short(0) if opcode == REGISTER else query("SELECT key FROM system.local")
            reply = error_or_close(connection, frame(opcode, body))
            if reply is not None and opcode == QUERY:
                expect_error(reply, PROTOCOL, "Unexpected message QUERY, expecting STARTUP or OPTIONS")


@case(21, "a second STARTUP")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            reply = connection.ask(STARTUP, string_map({"CQL_VERSION": "3.0.0"}))
            expect_error(reply, PROTOCOL, "Unexpected message STARTUP, the connection is already initialized")
            expect_alive(connection)


@case(21, "STARTUP without CQL_VERSION, with strange versions, with unknown compressions")
def _(node):
    for options, text in (
        ({}, "Missing value CQL_VERSION"), ({"CQL_VERSION": "2.0.0"}, "CQL version 2.0.0 is not supported"),
        ({"CQL_VERSION": "3"}, "Invalid version value: 3"), ({"CQL_VERSION": "3.0.0", "COMPRESSION": "zstd"}, "Unknown compression algorithm: zstd"),
        ({"CQL_VERSION": "3.0.0", "COMPRESSION": ""}, "Unknown compression algorithm"),
    ):
        with node.raw() as connection:
            connection.send(frame(STARTUP, string_map(options)))
            expect_error(connection.receive(), PROTOCOL, text)
            connection.startup(4)
            expect_alive(connection)


@case(21, "Snappy in version 5")
def _(node):
    with node.raw() as connection:
        connection.send(frame(STARTUP, string_map({"CQL_VERSION": "3.0.0", "COMPRESSION": "snappy"}), version=5))
        expect_error(connection.receive(), PROTOCOL, "Snappy compression is not supported in protocol V5")


@case(21, "REGISTER for an unknown event")
def _(node):
    with node.open() as connection:
        expect_error(connection.ask(REGISTER, short(1) + string("FOO")), PROTOCOL, "Invalid value 'FOO' for Type")
        assert connection.ask(REGISTER, short(0)).opcode == READY
        assert connection.ask(REGISTER, short(1) + string("schema_change")).opcode == READY


@case(21, "many AUTH_RESPONSE that nobody asked for")
def _(node):
    with node.open() as connection:
        for _ in range(100):
            reply = connection.ask(AUTH_RESPONSE, value(b"\x00user\x00password"))
            assert reply.opcode in (AUTH_SUCCESS, wire.ERROR), str(reply)
        expect_alive(connection)


@case(22, "SASL tokens: null, empty, no NUL, three NULs, huge, lying")
def _(node):
    for token in (value(None), value(b""), value(b"nonul"), value(b"\x00\x00\x00"), value(b"\x00" + b"u" * 65536 + b"\x00p"),
                  integer(1 << 30) + b"abc", integer(-7), b""):
        with node.open() as connection:
            try:
                reply = connection.ask(AUTH_RESPONSE, token)
                assert reply.opcode in (AUTH_SUCCESS, wire.ERROR), str(reply)
            except wire.Closed:
                pass


@case(23, "closed in the middle of large answers")
def _(node):
    for _ in range(20):
        connection = node.open()
        connection.send(frame(QUERY, query(f"SELECT * FROM {KEYSPACE}.t")) * 3)
        connection.take(1000)
        connection.close()


@case(23, "large answers that nobody reads", cassandra_fails="keeps them all in memory and may die")
def _(node):
    lazy = [node.open() for _ in range(5)]
    try:
        for connection in lazy:
            for stream in range(20):
                connection.send(frame(QUERY, query(f"SELECT * FROM {KEYSPACE}.t"), stream=stream))
        node.check_others_are_served()
    finally:
        for connection in lazy:
            connection.close()


@case(24, "unknown flags of QUERY")
def _(node):
    with node.open(5) as connection:
        expect_result(cql(connection, "SELECT key FROM system.local", flags=0x200), ROWS)
        expect_answer(cql(connection, "SELECT key FROM system.local", flags=0x80000000))


@case(24, "too few and too many values, and 65,535 of them")
def _(node):
    with node.open() as connection:
        for items in ([integer(1)], [integer(1), b"a", b"b"], [], [b""] * 65535):
            expect_error(cql(connection, INSERT, VALUES, values(*items)), INVALID, "Invalid amount of bind variables")
        statement, _ = prepared_id(connection, INSERT)
        expect_error(execute(connection, statement, integer(1)), INVALID, "there were 2 markers\\(\\?\\) in CQL but 1 bound variables")
        expect_error(execute(connection, statement, integer(1), b"a", b"b"), INVALID, "there were 2 markers\\(\\?\\) in CQL but 3 bound variables")
        expect_error(cql(connection, INSERT), INVALID)


@case(24, "values by name: wrong names, a name twice, a count that lies")
def _(node):
    def named(*pairs):
        return short(len(pairs)) + b"".join(string(name) + value(item) for name, item in pairs)
    with node.open() as connection:
        expect_error(cql(connection, INSERT, VALUES | NAMES, named(("k", integer(1)), ("nothing", b"a"))), INVALID)
        expect_error(cql(connection, INSERT, VALUES | NAMES, named(("k", integer(1)))), INVALID)
        expect_result(cql(connection, INSERT, VALUES | NAMES, named(("v", b"a"), ("k", integer(1000)), ("k", integer(1001)))), VOID)
        expect_error(cql(connection, INSERT, VALUES | NAMES, short(9) + string("k")), (PROTOCOL, SERVER))
        expect_alive(connection)


@case(25, "unset and null where they may not be")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            expect_error(cql(connection, INSERT, VALUES, values(UNSET, b"a")), INVALID, "Invalid unset value for column k")
            expect_error(cql(connection, INSERT, VALUES, values(None, b"a")), INVALID, "Invalid null value in condition for column k")
            select = f"SELECT k FROM {KEYSPACE}.other LIMIT ?"
            expect_result(cql(connection, select, VALUES, values(UNSET)), ROWS)
            expect_error(cql(connection, select, VALUES, values(None)), INVALID, "Invalid null value of limit")
            element = integer(1) + integer(-2)
            expect_answer(cql(connection, f"INSERT INTO {KEYSPACE}.t (k, l) VALUES (?, ?)", VALUES, values(integer(1), element)))
    with node.open(3) as connection:
        expect_result(cql(connection, INSERT, VALUES, values(integer(2000), UNSET)), VOID)


@case(26, "page sizes 0, -1, 2^31-1 and less")
def _(node):
    text = f"SELECT k FROM {KEYSPACE}.t"
    with node.open() as connection:
        expect_error(cql(connection, text, PAGE_SIZE, integer(0)), PROTOCOL, "The page size cannot be 0")
        for size in (-1, 0x7FFFFFFF, -0x80000000):
            expect_result(cql(connection, text, PAGE_SIZE, integer(size)), ROWS)


def page_state(connection, text, size):
    """The paging state of a first page."""
    reply = expect_result(cql(connection, text, PAGE_SIZE | SKIP_METADATA, integer(size)), ROWS)
    flags, _, length = struct.unpack_from(">iii", reply.rest, 4)
    assert flags & 2, "there is a second page"
    return reply.rest[16:16 + length]


@case(26, "paging states: noise, cut, changed, another table's, 64 KiB, a lying length")
def _(node):
    text = f"SELECT k FROM {KEYSPACE}.t"
    for version in (3, 4, 5):
        with node.open(version) as connection:
            good = page_state(connection, text, 3)
            flags = PAGE_SIZE | PAGING_STATE
            expect_result(cql(connection, text, flags, integer(3) + value(good)), ROWS)
            expect_error(cql(connection, text, flags, integer(3) + value(b"\xff\xfe\xfd" + os.urandom(20))), PROTOCOL, "Invalid value for the paging state")
            changed = bytes([good[0] ^ 0x55]) + good[1:]
            for state in (b"", b"\x00", good[:-3], changed, good * 3, b"\x7f" * 65536, os.urandom(65536)):
                expect_answer(cql(connection, text, flags, integer(3) + value(state)))
            expect_answer(cql(connection, f"SELECT k FROM {KEYSPACE}.other", flags, integer(3) + value(good)))
            expect_error(cql(connection, text, flags, integer(3) + integer(0x7FFFFFFF) + b"abc"), (PROTOCOL, SERVER))
            expect_alive(connection)


@case(27, "levels that make no sense")
def _(node):
    conditional = f"UPDATE {KEYSPACE}.t SET v = 'x' WHERE k = 1 IF v = 'y'"
    with node.open() as connection:
        expect_error(cql(connection, conditional, SERIAL_LEVEL, short(QUORUM)), (INVALID, PROTOCOL), "Must be one of SERIAL or LOCAL_SERIAL")
        expect_error(cql(connection, f"INSERT INTO {KEYSPACE}.t (k) VALUES (1)", consistency=SERIAL), INVALID, "You must use conditional updates")
        expect_error(cql(connection, "SELECT key FROM system.local", SERIAL_LEVEL, short(119)), PROTOCOL, "Unknown code 119")


@case(27, "timestamps at the edge")
def _(node):
    text = f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (3000, 'x')"
    with node.open() as connection:
        expect_error(cql(connection, text, TIMESTAMP, long(-2**63)), PROTOCOL, "Out of bound timestamp")
        expect_result(cql(connection, text, TIMESTAMP, long(-1)), VOID)
        expect_result(cql(connection, text, TIMESTAMP, long(2**63 - 1)), VOID)
        expect_error(cql(connection, text, TIMESTAMP, b"\x00\x01"), (PROTOCOL, SERVER))


@case(27, "now_in_seconds at the edge")
def _(node):
    text = f"SELECT k, ttl(v) FROM {KEYSPACE}.t WHERE k = 1"
    with node.open(5) as connection:
        for now in (-1, 0, 0x7FFFFFFF, -0x80000000):
            expect_answer(cql(connection, text, NOW, integer(now)))
        expect_alive(connection)


@case(28, "keyspaces: in version 4, unknown, too long, with paths, quotes and NUL")
def _(node):
    with node.open(4) as connection:
        expect_answer(cql(connection, "SELECT key FROM local", IN_KEYSPACE, string("system")))
    with node.open(5) as connection:
        expect_result(cql(connection, "SELECT key FROM local", IN_KEYSPACE, string("system")), ROWS)
        for name in ("nothing", "n" * 49, "../../etc", 'sys"tem', "sys\0tem", "", "n" * 65000, "SYSTEM"):
            expect_error(cql(connection, "SELECT key FROM local", IN_KEYSPACE, string(name)), (INVALID, SERVER))
        for name in ("../../etc/passwd", "a/b", "n" * 223, "", "a b", "a\0b"):
            quoted = name.replace('"', '""')
            expect_error(cql(connection, f'CREATE KEYSPACE "{quoted}" WITH replication = {{\'class\': \'SimpleStrategy\', \'replication_factor\': 1}}'),
                         (INVALID, SYNTAX, 0x2300))
            expect_error(cql(connection, f'CREATE TABLE {KEYSPACE}."{quoted}" (k int PRIMARY KEY)'), (INVALID, SYNTAX, 0x2300))
        expect_error(cql(connection, 'USE "../../etc"'), INVALID)


@case(29, "EXECUTE of unknown, empty and huge ids")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            expect_error(execute(connection, b"i" * 65535), UNPREPARED)
            for statement in (bytes(range(16)), b"", b"i", b"i" * 1000):
                reply = expect_error(execute(connection, statement), UNPREPARED, "not found")
                assert reply.rest.endswith(short_bytes(statement)), f"the answer ends with the id: {reply}"
            expect_alive(connection)


@case(29, "a wrong result metadata id")
def _(node):
    with node.open(5) as connection:
        statement, good = prepared_id(connection, f"SELECT k, v FROM {KEYSPACE}.t WHERE k = ?")
        for wrong in (b"", b"wrong", b"w" * 16):
            reply = expect_result(execute(connection, statement, integer(1), result_id=wrong, flags=VALUES | SKIP_METADATA), ROWS)
            (flags,) = struct.unpack_from(">i", reply.rest, 4)
            assert flags & 8 and not flags & 4, f"want METADATA_CHANGED and the columns, got flags {flags:x}"
        reply = expect_result(execute(connection, statement, integer(1), result_id=good, flags=VALUES | SKIP_METADATA), ROWS)
        (flags,) = struct.unpack_from(">i", reply.rest, 4)
        assert flags & 4 and not flags & 8, f"want no metadata, got flags {flags:x}"


@case(30, "10,000 distinct statements prepared")
def _(node):
    with node.open() as connection:
        for start in range(0, 10_000, 100):
            for i in range(start, start + 100):
                connection.send(frame(PREPARE, long_string(f"SELECT v FROM {KEYSPACE}.t WHERE k = {i}"), stream=i % 100))
            for _ in range(100):
                expect_result(connection.receive(), 4)


@case(30, "a statement of nearly 16 MiB")
def _(node):
    with node.open() as connection:
        room = (16 << 20) - 200
        expect_answer(connection.ask(PREPARE, long_string("SELECT key FROM system.local" + " " * room)))
        expect_alive(connection)


@case(30, "nearly 16 MiB of one bracket or digit", cassandra_fails="is busy for longer than five seconds")
def _(node):
    with node.open() as connection:
        room = (16 << 20) - 200
        expect_error(connection.ask(PREPARE, long_string("(" * room)), (SYNTAX, INVALID, SERVER))
        expect_error(connection.ask(PREPARE, long_string(f"SELECT v FROM {KEYSPACE}.t WHERE k = {'1' * room}")), (SYNTAX, INVALID, SERVER))
        expect_alive(connection)


def batch(*children, kind=0, count=None, flags=0, tail=b"", consistency=ONE):
    body = bytes([kind]) + short(len(children) if count is None else count)
    for text, items in children:
        body += b"\x00" + long_string(text) + values(*items)
    return body + short(consistency) + bytes([flags]) + tail


@case(31, "batches: unknown type, unknown kind of child, a count that lies")
def _(node):
    with node.open() as connection:
        expect_error(connection.ask(BATCH, batch(kind=3)), PROTOCOL, "Invalid BATCH message type 3")
        expect_error(connection.ask(BATCH, batch(count=65535)), (PROTOCOL, SERVER))
        child = b"\x00" + short(1) + b"\x02" + long_string(INSERT) + short(0)
        expect_error(connection.ask(BATCH, child + short(ONE) + b"\x00"), PROTOCOL, "Invalid query kind in BATCH messages. Must be 0 or 1 but got 2")
        expect_error(connection.ask(BATCH, b""), (PROTOCOL, SERVER))
        unknown = b"\x00" + short(1) + b"\x01" + short_bytes(b"unknown") + short(0)
        expect_error(connection.ask(BATCH, unknown + short(ONE) + b"\x00"), UNPREPARED)
        expect_result(connection.ask(BATCH, batch()), VOID)


@case(31, "batches: counters and rows, conditions in two partitions, SELECT, DDL, a batch in a batch")
def _(node):
    row = f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (4000, 'no')"
    with node.open() as connection:
        add = f"UPDATE {KEYSPACE}.counts SET n = n + 1 WHERE k = 1"
        for kind in (0, 1, 2):
            expect_error(connection.ask(BATCH, batch((add, ()), (row, ()), kind=kind)), INVALID)
        only = [(f"INSERT INTO {KEYSPACE}.t (k) VALUES ({k}) IF NOT EXISTS", ()) for k in (1, 2)]
        expect_error(connection.ask(BATCH, batch(*only)), INVALID)
        for text in ("SELECT key FROM system.local", f"BEGIN BATCH {row}; APPLY BATCH", f"DROP TABLE {KEYSPACE}.t", "nonsense"):
            expect_error(connection.ask(BATCH, batch((row, ()), (text, ()))), (INVALID, SYNTAX))
        expect_error(cql(connection, f"BEGIN BATCH BEGIN BATCH {row}; APPLY BATCH; APPLY BATCH"), SYNTAX)
        expect_error(connection.ask(BATCH, batch((row.replace("VALUES (4000", "VALUES (?"), (integer(1), b"too many")))), INVALID)
        reply = expect_result(cql(connection, f"SELECT k FROM {KEYSPACE}.t WHERE k = 4000"), ROWS)
        assert reply.rest.endswith(integer(0)), "none of the refused batches wrote anything"


@case(31, "batches: names for values, and timestamps twice")
def _(node):
    row = f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (5000, 'x')"
    with node.open() as connection:
        expect_answer(connection.ask(BATCH, batch((INSERT, (integer(1), b"x")), flags=NAMES)))
        expect_result(connection.ask(BATCH, batch((row + " USING TIMESTAMP 5", ()), flags=TIMESTAMP, tail=long(9))), VOID)
        text = f"BEGIN BATCH USING TIMESTAMP 9 {row} USING TIMESTAMP 5; APPLY BATCH"
        expect_error(cql(connection, text), INVALID)
        expect_alive(connection)
