//! One WebSocket connection, shared by every thread that sends to it.
//!
//! In: messages from a worker, pongs and closes from the reader, notices from any thread. Out: whole frames to the kernel.
//! There is **one writer**: everything goes through one outbox under the connection's lock, so frames never mix and TLS records
//! keep their order. The lock is held over a *non-blocking* send, because what the kernel takes and what is recorded as sent
//! must not come apart; nobody waits longer than one copy into a socket's buffer. No method here is async or blocks. A
//! remainder is flushed by the next call, or by the poller when the socket becomes writable.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::Token;
use mio::net::TcpStream;
use rustls::ServerConnection;
use socket2::SockRef;
use tickwire_batch::{Socket, TcpProgress};

use super::outbox::{Outbox, SendState};
use super::rtt::{RttEstimate, RttEstimator};
use super::send::SendOutcome;
use crate::close::{Close, DisconnectReason};
use crate::net::io::poller::PollerHandle;
use crate::net::io::receive_stamps::enable_receive_stamps;
use crate::net::websocket::frame::Opcode;
use crate::{clock, log_limit};

/// Bytes that may be pending for a peer of the game; more end the connection.
pub const MAX_GAME_PENDING_BYTES: usize = 256 * 1024;
/// Unsent bytes that the kernel keeps before a send would block.
pub(in crate::net) const NOTSENT_LOWAT_BYTES: u32 = 16 * 1024;
/// Longest reason in a close frame, beside the code (RFC 6455, section 5.5).
const MAX_REASON_BYTES: usize = 123;

/// Pongs that come so much later than plausible are worth a line in the log.
const NOTABLE_HOLD: Duration = Duration::from_millis(50);

/// A connection's number, unique while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The connection's token at its poller; 0 belongs to no connection.
    pub(in crate::net) fn token(self) -> Token {
        Token(self.0 as usize)
    }
}

/// A WebSocket connection that any thread may send on. Its frames never mix.
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    opened: Instant,
    max_pending_bytes: usize,
    is_tls: bool,
    socket: TcpStream,
    outbox: Mutex<Outbox>,
    /// A copy of [`Outbox::pending_bytes`] that is read without the lock.
    pending_bytes: AtomicUsize,
    /// Whether the outbox is [`SendState::Open`], to be read without the lock.
    is_open: AtomicBool,
    has_hello: AtomicBool,
    /// Polls the reader when the connection comes closer to its end.
    poller: Arc<PollerHandle>,
    /// Boxed, to stay away from the memory that every tick touches.
    rtt: Box<Mutex<RttEstimator>>,
    /// Microseconds after `opened`.
    last_pong_us: AtomicU64,
}

impl Connection {
    /// Takes over a socket on which the WebSocket handshake is done, and has `poller` watch it.
    ///
    /// # Errors
    /// If the socket is broken already.
    pub(in crate::net) fn new(
        socket: std::net::TcpStream,
        tls: Option<ServerConnection>,
        peer: SocketAddr,
        max_pending_bytes: usize,
        poller: Arc<PollerHandle>,
    ) -> io::Result<Arc<Self>> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        SockRef::from(&socket).set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES)?;
        enable_receive_stamps(&socket);
        let id = ConnectionId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let mut socket = TcpStream::from_std(socket);
        poller.watch(&mut socket, id.token())?;
        let connection = Self {
            id,
            peer,
            opened: Instant::now(),
            max_pending_bytes,
            is_tls: tls.is_some(),
            socket,
            outbox: Mutex::new(Outbox::new(tls)),
            pending_bytes: AtomicUsize::new(0),
            is_open: AtomicBool::new(true),
            has_hello: AtomicBool::new(false),
            poller,
            rtt: Box::default(),
            last_pong_us: AtomicU64::new(0),
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
        self.is_open.load(Ordering::Acquire)
    }

    /// How far the bytes sent have got, what waits in our memory included; `None` where the system does not say.
    pub(super) fn progress(&self) -> Option<TcpProgress> {
        let progress = tickwire_batch::tcp_progress(self.os_socket())?;
        Some(TcpProgress {
            has_unacked: progress.has_unacked || self.pending_bytes() > 0,
            ..progress
        })
    }

    /// Bytes that wait in our memory because the kernel does not take them.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Acquire)
    }

    /// The bytes of [`Self::pending_bytes`] that no other connection shares.
    pub fn own_pending_bytes(&self) -> usize {
        self.outbox().own_pending_bytes()
    }

    /// The peer has said a valid `Hello`: the handshake timeout is over, and pings begin.
    pub fn mark_hello_received(&self) {
        self.has_hello.store(true, Ordering::Release);
        self.poll_reader();
    }

    /// Whether [`Connection::mark_hello_received`] was called.
    pub fn has_hello(&self) -> bool {
        self.has_hello.load(Ordering::Acquire)
    }

    /// Sends binary messages together if they can begin now: flushes what is pending first, and takes nothing if that or the
    /// kernel blocks. For snapshots, of which only the newest is worth sending. (TLS seals messages before the kernel is asked,
    /// and sealed ones cannot be taken back: if the kernel blocks, they wait as a remainder does, and the result is `Sent`.)
    pub fn try_send(&self, messages: &[&[u8]]) -> SendOutcome {
        self.with_outbox(|outbox, socket| outbox.try_send(socket, messages))
    }

    /// Sends a binary message that must arrive; it is queued if the kernel does not take it at once. More than
    /// the connection's limit in the queue end the connection as too slow.
    pub fn send(&self, parts: &[&[u8]]) -> SendOutcome {
        self.send_frame(Opcode::Binary, parts)
    }

    /// Sends a binary message that must arrive, and that ends with bytes which many connections share: none of them holds a copy,
    /// however long its peer takes to read them.
    pub fn send_sharing(&self, start: &[u8], rest: &Bytes) -> SendOutcome {
        self.with_outbox(|outbox, socket| {
            if outbox.state != SendState::Open {
                return SendOutcome::Closed;
            }
            outbox.send_sharing(socket, start, rest, self.max_pending_bytes)
        })
    }

    /// Sends any frame except a close, reliably.
    pub(super) fn send_frame(&self, opcode: Opcode, parts: &[&[u8]]) -> SendOutcome {
        self.with_outbox(|outbox, socket| {
            if outbox.state != SendState::Open {
                return SendOutcome::Closed;
            }
            outbox.send(socket, opcode, parts, self.max_pending_bytes)
        })
    }

    /// Sends a ping.
    pub(super) fn ping(&self, payload: &[u8]) -> SendOutcome {
        self.send_frame(Opcode::Ping, &[payload])
    }

    /// Ends the connection with a close frame: the frame follows what is queued, the peer has some time to answer it, then the
    /// stream ends. Only the first close has an effect.
    pub fn close(&self, close: &Close) {
        let reason = truncated(&close.reason, MAX_REASON_BYTES).as_bytes();
        let payload = [&close.code.number().to_be_bytes(), reason];
        let is_first = self.send_close(&payload, close.counted_as);
        let kind = close.counted_as.as_str();
        if is_first && close.is_refusal() && log_limit::admits(kind, clock::now()) {
            let (peer, code) = (self.peer, close.code.number());
            tracing::info!(%peer, code, reason = ?close.reason, kind, "refused");
        }
    }

    /// Sends a close frame with this payload. Only the first close has an effect. Returns whether this was it.
    pub(super) fn send_close(&self, payload: &[&[u8]], why: DisconnectReason) -> bool {
        self.with_outbox(|outbox, socket| {
            let is_first = outbox.state == SendState::Open;
            if is_first {
                outbox.set_reason(why);
                // The limit of pending bytes does not hold for the last frame.
                let _ = outbox.send(socket, Opcode::Close, payload, usize::MAX);
                outbox.state = outbox.state.max(SendState::Closing);
            }
            is_first
        })
    }

    /// Sets the reason for the connection's coming end, unless there is one already.
    pub fn set_disconnect_reason(&self, why: DisconnectReason) {
        self.with_outbox(|outbox, _| outbox.set_reason(why));
    }

    /// Ends the connection at once, without a close frame: what is pending is thrown away.
    pub(super) fn abort(&self, why: DisconnectReason) {
        self.with_outbox(|outbox, socket| outbox.abort(socket, why));
    }

    /// The round trip, once a pong has come.
    pub fn rtt(&self) -> Option<RttEstimate> {
        let rtt = self.rtt.lock().unwrap_or_else(PoisonError::into_inner);
        rtt.estimate()
    }

    /// When a pong last answered one of our pings.
    pub fn last_pong(&self) -> Instant {
        self.opened + Duration::from_micros(self.last_pong_us.load(Ordering::Relaxed))
    }

    /// Whether bytes on the socket are TLS records.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The socket as system calls name it.
    pub(super) fn os_socket(&self) -> Socket<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(&self.socket);
        #[cfg(windows)]
        return std::os::windows::io::AsSocket::as_socket(&self.socket);
    }

    /// Locks the outbox. The holder never awaits and never calls out, and ends with [`Connection::publish`].
    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the outbox. `change` never awaits and never calls out.
    pub(super) fn with_outbox<T>(&self, change: impl FnOnce(&mut Outbox, &TcpStream) -> T) -> T {
        let mut outbox = self.outbox();
        let state_before = outbox.state;
        let result = change(&mut outbox, &self.socket);
        self.publish(outbox, state_before);
        result
    }

    /// Ends a change of the outbox: updates what other threads read without the lock.
    pub(super) fn publish(&self, outbox: MutexGuard<'_, Outbox>, state_before: SendState) {
        let state = outbox.state;
        self.pending_bytes
            .store(outbox.pending_bytes(), Ordering::Release);
        self.is_open
            .store(state == SendState::Open, Ordering::Release);
        drop(outbox);
        // The system reports to the poller when a remainder can leave; only this call reports the coming end.
        if state != state_before {
            self.poll_reader();
        }
    }
}

/// The calls of the reader.
impl Connection {
    pub(in crate::net) fn poller(&self) -> &Arc<PollerHandle> {
        &self.poller
    }

    /// Stops the poller's watch over this socket.
    pub(super) fn unwatch(&self) {
        self.poller.unwatch(&self.socket);
    }

    /// Has the reader polled soon.
    pub(crate) fn poll_reader(&self) {
        self.poller.poll_soon(self.id.token());
    }

    pub(super) fn send_state(&self) -> SendState {
        self.outbox().state
    }

    /// Sends what is pending, as far as the kernel takes it.
    pub(super) fn flush(&self) {
        self.with_outbox(|outbox, socket| outbox.flush(socket));
    }

    /// Records a round trip that a pong has completed at `now`. `kernel`: what the kernel measures of the path to the client, if it
    /// ends there.
    pub(super) fn record_pong(&self, now: Instant, rtt: Duration, kernel: Option<Duration>) {
        let mut estimator = self.rtt.lock().unwrap_or_else(PoisonError::into_inner);
        let estimate = estimator.sample(now, rtt, kernel);
        drop(estimator);
        if estimate.steady > estimate.plausible + NOTABLE_HOLD
            && let Some(left_out) =
                log_limit::admits_from("late pongs", self.peer.ip(), clock::now())
        {
            tracing::warn!(
                peer = %self.peer, left_out, pongs = ?estimate.steady, tcp = ?estimate.plausible,
                "answers pings much later than its system acknowledges bytes: its shots are judged by the shorter time. A client that \
                 holds back its pongs does so; so does a proxy between, which --trusted-proxy names, and an emulated line, for which \
                 there is --kernel-rtt off"
            );
        }
        self.last_pong_us
            .fetch_max(self.us_since_opened(now), Ordering::Relaxed);
    }

    /// Sends no more frames: the stream ends once what is queued is sent.
    pub(super) fn finish(&self, why: DisconnectReason) {
        self.with_outbox(|outbox, socket| {
            outbox.set_reason(why);
            outbox.finish(socket);
        });
    }

    /// Ends both directions of the stream.
    pub(super) fn end(&self) {
        self.with_outbox(|outbox, socket| {
            if outbox.state != SendState::Ended {
                outbox.end(socket);
            }
        });
    }

    /// Why the connection ended, or is ending.
    pub(super) fn disconnect_reason(&self) -> DisconnectReason {
        self.outbox().reason()
    }

    /// Bytes that the kernel took since the last call.
    pub(super) fn take_sent_bytes(&self) -> u64 {
        self.outbox().take_sent_bytes()
    }

    fn us_since_opened(&self, at: Instant) -> u64 {
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

/// The longest beginning of `text` that has at most `max_bytes` and ends between characters.
fn truncated(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::net::io::poller::Pollers;

    /// A connection that nobody reads, and its peer's end of it.
    pub(crate) fn connected() -> (Arc<Connection>, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, peer) = listener.accept().unwrap();
        let poller = Pollers::start(1).unwrap().next();
        let connection = Connection::new(ours, None, peer, MAX_GAME_PENDING_BYTES, poller);
        (connection.unwrap(), theirs)
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(truncated("short", 123), "short");
        assert_eq!(truncated("aé", 2), "a");
        let long = "é".repeat(100);
        assert_eq!(truncated(&long, MAX_REASON_BYTES).len(), 122);
    }
}
