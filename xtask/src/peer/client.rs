//! The connection: requests out, responses in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use wire::response::Decoded;
use wire::{FrameDecoder, FrameEncoder, Limits, QueryParams, Request, RequestBody, Response, Version};

/// Longer than any statement takes, a schema change on a busy machine included.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client with one connection.
pub struct Client {
    stream: TcpStream,
    encoder: FrameEncoder,
    decoder: FrameDecoder,
    input: BytesMut,
    /// The protocol version in use.
    pub version: Version,
}

impl Client {
    /// Connects with the newest version that the node accepts.
    pub fn connect(host: &str, port: u16) -> Result<Client, String> {
        Client::connect_with(host, port, Version::V5)
            .or_else(|_| Client::connect_with(host, port, Version::V4))
            .map_err(|problem| format!("{host}:{port}: {problem}"))
    }

    fn connect_with(host: &str, port: u16, version: Version) -> Result<Client, String> {
        let stream = TcpStream::connect((host, port)).map_err(text)?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        let mut client = Client {
            stream,
            encoder: FrameEncoder::new(),
            decoder: FrameDecoder::for_client(Limits { envelope_bytes_max: 256 << 20 }),
            input: BytesMut::new(),
            version,
        };
        let options = vec![("CQL_VERSION".into(), "3.0.0".into())];
        match client.ask(RequestBody::Startup(options))?.response {
            Response::Ready => {}
            Response::Authenticate(_) => return Err("the node wants a login".to_owned()),
            other => return Err(format!("STARTUP was answered with {other:?}")),
        }
        client.encoder.pin(version, None);
        client.decoder.pin(version, None);
        Ok(client)
    }

    /// Sends a statement as text.
    pub fn query(&mut self, statement: &str, params: QueryParams) -> Result<Decoded, String> {
        self.ask(RequestBody::Query { text: statement.into(), params })
    }

    /// Sends a statement that must work.
    pub fn must(&mut self, statement: &str) -> Result<(), String> {
        match self.query(statement, QueryParams::default())?.response {
            Response::Error(error) => Err(format!("{statement}: {}", error.message)),
            _ => Ok(()),
        }
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, body: RequestBody) -> Result<Decoded, String> {
        let mut envelope = Vec::new();
        Request::new(self.version, 1, body).encode(&mut envelope);
        let mut output = Vec::new();
        self.encoder.encode(&envelope, &mut output);
        self.stream.write_all(&output).map_err(text)?;
        loop {
            match self.decoder.next(&mut self.input) {
                Ok(Some(envelope)) => return Decoded::decode(envelope).map_err(text),
                Ok(None) => self.fill()?,
                Err(problem) => return Err(format!("the answer cannot be read: {problem:?}")),
            }
        }
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer).map_err(text)? {
            0 => Err("the node closed the connection".to_owned()),
            bytes => {
                self.input.extend_from_slice(&buffer[..bytes]);
                Ok(())
            }
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
