//! TCP by tokio: each socket is registered with the reactor of the shard thread that uses it.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::BytesMut;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::net::{Listener, ListenerKind, ReadHalf, ReadKind, Stream, WriteHalf, WriteKind};

/// How many connections may wait to be accepted.
const LISTEN_BACKLOG: i32 = 1024;

#[derive(Debug)]
pub(crate) struct RealListener {
    listener: TcpListener,
    local: SocketAddr,
}

impl RealListener {
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        let (stream, peer) = self.listener.accept().await?;
        let local = stream.local_addr().unwrap_or(self.local);
        wrap(stream, local, peer)
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

pub(crate) fn listen(addr: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT; a port in use is still refused.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    Ok(Listener(ListenerKind::Real(RealListener { listener, local })))
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Stream> {
    let stream = TcpStream::connect(addr).await?;
    let local = stream.local_addr()?;
    wrap(stream, local, addr)
}

pub(crate) fn detach(read: RealReadHalf, write: RealWriteHalf) -> io::Result<std::net::TcpStream> {
    let stream = read.half.reunite(write.half).map_err(|_| io::Error::other("halves of two streams"))?;
    stream.into_std()
}

pub(crate) fn attach(stream: std::net::TcpStream) -> io::Result<Stream> {
    let stream = TcpStream::from_std(stream)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    Ok(split(stream, local, peer))
}

fn wrap(stream: TcpStream, local: SocketAddr, peer: SocketAddr) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    // A peer that vanished without a word is noticed in the end.
    SockRef::from(&stream).set_keepalive(true)?;
    Ok(split(stream, local, peer))
}

fn split(stream: TcpStream, local: SocketAddr, peer: SocketAddr) -> Stream {
    let (read, write) = stream.into_split();
    Stream {
        read: ReadHalf(ReadKind::Real(RealReadHalf { half: read })),
        write: WriteHalf(WriteKind::Real(RealWriteHalf { half: write, local, peer })),
    }
}

#[derive(Debug)]
pub(crate) struct RealReadHalf {
    half: OwnedReadHalf,
}

impl RealReadHalf {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        // The future holds no state between polls, so a new one each time loses nothing.
        pin!(self.half.read_buf(buf)).poll(cx)
    }

    pub(crate) fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        Pin::new(&mut self.half).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
    }
}

#[derive(Debug)]
pub(crate) struct RealWriteHalf {
    half: OwnedWriteHalf,
    local: SocketAddr,
    peer: SocketAddr,
}

impl RealWriteHalf {
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.half).poll_write(cx, bytes)
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.half).poll_write_vectored(cx, pieces)
    }

    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        self.half.shutdown().await
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}
