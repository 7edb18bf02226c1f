//! Which protocol error a failure is: the one place where it is chosen.
//!
//! Source: native protocol v5, "Error codes". What older versions get instead is `wire`'s to know.

use model::QueryError;
use wire::{ErrorBody, ErrorKind};

/// The protocol's error for a failure.
pub fn error_body(error: &QueryError) -> ErrorBody {
    let kind = match error {
        QueryError::Server(_) => ErrorKind::Server,
        QueryError::Protocol(_) => ErrorKind::Protocol,
        QueryError::BadCredentials(_) => ErrorKind::BadCredentials,
        QueryError::Unavailable { consistency, required, alive } => {
            ErrorKind::Unavailable { consistency: *consistency, required: *required, alive: *alive }
        }
        QueryError::Overloaded(_) => ErrorKind::Overloaded,
        QueryError::Truncate(_) => ErrorKind::Truncate,
        QueryError::WriteTimeout { consistency, received, required, write_type, contentions } => {
            ErrorKind::WriteTimeout {
                consistency: *consistency,
                received: *received,
                required: *required,
                write_type: (*write_type).to_string(),
                contentions: *contentions,
            }
        }
        QueryError::ReadTimeout { consistency, received, required, data_present } => ErrorKind::ReadTimeout {
            consistency: *consistency,
            received: *received,
            required: *required,
            data_present: *data_present,
        },
        QueryError::ReadFailure { consistency, received, required, data_present, reasons } => {
            ErrorKind::ReadFailure {
                consistency: *consistency,
                received: *received,
                required: *required,
                data_present: *data_present,
                failures: reasons.clone(),
            }
        }
        QueryError::WriteFailure { consistency, received, required, write_type, reasons } => {
            ErrorKind::WriteFailure {
                consistency: *consistency,
                received: *received,
                required: *required,
                write_type: (*write_type).to_string(),
                failures: reasons.clone(),
            }
        }
        QueryError::Function { keyspace, name, arguments, .. } => ErrorKind::FunctionFailure {
            keyspace: keyspace.clone(),
            name: name.clone(),
            arguments: arguments.clone(),
        },
        QueryError::Syntax(_) => ErrorKind::Syntax,
        QueryError::Unauthorized(_) => ErrorKind::Unauthorized,
        QueryError::Invalid(_) => ErrorKind::Invalid,
        QueryError::Config(_) => ErrorKind::Config,
        QueryError::AlreadyExists { keyspace, table, .. } => {
            ErrorKind::AlreadyExists { keyspace: keyspace.clone(), table: table.clone() }
        }
        QueryError::Unprepared { id } => ErrorKind::Unprepared { id: id.to_vec() },
    };
    ErrorBody::new(kind, error.to_string())
}
