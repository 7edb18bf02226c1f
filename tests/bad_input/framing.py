"""Cases 1-15: envelope headers, version 5 segments, compressed bodies."""
import os
import struct

import wire
from case import collector, error_or_close, expect_alive, expect_closed, expect_error
from wire import (INVALID, OPTIONS, PROTOCOL, QUERY, READY, RESULT, STARTUP, SUPPORTED, frame,
                  long_string, lz4_literals, lz4_segment, query, segment, string_map)

CASES = []
case = collector(CASES)

LOCAL = query("SELECT key FROM system.local WHERE key = 'local'")
LOCAL_V5 = query("SELECT key FROM system.local WHERE key = 'local'", version=5)
HELLO = string_map({"CQL_VERSION": "3.0.0"})
FRAME_MAX = 16 << 20


@case(1, "a response bit in the first frame")
def _(node):
    with node.raw() as connection:
        connection.send(frame(OPTIONS, version=0x84, stream=3))
        expect_error(connection.receive(), PROTOCOL, "Wrong protocol direction \\(expected REQUEST, got RESPONSE\\) for opcode 5")


@case(1, "a response bit after STARTUP")
def _(node):
    with node.open() as connection:
        assert error_or_close(connection, frame(OPTIONS, version=0x84, stream=3)) is None or True


@case(2, "versions 0, 7, 0x41, 0x42 and 0x7f name the supported ones, stream kept")
def _(node):
    for version in (0, 7, 0x41, 0x42, 0x7F):
        with node.raw() as connection:
            connection.send(frame(STARTUP, HELLO, version=version, stream=0x0102))
            stream = 0x0102 if version else None
            expect_error(connection.receive(), PROTOCOL,
                         f"Invalid or unsupported protocol version \\({version}\\); supported versions are \\(3/v3, 4/v4, 5/v5, 6/v6-beta\\)",
                         stream=stream, version=5)


@case(2, "versions 1 and 2 are answered in their own old header")
def _(node):
    for version in (1, 2):
        with node.raw() as connection:
            connection.send(struct.pack(">BBBBI", version, 0, 7, STARTUP, len(HELLO)) + HELLO)
            reply = expect_error(connection.receive(), PROTOCOL, "Invalid or unsupported protocol version", version=version)
            assert reply.stream == 7, f"want stream 7, got {reply}"


@case(2, "a good STARTUP may follow on the same connection")
def _(node):
    with node.raw() as connection:
        connection.send(frame(STARTUP, HELLO, version=0x42))
        expect_error(connection.receive(), PROTOCOL)
        connection.startup(4)
        expect_alive(connection)


@case(3, "version 6 without the beta flag")
def _(node):
    with node.raw() as connection:
        connection.send(frame(STARTUP, HELLO, version=6, stream=5))
        expect_error(connection.receive(), PROTOCOL, "Beta version of the protocol used \\(6/v6-beta\\), but USE_BETA flag is unset", 5, 6)


@case(4, "unknown opcodes before STARTUP")
def _(node):
    with node.raw() as connection:
        connection.send(frame(0x20))
        expect_error(connection.receive(), PROTOCOL, "Unknown opcode 32")
    with node.raw() as connection:
        error_or_close(connection, frame(0xFF))


@case(4, "unknown and response opcodes after STARTUP, version 5: the connection goes on")
def _(node):
    with node.open(5) as connection:
        expect_error(connection.ask(0x20, stream=9), PROTOCOL, "Unknown opcode 32", 9)
        expect_error(connection.ask(RESULT, stream=9), PROTOCOL, "Wrong protocol direction", 9)
        expect_alive(connection)


@case(4, "unknown and response opcodes after STARTUP, an error or a close")
def _(node):
    for version in (4, 5):
        for opcode in (0xFF, 0x20, 0x04, RESULT):
            with node.open(version) as connection:
                error_or_close(connection, connection.wrap(frame(opcode, version=version, stream=9)))


@case(5, "an unknown header flag is ignored")
def _(node):
    with node.open() as connection:
        assert connection.ask(OPTIONS, flags=0x80).opcode == SUPPORTED


@case(5, "a custom payload below version 4")
def _(node):
    with node.open(3) as connection:
        body = struct.pack(">H", 0) + query("SELECT key FROM system.local", version=3)
        expect_error(connection.ask(QUERY, body, flags=0x04), PROTOCOL, "CUSTOM_PAYLOAD flag for native protocol version < 4")


@case(6, "a negative body length, version 4", cassandra_fails="never answers")
def _(node):
    for length in (0x80000000, 0xFFFFFFFC):
        with node.open() as connection:
            error_or_close(connection, frame(QUERY, length=length))


@case(6, "a negative body length before STARTUP", cassandra_fails="never answers")
def _(node):
    with node.raw() as connection:
        error_or_close(connection, frame(STARTUP, length=0x80000000))


@case(6, "a negative body length, version 5")
def _(node):
    with node.open(5) as connection:
        connection.send(segment(frame(QUERY, version=5, length=-4)))
        expect_error(connection.receive(), PROTOCOL, "Invalid value for envelope header body length field: -4")
        expect_closed(connection)


@case(6, "a QUERY without a body")
def _(node):
    for version in (3, 4, 5):
        with node.open(version) as connection:
            expect_error(connection.ask(QUERY, stream=4), PROTOCOL, "Not enough bytes", 4)
            expect_alive(connection)


@case(6, "a body one byte above the cap is read, refused and forgotten")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            text = b"x" * (FRAME_MAX + 1 - 7)
            body = long_string(text) + struct.pack(">H", 1) + wire.query_flags(0, version)
            expect_error(connection.ask(QUERY, body, stream=6), INVALID, "Request is too big|exceeds allowed maximum", 6)
            expect_alive(connection)


@case(6, "a body of two gigabytes is announced and never finished")
def _(node):
    with node.open() as connection:
        try:
            connection.send(frame(QUERY, length=0x7FFFFFFF))
            for _ in range(40):
                connection.send(b"\x00" * (1 << 20))
        except wire.Closed:
            pass  # refusing early is as good
        node.check_others_are_served()


@case(7, "a header that comes byte by byte")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            for byte in connection.wrap(frame(OPTIONS, version=version)):
                connection.send(bytes([byte]))
            assert connection.receive().opcode == SUPPORTED


@case(7, "half a header, half a body, and then nothing")
def _(node):
    with node.raw() as first, node.raw() as second, node.open() as third:
        first.send(frame(OPTIONS)[:4])
        second.send(frame(STARTUP, HELLO)[:-3])
        third.send(frame(QUERY, LOCAL)[:-3])
        node.check_others_are_served()


@case(8, "stream ids at the edges are echoed")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            for stream in (0, -1, -32768, 32767):
                reply = connection.ask(OPTIONS, stream=stream)
                assert reply.opcode == SUPPORTED and reply.stream == stream & 0xFFFF, f"stream {stream}: {reply}"


@case(8, "one stream id twice in flight")
def _(node):
    with node.open() as connection:
        connection.send(frame(QUERY, LOCAL, stream=3) * 2)
        for _ in range(2):
            reply = connection.receive()
            assert reply.stream == 3 and reply.opcode in (RESULT, wire.ERROR), str(reply)


@case(9, "40,000 requests in flight on one connection")
def _(node):
    import threading
    with node.open() as connection:
        data = b"".join(frame(OPTIONS, stream=i & 0x7FFF) for i in range(40_000))
        sender = threading.Thread(target=lambda: _send_quietly(connection, data))
        sender.start()
        seen = 0
        try:
            while seen < 40_000:
                reply = connection.receive()
                assert reply.opcode in (SUPPORTED, wire.ERROR), str(reply)
                seen += 1
        except wire.Closed:
            pass  # too many for one connection may also end it
        sender.join()


def _send_quietly(connection, data):
    try:
        connection.socket.sendall(data)
    except OSError:
        pass


@case(9, "a thousand connections that never say STARTUP")
def _(node):
    idle = []
    try:
        for _ in range(1000):
            idle.append(node.raw())
        node.check_others_are_served()
    finally:
        for connection in idle:
            connection.close()


@case(10, "an HTTP request, a TLS hello, noise")
def _(node):
    tls = bytes.fromhex("16030100c8010000c40303") + os.urandom(200)
    for garbage in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", tls, b"SSH-2.0-OpenSSH_9.0\r\n", b"\x7f" * 64):
        with node.raw() as connection:
            error_or_close(connection, garbage)


@case(10, "zeros")
def _(node):
    with node.raw() as connection:
        error_or_close(connection, b"\x00" * 64)


@case(11, "a wrong CRC24 of a segment's header")
def _(node):
    with node.open(5) as connection:
        connection.send(segment(frame(OPTIONS, version=5), header_crc_error=1))
        expect_error(connection.receive(), PROTOCOL, "unrecoverable CRC mismatch detected in frame header", 0)
        expect_closed(connection)


@case(11, "a wrong CRC32 of a segment's payload")
def _(node):
    with node.open(5) as connection:
        connection.send(segment(frame(OPTIONS, version=5), payload_crc_error=1))
        expect_error(connection.receive(), PROTOCOL, "unrecoverable CRC mismatch detected in frame body", 0)
        expect_closed(connection)


@case(12, "an empty segment is nothing")
def _(node):
    with node.open(5) as connection:
        connection.send(segment(b"") + segment(frame(OPTIONS, version=5)))
        assert connection.receive().opcode == SUPPORTED


@case(12, "a segment of the greatest length")
def _(node):
    with node.open(5) as connection:
        text = "SELECT key FROM system.local WHERE key = 'local'"
        text += " " * (wire.SEGMENT_MAX - 9 - len(query(text, version=5)))
        data = frame(QUERY, query(text, version=5), version=5)
        assert len(data) == wire.SEGMENT_MAX
        connection.send(segment(data))
        assert connection.receive().kind == 2


@case(12, "a compressed segment that was left as it is")
def _(node):
    with node.open(5, COMPRESSION="lz4") as connection:
        connection.send(lz4_segment(frame(OPTIONS, version=5), 0))
        assert connection.receive().opcode == SUPPORTED
        data = frame(OPTIONS, version=5)
        connection.send(lz4_segment(lz4_literals(data), len(data)))
        assert connection.receive().opcode == SUPPORTED


@case(12, "an uncompressed length that is too great or too small")
def _(node):
    data = frame(OPTIONS, version=5)
    for wrong in (len(data) + 1, len(data) - 1, 1, wire.SEGMENT_MAX):
        with node.open(5, COMPRESSION="lz4") as connection:
            error_or_close(connection, lz4_segment(lz4_literals(data), wrong))


@case(12, "a block that grows beyond what it declares")
def _(node):
    bomb = b"\x1f\x00\x01\x00" + b"\xff" * 100_000 + b"\x00" + b"\x50abcde"  # 25 MB of zeros
    with node.open(5, COMPRESSION="lz4") as connection:
        error_or_close(connection, lz4_segment(bomb, wire.SEGMENT_MAX))


@case(13, "a message cut into many segments")
def _(node):
    data = frame(QUERY, query("SELECT key FROM system.local WHERE key = 'local'" + " " * 5000, version=5), version=5)
    with node.open(5) as connection:
        for start in range(0, len(data), 500):
            connection.send(segment(data[start:start + 500], False))
        assert connection.receive().kind == 2


@case(13, "a message that is never finished")
def _(node):
    with node.open(5) as connection:
        connection.send(segment(frame(QUERY, b"\x00" * 1000, version=5, length=100_000), False))
        node.check_others_are_served()


@case(13, "an envelope header split over two segments")
def _(node):
    data = frame(OPTIONS, version=5)
    with node.open(5) as connection:
        error_or_close(connection, segment(data[:4], False) + segment(data[4:], False))


@case(13, "half an envelope in a self-contained segment")
def _(node):
    with node.open(5) as connection:
        error_or_close(connection, segment(frame(QUERY, LOCAL_V5, version=5)[:-5]))


@case(13, "another message between the parts of a large one is answered, refused or the end")
def _(node):
    data = frame(QUERY, LOCAL_V5 + b" " * 2000, version=5)
    with node.open(5) as connection:
        parts = [segment(data[:1000], False), segment(frame(OPTIONS, version=5)), segment(data[1000:], False)]
        connection.send(b"".join(parts))
        try:
            reply = connection.receive()
            assert reply.opcode in (SUPPORTED, RESULT, wire.ERROR), str(reply)
        except wire.Closed:
            pass


@case(13, "more bytes than the message has in its last segment", cassandra_fails="waits for the rest")
def _(node):
    data = frame(QUERY, LOCAL_V5, version=5)
    with node.open(5) as connection:
        connection.send(segment(data[:20], False) + segment(data[20:] + b"\x05\x00\x00", False))
        reply = connection.receive()
        assert reply.kind == 2 or reply.opcode == wire.ERROR, str(reply)


@case(14, "a segment before STARTUP")
def _(node):
    with node.raw() as connection:
        error_or_close(connection, segment(frame(STARTUP, HELLO, version=5)))


@case(14, "bare frames after STARTUP of version 5")
def _(node):
    with node.open(5) as connection:
        connection.send(frame(OPTIONS, version=4) * 3)
        expect_error(connection.receive(), PROTOCOL, "CRC mismatch detected in frame header")
        expect_closed(connection)


@case(14, "another version in the header")
def _(node):
    with node.open(4) as connection:
        connection.send(frame(OPTIONS, version=3))
        expect_error(connection.receive(), PROTOCOL, "Invalid message version. Got 3/v3 but previous messages on this connection had version 4/v4")


@case(14, "the compression flag without compression")
def _(node):
    for version in (4, 5):
        with node.open(version) as connection:
            body = LOCAL if version == 4 else LOCAL_V5
            reply = connection.ask(QUERY, body, flags=0x01)
            assert reply.kind == 2 or reply.opcode == wire.ERROR, str(reply)


@case(15, "LZ4 bodies of version 4: bad offset, lying length, empty, cut")
def _(node):
    good = struct.pack(">I", len(LOCAL)) + lz4_literals(LOCAL)
    bad = [
        struct.pack(">I", 100) + b"\x1fA\xff\xff\x00", struct.pack(">I", len(LOCAL) + 1) + lz4_literals(LOCAL), b"", b"\x00",
        good[:-4], struct.pack(">I", 5) + lz4_literals(LOCAL), struct.pack(">i", -1) + lz4_literals(LOCAL),
    ]
    for body in bad:
        with node.raw() as connection:
            start_compressed(connection, "lz4")
            assert ask_compressed(connection, good) == RESULT
            error_or_close(connection, frame(QUERY, body, flags=0x01))


@case(15, "an LZ4 body that claims two gigabytes", cassandra_fails="allocates them and dies")
def _(node):
    for claim in (0x7FFFFFFF, 0x40000000, FRAME_MAX + 1):
        with node.raw() as connection:
            start_compressed(connection, "lz4")
            error_or_close(connection, frame(QUERY, struct.pack(">I", claim) + lz4_literals(LOCAL), flags=0x01))


@case(15, "Snappy bodies of version 4: bad offset, lying length, empty, cut")
def _(node):
    good = snappy_literals(LOCAL)
    assert len(LOCAL) < 128
    for body in (b"\x64\x00A\x01\xff", bytes([len(LOCAL) + 1]) + good[1:], b"", b"\xff\xff\xff\xff\x0f", good[:-4], b"\xff\xff\xff\xff\x07" + good[1:]):
        with node.raw() as connection:
            start_compressed(connection, "snappy")
            assert ask_compressed(connection, good) == RESULT
            error_or_close(connection, frame(QUERY, body, flags=0x01))


def snappy_literals(data):
    """A Snappy block of one literal of less than 128 bytes."""
    return bytes([len(data), 60 << 2, len(data) - 1]) + data


def start_compressed(connection, algorithm):
    """STARTUP of version 4 with a compression; READY may come compressed."""
    connection.version = 4
    connection.send(frame(STARTUP, string_map({"CQL_VERSION": "3.0.0", "COMPRESSION": algorithm})))
    header = connection.take(9)
    connection.take(struct.unpack(">I", header[5:])[0])
    assert header[4] == READY, f"STARTUP with {algorithm} was answered {header.hex()}"


def ask_compressed(connection, body):
    """Sends a compressed QUERY; gives the answer's opcode without unpacking it."""
    connection.send(frame(QUERY, body, flags=0x01))
    header = connection.take(9)
    connection.take(struct.unpack(">I", header[5:])[0])
    return header[4]
