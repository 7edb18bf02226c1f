"""Connecting as users do: default settings, every protocol version, what the driver learns of the node."""
import uuid

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import SimpleStatement, dict_factory, tuple_factory

from conftest import HOST, PORT, open_cluster


def test_default_settings_negotiate_the_newest_version():
    with Cluster([HOST], port=PORT) as cluster:
        session = cluster.connect()
        assert cluster.protocol_version == 5
        assert session.execute("SELECT key FROM system.local").one().key == "local"


def test_a_wrong_keyspace_is_refused_at_connect():
    with open_cluster() as cluster:
        with pytest.raises(NoHostAvailable, match="no_such_keyspace"):
            cluster.connect("no_such_keyspace")


def test_a_wrong_keyspace_is_refused_later(db):
    with pytest.raises(InvalidRequest, match="'no_such_keyspace' does not exist"):
        db.session.set_keyspace("no_such_keyspace")
    assert db.one("SELECT key FROM system.local") == ("local",)


def test_the_version_asked_for_is_spoken(db):
    assert db.cluster.protocol_version == db.version
    connection = db.cluster.control_connection._connection
    assert connection.protocol_version == db.version
    assert (connection.compressor is not None) == bool(db.variant.compression)
    if db.variant.compression:
        assert db.variant.compression in f"{connection.compressor.__module__} {connection.compressor.__name__}"


def test_the_driver_knows_the_node(db):
    metadata = db.cluster.metadata
    assert metadata.partitioner.endswith("Murmur3Partitioner")
    (host,) = metadata.all_hosts()
    assert host.is_up and host.datacenter == "datacenter1" and host.rack == "rack1"
    assert isinstance(host.host_id, uuid.UUID)
    assert tuple(int(part) for part in host.release_version.split("-")[0].split(".")[:2]) >= (4, 0)
    assert len(metadata.token_map.ring) == 16
    assert metadata.get_replicas(db.keyspace, b"some key") == [host]


def test_set_keyspace_and_use(db):
    assert db.session.keyspace == db.keyspace
    other = db.cluster.connect()
    other.set_keyspace("system")
    assert other.execute("SELECT key FROM local").one().key == "local"
    other.execute(f"USE {db.keyspace}")
    assert other.keyspace == db.keyspace
    other.shutdown()


def test_connect_with_a_keyspace(db):
    session = db.cluster.connect(db.keyspace)
    db.table("t", "k int PRIMARY KEY, v int")
    session.execute("INSERT INTO t (k, v) VALUES (1, 2)")
    assert session.execute("SELECT v FROM t WHERE k = 1").one().v == 2
    session.shutdown()


def test_many_requests_in_flight(db):
    db.table("busy", "k int PRIMARY KEY, v text")
    insert = db.session.prepare("INSERT INTO busy (k, v) VALUES (?, ?)")
    results = execute_concurrent_with_args(db.session, insert, [(k, f"value {k}") for k in range(1000)], concurrency=200)
    assert all(result.success for result in results)
    select = db.session.prepare("SELECT k, v FROM busy WHERE k = ?")
    futures = [db.session.execute_async(select, (k,)) for k in range(1000)]
    assert [tuple(future.result().one()) for future in futures] == [(k, f"value {k}") for k in range(1000)]


def test_callbacks(db):
    db.table("called", "k int PRIMARY KEY")
    db.execute("INSERT INTO called (k) VALUES (7)")
    future = db.session.execute_async("SELECT k FROM called")
    seen = []
    future.add_callbacks(lambda rows: seen.extend(row.k for row in rows), lambda error: seen.append(error))
    future.result()
    assert seen == [7]


def test_row_factories(db):
    db.table("rows", "k int PRIMARY KEY, v int")
    db.execute("INSERT INTO rows (k, v) VALUES (1, 2)")
    session = db.cluster.connect(db.keyspace)
    try:
        for factory, want in ((tuple_factory, (1, 2)), (dict_factory, {"k": 1, "v": 2})):
            profile = db.session.execution_profile_clone_update(
                db.cluster.profile_manager.default, row_factory=factory)
            assert session.execute("SELECT k, v FROM rows", execution_profile=profile).one() == want
    finally:
        session.shutdown()


@pytest.mark.parametrize("level", ["ANY", "ONE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE"])
def test_every_consistency_level_one_node_can_meet(db, level):
    if level == "ANY":
        db.table("levels", "k int PRIMARY KEY, v text")
    value = getattr(ConsistencyLevel, level)
    db.execute(SimpleStatement("INSERT INTO levels (k, v) VALUES (1, %s)", consistency_level=value), (level,))
    if level not in ("ANY", "EACH_QUORUM"):
        read = SimpleStatement("SELECT v FROM levels WHERE k = 1", consistency_level=value)
        assert db.one(read) == (level,)


def test_a_custom_payload_is_accepted(db):
    if db.version < 4:  # the driver refuses by itself
        with pytest.raises(NoHostAvailable, match="Custom key/value payloads"):
            db.execute("SELECT key FROM system.local", custom_payload={"trace": b"\x01"})
        return
    future = db.session.execute_async("SELECT key FROM system.local", custom_payload={"trace": b"\x01"})
    assert future.result().one().key == "local"
