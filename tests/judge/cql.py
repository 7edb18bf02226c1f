"""A CQL client that keeps values as the bytes they came in, and says itself what time it is.

Protocol v5 because of its now_in_seconds: a statement's TTLs and tombstones, and a question's idea of what has
expired, come from the caller, so two servers can be asked about the same second. Many requests are in flight at once.

Read in order: `Request`, `Answer`, `Session`. Never here: what the answers mean.
"""
import pathlib
import socket
import struct
import sys
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bad_input"))
from wire import crc24, crc32, integer, long, long_string, short, string, string_map, value  # noqa: E402

QUERY, STARTUP, RESULT, ERROR = 0x07, 0x01, 0x08, 0x00
ROWS = 2
ONE = 0x0001
SEGMENT_MAX = 131071
IN_FLIGHT = 48
SILENCE_MAX_S = 120

HAS_VALUES, HAS_PAGE_SIZE, HAS_PAGING_STATE, HAS_TIMESTAMP, HAS_NOW = 0x01, 0x04, 0x08, 0x20, 0x100
METADATA_GLOBAL, METADATA_MORE_PAGES, METADATA_NONE = 0x01, 0x02, 0x04

SIMPLE_TYPES = {
    0x01: "ascii", 0x02: "bigint", 0x03: "blob", 0x04: "boolean", 0x05: "counter", 0x06: "decimal", 0x07: "double",
    0x08: "float", 0x09: "int", 0x0B: "timestamp", 0x0C: "uuid", 0x0D: "text", 0x0E: "varint", 0x0F: "timeuuid",
    0x10: "inet", 0x11: "date", 0x12: "time", 0x13: "smallint", 0x14: "tinyint", 0x15: "duration",
}


class CqlError(Exception):
    """What the server answered instead of a result."""


@dataclass(frozen=True)
class Request:
    """A statement with all that decides its outcome."""
    text: str
    values: tuple = ()
    now_s: int | None = None
    timestamp_us: int | None = None
    page_rows: int = 5000

    def body(self, paging_state=None):
        flags, tail = 0, b""
        if self.values:
            flags |= HAS_VALUES
            tail += short(len(self.values)) + b"".join(value(item) for item in self.values)
        flags |= HAS_PAGE_SIZE
        tail += integer(self.page_rows)
        if paging_state is not None:
            flags |= HAS_PAGING_STATE
            tail += integer(len(paging_state)) + paging_state
        if self.timestamp_us is not None:
            flags |= HAS_TIMESTAMP
            tail += long(self.timestamp_us)
        if self.now_s is not None:
            flags |= HAS_NOW
            tail += integer(self.now_s)
        return long_string(self.text) + short(ONE) + struct.pack(">I", flags) + tail

    def __str__(self):
        shown = self.text if len(self.text) < 300 else self.text[:300] + "..."
        given = "".join(f", {'null' if item is None else item[:80].hex()}" for item in self.values)
        when = "" if self.now_s is None else f" at {self.now_s}"
        return f"{shown}{given}{when}"


@dataclass
class Answer:
    """Rows as bytes, or the text of an error."""
    columns: list = field(default_factory=list)  # (name, type as text)
    rows: list = field(default_factory=list)     # tuples of bytes or None
    error: str | None = None

    def names(self):
        return [name for name, _ in self.columns]


class Input:
    """Reads the protocol's notations from the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        if self.at > len(self.data):
            raise CqlError("an answer ends in the middle of a value")
        return self.data[self.at - count:self.at]

    def short(self):
        return struct.unpack(">H", self.take(2))[0]

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def string(self):
        return self.take(self.short()).decode()

    def bytes(self):
        size = self.int()
        return None if size < 0 else self.take(size)

    def type(self):
        """A type as CQL would write it."""
        kind = self.short()
        if kind in SIMPLE_TYPES:
            return SIMPLE_TYPES[kind]
        if kind == 0x00:
            return self.string()
        if kind == 0x20:
            return f"list<{self.type()}>"
        if kind == 0x21:
            return f"map<{self.type()}, {self.type()}>"
        if kind == 0x22:
            return f"set<{self.type()}>"
        if kind == 0x30:
            keyspace, name, count = self.string(), self.string(), self.short()
            fields = ", ".join(f"{self.string()} {self.type()}" for _ in range(count))
            return f"{keyspace}.{name}({fields})"
        if kind == 0x31:
            return f"tuple<{', '.join(self.type() for _ in range(self.short()))}>"
        raise CqlError(f"no type has the id {kind:#x}")


def decode(opcode, body):
    """An answer's part of the whole, and where the next part begins."""
    source = Input(body)
    if opcode == ERROR:
        code = source.int()
        return Answer(error=f"{code:04x} {source.string()}"), None
    if opcode != RESULT:
        raise CqlError(f"an answer with opcode {opcode:#x}")
    answer, paging_state = Answer(), None
    if source.int() != ROWS:
        return answer, None
    flags, column_count = source.int(), source.int()
    if flags & METADATA_MORE_PAGES:
        paging_state = source.bytes()
    if flags & METADATA_GLOBAL:
        source.string(), source.string()
    for _ in range(column_count):
        if not flags & METADATA_GLOBAL:
            source.string(), source.string()
        answer.columns.append((source.string(), source.type()))
    for _ in range(source.int()):
        answer.rows.append(tuple(source.bytes() for _ in range(column_count)))
    return answer, paging_state


class Session:
    """One connection. Not for threads."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=SILENCE_MAX_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw, self.envelopes = b"", b""
        self.socket.sendall(envelope(STARTUP, string_map({"CQL_VERSION": "3.0.0"}), 0))
        header = self.take(9)
        self.take(struct.unpack_from(">I", header, 5)[0])
        if header[4] != 0x02:
            raise CqlError(f"STARTUP was answered with opcode {header[4]:#x}")

    def close(self):
        self.socket.close()

    def run(self, text, **options):
        """One statement; its answer, or CqlError."""
        answer = self.ask([Request(text, **options)])[0]
        if answer.error:
            raise CqlError(f"{answer.error}: {text[:500]}")
        return answer

    def run_all(self, requests, in_flight=IN_FLIGHT):
        """Statements that must all work; with more than one in flight they may overtake each other."""
        for request, answer in zip(requests, self.ask(requests, in_flight)):
            if answer.error:
                raise CqlError(f"{answer.error}: {request}")

    def ask(self, requests, in_flight=IN_FLIGHT):
        """The answers to all requests, in their order, each with all its pages."""
        answers = [Answer() for _ in requests]
        waiting = [(index, None) for index in reversed(range(len(requests)))]
        free, under_way = list(range(in_flight)), {}
        while waiting or under_way:
            out = []
            while waiting and free:
                stream = free.pop()
                index, paging_state = waiting.pop()
                under_way[stream] = index
                out.append(envelope(QUERY, requests[index].body(paging_state), stream))
            self.send(out)
            opcode, stream, body = self.receive()
            index = under_way.pop(stream)
            free.append(stream)
            part, paging_state = decode(opcode, body)
            whole = answers[index]
            whole.columns, whole.error = part.columns or whole.columns, part.error
            whole.rows.extend(part.rows)
            if paging_state is not None:
                waiting.append((index, paging_state))
        return answers

    def send(self, envelopes):
        """Whole envelopes share a segment; one that is too large is cut over segments of its own."""
        payload = b""
        for item in envelopes:
            if len(payload) + len(item) > SEGMENT_MAX and payload:
                self.send_segment(payload, True)
                payload = b""
            if len(item) > SEGMENT_MAX:
                for start in range(0, len(item), SEGMENT_MAX):
                    self.send_segment(item[start:start + SEGMENT_MAX], False)
            else:
                payload += item
        if payload:
            self.send_segment(payload, True)

    def send_segment(self, payload, is_whole):
        header = (len(payload) | (1 << 17 if is_whole else 0)).to_bytes(3, "little")
        self.socket.sendall(header + crc24(header).to_bytes(3, "little") + payload + crc32(payload).to_bytes(4, "little"))

    def receive(self):
        while True:
            if len(self.envelopes) >= 9:
                _, flags, stream, opcode, length = struct.unpack_from(">BBHBI", self.envelopes)
                if len(self.envelopes) >= 9 + length:
                    body, self.envelopes = self.envelopes[9:9 + length], self.envelopes[9 + length:]
                    return opcode, stream, without_warnings(flags, body)
            header = self.take(6)
            payload = self.take(int.from_bytes(header[:3], "little") & 0x1FFFF)
            if int.from_bytes(self.take(4), "little") != crc32(payload):
                raise CqlError("a segment's CRC32 is wrong")
            self.envelopes += payload

    def take(self, count):
        while len(self.raw) < count:
            more = self.socket.recv(1 << 18)
            if not more:
                raise CqlError("the server closed the connection")
            self.raw += more
        data, self.raw = self.raw[:count], self.raw[count:]
        return data


def without_warnings(flags, body):
    if not flags & 0x08:
        return body
    source = Input(body)
    for _ in range(source.short()):
        source.string()
    return body[source.at:]


def envelope(opcode, body, stream):
    return struct.pack(">BBHBI", 5, 0, stream, opcode, len(body)) + body
