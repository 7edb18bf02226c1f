"""What a case is, and the words in which its expectation is written."""
import re
from dataclasses import dataclass

import wire


@dataclass
class Case:
    number: int
    name: str
    body: object
    cassandra_fails: str  # why Apache Cassandra 5.0 does not pass, or ""


def collector(cases):
    """A decorator that puts a function into `cases` under its number and sentence."""
    def case(number, name, cassandra_fails=""):
        def keep(body):
            cases.append(Case(number, name, body, cassandra_fails))
            return body
        return keep
    return case


def expect_error(reply, code, text=".", stream=None, version=None):
    """An ERROR of this code (or one of these), whose text matches."""
    codes = code if isinstance(code, tuple) else (code,)
    assert reply.opcode == wire.ERROR and reply.code in codes, f"want error {'/'.join(f'{c:04x}' for c in codes)}, got {reply}"
    assert re.search(text, reply.text), f"want a text with {text!r}, got {reply}"
    assert stream is None or reply.stream == stream & 0xFFFF, f"want stream {stream}, got {reply}"
    assert version is None or reply.version == version, f"want a header of version {version}, got {reply}"
    return reply


def expect_closed(connection):
    """Nothing more but the close."""
    try:
        reply = connection.receive()
    except wire.Closed:
        return
    raise AssertionError(f"want the connection closed, got {reply}")


def error_or_close(connection, send=b""):
    """An ERROR of any kind or a close; gives the error or None."""
    try:
        if send:
            connection.send(send)
        reply = connection.receive()
    except wire.Closed:
        return None
    assert reply.opcode == wire.ERROR, f"want an error or a close, got {reply}"
    return reply


def expect_alive(connection):
    """The connection goes on answering."""
    reply = connection.ask(wire.OPTIONS)
    assert reply.opcode == wire.SUPPORTED, f"the connection does not go on: {reply}"
