//! One WebSocket connection, shared by whoever has something to say to it.
//!
//! **One writer**: snapshots from a worker, pongs and closes from the reading side, notices from
//! anywhere go through one outbox under the connection's lock, so frames never mix and TLS
//! records keep their order. The lock is held over a *non-blocking* send: what the kernel takes and
//! what we note as sent must not come apart, and no one waits longer than one copy into a socket's
//! buffer. No method here is async or blocks. What is left pending is flushed by the next call, or
//! by the poller, which hears from the socket when there is room.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::Token;
use mio::net::TcpStream;
use rustls::ServerConnection;
use socket2::SockRef;
use tickwire_batch::Socket;

use super::ack;
use super::arrival::{Stamps, ask_for_stamps};
use super::frame::Opcode;
use super::outbox::{Outbox, Stage};
use super::poller::Handle;
use super::rtt::{Rtt, RttEstimate};
use super::served::Read;
use crate::close::{Close, Disconnect};

/// Bytes that may wait in our memory for a peer of the game; more end the connection.
pub const MAX_PENDING_BYTES: usize = 256 * 1024;
/// The kernel keeps at most this many unsent bytes before a send would block.
const NOTSENT_LOWAT: u32 = 16 * 1024;
/// What a close frame's reason may have beside the code.
const MAX_REASON_BYTES: usize = 123;

/// A connection's number, unique while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Its number with the poller; 0 is nobody's.
    pub(super) fn token(self) -> Token {
        Token(self.0 as usize)
    }
}

/// What became of a message.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It is on its way: with the kernel, or queued behind a remainder.
    Sent,
    /// The kernel takes nothing now; nothing of the message was taken. Build a newer one later.
    WouldBlock,
    /// The connection is closing or has ended.
    Closed,
}

/// See the module's head.
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    opened: Instant,
    max_pending: usize,
    tls: bool,
    socket: TcpStream,
    outbox: Mutex<Outbox>,
    /// [`Outbox::pending`], to be read without the lock.
    pending: AtomicUsize,
    open: AtomicBool,
    greeted: AtomicBool,
    /// Who reads, and is to look when the end has come closer.
    poller: Arc<Handle>,
    /// Apart from what is touched in every tick.
    rtt: Box<Mutex<(Rtt, Option<RttEstimate>)>>,
    /// Microseconds after `opened`.
    last_pong: AtomicU64,
}

/// Buffers for [`Connection::receive`]; one a thread suffices.
pub(super) struct ReadBuffers {
    wire: Vec<u8>,
    pub(super) plain: Vec<u8>,
    stamps: Stamps,
}

impl ReadBuffers {
    pub(super) fn new() -> Self {
        Self {
            wire: vec![0; 16 * 1024],
            plain: Vec::new(),
            stamps: Stamps::new(),
        }
    }
}

/// What a read gave.
pub(super) enum Received<'a> {
    /// Bytes (none if TLS had only half a record), whether there may be more at once, and when the
    /// newest came.
    Bytes {
        bytes: &'a mut [u8],
        more: bool,
        arrived: Instant,
    },
    /// Nothing yet: ask again.
    Interrupted,
    /// Nothing now.
    Nothing,
    /// The peer has ended its side.
    End,
}

impl Connection {
    /// Takes over a socket on which the WebSocket handshake is done, for a poller to read.
    ///
    /// # Errors
    /// If the socket is broken already.
    pub(super) fn new(
        socket: std::net::TcpStream,
        tls: Option<ServerConnection>,
        peer: SocketAddr,
        max_pending: usize,
        poller: Arc<Handle>,
    ) -> io::Result<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        SockRef::from(&socket).set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        ask_for_stamps(&socket);
        let id = ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed));
        let mut socket = TcpStream::from_std(socket);
        poller.watch(&mut socket, id.token())?;
        let connection = Self {
            id,
            peer,
            opened: Instant::now(),
            max_pending,
            tls: tls.is_some(),
            socket,
            outbox: Mutex::new(Outbox::new(tls)),
            pending: AtomicUsize::new(0),
            open: AtomicBool::new(true),
            greeted: AtomicBool::new(false),
            poller,
            rtt: Box::default(),
            last_pong: AtomicU64::new(0),
        };
        // TLS may have kept session tickets for the first write.
        connection.with_outbox(|outbox, socket| outbox.write_sealed(socket, &[]));
        Ok(Arc::new(connection))
    }

    /// The connection's number.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The other end of the TCP connection (a proxy's, if there is one).
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// When the WebSocket was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether messages still flow: no close was sent, and the connection is not broken.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Bytes that wait in our memory because the kernel doesn't take them.
    pub fn pending_bytes(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    /// The peer has said a good `Hello`: the handshake's deadline is off, and pings begin.
    pub fn mark_greeted(&self) {
        self.greeted.store(true, Ordering::Release);
        self.look();
    }

    /// Whether [`Connection::mark_greeted`] was called.
    pub fn is_greeted(&self) -> bool {
        self.greeted.load(Ordering::Acquire)
    }

    /// Sends binary messages, together, only if they can start now: what
    /// was pending is flushed first, and if that or the kernel blocks, nothing is taken.
    /// For snapshots, of which only the newest is worth sending. (Under TLS messages are sealed
    /// before the kernel is asked, and sealed ones can't be taken back: they then wait, as a
    /// remainder does, and are `Sent`.)
    pub fn try_send(&self, messages: &[&[u8]]) -> SendOutcome {
        self.with_outbox(|outbox, socket| outbox.put_now(socket, messages))
    }

    /// Sends a binary message that must arrive: queued if the kernel takes it not at once. Beyond
    /// [`MAX_PENDING_BYTES`] the connection is ended as too slow.
    pub fn send(&self, parts: &[&[u8]]) -> SendOutcome {
        self.send_frame(Opcode::Binary, parts)
    }

    /// The same, once for each connection to which snapshots will be sent: from now on these acknowledge what the peer sends.
    pub(crate) fn send_with_note(&self, parts: &[&[u8]]) -> SendOutcome {
        ack::with_note(&self.socket, || self.send(parts))
    }

    /// Any frame but a close, reliably.
    pub(super) fn send_frame(&self, opcode: Opcode, parts: &[&[u8]]) -> SendOutcome {
        self.with_outbox(|outbox, socket| {
            if outbox.stage != Stage::Open {
                return SendOutcome::Closed;
            }
            outbox.put(socket, opcode, parts, self.max_pending)
        })
    }

    /// Sends a ping. The reading side does this in its rhythm; pongs to other pings are ignored.
    pub fn ping(&self, payload: &[u8]) -> SendOutcome {
        self.send_frame(Opcode::Ping, &[payload])
    }

    /// Says why, and ends: the close frame goes out after what is queued, the peer has some time to
    /// answer it (`patience.rs`), then the stream ends. Only the first call has an effect.
    pub fn close(&self, close: &Close) {
        self.close_because(close, close.code.into());
    }

    /// The same, for an operator's or a rule's reason that the code alone doesn't tell.
    pub fn close_because(&self, close: &Close, why: Disconnect) {
        let reason = truncated(&close.reason, MAX_REASON_BYTES).as_bytes();
        self.close_raw(&[&close.code.number().to_be_bytes(), reason], why);
    }

    /// Sends a close frame with this payload. Only the first close has an effect.
    pub(super) fn close_raw(&self, payload: &[&[u8]], why: Disconnect) {
        self.with_outbox(|outbox, socket| {
            if outbox.stage == Stage::Open {
                outbox.because(why);
                // The limit doesn't hold for the last frame.
                let _ = outbox.put(socket, Opcode::Close, payload, usize::MAX);
                outbox.stage = outbox.stage.max(Stage::Closing);
            }
        });
    }

    /// Whenever the connection ends from now on, this is why, unless a reason is known already.
    pub fn will_end(&self, why: Disconnect) {
        self.with_outbox(|outbox, _| outbox.because(why));
    }

    /// Ends the connection at once, without a word: what is pending is thrown away.
    pub fn abort(&self, why: Disconnect) {
        self.with_outbox(|outbox, socket| outbox.fail(socket, why));
    }

    /// The round trip, once a first pong has come.
    pub fn rtt(&self) -> Option<RttEstimate> {
        self.rtt.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// When a pong last answered one of our pings.
    pub fn last_pong(&self) -> Instant {
        self.opened + Duration::from_micros(self.last_pong.load(Ordering::Relaxed))
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The socket, as system calls name it.
    pub(super) fn handle(&self) -> Socket<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(&self.socket);
        #[cfg(windows)]
        return std::os::windows::io::AsSocket::as_socket(&self.socket);
    }

    /// Locks the outbox. Never await meanwhile, never call out; [`Connection::settle`] afterwards.
    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to change the outbox. Never await inside, never call out.
    fn with_outbox<T>(&self, change: impl FnOnce(&mut Outbox, &TcpStream) -> T) -> T {
        let mut outbox = self.outbox();
        let before = outbox.stage;
        let result = change(&mut outbox, &self.socket);
        self.settle(outbox, before);
        result
    }

    /// Ends a change of the outbox: tells those who look without the lock. `before` is the stage before the change.
    pub(super) fn settle(&self, outbox: MutexGuard<'_, Outbox>, before: Stage) {
        let after = outbox.stage;
        self.pending.store(outbox.pending(), Ordering::Release);
        self.open.store(after == Stage::Open, Ordering::Release);
        drop(outbox);
        // Of room for a remainder the poller hears from the socket; of the end only from here.
        if after != before {
            self.look();
        }
    }
}

/// The reading side's.
impl Connection {
    pub(super) fn poller(&self) -> &Arc<Handle> {
        &self.poller
    }

    /// The poller hears of this socket no more.
    pub(super) fn unwatch(&self) {
        self.poller.unwatch(&self.socket);
    }

    fn look(&self) {
        self.poller.look(self.id.token());
    }

    pub(super) fn stage(&self) -> Stage {
        self.outbox().stage
    }

    /// Sends what is pending, as far as the kernel takes it.
    pub(super) fn flush(&self) {
        self.with_outbox(|outbox, socket| outbox.flush(socket));
    }

    /// Reads what has arrived, without waiting.
    pub(super) fn receive<'a>(&self, buffers: &'a mut ReadBuffers) -> io::Result<Received<'a>> {
        let ReadBuffers {
            wire,
            plain,
            stamps,
        } = buffers;
        let read = match stamps.read(&self.socket, wire) {
            // A short read has emptied the socket: that saves the next one, which would only find that out.
            Ok((read, arrived)) => Read {
                more: read == wire.len(),
                bytes: Ok(&mut wire[..read]),
                arrived,
            },
            Err(error) => Read {
                bytes: Err(error),
                more: false,
                arrived: self.opened,
            },
        };
        self.unwrap(read, plain)
    }

    /// What a read amounts to. Under TLS the lock is taken to open it, and the plaintext is in `plain`.
    pub(super) fn unwrap<'a>(
        &self,
        read: Read<'a>,
        plain: &'a mut Vec<u8>,
    ) -> io::Result<Received<'a>> {
        let Read { more, arrived, .. } = read;
        let wire = match read.bytes {
            Ok([]) => return Ok(Received::End),
            Ok(wire) => wire,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                io::ErrorKind::Interrupted => return Ok(Received::Interrupted),
                _ => return Err(error),
            },
        };
        plain.clear();
        if !self.tls {
            return Ok(Received::Bytes {
                bytes: wire,
                more,
                arrived,
            });
        }
        match self.with_outbox(|outbox, socket| outbox.open(socket, wire, plain)) {
            Ok(true) if plain.is_empty() => Ok(Received::End),
            Ok(_) => Ok(Received::Bytes {
                bytes: plain,
                more,
                arrived,
            }),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    pub(super) fn pong(&self, now: Instant, rtt: Duration) {
        let mut state = self.rtt.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(state.0.sample(now, rtt));
        self.last_pong
            .fetch_max(self.micros(now), Ordering::Relaxed);
    }

    /// No more frames from us: the stream ends once what is queued is sent.
    pub(super) fn finish(&self, why: Disconnect) {
        self.with_outbox(|outbox, socket| {
            outbox.because(why);
            outbox.finish(socket);
        });
    }

    /// The very end.
    pub(super) fn end(&self) {
        self.with_outbox(|outbox, socket| {
            if outbox.stage != Stage::Ended {
                outbox.end(socket);
            }
        });
    }

    /// Why the connection ended, or ends.
    pub(super) fn why(&self) -> Disconnect {
        self.outbox().why()
    }

    /// Bytes that the kernel took since the last call.
    pub(super) fn take_sent_bytes(&self) -> u64 {
        self.outbox().take_sent_bytes()
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.opened);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .field("open", &self.is_open())
            .field("pending", &self.pending_bytes())
            .finish_non_exhaustive()
    }
}

/// The longest beginning of `text` that has at most `max` bytes and ends between characters.
fn truncated(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(truncated("short", 123), "short");
        assert_eq!(truncated("aé", 2), "a");
        let long = "é".repeat(100);
        assert_eq!(truncated(&long, MAX_REASON_BYTES).len(), 122);
    }
}
