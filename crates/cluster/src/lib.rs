//! Membership, token ring, replication strategies.
