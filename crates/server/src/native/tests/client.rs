//! A client made of `wire`'s client side.

use std::net::SocketAddr;

use bytes::BytesMut;
use runtime::{Runtime, Stream};
use wire::response::Decoded;
use wire::{
    Compression, ErrorBody, FrameDecoder, FrameEncoder, Limits, QueryParams, Request, RequestBody, Response,
    Version,
};

pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) version: Version,
    decoder: FrameDecoder,
    encoder: FrameEncoder,
    input: BytesMut,
}

pub(super) fn query(text: &str) -> RequestBody {
    RequestBody::Query { text: text.into(), params: QueryParams::default() }
}

impl Client {
    /// Connects, and says nothing yet.
    pub(super) async fn connect(runtime: &Runtime, address: SocketAddr) -> Client {
        Client {
            stream: runtime.connect(address).await.expect("somebody listens"),
            version: Version::V4,
            decoder: FrameDecoder::for_client(Limits::default()),
            encoder: FrameEncoder::new(),
            input: BytesMut::new(),
        }
    }

    /// Says STARTUP and hears READY.
    pub(super) async fn start(mut self, version: Version, compression: Option<Compression>) -> Client {
        self.version = version;
        let mut options = vec![("CQL_VERSION".into(), "3.0.0".into())];
        if let Some(compression) = compression {
            options.push(("COMPRESSION".into(), compression.to_string().into()));
        }
        self.send([(0, RequestBody::Startup(options))]).await;
        if !version.is_segmented() {
            self.decoder.pin(version, compression);
        }
        assert_eq!(self.receive().await, Some((0, Response::Ready)));
        self.decoder.pin(version, compression);
        self.encoder.pin(version, compression);
        self
    }

    /// Sends requests in one write.
    pub(super) async fn send(&mut self, requests: impl IntoIterator<Item = (i16, RequestBody)>) {
        let (mut envelopes, mut out) = (Vec::new(), Vec::new());
        for (stream, body) in requests {
            Request::new(self.version, stream, body).encode(&mut envelopes);
        }
        self.encoder.encode(&envelopes, &mut out);
        self.stream.write_all(&out).await.expect("the server reads");
    }

    /// The next response; `None` when the server has closed.
    pub(super) async fn receive(&mut self) -> Option<(i16, Response)> {
        loop {
            if let Some(envelope) = self.decoder.next(&mut self.input).expect("the server's bytes are good") {
                let Decoded { stream, response, .. } = Decoded::decode(envelope).expect("a response");
                return Some((stream, response));
            }
            match self.stream.read(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(super) async fn ask(&mut self, text: &str) -> Response {
        self.send([(1, query(text))]).await;
        let (stream, response) = self.receive().await.expect("an answer");
        assert_eq!(stream, 1);
        response
    }

    /// The error that comes next, and that nothing comes after it.
    pub(super) async fn last_words(&mut self) -> String {
        let error = self.receive_error().await;
        assert_eq!(self.receive().await, None);
        error
    }

    pub(super) async fn receive_error(&mut self) -> String {
        match self.receive().await {
            Some((_, Response::Error(ErrorBody { message, .. }))) => message,
            other => panic!("{other:?}"),
        }
    }
}
