//! A connection of the runtime, as the HTTP library wants it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use runtime::{ReadHalf, Stream, WriteHalf};

/// Bytes read at once.
const READ_BYTES: usize = 8 << 10;

/// A stream of bytes for [`hyper`].
pub struct HttpStream {
    read: ReadHalf,
    write: WriteHalf,
    buffer: Box<[u8; READ_BYTES]>,
    /// Nothing more will be written.
    is_shut_down: bool,
}

impl HttpStream {
    pub fn new(stream: Stream) -> HttpStream {
        let (read, write) = stream.into_split();
        HttpStream { read, write, buffer: Box::new([0; READ_BYTES]), is_shut_down: false }
    }
}

impl Read for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = buf.remaining().min(READ_BYTES);
        let count = ready!(this.read.poll_read_slice(cx, &mut this.buffer[..room]))?;
        buf.put_slice(&this.buffer[..count]);
        Poll::Ready(Ok(()))
    }
}

impl Write for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut_down {
            let shutdown = std::pin::pin!(this.write.shutdown());
            ready!(shutdown.poll(cx))?;
        }
        this.is_shut_down = true;
        Poll::Ready(Ok(()))
    }
}
