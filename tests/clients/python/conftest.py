"""What every Python test shares: where the node is, and one session for each way to speak to it.

A `Variant` is a protocol version with a compression. The fixture `db` runs a test once for each
variant, in a keyspace that belongs to that variant alone and is dropped first.
"""
import os
from dataclasses import dataclass

import pytest
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import FallthroughRetryPolicy, RoundRobinPolicy, TokenAwarePolicy

HOST = os.environ.get("HELENUS_HOST", "127.0.0.1")
PORT = int(os.environ.get("HELENUS_PORT", "9042"))
TIMEOUT_S = 30


@dataclass(frozen=True)
class Variant:
    version: int
    compression: object  # False, "lz4" or "snappy"

    @property
    def name(self):
        return f"v{self.version}_{self.compression or 'plain'}"


VARIANTS = [Variant(version, compression) for version in (3, 4, 5) for compression in (False, "lz4")]
VARIANTS += [Variant(version, "snappy") for version in (3, 4)]


def open_cluster(version=None, compression=True, **options):
    """A Cluster on the node under test; errors reach the caller untouched."""
    if version is not None:
        options["protocol_version"] = version
    profile = ExecutionProfile(request_timeout=TIMEOUT_S, retry_policy=FallthroughRetryPolicy(),
                               load_balancing_policy=TokenAwarePolicy(RoundRobinPolicy()))
    return Cluster([HOST], port=PORT, compression=compression, connect_timeout=TIMEOUT_S,
                   execution_profiles={EXEC_PROFILE_DEFAULT: profile}, **options)


def new_keyspace(session, name):
    session.execute(f"DROP KEYSPACE IF EXISTS {name}")
    session.execute(f"CREATE KEYSPACE {name} WITH replication = "
                    "{'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.set_keyspace(name)


class Database:
    """One variant's cluster, session and keyspace."""

    def __init__(self, variant):
        self.variant = variant
        self.version = variant.version
        self.keyspace = f"py_{variant.name}"
        self.cluster = open_cluster(variant.version, variant.compression)
        self.session = self.cluster.connect()
        new_keyspace(self.session, self.keyspace)

    def execute(self, query, *args, **kwargs):
        return self.session.execute(query, *args, **kwargs)

    def rows(self, query, *args, **kwargs):
        """All rows as plain tuples."""
        return [tuple(row) for row in self.session.execute(query, *args, **kwargs)]

    def one(self, query, *args, **kwargs):
        rows = self.rows(query, *args, **kwargs)
        assert len(rows) == 1, rows
        return rows[0]

    def run(self, query, values=None):
        """Prepare, then execute."""
        return self.session.execute(self.session.prepare(query), values)

    def table(self, name, columns, options=""):
        """A fresh, empty table; returns its name."""
        self.session.execute(f"DROP TABLE IF EXISTS {name}")
        self.session.execute(f"CREATE TABLE {name} ({columns})" + (options and f" WITH {options}"))
        return name


@pytest.fixture(scope="session", params=VARIANTS, ids=lambda variant: variant.name)
def db(request):
    database = Database(request.param)
    yield database
    database.session.execute(f"DROP KEYSPACE IF EXISTS {database.keyspace}")
    database.cluster.shutdown()


def pytest_terminal_summary(terminalreporter):
    count = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"skipped: {report.nodeid} ({reason})")
    terminalreporter.write_line(
        f"python: {count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")
