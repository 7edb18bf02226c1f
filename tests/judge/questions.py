"""What both servers are asked about a table: scans, keys that are there and keys that are not, slices, times.

The questions are made from the rows of one full scan, as bytes, and from a seed; whoever answers, they are the same.
"""
from random import Random

from cql import Request
from literals import split_type

# Keys, slices of a partition and partitions with slices: enough to meet every block of every file many times.
KEYS_MAX, PARTITIONS_MAX, SLICES_PER_PARTITION = 120, 14, 12
PAGE_ROWS = 7
ROWS_SMALL = 700
FIXED_SIZES = {"int": 4, "bigint": 8, "smallint": 2, "tinyint": 1, "timestamp": 8, "date": 4}


def questions(table, scan, seed, now_s, later_s):
    """All requests about a table whose full scan gave the rows of `scan`."""
    maker = Maker(table, scan, Random(f"{seed} {table.name}"), now_s)
    yield from maker.scans()
    yield from maker.keys()
    yield from maker.slices()
    yield from maker.times()
    yield Request(f"SELECT * FROM {table.full_name}", now_s=later_s)


def neighbour(cql_type, data, random):
    """A value near this one that may be valid, and may be there or not."""
    size = FIXED_SIZES.get(cql_type)
    if size and len(data) == size:
        moved = int.from_bytes(data, "big") + random.choice([-1, 1])
        return (moved % (1 << 8 * size)).to_bytes(size, "big")
    if cql_type in ("text", "ascii", "blob"):
        return random.choice([data[:-1] if data[-1:].isascii() else data, data + b"!", data + b"\x00"])[:65535]
    if cql_type in ("uuid", "timeuuid", "inet") and data:
        return data[:-1] + bytes([data[-1] ^ 1])
    return data


class Maker:
    """Makes the questions of one table."""

    def __init__(self, table, scan, random, now_s):
        self.table, self.random, self.now_s = table, random, now_s
        self.key_names = [name for name, _ in table.partition]
        self.key_types = [kind for _, kind in table.partition]
        self.clustering_names = [name for name, _, _ in table.clustering]
        self.clustering_types = [kind for _, kind, _ in table.clustering]
        self.row_count = len(scan.rows)
        names = scan.names()
        key_at = [names.index(name.strip('"')) for name in self.key_names]
        clustering_at = [names.index(name.strip('"')) for name in self.clustering_names]
        self.partitions = {}
        for row in scan.rows:
            clustering = tuple(row[at] for at in clustering_at)
            self.partitions.setdefault(tuple(row[at] for at in key_at), []).append(clustering)

    def request(self, what, where="", values=(), **options):
        where = f" WHERE {where}" if where else ""
        return Request(f"SELECT {what} FROM {self.table.full_name}{where}", values=tuple(values), now_s=self.now_s, **options)

    def scans(self):
        everything = "*"
        yield self.request(everything)
        yield self.request(everything, page_rows=PAGE_ROWS if self.row_count <= ROWS_SMALL else PAGE_ROWS * 13)
        statics = [name for name, _ in self.table.columns if (name, _) in self.table.statics]
        yield self.request(f"DISTINCT {', '.join(self.key_names + statics)}")
        if self.table.clustering:
            request = self.request(everything)
            yield Request(f"{request.text} PER PARTITION LIMIT 2", now_s=self.now_s)
            yield Request(f"{request.text} LIMIT {self.row_count // 2 + 1}", now_s=self.now_s, page_rows=100)
        token = f"token({', '.join(self.key_names)})"
        for _ in range(6):
            bounds = [self.random.getrandbits(64).to_bytes(8, "big") for _ in range(2)]
            bounds.sort(key=lambda data: int.from_bytes(data, "big", signed=True))
            yield self.request(f"{token}, {', '.join(self.key_names)}", f"{token} > ? AND {token} <= ?", bounds)

    def keys(self):
        where = " AND ".join(f"{name} = ?" for name in self.key_names)
        keys = list(self.partitions)
        self.random.shuffle(keys)
        for key in keys[:KEYS_MAX]:
            yield self.request("*", where, key)
            near = list(key)
            at = self.random.randrange(len(key))
            near[at] = neighbour(self.key_types[at], near[at], self.random)
            yield self.request("*", where, near)
        for literals in self.table.keys:
            where_literal = " AND ".join(f"{name} = {literal}" for name, literal in zip(self.key_names, literals))
            yield self.request("*", where_literal)

    def slices(self):
        if not self.table.clustering:
            return
        chosen = sorted(self.partitions, key=lambda key: -len(self.partitions[key]))
        chosen = chosen[:PARTITIONS_MAX // 2] + self.random.sample(chosen, min(PARTITIONS_MAX // 2, len(chosen)))
        for key in dict.fromkeys(chosen):
            yield self.ordered(self.request("*", self.where_key(), key), True)
            # A partition of nothing but a static row has a clustering of nulls.
            rows = [row for row in self.partitions[key] if None not in row]
            for _ in range(SLICES_PER_PARTITION if rows else 0):
                yield from self.slices_of(key, rows)

    def where_key(self):
        return " AND ".join(f"{name} = ?" for name in self.key_names)

    def slices_of(self, key, rows):
        random = self.random
        depth = random.randrange(len(self.clustering_names))
        low, high = random.choice(rows), random.choice(rows)
        conditions, values = [self.where_key()], list(key)
        for at in range(depth):
            conditions.append(f"{self.clustering_names[at]} = ?")
            values.append(low[at])
        name, kind = self.clustering_names[depth], self.clustering_types[depth]
        choice = random.randrange(5)
        if choice == 0:
            conditions.append(f"{name} = ?")
            values.append(low[depth] if random.random() < 0.5 else neighbour(kind, low[depth], random))
        elif choice == 1:
            conditions.append(f"({', '.join(self.clustering_names[depth:])}) {random.choice(['>', '>=', '<', '<='])} "
                              f"({', '.join('?' for _ in self.clustering_names[depth:])})")
            values.extend(low[depth:])
        else:
            if choice != 2:
                conditions.append(f"{name} {random.choice(['>', '>='])} ?")
                values.append(low[depth] if random.random() < 0.5 else neighbour(kind, low[depth], random))
            if choice != 3:
                conditions.append(f"{name} {random.choice(['<', '<='])} ?")
                values.append(high[depth])
        request = self.request("*", " AND ".join(conditions), values)
        limit = random.choice([0, 0, 1, 5])
        for is_reversed in (False, True):
            yield self.ordered(request, is_reversed, limit)

    def ordered(self, request, is_reversed, limit=0):
        text = request.text
        if is_reversed:
            name, _, direction = self.table.clustering[0]
            text += f" ORDER BY {name} {'ASC' if direction == 'DESC' else 'DESC'}"
        if limit:
            text += f" LIMIT {limit}"
        return Request(text, request.values, now_s=self.now_s, page_rows=self.random.choice([5000, 5000, 11]))

    def times(self):
        """When each column was written and when it goes, where that can be asked."""
        # All columns are asked for: of a row whose own TTL is over Cassandra forgets the other cells otherwise.
        keys = self.key_names + self.clustering_names + [name for name, _ in self.table.columns]
        for name, kind in self.table.columns:
            if kind == "counter":
                continue
            what = [*keys, f"writetime({name})", f"ttl({name})"]
            if split_type(kind)[0] in ("list", "set", "map", "address", "person"):
                what.append(f"maxwritetime({name})")
            yield self.request(", ".join(what))
