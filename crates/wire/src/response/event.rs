//! EVENT, and the schema change that RESULT has the same body for.
//!
//! Source: native protocol v5, "EVENT"; v3 as in `Event.java`.

use std::net::SocketAddr;

use model::QueryError;

use crate::codec::{self, Reader};
use crate::version::Version;

/// What a client can register for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the protocol")]
pub enum EventKind {
    TopologyChange,
    StatusChange,
    SchemaChange,
}

impl EventKind {
    const ALL: [EventKind; 3] = [EventKind::TopologyChange, EventKind::StatusChange, EventKind::SchemaChange];

    /// The kind of a REGISTER entry; case does not matter.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::TopologyChange => "TOPOLOGY_CHANGE",
            EventKind::StatusChange => "STATUS_CHANGE",
            EventKind::SchemaChange => "SCHEMA_CHANGE",
        }
    }
}

/// Something that registered clients are told. Addresses are those of the native transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the protocol")]
pub enum Event {
    NewNode(SocketAddr),
    RemovedNode(SocketAddr),
    MovedNode(SocketAddr),
    Up(SocketAddr),
    Down(SocketAddr),
    Schema(SchemaChange),
}

/// A change of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What happened.
    pub kind: SchemaChangeKind,
    /// To what.
    pub target: SchemaTarget,
    /// Its keyspace, or the keyspace itself.
    pub keyspace: String,
}

/// What happened to a part of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the protocol")]
pub enum SchemaChangeKind {
    Created,
    Updated,
    Dropped,
}

/// What changed, and its name in its keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the protocol")]
pub enum SchemaTarget {
    Keyspace,
    Table(String),
    Type(String),
    /// Name and types of the arguments.
    Function(String, Vec<String>),
    /// Name and types of the arguments.
    Aggregate(String, Vec<String>),
}

impl Event {
    /// Which clients get it.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::NewNode(_) | Event::RemovedNode(_) | Event::MovedNode(_) => EventKind::TopologyChange,
            Event::Up(_) | Event::Down(_) => EventKind::StatusChange,
            Event::Schema(_) => EventKind::SchemaChange,
        }
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        codec::put_string(out, self.kind().name());
        match self {
            Event::NewNode(node) => put_node(out, "NEW_NODE", node),
            Event::RemovedNode(node) => put_node(out, "REMOVED_NODE", node),
            Event::MovedNode(node) => put_node(out, "MOVED_NODE", node),
            Event::Up(node) => put_node(out, "UP", node),
            Event::Down(node) => put_node(out, "DOWN", node),
            Event::Schema(change) => change.encode(version, out),
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Event, QueryError> {
        let name = reader.string()?;
        if EventKind::from_name(&name) == Some(EventKind::SchemaChange) {
            return SchemaChange::decode(reader).map(Event::Schema);
        }
        let change = reader.string()?;
        let address = reader.inet_address()?;
        let port = u16::try_from(reader.int()?)
            .map_err(|_| QueryError::Protocol("Invalid port in an event".to_string()))?;
        let node = SocketAddr::new(address, port);
        match change.as_str() {
            "NEW_NODE" => Ok(Event::NewNode(node)),
            "REMOVED_NODE" => Ok(Event::RemovedNode(node)),
            "MOVED_NODE" => Ok(Event::MovedNode(node)),
            "UP" => Ok(Event::Up(node)),
            "DOWN" => Ok(Event::Down(node)),
            other => Err(QueryError::Protocol(format!("Unknown event {name} {other}"))),
        }
    }
}

fn put_node(out: &mut Vec<u8>, change: &str, node: &SocketAddr) {
    codec::put_string(out, change);
    codec::put_inet_address(out, node.ip());
    codec::put_int(out, i32::from(node.port()));
}

impl SchemaChange {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let is_routine = matches!(self.target, SchemaTarget::Function(..) | SchemaTarget::Aggregate(..));
        if version < Version::V4 && is_routine {
            // v3 knows no functions: the keyspace changed, with the empty name that Cassandra sends too.
            codec::put_string(out, SchemaChangeKind::Updated.name());
            codec::put_string(out, "KEYSPACE");
            codec::put_string(out, &self.keyspace);
            codec::put_string(out, "");
            return;
        }
        codec::put_string(out, self.kind.name());
        codec::put_string(out, self.target.kind_name());
        codec::put_string(out, &self.keyspace);
        match &self.target {
            SchemaTarget::Keyspace => {}
            SchemaTarget::Table(name) | SchemaTarget::Type(name) => codec::put_string(out, name),
            SchemaTarget::Function(name, arguments) | SchemaTarget::Aggregate(name, arguments) => {
                codec::put_string(out, name);
                codec::put_string_list(out, arguments);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<SchemaChange, QueryError> {
        let kind = match reader.string()?.as_str() {
            "CREATED" => SchemaChangeKind::Created,
            "UPDATED" => SchemaChangeKind::Updated,
            "DROPPED" => SchemaChangeKind::Dropped,
            other => return Err(QueryError::Protocol(format!("Unknown schema change {other}"))),
        };
        let target = reader.string()?;
        let keyspace = reader.string()?.to_string();
        let target = match target.as_str() {
            "KEYSPACE" => SchemaTarget::Keyspace,
            "TABLE" => SchemaTarget::Table(reader.string()?.to_string()),
            "TYPE" => SchemaTarget::Type(reader.string()?.to_string()),
            "FUNCTION" => SchemaTarget::Function(reader.string()?.to_string(), argument_types(reader)?),
            "AGGREGATE" => SchemaTarget::Aggregate(reader.string()?.to_string(), argument_types(reader)?),
            other => return Err(QueryError::Protocol(format!("Unknown schema target {other}"))),
        };
        Ok(SchemaChange { kind, target, keyspace })
    }
}

fn argument_types(reader: &mut Reader) -> Result<Vec<String>, QueryError> {
    Ok(reader.string_list()?.iter().map(|text| text.to_string()).collect())
}

impl SchemaChangeKind {
    fn name(self) -> &'static str {
        match self {
            SchemaChangeKind::Created => "CREATED",
            SchemaChangeKind::Updated => "UPDATED",
            SchemaChangeKind::Dropped => "DROPPED",
        }
    }
}

impl SchemaTarget {
    fn kind_name(&self) -> &'static str {
        match self {
            SchemaTarget::Keyspace => "KEYSPACE",
            SchemaTarget::Table(_) => "TABLE",
            SchemaTarget::Type(_) => "TYPE",
            SchemaTarget::Function(..) => "FUNCTION",
            SchemaTarget::Aggregate(..) => "AGGREGATE",
        }
    }
}
