#!/usr/bin/env python3
"""What an operator does with `helenus nodetool`: every command, a snapshot and the way back from it.

    .venv/bin/python tests/nodetool/nodetool.py target/release/helenus

Starts nodes of its own on free ports and directories of its own. Labels and texts that are compared were seen on
Apache Cassandra 5.0.9. Ends with "N passed, N failed".
"""
import argparse
import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import RoundRobinPolicy
from cassandra.query import tuple_factory

HOST = "127.0.0.1"
START_S = 20
ROWS = 300
LATER = ["repair", "decommission", "netstats", "enablefullquerylog"]


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


class Node:
    """A node, its nodetool and one session."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.port, self.admin_port = free_port(), free_port()
        self.process = self.cluster = self.session = None

    def start(self, admin=True):
        command = [self.binary, "--data-dir", str(self.folder / "data"), "--native-transport-port", str(self.port)]
        if admin:
            command += ["--admin-port", str(self.admin_port)]
        self.log = open(self.folder / "node.log", "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.folder)
        started = time.monotonic()
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                break
            if self.process.poll() is not None:
                raise SystemExit(f"the node ended with {self.process.returncode} at start:\n{self.log_text()}")
            if time.monotonic() - started > START_S:
                raise SystemExit(f"the node did not answer within {START_S} s:\n{self.log_text()}")
            time.sleep(0.02)
        return self

    def connect(self):
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory, request_timeout=60)
        self.cluster = Cluster([HOST], port=self.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
        self.session = self.cluster.connect()
        return self.session

    def log_text(self):
        return (self.folder / "node.log").read_text(errors="replace")[-4000:]

    def stop(self):
        if self.cluster:
            self.cluster.shutdown()
            self.cluster = None
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("the node did not end within 30 s of SIGTERM")
        return self.process.returncode if self.process else None

    def nodetool(self, *words, code=0, port=None):
        """Standard output; with another code than 0 standard error behind it."""
        command = [self.binary, "nodetool", "-p", str(port or self.admin_port), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self.folder)
        text = done.stdout + (done.stderr if code else "")
        assert done.returncode == code, f"nodetool {' '.join(map(str, words))} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}"
        return text

    def rows(self, table="shop.orders"):
        return sorted(self.session.execute(f"SELECT * FROM {table}"))

    def table_dir(self, name):
        [found] = [path for path in (self.folder / "data/data/shop").glob(f"{name}-*") if self.uses(path)]
        return found

    def uses(self, path):
        text = self.nodetool("datapaths", "shop")
        return str(path) in text


def same(got, want, what=""):
    assert got == want, f"{what}: {got!r} is not {want!r}"


def has(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in:\n{text}"


def load(node):
    session = node.connect()
    session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TYPE shop.place (street text, number int)")
    session.execute("CREATE TABLE shop.orders (customer int, item int, note text, gone int, home frozen<place>, PRIMARY KEY (customer, item))")
    session.execute("CREATE TABLE shop.hits (page text PRIMARY KEY, count counter)")
    session.execute("CREATE TABLE shop.nothing (k int PRIMARY KEY)")
    insert = session.prepare("INSERT INTO shop.orders (customer, item, note) VALUES (?, ?, ?)")
    for i in range(ROWS):
        session.execute(insert, (i // 10, i % 10, f"note {i}"))
    session.execute("UPDATE shop.hits SET count = count + 5 WHERE page = 'start'")
    session.execute("DELETE FROM shop.orders WHERE customer = 1 AND item = 2")
    session.execute("ALTER TABLE shop.orders DROP gone")
    same(len(node.rows()), ROWS - 1, "rows")


def loopback_only(node):
    """CVE-2015-0225, CVE-2018-8016: nothing but loopback, unless it is asked for."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{node.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
            inodes.update(found.groups() if found else ())
    listening = []
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{node.process.pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1])
    ports = sorted(int(address.split(":")[1], 16) for address in listening)
    same(ports, sorted([node.port, node.admin_port]), "ports that are listened on")
    for address in listening:
        same(address.split(":")[0], "0100007F", "the address that is listened on")


def who_and_where(node):
    has(node.nodetool("version"), "ReleaseVersion: 5.0")
    status = node.nodetool("status")
    has(status, "Datacenter: datacenter1", "--  Address    Load", "UN  127.0.0.1", "100.0%")
    has(node.nodetool("status", "shop"), "UN  127.0.0.1")
    has(node.nodetool("status", "nowhere", code=2), "nowhere")
    info = node.nodetool("info", "-T")
    labels = [line.split(":")[0].strip() for line in info.splitlines()]
    same(labels[:7], ["ID", "Gossip active", "Native Transport active", "Load", "Uncompressed load", "Generation No", "Uptime (seconds)"], "info")
    same(labels.count("Token"), 16, "tokens")
    has(node.nodetool("describecluster"), "Cluster Information:", "\tName: Test Cluster", "shop -> Replication class: SimpleStrategy {replication_factor=1}")
    same(node.nodetool("statusbinary"), "running\n", "statusbinary")
    same(node.nodetool("statusgossip"), "running\n", "statusgossip")
    has(node.nodetool("ring"), "Datacenter: datacenter1", "Normal")
    same(node.nodetool("getendpoints", "shop", "orders", "1"), "127.0.0.1\n", "getendpoints")
    same(node.nodetool("gettimeout", "read"), "Current timeout for type read: 5000 ms\n", "gettimeout")
    has(node.nodetool("datapaths", "shop.orders"), "Keyspace: shop", "Table: orders")


def flush_and_statistics(node):
    for customer in range(5):
        node.session.execute("SELECT * FROM shop.orders WHERE customer = %s", (customer,))
    node.nodetool("flush", "shop", "orders")
    node.nodetool("flush")
    text = node.nodetool("tablestats", "shop.orders")
    has(text, "Total number of tables: 1", "Keyspace: shop", "\t\tTable: orders", "\t\tSSTable count: ", "\t\tDroppable tombstone ratio: ")
    value = lambda label: re.search(rf"\t\t{re.escape(label)}: (.*)", text).group(1)
    assert int(value("SSTable count")) >= 1 and int(value("Space used (live)")) > 0, text
    assert int(value("Local write count")) >= ROWS and int(value("Local read count")) >= 5, text
    assert int(value("Compacted partition maximum bytes")) > 0, text
    same(int(value("Memtable cell count")), 0, "memtable after a flush")
    document = json.loads(node.nodetool("tablestats", "-F", "json", "shop.orders"))
    same(document["total_number_of_tables"], 1, "tables")
    assert document["shop"]["tables"]["orders"]["sstable_count"] >= 1
    has(node.nodetool("tablestats", "-F", "yaml", "shop.orders"), "total_number_of_tables: 1\nshop:\n", "    orders:\n")
    has(node.nodetool("tablestats", "-H", "shop.orders"), "Space used (live): ", "iB")
    has(node.nodetool("tablestats", "-s", "space_used_live", "-t", "1", "shop"), "(showing top 1 by space_used_live)", "Table: shop.orders")
    has(node.nodetool("cfstats", "shop.hits"), "Table: hits")
    has(node.nodetool("tablestats", "-t", "1", "shop", code=1), "cannot filter top K tables without specifying a sort key.")
    has(node.nodetool("tablestats", "nowhere", code=1), "Unknown keyspace: nowhere")
    has(node.nodetool("tablestats", "shop.nowhere", code=1), "Unknown tables: [nowhere] in keyspace: shop")
    has(node.nodetool("tablestats", "-F", "xml", code=1), "arguments for -F are json,yaml only.")
    histograms = node.nodetool("tablehistograms", "shop", "orders")
    same([line[:10].strip() for line in histograms.splitlines()[1:]], ["Percentile", "", "50%", "75%", "95%", "98%", "99%", "Min", "Max", ""], "percentiles")
    same(node.nodetool("tablehistograms", "shop.orders").splitlines()[0], "shop/orders histograms", "title")
    has(node.nodetool("tablehistograms", "shop", "nowhere", code=1), "Unknown table shop.nowhere")
    has(node.nodetool("getsstables", "shop", "orders", "1"), "-Data.db")


def snapshots(node):
    has(node.nodetool("snapshot", "-t", "mine", "shop"), "Requested creating snapshot(s) for [shop] with snapshot name [mine] and options {skipFlush=false}", "Snapshot directory: mine")
    has(node.nodetool("snapshot", "-t", "mine", "shop", code=2), "Snapshot mine already exists.")
    has(node.nodetool("snapshot", "-t", "../mine", "shop", code=2), "Snapshot name cannot contain /")
    has(node.nodetool("snapshot", "-t", "x", "nowhere", code=1), "Keyspace nowhere does not exist")
    has(node.nodetool("snapshot", "-t", "x", "--ttl", "5s", "shop", code=1), "ttl for snapshot must be at least 60 seconds")
    node.nodetool("snapshot", "-t", "one", "-cf", "orders", "shop")
    node.nodetool("snapshot", "-t", "two", "-kt", "shop.orders,shop.hits")
    node.nodetool("snapshot", "-t", "short", "--ttl", "2h", "-sf", "shop")
    assert re.search(r"Snapshot directory: \d{13}", node.nodetool("snapshot"))
    listed = node.nodetool("listsnapshots")
    has(listed, "Snapshot Details: ", "Snapshot name Keyspace name", "True size", "Total TrueDiskSpaceUsed: ")
    count = lambda tag: len(re.findall(rf"^{tag} +shop ", node.nodetool("listsnapshots"), re.M))
    same([count(tag) for tag in ("mine", "one", "two", "short")], [3, 1, 2, 3], "snapshots of tables")
    assert re.search(r"^short +shop +hits .*Z +20\d\d-", listed, re.M), listed
    node.nodetool("clearsnapshot", "-t", "two", "shop")
    node.nodetool("clearsnapshot", "-t", "short")
    same([count(tag) for tag in ("mine", "one", "two", "short")], [3, 1, 0, 0], "snapshots of tables")
    has(node.nodetool("clearsnapshot", code=1), "Specify snapshot name or --all")
    snapshot = node.table_dir("orders") / "snapshots/mine"
    manifest = json.loads((snapshot / "manifest.json").read_text())
    same(sorted(manifest), ["created_at", "ephemeral", "expires_at", "files"], "manifest")
    assert manifest["files"] and all((snapshot / name).exists() for name in manifest["files"])
    schema = (snapshot / "schema.cql").read_text()
    has(schema, "CREATE TYPE IF NOT EXISTS shop.place", "CREATE TABLE IF NOT EXISTS shop.orders", ") WITH ID = ", "DROP gone USING TIMESTAMP ")
    same(json.loads((node.table_dir("nothing") / "snapshots/mine/manifest.json").read_text())["files"], [], "files of an empty table")


def the_way_back(node):
    """From a snapshot into the table, after a TRUNCATE; the snapshot stays."""
    before = node.rows()
    snapshot = node.table_dir("orders") / "snapshots/mine"
    files = sorted(path.name for path in snapshot.iterdir())
    node.session.execute("TRUNCATE shop.orders")
    same(node.rows(), [], "after TRUNCATE")
    assert re.search(r"^truncated-\d+-orders +shop +orders ", node.nodetool("listsnapshots"), re.M)
    node.nodetool("import", "-cd", "shop", "orders", snapshot)
    same(node.rows(), before, "after import")
    same(sorted(path.name for path in snapshot.iterdir()), files, "the snapshot after a copying import")
    has(node.nodetool("import", "shop", "orders", "/nowhere/at/all", code=2), "Directory /nowhere/at/all does not exist")
    has(node.nodetool("import", "shop", "nowhere", snapshot, code=1), "ColumnFamilyStore for shop/nowhere not found.")
    has(node.nodetool("import", "shop", "orders", code=1), "import requires keyspace, table name and directories")
    damaged = node.folder / "damaged"
    shutil.copytree(snapshot, damaged)
    data = next(damaged.glob("*-Data.db"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    has(node.nodetool("import", "shop", "orders", damaged, code=1), "Some directories failed to import", str(damaged))
    same(node.rows(), before, "after an import that failed")


def from_the_schema_file(node):
    """A dropped table comes back from its automatic snapshot: schema.cql, then import."""
    before = node.rows()
    old = node.table_dir("orders")
    node.session.execute("DROP TABLE shop.orders")
    for _ in range(200):
        found = list(old.glob("snapshots/dropped-*-orders/manifest.json"))
        if found:
            break
        time.sleep(0.05)
    [manifest] = found
    for statement in (manifest.parent / "schema.cql").read_text().split(";\n"):
        if statement.strip():
            node.session.execute(statement)
    same(node.rows(), [], "the new table")
    node.nodetool("import", "-cd", "shop", "orders", manifest.parent)
    same(node.rows(), before, "after import")
    same(node.table_dir("orders").name, old.name, "the directory of a table with the old id")


def refresh(node):
    before = node.rows()
    snapshot = node.table_dir("orders") / "snapshots/mine"
    node.session.execute("TRUNCATE shop.orders")
    for path in snapshot.glob("*-*-*-*"):
        shutil.copy(path, node.table_dir("orders"))
    same(node.nodetool("refresh", "shop", "orders"), "nodetool refresh is deprecated, use nodetool import instead\n", "refresh")
    same(node.rows(), before, "after refresh")
    has(node.nodetool("refresh", "shop", "nowhere", code=1), "Unknown keyspace/cf pair (shop.nowhere)")


def backups(node):
    same(node.nodetool("statusbackup"), "not running\n", "statusbackup")
    node.nodetool("enablebackup")
    same(node.nodetool("statusbackup"), "running\n", "statusbackup")
    node.session.execute("INSERT INTO shop.orders (customer, item, note) VALUES (1000, 1, 'saved')")
    node.nodetool("flush", "shop", "orders")
    saved = [path.name for path in (node.table_dir("orders") / "backups").iterdir()]
    assert any(name.endswith("-Data.db") for name in saved), saved
    node.nodetool("disablebackup")
    same(node.nodetool("statusbackup"), "not running\n", "statusbackup")


def compaction(node):
    before = node.rows()
    table = ("shop", "orders")
    for round in range(3):
        node.session.execute("INSERT INTO shop.orders (customer, item, note) VALUES (2000, %s, 'more')", (round,))
        node.nodetool("flush", *table)
    before = node.rows()
    node.nodetool("compact", *table)
    same(len(node.nodetool("getsstables", *table, "2000").split()), 1, "SSTables after a major compaction")
    node.nodetool("compact", "-s", *table)
    node.nodetool("compact", "-st", "-100", "-et", "100", "shop")
    node.nodetool("compact", "--partition", "2000", *table)
    [data] = node.nodetool("getsstables", *table, "2000").split()
    node.nodetool("compact", "--user-defined", data)
    node.nodetool("garbagecollect", *table)
    node.nodetool("garbagecollect", "-g", "CELL", *table)
    node.nodetool("cleanup", "shop")
    node.nodetool("upgradesstables", *table)
    node.nodetool("upgradesstables", "-a", *table)
    node.nodetool("verify", *table)
    node.nodetool("verify", "-e", *table)
    node.nodetool("scrub", *table)
    same(node.rows(), before, "after all of them")
    has(node.nodetool("compact", "shop", "nowhere", code=2), "Unknown keyspace/cf pair (shop.nowhere)")
    has(node.nodetool("compact", "nowhere", code=1), "Keyspace [nowhere] does not exist.")
    has(node.nodetool("compactionstats", "-H"), "concurrent compactors", "pending tasks", "compaction throughput (MiB/s)    64.0")
    node.nodetool("stop", "COMPACTION")
    has(node.nodetool("stop", "FOO", code=1), 'can not convert "FOO" to a OperationType')


def compaction_history(node):
    """A row for each merge, garbagecollect and upgradesstables; none for cleanup and scrub, none about the table itself."""
    table = ("shop", "orders")
    node.nodetool("disableautocompaction", *table)
    node.nodetool("compact", *table)
    for customer in (3000, 3001):
        node.session.execute("INSERT INTO shop.orders (customer, item, note) VALUES (%s, 1, 'past')", (customer,))
        node.session.execute("INSERT INTO shop.orders (customer, item, note) VALUES (3000, 1, 'past')")
        node.nodetool("flush", *table)
    known = set(node.session.execute("SELECT id FROM system.compaction_history"))
    node.nodetool("compact", *table)
    node.nodetool("garbagecollect", *table)
    node.nodetool("upgradesstables", "-a", *table)
    node.nodetool("cleanup", "shop")
    node.nodetool("scrub", "-ns", *table)
    for _ in range(2):
        node.nodetool("flush", "system", "compaction_history")
        node.nodetool("compact", "system", "compaction_history")
    columns = "id, bytes_in, bytes_out, columnfamily_name, keyspace_name, rows_merged, compaction_properties, compacted_at, TTL(bytes_in)"
    rows = [row for row in node.session.execute(f"SELECT {columns} FROM system.compaction_history") if (row[0],) not in known]
    rows = sorted((row for row in rows if row[4] == "shop"), key=lambda row: row[0].time)
    same([row[6]["compaction_type"] for row in rows], ["Major compaction", "Remove deleted data", "Upgrade sstables"], "kinds")
    merged = rows[0][5]
    partitions = len(set(row[0] for row in node.rows()))
    same((merged[2], merged[1]), (1, partitions - 1), "partitions by inputs")
    same([row[5] for row in rows[1:]], [{1: partitions}] * 2, "partitions by inputs")
    for before, after in zip(rows, rows[1:]):
        same(before[2], after[1], "bytes in and out")
    [data] = node.nodetool("getsstables", *table, "3000").split()
    assert rows[0][1] > rows[0][2] and 604_000 < rows[0][8] <= 604_800, rows[0]
    assert abs(rows[2][2] - pathlib.Path(data).stat().st_size) < 100, (rows[2], data)
    same([row for row in node.session.execute("SELECT columnfamily_name FROM system.compaction_history") if row[0] == "compaction_history"], [], "its own")
    text = node.nodetool("compactionhistory").splitlines()
    same(text[0], "Compaction History: ", "title")
    same(text[1].split(), ["id", "keyspace_name", "columnfamily_name", "compacted_at", "bytes_in", "bytes_out", "rows_merged", "compaction_properties"], "columns")
    has(text[2], str(rows[2][0]), " shop ", " orders ", f"{{1:{partitions}}}", "{compaction_type:Upgrade sstables}")
    newest = json.loads(node.nodetool("compactionhistory", "-F", "json"))["CompactionHistory"][0]
    same((newest["id"], newest["bytes_in"], newest["rows_merged"]), (str(rows[2][0]), rows[2][1], f"{{1:{partitions}}}"), "JSON")
    has(node.nodetool("compactionhistory", "-F", "yaml"), "CompactionHistory:\n- keyspace_name: shop\n", "  compaction_properties: '{compaction_type:Upgrade sstables}'\n")
    has(node.nodetool("compactionhistory", "-F", "xml", code=1), "arguments for -F are json,yaml only.")
    node.nodetool("enableautocompaction", *table)


def switches(node):
    same(node.nodetool("statusautocompaction", "shop", "orders"), "running\n", "autocompaction")
    node.nodetool("disableautocompaction", "shop", "orders")
    same(node.nodetool("statusautocompaction", "shop", "orders"), "not running\n", "autocompaction")
    same(node.nodetool("statusautocompaction", "shop"), "partially running\n", "autocompaction")
    has(node.nodetool("statusautocompaction", "-a"), "Keyspace ", "Status", "not running")
    node.nodetool("enableautocompaction", "shop", "orders")
    same(node.nodetool("getcompactionthroughput"), "Current compaction throughput: 64 MB/s\n", "throughput")
    node.nodetool("setcompactionthroughput", "32")
    same(node.nodetool("getcompactionthroughput"), "Current compaction throughput: 32 MB/s\n", "throughput")
    has(node.nodetool("setcompactionthroughput", "much", code=1), "much")
    has(node.nodetool("getconcurrentcompactors"), "Current concurrent compactors in the system is: \n")
    has(node.nodetool("getcompactionthreshold", "shop", "orders"), "Current compaction thresholds for shop/orders: \n min = ")
    for cache in ("key", "row", "counter"):
        node.nodetool(f"invalidate{cache}cache")


def words_that_make_no_sense(node):
    has(node.nodetool("foo", code=1), "nodetool: Found unexpected parameters: [foo]", "See 'nodetool help'")
    has(node.nodetool("version", "foo", code=1), "nodetool: Found unexpected parameters: [foo]")
    has(node.nodetool("flush", "--foo", code=1), "Keyspace [--foo] does not exist.")
    for name in LATER:
        has(node.nodetool(name, code=1), name, "not yet supported")
    has(node.nodetool("flush", code=1, port=free_port()), "Failed to connect to")
    has(node.nodetool("flush", code=1, port=node.port), "does not answer as the admin port of Helenus")
    has(node.nodetool("help"), "flush", "tablestats", "repair")
    has(node.nodetool("help", "snapshot"), "nodetool snapshot", "--ttl")
    same(node.nodetool("help", "foo"), "Unknown command foo\n", "help foo")


def requests_that_make_no_sense(node):
    def status(request):
        with socket.create_connection((HOST, node.admin_port), timeout=60) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(OSError):
                while part := connection.recv(65536):
                    answer += part
        return answer.split(b"\r\n")[0].decode(errors="replace")

    def post(body, *headers, length=None):
        lines = ["POST /nodetool HTTP/1.1", f"content-length: {len(body) if length is None else length}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    host, kind = f"host: 127.0.0.1:{node.admin_port}", "content-type: application/json"
    good = b'{"arguments": ["version"]}'
    has(status(post(good, host, kind)), "200")
    has(status(post(good, host, kind, "origin: http://127.0.0.1")), "403")
    has(status(post(good, "host: evil.example", kind)), "403")
    has(status(post(good, host, "content-type: text/plain")), "415")
    has(status(post(b"{}", host, kind)), "400")
    has(status(post(b'{"arguments": 5}', host, kind)), "400")
    has(status(post(b"[" * 100_000, host, kind)), "400")
    has(status(post(b"x" * (2 << 20), host, kind)), "413")
    has(status(b"GET /nodetool HTTP/1.1\r\n" + host.encode() + b"\r\n\r\n"), "405")
    has(status(b"GET / HTTP/1.1\r\n" + host.encode() + b"\r\n\r\n"), "404")
    has(status(b"OPTIONS /nodetool HTTP/1.1\r\n" + host.encode() + b"\r\n\r\n"), "405")
    for garbage in (b"\x00" * 1000, b"GET " + b"x" * 100_000, b"POST /nodetool HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, bytes(range(256)) * 100):
        status(garbage)
    status(post(good, host, kind, length=1 << 40))
    has(node.nodetool("version"), "ReleaseVersion")


def a_port_that_is_taken(node):
    """Asked for, it stops the start; not asked for, the node serves clients without it."""
    folder = node.folder / "second"
    folder.mkdir()
    command = [node.binary, "--data-dir", str(folder / "data"), "--native-transport-port", str(free_port()), "--admin-port", str(node.admin_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
    same(done.returncode, 1, "the end of a node whose port is taken")
    has(done.stderr, f"cannot listen on 127.0.0.1:{node.admin_port} for nodetool")
    with contextlib.closing(socket.socket()) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            # Whoever has the default port already serves the purpose as well.
            holder.bind((HOST, 7199))
            holder.listen()
        second = Node(node.binary, folder)
        second.start(admin=False)
        has(second.log_text(), "cannot listen on 127.0.0.1:7199")
        same(second.stop(), 0, "the end of the second node")


def drain_and_restart(node):
    before = node.rows()
    node.cluster.shutdown()
    node.cluster = None
    node.nodetool("drain")
    with contextlib.suppress(OSError):
        with socket.create_connection((HOST, node.port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(bytes.fromhex("040000000500000000"))
            same(connection.recv(9), b"", "an answer of a drained node")
    has(node.nodetool("status"), "UN  127.0.0.1")
    same(node.stop(), 0, "the end of a drained node")
    node.start()
    node.connect()
    same(node.rows(), before, "after a restart")
    same(next(iter(node.session.execute("SELECT count FROM shop.hits WHERE page = 'start'")))[0], 5, "the counter")


CASES = [load, loopback_only, who_and_where, flush_and_statistics, snapshots, the_way_back, from_the_schema_file, refresh, backups,
         compaction, compaction_history, switches, words_that_make_no_sense, requests_that_make_no_sense, a_port_that_is_taken, drain_and_restart]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--only", help="cases, with commas between them; load comes first anyway")
    parser.add_argument("--keep", action="store_true", help="leave the directory there")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="helenus-nodetool-"))
    node = Node(str(pathlib.Path(arguments.binary).resolve()), folder)
    passed = failed = 0
    try:
        node.start()
        for case in CASES:
            if only and case is not load and case.__name__ not in only:
                continue
            started = time.monotonic()
            try:
                case(node)
            except Exception:
                failed += 1
                print(f"FAILED {case.__name__}")
                traceback.print_exc(file=sys.stdout)
                if case is load:
                    break
                continue
            passed += 1
            print(f"ok     {case.__name__} ({time.monotonic() - started:.1f} s)")
    finally:
        node.stop()
        if failed:
            print(node.log_text())
        if arguments.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"nodetool: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
