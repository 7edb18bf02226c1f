"""The two servers: started on a folder, asked by their own tools, stopped.

Cassandra comes from scripts/oracle.sh, Helenus is the binary that is tested. Both take `flush`, `compact` and
`import_files` the same way, so that the steps of the test do not care which one they talk to.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from cql import CqlError, Session

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORACLE = ROOT / "scripts" / "oracle.sh"
HOST = "127.0.0.1"
START_MAX_S = 60
TOOL_MAX_S = 300
# Cassandra's tools live for a second: compiling them well costs more than it gains.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"


class ToolFailed(Exception):
    """A tool ended badly; the text holds its output."""


def outside():
    """The environment without settings of these tests: Helenus takes each HELENUS_* for one of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HELENUS_")}


def run_tool(arguments, **environment):
    """Standard output of a tool that must end with 0."""
    done = subprocess.run([str(word) for word in arguments], env=outside() | environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=TOOL_MAX_S)
    # Cassandra's tools print an exception and still end with 0.
    if done.returncode != 0 or "Exception" in done.stderr:
        raise ToolFailed(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return done.stdout


def free_port():
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def table_folder(data_dir, keyspace, table):
    """The folder of a table's files: the newest, for a table that was made again has a new one."""
    found = [path for path in (data_dir / keyspace).glob(f"{table}-*") if path.is_dir()]
    if not found:
        raise ToolFailed(f"{data_dir / keyspace} has no folder of {table}")
    return max(found, key=lambda path: path.stat().st_mtime)


def copy_sets(source, target):
    """Copies the SSTables of a folder, nothing else; how many sets there were."""
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted(source.iterdir()):
        if path.is_file() and re.search("-(bti|big)-", path.name):
            shutil.copyfile(path, target / path.name)
            count += path.name.endswith("-Data.db")
    return count


class Cassandra:
    """A real Apache Cassandra, one folder for all its lives."""

    name = "Cassandra"

    def __init__(self, folder, port=None, storage_port=None):
        self.folder, self.data = folder, folder / "data"
        self.port, self.storage_port, self.jmx_port = port or free_port(), storage_port or free_port(), free_port()

    def start(self, *options):
        """Starts it, or starts it again: `--format big` writes oa, `--compat` writes nb."""
        run_tool([ORACLE, "up", HOST, self.port, self.folder, "--storage-port", self.storage_port, "--jmx-port", self.jmx_port,
                  "--heap", "640m", "--java-opt", "-XX:TieredStopAtLevel=1", "--set", "num_tokens=16",
                  "--set", "commitlog_sync_period=1000ms", *options])

    def stop(self):
        if (self.folder / "pid").exists():
            run_tool([ORACLE, "stop", self.folder])

    def session(self):
        return Session(self.port, HOST)

    def nodetool(self, *words):
        return run_tool([ORACLE, "nodetool", self.folder, *words], JAVA_TOOL_OPTIONS=QUICK_JAVA)

    def flush(self, keyspace):
        self.nodetool("flush", keyspace)

    def stop_compacting(self, keyspace):
        """Files are to stay as they were flushed."""
        self.nodetool("disableautocompaction", keyspace)

    def compact(self, keyspace):
        self.nodetool("compact", keyspace)

    def import_files(self, keyspace, table, folder):
        """Takes copies of the files, after a verification of every value."""
        self.nodetool("import", "--copy-data", "--extended-verify", keyspace, table, str(folder))

    def dump(self, data_file, *options):
        return run_tool([ORACLE, "sstabledump", data_file, *options], JAVA_TOOL_OPTIONS=QUICK_JAVA)

    def verify(self, keyspace, table):
        """Cassandra's extended verification without a node, of all files of the table; the node must be down."""
        return run_tool([ORACLE, "sstableverify", self.folder, keyspace, table, "-e"], JAVA_TOOL_OPTIONS=QUICK_JAVA)


class Helenus:
    """The binary under test, one folder for all its lives."""

    name = "Helenus"

    def __init__(self, binary, folder, port=None, admin_port=None):
        self.binary, self.folder, self.data = binary, folder, folder / "data"
        self.port, self.admin_port, self.process = port or free_port(), admin_port or free_port(), None
        folder.mkdir(parents=True, exist_ok=True)
        self.log = open(folder / "node.log", "ab")

    def start(self, *options):
        settings = [f"--set=admin_port={self.admin_port}", "--set=memtable_heap_space=256MiB", *options]
        command = [self.binary, "--data-dir", self.folder, "--listen-address", HOST, "--native-transport-port", self.port, *settings]
        self.process = subprocess.Popen([str(word) for word in command], env=outside(),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_MAX_S
        while True:
            try:
                return self.session().close()
            except (OSError, CqlError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise ToolFailed(f"Helenus did not start; its log ends with\n{self.log_end()}") from None
                time.sleep(0.02)

    def log_end(self):
        return (self.folder / "node.log").read_text(errors="replace")[-3000:]

    def stop(self):
        """Drains; it must end with 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "a kill after 60 s"
        if code != 0:
            raise ToolFailed(f"Helenus ended with {code}; its log ends with\n{self.log_end()}")

    def session(self):
        return Session(self.port, HOST)

    def nodetool(self, *words):
        return run_tool([self.binary, "nodetool", "-p", self.admin_port, *words])

    def flush(self, keyspace):
        self.nodetool("flush", keyspace)

    def stop_compacting(self, keyspace):
        """Files are to stay as they were flushed."""
        self.nodetool("disableautocompaction", keyspace)

    def compact(self, keyspace):
        self.nodetool("compact", keyspace)

    def import_files(self, keyspace, table, folder):
        self.nodetool("import", "--copy-data", "--extended-verify", keyspace, table, str(folder))

    def dump(self, data_file, *options):
        return run_tool([self.binary, "sstable", "dump", data_file, *options])

    def export(self, folder, version, target):
        return run_tool([self.binary, "sstable", "export", folder, "--format", version, "--to", target])

    def restart(self):
        self.stop()
        self.start()
