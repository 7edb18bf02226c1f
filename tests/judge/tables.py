"""The tables of the judge: what is created, and what is written to it in rounds with a flush after each.

Every write has its timestamp and its second from here, so both servers can be given the very same history.

Read in order: `Table`, `all_tables`, then the makers, one for each kind of trouble.
"""
from dataclasses import dataclass, field
from random import Random

from cql import Request
from literals import KEY_TYPES, NATIVE_TYPES, Literals

KEYSPACE = "judge"
UDTS = {"address": [("street", "text"), ("zip", "int"), ("tags", "frozen<set<text>>")],
        "person": [("name", "text"), ("home", "frozen<address>"), ("age", "smallint")]}
CREATE_KEYSPACE = f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
CREATE_TYPES = [f"CREATE TYPE {KEYSPACE}.{name} ({', '.join(f'{column} {kind}' for column, kind in fields)})"
                for name, fields in UDTS.items()]

LZ4 = "compression = {'class': 'LZ4Compressor'}"
LZ4_HIGH = "compression = {'class': 'LZ4Compressor', 'lz4_compressor_type': 'high', 'chunk_length_in_kb': 4, 'min_compress_ratio': 1.1}"
SNAPPY = "compression = {'class': 'SnappyCompressor', 'chunk_length_in_kb': 64}"
DEFLATE = "compression = {'class': 'DeflateCompressor', 'chunk_length_in_kb': 16}"
ZSTD = "compression = {'class': 'ZstdCompressor', 'compression_level': 3, 'chunk_length_in_kb': 8}"
NONE = "compression = {'enabled': false}"
TWENTY_YEARS_S = 630_720_000


@dataclass
class Table:
    """A table and its history. Names are as they stand in a statement, with quotes where they need them."""
    name: str
    partition: list
    clustering: list = field(default_factory=list)  # (name, type, ASC or DESC)
    statics: list = field(default_factory=list)
    regular: list = field(default_factory=list)
    options: str = LZ4
    rounds: list = field(default_factory=list)      # lists of Request, or of str: a change of the schema
    is_in_order: bool = False                       # no write may overtake another
    is_for_nb: bool = True                          # False: nb has no place for what is written
    keys: list = field(default_factory=list)        # partition keys as literals, to be asked for whether there or not
    columns_left: list | None = None                # (name, type) of the columns that are still there at the end, if not all

    @property
    def columns(self):
        """What a question may name beside the key."""
        return self.statics + self.regular if self.columns_left is None else self.columns_left

    @property
    def full_name(self):
        return f"{KEYSPACE}.{self.name}"

    def create(self):
        columns = [f"{name} {kind}" for name, kind in self.partition]
        columns += [f"{name} {kind}" for name, kind, _ in self.clustering]
        columns += [f"{name} {kind} static" for name, kind in self.statics]
        columns += [f"{name} {kind}" for name, kind in self.regular]
        key = f"(({', '.join(name for name, _ in self.partition)})" + "".join(f", {name}" for name, _, _ in self.clustering) + ")"
        order = ", ".join(f"{name} {direction}" for name, _, direction in self.clustering)
        order = f"CLUSTERING ORDER BY ({order}) AND " if order else ""
        return f"CREATE TABLE {self.full_name} ({', '.join(columns)}, PRIMARY KEY {key}) WITH {order}{self.options}"


class Writer:
    """Collects a table's writes; time goes on by a microsecond with each, unless one is given."""

    def __init__(self, table, random, now_s):
        self.table, self.random, self.now_s = table, random, now_s
        self.literals = Literals(random, UDTS)
        self.timestamp_us = now_s * 1_000_000
        self.next_round()

    def next_round(self):
        self.round = []
        self.table.rounds.append(self.round)

    def write(self, text, timestamp_us=None, second=0):
        self.timestamp_us += 1
        self.round.append(Request(text, now_s=self.now_s + second, timestamp_us=timestamp_us or self.timestamp_us))

    def count(self, text):
        """Counters have no timestamps of a client."""
        self.round.append(Request(text))

    def insert(self, values, ttl=None, **options):
        """`values`: literals by column."""
        using = "" if ttl is None else f" USING TTL {ttl}"
        self.write(f"INSERT INTO {self.table.full_name} ({', '.join(values)}) VALUES ({', '.join(map(str, values.values()))}){using}", **options)

    def update(self, changes, where, ttl=None, **options):
        using = "" if ttl is None else f" USING TTL {ttl}"
        self.write(f"UPDATE {self.table.full_name}{using} SET {changes} WHERE {where}", **options)

    def delete(self, where, columns="", **options):
        self.write(f"DELETE {columns} FROM {self.table.full_name} WHERE {where}", **options)

    def schema(self, text):
        self.round.append(text)


def all_tables(seed, now_s):
    """Every table, with its history of the seed."""
    tables = []
    for maker in (every_type, *clustering_types(), composite_keys, text_keys, wide, histories_plain, histories_purged, counters,
                  collections, dropped, only_keys, only_statics, expiring, expiring_late, many_columns, quoted, random_bytes):
        table = maker(Random(f"{seed} {len(tables)}"), now_s)
        table.rounds = [steps for steps in table.rounds if steps]
        tables.append(table)
    return tables


def every_type(random, now_s):
    """A column of each type there is, frozen and not, in rows that have some of them."""
    kinds = [(f"c_{name}", name) for name in NATIVE_TYPES]
    kinds += [("l", "list<int>"), ("s", "set<text>"), ("m", "map<text, bigint>"), ("u", "address"), ("fu", "frozen<person>"),
              ("fl", "frozen<list<text>>"), ("fs", "frozen<set<inet>>"), ("fm", "frozen<map<int, frozen<list<text>>>>"),
              ("t", "tuple<int, text, frozen<set<int>>>"), ("ft", "frozen<tuple<duration, varint>>"), ("v", "vector<float, 3>"),
              ("vt", "vector<text, 2>"), ("lt", "list<frozen<tuple<int, text>>>"), ("mu", "map<uuid, frozen<person>>"),
              ("sd", "set<decimal>")]
    table = Table("every_type", [("k", "int")], [("c", "int", "ASC")], [], kinds)
    writer = Writer(table, random, now_s)
    for round_index in range(2):
        for key in range(40):
            for clustering in range(2):
                row = {name: writer.literals.value(kind) for name, kind in kinds if random.random() < (1.0 if key == 0 else 0.7)}
                row = {name: "null" if random.random() < 0.05 else literal for name, literal in row.items()}
                if random.random() < 0.8:
                    writer.insert({"k": key + round_index * 20, "c": clustering} | row, ttl=random.choice([None, None, 86_400]))
        # A value of no bytes at all, which most types allow.
        for kind in ("int", "bigint", "double", "uuid", "timestamp", "boolean", "decimal", "varint", "inet", "float", "timeuuid"):
            writer.insert({"k": 1000, "c": round_index, f"c_{kind}": f"blob_as_{kind}(0x)"})
        writer.next_round()
    return table


def clustering_types():
    """Makers of tables whose wide partitions need each type's order in the row index, half of them reversed."""
    kinds = [*KEY_TYPES, "frozen<list<int>>", "frozen<set<text>>", "frozen<map<text, int>>", "frozen<tuple<int, text>>",
             "frozen<address>", "vector<float, 2>"]
    groups = [kinds[index::4] for index in range(4)]
    return [lambda random, now_s, index=index, group=group: clustering_table(index, group, random, now_s)
            for index, group in enumerate(groups)]


def clustering_table(index, kinds, random, now_s):
    clustering = [(f"c{at}", kind, "DESC" if (at + index) % 2 else "ASC") for at, kind in enumerate(kinds)]
    table = Table(f"clustering_{index}", [("k", "int")], clustering, [], [("v", "text")], [SNAPPY, NONE, ZSTD, LZ4_HIGH][index])
    writer = Writer(table, random, now_s)
    fixed = [writer.literals.value(kind) for kind in kinds]
    for at, kind in enumerate(kinds):
        # Partition `at` has rows that differ in component `at` first, and some that differ behind it.
        for literal in writer.literals.values(kind, 60):
            for _ in range(random.choice([1, 1, 2])):
                behind = [writer.literals.value(later) for later in kinds[at + 1:]]
                key = [*fixed[:at], literal, *behind]
                writer.insert({"k": at} | {f"c{part}": value for part, value in enumerate(key)} | {"v": f"'{writer.literals.word(300, 900)}'"})
        for literal in writer.literals.values(kind, 3):
            where = " AND ".join(f"c{part} = {value}" for part, value in enumerate(fixed[:at]))
            if random.random() < 0.5:
                writer.delete(f"k = {at}{' AND ' + where if where else ''} AND c{at} = {literal}")
    return table


def composite_keys(random, now_s):
    """Many partitions with keys of several parts."""
    table = Table("composite_keys", [("a", "text"), ("b", "blob"), ("c", "int")], [("d", "timeuuid", "DESC")], [("s", "int")],
                  [("v", "text"), ("w", "int")], DEFLATE)
    writer = Writer(table, random, now_s)
    literals = writer.literals
    keys = [(literals.value("text"), literals.value("blob"), literals.value("int")) for _ in range(700)]
    table.keys = [random.choice(keys) for _ in range(100)] + [(literals.value("text"), "0x", "0") for _ in range(20)]
    for _ in range(2):
        for a, b, c in random.sample(keys, 500):
            row = {"a": a, "b": b, "c": c, "d": literals.value("timeuuid"), "v": f"'{literals.word(0, 60)}'"}
            writer.insert(row | ({"s": c} if random.random() < 0.3 else {}))
            if random.random() < 0.1:
                writer.delete(f"a = {a} AND b = {b} AND c = {c}", second=3)
        writer.next_round()
    return table


def text_keys(random, now_s):
    """Keys that share long beginnings, keys of some KiB, and no Bloom filter at all."""
    table = Table("text_keys", [("k", "text")], [], [], [("v", "int"), ("w", "text")], f"{NONE} AND bloom_filter_fp_chance = 1.0")
    writer = Writer(table, random, now_s)
    long = writer.literals.word(3000, 3000)
    keys = [f"'{'a' * length}'" for length in range(1, 60)] + [f"'{long[:length]}'" for length in range(2900, 3000, 7)]
    keys += [f"'{long[:random.randrange(3000)]}{index}'" for index in range(60)] + ["'" + "\x00" * 3 + "'", f"'{'x' * 65535}'"]
    keys += [f"'user{random.randrange(10**6):06}'" for _ in range(400)]
    table.keys = [(key,) for key in random.sample(keys, 40)] + [("'user'",), ("'b'",), (f"'{long[:2901]}!'",)]
    for _ in range(2):
        for key in random.sample(keys, len(keys) * 3 // 4):
            writer.insert({"k": key, "v": random.randrange(1000), "w": f"'{writer.literals.word(0, 40)}'"})
        for key in random.sample(keys, 20):
            writer.delete(f"k = {key}")
        writer.next_round()
    return table


def wide(random, now_s):
    """Partitions of many index blocks, range tombstones that are open where a block ends."""
    table = Table("wide", [("k", "int")], [("a", "text", "ASC"), ("b", "int", "DESC")], [("s", "text"), ("ss", "set<int>")],
                  [("v", "text"), ("w", "int")], DEFLATE)
    writer = Writer(table, random, now_s)
    letters = "abcdefghij"
    base_us = writer.timestamp_us
    for round_index in range(3):
        round_us = base_us + round_index * 1_000_000
        for key, row_count in ((1, 500), (2, 40), (3, 130), (4, 34)):
            writer.insert({"k": key, "s": f"'{writer.literals.word(10, 10)}'", "ss": "{1, 2, 3}"}, timestamp_us=round_us + 5)
            for _ in range(row_count if round_index != 1 else row_count // 10):
                row = {"k": key, "a": f"'{random.choice(letters)}'", "b": random.randrange(200), "v": f"'{writer.literals.word(300, 700)}'"}
                writer.insert(row, timestamp_us=round_us + random.randrange(1000), ttl=random.choice([None] * 5 + [50_000]))
            for _ in range(row_count // 10):
                delete_slice(writer, random, f"k = {key}", letters, 200, round_us + random.randrange(100))
            # Open over almost all of the partition.
            writer.delete(f"k = {key} AND a >= 'b' AND a < 'i'", timestamp_us=round_us - 800_000 + 200, second=7)
        writer.delete("k = 4", timestamp_us=round_us + 300)
        writer.delete("k = 5", timestamp_us=round_us + 300)
        writer.next_round()
    table.keys = [(str(key),) for key in range(-1, 8)]
    return table


def delete_slice(writer, random, partition, letters, numbers, timestamp_us):
    """A range of clusterings (a text, b int), with bounds of any kind."""
    second = random.randrange(50)
    kind = random.randrange(4)
    if kind == 0:
        writer.delete(f"{partition} AND a = '{random.choice(letters)}'", timestamp_us=timestamp_us, second=second)
        return
    if kind == 1:
        low, high = sorted(random.sample(letters, 2))
        bounds = [f"a {random.choice(['>', '>='])} '{low}'", f"a {random.choice(['<', '<='])} '{high}'"]
        prefix = ""
    else:
        low, high = sorted(random.sample(range(numbers), 2))
        bounds = [f"b {random.choice(['>', '>='])} {low}", f"b {random.choice(['<', '<='])} {high}"]
        prefix = f"a = '{random.choice(letters)}' AND "
    if random.random() < 0.3:
        bounds = [random.choice(bounds)]
    writer.delete(f"{partition} AND {prefix}{' AND '.join(bounds)}", timestamp_us=timestamp_us, second=second)


def histories_plain(random, now_s):
    return histories("histories", NONE, random, now_s)


def histories_purged(random, now_s):
    """Tombstones may go at once: what a compaction leaves out must not be missed."""
    return histories("histories_purged", f"{LZ4} AND gc_grace_seconds = 0", random, now_s - 100_000)


def histories(name, options, random, now_s):
    """Small partitions with everything that can happen to a row, at timestamps that often tie."""
    table = Table(name, [("k", "int")], [("a", "text", "DESC"), ("b", "int", "ASC")], [("s", "int"), ("sm", "map<int, text>")],
                  [("v", "int"), ("w", "text"), ("m", "map<text, int>"), ("u", "address")], options)
    writer = Writer(table, random, now_s)
    letters = "abcd"
    base_us = writer.timestamp_us
    for _ in range(3):
        for _ in range(1500):
            key, a, b = random.randrange(30), random.choice(letters), random.randrange(6)
            where, row = f"k = {key} AND a = '{a}' AND b = {b}", {"k": key, "a": f"'{a}'", "b": b}
            options = {"timestamp_us": base_us + random.randrange(60), "second": random.randrange(40)}
            ttl = random.choice([None, None, None, 1_000, 90_000])
            choice = random.randrange(20)
            if choice < 5:
                writer.insert(row | {"v": random.randrange(9), "w": f"'{writer.literals.word(0, 20)}'"}, ttl=ttl, **options)
            elif choice < 7:
                writer.insert(row, ttl=ttl, **options)
            elif choice < 9:
                writer.update(f"v = {random.choice(['null', '1', '2'])}", where, ttl=ttl, **options)
            elif choice < 11:
                writer.update(f"m[{writer.literals.drawn('text')[:2]}'] = {random.choice(['null', '7'])}", where, ttl=ttl, **options)
            elif choice < 12:
                writer.update(f"m = {writer.literals.value('map<text, int>')}", where, **options)
            elif choice < 13:
                writer.update(random.choice(["u.zip = 7", "u.street = null", "u = null", "u = {street: 's', zip: 1}"]), where, ttl=ttl, **options)
            elif choice < 14:
                writer.update(random.choice(["s = 1", "s = null", "sm[1] = 'x'", "sm[1] = null", "sm = {1: 'y'}"]), f"k = {key}", ttl=ttl, **options)
            elif choice < 15:
                writer.delete(where, columns=random.choice(["v", "w", "m", "u"]), **options)
            elif choice < 17:
                writer.delete(where, **options)
            elif choice < 19:
                delete_slice(writer, random, f"k = {key}", letters, 6, options["timestamp_us"])
            elif random.random() < 0.3:
                writer.delete(f"k = {key}", **options)
        writer.next_round()
    table.keys = [(str(key),) for key in range(-2, 33)]
    return table


def counters(random, now_s):
    table = Table("counters", [("k", "int")], [("c", "int", "ASC")], [("sc", "counter")], [("n", "counter"), ("o", "counter")], LZ4)
    writer = Writer(table, random, now_s)
    for _ in range(3):
        for _ in range(400):
            key, clustering, amount = random.choice([0, 1, 2, 3, 4, 5]), random.randrange(60), random.randrange(-1000, 10**12)
            column = random.choice(["n = n", "o = o"])
            writer.count(f"UPDATE {table.full_name} SET {column} + {amount} WHERE k = {key} AND c = {clustering}")
        writer.count(f"UPDATE {table.full_name} SET sc = sc - 5 WHERE k = 2")
        writer.next_round()
    # Last, for a counter that was deleted must not be used again.
    writer.count(f"DELETE n FROM {table.full_name} WHERE k = 1 AND c = 7")
    writer.count(f"DELETE FROM {table.full_name} WHERE k = 1 AND c = 8")
    writer.count(f"DELETE FROM {table.full_name} WHERE k = 3")
    table.is_in_order = True
    return table


def collections(random, now_s):
    """Collections and a UDT replaced, appended to, and taken from, over several files."""
    kinds = [("l", "list<text>"), ("s", "set<int>"), ("m", "map<int, text>"), ("u", "person"), ("fl", "frozen<list<int>>"),
             ("ls", "list<frozen<set<int>>>")]
    table = Table("collections", [("k", "int")], [("c", "int", "DESC")], [("sl", "list<int>")], kinds, ZSTD, is_in_order=True)
    writer = Writer(table, random, now_s)
    for _ in range(3):
        for _ in range(350):
            key, where = random.randrange(12), None
            where = f"k = {key} AND c = {random.randrange(4)}"
            number = random.randrange(8)
            change = random.choice([
                "l = ['a', 'b', 'c']", f"l = l + ['{number}']", f"l = ['{number}', 'p'] + l", "l = l - ['b']", "l = []", "l = null",
                f"s = s + {{{number}, 100}}", f"s = s - {{{number}}}", f"s = {{{number}}}", "s = null", f"m[{number}] = 'm{number}'",
                f"m = m + {{{number}: 'n', 50: ''}}", f"m = m - {{{number}}}", f"m[{number}] = null", "m = {1: 'one', 2: 'two'}",
                "u.name = 'n'", "u.age = null", "u = {name: 'x', home: {street: 's', zip: 1, tags: {'t'}}, age: 3}", "u = null",
                "fl = [3, 2, 1]", "fl = null", "ls = [{1, 2}, {}]", "ls = ls + [{3}]",
            ])
            if random.random() < 0.1:
                writer.update(random.choice(["sl = sl + [1]", "sl = [5, 6]", "sl = [9] + sl"]), f"k = {key}")
            elif random.random() < 0.1:
                writer.delete(where, columns=random.choice([f"m[{number}]", f"s[{number}]", "l", "u.home", "s", "m"]))
            else:
                writer.update(change, where, ttl=random.choice([None, None, 2_000, 80_000]), second=random.randrange(30))
        writer.next_round()
    return table


def dropped(random, now_s):
    """Columns that were dropped, some of them added again; the first files hold cells of before."""
    kinds = [("v", "int"), ("x", "text"), ("y", "list<int>"), ("z", "map<int, int>"), ("q", "frozen<address>")]
    table = Table("dropped", [("k", "int")], [("c", "int", "ASC")], [("st", "int"), ("sx", "text")], kinds, LZ4)
    writer = Writer(table, random, now_s)
    base_us = writer.timestamp_us

    def rows(columns, statics, count, around_us):
        for _ in range(count):
            key, clustering = random.randrange(12), random.randrange(8)
            row = {name: writer.literals.value(kind) for name, kind in columns if random.random() < 0.6}
            writer.insert({"k": key, "c": clustering} | row, timestamp_us=around_us + random.randrange(10_000), ttl=random.choice([None, 70_000]))
            if random.random() < 0.3:
                writer.insert({"k": key} | {name: writer.literals.value(kind) for name, kind in statics}, timestamp_us=around_us)

    rows(kinds, table.statics, 150, base_us)
    writer.next_round()
    # Times of a drop are whole milliseconds: the schema's own tables keep no more.
    for column in ("q", "sx"):
        writer.schema(f"ALTER TABLE {table.full_name} DROP {column} USING TIMESTAMP {base_us + 20_000}")
    # In the middle of the first rows' timestamps, which only a column that comes back may do: Cassandra cannot read a
    # cell that is newer than the drop of its column.
    for column in ("x", "y"):
        writer.schema(f"ALTER TABLE {table.full_name} DROP {column} USING TIMESTAMP {base_us + 5_000}")
    writer.schema(f"ALTER TABLE {table.full_name} ADD x text")
    writer.schema(f"ALTER TABLE {table.full_name} ADD y list<int>")
    writer.schema(f"ALTER TABLE {table.full_name} ADD extra vector<int, 2>")
    rows([("v", "int"), ("x", "text"), ("y", "list<int>"), ("extra", "vector<int, 2>")], [("st", "int")], 80, base_us + 1_000)
    writer.next_round()
    writer.schema(f"ALTER TABLE {table.full_name} DROP v USING TIMESTAMP {base_us + 20_000}")
    rows([("x", "text"), ("z", "map<int, int>")], [("st", "int")], 60, base_us + 30_000)
    # What questions are about is what is left.
    table.columns_left = [("st", "int"), ("x", "text"), ("y", "list<int>"), ("z", "map<int, int>"), ("extra", "vector<int, 2>")]
    return table


def only_keys(random, now_s):
    """No columns but those of the key: a row is its liveness."""
    table = Table("only_keys", [("a", "int"), ("b", "text")], [("c", "bigint", "DESC"), ("d", "text", "ASC")], [], [], SNAPPY)
    writer = Writer(table, random, now_s)
    for _ in range(2):
        for _ in range(400):
            row = {"a": random.randrange(4), "b": f"'{random.choice('xy')}'", "c": random.randrange(-30, 30), "d": f"'{writer.literals.word(0, 200)}'"}
            writer.insert(row, ttl=random.choice([None, None, 60_000]))
            if random.random() < 0.1:
                writer.delete(f"a = {row['a']} AND b = {row['b']} AND c = {row['c']}", second=2)
        writer.next_round()
    return table


def only_statics(random, now_s):
    """Partitions with a static row and nothing else, with rows and no static row, with neither any more."""
    table = Table("only_statics", [("k", "text")], [("c", "int", "ASC")], [("s", "text"), ("t", "frozen<list<int>>"), ("n", "set<int>")],
                  [("v", "int")], LZ4)
    writer = Writer(table, random, now_s)
    for _ in range(2):
        for index in range(120):
            key = f"'key{index}'"
            if index % 3 == 0 or random.random() < 0.3:
                writer.insert({"k": key, "s": f"'{writer.literals.word(0, 30)}'", "t": "[1, 2]", "n": "{1}"}, ttl=random.choice([None, 40_000]))
            if index % 3 == 1:
                writer.insert({"k": key, "c": random.randrange(5), "v": 1})
            if random.random() < 0.15:
                writer.delete(f"k = {key}", columns=random.choice(["s", "t, n", "n[1]"]))
            if random.random() < 0.1:
                writer.delete(f"k = {key}")
        writer.next_round()
    table.keys = [(f"'key{index}'",) for index in range(0, 130, 2)]
    return table


def expiring(random, now_s):
    """A default TTL, rows and cells with their own, some of them over already."""
    table = Table("expiring", [("k", "int")], [("c", "int", "ASC")], [("s", "int")], [("v", "int"), ("w", "text"), ("m", "map<int, int>")],
                  f"{LZ4} AND default_time_to_live = 86400 AND compaction = {{'class': 'TimeWindowCompactionStrategy'}}")
    writer = Writer(table, random, now_s)
    for _ in range(3):
        for _ in range(300):
            key, clustering = random.randrange(15), random.randrange(10)
            row = {"k": key, "c": clustering, "v": random.randrange(99), "w": "'w'", "m": "{1: 1, 2: 2}"}
            ttl = random.choice([None, 0, 1, 500, 5_000, 100_000])
            if random.random() < 0.6:
                writer.insert({name: value for name, value in row.items() if name in "kc" or random.random() < 0.7}, ttl=ttl, second=random.randrange(100))
            else:
                change = random.choice(["v = 5", "w = 'x'", "m[1] = 9", "m = {7: 7}", "v = null"])
                writer.update(change, f"k = {key} AND c = {clustering}", ttl=ttl, second=random.randrange(100))
        writer.insert({"k": 3, "s": 1}, ttl=5_000)
        writer.next_round()
    return table


def expiring_late(random, now_s):
    """Beyond 2038, where signed seconds end."""
    table = Table("expiring_late", [("k", "int")], [("c", "int", "ASC")], [], [("v", "int"), ("m", "map<int, int>")], LZ4, is_for_nb=False)
    writer = Writer(table, random, now_s)
    for index in range(200):
        row = {"k": index % 20, "c": random.randrange(10), "v": 1, "m": "{1: 1}"}
        writer.insert(row, ttl=random.choice([TWENTY_YEARS_S, TWENTY_YEARS_S - random.randrange(10**8), None, 40_000]))
    return table


def many_columns(random, now_s):
    """More than 64 columns, whose subset is stored in another way."""
    kinds = [(f"c{index:02}", random.choice(["int", "text", "blob"])) for index in range(90)] + [("m1", "map<int, int>"), ("s1", "set<int>")]
    table = Table("many_columns", [("k", "int")], [("c", "int", "ASC")], [], kinds, LZ4)
    writer = Writer(table, random, now_s)
    for _ in range(2):
        for key in range(12):
            for clustering in range(4):
                chosen = random.sample(kinds, random.choice([0, 1, 2, 45, 46, 47, 90, 91, 92]))
                writer.insert({"k": key, "c": clustering} | {name: writer.literals.value(kind) for name, kind in chosen})
        writer.next_round()
    return table


def quoted(random, now_s):
    """Names that need quotes, and columns whose order is that of their bytes."""
    table = Table("quoted", [('"Key"', "int")], [('"cLustering"', "text", "DESC")], [], [('"é"', "int"), ('"a b"', "text"), ('"Z"', "set<int>"), ('"日"', "map<int, int>"), ("z", "int"), ('"select"', "int")], LZ4)
    writer = Writer(table, random, now_s)
    for key in range(30):
        row = {'"é"': key, '"日"': f"{{{key}: 1}}", '"a b"': f"'{key}'", '"Z"': f"{{{key}}}", "z": 1, '"select"': 2}
        chosen = {name: value for name, value in row.items() if random.random() < 0.7}
        writer.insert({'"Key"': key, '"cLustering"': f"'{writer.literals.word(1, 5)}'"} | chosen)
    return table


def random_bytes(random, now_s):
    """Values that no compressor makes smaller, so that chunks are stored as they came; others among them that it does."""
    table = Table("random_bytes", [("k", "int")], [("c", "int", "ASC")], [], [("v", "blob")], "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}")
    writer = Writer(table, random, now_s)
    for _ in range(2):
        for clustering in range(240):
            is_small = 100 <= clustering < 120
            value = f"0x{'00' * 1000}" if is_small else f"0x{random.randbytes(random.randrange(500, 1500)).hex()}"
            writer.insert({"k": random.randrange(5), "c": clustering, "v": value})
        writer.next_round()
    table.keys = [(str(key),) for key in range(-1, 6)]
    return table
