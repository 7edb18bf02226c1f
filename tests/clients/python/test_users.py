"""The first user's program, run exactly as it stands in examples/users.py, and once more through
cassandra-driver-dse."""
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import HOST, PORT, open_cluster

PROGRAM = pathlib.Path(__file__).parents[3] / "examples" / "users.py"
SEEN_FIRST = {"1 John Smith 30", "2 Jane Smith 25"}
SEEN_AGAIN = SEEN_FIRST | {"3 User3 40"}

needs_default_address = pytest.mark.skipif(
    (HOST, PORT) != ("127.0.0.1", 9042), reason="examples/users.py speaks to 127.0.0.1:9042 and is never changed")


def run(program, **environment):
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60,
                          env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def start_afresh():
    with open_cluster() as cluster:
        cluster.connect().execute("DROP KEYSPACE IF EXISTS examples")


def check(program, **environment):
    """The rows come in token order: 1, 2 and then, on the second run, 3 as well."""
    start_afresh()
    first = run(program, **environment)
    assert sorted(first) == sorted(SEEN_FIRST), first
    assert first == ["1 John Smith 30", "2 Jane Smith 25"]
    assert sorted(run(program, **environment)) == sorted(SEEN_AGAIN)
    with open_cluster() as cluster:
        rows = cluster.connect().execute("SELECT id, name, age FROM examples.users WHERE id = 3")
        assert [tuple(row) for row in rows] == [(3, "User3", 40)]


@needs_default_address
def test_users():
    check(PROGRAM)


def dse_copy(tmp_path):
    """The same program with the other import, and the address under test."""
    text = PROGRAM.read_text()
    assert text.count("from cassandra.cluster import Cluster") == 1
    text = text.replace("from cassandra.cluster import Cluster", "from dse.cluster import Cluster")
    if (HOST, PORT) != ("127.0.0.1", 9042):
        text = text.replace("Cluster(['127.0.0.1'])", f"Cluster(['{HOST}'], port={PORT})")
    copy = tmp_path / "users_dse.py"
    copy.write_text(text)
    return copy


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="cassandra-driver-dse 1.1.0 cannot be built on Python after 3.11")
def test_users_through_cassandra_driver_dse(tmp_path):
    check(dse_copy(tmp_path), DSE_DRIVER_PERMIT_UNSUPPORTED_CORE="1")
