//! The reading side of a connection. A poller polls it, and the worker of its room once the connection has joined one.
//!
//! In: bytes from the socket, and the time. Out: complete messages to the [`Handler`], answers to pings, measured round trips,
//! and the connection's close where a rule is broken. The reader also flushes the outbox when the socket becomes writable, so
//! one place serves both directions and no worker waits. It lives as long as the connection does: it runs the closing handshake
//! with its deadlines, and calls [`Handler::closed`] exactly once, whatever ended the connection (a panic included).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tickwire_batch::Socket;

use super::close_deadline::CloseDeadline;
use super::connection::Connection;
use super::flood::{FloodDetector, FloodVerdict};
use super::handler::Handler;
use super::keepalive::{Keepalive, KeepaliveTimes};
use super::open_connections::OpenGuard;
use super::receive::{ReadBuffers, Received};
use crate::clock;
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::freed_memory;
use crate::metrics::{Metrics, ProtocolErrorKind};
use crate::net::connection_limits::ConnectionPermit;
use crate::net::io::polled_connection::{PollOutcome, PolledConnection, Readiness, SocketRead};
use crate::net::websocket::frame::{
    FrameDecoder, FrameEvent, FrameLimits, MAX_CONTROL_BYTES, Opcode,
};
use crate::net::websocket::violation::Violation;

mod timers;

thread_local! {
    static BUFFERS: RefCell<ReadBuffers> = RefCell::new(ReadBuffers::new());
}

/// How one connection is served.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct ReaderSettings {
    pub frames: FrameLimits,
    pub keepalive: KeepaliveTimes,
    pub reading: ReadPolicy,
}

/// How one connection is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct ReadPolicy {
    /// When a valid `Hello` must have come; `None`: the connection needs none.
    pub hello_deadline: Option<Instant>,
    /// More messages a second than this are a flood; `None`: any number is fine.
    pub max_messages_per_second: Option<u32>,
    /// Nothing is read while more bytes than this wait for the peer. For echo, where each message makes one; not for games,
    /// where inputs must not wait for a slow downlink.
    pub pause_above_bytes: usize,
    /// Reads (of up to 16 KiB) in one poll, before other connections are polled.
    pub reads_per_poll: usize,
    /// Frames that are handled in one poll. Bytes beyond them wait here, and nothing more is read meanwhile.
    pub frames_per_poll: usize,
    /// The pings of one poll get one pong, for the newest (RFC 6455, section 5.5.3).
    pub pongs_once: bool,
    /// Whether the TCP connection ends at the client, so that its kernel's round trip bounds that of the pongs.
    pub uses_kernel_rtt: bool,
}

/// How far the connection is from its end.
#[derive(Clone, Copy, Debug)]
enum ReaderState {
    /// Messages flow.
    Open,
    /// Our close frame was sent: the peer's close frame must come, whatever else comes before it.
    AwaitClose(CloseDeadline),
    /// Our side has ended: bytes are thrown away until the peer ends its own. (Closing a socket with unread bytes would reset
    /// it, and the peer might never see our close frame.)
    AwaitEnd(CloseDeadline),
    /// Both sides have ended.
    Ended,
}

/// Whether the socket may have more to read. The system reports each change only once, so the report must be remembered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Unread {
    /// The socket was seen empty.
    Nothing,
    /// Bytes may have arrived.
    Bytes,
    /// Behind the bytes, the stream may have ended: a short read is not the last one.
    BytesAndEnd,
}

/// Bytes that wait to be decoded.
struct Backlog {
    bytes: Vec<u8>,
    arrived: Instant,
}

/// The payload of a ping.
type PingPayload = arrayvec::ArrayVec<u8, MAX_CONTROL_BYTES>;

/// One connection's reading side.
pub(in crate::net) struct Reader<H: Handler> {
    connection: Arc<Connection>,
    handler: H,
    /// [`Handler::closed`] was called.
    has_reported_close: bool,
    metrics: Arc<Metrics>,
    policy: ReadPolicy,
    decoder: FrameDecoder,
    flood: FloodDetector,
    /// Boxed, to stay away from the memory that every tick touches.
    keepalive: Box<Keepalive>,
    state: ReaderState,
    /// Until then nothing is due, unless bytes arrive or another thread changes the connection.
    quiet_until: Instant,
    /// [`Connection::has_hello`] as of the last call.
    has_hello: bool,
    unread: Unread,
    /// Bytes that were read and not decoded, because the poll had its frames; and when the newest arrived.
    backlog: Option<Box<Backlog>>,
    /// The newest ping of this poll, which is answered at its end.
    unanswered_ping: Option<Box<PingPayload>>,
    /// Held for as long as the connection is served.
    _open: OpenGuard,
    permit: Arc<ConnectionPermit>,
}

impl<H: Handler> Reader<H> {
    /// A reader for a connection that has just opened. `early_bytes` came behind the handshake, before its
    /// answer.
    pub(in crate::net) fn new(
        connection: Arc<Connection>,
        handler: H,
        early_bytes: Bytes,
        settings: ReaderSettings,
        metrics: Arc<Metrics>,
        open: OpenGuard,
        permit: Arc<ConnectionPermit>,
    ) -> Self {
        let now = Instant::now();
        let max_messages = settings.reading.max_messages_per_second;
        let mut reader = Self {
            handler,
            has_reported_close: false,
            metrics,
            policy: settings.reading,
            decoder: FrameDecoder::new(settings.frames),
            flood: FloodDetector::new(max_messages.unwrap_or(u32::MAX), now),
            keepalive: Box::new(Keepalive::new(settings.keepalive, now)),
            state: ReaderState::Open,
            connection,
            quiet_until: now,
            has_hello: false,
            unread: Unread::Bytes,
            backlog: None,
            unanswered_ping: None,
            _open: open,
            permit,
        };
        reader.decode(&mut Vec::from(early_bytes), now);
        reader
    }

    /// Whether reading waits until the peer takes what was sent to it.
    fn is_paused(&self) -> bool {
        self.connection.pending_bytes() > self.policy.pause_above_bytes
    }

    /// Decodes what waits since the last poll, up to the frames of one poll.
    fn decode_backlog(&mut self) {
        if let Some(mut backlog) = self.backlog.take() {
            self.decode(&mut backlog.bytes, backlog.arrived);
        }
    }

    /// Reads what has arrived, up to the reads of one poll.
    fn read(&mut self) {
        BUFFERS.with_borrow_mut(|buffers| {
            for _ in 0..self.policy.reads_per_poll {
                if self.unread == Unread::Nothing || self.is_paused() || self.backlog.is_some() {
                    return;
                }
                let received = self.connection.receive(buffers);
                if !self.handle_received(received) {
                    return;
                }
            }
        });
    }

    /// Handles the result of a read. `false`: the stream has ended, and nothing more may be read.
    fn handle_received(&mut self, received: io::Result<Received<'_>>) -> bool {
        match received {
            Ok(Received::Bytes {
                bytes,
                may_have_more,
                arrived,
            }) => {
                if self.unread != Unread::BytesAndEnd {
                    self.unread = if may_have_more {
                        Unread::Bytes
                    } else {
                        Unread::Nothing
                    };
                }
                self.metrics.received_bytes.inc_by(bytes.len() as u64);
                self.decode(bytes, arrived);
            }
            Ok(Received::Nothing) => self.unread = Unread::Nothing,
            Ok(Received::Interrupted) => {}
            Ok(Received::End) => {
                // In good order after a close frame; otherwise the connection is lost.
                self.state = ReaderState::Ended;
                return false;
            }
            Err(_) => {
                self.connection.abort(DisconnectReason::Lost);
                return false;
            }
        }
        true
    }

    /// Decodes bytes, the newest of which arrived at `arrived`, and handles the messages in them.
    fn decode(&mut self, bytes: &mut [u8], arrived: Instant) {
        let (mut at, mut frames) = (0, 0);
        while at < bytes.len()
            && matches!(self.state, ReaderState::Open | ReaderState::AwaitClose(_))
        {
            if frames == self.policy.frames_per_poll {
                let bytes = bytes[at..].to_vec();
                self.backlog = Some(Box::new(Backlog { bytes, arrived }));
                return;
            }
            let event = match self.decoder.next(&mut bytes[at..]) {
                Ok((taken, event)) => {
                    at += taken;
                    frames += usize::from(event.is_some());
                    event
                }
                Err(violation) => return self.close_for_violation(&violation),
            };
            let Some(event) = event else { continue };
            if let FrameEvent::Close(payload) = event {
                let why = match payload.first_chunk() {
                    Some(code) if u16::from_be_bytes(*code) == CloseCode::GoingAway.number() => {
                        DisconnectReason::PageClosed
                    }
                    _ => DisconnectReason::Left,
                };
                // The echo of the peer's close; without effect if we sent a close first.
                self.connection.send_close(&[payload], why);
                self.finish(Instant::now());
                if self.connection.pending_bytes() == 0 {
                    // Both close frames are out, so no unread byte can follow; see `AwaitEnd`.
                    self.state = ReaderState::Ended;
                }
                return;
            }
            if !self.connection.is_open() {
                continue; // Messages between our close frame and the peer's are ignored.
            }
            // A pong that we asked for never counts towards a flood.
            let verdict = match event {
                FrameEvent::Pong(payload) if self.keepalive.is_awaited(payload) => {
                    FloodVerdict::Fine
                }
                _ => self.flood.count(arrived),
            };
            let is_over_limit = self.flood.is_over_limit();
            let connection = &self.connection;
            let result = match event {
                FrameEvent::Binary(payload) => {
                    self.handler.message(payload, arrived, is_over_limit)
                }
                FrameEvent::Text(payload) => self.handler.text(payload),
                // Each answer is a system call, and one read may bring thousands of pings.
                FrameEvent::Ping(_) if is_over_limit => Ok(()),
                FrameEvent::Ping(payload) if self.policy.pongs_once => {
                    let ping = self.unanswered_ping.get_or_insert_default();
                    ping.clear();
                    // The decoder has checked the length.
                    let _ = ping.try_extend_from_slice(payload);
                    Ok(())
                }
                FrameEvent::Ping(payload) => {
                    let _ = connection.send_frame(Opcode::Pong, &[payload]);
                    Ok(())
                }
                FrameEvent::Pong(payload) => {
                    if let Some(rtt) = self.keepalive.pong(arrived, payload) {
                        let kernel = (self.policy.uses_kernel_rtt)
                            .then(|| connection.progress())
                            .flatten();
                        connection.record_pong(arrived, rtt, kernel.map(|path| path.round_trip));
                        self.metrics.rtt.observe(rtt.as_secs_f64());
                    }
                    Ok(())
                }
                FrameEvent::Fragment | FrameEvent::Close(_) => Ok(()),
            };
            if let Err(close) = result {
                self.count_refusal(&close);
                connection.close(&close);
            }
            match verdict {
                FloodVerdict::Fine => {}
                FloodVerdict::Warn => self.handler.flood_warning(),
                FloodVerdict::Flood => {
                    let errors = &self.metrics.protocol_errors;
                    errors.get(ProtocolErrorKind::Flood).inc();
                    self.permit.record_flood(clock::now());
                    self.connection.close(&Close::new(
                        CloseCode::Policy,
                        "too many messages; send at most one a tick",
                    ));
                    // The peer would go on sending instead of answering the close: nothing more is decoded.
                    return self.finish(Instant::now());
                }
            }
        }
    }

    fn count_refusal(&self, close: &Close) {
        let kind = match close.code {
            CloseCode::Malformed => ProtocolErrorKind::Malformed,
            CloseCode::WrongOrder => ProtocolErrorKind::Order,
            CloseCode::TextMessage => ProtocolErrorKind::Text,
            _ => return,
        };
        self.metrics.protocol_errors.get(kind).inc();
    }

    /// Closes the connection because the peer broke a rule of framing: nothing after that can be decoded.
    fn close_for_violation(&mut self, violation: &Violation) {
        self.metrics.protocol_errors.get(violation.kind()).inc();
        self.connection.close(&violation.close());
        self.finish(Instant::now());
    }

    /// Does what is due after reading, and says when to poll next.
    fn finish_poll(&mut self, now: Instant) -> PollOutcome {
        if let Some(ping) = self.unanswered_ping.take() {
            let _ = self.connection.send_frame(Opcode::Pong, &[&ping]);
        }
        self.advance(now);
        if matches!(self.state, ReaderState::Ended) {
            PollOutcome::Ended
        } else if self.handler.wants_migration() {
            PollOutcome::Migrate
        } else if (self.unread != Unread::Nothing && !self.is_paused()) || self.backlog.is_some() {
            PollOutcome::Again
        } else {
            PollOutcome::At(self.quiet_until)
        }
    }

    fn report_close(&mut self) {
        if !std::mem::replace(&mut self.has_reported_close, true) {
            let why = self.connection.disconnect_reason();
            self.metrics.disconnects.get(why).inc();
            tracing::debug!(
                connection = self.connection.id().0,
                why = why.as_str(),
                "closed"
            );
            self.handler.closed(why);
        }
    }
}

impl<H: Handler> PolledConnection for Reader<H> {
    fn prefetch(&self) {
        tickwire_prefetch::value(&*self.connection);
        self.handler.prefetch();
    }

    fn poll(&mut self, now: Instant, readiness: Readiness) -> PollOutcome {
        let unread = match (readiness.readable, readiness.may_have_ended) {
            (_, true) => Unread::BytesAndEnd,
            (true, false) => Unread::Bytes,
            (false, false) => Unread::Nothing,
        };
        self.unread = self.unread.max(unread);
        // Flushed even if nothing seems to be pending: another thread may be about to find out, under the lock, what the kernel
        // did not take, after the system has reported that there is room.
        if readiness.writable {
            self.connection.flush();
        }
        self.decode_backlog();
        if self.unread != Unread::Nothing && self.backlog.is_none() {
            self.read();
        }
        self.finish_poll(now)
    }

    fn socket(&self) -> Option<Socket<'_>> {
        let may_read = !matches!(self.state, ReaderState::Ended)
            && !self.is_paused()
            && self.backlog.is_none();
        may_read.then(|| self.connection.os_socket())
    }

    fn poll_with(&mut self, now: Instant, read: SocketRead<'_>) -> PollOutcome {
        if self.connection.pending_bytes() > 0 {
            self.connection.flush();
        }
        self.unread = self.unread.max(Unread::Bytes);
        let goes_on = BUFFERS.with_borrow_mut(|buffers| {
            let received = self.connection.decrypt(read, &mut buffers.plaintext);
            self.handle_received(received)
        });
        if goes_on && self.unread != Unread::Nothing {
            self.read();
        }
        self.finish_poll(now)
    }

    fn migrate(mut self: Box<Self>) {
        self.connection.unwatch();
        if let Some(migrate) = self.handler.take_migration() {
            migrate(self);
        }
    }
}

impl<H: Handler> Drop for Reader<H> {
    fn drop(&mut self) {
        freed_memory::count(freed_memory::CONNECTION_BYTES);
        self.connection.end();
        self.metrics
            .sent_bytes
            .inc_by(self.connection.take_sent_bytes());
        self.report_close();
    }
}
