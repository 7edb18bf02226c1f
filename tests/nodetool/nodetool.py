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
        command = [self.binary, "--data-dir", str(self.folder / "data"), "--native-transport-port", str(self.port),
                   "--set", "row_cache_size=16MiB", "--set", "row_cache_save_period=1h"]
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
    node.session.execute("CREATE KEYSPACE counts WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    node.session.execute("CREATE TABLE counts.t (k int, c int, v int, PRIMARY KEY (k, c))")
    cells = lambda: int(re.search(r"Memtable cell count: (.*)", node.nodetool("tablestats", "counts.t")).group(1))
    for statement, want in (("INSERT INTO counts.t (k, c, v) VALUES (1, 1, 1)", 1), ("INSERT INTO counts.t (k, c, v) VALUES (1, 1, 2)", 2),
                            ("DELETE FROM counts.t WHERE k = 9", 3), ("DELETE FROM counts.t WHERE k = 9 AND c > 5", 4)):
        node.session.execute(statement)
        same(cells(), want, f"cells after {statement}")
    node.nodetool("flush", "counts", "t")
    same(cells(), 0, "cells after a flush")
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
    node.nodetool("snapshot", "-t", "other", "-cf", "hits", "shop")
    has(node.nodetool("clearsnapshot", "--all", "--older-than", "1h", "shop"), "Requested clearing snapshot(s) for [shop] with [all snapshots] older than 3600 seconds.\n")
    has(node.nodetool("clearsnapshot", "--all", "--older-than-timestamp", "2022-12-03T10:15:30Z"), "Requested clearing snapshot(s) for [all keyspaces] with [all snapshots] older than timestamp 2022-12-03T10:15:30Z\n")
    same([count(tag) for tag in ("mine", "other")], [3, 1], "snapshots that are too young")
    node.nodetool("clearsnapshot", "--all", "--older-than", "1s", "nowhere")
    same(count("other"), 1, "snapshots of another keyspace")
    for words, text in {
        ("--older-than", "1d"): "Specify snapshot name or --all",
        ("-t", "x", "--older-than", "1d"): "Specifying snapshot name together with --older-than flag is not allowed",
        ("-t", "x", "--older-than-timestamp", "2022-12-03T10:15:30Z"): "Specifying snapshot name together with --older-than-timestamp flag is not allowed",
        ("--all", "--older-than", "1s", "--older-than-timestamp", "2022-12-03T10:15:30Z"): "Specify only one of --older-than or --older-than-timestamp",
        ("--all", "--older-than", "5x"): "Invalid duration: 5x Accepted units:[SECONDS, MINUTES, HOURS, DAYS] where case matters and only non-negative values.",
        ("--all", "--older-than", "500ms"): "Invalid duration: 500ms Accepted units:[SECONDS, MINUTES, HOURS, DAYS]",
        ("--all", "--older-than-timestamp", "yesterday"): "Parameter --older-than-timestamp has to be a valid instant in ISO format.",
        ("--all", "-t", "x"): "Specify only one of snapshot name or --all",
    }.items():
        has(node.nodetool("clearsnapshot", *words, code=1), f"nodetool: {text}\n")
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
    has(node.nodetool("compactionstats", "-H"), "concurrent compactors", "pending tasks", "compactions aborted              0 ", "compressed data compacted ", "/minute", "compaction throughput (MiB/s)    64.0")
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
    for count in (4, 1):
        node.nodetool("setconcurrentcompactors", count)
        same(node.nodetool("getconcurrentcompactors"), f"Current concurrent compactors in the system is: \n{count}\n", "compactors")
        assert re.search(rf"^concurrent compactors +{count} *$", node.nodetool("compactionstats"), re.M)
        node.nodetool("compact", "shop")
    node.nodetool("setconcurrentcompactors", 2)
    for words, text in {("0",): "concurrent_compactors should be great than 0.", ("--", "-1"): "concurrent_compactors should be great than 0.",
                        ("x",): 'concurrent_compactors: can not convert "x" to a Integer', (): "Required parameters are missing: concurrent_compactors"}.items():
        has(node.nodetool("setconcurrentcompactors", *words, code=1), f"nodetool: {text}\n")
    has(node.nodetool("getcompactionthreshold", "shop", "orders"), "Current compaction thresholds for shop/orders: \n min = ")
    node.nodetool("invalidatecountercache")


def cache(node, name):
    """Entries, hits and requests of a cache; and its line."""
    [line] = [line for line in node.nodetool("info").splitlines() if line.startswith(name)]
    found = re.fullmatch(r"[A-Za-z ]+: entries (\d+), size .+, capacity .+, (\d+) hits, (\d+) requests, \S+ recent hit rate, \d+ save period in seconds", line)
    assert found, line
    return tuple(map(int, found.groups())), line


def caches(node):
    node.session.execute("CREATE TABLE shop.heads (k int, c int, v text, PRIMARY KEY (k, c)) "
                         "WITH caching = {'keys': 'ALL', 'rows_per_partition': '2'}")
    for c in range(5):
        node.session.execute(f"INSERT INTO shop.heads (k, c, v) VALUES (1, {c}, 'v{c}')")
    node.nodetool("flush", "shop", "heads")
    node.nodetool("invalidaterowcache")
    (_, hits, requests), line = cache(node, "Row Cache")
    has(line, "entries 0, size 0 bytes, capacity 16 MiB", "3600 save period in seconds")
    first = "SELECT v FROM shop.heads WHERE k = 1 LIMIT 2"
    for _ in range(3):
        same(list(node.session.execute(first)), [("v0",), ("v1",)], "the head")
    same(cache(node, "Row Cache")[0], (1, hits + 2, requests + 3), "row cache")
    # Another table's change is none of this one.
    node.session.execute("ALTER TABLE shop.nothing WITH comment = 'still nothing'")
    node.session.execute("UPDATE shop.heads SET v = 'new' WHERE k = 1 AND c = 1")
    for _ in range(2):
        same(list(node.session.execute(first)), [("v0",), ("new",)], "the head after a write")
    same(cache(node, "Row Cache")[0], (1, hits + 3, requests + 5), "row cache after a write")
    same([v for v, in node.session.execute("SELECT v FROM shop.heads WHERE k = 1")], ["v0", "new", "v2", "v3", "v4"], "all rows")
    node.nodetool("invalidaterowcache")
    same(cache(node, "Row Cache")[0][0], 0, "row cache, emptied")
    same(list(node.session.execute(first)), [("v0",), ("new",)], "the head after it was emptied")

    # SSTables with an Index.db: the table's own, written in that format and brought back.
    node.nodetool("flush", "shop", "heads")
    node.nodetool("compact", "shop", "heads")
    [data] = node.nodetool("getsstables", "shop", "heads", "1").split()
    out = node.folder / "big"
    subprocess.run([node.binary, "sstable", "export", "--format", "oa", "--to", str(out), data], check=True, capture_output=True, cwd=node.folder)
    node.session.execute("TRUNCATE shop.heads")
    same(list(node.session.execute(first)), [], "the head of nothing")
    node.nodetool("import", "--copy-data", "shop", "heads", str(out))
    node.nodetool("invalidatekeycache")
    (_, hits, requests), line = cache(node, "Key Cache")
    has(line, "entries 0, size 0 bytes", "14400 save period in seconds")
    for _ in range(2):
        same(list(node.session.execute("SELECT v FROM shop.heads WHERE k = 1 AND c = 3")), [("v3",)], "one row")
    same(cache(node, "Key Cache")[0], (1, hits + 1, requests + 2), "key cache")
    same(list(node.session.execute(first)), [("v0",), ("new",)], "the head of what was imported")


def sstable_import(node):
    """SSTables that Cassandra wrote, of each format, into a stopped node's table by `helenus sstable import`."""
    command = lambda words: subprocess.run([node.binary, "sstable", "import", "--data-dir", "data", *map(str, words)], capture_output=True, text=True, timeout=120, cwd=node.folder)
    fixtures = pathlib.Path(__file__).resolve().parents[2] / "crates/sstable/testdata/cassandra-5.0"
    expected = {}
    for version in ("da", "oa", "nb"):
        node.session.execute(f"CREATE KEYSPACE cassandra_{version} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        node.session.execute(f"CREATE TABLE cassandra_{version}.skinny (pk int PRIMARY KEY, v text)")
        node.session.execute(f"CREATE TABLE cassandra_{version}.statics (pk int, ck text, s1 int static, s2 text static, sl list<int> static, sm map<text, int> static, v text, PRIMARY KEY (pk, ck))")
        # sstabledump's own words: each partition of `skinny` is one row with one cell.
        [lines] = (fixtures / version / "skinny").glob("rows-*.jsonl")
        partitions = [json.loads(line) for line in lines.read_text().splitlines()]
        expected[version] = sorted((int(one["partition"]["key"][0]), one["rows"][0]["cells"][0]["value"]) for one in partitions)
        same(len(expected[version]), 700, f"partitions of {version}")
    words = lambda version, table="skinny": [fixtures / version / table, f"cassandra_{version}", table, "--copy"]
    done = command(words("da"))
    assert done.returncode == 2 and "in use" in done.stderr, f"beside a running node: {done}"
    same(node.stop(), 0, "the end of the node")
    for version in expected:
        damaged = node.folder / f"damaged-{version}"
        shutil.copytree(fixtures / version / "skinny", damaged)
        data = next(damaged.glob("*-Data.db"))
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 0xFF
        data.write_bytes(content)
        done = command([damaged, *words(version)[1:]])
        assert done.returncode == 2 and "is damaged" in done.stderr, f"damaged {version}: {done}"
        done = command([fixtures / version / "statics", *words(version)[1:]])
        same(done.returncode, 2, f"another table's: {done}")
        found = list((node.folder / "data/data").glob(f"cassandra_{version}/skinny-*/*-Data.db"))
        same(found, [], f"{version}: what was brought in of what is refused")
        for table in ("skinny", "statics"):
            before = sorted(path.name for path in (fixtures / version / table).iterdir())
            done = command(words(version, table))
            assert done.returncode == 0 and " -> " in done.stdout, f"{version}: {done}"
            same(sorted(path.name for path in (fixtures / version / table).iterdir()), before, "the files that were imported")
    done = command([fixtures / "da/skinny", "cassandra_da", "nowhere"])
    assert done.returncode == 2 and "cassandra_da.nowhere is no table of" in done.stderr, f"{done}"
    node.start()
    node.connect()
    for step in ("imported", "compacted"):
        statics = []
        for version, want in expected.items():
            same(sorted(node.session.execute(f"SELECT pk, v FROM cassandra_{version}.skinny")), want, f"{version}, {step}")
            same(list(node.session.execute(f"SELECT v FROM cassandra_{version}.skinny WHERE pk = 23")), [("value 23",)], f"{version}, {step}: one row")
            statics.append(sorted(node.session.execute(f"SELECT pk, ck, s1, s2, sl, sm, v FROM cassandra_{version}.statics"), key=str))
            node.nodetool("compact", f"cassandra_{version}")
        assert statics[0] and statics == [statics[0]] * 3, f"{step}: the same statements in three formats give {statics}"
    for version in expected:
        node.session.execute(f"DROP KEYSPACE cassandra_{version}")


def old_snapshots_go(node):
    node.session.execute("CREATE KEYSPACE past WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    node.session.execute("CREATE TABLE past.t (k int PRIMARY KEY)")
    tags = lambda: sorted(re.findall(r"^(\S+) +past ", node.nodetool("listsnapshots"), re.M))
    node.nodetool("snapshot", "-t", "old", "past")
    time.sleep(2.2)
    node.nodetool("snapshot", "-t", "young", "past")
    node.nodetool("clearsnapshot", "--all", "--older-than", "2s", "past")
    same(tags(), ["young"], "snapshots")
    node.nodetool("clearsnapshot", "--all", "--older-than-timestamp", "2122-12-03T10:15:30.5Z", "past")
    same(tags(), [], "snapshots")
    node.session.execute("DROP KEYSPACE past")


def garbage(node):
    """What `garbagecollect` leaves: the lines of Cassandra's sstabledump -d, without places and seconds."""
    node.session.execute("CREATE KEYSPACE garbage WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    for name, granularity, want in (("g", "ROW", GARBAGE_ROW), ("h", "CELL", GARBAGE_CELL)):
        node.session.execute(f"CREATE TABLE garbage.{name} (k int, c int, s int static, v int, w int, m map<int, int>, PRIMARY KEY (k, c))")
        node.nodetool("disableautocompaction", "garbage", name)
        for statements in (GARBAGE_OLD, GARBAGE_NEW):
            for statement in statements:
                node.session.execute(statement.format(t=f"garbage.{name}"))
            node.nodetool("flush", "garbage", name)
        node.nodetool("garbagecollect", "-g", granularity, "garbage", name)
        time.sleep(0.5)
        dumped = []
        for data in sorted((node.folder / "data/data/garbage").glob(f"{name}-*/*-Data.db"), key=lambda path: int(path.name.split("-")[1])):
            done = subprocess.run([node.binary, "sstable", "dump", "-d", str(data)], capture_output=True, text=True, timeout=60)
            same(done.returncode, 0, done.stderr)
            dumped.append(done.stdout)
        # Each shard has its own SSTable of a flush.
        old = "".join(text for text in dumped if not re.search("ts=20|deletedAt=20|@20/", text))
        plain = re.sub(r"@\d+ ", " ", re.sub(r"(@\d+)/\d+", r"\1", re.sub(r"localDeletion=\d+", "localDeletion=", old)))
        by_partition = lambda lines: sorted(lines, key=lambda line: line[:3])
        same(by_partition(plain.splitlines()), by_partition(want), f"what is left with -g {granularity}")
    node.session.execute("DROP KEYSPACE garbage")


GARBAGE_OLD = [
    "INSERT INTO {t} (k, c, v, w) VALUES (1, 1, 1, 1) USING TIMESTAMP 10", "INSERT INTO {t} (k, c, v, w) VALUES (1, 2, 1, 1) USING TIMESTAMP 10",
    "INSERT INTO {t} (k, c, v, w) VALUES (1, 5, 1, 1) USING TIMESTAMP 10", "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 1 AND c >= 20 AND c < 30",
    "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 1 AND c >= 40 AND c < 50", "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 1 AND c = 60",
    "INSERT INTO {t} (k, c, v, w, m) VALUES (1, 70, 1, 1, {{1: 1, 2: 2}}) USING TIMESTAMP 10", "INSERT INTO {t} (k, s) VALUES (1, 5) USING TIMESTAMP 10",
    "INSERT INTO {t} (k, c, v, w) VALUES (2, 1, 1, 1) USING TIMESTAMP 10", "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 2 AND c >= 20 AND c < 30",
    "DELETE FROM {t} USING TIMESTAMP 9 WHERE k = 2", "DELETE FROM {t} USING TIMESTAMP 9 WHERE k = 5", "INSERT INTO {t} (k, c, v) VALUES (5, 1, 1) USING TIMESTAMP 10",
    "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 3 AND c >= 20 AND c < 30", "INSERT INTO {t} (k, c, v, w) VALUES (4, 1, 1, 1) USING TIMESTAMP 10",
    "INSERT INTO {t} (k, c) VALUES (4, 2) USING TIMESTAMP 10", "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 6 AND c >= 20 AND c < 30",
    "INSERT INTO {t} (k, c) VALUES (6, 32) USING TIMESTAMP 10", "DELETE FROM {t} USING TIMESTAMP 11 WHERE k = 6 AND c >= 40 AND c < 50",
    "DELETE FROM {t} USING TIMESTAMP 12 WHERE k = 6 AND c >= 50 AND c < 60"]
GARBAGE_NEW = [
    "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 1 AND c >= 1 AND c < 3", "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 1 AND c >= 22 AND c < 25",
    "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 1 AND c >= 38 AND c <= 50", "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 1 AND c = 60",
    "UPDATE {t} USING TIMESTAMP 20 SET v = 5 WHERE k = 1 AND c = 5", "UPDATE {t} USING TIMESTAMP 20 SET m = {{3: 3}} WHERE k = 1 AND c = 70",
    "UPDATE {t} USING TIMESTAMP 20 SET s = 6 WHERE k = 1", "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 2", "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 5",
    "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 3 AND c >= 25 AND c < 35", "DELETE v FROM {t} USING TIMESTAMP 20 WHERE k = 4 AND c = 1",
    "INSERT INTO {t} (k, c) VALUES (4, 2) USING TIMESTAMP 20", "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 6 AND c >= 15 AND c < 25",
    "DELETE FROM {t} USING TIMESTAMP 20 WHERE k = 6 AND c >= 45 AND c < 55"]
GARBAGE_ROW = [
    "[1] Row[info=[ts=-9223372036854775808] ]: STATIC | [s=5 ts=10]",
    "[1] Row[info=[ts=10] ]: 5 | [v=1 ts=10], [w=1 ts=10]",
    "[1] Marker INCL_START_BOUND(20)@11",
    "[1] Marker EXCL_END_BOUND(30)@11",
    "[1] Row[info=[ts=10] ]: 70 | [v=1 ts=10], [w=1 ts=10], del(m)=deletedAt=9, localDeletion=, [m[1]=1 ts=10], [m[2]=2 ts=10]",
    "[4] Row[info=[ts=10] ]: 1 | [v=1 ts=10], [w=1 ts=10]",
    "[4] Row[info=[ts=10] ]: 2 | ",
    "[6] Marker INCL_START_BOUND(25)@11",
    "[6] Marker EXCL_END_BOUND(30)@11",
    "[6] Row[info=[ts=10] ]: 32 | ",
    "[6] Marker INCL_START_BOUND(40)@11",
    "[6] Marker EXCL_END_BOUND(50)@11",
    "[6] Marker INCL_START_BOUND(55)@12",
    "[6] Marker EXCL_END_BOUND(60)@12",
    "[3] Marker INCL_START_BOUND(20)@11",
    "[3] Marker EXCL_END_BOUND(30)@11",
]
GARBAGE_CELL = [
    "[1] Row[info=[ts=10] ]: 5 | [w=1 ts=10]",
    "[1] Marker INCL_START_BOUND(20)@11",
    "[1] Marker EXCL_END_BOUND(30)@11",
    "[1] Row[info=[ts=10] ]: 70 | [v=1 ts=10], [w=1 ts=10]",
    "[4] Row[info=[ts=10] ]: 1 | [w=1 ts=10]",
    "[4] Row[info=[ts=10] ]: 2 | ",
    "[6] Marker INCL_START_BOUND(25)@11",
    "[6] Marker EXCL_END_BOUND(30)@11",
    "[6] Row[info=[ts=10] ]: 32 | ",
    "[6] Marker INCL_START_BOUND(40)@11",
    "[6] Marker EXCL_END_BOUND(50)@11",
    "[6] Marker INCL_START_BOUND(55)@12",
    "[6] Marker EXCL_END_BOUND(60)@12",
    "[3] Marker INCL_START_BOUND(20)@11",
    "[3] Marker EXCL_END_BOUND(30)@11",
]


def binary_off_and_on(node):
    def connects():
        with contextlib.suppress(OSError), socket.create_connection((HOST, node.port), timeout=1):
            return True
        return False

    before = node.rows()
    same(node.nodetool("statusbinary"), "running\n", "statusbinary")
    with socket.create_connection((HOST, node.port), timeout=5) as client:
        node.nodetool("disablebinary")
        client.settimeout(5)
        same(client.recv(1), b"", "a client of a transport that is switched off")
    same((node.nodetool("statusbinary"), connects()), ("not running\n", False), "disablebinary")
    has(node.nodetool("info"), "Native Transport active: false")
    node.nodetool("disablebinary")
    has(node.nodetool("status"), "UN  127.0.0.1")
    node.nodetool("enablebinary")
    node.nodetool("enablebinary")
    same((node.nodetool("statusbinary"), connects()), ("running\n", True), "enablebinary")
    has(node.nodetool("info"), "Native Transport active: true")
    node.nodetool("disablebinary", "-f")
    same(connects(), False, "disablebinary -f")
    node.nodetool("enablebinary")
    node.cluster.shutdown()
    node.connect()
    same(node.rows(), before, "rows afterwards")


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
    cached = [name for name in ("Row Cache", "Key Cache") if cache(node, name)[0][0] > 0]
    node.cluster.shutdown()
    node.cluster = None
    node.nodetool("drain")
    with contextlib.suppress(OSError):
        with socket.create_connection((HOST, node.port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(bytes.fromhex("040000000500000000"))
            same(connection.recv(9), b"", "an answer of a drained node")
    has(node.nodetool("status"), "UN  127.0.0.1")
    same(node.nodetool("statusbinary"), "not running\n", "statusbinary of a drained node")
    has(node.nodetool("enablebinary", code=2), "Unable to start native transport because the node was drained.")
    same(node.stop(), 0, "the end of a drained node")
    node.start()
    node.connect()
    for name in cached:
        deadline = time.monotonic() + 5
        while cache(node, name)[0][0] == 0:
            assert time.monotonic() < deadline, f"{name} is not warmed"
            time.sleep(0.05)
        same(cache(node, name)[0][1:], (0, 0), f"{name}: warming is no request")
    same(node.rows(), before, "after a restart")
    same(next(iter(node.session.execute("SELECT count FROM shop.hits WHERE page = 'start'")))[0], 5, "the counter")


CASES = [load, loopback_only, who_and_where, flush_and_statistics, snapshots, the_way_back, from_the_schema_file, refresh, backups,
         compaction, compaction_history, switches, caches, sstable_import, old_snapshots_go, garbage, binary_off_and_on, words_that_make_no_sense, requests_that_make_no_sense, a_port_that_is_taken, drain_and_restart]


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
