#!/usr/bin/env python3
"""cqlsh as its users run it: scripts, DESCRIBE, COPY, paging, tracing; compared with expected/*.txt.

HELENUS_HOST and HELENUS_PORT say where the node is; cqlsh is the one beside this Python. With
UPDATE_EXPECT=1 the expected files are written anew (run that against Apache Cassandra 5.0 only, and
read the difference). Last line: "cqlsh: N passed, N failed".
"""
import csv
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HOST = os.environ.get("HELENUS_HOST", "127.0.0.1")
PORT = os.environ.get("HELENUS_PORT", "9042")
CQLSH = pathlib.Path(sys.executable).with_name("cqlsh")
KEYSPACE = "client_cqlsh"
ROWS = 10_000
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def cqlsh(*arguments, stdin=None):
    """Exit code and everything it printed."""
    command = [sys.executable, str(CQLSH), "--no-color", "--request-timeout=60", "--connect-timeout=20", HOST, PORT, *arguments]
    environment = os.environ | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    return done.returncode, done.stdout


def run(statement):
    code, output = cqlsh("-e", statement)
    assert code == 0, f"{statement}: exit code {code}\n{output}"
    return output


def normal(output):
    """Leaves out what differs from node to node: table ids, paths, the version warning, blanks at line ends."""
    output = re.sub(f"WITH ID = {UUID}", "WITH ID = UUID", output)
    output = re.sub(r"^WARNING: cqlsh was built against .*\n", "", output, flags=re.M)
    output = re.sub(r"^\S*/scripts/", "", output, flags=re.M)
    return re.sub(r"[ \t]+$", "", output, flags=re.M)


def script(name, want_code):
    def body():
        code, output = cqlsh("-f", str(HERE / "scripts" / f"{name}.cql"))
        expected = HERE / "expected" / f"{name}.txt"
        got = normal(output)
        if os.environ.get("UPDATE_EXPECT"):
            expected.parent.mkdir(exist_ok=True)
            expected.write_text(got)
        want = expected.read_text()
        difference = "".join(difflib.unified_diff(want.splitlines(True), got.splitlines(True), "Cassandra 5.0", "this node", n=2))
        assert got == want, f"printed something else:\n{difference}"
        assert code == want_code, f"exit code {code}, want {want_code}"
    return body


def show_version():
    output = run("SHOW VERSION; SHOW HOST")
    assert re.search(r"^\[cqlsh 6\.2\.2 \| Cassandra \d+\.\d+\.\d+\S* \| CQL spec 3\.4\.7 \| Native protocol v5\]$", output, re.M), output
    assert re.search(rf"^Connected to .+ at {re.escape(HOST)}:{PORT}$", output, re.M), output


def describe_cluster_and_keyspaces():
    output = run("DESCRIBE CLUSTER")
    assert re.search(r"^Cluster: .+\nPartitioner: Murmur3Partitioner\nSnitch: \w+$", output, re.M), output
    names = run("DESCRIBE KEYSPACES").split()
    for name in (KEYSPACE, "system", "system_schema", "system_traces", "system_virtual_schema"):
        assert name in names, f"no {name} in {names}"
    owned = run(f"USE {KEYSPACE}; DESCRIBE CLUSTER")
    assert "Range ownership:" in owned, owned


def describe_schema():
    ours = f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': '1'}}  AND durable_writes = true;"
    output = run("DESCRIBE SCHEMA")
    assert ours in output and f"CREATE TABLE {KEYSPACE}.users (" in output, output[:2000]
    assert "CREATE KEYSPACE system " not in output
    full = run("DESCRIBE FULL SCHEMA")
    for text in (ours, "CREATE KEYSPACE system WITH", "CREATE TABLE system.local (", "CREATE TABLE system_schema.columns (",
                 "VIRTUAL KEYSPACE system_virtual_schema;", "VIRTUAL TABLE system_virtual_schema.columns ("):
        assert text in full, f"no {text!r} in DESCRIBE FULL SCHEMA"
    internals = run("DESCRIBE SCHEMA WITH INTERNALS")
    assert re.search(f"WITH ID = {UUID}", internals)


def a_described_keyspace_can_be_made_again():
    text = normal(run(f"DESCRIBE KEYSPACE {KEYSPACE}"))
    copy = f"{KEYSPACE}_copy"
    run(f"DROP KEYSPACE IF EXISTS {copy}")
    code, output = cqlsh(stdin=text.replace(KEYSPACE, copy))
    assert code == 0, output
    assert normal(run(f"DESCRIBE KEYSPACE {copy}")).replace(copy, KEYSPACE) == text
    run(f"DROP KEYSPACE {copy}")


def copy_from_and_to():
    run(f"CREATE TABLE {KEYSPACE}.copied (k int PRIMARY KEY, name text, score double, tags set<text>, day date)")
    rows = [[str(k), f'name "{k}", with comma', f"{k / 4:g}", f"{{'a', 't{k % 7}'}}", f"2026-01-{k % 28 + 1:02}"] for k in range(ROWS)]
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.csv", pathlib.Path(folder) / "out.csv"
        with source.open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_MINIMAL, escapechar="\\", doublequote=False).writerows(rows)
        columns = f"{KEYSPACE}.copied (k, name, score, tags, day)"
        output = run(f"COPY {columns} FROM '{source}' WITH HEADER = false AND NUMPROCESSES = 2")
        assert f"{ROWS} rows imported from 1 files" in output, output
        assert re.search(rf"\b{ROWS}\b", run(f"SELECT count(*) FROM {KEYSPACE}.copied"))
        output = run(f"COPY {columns} TO '{target}' WITH HEADER = true AND NUMPROCESSES = 2")
        assert f"{ROWS} rows exported to 1 files" in output, output
        with target.open(newline="") as file:
            got = list(csv.reader(file, escapechar="\\", doublequote=False))
    assert got[0] == ["k", "name", "score", "tags", "day"], got[0]
    got = sorted(got[1:], key=lambda row: int(row[0]))
    differing = [(went_in, came_out) for went_in, came_out in zip(rows, got) if went_in != came_out]
    assert len(got) == ROWS and not differing, f"{len(got)} rows, {len(differing)} of them changed, the first: {differing[:1]}"


def paging():
    for page_size in ("PAGING 10", "PAGING 1000", "PAGING OFF"):
        output = run(f"{page_size}; SELECT k FROM {KEYSPACE}.copied LIMIT 2500")
        assert "(2500 rows)" in output, output[-200:]
        numbers = re.findall(r"^\s+(\d+)$", output, re.M)
        assert len(set(numbers)) == 2500, f"{page_size}: {len(set(numbers))} different rows"


def tracing():
    output = run(f"TRACING ON; SELECT * FROM {KEYSPACE}.users WHERE id = 1; TRACING OFF")
    assert "Now Tracing is enabled" in output or "TRACING set to ON" in output, output
    assert re.search(f"^Tracing session: {UUID}$", output, re.M), output
    assert re.search(r"^ activity +\| timestamp +\| source +\| source_elapsed +\| client$", output, re.M), output
    assert "Execute CQL3 query" in output and "Request complete" in output, output
    session = re.search(f"Tracing session: ({UUID})", output).group(1)
    assert "Request complete" in run(f"SHOW SESSION {session}")


def standard_input_and_source():
    code, output = cqlsh("-k", KEYSPACE, stdin="SELECT name FROM users WHERE id = 2;\n")
    assert code == 0 and "Jane Smith" in output, output
    with tempfile.NamedTemporaryFile("w", suffix=".cql") as file:
        file.write(f"SELECT name FROM {KEYSPACE}.users WHERE id = 2;\n")
        file.flush()
        assert "Jane Smith" in run(f"SOURCE '{file.name}'")


def exit_codes():
    assert cqlsh("-e", "SELECT key FROM system.local")[0] == 0
    assert cqlsh("-e", "SELECT key FROM nothing.at_all")[0] == 2


TESTS = [
    ("1_tables.cql", script("1_tables", 0)),
    ("2_describe.cql", script("2_describe", 0)),
    ("3_errors.cql", script("3_errors", 2)),
    ("4_session.cql", script("4_session", 0)),
    ("SHOW VERSION and SHOW HOST", show_version),
    ("DESCRIBE CLUSTER and KEYSPACES", describe_cluster_and_keyspaces),
    ("DESCRIBE SCHEMA and FULL SCHEMA", describe_schema),
    ("a described keyspace can be made again", a_described_keyspace_can_be_made_again),
    (f"COPY FROM and COPY TO of {ROWS:,} rows", copy_from_and_to),
    ("PAGING", paging),
    ("TRACING and SHOW SESSION", tracing),
    ("standard input and SOURCE", standard_input_and_source),
    ("exit codes", exit_codes),
]


def main():
    run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    run(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    failed = 0
    for name, body in TESTS:
        try:
            body()
            print(f"ok     {name}", flush=True)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as problem:
            failed += 1
            print(f"FAILED {name}: {problem}", flush=True)
    run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    print(f"cqlsh: {len(TESTS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
