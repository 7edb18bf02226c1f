#!/usr/bin/env python3
"""Kills the node with SIGKILL at random moments and checks every write it had acknowledged.

    .venv/bin/python tests/crash/crash.py target/release/helenus [--cycles 50] [--seed 1] [--port 19542]

Each cycle: start the node on the same data directory, check the whole model against it, write from
some threads through cassandra-driver, kill the node at a moment drawn from the seed. The model knows,
for every row, the states it may have: the last acknowledged one, or any that a write of unknown outcome
(no answer before the kill) may have left. All writes of one row come from one thread, one after the
other, each with a greater timestamp, so exactly these states are right. Batches touch two tables and
must be there whole or not at all.

--plant DROP forgets that many acknowledged rows in the node (a DELETE behind the model's back) before
the last check: the run must then fail, which shows that the checker sees a loss.
Ends with "N passed, N failed", counting cycles.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

from cassandra import OperationTimedOut
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT, NoHostAvailable
from cassandra.connection import ConnectionException
from cassandra.policies import ConstantReconnectionPolicy, FallthroughRetryPolicy, RoundRobinPolicy
from cassandra.query import BatchStatement, tuple_factory

HOST = "127.0.0.1"
KEYSPACE = "crash"
TABLES = ("one", "two", "wide")
START_S = 20
CHECK_PAGE = 5000


class Node:
    """The process under test, on one data directory for the whole run."""

    def __init__(self, binary, folder, port):
        self.binary, self.folder, self.port, self.process = binary, folder, port, None
        self.log = open(folder / "node.log", "ab")

    def start(self):
        command = [self.binary, "--data-dir", str(self.folder / "data"), "--listen-address", HOST,
                   "--native-transport-port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.folder)
        started = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None:
                raise SystemExit(f"the node ended with {self.process.returncode} at start; its log: {self.folder / 'node.log'}")
            if time.monotonic() - started > START_S:
                self.kill()
                raise SystemExit(f"the node did not answer within {START_S} s; its log: {self.folder / 'node.log'}")
            time.sleep(0.01)
        return time.monotonic() - started

    def answers(self):
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(bytes.fromhex("040000000500000000"))
                return connection.recv(9)[4:5] == b"\x06"
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def connect(self):
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), retry_policy=FallthroughRetryPolicy(),
                                   request_timeout=10, row_factory=tuple_factory)
        cluster = Cluster([HOST], port=self.port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                          reconnection_policy=ConstantReconnectionPolicy(3600), schema_metadata_enabled=False,
                          token_metadata_enabled=False)
        return cluster, cluster.connect()


def make_schema(session):
    session.execute(f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    session.execute(f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.one (k bigint PRIMARY KEY, v text)")
    session.execute(f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.two (k bigint PRIMARY KEY, v text)")
    session.execute(f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.wide (k int, c bigint, v text, PRIMARY KEY (k, c))")


class Model:
    """What each row may hold. A key is (table, *primary key); a state is the value or None (no row)."""

    def __init__(self):
        self.states = {}  # key -> set of possible states
        self.pairs = []   # (key, key, value) written by one logged batch of unknown outcome
        self.counts = Counter()

    def acknowledged(self, changes):
        for key, state in changes:
            self.states[key] = {state}

    def unknown(self, changes):
        for key, state in changes:
            self.states.setdefault(key, {None}).add(state)
        if len(changes) == 2:
            self.pairs.append((changes[0][0], changes[1][0], changes[0][1]))

    def check(self, found):
        """Complaints about what the node holds; afterwards the model believes the node."""
        problems = []
        for key, allowed in self.states.items():
            state = found.get(key)
            if state not in allowed:
                kind = "lost" if state is None else "resurrected or old"
                problems.append(f"{kind}: {key} is {state!r}, allowed {sorted(map(repr, allowed))}")
        for key in found.keys() - self.states.keys():
            problems.append(f"invented: {key} is {found[key]!r}")
        for first, second, value in self.pairs:
            if (found.get(first) == value) != (found.get(second) == value):
                problems.append(f"half a batch: {first} is {found.get(first)!r}, {second} is {found.get(second)!r}, written {value!r}")
        self.states = {key: {found.get(key)} for key in self.states}
        self.pairs = []
        return problems


class Writer(threading.Thread):
    """Writes rows of its own until the node dies; every outcome goes to the model."""

    def __init__(self, number, session, statements, model, lock, rng, stop):
        super().__init__(daemon=True)
        self.number, self.session, self.statements, self.model = number, session, statements, model
        self.lock, self.rng, self.stop, self.surprise = lock, rng, stop, None

    def own_key(self, kind):
        row = self.number + 64 * self.rng.randrange(400)
        return ("wide", row % 8 + 8 * self.number, row) if kind == "wide" else (kind, row)

    def choose(self):
        """A statement and the changes it makes."""
        value = f"{self.number}-{self.rng.getrandbits(64):016x}" + "x" * self.rng.choice((0, 10, 100, 3000))
        dice = self.rng.random()
        kind = self.rng.choice(TABLES)
        key = self.own_key(kind)
        if dice < 0.55:
            return "insert", self.statements["insert", kind].bind((*key[1:], value)), [(key, value)]
        if dice < 0.7:
            return "update", self.statements["update", kind].bind((value, *key[1:])), [(key, value)]
        if dice < 0.85:
            return "delete", self.statements["delete", kind].bind(key[1:]), [(key, None)]
        first, second = self.own_key("one"), self.own_key("two")
        batch = BatchStatement()
        batch.add(self.statements["insert", "one"], (*first[1:], value))
        batch.add(self.statements["insert", "two"], (*second[1:], value))
        return "batch", batch, [(first, value), (second, value)]

    def run(self):
        while not self.stop.is_set():
            kind, statement, changes = self.choose()
            try:
                self.session.execute(statement)
            except (NoHostAvailable, OperationTimedOut, ConnectionException, OSError):
                with self.lock:
                    self.model.unknown(changes)
                    self.model.counts["unknown"] += 1
                return
            except Exception as surprise:  # an error of the server is a defect here
                self.surprise = f"{kind} was refused: {surprise!r}"
                with self.lock:
                    self.model.unknown(changes)
                return
            with self.lock:
                self.model.acknowledged(changes)
                self.model.counts[kind] += 1


def prepare(session):
    statements = {}
    for table in TABLES:
        keys = ["k", "c"] if table == "wide" else ["k"]
        where = " AND ".join(f"{key} = ?" for key in keys)
        marks = ", ".join("?" * len(keys))
        statements["insert", table] = session.prepare(f"INSERT INTO {KEYSPACE}.{table} ({', '.join(keys)}, v) VALUES ({marks}, ?)")
        statements["update", table] = session.prepare(f"UPDATE {KEYSPACE}.{table} SET v = ? WHERE {where}")
        statements["delete", table] = session.prepare(f"DELETE FROM {KEYSPACE}.{table} WHERE {where}")
    return statements


def read_all(session):
    found = {}
    session.default_fetch_size = CHECK_PAGE
    for table in TABLES:
        keys = "k, c" if table == "wide" else "k"
        for row in session.execute(f"SELECT {keys}, v FROM {KEYSPACE}.{table}", timeout=60):
            found[(table, *row[:-1])] = row[-1]
    return found


def write_until_killed(node, session, model, rng, threads):
    lock, stop = threading.Lock(), threading.Event()
    statements = prepare(session)
    writers = [Writer(number, session, statements, model, lock, random.Random(rng.getrandbits(64)), stop) for number in range(threads)]
    for writer in writers:
        writer.start()
    time.sleep(rng.uniform(0.05, 1.0))
    node.kill()
    stop.set()
    for writer in writers:
        writer.join(timeout=30)
        assert not writer.is_alive(), "a writer hangs though the node is dead"
    return [writer.surprise for writer in writers if writer.surprise]


def plant(session, model, rng, count):
    """Loses acknowledged rows behind the model's back."""
    present = [key for key, states in sorted(model.states.items(), key=repr) if states != {None} and len(states) == 1]
    for key in rng.sample(present, count):
        where = "k = %s AND c = %s" if key[0] == "wide" else "k = %s"
        session.execute(f"DELETE FROM {KEYSPACE}.{key[0]} WHERE {where}", key[1:])
        print(f"planted: {key} deleted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=19542)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--plant", type=int, default=0, metavar="DROP", help="delete that many rows to see the checker fail")
    parser.add_argument("--keep", action="store_true", help="keep the data directory and the node's log")
    options = parser.parse_args()
    rng, model = random.Random(options.seed), Model()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="helenus-crash-"))
    node = Node(options.binary.resolve(), folder, options.port)
    passed, failed, starts, checked = 0, 0, [], 0
    began = time.monotonic()
    try:
        for cycle in range(options.cycles + 1):  # the last round only checks
            starts.append(node.start())
            cluster, session = node.connect()
            try:
                make_schema(session)
                last = cycle == options.cycles
                if last and options.plant:
                    plant(session, model, rng, options.plant)
                found = read_all(session)
                checked += len(model.states)
                problems = model.check(found)
                if not last:
                    problems += write_until_killed(node, session, model, rng, options.threads)
            finally:
                cluster.shutdown()
            passed, failed = passed + (not problems), failed + bool(problems)
            for problem in problems[:10]:
                print(f"FAILED cycle {cycle}: {problem[:400]}", flush=True)
            if problems:
                print(f"FAILED cycle {cycle}: {len(problems)} problems, seed {options.seed}", flush=True)
    finally:
        if node.process and node.process.poll() is None:
            node.kill()
        node.log.close()
        if failed or options.keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder)
    acknowledged = sum(count for kind, count in model.counts.items() if kind != "unknown")
    print(f"{options.cycles} kills in {time.monotonic() - began:.0f} s; {acknowledged} acknowledged writes "
          f"({', '.join(f'{model.counts[kind]} {kind}' for kind in ('insert', 'update', 'delete', 'batch'))}), "
          f"{model.counts['unknown']} of unknown outcome; {checked} rows checked; slowest start {max(starts):.2f} s")
    if acknowledged == 0:
        print("FAILED: nothing was acknowledged, so nothing was tested")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
