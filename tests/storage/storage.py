#!/usr/bin/env python3
"""The storage engine through the whole server, where its room is small: cache, disk, memory.

    python3 tests/storage/storage.py target/release/helenus [--only small_cache,full_disk,wide] [--port N --admin-port N]

small_cache: a file cache of 64 KiB, so that nearly every read of flushed data waits for the disk: pages, slices, LWT, counters.
full_disk: a tmpfs of 160 MiB fills up: writes are refused with an error that says so, reads go on, and when there is
room again writes do, too; nothing acknowledged is lost. Skipped, by name, where mounting is not permitted.
wide: one partition of 0.3 GB (HELENUS_WIDE_GB says another size) is read whole, both ways, page by page: the memory
that the node ever takes is bounded, whatever the size.
large_batch, small_batches: as many statements as a batch may hold; the thresholds of the configuration.

Standard library only. Ends with "N passed, N failed, N skipped".
"""
import argparse
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "judge"))
from cql import QUERY, CqlError, Request, decode, envelope  # noqa: E402
from nodes import Helenus, ToolFailed  # noqa: E402

KEYSPACE = "room"
CACHE_BYTES = 64 << 10
# Beyond the file cache: code, connections, one page of rows in several forms, what the allocator keeps.
WIDE_CACHE_MIB, WIDE_REST_MIB = 32, 160
DISK_MIB, DISK_LATER_MIB = 160, 400
RECOVERS_S = 60


class Skipped(Exception):
    """It cannot be done here; the text says why."""


def int_of(number):
    return struct.pack(">i", number)


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {str(found)[:300]} instead of {str(wanted)[:300]}")


def pages(session, request):
    """The rows of one page after the other; of each no more is held."""
    paging_state = None
    while True:
        session.send([envelope(QUERY, request.body(paging_state), 0)])
        opcode, _, body = session.receive()
        answer, paging_state = decode(opcode, body)
        if answer.error:
            raise CqlError(f"{answer.error}: {request}")
        yield answer.rows
        if paging_state is None:
            return


def make_keyspace(session):
    session.run(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")


def small_cache(options, folder):
    rows, keys = 2000, 300
    node = options.node(folder / "helenus")
    node.start(f"--set=file_cache_size={CACHE_BYTES}B")
    try:
        session = node.session()
        make_keyspace(session)
        session.run(f"CREATE TABLE {KEYSPACE}.wide (k int, c int, v blob, PRIMARY KEY (k, c))")
        session.run(f"CREATE TABLE {KEYSPACE}.once (k int PRIMARY KEY, v int, filler blob)")
        session.run(f"CREATE TABLE {KEYSPACE}.counted (k int PRIMARY KEY, n counter)")
        filler = random.Random(1).randbytes(700)
        insert = f"INSERT INTO {KEYSPACE}.wide (k, c, v) VALUES (?, ?, ?)"
        session.run_all([Request(insert, (int_of(k), int_of(c), int_of(c) + filler)) for k in (1, 2) for c in range(rows)])
        insert = f"INSERT INTO {KEYSPACE}.once (k, v, filler) VALUES (?, ?, ?)"
        session.run_all([Request(insert, (int_of(k), int_of(k), filler)) for k in range(keys)])
        add = lambda k: Request(f"UPDATE {KEYSPACE}.counted SET n = n + {k} WHERE k = {k}")
        session.run_all([add(k) for k in range(keys)])
        for stage in ("flushed", "compacted"):
            node.flush(KEYSPACE)
            if stage == "compacted":
                node.compact(KEYSPACE)
            for order, wanted in (("ASC", range(rows)), ("DESC", reversed(range(rows)))):
                request = Request(f"SELECT c, v FROM {KEYSPACE}.wide WHERE k = 2 ORDER BY c {order}", page_rows=97)
                found = [row for page in pages(session, request) for row in page]
                expect(found, [(int_of(c), int_of(c) + filler) for c in wanted], f"{stage}: pages {order}")
            starts = [random.Random(2).randrange(rows) for _ in range(1)] + list(range(0, rows, 83))
            slices = [Request(f"SELECT c FROM {KEYSPACE}.wide WHERE k = {k} AND c >= {c} AND c < {c + 7}") for c in starts for k in (1, 2)]
            answers = session.ask(slices)
            wanted = [[(int_of(c + i),) for i in range(7) if c + i < rows] for c in starts for _ in (1, 2)]
            expect([answer.error for answer in answers if answer.error], [], f"{stage}: slices")
            expect([answer.rows for answer in answers], wanted, f"{stage}: slices")
            # Conditions read before they write, many at once on cold data.
            taken = session.ask([Request(f"INSERT INTO {KEYSPACE}.once (k, v) VALUES ({k}, -1) IF NOT EXISTS") for k in range(keys)])
            expect([answer.error or answer.rows[0][0] for answer in taken], [b"\0"] * keys, f"{stage}: IF NOT EXISTS")
            moved = session.ask([Request(f"UPDATE {KEYSPACE}.once SET v = {k + 1} WHERE k = {k} IF v = {k}") for k in range(keys)])
            expect([answer.error or answer.rows[0] for answer in moved], [(b"\1",)] * keys, f"{stage}: IF v =")
            session.run_all([Request(f"UPDATE {KEYSPACE}.once SET v = {k} WHERE k = {k}") for k in range(keys)])
            # A counter's update reads, too: from now on they double.
            times = 2 if stage == "flushed" else 4
            session.run_all([add(k) for k in range(keys)] if times == 2 else [add(k) for k in range(keys)] * 2)
            counted = session.ask([Request(f"SELECT n FROM {KEYSPACE}.counted WHERE k = {k}") for k in range(keys)])
            expect([answer.error or answer.rows for answer in counted], [[(struct.pack(">q", times * k),)] for k in range(keys)], f"{stage}: counters")
        session.close()
    finally:
        node.stop()


def full_disk(options, folder):
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Skipped(f"mounting a tmpfs is not permitted: {mounted.stderr.strip()}")
    node = None
    try:
        node = options.node(disk / "helenus")
        node.log.close()
        node.log = open(folder / "node.log", "ab")
        node.log_end = lambda: (folder / "node.log").read_text(errors="replace")[-3000:]
        node.start("--set=commitlog_segment_size=4MiB", "--set=commitlog_total_space=32MiB", "--set=memtable_heap_space=32MiB")
        session = node.session()
        make_keyspace(session)
        session.run(f"CREATE TABLE {KEYSPACE}.t (k int PRIMARY KEY, v blob)")
        filler = random.Random(3).randbytes(8000)

        def write(k):
            return Request(f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (?, ?)", (int_of(k), int_of(k) + filler))

        kept, refused = [], None
        for batch in range(1000):
            keys = range(batch * 64, batch * 64 + 64)
            answers = session.ask([write(k) for k in keys])
            kept += [k for k, answer in zip(keys, answers) if not answer.error]
            refused = next((answer.error for answer in answers if answer.error and "full" in answer.error), None)
            if refused:
                break
        if not refused:
            raise AssertionError(f"{len(kept)} writes were taken by a disk of {DISK_MIB} MiB and none was refused as the disk is full")
        print(f"  after {len(kept)} writes: {refused}")

        def check(when):
            some = kept[::7]
            answers = session.ask([Request(f"SELECT v FROM {KEYSPACE}.t WHERE k = {k}") for k in some])
            expect([answer.error or answer.rows for answer in answers], [[(int_of(k) + filler,)] for k in some], when)

        check("reads on a full disk")
        subprocess.run(["mount", "-o", f"remount,size={DISK_LATER_MIB}m", str(disk)], check=True)
        began = time.monotonic()
        while (error := session.ask([write(1_000_000)])[0].error) is not None:
            if time.monotonic() - began > RECOVERS_S:
                raise AssertionError(f"{RECOVERS_S} s after there is room: {error}")
            time.sleep(0.1)
        print(f"  {time.monotonic() - began:.1f} s after there is room writes are taken again")
        check("reads with room again")
        node.flush(KEYSPACE)
        session.close()
        node.restart()
        session = node.session()
        check("reads after a restart")
        session.close()
    finally:
        if node:
            try:
                node.stop()
            finally:
                node.log.close()
                subprocess.run(["umount", str(disk)], check=False)
        else:
            subprocess.run(["umount", str(disk)], check=False)


def wide(options, folder):
    size = float(os.environ.get("HELENUS_WIDE_GB", "0.3")) * 1e9
    value_bytes = 32 << 10
    rows = int(size // value_bytes)
    block = random.Random(4).randbytes(2 * value_bytes)

    def value(c):
        at = c * 61 % value_bytes
        return block[at:at + value_bytes - 4] + int_of(c)

    node = options.node(folder / "helenus")
    settings = [f"--set=file_cache_size={WIDE_CACHE_MIB}MiB"]
    node.start(*settings)
    try:
        session = node.session()
        make_keyspace(session)
        session.run(f"CREATE TABLE {KEYSPACE}.wide (k int, c int, v blob, PRIMARY KEY (k, c))")
        began = time.monotonic()
        insert = f"INSERT INTO {KEYSPACE}.wide (k, c, v) VALUES (?, ?, ?)"
        for start in range(0, rows, 500):
            # Not in order: the memtables and files of all hold parts of all.
            some = [c * 7919 % rows if rows % 7919 else c for c in range(start, min(start + 500, rows))]
            session.run_all([Request(insert, (int_of(1), int_of(c), value(c))) for c in some], 16)
        node.flush(KEYSPACE)
        took = {"write": time.monotonic() - began}
        began = time.monotonic()
        node.compact(KEYSPACE)
        took["compact"] = time.monotonic() - began
        peak = {"write and compact": hwm_mib(node)}
        session.close()
        for order in ("ASC", "DESC"):
            node.stop()
            node.start(*settings)
            session = node.session()
            began, before = time.monotonic(), hwm_mib(node)
            wanted = iter(range(rows) if order == "ASC" else reversed(range(rows)))
            for page in pages(session, Request(f"SELECT c, v FROM {KEYSPACE}.wide WHERE k = 1 ORDER BY c {order}", page_rows=32)):
                for c, found in page:
                    number = next(wanted)
                    if (c, found) != (int_of(number), value(number)):
                        raise AssertionError(f"{order}: another row at {number}")
            expect(next(wanted, None), None, f"{order}: rows that are missing begin")
            took[order], peak[order] = time.monotonic() - began, hwm_mib(node)
            session.close()
            bound = WIDE_CACHE_MIB + WIDE_REST_MIB
            if peak[order] > bound:
                raise AssertionError(f"{order}: {peak[order]} MiB of memory at most ({before} before), more than {bound}")
        print(f"  {rows * value_bytes / 1e9:.2f} GB; seconds:", {name: round(s, 1) for name, s in took.items()}, "; MiB at most:", peak)
    finally:
        node.stop()


def large_batch(options, folder):
    """As many rows of one partition as a batch may hold: once each went past all those before it."""
    rows = 65_535
    node = options.node(folder / "helenus")
    node.start()
    try:
        session = node.session()
        make_keyspace(session)
        session.run(f"CREATE TABLE {KEYSPACE}.batched (k int, c int, v int, PRIMARY KEY (k, c))")
        order = random.Random(3).sample(range(rows), rows)
        # Statements of the batch: by text, as that needs nothing prepared.
        began = time.monotonic()
        session.run("BEGIN UNLOGGED BATCH " + " ".join(f"INSERT INTO {KEYSPACE}.batched (k, c, v) VALUES (0, {c}, {c});" for c in order) + " APPLY BATCH")
        took_s = time.monotonic() - began
        assert took_s < 30, f"the batch took {took_s:.0f} s"
        found = [row[0] for page in pages(session, Request(f"SELECT c FROM {KEYSPACE}.batched WHERE k = 0", page_rows=5000)) for row in page]
        expect(found, [int_of(c) for c in range(rows)], "rows of the batch")
        # What earlier statements of a batch change of counters is found by its key: going past all of them took 52 s.
        session.run(f"CREATE TABLE {KEYSPACE}.counted (k int, c int, n counter, PRIMARY KEY (k, c))")
        session.run(f"CREATE TABLE {KEYSPACE}.listed (k int PRIMARY KEY, l list<int>)")
        for what, kind, statement in (("counters", "COUNTER", "UPDATE {}.counted SET n = n + 1 WHERE k = 0 AND c = {}"), ("lists", "UNLOGGED", "UPDATE {}.listed SET l = l + [{}] WHERE k = 0")):
            began = time.monotonic()
            session.run(f"BEGIN {kind} BATCH " + " ".join(statement.format(KEYSPACE, c // 2) + ";" for c in range(rows)) + " APPLY BATCH")
            took_s = time.monotonic() - began
            print(f"  {rows} {what} in one batch: {took_s:.1f} s")
            assert took_s < 10, f"the batch of {what} took {took_s:.0f} s"
        found = [row[0] for page in pages(session, Request(f"SELECT n FROM {KEYSPACE}.counted WHERE k = 0", page_rows=5000)) for row in page]
        expect(found, [struct.pack(">q", 2)] * (rows // 2) + [struct.pack(">q", 1)], "counters of the batch")
        [[listed]] = session.run(f"SELECT l FROM {KEYSPACE}.listed WHERE k = 0").rows
        expect(listed, int_of(rows) + b"".join(int_of(4) + int_of(c // 2) for c in range(rows)), "the list of the batch")
        session.close()
    finally:
        node.stop()


def small_batches(options, folder):
    """The thresholds of the configuration: what is refused, what the log is told."""
    node = options.node(folder / "helenus")
    node.start("--set=batch_size_warn_threshold=1KiB", "--set=batch_size_fail_threshold=2KiB", "--set=unlogged_batch_across_partitions_warn_threshold=3")
    try:
        session = node.session()
        make_keyspace(session)
        session.run(f"CREATE TABLE {KEYSPACE}.small (k int PRIMARY KEY, v blob)")
        # What is counted of a partition of one row beside its value: deletion, static row, row, cell.
        batch = lambda keys, size: "BEGIN UNLOGGED BATCH " + " ".join(f"INSERT INTO {KEYSPACE}.small (k, v) VALUES ({k}, 0x{'00' * size});" for k in keys) + " APPLY BATCH"
        frame, told = 8 + 21 + 21 + 20, lambda: (folder / "helenus" / "node.log").read_text(errors="replace")
        session.run(batch((1, 2), 512 - frame))
        assert "exceeding" not in told(), "a batch of 1 KiB"
        session.run(batch((1, 2), 1024 - frame))
        assert f"Batch for [{KEYSPACE}.small] is of size 2048, exceeding specified threshold of 1024 by 1024." in told(), "a batch of 2 KiB"
        expect(session.ask([Request(batch((8, 9), 1025 - frame))])[0].error, "2200 Batch too large", "a batch of 2 KiB and 2 bytes")
        assert "of size 2050, exceeding specified threshold of 2048 by 2. (see batch_size_fail_threshold)" in told(), "a refused batch"
        expect(session.run(f"SELECT k FROM {KEYSPACE}.small WHERE k IN (8, 9)").rows, [], "rows of a refused batch")
        session.run(batch((1, 2, 3), 1))
        assert "Unlogged batch" not in told(), "a batch of 3 partitions"
        for _ in range(3):
            session.run(batch((1, 2, 3, 4), 1))
        expect(told().count("Unlogged batch covering 4 partitions detected"), 1, "lines of the log on 4 partitions within a minute")
        session.close()
    finally:
        node.stop()


def hwm_mib(node):
    """The most memory that the process has ever held."""
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) >> 10
    raise AssertionError("/proc says no VmHWM")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("helenus", type=pathlib.Path, help="the binary")
    parser.add_argument("--only", type=lambda names: names.split(","), help="names of tests")
    parser.add_argument("--port", type=int)
    parser.add_argument("--admin-port", type=int)
    options = parser.parse_args()
    options.node = lambda folder: Helenus(options.helenus.resolve(), folder, options.port, options.admin_port)
    passed = failed = skipped = 0
    for test in (small_cache, full_disk, large_batch, small_batches, wide):
        if options.only and test.__name__ not in options.only:
            continue
        folder, began = pathlib.Path(tempfile.mkdtemp(prefix="helenus-storage-")), time.monotonic()
        try:
            test(options, folder)
            passed += 1
            print(f"{test.__name__}: passed, {time.monotonic() - began:.1f} s", flush=True)
        except Skipped as reason:
            skipped += 1
            print(f"{test.__name__}: skipped: {reason}", flush=True)
        except (AssertionError, CqlError, ToolFailed, OSError) as problem:
            failed += 1
            print(f"{test.__name__}: FAILED: {problem}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
