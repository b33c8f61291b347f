//! A byte stream over an emulated path: delays reads and writes, below TLS and WebSocket, so that pings are delayed too.
//!
//! In: a stream, a path for each direction, a limit for reading. Out: a stream. Bytes wait in two queues until they are due; both
//! queues advance whenever the stream is polled. Never spawns a task.

use super::emulated_path::{EmulatedPath, PathSettings};
use super::io::{self, Io, ShellError, Target};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tickwire_sync::Micros;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;

/// How much the kernel may receive ahead of a slow reader (Linux doubles the value).
const SLOW_RECEIVE_BUFFER_BYTES: u32 = 4 * 1024;

/// What to emulate; by default nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Emulation {
    /// The path, each way.
    pub path: PathSettings,
    /// For how long what has come over the path is held back. A cheat: the server's kernel sees a faster line than its pings do.
    pub hold_incoming: Duration,
    /// Largest number of bytes read per second; `None`: no limit.
    pub max_read_rate: Option<u32>,
    /// Seed of the path's randomness.
    pub seed: u64,
}

impl Emulation {
    /// Whether there is anything to emulate.
    fn is_needed(&self) -> bool {
        self.path != PathSettings::default()
            || !self.hold_incoming.is_zero()
            || self.max_read_rate.is_some()
    }
}

/// Opens a socket over an emulated path. `connection` makes each one's randomness different.
pub(super) async fn connect(
    target: Arc<Target>,
    emulation: Emulation,
    connection: u32,
) -> Result<WebSocketStream<Io>, ShellError> {
    if !emulation.is_needed() {
        return io::connect(target).await;
    }
    let tcp = match emulation.max_read_rate {
        Some(_) => connect_slow_reader(&target).await?,
        None => TcpStream::connect(target.address()).await?,
    };
    tcp.set_nodelay(true)?;
    let emulated = Emulated::new(tcp, emulation, u64::from(connection));
    io::handshake(&target, Box::new(emulated)).await
}

/// Connects with a small receive buffer: otherwise the kernel would read ahead, and the server would never notice a slow reader.
async fn connect_slow_reader(target: &Target) -> std::io::Result<TcpStream> {
    let mut result = Err(std::io::ErrorKind::AddrNotAvailable.into());
    for address in tokio::net::lookup_host(target.address()).await? {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Before connecting, as the buffer decides which window the handshake offers.
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER_BYTES)?;
        result = socket.connect(address).await;
        if result.is_ok() {
            break;
        }
    }
    result
}

/// A stream whose reads and writes are delayed.
struct Emulated<S> {
    inner: S,
    start: Instant,
    incoming_path: EmulatedPath,
    outgoing_path: EmulatedPath,
    incoming: VecDeque<Chunk>,
    outgoing: VecDeque<Chunk>,
    max_read_rate: Option<u32>,
    /// Bytes that may be read, as of `allowance_at`.
    read_allowance: f64,
    allowance_at: Micros,
    has_ended: bool,
    timer: Pin<Box<Sleep>>,
}

struct Chunk {
    due: Micros,
    bytes: Vec<u8>,
    /// How many of the bytes are gone already.
    taken: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Emulated<S> {
    fn new(inner: S, emulation: Emulation, connection: u64) -> Self {
        let seed = emulation
            .seed
            .wrapping_mul(1 << 20)
            .wrapping_add(connection * 2);
        let incoming = PathSettings {
            latency: emulation.path.latency + emulation.hold_incoming,
            ..emulation.path
        };
        Self {
            inner,
            start: Instant::now(),
            incoming_path: EmulatedPath::new(incoming, seed, Micros(0)),
            outgoing_path: EmulatedPath::new(emulation.path, seed + 1, Micros(0)),
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            max_read_rate: emulation.max_read_rate,
            read_allowance: 0.0,
            allowance_at: Micros(0),
            has_ended: false,
            timer: Box::pin(tokio::time::sleep_until(Instant::now().into())),
        }
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    /// Writes the outgoing chunks that are due.
    fn send_due(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let now = self.now();
        while let Some(chunk) = self.outgoing.front_mut().filter(|chunk| chunk.due <= now) {
            let sent =
                ready!(Pin::new(&mut self.inner).poll_write(cx, &chunk.bytes[chunk.taken..]))?;
            chunk.taken += sent;
            if chunk.taken == chunk.bytes.len() {
                self.outgoing.pop_front();
            }
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Reads what the inner stream has, within the read rate.
    fn read_incoming(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while !self.has_ended {
            let now = self.now();
            let limit = match self.max_read_rate {
                None => buffer.len(),
                Some(rate) => {
                    self.read_allowance = (self.read_allowance
                        + now.since(self.allowance_at).0 as f64 / 1e6 * f64::from(rate))
                    .min(f64::from(rate));
                    self.allowance_at = now;
                    (self.read_allowance as usize).min(buffer.len())
                }
            };
            // Reading a few bytes at a time would waste CPU.
            if limit < 512 {
                return Ok(());
            }
            let mut read = ReadBuf::new(&mut buffer[..limit]);
            match Pin::new(&mut self.inner).poll_read(cx, &mut read) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Ok(()),
            }
            let bytes = read.filled().to_vec();
            self.read_allowance -= bytes.len() as f64;
            self.has_ended = bytes.is_empty();
            if !bytes.is_empty() {
                self.incoming.push_back(Chunk {
                    due: self.incoming_path.arrival(now),
                    bytes,
                    taken: 0,
                });
            }
        }
        Ok(())
    }

    /// When the next chunk is due. While the inner stream is blocked, outgoing chunks do not count: it wakes this task itself.
    fn next_due(&self, is_blocked: bool) -> Option<Micros> {
        let outgoing = Some(&self.outgoing).filter(|_| !is_blocked);
        let queues = [Some(&self.incoming), outgoing]
            .into_iter()
            .flatten()
            .filter_map(|queue| queue.front())
            .map(|chunk| chunk.due);
        let allowance = self
            .max_read_rate
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
            self.read_incoming(cx)?;
            let now = self.now();
            if let Some(chunk) = self.incoming.front_mut().filter(|chunk| chunk.due <= now) {
                let count = into.remaining().min(chunk.bytes.len() - chunk.taken);
                into.put_slice(&chunk.bytes[chunk.taken..chunk.taken + count]);
                chunk.taken += count;
                if chunk.taken == chunk.bytes.len() {
                    self.incoming.pop_front();
                }
                return Poll::Ready(Ok(()));
            }
            if self.has_ended && self.incoming.is_empty() {
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
        let due = self.outgoing_path.arrival(now);
        self.outgoing.push_back(Chunk {
            due,
            bytes: bytes.to_vec(),
            taken: 0,
        });
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // Bytes on the emulated path count as flushed: the writer cannot see them.
        match self.send_due(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
