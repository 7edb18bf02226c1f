//! ERROR: a code, a text, and what belongs to the code; with what older versions get instead.
//!
//! Source: native protocol v5, "Error codes"; older versions as in `ErrorMessage.java`.

use std::net::IpAddr;

use model::QueryError;

use crate::codec::{self, Reader};
use crate::version::Version;

/// An error as it goes to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// What to tell the user.
    pub message: String,
    /// Which error, and its details.
    pub kind: ErrorKind,
}

/// The errors of the protocol. `consistency` is a level's number, `required` what the protocol calls blockfor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the protocol")]
pub enum ErrorKind {
    Server,
    Protocol,
    BadCredentials,
    Unavailable { consistency: u16, required: i32, alive: i32 },
    Overloaded,
    Bootstrapping,
    Truncate,
    WriteTimeout { consistency: u16, received: i32, required: i32, write_type: String, contentions: i32 },
    ReadTimeout { consistency: u16, received: i32, required: i32, data_present: bool },
    ReadFailure { consistency: u16, received: i32, required: i32, data_present: bool, failures: Failures },
    FunctionFailure { keyspace: String, name: String, arguments: Vec<String> },
    WriteFailure { consistency: u16, received: i32, required: i32, write_type: String, failures: Failures },
    CdcWriteFailure,
    CasWriteUnknown { consistency: u16, received: i32, required: i32 },
    Syntax,
    Unauthorized,
    Invalid,
    Config,
    AlreadyExists { keyspace: String, table: String },
    Unprepared { id: Vec<u8> },
}

/// Which replicas failed, and why: address and reason code. v4 tells only how many.
pub type Failures = Vec<(IpAddr, u16)>;

const CAS: &str = "CAS";

impl ErrorBody {
    /// An error that is only a text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> ErrorBody {
        ErrorBody { message: message.into(), kind }
    }

    /// The code that this version gets.
    pub fn code(&self, version: Version) -> i32 {
        match &self.kind {
            ErrorKind::Server => 0x0000,
            ErrorKind::Protocol => 0x000a,
            ErrorKind::BadCredentials => 0x0100,
            ErrorKind::Unavailable { .. } => 0x1000,
            ErrorKind::Overloaded => 0x1001,
            ErrorKind::Bootstrapping => 0x1002,
            ErrorKind::Truncate => 0x1003,
            ErrorKind::WriteTimeout { .. } => 0x1100,
            ErrorKind::CasWriteUnknown { .. } if version < Version::V5 => 0x1100,
            ErrorKind::WriteFailure { .. } if version < Version::V4 => 0x1100,
            ErrorKind::ReadTimeout { .. } => 0x1200,
            ErrorKind::ReadFailure { .. } if version < Version::V4 => 0x1200,
            ErrorKind::ReadFailure { .. } => 0x1300,
            ErrorKind::FunctionFailure { .. } if version < Version::V4 => 0x2200,
            ErrorKind::FunctionFailure { .. } => 0x1400,
            ErrorKind::WriteFailure { .. } => 0x1500,
            ErrorKind::CdcWriteFailure => 0x1600,
            ErrorKind::CasWriteUnknown { .. } => 0x1700,
            ErrorKind::Syntax => 0x2000,
            ErrorKind::Unauthorized => 0x2100,
            ErrorKind::Invalid => 0x2200,
            ErrorKind::Config => 0x2300,
            ErrorKind::AlreadyExists { .. } => 0x2400,
            ErrorKind::Unprepared { .. } => 0x2500,
        }
    }

    /// The text that this version gets.
    fn text(&self, version: Version) -> std::borrow::Cow<'_, str> {
        match &self.kind {
            ErrorKind::FunctionFailure { .. } if version < Version::V4 => {
                format!("ERROR FUNCTION_FAILURE: {}", self.message).into()
            }
            ErrorKind::ReadFailure { received, .. } | ErrorKind::WriteFailure { received, .. }
                if version < Version::V4 =>
            {
                format!("Operation timed out - received only {received} responses.").into()
            }
            ErrorKind::WriteTimeout { received, required, write_type, contentions, .. }
                if version >= Version::V5 && write_type == CAS =>
            {
                format!(
                    "CAS operation timed out: received {received} of {required} required responses after \
                     {contentions} contention retries"
                )
                .into()
            }
            _ => self.message.as_str().into(),
        }
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        codec::put_int(out, self.code(version));
        codec::put_string(out, &self.text(version));
        match &self.kind {
            ErrorKind::Unavailable { consistency, required, alive } => {
                put_responses(out, *consistency, *required, *alive);
            }
            ErrorKind::WriteTimeout { consistency, received, required, write_type, contentions } => {
                put_responses(out, *consistency, *received, *required);
                codec::put_string(out, write_type);
                if version >= Version::V5 && write_type == CAS {
                    codec::put_short(out, u16::try_from(*contentions).unwrap_or(u16::MAX));
                }
            }
            ErrorKind::ReadTimeout { consistency, received, required, data_present } => {
                put_responses(out, *consistency, *received, *required);
                codec::put_byte(out, u8::from(*data_present));
            }
            ErrorKind::ReadFailure { consistency, received, required, data_present, failures } => {
                put_responses(out, *consistency, *received, *required);
                put_failures(out, failures, version);
                codec::put_byte(out, u8::from(*data_present));
            }
            ErrorKind::WriteFailure { consistency, received, required, write_type, failures } => {
                put_responses(out, *consistency, *received, *required);
                put_failures(out, failures, version);
                codec::put_string(out, write_type);
            }
            ErrorKind::CasWriteUnknown { consistency, received, required } => {
                put_responses(out, *consistency, *received, *required);
                if version < Version::V5 {
                    codec::put_string(out, CAS);
                }
            }
            ErrorKind::FunctionFailure { keyspace, name, arguments } if version >= Version::V4 => {
                codec::put_string(out, keyspace);
                codec::put_string(out, name);
                codec::put_string_list(out, arguments);
            }
            ErrorKind::AlreadyExists { keyspace, table } => {
                codec::put_string(out, keyspace);
                codec::put_string(out, table);
            }
            ErrorKind::Unprepared { id } => codec::put_short_bytes(out, id),
            _ => {}
        }
    }

    pub(super) fn decode(reader: &mut Reader, version: Version) -> Result<ErrorBody, QueryError> {
        let code = reader.int()?;
        let message = reader.string()?.to_string();
        Ok(ErrorBody { message, kind: ErrorKind::decode(code, reader, version)? })
    }
}

impl ErrorKind {
    fn decode(code: i32, reader: &mut Reader, version: Version) -> Result<ErrorKind, QueryError> {
        Ok(match code {
            0x0000 => ErrorKind::Server,
            0x000a => ErrorKind::Protocol,
            0x0100 => ErrorKind::BadCredentials,
            0x1000 => ErrorKind::Unavailable {
                consistency: reader.short()?,
                required: reader.int()?,
                alive: reader.int()?,
            },
            0x1001 => ErrorKind::Overloaded,
            0x1002 => ErrorKind::Bootstrapping,
            0x1003 => ErrorKind::Truncate,
            0x1100 => {
                let (consistency, received, required) = responses(reader)?;
                let write_type = reader.string()?.to_string();
                let has_contentions = version >= Version::V5 && write_type == CAS;
                let contentions = if has_contentions { i32::from(reader.short()?) } else { 0 };
                ErrorKind::WriteTimeout { consistency, received, required, write_type, contentions }
            }
            0x1200 => {
                let (consistency, received, required) = responses(reader)?;
                ErrorKind::ReadTimeout { consistency, received, required, data_present: reader.byte()? != 0 }
            }
            0x1300 => {
                let (consistency, received, required) = responses(reader)?;
                let failures = failures(reader, version)?;
                let data_present = reader.byte()? != 0;
                ErrorKind::ReadFailure { consistency, received, required, data_present, failures }
            }
            0x1400 => ErrorKind::FunctionFailure {
                keyspace: reader.string()?.to_string(),
                name: reader.string()?.to_string(),
                arguments: reader.string_list()?.iter().map(|text| text.to_string()).collect(),
            },
            0x1500 => {
                let (consistency, received, required) = responses(reader)?;
                let failures = failures(reader, version)?;
                let write_type = reader.string()?.to_string();
                ErrorKind::WriteFailure { consistency, received, required, write_type, failures }
            }
            0x1600 => ErrorKind::CdcWriteFailure,
            0x1700 => {
                let (consistency, received, required) = responses(reader)?;
                ErrorKind::CasWriteUnknown { consistency, received, required }
            }
            0x2000 => ErrorKind::Syntax,
            0x2100 => ErrorKind::Unauthorized,
            0x2200 => ErrorKind::Invalid,
            0x2300 => ErrorKind::Config,
            0x2400 => ErrorKind::AlreadyExists {
                keyspace: reader.string()?.to_string(),
                table: reader.string()?.to_string(),
            },
            0x2500 => ErrorKind::Unprepared { id: reader.short_bytes()?.to_vec() },
            code => return Err(QueryError::Protocol(format!("Unknown error code {code}"))),
        })
    }
}

fn put_responses(out: &mut Vec<u8>, consistency: u16, first: i32, second: i32) {
    codec::put_short(out, consistency);
    codec::put_int(out, first);
    codec::put_int(out, second);
}

fn responses(reader: &mut Reader) -> Result<(u16, i32, i32), QueryError> {
    Ok((reader.short()?, reader.int()?, reader.int()?))
}

fn put_failures(out: &mut Vec<u8>, failures: &Failures, version: Version) {
    if version < Version::V4 {
        return;
    }
    codec::put_int(out, codec::int_of(failures.len()));
    if version >= Version::V5 {
        for (address, reason) in failures {
            codec::put_inet_address(out, *address);
            codec::put_short(out, *reason);
        }
    }
}

/// v4 tells only how many: they come back with the unspecified address and reason 0.
fn failures(reader: &mut Reader, version: Version) -> Result<Failures, QueryError> {
    let count = usize::try_from(reader.int()?).unwrap_or(0);
    if version < Version::V5 {
        let unknown = (IpAddr::from([0, 0, 0, 0]), 0);
        return Ok(vec![unknown; count.min(usize::from(u16::MAX))]);
    }
    let mut failures = Vec::with_capacity(count.min(reader.remaining() / 7));
    for _ in 0..count {
        failures.push((reader.inet_address()?, reader.short()?));
    }
    Ok(failures)
}
