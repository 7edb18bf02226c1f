//! A client of the native protocol, as small as it can be: one request at a time.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use runtime::{Runtime, Stream};
use wire::codec::Text;
use wire::response::Decoded;
use wire::{FrameDecoder, Limits, QueryParams, Request, RequestBody, Response, Version};

/// A connection that is ready for statements.
pub struct Client {
    stream: Stream,
    decoder: FrameDecoder,
    input: BytesMut,
}

impl Client {
    /// Connects and says STARTUP.
    pub async fn connect(runtime: &Runtime, address: SocketAddr) -> io::Result<Client> {
        let stream = runtime.connect(address).await?;
        let mut client =
            Client { stream, decoder: FrameDecoder::for_client(Limits::default()), input: BytesMut::new() };
        let options = vec![(text("CQL_VERSION")?, text("3.0.0")?)];
        match client.ask(RequestBody::Startup(options)).await? {
            Response::Ready => Ok(client),
            other => Err(io::Error::other(format!("STARTUP was answered {other:?}"))),
        }
    }

    /// Sends a statement and waits for its answer.
    pub async fn query(&mut self, statement: &str) -> io::Result<Response> {
        let body = RequestBody::Query { text: text(statement)?, params: QueryParams::default() };
        self.ask(body).await
    }

    async fn ask(&mut self, body: RequestBody) -> io::Result<Response> {
        let mut out = Vec::new();
        Request::new(Version::V4, 1, body).encode(&mut out);
        self.stream.write_all(&out).await?;
        loop {
            let envelope =
                self.decoder.next(&mut self.input).map_err(|error| io::Error::other(format!("{error:?}")))?;
            if let Some(envelope) = envelope {
                let decoded = Decoded::decode(envelope).map_err(io::Error::other)?;
                return Ok(decoded.response);
            }
            if self.stream.read(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn text(text: &str) -> io::Result<Text> {
    Text::new(Bytes::copy_from_slice(text.as_bytes())).map_err(io::Error::other)
}
