//! From a request to an envelope: the client's side.

use super::params::encode_positional;
use super::{Request, RequestBody, StatementRef};
use crate::codec;
use crate::frame::header;
use crate::version::{FLAG_CUSTOM_PAYLOAD, FLAG_TRACING, Version};

impl Request {
    /// A request without tracing or payload.
    pub fn new(version: Version, stream: i16, body: RequestBody) -> Request {
        Request { version, stream, tracing: false, payload: Vec::new(), body }
    }

    /// Appends the request as an envelope.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = if self.tracing { FLAG_TRACING } else { 0 };
        if !self.payload.is_empty() {
            flags |= FLAG_CUSTOM_PAYLOAD;
        }
        let start = header::begin(out, self.version, false, flags, self.stream, self.body.opcode());
        if !self.payload.is_empty() {
            codec::put_count(out, self.payload.len());
            for (key, value) in &self.payload {
                codec::put_string(out, key);
                codec::put_bytes(out, value.as_deref());
            }
        }
        self.body.encode(self.version, out);
        header::finish(out, start);
    }
}

impl RequestBody {
    fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            RequestBody::Startup(options) => {
                codec::put_count(out, options.len());
                for (key, value) in options {
                    codec::put_string(out, key);
                    codec::put_string(out, value);
                }
            }
            RequestBody::AuthResponse(token) => codec::put_bytes(out, token.as_deref()),
            RequestBody::Options => {}
            RequestBody::Query { text, params } => {
                codec::put_long_string(out, text);
                params.encode(version, out);
            }
            RequestBody::Prepare { text, keyspace } => {
                codec::put_long_string(out, text);
                if version >= Version::V5 {
                    codec::put_int(out, i32::from(keyspace.is_some()));
                    if let Some(keyspace) = keyspace {
                        codec::put_string(out, keyspace);
                    }
                }
            }
            RequestBody::Execute { id, result_metadata_id, params } => {
                codec::put_short_bytes(out, id);
                if version >= Version::V5 {
                    codec::put_short_bytes(out, result_metadata_id.as_deref().unwrap_or_default());
                }
                params.encode(version, out);
            }
            RequestBody::Batch { kind, statements, params } => {
                codec::put_byte(out, *kind as u8);
                codec::put_count(out, statements.len());
                for (statement, values) in statements {
                    match statement {
                        StatementRef::Text(text) => {
                            codec::put_byte(out, 0);
                            codec::put_long_string(out, text);
                        }
                        StatementRef::Id(id) => {
                            codec::put_byte(out, 1);
                            codec::put_short_bytes(out, id);
                        }
                    }
                    encode_positional(values, out);
                }
                params.encode(version, out);
            }
            RequestBody::Register(events) => {
                codec::put_count(out, events.len());
                for event in events {
                    codec::put_string(out, event.name());
                }
            }
        }
    }
}
