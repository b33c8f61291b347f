//! A stream that ends if its peer does not read, and that reads no further request while an answer waits.
//!
//! In: a socket, or a TLS stream. Out: the same, until a write has waited for [`MAX_STALL`]. A peer that asks for pages and reads
//! none would otherwise hold a place, and the kernel's memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long an answer may wait for its peer.
const MAX_STALL: Duration = Duration::from_secs(10);

/// A stream whose peer must read.
pub(in crate::net) struct StallGuard<S> {
    stream: S,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The answer that waits was the last one: the deadline has passed.
    has_stalled: bool,
    /// Woken once the answer that waits is written.
    reader: Option<std::task::Waker>,
}

impl<S> StallGuard<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            deadline: None,
            has_stalled: false,
            reader: None,
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Passes on the result of a write; pending ones become an error after [`MAX_STALL`].
    fn guard<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            return written;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + MAX_STALL)));
        ready!(deadline.as_mut().poll(context));
        self.has_stalled = true;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deadline.is_some() && !self.has_stalled {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.guard(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_flush(context);
        self.guard(context, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_shutdown(context);
        self.guard(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.guard(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_ends_after_ten_seconds() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut guarded = StallGuard::new(near);
        let began = Instant::now();
        // As long as the peer reads, however slowly, the answer goes on.
        let answer = guarded.write_all(&[7; 4096]);
        let slow_reader = async {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                far.read_exact(&mut [0; 1024]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(answer, slow_reader);
        written.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(27));
        let began = Instant::now();
        let error = guarded.write_all(&[7; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_while_an_answer_waits() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut reading, mut writing) = tokio::io::split(StallGuard::new(near));
        far.write_all(b"next request").await.unwrap();
        let writes = tokio::spawn(async move { writing.write_all(&[7; 200]).await });
        tokio::task::yield_now().await;
        let mut buffer = [0; 64];
        let early = reading.read(&mut buffer);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), early)
                .await
                .is_err()
        );
        far.read_exact(&mut [0; 200]).await.unwrap();
        writes.await.unwrap().unwrap();
        assert_eq!(reading.read(&mut [0; 64]).await.unwrap(), 12);
    }
}
