//! Network: listeners and streams of bytes, TCP on the real side, memory in the simulation.
//!
//! A stream belongs to the shard thread that accepted or connected it; [`Stream::detach`] takes it off
//! that thread and [`DetachedStream::attach`] puts it on another. Nagle's delay is always off.
//!
//! Read in order: [`Listener`], [`Stream`], [`ReadHalf`] and [`WriteHalf`].
//!
//! Never here: frames, TLS, protocols, limits on connections.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::{real, sim};

/// Takes in connections on one address.
#[derive(Debug)]
pub struct Listener(pub(crate) ListenerKind);

#[derive(Debug)]
pub(crate) enum ListenerKind {
    Real(real::RealListener),
    Sim(sim::SimListener),
}

impl Listener {
    /// The next connection. Cancel-safe. An error concerns one connection (or a lack of descriptors):
    /// wait a little and go on.
    pub async fn accept(&self) -> io::Result<Stream> {
        match &self.0 {
            ListenerKind::Real(listener) => listener.accept().await,
            ListenerKind::Sim(listener) => listener.accept().await,
        }
    }

    /// The address it listens on, with the port that was chosen if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            ListenerKind::Real(listener) => listener.local_addr(),
            ListenerKind::Sim(listener) => listener.local_addr(),
        }
    }
}

/// A connection: bytes in both directions. Dropping it closes both.
#[derive(Debug)]
pub struct Stream {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
}

/// A connection that is bound to no thread.
#[derive(Debug)]
pub struct DetachedStream(pub(crate) DetachedKind);

#[derive(Debug)]
pub(crate) enum DetachedKind {
    Real(std::net::TcpStream),
    Sim(Box<Stream>),
}

/// The half that reads.
#[derive(Debug)]
pub struct ReadHalf(pub(crate) ReadKind);

#[derive(Debug)]
pub(crate) enum ReadKind {
    Real(real::RealReadHalf),
    Sim(sim::SimReadHalf),
}

/// The half that writes. Dropping it ends the stream for the other side.
#[derive(Debug)]
pub struct WriteHalf(pub(crate) WriteKind);

#[derive(Debug)]
pub(crate) enum WriteKind {
    Real(real::RealWriteHalf),
    Sim(sim::SimWriteHalf),
}

impl Stream {
    /// See [`ReadHalf::read`].
    pub async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        self.read.read(buf).await
    }

    /// See [`ReadHalf::read_exact`].
    pub async fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.read.read_exact(bytes).await
    }

    /// See [`WriteHalf::write_all`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await
    }

    /// See [`WriteHalf::shutdown`].
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.write.shutdown().await
    }

    /// See [`ReadHalf::poll_read`].
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.read.poll_read(cx, buf)
    }

    /// See [`WriteHalf::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, bytes)
    }

    /// The address of the other end.
    pub fn peer_addr(&self) -> SocketAddr {
        self.write.peer_addr()
    }

    /// The address of this end.
    pub fn local_addr(&self) -> SocketAddr {
        self.write.local_addr()
    }

    /// Two halves for two tasks of this thread.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        (self.read, self.write)
    }

    /// Takes the stream off this thread. Bytes already read into a buffer are the caller's to take along.
    pub fn detach(self) -> io::Result<DetachedStream> {
        match (self.read.0, self.write.0) {
            (ReadKind::Real(read), WriteKind::Real(write)) => {
                Ok(DetachedStream(DetachedKind::Real(real::detach(read, write)?)))
            }
            (read, write) => {
                let stream = Stream { read: ReadHalf(read), write: WriteHalf(write) };
                Ok(DetachedStream(DetachedKind::Sim(Box::new(stream))))
            }
        }
    }
}

impl DetachedStream {
    /// Puts the stream on the shard thread that calls.
    pub fn attach(self) -> io::Result<Stream> {
        match self.0 {
            DetachedKind::Real(stream) => real::attach(stream),
            DetachedKind::Sim(stream) => Ok(*stream),
        }
    }
}

impl ReadHalf {
    /// Appends what has arrived to `buf`, waiting for the first byte; 0 means the other side has ended.
    /// Takes in as much as `buf` has spare room for (at least 64 bytes). Cancel-safe.
    pub async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Fills `bytes`, or fails with `UnexpectedEof`. Not cancel-safe.
    pub async fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            let count = poll_fn(|cx| self.poll_read_slice(cx, &mut bytes[filled..])).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += count;
        }
        Ok(())
    }

    /// [`ReadHalf::read`] for hand-written futures.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            ReadKind::Real(half) => half.poll_read(cx, buf),
            ReadKind::Sim(half) => half.poll_read(cx, buf),
        }
    }

    /// As [`ReadHalf::poll_read`], into a slice.
    pub fn poll_read_slice(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            ReadKind::Real(half) => half.poll_read_slice(cx, bytes),
            ReadKind::Sim(half) => half.poll_read_slice(cx, bytes),
        }
    }
}

impl WriteHalf {
    /// Writes all of `bytes`. Not cancel-safe: a part may have left.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Writes what fits now, at least one byte; waits for room.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            WriteKind::Real(half) => half.poll_write(cx, bytes),
            WriteKind::Sim(half) => half.poll_write(cx, bytes),
        }
    }

    /// As [`WriteHalf::poll_write`], of several pieces in one system call.
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            WriteKind::Real(half) => half.poll_write_vectored(cx, pieces),
            WriteKind::Sim(half) => {
                let first = pieces.iter().find(|piece| !piece.is_empty());
                first.map_or(Poll::Ready(Ok(0)), |piece| half.poll_write(cx, piece))
            }
        }
    }

    /// Says that nothing more will be written; the other side reads to the end and then gets 0.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match &mut self.0 {
            WriteKind::Real(half) => half.shutdown().await,
            WriteKind::Sim(half) => half.shutdown(),
        }
    }

    /// The address of the other end.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.0 {
            WriteKind::Real(half) => half.peer_addr(),
            WriteKind::Sim(half) => half.peer_addr(),
        }
    }

    /// The address of this end.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            WriteKind::Real(half) => half.local_addr(),
            WriteKind::Sim(half) => half.local_addr(),
        }
    }
}
