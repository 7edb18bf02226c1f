//! One connection before the load begins: handshake, statements, preparing. Blocks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wire::codec::Text;
use wire::response::{Decoded, Prepared};
use wire::{
    Envelope, FrameDecoder, FrameEncoder, Limits, QueryParams, Request, RequestBody, Response, Version,
};

use crate::{LoadArguments, Outcome};

/// How long a schema change may take on a server that is busy starting.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that has said STARTUP.
pub struct Client {
    pub stream: TcpStream,
    pub version: Version,
    pub encoder: FrameEncoder,
    pub decoder: FrameDecoder,
    pub input: BytesMut,
}

/// A prepared statement: its id, and (v5) that of its result.
#[derive(Clone, Debug)]
pub struct Statement {
    pub id: Bytes,
    pub result_id: Bytes,
}

impl Client {
    /// Connects and shakes hands.
    pub fn connect(address: SocketAddr, version: Version) -> Outcome<Client> {
        let stream =
            TcpStream::connect(address).map_err(|error| format!("connecting to {address}: {error}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(ANSWER_TIMEOUT)))
            .map_err(text)?;
        let mut client = Client {
            stream,
            version,
            encoder: FrameEncoder::new(),
            decoder: FrameDecoder::for_client(Limits::default()),
            input: BytesMut::new(),
        };
        let options = vec![(text_of("CQL_VERSION"), text_of("3.0.0"))];
        match client.ask(RequestBody::Startup(options))?.response {
            Response::Ready => {}
            other => return Err(format!("STARTUP was answered with {other:?}")),
        }
        client.encoder.pin(version, None);
        client.decoder.pin(version, None);
        Ok(client)
    }

    /// Sends one request and waits for its answer.
    pub fn ask(&mut self, body: RequestBody) -> Outcome<Decoded> {
        Decoded::decode(self.exchange(body)?).map_err(|error| format!("{error:?}"))
    }

    /// Sends one request and waits for its answer, as it comes.
    pub fn exchange(&mut self, body: RequestBody) -> Outcome<Envelope> {
        let (mut envelope, mut out) = (Vec::new(), Vec::new());
        Request::new(self.version, 0, body).encode(&mut envelope);
        self.encoder.encode(&envelope, &mut out);
        self.stream.write_all(&out).map_err(text)?;
        loop {
            if let Some(envelope) = self.next()? {
                return Ok(envelope);
            }
            let mut bytes = [0; 64 << 10];
            match self.stream.read(&mut bytes).map_err(text)? {
                0 => return Err("the server has closed the connection".to_owned()),
                count => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The next answer among what was read.
    pub fn next(&mut self) -> Outcome<Option<Envelope>> {
        self.decoder.next(&mut self.input).map_err(|error| format!("{error:?}"))
    }

    /// Runs a statement.
    pub fn query(&mut self, cql: &str) -> Outcome<Decoded> {
        let answer = self.ask(RequestBody::Query { text: text_of(cql), params: QueryParams::default() })?;
        match answer.response {
            Response::Error(error) => Err(format!("{cql}: {error:?}")),
            _ => Ok(answer),
        }
    }

    /// Prepares a statement.
    pub fn prepare(&mut self, cql: &str) -> Outcome<Statement> {
        let answer = self.ask(RequestBody::Prepare { text: text_of(cql), keyspace: None })?;
        let result_id = answer.result_metadata_id.unwrap_or_default();
        match answer.response {
            Response::Prepared(prepared) => {
                let Prepared { id, .. } = *prepared;
                Ok(Statement { id, result_id })
            }
            other => Err(format!("PREPARE {cql} was answered with {other:?}")),
        }
    }
}

/// The table of the load: one key and five values.
pub fn create_table(address: SocketAddr, load: &LoadArguments) -> Outcome<()> {
    let mut client = Client::connect(address, load.version()?)?;
    client.query(
        "CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    )?;
    client.query(&format!(
        "CREATE TABLE IF NOT EXISTS bench.{} (k {} PRIMARY KEY, c0 blob, c1 blob, c2 blob, c3 blob, c4 blob)",
        table(load),
        load.key_type
    ))?;
    Ok(())
}

/// Name of the table of a load.
pub fn table(load: &LoadArguments) -> String {
    format!("usertable_{}", load.key_type)
}

fn text_of(words: &str) -> Text {
    Text::from(words)
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
