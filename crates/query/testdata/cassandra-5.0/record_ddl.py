#!/usr/bin/env python3
"""Asks a running Cassandra 5.0 every statement of a conversation file and writes its answers into it.

usage: record_ddl.py HOST PORT FILE...      (needs the package cassandra-driver)

A statement is a line `> ...`; what follows it up to the next one is the answer: OK or the error's code and text,
warnings, rows. Ids and times of the server's own are replaced by <id> and <now>.
`record_ddl.py HOST PORT --system FILE` writes the DESCRIBE text of all system tables instead.
"""
import re
import sys

from cassandra import protocol
from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy
from cassandra.query import tuple_factory


class Refused(Exception):
    """An ERROR frame as it came."""


def as_it_came(self):
    return Refused(self.code, self.message)


for kind in [protocol.ErrorMessage] + list(protocol.error_classes.values()):
    kind.to_exception = as_it_came


def normalise(text):
    text = re.sub(r'ID = [0-9a-f-]{36}', 'ID = <id>', text)
    return re.sub(r'TIMESTAMP 1[78]\d{14}\b', 'TIMESTAMP <now>', text)


def ask(session, statement):
    future = session.execute_async(statement)
    try:
        rows = list(future.result())
    except Refused as refused:
        code, message = refused.args
        return ['%04X %s' % (code, message.replace('\n', '\\n'))]
    lines = ['OK']
    lines += ['warning: ' + warning for warning in future.warnings or []]
    for row in rows:
        lines.append('row: ' + ' | '.join(row[:3]))
        for text in row[3:]:
            lines += ['  ' + line for line in normalise(text).split('\n')]
    return lines


def main():
    host, port, *files = sys.argv[1:]
    profile = ExecutionProfile(retry_policy=FallthroughRetryPolicy(), row_factory=tuple_factory)
    cluster = Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      schema_metadata_enabled=False, token_metadata_enabled=False)
    session = cluster.connect()
    if files[0] == '--system':
        with open(files[1], 'w') as out:
            for keyspace, kind, name, text in session.execute('DESCRIBE FULL SCHEMA'):
                if keyspace.startswith('system') and kind != 'index':
                    out.write('> %s %s %s\n%s\n' % (kind, keyspace, name, text))
        return
    for path in files:
        session = cluster.connect()  # nothing in use
        with open(path) as file:
            lines = file.read().split('\n')
        out = []
        for line in lines:
            if line.startswith('#') or (not line and not out):
                out.append(line)
            elif line.startswith('> '):
                out.append(line)
                out += ask(session, line[2:])
        with open(path, 'w') as file:
            file.write('\n'.join(out) + '\n')
    cluster.shutdown()


main()
