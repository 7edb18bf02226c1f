#!/usr/bin/env python3
"""A whole data directory changes hands: Cassandra writes, is drained and stopped; `helenus import` takes its directory
over, and a Helenus started on the result gives Cassandra's answers.

    python3 tests/judge/take_over.py target/release/helenus [--seed N] [--only TABLE,TABLE] [--formats da,oa,nb] [--keep DIR]

The tables, the questions and the comparison are those of judge.py. Also looked at: table ids are the same, a second import
into the same directory is refused, a snapshot is taken over as well, and what cannot be served is named.

Standard library only. Needs Java 17 and Maven Central (scripts/oracle.sh); without them it says so and ends with 77.
"""
import subprocess

from judge import FORMATS, Judge, parser_of, run
from nodes import Cassandra, Helenus, ToolFailed
from tables import KEYSPACE

SNAPSHOT = "before"


class TakeOver(Judge):
    """One way for each format: Cassandra's directory, then ours."""

    def run(self):
        for version in self.options.formats:
            self.take_over(version)

    def take_over(self, version):
        way = f"{version}: "
        tables = [table for table in self.tables if version != "nb" or table.is_for_nb]
        self.broken.clear()
        self.cassandra = Cassandra(self.folder / f"cassandra-{version}", self.options.cassandra_port, self.options.storage_port)
        self.cassandra.start(*FORMATS[version])
        self.make_keyspace(self.cassandra)
        self.write(way + "Cassandra writes", self.cassandra, tables)
        session = self.cassandra.session()
        session.run(f"CREATE TABLE {KEYSPACE}.with_index (k int PRIMARY KEY, v int)")
        session.run(f"CREATE INDEX by_v ON {KEYSPACE}.with_index (v)")
        session.run(f"INSERT INTO {KEYSPACE}.with_index (k, v) VALUES (1, 2)")
        # The newest folder of a table need not be the one that counts.
        session.run(f"CREATE TABLE {KEYSPACE}.again (k int PRIMARY KEY, v int)")
        session.run(f"INSERT INTO {KEYSPACE}.again (k, v) VALUES (1, 1)")
        session.run(f"DROP TABLE {KEYSPACE}.again")
        session.run(f"CREATE TABLE {KEYSPACE}.again (k int PRIMARY KEY, z text)")
        session.run(f"INSERT INTO {KEYSPACE}.again (k, z) VALUES (1, 'new')")
        ids = self.ids(session)
        session.close()
        # Its stored schema knows times of drops by the millisecond only: what it makes of that itself is what counts.
        self.cassandra.nodetool("drain")
        self.cassandra.stop()
        self.cassandra.start(*FORMATS[version])
        self.each(way + "Cassandra answers", tables, lambda table: self.ask(self.cassandra, table))
        self.cassandra.nodetool("snapshot", "-t", SNAPSHOT)
        self.cassandra.nodetool("drain")
        self.cassandra.stop()
        for name, options in {"live": [], "snapshot": ["--snapshot", SNAPSHOT, "--copy"]}.items():
            self.serve(version, name, tables, ids, options)

    def ids(self, session):
        return sorted(map(tuple, session.run(f"SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{KEYSPACE}'").rows))

    def serve(self, version, name, tables, ids, options):
        way = f"{version} {name}: "
        self.helenus = Helenus(self.options.helenus.resolve(), self.folder / f"helenus-{version}-{name}",
                               self.options.helenus_port, self.options.admin_port)
        command = [self.helenus.binary, "import", self.cassandra.folder, "--data-dir", self.helenus.folder, *options]
        command = [str(word) for word in command]
        done = subprocess.run(command, capture_output=True, text=True)
        # 1: something was left out, which is the index.
        if done.returncode != 1 or f"{KEYSPACE}.with_index.by_v: LEFT OUT: index" not in done.stdout:
            raise ToolFailed(f"import ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        self.say(way + done.stdout.strip().splitlines()[-2])
        again = subprocess.run(command, capture_output=True, text=True)
        if again.returncode != 2 or "is there already" not in again.stderr:
            self.failures.append(f"{way}a second import is not refused: {again.returncode} {again.stderr}")
        self.helenus.start()
        try:
            session = self.helenus.session()
            ours, answer = self.ids(session), session.run(f"SELECT k, z FROM {KEYSPACE}.again").rows
            session.close()
            if ours != ids:
                self.failures.append(f"{way}table ids differ: {ours} {ids}")
            if [tuple(row) for row in answer] != [(b"\0\0\0\1", b"new")]:
                self.failures.append(f"{way}the wrong folder of a table that was made again: {answer}")
            self.each(way + "Helenus answers alike", tables, lambda table: self.check(self.helenus, table))
            self.helenus.restart()
            self.each(way + "Helenus answers alike when restarted", tables, lambda table: self.check(self.helenus, table))
        finally:
            self.helenus.stop()


def arguments():
    options = parser_of(__doc__).parse_args()
    options.formats = options.formats or ["nb", "oa", "da"]
    return options


if __name__ == "__main__":
    run(TakeOver, arguments())
