//! Consistency levels.

use model::QueryError;

/// How many replicas must answer. The numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
#[expect(missing_docs, reason = "named as in Cassandra")]
pub enum Consistency {
    Any = 0,
    One = 1,
    Two = 2,
    Three = 3,
    Quorum = 4,
    All = 5,
    LocalQuorum = 6,
    EachQuorum = 7,
    Serial = 8,
    LocalSerial = 9,
    LocalOne = 10,
    NodeLocal = 11,
}

impl Consistency {
    /// The level of a protocol number.
    pub fn from_code(code: u16) -> Result<Consistency, QueryError> {
        use Consistency::*;
        const LEVELS: [Consistency; 12] = [
            Any,
            One,
            Two,
            Three,
            Quorum,
            All,
            LocalQuorum,
            EachQuorum,
            Serial,
            LocalSerial,
            LocalOne,
            NodeLocal,
        ];
        LEVELS
            .get(usize::from(code))
            .copied()
            .ok_or_else(|| QueryError::Protocol(format!("Unknown code {code} for a consistency level")))
    }

    /// True for SERIAL and LOCAL_SERIAL.
    pub fn is_serial(self) -> bool {
        matches!(self, Consistency::Serial | Consistency::LocalSerial)
    }

    /// True if only the coordinator's data centre counts.
    pub fn is_local(self) -> bool {
        matches!(self, Consistency::LocalQuorum | Consistency::LocalSerial | Consistency::LocalOne)
    }

    /// Replicas that must answer, of `replication_factor` in all and `local_factor` in the local data centre.
    pub fn required(self, replication_factor: usize, local_factor: usize) -> usize {
        match self {
            Consistency::Any | Consistency::One | Consistency::LocalOne | Consistency::NodeLocal => 1,
            Consistency::Two => 2,
            Consistency::Three => 3,
            Consistency::Quorum | Consistency::EachQuorum | Consistency::Serial => replication_factor / 2 + 1,
            Consistency::All => replication_factor,
            Consistency::LocalQuorum | Consistency::LocalSerial => local_factor / 2 + 1,
        }
    }

    /// Refuses levels that no read takes.
    pub fn check_read(self) -> Result<(), QueryError> {
        match self {
            Consistency::Any => Err(QueryError::invalid("ANY ConsistencyLevel is only supported for writes")),
            Consistency::NodeLocal => Err(node_local()),
            _ => Ok(()),
        }
    }

    /// Refuses levels that no plain write takes.
    pub fn check_write(self) -> Result<(), QueryError> {
        match self {
            Consistency::Serial | Consistency::LocalSerial => {
                Err(QueryError::invalid("You must use conditional updates for serializable writes"))
            }
            Consistency::NodeLocal => Err(node_local()),
            _ => Ok(()),
        }
    }

    /// Refuses levels that no conditional write commits at.
    pub fn check_cas_commit(self) -> Result<(), QueryError> {
        if self.is_serial() {
            return Err(QueryError::Invalid(format!(
                "{} is not supported as conditional update commit consistency. Use ANY if you mean \"make sure it is \
                 accepted but I don't care how many replicas commit it for non-SERIAL reads\"",
                model::error::consistency_name(self as u16)
            )));
        }
        Ok(())
    }
}

fn node_local() -> QueryError {
    QueryError::invalid(
        "NODE_LOCAL consistency level is highly dangerous and should be used only for debugging purposes",
    )
}
