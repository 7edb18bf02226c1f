//! The storage engine of one node: shards with commit log, memtables, SSTables.
