"""Just enough of the native protocol's client side to send what no driver would send.

Frames are built by hand and may lie about everything. Reading is strict: an answer must be a whole,
well-formed frame (or segment) of the server. Standard library only.
"""
import socket
import struct
import time
import zlib

ERROR, STARTUP, READY, OPTIONS, SUPPORTED = 0x00, 0x01, 0x02, 0x05, 0x06
QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH = 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D
AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10

PROTOCOL, INVALID, SYNTAX, UNPREPARED, SERVER = 0x000A, 0x2200, 0x2000, 0x2500, 0x0000

ONE, QUORUM, SERIAL = 0x0001, 0x0004, 0x0008
PATIENCE_S = 5.0  # an answer or a close must come within this
SEGMENT_MAX = 131071


class Closed(Exception):
    """The server closed the connection (a reset counts as well)."""


class Silent(Exception):
    """The server neither answered nor closed in time."""


# Primitives of the protocol.

def short(value):
    return struct.pack(">H", value & 0xFFFF)


def integer(value):
    return struct.pack(">i", value if value < 2**31 else value - 2**32)


def long(value):
    return struct.pack(">q", value)


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return short(len(data)) + data


def long_string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return integer(len(data)) + data


def value(data):
    """A [value]: None is null, an int is a bare length without bytes, else the bytes."""
    if data is None:
        return integer(-1)
    return integer(data) if isinstance(data, int) else integer(len(data)) + data


def string_map(pairs):
    return short(len(pairs)) + b"".join(string(key) + string(text) for key, text in pairs.items())


def query(text, flags=0, tail=b"", consistency=ONE, version=4):
    """The body of a QUERY; `tail` is everything that the flags announce."""
    return long_string(text) + short(consistency) + query_flags(flags, version) + tail


def query_flags(flags, version):
    return struct.pack(">I", flags) if version >= 5 else struct.pack(">B", flags & 0xFF)


def values(*items):
    return short(len(items)) + b"".join(value(item) for item in items)


def frame(opcode, body=b"", version=4, stream=1, flags=0, length=None):
    """A 9-byte header and its body; `length` lies about the body."""
    declared = len(body) if length is None else length
    return struct.pack(">BBHBI", version, flags, stream & 0xFFFF, opcode, declared & 0xFFFFFFFF) + body


# Version 5 segments.

def crc24(data):
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def crc32(data):
    return zlib.crc32(data, zlib.crc32(b"\xfa\x2d\x55\xca"))


def segment(payload, self_contained=True, header_crc_error=0, payload_crc_error=0, length=None):
    """An uncompressed segment of version 5."""
    declared = len(payload) if length is None else length
    header = (declared | (1 << 17 if self_contained else 0)).to_bytes(3, "little")
    # The CRC runs over the header's bytes in the order they are sent.
    return (header + (crc24(header) ^ header_crc_error).to_bytes(3, "little")
            + payload + (crc32(payload) ^ payload_crc_error).to_bytes(4, "little"))


def lz4_segment(payload, uncompressed_length, self_contained=True):
    """A segment of a connection with LZ4; `payload` is taken as it is (0 = not compressed)."""
    bits = len(payload) | uncompressed_length << 17 | (1 << 34 if self_contained else 0)
    header = bits.to_bytes(5, "little")
    return header + crc24(header).to_bytes(3, "little") + payload + crc32(payload).to_bytes(4, "little")


def lz4_literals(data):
    """A valid LZ4 block that holds only literals."""
    if len(data) < 15:
        return bytes([len(data) << 4]) + data
    rest, tail = len(data) - 15, b""
    while rest >= 255:
        tail, rest = tail + b"\xff", rest - 255
    return b"\xf0" + tail + bytes([rest]) + data


class Reply:
    """One message of the server."""

    def __init__(self, header, body):
        version, self.flags, stream, self.opcode, self.length = struct.unpack(">BBHBI", header)
        self.version, self.stream, self.body = version & 0x7F, stream, body
        assert version & 0x80, f"the answer's header {header.hex()} has no response bit"
        rest = self.body
        if self.flags & 0x02:
            rest = rest[16:]
        if self.flags & 0x08:  # warnings
            (count,) = struct.unpack_from(">H", rest)
            rest = rest[2:]
            for _ in range(count):
                (size,) = struct.unpack_from(">H", rest)
                rest = rest[2 + size:]
        self.rest = rest

    @property
    def code(self):
        return struct.unpack_from(">i", self.rest)[0] if self.opcode == ERROR else None

    @property
    def text(self):
        (size,) = struct.unpack_from(">H", self.rest, 4)
        return self.rest[6:6 + size].decode()

    @property
    def kind(self):
        """The kind of a RESULT: 1 void, 2 rows, 3 keyspace, 4 prepared, 5 schema change."""
        return struct.unpack_from(">i", self.rest)[0] if self.opcode == RESULT else None

    def __str__(self):
        if self.opcode == ERROR:
            return f"ERROR {self.code:04x} {self.text!r} (v{self.version}, stream {self.stream})"
        kind = f" kind {self.kind}" if self.opcode == RESULT else ""
        return f"opcode {self.opcode:02x}{kind} of {self.length} bytes (v{self.version}, stream {self.stream})"


class Connection:
    """A socket to the node; knows whether answers come in segments."""

    def __init__(self, address, patience_s=PATIENCE_S):
        self.socket = socket.create_connection(address, timeout=patience_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.patience_s, self.framed, self.lz4 = patience_s, False, False
        self.buffer = b""  # bytes of envelopes taken out of segments

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends; a server that closes while we send is a close, not a crash of the test."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as problem:
            raise Closed from problem
        except TimeoutError as problem:
            raise Silent("the server stopped reading and did not close") from problem

    def take(self, count):
        """Exactly `count` bytes from the socket."""
        data, deadline = b"", time.monotonic() + self.patience_s
        while len(data) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silent(f"no answer within {self.patience_s} s")
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(min(count - len(data), 1 << 16))
            except TimeoutError as problem:
                raise Silent(f"no answer within {self.patience_s} s") from problem
            except ConnectionError as problem:
                raise Closed from problem
            finally:
                self.socket.settimeout(self.patience_s)
            if not more:
                raise Closed
            data += more
        return data

    def take_segment(self):
        header = self.take(8 if self.lz4 else 6)
        size = 5 if self.lz4 else 3
        bits = int.from_bytes(header[:size], "little")
        assert int.from_bytes(header[size:], "little") == crc24(header[:size]), "the server's segment header has a wrong CRC24"
        payload = self.take(bits & 0x1FFFF)
        trailer = int.from_bytes(self.take(4), "little")
        assert trailer == crc32(payload), "the server's segment has a wrong CRC32"
        uncompressed = bits >> 17 & 0x1FFFF if self.lz4 else 0
        self.buffer += lz4_decompress(payload, uncompressed) if uncompressed else payload

    def take_message(self, count):
        if not self.framed:
            return self.take(count)
        while len(self.buffer) < count:
            self.take_segment()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        header = self.take_message(9)
        if header[0] in (0x81, 0x82):  # the old header: one byte of stream, eight in all
            length = struct.unpack(">I", header[4:8])[0]
            body = header[8:] + self.take_message(length - 1)
            return Reply(header[:2] + b"\x00" + header[2:4] + header[4:8], body)
        (length,) = struct.unpack(">I", header[5:])
        assert length < 1 << 28, f"the answer claims {length} bytes"
        return Reply(header, self.take_message(length))

    def ask(self, opcode, body=b"", **header):
        """One framed request as the connection's version wants it, and its answer."""
        header.setdefault("version", self.version)
        data = frame(opcode, body, **header)
        self.send(self.wrap(data))
        return self.receive()

    def wrap(self, data):
        if not self.framed:
            return data
        if self.lz4:
            assert len(data) <= SEGMENT_MAX
            return lz4_segment(data, 0)
        if len(data) <= SEGMENT_MAX:
            return segment(data)
        return b"".join(segment(data[i:i + SEGMENT_MAX], False) for i in range(0, len(data), SEGMENT_MAX))

    def startup(self, version=4, **options):
        """STARTUP as a driver sends it; from here answers of version 5 come in segments."""
        self.version = version
        self.send(frame(STARTUP, string_map({"CQL_VERSION": "3.0.0"} | options), version))
        reply = self.receive()
        assert reply.opcode == READY, f"STARTUP was answered {reply}"
        self.framed = version >= 5
        self.lz4 = self.framed and options.get("COMPRESSION") == "lz4"
        return self


def lz4_decompress(data, size):
    """LZ4 block format, plain and slow."""
    out, i = bytearray(), 0
    while i < len(data):
        token, i = data[i], i + 1
        count = token >> 4
        while count >= 15 and (count == 15 or data[i - 1] == 255):
            count, i = count + data[i], i + 1
        out += data[i:i + count]
        i += count
        if i >= len(data):
            break
        offset, i = data[i] | data[i + 1] << 8, i + 2
        count = token & 15
        while count >= 15 and (count == 15 or data[i - 1] == 255):
            count, i = count + data[i], i + 1
        for _ in range(count + 4):
            out.append(out[-offset])
    assert len(out) == size, f"the server's LZ4 block gave {len(out)} bytes instead of {size}"
    return bytes(out)
