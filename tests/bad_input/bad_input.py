#!/usr/bin/env python3
"""Sends a node what no driver would send, and checks what comes back.

    python3 tests/bad_input/bad_input.py [--host 127.0.0.1] [--port 9042] [--pid PID] [--only 11,12]

For each case: the expected answer within five seconds, or a clean close; and always that another,
well-behaved connection still gets its answers promptly. With --pid the server's memory is read after
every case and may not have grown by more than 200 MB at the end. One line a case; the last line is
"N passed, N failed". --cassandra leaves out the cases in which Apache Cassandra 5.0 is known to hang.

The cases stand in framing.py (1-15: bytes, segments, compression) and messages.py (16-31: contents).
Numbers are those of the list of bad input kept with the project's reliability notes.
"""
import argparse
import os
import sys
import time
import traceback

import framing
import messages
import wire

PROMPT_S = 2.0
MEMORY_BOUND = 200 << 20


class Node:
    """The node under test and one well-behaved connection to it."""

    def __init__(self, address, pid):
        self.address, self.pid = address, pid
        self.good = self.open()

    def open(self, version=4, **options):
        return wire.Connection(self.address).startup(version, **options)

    def raw(self):
        """A connection on which nothing was said yet."""
        return wire.Connection(self.address)

    def check_others_are_served(self):
        started = time.monotonic()
        reply = self.good.ask(wire.QUERY, wire.query("SELECT key FROM system.local WHERE key = 'local'"))
        assert reply.kind == 2, f"the good connection got {reply}"
        with self.open() as fresh:
            assert fresh.ask(wire.OPTIONS).opcode == wire.SUPPORTED
        took = time.monotonic() - started
        assert took < PROMPT_S, f"another connection waited {took:.1f} s"

    def memory(self):
        if self.pid is None:
            return 0
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def node_lives(pid):
    return os.path.exists(f"/proc/{pid}/status")


def run(node, case):
    """None if the case passed, else why not."""
    try:
        case.body(node)
        node.check_others_are_served()
        return None
    except AssertionError as problem:
        return str(problem) or traceback.format_exc()
    except wire.Closed:
        return "the connection was closed"
    except (wire.Silent, OSError) as problem:
        return f"{problem}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9042)
    parser.add_argument("--pid", type=int, help="the server's process, to watch its memory")
    parser.add_argument("--only", default="", help="numbers with commas, e.g. 11,12")
    parser.add_argument("--cassandra", action="store_true", help="leave out what Cassandra 5.0 is known to get wrong")
    options = parser.parse_args()
    node = Node((options.host, options.port), options.pid)
    messages.prepare(node)
    numbers = {int(number) for number in options.only.split(",") if number}
    cases = [case for case in framing.CASES + messages.CASES if not numbers or case.number in numbers]
    if options.cassandra:
        cases = [case for case in cases if not case.cassandra_fails]
    before, passed, failed = node.memory(), 0, 0
    for case in cases:
        started = time.monotonic()
        problem = run(node, case)
        passed, failed = passed + (problem is None), failed + (problem is not None)
        verdict = "ok    " if problem is None else "FAILED"
        print(f"{verdict} {case.number:>2} {case.name} ({time.monotonic() - started:.1f} s){'' if problem is None else ': ' + problem}", flush=True)
        if problem is not None:
            node.good.close()
            try:
                node.good = node.open()
            except (OSError, wire.Closed, wire.Silent) as gone:
                print(f"FAILED    the node is gone: {gone or 'closed'}")
                failed += 1
                break
    else:
        messages.clean_up(node)
    if options.pid is not None and node_lives(options.pid):
        grown = node.memory() - before
        fits = grown <= MEMORY_BOUND
        passed, failed = passed + fits, failed + (not fits)
        print(f"{'ok    ' if fits else 'FAILED'}    memory grew by {grown / 1e6:.0f} MB from {before / 1e6:.0f} MB (bound {MEMORY_BOUND / 1e6:.0f} MB)")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
