"""Values of every CQL type, as CQL would write them: the awkward ones first, then random ones from a seed."""
import string as letters
import uuid

# Values of one type all differ in their order, so that one row cannot be written under two spellings of its key.
# (Cassandra's parser makes doubles of numbers: a decimal beyond their range is refused.)
EXTREMES = {
    "ascii": ["''", "'a'", "'a''b'", "'aa'", "'~'"],
    "bigint": ["-9223372036854775808", "-1", "0", "1", "255", "256", "9223372036854775807"],
    "blob": ["0x", "0x00", "0x0000", "0x0001", "0xff", "0xffff", "0xff00", "0x00ff", "0x80"],
    "boolean": ["true", "false"],
    "date": ["0", "2147483648", "4294967295", "'1969-12-31'", "'2026-11-22'"],
    "decimal": ["0", "-1", "1E+300", "1E-300", "-1E+300", "-1E-300", "123.4500", "99999999999999999999.99", "0.1", "10"],
    "double": ["NaN", "Infinity", "-Infinity", "0.0", "-0.0", "1.5", "-1.5", "4.9E-324", "1.7976931348623157E308"],
    "duration": ["0d", "1y2mo3d4h5m6s7ms8us9ns", "-1y2mo3d4h", "-2147483647mo2147483647d9223372036854775807ns"],
    "float": ["NaN", "Infinity", "-Infinity", "0.0", "-0.0", "1.5", "-1.5", "1.4E-45", "3.4028235E38"],
    "inet": ["'0.0.0.0'", "'255.255.255.255'", "'::'", "'::1'", "'2001:db8::ff'", "'127.0.0.1'"],
    "int": ["-2147483648", "-1", "0", "1", "127", "128", "65536", "2147483647"],
    "smallint": ["-32768", "-1", "0", "32767"],
    "text": ["''", "'a'", "'ab'", "'é'", "'日本'", "'\U0001f980'", "'\x00'", "'a\x00'", "'a\x00b'", "'~'"],
    "time": ["'00:00:00'", "'23:59:59.999999999'", "'12:00:00.000000001'"],
    "timestamp": ["-9223372036854775808", "-1", "0", "9223372036854775807", "'2026-11-22T10:00:00.123Z'"],
    "timeuuid": ["00000000-0000-1000-8080-808080808080", "ffffffff-ffff-1fff-bf7f-7f7f7f7f7f7f", "00000000-0000-1000-8000-000000000000",
                 "13814000-1dd2-11b2-8080-808080808080"],
    "tinyint": ["-128", "-1", "0", "127"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-1000-8000-000000000001",
             "12345678-1234-4234-9234-123456789012"],
    "varint": ["0", "-1", "1", "127", "128", "-128", "-129", "255", "256", "-255", "-256", str(2**63), str(-(2**63) - 1), str(10**40), str(-(10**200))],
}
NATIVE_TYPES = sorted(EXTREMES)
KEY_TYPES = [name for name in NATIVE_TYPES if name != "duration"]
RANDOM_LETTERS = letters.ascii_letters + letters.digits


class Literals:
    """Draws values; `udts` maps a type's name to its fields, [(name, type)]."""

    def __init__(self, random, udts=None):
        self.random, self.udts = random, udts or {}

    def value(self, cql_type, depth=0):
        """One value of a type."""
        name, arguments = split_type(cql_type)
        if name == "frozen":
            return self.value(arguments[0], depth)
        if name in ("list", "set"):
            items = [self.value(arguments[0], depth + 1) for _ in range(self.random.randrange(0, 4))]
            opening, closing = "[]" if name == "list" else "{}"
            return opening + ", ".join(dict.fromkeys(items) if name == "set" else items) + closing
        if name == "map":
            # A map is never empty in a key: Cassandra takes {} for a set there and fails.
            keys = dict.fromkeys(self.value(arguments[0], depth + 1) for _ in range(self.random.randrange(1, 4)))
            return "{" + ", ".join(f"{key}: {self.value(arguments[1], depth + 1)}" for key in keys) + "}"
        if name == "tuple":
            return "(" + ", ".join(self.maybe_null(part, depth) for part in arguments) + ")"
        if name == "vector":
            return "[" + ", ".join(self.value(arguments[0], depth + 1) for _ in range(int(arguments[1]))) + "]"
        if name in self.udts:
            return "{" + ", ".join(f"{field}: {self.maybe_null(part, depth)}" for field, part in self.udts[name]) + "}"
        extremes = EXTREMES[name]
        if self.random.random() < 0.3:
            return self.random.choice(extremes)
        return self.drawn(name)

    def maybe_null(self, cql_type, depth):
        return "null" if self.random.random() < 0.2 else self.value(cql_type, depth + 1)

    def values(self, cql_type, count):
        """Up to `count` different values, the awkward ones among them."""
        name, _ = split_type(cql_type)
        found = dict.fromkeys(EXTREMES.get(name, []))
        for _ in range(count * 4):
            if len(found) >= count:
                break
            found[self.value(cql_type)] = None
        return list(found)[:count]

    def word(self, length_min, length_max):
        """Letters: as compressible as names are."""
        length = self.random.randint(length_min, length_max)
        return "".join(self.random.choices(RANDOM_LETTERS, k=length))

    def drawn(self, name):
        random = self.random
        if name in ("ascii", "text"):
            return f"'{self.word(1, 12)}'"
        if name in ("bigint", "int", "smallint", "tinyint"):
            bits = {"bigint": 64, "int": 32, "smallint": 16, "tinyint": 8}[name]
            return str(random.randrange(-(1 << bits - 1), 1 << bits - 1) >> random.randrange(bits - 1))
        if name == "blob":
            return "0x" + random.randbytes(random.randrange(1, 10)).hex()
        if name == "boolean":
            return random.choice(["true", "false"])
        if name == "date":
            return str(random.randrange(1 << 32))
        if name == "decimal":
            # An odd last digit: no two spellings of one number.
            return f"{random.choice(['', '-'])}{random.randrange(10**random.randrange(1, 20))}1E{random.randrange(-30, 30)}"
        if name in ("double", "float"):
            return repr(random.choice([1, -1]) * random.randrange(1, 1 << 20) / 64 * 2.0 ** random.randrange(-20, 20))
        if name == "duration":
            return f"{random.randrange(100)}mo{random.randrange(100)}d{random.randrange(10**12)}ns"
        if name == "inet":
            if random.random() < 0.5:
                return "'" + ".".join(str(random.randrange(256)) for _ in range(4)) + "'"
            return "'2001:db8::" + ":".join(f"{random.randrange(1, 65536):x}" for _ in range(2)) + "'"
        if name == "time":
            return f"'{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}.{random.randrange(10**9):09}'"
        if name == "timestamp":
            return str(random.randrange(-(1 << 45), 1 << 45))
        if name == "timeuuid":
            drawn = random.getrandbits(128) & ~(0xF << 76) & ~(0xC << 60)
            return str(uuid.UUID(int=drawn | 1 << 76 | 0x8 << 60))
        if name == "uuid":
            if random.random() < 0.3:
                return self.drawn("timeuuid")
            return str(uuid.UUID(int=random.getrandbits(128), version=4))
        if name == "varint":
            return str(random.choice([1, -1]) * random.getrandbits(random.randrange(1, 200)))
        raise ValueError(f"no type {name}")


def split_type(cql_type):
    """`map<int, frozen<list<text>>>` as its name and its arguments."""
    name, bracket, rest = cql_type.partition("<")
    if not bracket:
        return cql_type.strip(), []
    arguments, depth, start = [], 0, 0
    inner = rest[:rest.rindex(">")]
    for at, letter in enumerate(inner):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            arguments.append(inner[start:at].strip())
            start = at + 1
    return name.strip(), [*arguments, inner[start:].strip()]
