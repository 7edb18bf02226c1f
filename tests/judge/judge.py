#!/usr/bin/env python3
"""Cassandra is the judge: a real Apache Cassandra 5.0 reads what Helenus wrote, and Helenus what Cassandra wrote.

    python3 tests/judge/judge.py target/release/helenus [--seed N] [--only TABLE,TABLE] [--all] [--keep DIR]

Helenus -> Cassandra: tables of every kind are written and flushed, then compacted; each time Cassandra imports the files
with an extended verification, into tables made of our DESCRIBE, its sstabledump and ours show the same, and both servers
give the same answers to the same questions (scans, every key, absent keys, slices both ways, write times). At the end
Cassandra's sstableverify -e, without a node, finds the compacted files clean, and what `sstable export` makes of them.
Cassandra -> Helenus: the same history, written by Cassandra as BTI `da`, and with --all (or HELENUS_JUDGE_ALL=1) as BIG
`oa` and `nb` too, imported into Helenus: the same answers, also after compact and upgradesstables.

Standard library only. Needs Java 17 and Maven Central (scripts/oracle.sh); without them it says so and ends with 77.
Ends with "N passed, N failed"; a step is one table on one of the ways. Without --seed (or JUDGE_SEED) each run has another one,
which is printed; scripts/test.sh always takes the same.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from compare import Difference, compare_answers, compare_dumps
from cql import IN_FLIGHT, CqlError, Request
from nodes import ORACLE, Cassandra, Helenus, ToolFailed, copy_sets, table_folder
from questions import questions
from tables import CREATE_KEYSPACE, CREATE_TYPES, KEYSPACE, all_tables

SKIPPED = 77
# The history began so long ago that all its seconds are past, and TTLs of it with them. Questions are asked as of a time
# that will not come before the end of the run: whatever a compaction finds expired until then is so for them too.
HISTORY_AGE_S, QUESTIONS_AFTER_S, LATER_S = 3000, 3000 + 900, 6000
FORMATS = {"da": [], "oa": ["--format", "big"], "nb": ["--compat"]}


class Judge:
    """All steps, on one pair of servers."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.now_s = int(time.time()) - HISTORY_AGE_S
        self.tables = [table for table in all_tables(options.seed, self.now_s) if not options.only or table.name in options.only]
        self.helenus = Helenus(options.helenus.resolve(), folder / "helenus", options.helenus_port, options.admin_port)
        self.cassandra = Cassandra(folder / "cassandra", options.cassandra_port, options.storage_port)
        self.workers = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2)
        self.passed, self.failures, self.started = 0, [], time.monotonic()
        self.broken = set()  # tables without files, rows or questions: nothing more is asked of them on this way
        # By table: the questions, and what whoever wrote the files answered.
        self.questions, self.answers = {}, {}

    def say(self, text):
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def step(self, what, table, work):
        """One step; a failure is counted and the others go on."""
        try:
            work()
            self.passed += 1
        except (Difference, ToolFailed, CqlError, OSError) as problem:
            if not isinstance(problem, Difference):
                self.broken.add(table.name)
            self.failures.append(f"{what}: {table.name}: {problem}")
            print(f"FAILED {what}: {table.name}\n{problem}\n", flush=True)

    def each(self, what, tables, work, together=False):
        """A step for each table, a few at a time if they may run together."""
        began, before = time.monotonic(), len(self.failures)
        tables = [table for table in tables if table.name not in self.broken]
        run = self.workers.map if together else map
        list(run(lambda table: self.step(what, table, lambda: work(table)), tables))
        failed = len(self.failures) - before
        self.say(f"{what}: {len(tables) - failed} of {len(tables)} tables, {time.monotonic() - began:.1f} s")

    # What either server does.

    def write(self, what, node, tables):
        """The history of all tables, with a flush after each round."""
        for index in range(max(len(table.rounds) for table in tables)):
            some = [table for table in tables if index < len(table.rounds)]
            self.each(f"{what}, round {index + 1}", some, lambda table, index=index: self.write_round(node, table, index))
            node.flush(KEYSPACE)

    def write_round(self, node, table, index):
        session, writes = node.session(), []
        if index == 0:
            session.run(table.create())
        for step in [*table.rounds[index], None]:
            if isinstance(step, Request):
                writes.append(step)
                continue
            session.run_all(writes, 1 if table.is_in_order else IN_FLIGHT)
            writes = []
            if step:
                session.run(step)
        session.close()

    def make_keyspace(self, node):
        session = node.session()
        session.run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
        for text in [CREATE_KEYSPACE, *CREATE_TYPES]:
            session.run(text)
        session.close()
        node.stop_compacting(KEYSPACE)

    def ask(self, node, table):
        """Remembers the answers of whoever wrote the table."""
        session = node.session()
        ask_s = self.now_s + QUESTIONS_AFTER_S
        scan = session.run(f"SELECT * FROM {table.full_name}", now_s=ask_s)
        self.questions[table.name] = list(questions(table, scan, self.options.seed, ask_s, ask_s + LATER_S))
        self.answers[table.name] = session.ask(self.questions[table.name])
        session.close()
        wrong = [answer.error for answer in self.answers[table.name] if answer.error]
        if wrong:
            raise Difference(f"{node.name} refuses a question: {wrong[0]}")

    def check(self, node, table):
        """The same questions once more, perhaps to the other."""
        session = node.session()
        found = session.ask(self.questions[table.name])
        session.close()
        compare_answers(self.questions[table.name], self.answers[table.name], found, node.name)

    def files(self, node, table):
        """Copies of the table's files, for the other server."""
        target = self.folder / "files" / table.name
        shutil.rmtree(target, ignore_errors=True)
        if copy_sets(table_folder(node.data, KEYSPACE, table.name), target) == 0:
            raise Difference(f"{node.name} has no file of {table.name}")
        return target

    def hand_over(self, source, target, table):
        target.import_files(KEYSPACE, table.name, self.files(source, table))

    def compare_tools(self, table):
        """Both dumps of every file of the table, as they lie in Helenus' folder."""
        for data_file in sorted(table_folder(self.helenus.data, KEYSPACE, table.name).glob("*-Data.db")):
            ours = self.helenus.dump(data_file)
            try:
                theirs = self.cassandra.dump(data_file)
            except ToolFailed as failed:
                # Its fault, at every empty boolean (formats of Cassandra 5.0.9).
                if "Boolean.toString" not in str(failed):
                    raise
                print(f"sstabledump itself fails on {data_file.name} of {table.name}: an empty boolean")
                continue
            compare_dumps(data_file, theirs, ours, table.name == "counters")

    # The ways.

    def from_helenus(self):
        tables = self.tables
        self.broken.clear()
        self.make_keyspace(self.helenus)
        self.write("Helenus writes", self.helenus, tables)
        self.each("Helenus answers", tables, lambda table: self.ask(self.helenus, table))
        self.take_schema(tables)
        self.each("Cassandra imports files of Helenus", tables, lambda table: self.hand_over(self.helenus, self.cassandra, table), True)
        self.each("Cassandra answers alike", tables, lambda table: self.check(self.cassandra, table))
        if self.can_dump():
            self.each("sstabledump is alike", tables, self.compare_tools, True)
        self.helenus.compact(KEYSPACE)
        self.each("Helenus answers alike when compacted", tables, lambda table: self.check(self.helenus, table))
        self.each("Cassandra imports compacted files", tables, self.replace_in_cassandra, True)
        self.each("Cassandra answers alike for compacted files", tables, lambda table: self.check(self.cassandra, table))
        self.each("Helenus has compacted files", tables, self.keep)
        if self.can_dump() and self.takes_its_time():
            self.each("sstabledump of compacted files is alike", tables, self.compare_tools, True)
        self.helenus.restart()
        self.each("Helenus answers alike when started again", tables, lambda table: self.check(self.helenus, table))

    def take_schema(self, tables):
        """Cassandra's tables are made of what Helenus describes."""
        ours, theirs = self.helenus.session(), self.cassandra.session()
        theirs.run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
        for text in [CREATE_KEYSPACE, *CREATE_TYPES]:
            theirs.run(text)

        def make(table):
            described = ours.run(f"DESCRIBE TABLE {table.full_name} WITH INTERNALS")
            text = described.rows[0][described.names().index("create_statement")].decode()
            # Cassandra prints a column that was dropped and came back the same way.
            for statement in filter(None, (part.strip() for part in text.split(";\n"))):
                theirs.run(statement.rstrip(";"))

        self.each("Cassandra takes our DESCRIBE", tables, make)
        self.cassandra.stop_compacting(KEYSPACE)
        ours.close(), theirs.close()

    def replace_in_cassandra(self, table):
        session = self.cassandra.session()
        session.run(f"TRUNCATE {table.full_name}")
        session.close()
        self.hand_over(self.helenus, self.cassandra, table)

    def keep(self, table):
        """Keeps copies of what Helenus wrote, for sstableverify at the end."""
        copy_sets(table_folder(self.helenus.data, KEYSPACE, table.name), self.folder / "own" / table.name)

    def verify_alone(self):
        """Cassandra's tool works on a folder that no node has open: the tables are there, their files are replaced by ours."""
        self.cassandra.stop()

        def verify(table):
            folder, own = table_folder(self.cassandra.data, KEYSPACE, table.name), self.folder / "own" / table.name
            for path in folder.iterdir():
                if path.is_file():
                    path.unlink()
            copy_sets(own, folder)
            for version in ["oa", "nb"] if table.is_for_nb else ["oa"]:
                self.helenus.export(own, version, folder)
            self.cassandra.verify(KEYSPACE, table.name)

        self.broken.clear()
        self.each("sstableverify -e of da, and of exports as oa and nb", self.tables, verify, True)

    def from_cassandra(self, version):
        """Cassandra writes this version's files; Helenus has to give its answers."""
        tables = [table for table in self.tables if version != "nb" or table.is_for_nb]
        way = f"{version}: "
        self.broken.clear()
        self.make_keyspace(self.cassandra)
        self.write(way + "Cassandra writes", self.cassandra, tables)
        self.each(way + "Cassandra answers", tables, lambda table: self.ask(self.cassandra, table))
        self.make_keyspace(self.helenus)

        def take(table):
            session = self.helenus.session()
            session.run(table.create())
            for step in (step for steps in table.rounds for step in steps if isinstance(step, str)):
                session.run(step)
            session.close()
            self.hand_over(self.cassandra, self.helenus, table)

        self.each(way + "Helenus imports files of Cassandra", tables, take)
        self.each(way + "Helenus answers alike", tables, lambda table: self.check(self.helenus, table))
        if self.can_dump() and self.takes_its_time():
            self.each(way + "sstabledump is alike", tables, self.compare_tools, True)
        self.helenus.nodetool("upgradesstables", "-a", KEYSPACE)
        self.each(way + "Helenus answers alike when upgraded", tables, lambda table: self.check(self.helenus, table))
        self.helenus.compact(KEYSPACE)
        self.each(way + "Helenus answers alike when compacted", tables, lambda table: self.check(self.helenus, table))

    def can_dump(self):
        return not self.options.without_dump

    def takes_its_time(self):
        """A start of Cassandra's tool for every file, once more."""
        return self.options.all

    def run(self):
        if not self.options.only_from_cassandra:
            starting = self.workers.submit(self.cassandra.start)
            self.helenus.start()
            starting.result()
            self.say("both are up")
            self.from_helenus()
        for version in self.options.formats:
            # Another format needs another start; `da` is what it was started with.
            if version != "da" or self.options.only_from_cassandra:
                self.cassandra.stop()
                # In a folder of its own: a node that writes nb cannot read what a newer one has left.
                folder, old = self.folder / f"cassandra-{version}", self.cassandra
                self.cassandra = Cassandra(folder, old.port, old.storage_port)
                self.cassandra.start(*FORMATS[version])
            if self.helenus.process is None:
                self.helenus.start()
            self.from_cassandra(version)
            if version == "da" and not self.options.only_from_cassandra:
                self.verify_alone()

    def stop(self):
        for node in (self.helenus, self.cassandra):
            try:
                node.stop()
            except ToolFailed as problem:
                self.failures.append(str(problem))
        self.workers.shutdown(cancel_futures=True)


def why_not():
    """Why there is no Cassandra here, or nothing."""
    done = subprocess.run([str(ORACLE), "resolve"], capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1:] if done.returncode else []


def parser_of(description):
    """Options that both programs have."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("helenus", type=pathlib.Path, help="the binary")
    seed = os.environ.get("JUDGE_SEED") or int.from_bytes(os.urandom(3), "big")
    parser.add_argument("--seed", type=int, default=int(seed))
    parser.add_argument("--only", type=lambda names: names.split(","), default=[], help="names of tables")
    parser.add_argument("--formats", type=lambda names: names.split(","), help="formats that Cassandra writes")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder to work in, which stays")
    for port in ("helenus", "admin", "cassandra", "storage"):
        parser.add_argument(f"--{port}-port", type=int)
    return parser


def arguments():
    parser = parser_of(__doc__)
    parser.add_argument("--all", action="store_true", default=os.environ.get("HELENUS_JUDGE_ALL") == "1", help="files of oa and nb too, written live")
    parser.add_argument("--only-from-cassandra", action="store_true")
    parser.add_argument("--without-dump", action="store_true", help="do not compare the dumps of files")
    options = parser.parse_args()
    options.formats = options.formats or (list(FORMATS) if options.all else ["da"])
    return options


def run(kind, options):
    """Runs a Judge of this kind in a folder that is left only if something failed, and ends the program."""
    reason = why_not()
    if reason:
        print(f"skipped: there is no Cassandra: {reason[0]}")
        sys.exit(SKIPPED)
    print(f"seed {options.seed}, formats of Cassandra: {', '.join(options.formats)}", flush=True)
    folder = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="helenus-judge-"))
    folder.mkdir(parents=True, exist_ok=True)
    judge = kind(options, folder.resolve())
    try:
        judge.run()
    except (Difference, ToolFailed, CqlError) as problem:
        judge.failures.append(str(problem))
        print(problem)
    finally:
        judge.stop()
        if not options.keep and not judge.failures:
            shutil.rmtree(folder, ignore_errors=True)
    for failure in judge.failures:
        print(f"FAILED {failure.splitlines()[0]}")
    kept = f"; files are left in {folder}, seed {options.seed}" if judge.failures else ""
    print(f"{judge.passed} passed, {len(judge.failures)} failed in {time.monotonic() - judge.started:.0f} s{kept}")
    sys.exit(1 if judge.failures else 0)


if __name__ == "__main__":
    run(Judge, arguments())
