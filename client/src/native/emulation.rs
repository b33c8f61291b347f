//! A byte stream over an emulated path: what is read and written is delayed, below TLS and WebSocket, so that pings see it too.
//!
//! In: a stream, a path for each way, a limit for reading. Out: a stream. Bytes wait in two queues with their arrival times;
//! whoever polls the stream moves both on.

use super::path::{Path, PathSettings};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tickwire_sync::Micros;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What is emulated; by default nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Emulation {
    /// The path, each way.
    pub path: PathSettings,
    /// Bytes a second that are read at most; `None`: as many as come.
    pub read_rate: Option<u32>,
    /// Seed of the path's randomness.
    pub seed: u64,
}

impl Emulation {
    /// Whether there is anything to emulate.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.path != PathSettings::default() || self.read_rate.is_some()
    }
}

/// See the module's head.
pub(super) struct Emulated<S> {
    inner: S,
    start: Instant,
    incoming: Path,
    outgoing: Path,
    arriving: VecDeque<Chunk>,
    leaving: VecDeque<Chunk>,
    read_rate: Option<u32>,
    /// Bytes that may be read now, and when that was computed.
    allowance: f64,
    allowed_at: Micros,
    has_ended: bool,
    timer: Pin<Box<Sleep>>,
}

struct Chunk {
    due: Micros,
    bytes: Vec<u8>,
    taken: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Emulated<S> {
    pub fn new(inner: S, emulation: Emulation, connection: u64) -> Self {
        let seed = emulation
            .seed
            .wrapping_mul(1 << 20)
            .wrapping_add(connection * 2);
        Self {
            inner,
            start: Instant::now(),
            incoming: Path::new(emulation.path, seed, Micros(0)),
            outgoing: Path::new(emulation.path, seed + 1, Micros(0)),
            arriving: VecDeque::new(),
            leaving: VecDeque::new(),
            read_rate: emulation.read_rate,
            allowance: 0.0,
            allowed_at: Micros(0),
            has_ended: false,
            timer: Box::pin(tokio::time::sleep_until(Instant::now().into())),
        }
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    /// Sends what has set out long enough ago.
    fn send_due(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let now = self.now();
        while let Some(chunk) = self.leaving.front_mut().filter(|chunk| chunk.due <= now) {
            let sent =
                ready!(Pin::new(&mut self.inner).poll_write(cx, &chunk.bytes[chunk.taken..]))?;
            chunk.taken += sent;
            if chunk.taken == chunk.bytes.len() {
                self.leaving.pop_front();
            }
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Takes what the inner stream has, as far as the read rate allows.
    fn take_arriving(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let mut space = [0; 16 * 1024];
        while !self.has_ended {
            let now = self.now();
            let most = match self.read_rate {
                None => space.len(),
                Some(rate) => {
                    self.allowance = (self.allowance
                        + now.since(self.allowed_at).0 as f64 / 1e6 * f64::from(rate))
                    .min(f64::from(rate));
                    self.allowed_at = now;
                    (self.allowance as usize).min(space.len())
                }
            };
            // Reading a handful of bytes at a time would only burn CPU.
            if most < 512 {
                return Ok(());
            }
            let mut buffer = ReadBuf::new(&mut space[..most]);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Ok(()),
            }
            let bytes = buffer.filled().to_vec();
            self.allowance -= bytes.len() as f64;
            self.has_ended = bytes.is_empty();
            if !bytes.is_empty() {
                self.arriving.push_back(Chunk {
                    due: self.incoming.arrival(now),
                    bytes,
                    taken: 0,
                });
            }
        }
        Ok(())
    }

    /// When something is due again. What the inner stream does not take is not: the stream itself wakes us then.
    fn next_due(&self, is_blocked: bool) -> Option<Micros> {
        let leaving = Some(&self.leaving).filter(|_| !is_blocked);
        let queues = [Some(&self.arriving), leaving]
            .into_iter()
            .flatten()
            .filter_map(|queue| queue.front())
            .map(|chunk| chunk.due);
        let allowance = self
            .read_rate
            .map(|_| self.now().plus(Micros::from_millis(50)));
        queues.chain(allowance).min()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Emulated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        loop {
            let is_blocked = match self.send_due(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => false,
                Poll::Pending => true,
            };
            self.take_arriving(cx)?;
            let now = self.now();
            if let Some(chunk) = self.arriving.front_mut().filter(|chunk| chunk.due <= now) {
                let count = into.remaining().min(chunk.bytes.len() - chunk.taken);
                into.put_slice(&chunk.bytes[chunk.taken..chunk.taken + count]);
                chunk.taken += count;
                if chunk.taken == chunk.bytes.len() {
                    self.arriving.pop_front();
                }
                return Poll::Ready(Ok(()));
            }
            if self.has_ended && self.arriving.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Some(due) = self.next_due(is_blocked) else {
                return Poll::Pending;
            };
            let at = self.start + Duration::from_micros(due.0);
            self.timer.as_mut().reset(at.into());
            ready!(self.timer.as_mut().poll(cx));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Emulated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let now = self.now();
        let due = self.outgoing.arrival(now);
        self.leaving.push_back(Chunk {
            due,
            bytes: bytes.to_vec(),
            taken: 0,
        });
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // What is on its way has left as far as the writer can know.
        match self.send_due(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
