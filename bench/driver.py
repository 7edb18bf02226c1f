#!/usr/bin/env python3
"""Inserts and point reads through the stock Python driver.

The same table and rows as the raw client's (`bench run`). The driver, not the server, is the limit here; the server's
CPU time (--pid) still tells what a request costs it.

    python bench/driver.py --port 9042 --pid $(pgrep -x helenus) --count 50000
"""

import argparse
import random
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args

VALUES = [bytes((i * 7 + v * 31) % 256 for i in range(34)) for v in range(5)]


def cpu_seconds(pid):
    """User and system time of a process so far."""
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def step(name, session, statement, args, concurrency, pid):
    cpu, start = cpu_seconds(pid), time.monotonic()
    results = execute_concurrent_with_args(session, statement, args, concurrency=concurrency)
    seconds, cpu = time.monotonic() - start, cpu_seconds(pid) - cpu
    per_cpu = f"{len(args) / cpu:12.0f}" if cpu > 0 else "           -"
    print(f"{name:8}{len(args) / seconds:10.0f} ops/s {per_cpu} ops/CPU-s")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9042)
    parser.add_argument("--pid", type=int, help="the server's process")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--protocol", type=int, default=4)
    options = parser.parse_args()

    profile = ExecutionProfile(consistency_level=ConsistencyLevel.LOCAL_ONE)
    cluster = Cluster(
        [options.host],
        port=options.port,
        protocol_version=options.protocol,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )
    session = cluster.connect()
    session.execute(
        "CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    )
    session.execute(
        "CREATE TABLE IF NOT EXISTS bench.usertable_text "
        "(k text PRIMARY KEY, c0 blob, c1 blob, c2 blob, c3 blob, c4 blob)"
    )
    insert = session.prepare("INSERT INTO bench.usertable_text (k, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?)")
    select = session.prepare("SELECT * FROM bench.usertable_text WHERE k = ?")
    keys = [f"user{n:012}" for n in range(options.count)]
    random.shuffle(keys)
    step("insert", session, insert, [(key, *VALUES) for key in keys], options.concurrency, options.pid)
    results = step("read", session, select, [(key,) for key in keys], options.concurrency, options.pid)
    for success, rows in results:
        assert success and bytes(rows.one().c4) == VALUES[4], rows
    cluster.shutdown()


if __name__ == "__main__":
    main()
