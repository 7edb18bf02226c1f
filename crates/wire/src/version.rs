//! Protocol versions, opcodes and header flags.

use std::fmt;

/// Header flag: the body is compressed (v3, v4; ignored from v5 on, where segments are).
pub const FLAG_COMPRESSED: u8 = 0x01;
/// Header flag: trace this request; in a response, the body begins with the trace's uuid.
pub const FLAG_TRACING: u8 = 0x02;
/// Header flag: the body holds a custom payload (v4 and later).
pub const FLAG_CUSTOM_PAYLOAD: u8 = 0x04;
/// Header flag of responses: the body holds warnings (v4 and later).
pub const FLAG_WARNING: u8 = 0x08;
/// Header flag: the client knows that this version is a beta.
pub const FLAG_USE_BETA: u8 = 0x10;

/// A protocol version that we speak. Later ones compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Version {
    /// Cassandra 2.1 and later.
    V3 = 3,
    /// Cassandra 2.2 and later: smallint, tinyint, date, time, unset values, warnings, custom payloads.
    V4 = 4,
    /// Cassandra 4.0 and later: checksummed segments, duration, per-request keyspace, metadata ids.
    V5 = 5,
    /// Beta; on the wire as v5, with [`FLAG_USE_BETA`] in every envelope.
    V6 = 6,
}

impl Version {
    /// The version of a header's version byte (without the direction bit).
    pub fn from_number(number: u8) -> Option<Version> {
        match number {
            3 => Some(Version::V3),
            4 => Some(Version::V4),
            5 => Some(Version::V5),
            6 => Some(Version::V6),
            _ => None,
        }
    }

    /// The version's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// True if envelopes travel in checksummed segments once STARTUP is answered.
    pub fn is_segmented(self) -> bool {
        self >= Version::V5
    }

    /// True if every envelope must carry [`FLAG_USE_BETA`].
    pub fn is_beta(self) -> bool {
        self == Version::V6
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beta = if self.is_beta() { "-beta" } else { "" };
        write!(f, "{0}/v{0}{beta}", self.number())
    }
}

macro_rules! opcodes {
    ($($number:literal $variant:ident $name:literal $response:literal,)*) => {
        /// What an envelope is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "named as in the protocol")]
        pub enum Opcode { $($variant = $number,)* }

        impl Opcode {
            /// The opcode of a header's opcode byte.
            pub fn from_number(number: u8) -> Option<Opcode> {
                match number { $($number => Some(Opcode::$variant),)* _ => None }
            }

            /// Its name in Cassandra's messages.
            pub fn name(self) -> &'static str {
                match self { $(Opcode::$variant => $name,)* }
            }

            /// True if a server sends it.
            pub fn is_response(self) -> bool {
                match self { $(Opcode::$variant => $response,)* }
            }
        }
    };
}

opcodes! {
    0x00 Error "ERROR" true,
    0x01 Startup "STARTUP" false,
    0x02 Ready "READY" true,
    0x03 Authenticate "AUTHENTICATE" true,
    0x04 Credentials "CREDENTIALS" false,
    0x05 Options "OPTIONS" false,
    0x06 Supported "SUPPORTED" true,
    0x07 Query "QUERY" false,
    0x08 Result "RESULT" true,
    0x09 Prepare "PREPARE" false,
    0x0a Execute "EXECUTE" false,
    0x0b Register "REGISTER" false,
    0x0c Event "EVENT" true,
    0x0d Batch "BATCH" false,
    0x0e AuthChallenge "AUTH_CHALLENGE" true,
    0x0f AuthResponse "AUTH_RESPONSE" false,
    0x10 AuthSuccess "AUTH_SUCCESS" true,
}
