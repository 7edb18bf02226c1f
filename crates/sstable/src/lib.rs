//! SSTables: Cassandra's component files, read and written.
