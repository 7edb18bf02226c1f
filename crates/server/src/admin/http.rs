//! The admin port: HTTP on loopback, and on no other address.
//!
//! Read in order: [`AdminServer`], `answer` (which requests are let in), [`Lines`] (the answer as it comes).

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use runtime::{Listener, Runtime};
use tokio::sync::mpsc;

use super::execute::{Admin, Console};
use super::protocol::{Line, PATH, REQUEST_BYTES_MAX, Request};
use super::stream::HttpStream;

/// Connections at once; more are closed.
const CONNECTIONS_MAX: usize = 64;
/// Lines that wait for a client; the command waits then, too.
const LINES_MAX: usize = 64;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long accepting rests after an error: it is a lack of descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The admin port of a node. It listens as long as the process lives.
pub struct AdminServer {
    address: SocketAddr,
}

impl AdminServer {
    /// Listens on a port of 127.0.0.1. Must be called on a shard's thread.
    pub fn start(runtime: &Runtime, port: u16, admin: Arc<Admin>) -> io::Result<AdminServer> {
        let listener = runtime.listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))?;
        let address = listener.local_addr();
        runtime.spawn_local(accept_all(runtime.clone(), listener, admin));
        Ok(AdminServer { address })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// Counts connections while they last.
struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

async fn accept_all(runtime: Runtime, listener: Listener, admin: Arc<Admin>) {
    let count = Rc::new(Cell::new(0));
    loop {
        match listener.accept().await {
            Ok(stream) => {
                if count.get() >= CONNECTIONS_MAX {
                    tracing::warn!("an admin connection was refused: there are {CONNECTIONS_MAX}");
                    continue;
                }
                count.set(count.get() + 1);
                let counted = Counted(count.clone());
                runtime.spawn_local(serve(runtime.clone(), HttpStream::new(stream), admin.clone(), counted));
            }
            Err(error) => {
                tracing::warn!("an admin connection could not be accepted: {error}");
                runtime.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, one request: a connection that idles holds nothing up for long.
async fn serve(runtime: Runtime, stream: HttpStream, admin: Arc<Admin>, _counted: Counted) {
    let has_begun = Rc::new(Cell::new(false));
    let begun = has_begun.clone();
    let for_requests = runtime.clone();
    let service = service_fn(move |request| {
        begun.set(true);
        answer(for_requests.clone(), request, admin.clone())
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new()
            .keep_alive(false)
            .half_close(true)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(stream, service)
    );
    let head = runtime.timeout(REQUEST_TIMEOUT, connection.as_mut()).await;
    let ended = match head {
        Ok(ended) => ended,
        Err(_) if has_begun.get() => connection.await,
        // Nothing came.
        Err(_) => return,
    };
    if let Err(error) = ended {
        tracing::debug!("an admin connection ended: {error}");
    }
}

/// The lines of an answer, as they come.
pub enum Lines {
    /// Of a command.
    Stream(mpsc::Receiver<Line>),
    /// One text.
    Text(Option<Bytes>),
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Lines::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Lines::Stream(lines) => lines.poll_recv(cx).map(|line| {
                let mut text = serde_json::to_vec(&line?).unwrap_or_default();
                text.push(b'\n');
                Some(Ok(Frame::data(Bytes::from(text))))
            }),
        }
    }
}

fn refused(status: StatusCode, text: &str) -> Response<Lines> {
    let mut response = Response::new(Lines::Text(Some(Bytes::from(format!("{text}\n")))));
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("POST"));
    }
    response
}

/// True for names under which loopback is reached: another one means that a page in a browser was led here.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn answer(
    runtime: Runtime,
    request: hyper::Request<Incoming>,
    admin: Arc<Admin>,
) -> Result<Response<Lines>, Infallible> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if request.uri().path() != PATH {
        return Ok(refused(StatusCode::NOT_FOUND, "this is the admin port of Helenus: POST /nodetool"));
    }
    if request.method() != Method::POST {
        return Ok(refused(StatusCode::METHOD_NOT_ALLOWED, "POST /nodetool"));
    }
    if !header(HOST).is_some_and(is_loopback) || header(ORIGIN).is_some() {
        return Ok(refused(StatusCode::FORBIDDEN, "pages in a browser have no access"));
    }
    let is_json = header(CONTENT_TYPE).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    if !is_json {
        return Ok(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type must be application/json"));
    }
    let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect();
    let body = match runtime.timeout(REQUEST_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            let text = format!("the request could not be read: {error} (1 MiB at most)");
            return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE, &text));
        }
        Err(_) => return Ok(refused(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time")),
    };
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let text = format!("{error}; expected {{\"arguments\": [\"command\", ...]}}");
            return Ok(refused(StatusCode::BAD_REQUEST, &text));
        }
    };
    let (sender, lines) = mpsc::channel(LINES_MAX);
    runtime.spawn_local(async move { admin.run(&request.arguments, Console::new(sender)).await });
    Ok(Response::new(Lines::Stream(lines)))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_loopback_are_let_in() {
        for host in ["localhost", "localhost:7199", "127.0.0.1:7199", "127.1.2.3", "[::1]:7199", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example:7199", "10.0.0.1:7199", "[2001:db8::1]:7199"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
