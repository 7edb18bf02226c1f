//! Whom requests go to.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use model::QueryError;
use storage::Synced;
use wire::codec::Text;
use wire::response::ReplyTo;
use wire::{Extras, RequestBody, Response, Version};

use super::error;

/// Executes requests. One handler serves all connections of the node; each of its calls comes on the thread
/// of the connection, and must not block it.
pub trait RequestHandler: Send + Sync + 'static {
    /// What it remembers of a connection: the keyspace in use, who the client is.
    type Session: 'static;

    /// A client has said STARTUP.
    fn open(&self, client: ClientInfo) -> Rc<Self::Session>;

    /// These requests have arrived together and will be handed over one after the other: what they will need can be
    /// asked for now. Nothing may be executed.
    fn foresee(&self, requests: &mut dyn Iterator<Item = &RequestBody>) {
        let _ = requests;
    }

    /// Executes QUERY, PREPARE, EXECUTE or BATCH.
    ///
    /// A request that can be answered now is best written to the end of `out` ([`Handled::Written`]); what
    /// stands there already belongs to others. One that has to wait returns a future; the first poll of it
    /// comes when everything that had arrived has been handed over.
    ///
    /// A panic answers this request with a server error and touches nothing else.
    fn handle(
        &self,
        session: &Rc<Self::Session>,
        request: RequestBody,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Handled;

    /// The connection has ended. Futures of its requests are dropped.
    fn close(&self, session: &Rc<Self::Session>) {
        let _ = session;
    }
}

/// Who the client is.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// Its address.
    pub peer: SocketAddr,
    /// Protocol version of the connection.
    pub version: Version,
    /// STARTUP's options, as sent.
    pub options: Vec<(Text, Text)>,
}

/// What else there is to know of a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Version and stream of the answer.
    pub reply: ReplyTo,
    /// The client wants a trace.
    pub tracing: bool,
    /// Custom payload.
    pub payload: Vec<(Text, Option<Bytes>)>,
}

/// An answer, or the error that is one.
pub type Outcome = Result<Reply, QueryError>;

/// How far a request has come.
pub enum Handled {
    /// The answer stands at the end of the buffer: one whole envelope.
    Written,
    /// The answer is ready.
    Ready(Outcome),
    /// RESULT without anything, once this write is safe. Costs no future and no waker of its own: writes that one
    /// sync has made safe are answered together.
    Committing(Synced),
    /// The answer will come.
    Pending(Pin<Box<dyn Future<Output = Outcome>>>),
}

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// A message, to be encoded.
    Message(Response, Extras),
    /// One whole envelope, made for the request's [`ReplyTo`].
    Encoded(Vec<u8>),
}

impl Reply {
    /// RESULT without anything.
    pub fn void() -> Reply {
        Reply::from(Response::Void)
    }

    /// An error with a tracing id or warnings.
    pub fn failed(error: &QueryError, extras: Extras) -> Reply {
        Reply::Message(Response::Error(error::error_body(error)), extras)
    }

    /// The same answer with the id of its trace in front of the body.
    pub fn with_tracing_id(self, id: [u8; 16]) -> Reply {
        match self {
            Reply::Message(response, extras) => {
                Reply::Message(response, Extras { tracing_id: Some(id), ..extras })
            }
            Reply::Encoded(envelope) => {
                Reply::Encoded(wire::response::envelope::with_tracing_id(envelope, id))
            }
        }
    }

    /// Appends the answer as an envelope.
    pub fn append(&self, to: &ReplyTo, out: &mut Vec<u8>) {
        match self {
            Reply::Message(response, extras) => response.encode(to, extras, out),
            Reply::Encoded(envelope) => out.extend_from_slice(envelope),
        }
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply::Message(response, Extras::default())
    }
}
