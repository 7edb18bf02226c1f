#!/usr/bin/env python3
"""Makes a set of SSTables with their expected rows from a running Apache Cassandra 5.0.

The node decides the format: `sstable.selected_format: bti` with `storage_compatibility_mode: NONE` writes `da`,
`big` with NONE writes `oa`, CASSANDRA_4 writes `nb`. `flush_compression: table` lets the tables' own compressors be used.
The keyspace is dropped first. Each table gets a folder <out>/<version>/<table>/ with its SSTables (one for each flush),
`schema.cql`, and for each SSTable `rows-<version>-<id>-<format>.jsonl`: what `sstabledump -l -t` prints, one partition
a line, less the fields that hang on the tool or the clock.

    make.py --port 9042 --data /var/lib/cassandra/data --out /tmp/made
    SSTABLE_FIXTURES=/tmp/made cargo test -p sstable all_of_a_given_folder -- --ignored --nocapture

Needs the package cassandra-driver, and `nodetool` and `sstabledump` of the node's Cassandra. The values come from a seed;
times of the server (counters, TTLs, views) do not, so two runs differ in them.
"""
import argparse
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

T = 1_700_000_000_000_000
QUIET = "compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}"
SCALARS = {
    'ascii': ["''", "'a'", "'~ b'"],
    'bigint': ['0', '-1', '63', '64', '-65', '9223372036854775807', '-9223372036854775808'],
    'blob': ['0x', '0x00', '0x0000', '0x000033', '0x2200', '0xff', '0xfffe00ff'],
    'boolean': ['true', 'false'],
    'date': ["'1970-01-01'", "'1969-12-31'", "'9999-12-31'"],
    'decimal': ['0', '1.10', '-0.01', '-99.9', '8.1e-2000', '-8.1e300'],
    'double': ['0.0', '-0.0', '-1.5', '1e300', 'Infinity'],
    'duration': ['1mo2d3ns', '-1y2mo', '0s'],
    'float': ['0.0', '-0.0', '1.5', '-1.5'],
    'inet': ["'127.0.0.1'", "'::1'"],
    'int': ['0', '-1', '2147483647', '-2147483648'],
    'smallint': ['0', '-1', '32767', '-32768'],
    'text': ["''", "'a'", "'aa'", "'b'", "'it''s'", "'\u4f60\u597d'"],
    'time': ["'00:00:00'", "'23:59:59.999999999'"],
    'timestamp': ['0', '-1', '1700000000000'],
    'timeuuid': ['50554d6e-29bb-11e5-b345-feff819cdc9f', '00000000-0000-1000-8080-808080808080'],
    'tinyint': ['0', '-1', '127', '-128'],
    'uuid': ['cc520882-9507-44fb-8fc9-b349ecdee658', '50554d6e-29bb-11e5-b345-feff819cdc9f'],
    'varint': ['0', '127', '-129', str(2**63), str(-2**64), str(2**500)],
}


def tables(rng):
    """Name, columns and options, and the statements of each flush."""
    yield from native()
    yield from clusterings(rng)
    yield from shapes(rng)
    yield from deletions(rng)
    yield from stored(rng)


def native():
    columns = ', '.join(f'v_{name} {name}' for name in SCALARS)
    names = ', '.join(f'v_{name}' for name in SCALARS)
    rows = []
    for i in range(8):
        values = ', '.join(of[i % len(of)] for of in SCALARS.values())
        rows.append(f'INSERT INTO native (k, {names}) VALUES ({i}, {values}) USING TIMESTAMP {T + i}')
    yield 'native', f'k int PRIMARY KEY, {columns}', '', [rows]


def clusterings(rng):
    """One type each as ascending and descending clustering column, wide enough for a row index."""
    for name, values in SCALARS.items():
        if name == 'duration':
            continue
        rows = []
        for a in values:
            for b in values:
                for i in range(3):
                    text = rng.choice('xyz') * 90
                    rows.append(f'INSERT INTO ck_{name} (k, a, b, c, v) VALUES (1, {a}, {b}, {i}, \'{text}\') '
                                f'USING TIMESTAMP {T}')
        rows.append(f'DELETE FROM ck_{name} USING TIMESTAMP {T + 1} WHERE k = 1 AND a > {values[0]}')
        rows.append(f'DELETE FROM ck_{name} USING TIMESTAMP {T - 1} WHERE k = 1 AND a <= {values[0]}')
        columns = f'k int, a {name}, b {name}, c int, v text, PRIMARY KEY (k, a, b, c)'
        yield f'ck_{name}', columns, 'CLUSTERING ORDER BY (a ASC, b DESC, c ASC) AND ', [rows]


def shapes(rng):
    rows = [f"INSERT INTO statics (k, s, c, v) VALUES ({k}, 's{k}', {c}, {c}) USING TIMESTAMP {T}"
            for k in range(20) for c in range(k % 3)]
    rows += [f"UPDATE statics USING TIMESTAMP {T} SET s = 'alone' WHERE k = {k}" for k in range(20, 25)]
    yield 'statics', 'k int, s text static, c int, v int, PRIMARY KEY (k, c)', '', [rows]
    rows = [f'UPDATE counters SET n = n + {k * 7} WHERE k = {k} AND c = {c}' for k in range(5) for c in range(3)]
    yield 'counters', 'k int, c int, n counter, PRIMARY KEY (k, c)', '', [rows + rows[:4]]
    rows = [f"INSERT INTO multi (k, c, l, s, m) VALUES ({k}, {c}, [1, {c}], {{'a', 'b{c}'}}, {{{c}: 'x', 9: 'y'}}) "
            f'USING TIMESTAMP {T}' for k in range(4) for c in range(4)]
    rows += [f"UPDATE multi USING TIMESTAMP {T + 5} SET s = s - {{'a'}}, m[7] = 'late' WHERE k = 1 AND c = 1",
             f'DELETE m[9], l FROM multi USING TIMESTAMP {T + 6} WHERE k = 2 AND c = 2']
    yield ('multi', 'k int, c int, l list<int>, s set<text>, m map<int, text>, PRIMARY KEY (k, c)', '', [rows])
    names = [f'v{i:03}' for i in range(65)]
    rows = []
    for k in range(12):
        some = rng.sample(names, rng.choice([1, 31, 32, 33, 64, 65]))
        rows.append(f"INSERT INTO cols65 (k, {', '.join(some)}) VALUES ({k}, {', '.join(['1'] * len(some))}) "
                    f'USING TIMESTAMP {T}')
    yield 'cols65', 'k int PRIMARY KEY, ' + ', '.join(f'{name} int' for name in names), '', [rows]
    rows = [f"INSERT INTO many (k, v) VALUES ('key{rng.getrandbits(40)}', {i}) USING TIMESTAMP {T}" for i in range(1500)]
    yield 'many', 'k text PRIMARY KEY, v int', '', [rows]


def deletions(rng):
    rows = [f'INSERT INTO tombs (k, c, d, v) VALUES (1, {c}, {d}, 1) USING TIMESTAMP {T}'
            for c in range(10) for d in range(4)]
    bounds = ['c >= 2 AND c < 4', 'c > 4 AND c <= 6', 'c = 7', 'c = 8 AND d > 1', '(c, d) >= (9, 2)']
    rows += [f'DELETE FROM tombs USING TIMESTAMP {T + i} WHERE k = 1 AND {bound}' for i, bound in enumerate(bounds)]
    rows += [f'DELETE FROM tombs USING TIMESTAMP {T} WHERE k = 2',
             f'DELETE FROM tombs USING TIMESTAMP {T + 9} WHERE k = 1 AND c = 0 AND d = 0',
             f'DELETE v FROM tombs USING TIMESTAMP {T + 9} WHERE k = 1 AND c = 0 AND d = 1']
    yield 'tombs', 'k int, c int, d int, v int, PRIMARY KEY (k, c, d)', '', [rows]
    rows = [f'INSERT INTO ttls (k, c, v) VALUES (1, {c}, {c}) USING TIMESTAMP {T} AND TTL {ttl}'
            for c, ttl in enumerate([1, 60, 100000, 300000000])]
    rows += [f'UPDATE ttls USING TIMESTAMP {T} AND TTL 5000 SET v = 1 WHERE k = 2 AND c = 1']
    yield 'ttls', 'k int, c int, v int, PRIMARY KEY (k, c)', '', [rows]
    text = 'r' * 400
    rows = [f"INSERT INTO wide_rt (k, c, v) VALUES ({k}, {c}, '{text}') USING TIMESTAMP {T}"
            for k in range(2) for c in range(300)]
    for _ in range(30):
        low = rng.randrange(300)
        rows.append(f'DELETE FROM wide_rt USING TIMESTAMP {T + rng.randint(-9, 9)} '
                    f'WHERE k = {rng.randrange(2)} AND c >= {low} AND c < {low + rng.choice([1, 20, 90])}')
    yield 'wide_rt', 'k int, c int, v text, PRIMARY KEY (k, c)', '', [rows]


def stored(rng):
    """Ways to store the same rows."""
    rows = [f"INSERT INTO %s (k, c, v) VALUES ({k}, {c}, '{rng.getrandbits(400):x}{'z' * 100}') USING TIMESTAMP {T}"
            for k in range(20) for c in range(10)]
    ways = {
        'comp_none': "compression = {'enabled': 'false'}",
        'comp_pad': "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': '4', 'min_compress_ratio': '2'}",
        'bf_1_0': 'bloom_filter_fp_chance = 1.0',
        'bf_0_001': 'bloom_filter_fp_chance = 0.001',
    }
    for name in ('Snappy', 'Deflate', 'Zstd', 'Noop'):
        ways[f'comp_{name.lower()}'] = f"compression = {{'class': '{name}Compressor'}}"
    for name, option in ways.items():
        yield name, 'k int, c int, v text, PRIMARY KEY (k, c)', option + ' AND ', [[row % name for row in rows]]
    rows = [f'INSERT INTO flushed (k, v) VALUES ({k}, {k}) USING TIMESTAMP {T}' for k in range(30)]
    yield 'flushed', 'k int PRIMARY KEY, v int', '', [rows[:20], rows[10:]]


def run(command, *arguments):
    done = subprocess.run([*shlex.split(command), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f'{command} {" ".join(arguments)} failed: {done.stderr.strip() or done.stdout.strip()}')
    return done.stdout


def expected(line):
    """A partition as the tool prints it, less what hangs on the tool or the clock."""
    def clean(value):
        if isinstance(value, dict):
            dropped = ('position', 'expired', 'table kind')
            return {name: clean(inner) for name, inner in value.items() if name not in dropped}
        if isinstance(value, list):
            return [clean(inner) for inner in value]
        return value
    # Numbers stay as they are written: floats of Python would round them.
    line = re.sub(r'\b(NaN|-?Infinity)\b(?=\s*[,}\]])', 'null', line)
    numbers = {}

    def keep(text):
        token = f'#{uuid.uuid5(uuid.NAMESPACE_OID, text)}'
        numbers[f'"{token}"'] = text
        return token
    cleaned = json.dumps(clean(json.loads(line, parse_float=keep)), ensure_ascii=False, separators=(',', ':'))
    for token, text in numbers.items():
        cleaned = cleaned.replace(token, text)
    return cleaned


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=9042, help='of CQL')
    parser.add_argument('--data', type=Path, required=True, help="the node's data directory")
    parser.add_argument('--out', type=Path, required=True, help='where the set is made')
    parser.add_argument('--nodetool', default='nodetool', help='the command')
    parser.add_argument('--sstabledump', default='sstabledump', help='the command')
    parser.add_argument('--keyspace', default='fixtures')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', help='these tables, separated by commas')
    parser.add_argument('--column-index-kib', type=int, default=1, help='for how many KiB a row index has an entry')
    arguments = parser.parse_args()
    from cassandra.cluster import Cluster
    session = Cluster([arguments.host], port=arguments.port).connect()
    session.default_timeout = 120
    keyspace = arguments.keyspace
    session.execute(f'DROP KEYSPACE IF EXISTS {keyspace}')
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    session.execute(f'USE {keyspace}')
    run(arguments.nodetool, 'setcolumnindexsize', str(arguments.column_index_kib))
    wanted = set(arguments.only.split(',')) if arguments.only else None
    made = []
    for name, columns, options, flushes in tables(random.Random(arguments.seed)):
        if wanted and name not in wanted:
            continue
        session.execute(f'CREATE TABLE {name} ({columns}) WITH {options}{QUIET}')
        for statements in flushes:
            for statement in statements:
                session.execute(statement)
            run(arguments.nodetool, 'flush', keyspace, name)
        made.append(name)
    run(arguments.nodetool, 'snapshot', '-t', 'fixture', keyspace)
    for number, name in enumerate(made, 1):
        print(f'[{number}/{len(made)}] {name}', flush=True)
        collect(arguments, name)


def collect(arguments, name):
    folders = list((arguments.data / arguments.keyspace).glob(f'{name}-*/snapshots/fixture'))
    if len(folders) != 1:
        sys.exit(f'{len(folders)} snapshots of {name} instead of one')
    files = sorted(path for path in folders[0].iterdir() if path.is_file())
    for data in [path for path in files if path.name.endswith('-Data.db')]:
        prefix = data.name.removesuffix('Data.db')
        out = arguments.out / prefix.split('-')[0] / name
        out.mkdir(parents=True, exist_ok=True)
        for path in files:
            if path.name.startswith(prefix) or path.name == 'schema.cql':
                shutil.copy(path, out / path.name)
        if name == 'counters':
            # The tool prints the first bytes of a counter's shards, not its total.
            continue
        lines = [line for line in run(arguments.sstabledump, str(data), '-l', '-t').splitlines() if line.startswith('{')]
        rows = ''.join(expected(line) + '\n' for line in lines)
        (out / f'rows-{prefix.rstrip("-")}.jsonl').write_text(rows, encoding='utf-8')


if __name__ == '__main__':
    main()
