//! A stream whose bytes leave in pieces of 1 to 31 bytes: TLS records arrive cut anywhere.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub struct CutWrites<S> {
    stream: S,
    piece: usize,
    /// Everybody else, the server included, had a turn since the last piece.
    has_yielded: bool,
}

impl<S> CutWrites<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            piece: 0,
            has_yielded: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CutWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CutWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.has_yielded, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = bytes.len().min(1 + self.piece % 31);
        let written = Pin::new(&mut self.stream).poll_write(context, &bytes[..length]);
        if written.is_ready() {
            self.piece += 1;
            self.has_yielded = false;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
