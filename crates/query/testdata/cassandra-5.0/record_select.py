#!/usr/bin/env python3
"""Asks a running Cassandra 5.0 every statement of a conversation file and writes its answers into it.

usage: record_select.py HOST PORT FILE...      (needs the package cassandra-driver)

A statement is a line `> ...`; what follows it up to the next one is the answer: OK or the error's code and text,
warnings, then for rows the columns with their types and the values. Values are shown as select/tests/shown.rs shows
them: numbers, times and decimals as they are stored, floats by their bits, what is not text in hex.
"""
import struct
import sys
import uuid

from cassandra import protocol
from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy


class Refused(Exception):
    """An ERROR frame as it came."""


def as_it_came(self):
    return Refused(self.code, self.message)


for kind in [protocol.ErrorMessage] + list(protocol.error_classes.values()):
    kind.to_exception = as_it_came


class RawResult(protocol.ResultMessage):
    """Rows as bytes."""

    def recv_results_rows(self, f, protocol_version, user_type_map, result_metadata, column_encryption_policy):
        self.recv_results_metadata(f, user_type_map)
        metadata = self.column_metadata or result_metadata
        count = protocol.read_int(f)
        self.parsed_rows = [self.recv_row(f, len(metadata)) for _ in range(count)]
        self.column_names = [column[2] for column in metadata]
        self.column_types = [column[3] for column in metadata]


class RawProtocol(protocol.ProtocolHandler):
    """Does not decode values."""
    message_types_by_opcode = {**protocol.ProtocolHandler.message_types_by_opcode, RawResult.opcode: RawResult}


def vint(data):
    first = data[0]
    extra = 0
    while extra < 8 and first & (0x80 >> extra):
        extra += 1
    value = first & (0xff >> extra) if extra < 8 else 0
    for byte in data[1:1 + extra]:
        value = value << 8 | byte
    return value, data[1 + extra:]


def parts(data, count):
    for _ in range(count):
        if not data:
            yield None
            continue
        (length,), data = struct.unpack('>i', data[:4]), data[4:]
        if length < 0:
            yield None
            continue
        yield data[:length]
        data = data[length:]


SHORT = {'Int32Type': 'int', 'LongType': 'bigint', 'ShortType': 'smallint', 'ByteType': 'tinyint',
         'UTF8Type': 'text', 'VarcharType': 'text', 'AsciiType': 'ascii', 'BytesType': 'blob', 'BooleanType': 'boolean',
         'CounterColumnType': 'counter', 'DateType': 'timestamp', 'TimestampType': 'timestamp',
         'SimpleDateType': 'date', 'TimeType': 'time', 'DecimalType': 'decimal', 'DoubleType': 'double',
         'FloatType': 'float', 'DurationType': 'duration', 'InetAddressType': 'inet', 'TimeUUIDType': 'timeuuid',
         'UUIDType': 'uuid', 'IntegerType': 'varint'}
INTEGERS = {'Int32Type', 'LongType', 'ShortType', 'ByteType', 'CounterColumnType', 'DateType', 'TimestampType',
            'TimeType', 'IntegerType'}


def kind(cass_type):
    name = cass_type.__name__.split('(')[0]
    for known in ('ListType', 'SetType', 'MapType', 'TupleType', 'UserType', 'VectorType'):
        if issubclass(cass_type, getattr(__import__('cassandra.cqltypes').cqltypes, known)):
            return 'UserType' if hasattr(cass_type, 'fieldnames') and cass_type.fieldnames else known
    return name


def type_name(cass_type):
    name = kind(cass_type)
    if name in SHORT:
        return SHORT[name]
    if name == 'UserType':
        return cass_type.typename
    if name == 'VectorType':
        return 'vector<%s, %d>' % (type_name(cass_type.subtype), cass_type.vector_size)
    inner = ', '.join(type_name(sub) for sub in cass_type.subtypes)
    return '%s<%s>' % (name[:-4].lower(), inner)


def shown(cass_type, data):
    if data is None:
        return 'null'
    name = kind(cass_type)
    if name in ('UTF8Type', 'VarcharType', 'AsciiType'):
        return "'" + data.decode() + "'"
    if name in ('ListType', 'SetType'):
        element = cass_type.subtypes[0]
        items = [shown(element, part) for part in parts(data[4:], struct.unpack('>i', data[:4])[0])]
        return ('[%s]' if name == 'ListType' else '{%s}') % ', '.join(items)
    if name == 'MapType':
        flat = list(parts(data[4:], 2 * struct.unpack('>i', data[:4])[0]))
        pairs = zip(flat[::2], flat[1::2])
        return '{%s}' % ', '.join(shown(cass_type.subtypes[0], k) + ': ' + shown(cass_type.subtypes[1], v)
                                  for k, v in pairs)
    if name in ('TupleType', 'UserType'):
        types = cass_type.subtypes
        return '(%s)' % ', '.join(shown(t, part) for t, part in zip(types, parts(data, len(types))))
    if not data:
        return 'empty'
    if name in INTEGERS:
        return str(int.from_bytes(data, 'big', signed=True))
    if name == 'SimpleDateType':
        return str(int.from_bytes(data, 'big') - (1 << 31))
    if name == 'BooleanType':
        return 'true' if data[0] else 'false'
    if name == 'DecimalType':
        return '%de%d' % (int.from_bytes(data[4:], 'big', signed=True), -struct.unpack('>i', data[:4])[0])
    if name in ('TimeUUIDType', 'UUIDType'):
        return str(uuid.UUID(bytes=data))
    if name == 'DurationType':
        out, rest = [], data
        for _ in range(3):
            raw, rest = vint(rest)
            out.append(str(raw >> 1 ^ -(raw & 1)))
        return '/'.join(out)
    return '0x' + data.hex()


def ask(session, statement):
    future = session.execute_async(statement)
    try:
        rows = list(future.result())
    except Refused as refused:
        code, message = refused.args
        return ['%04X %s' % (code, message.replace('\n', '\\n'))]
    lines = ['OK']
    lines += ['warning: ' + warning for warning in future.warnings or []]
    if future._col_names is not None:
        types = future._col_types
        lines.append('columns: ' + ' | '.join('%s %s' % (name, type_name(ty))
                                              for name, ty in zip(future._col_names, types)))
        for row in rows:
            lines.append('row: ' + ' | '.join(shown(ty, value) for ty, value in zip(types, row)))
    return lines


def main():
    host, port, *files = sys.argv[1:]
    profile = ExecutionProfile(retry_policy=FallthroughRetryPolicy(), row_factory=lambda names, rows: rows)
    cluster = Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      schema_metadata_enabled=False, token_metadata_enabled=False)
    for path in files:
        session = cluster.connect()  # nothing in use
        session.default_fetch_size = None
        session.client_protocol_handler = RawProtocol
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
