//! Turns a read or a write into requests to replicas, by consistency level.
