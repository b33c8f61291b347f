//! The reading side of a connection, called by a poller, and by the worker of its room once it has joined one.
//!
//! Bytes come in, are decoded, and complete messages go to the [`Handler`]; pings are answered,
//! pongs measured, rules enforced, and remainders of the outbox flushed when the socket becomes
//! writable. So one place serves both directions and a worker never waits. It lives as long as the
//! connection does: it runs the closing handshake with its deadlines, and calls
//! [`Handler::closed`] exactly once, whatever ended it (a panic included).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tickwire_batch::Socket;

use super::connection::{Connection, ReadBuffers, Received};
use super::flood::{Flood, Verdict};
use super::frame::{Decoder, Event, Opcode, Rules};
use super::handler::Handler;
use super::heartbeat::{Beat, Heartbeat, HeartbeatTimes};
use super::open::Membership;
use super::outbox::Stage;
use super::patience::Patience;
use super::served::{Next, Read, Ready, Served};
use super::slots::Slot;
use super::violation::{ProtocolError, Violation};
use crate::close::{Close, CloseCode, Disconnect};
use crate::metrics::Metrics;

thread_local! {
    static BUFFERS: RefCell<ReadBuffers> = RefCell::new(ReadBuffers::new());
}

/// What holds for one connection.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What the decoder takes.
    pub rules: Rules,
    /// The rhythm of pings.
    pub heartbeat: HeartbeatTimes,
    /// How it is read.
    pub reading: Reading,
}

/// How one connection is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Until when the peer must have been greeted; none: it need not be.
    pub greeting_deadline: Option<Instant>,
    /// How many messages a second are no flood; none: any.
    pub flood_limit: Option<u32>,
    /// Don't read while more than this many bytes wait for the peer. For echo, where each message
    /// makes one; not for games, where inputs must not wait for a slow downlink.
    pub pause_above: usize,
    /// Reads (of up to 16 KiB) at a stretch before other connections get their turn.
    pub reads_per_turn: usize,
}

/// What is waited for, beside bytes.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Messages flow.
    Open,
    /// We have sent a close frame: the peer's must come, whatever else comes before it.
    AwaitClose(Patience),
    /// We have ended our side: bytes are thrown away until the peer ends its own. (Closing a socket
    /// with unread bytes would reset it, and the peer might never see our close frame.)
    AwaitEnd(Patience),
    /// Over.
    Ended,
}

/// One connection's reading side; see the module's head.
pub(super) struct Reader<H: Handler> {
    connection: Arc<Connection>,
    handler: H,
    /// [`Handler::closed`] was called.
    told: bool,
    metrics: Arc<Metrics>,
    how: Reading,
    decoder: Decoder,
    flood: Flood,
    /// Apart from what is touched in every tick.
    heartbeat: Box<Heartbeat>,
    phase: Phase,
    /// Until then nothing is due, if nothing comes and nobody changes the connection.
    quiet_until: Instant,
    is_greeted: bool,
    /// There may be something to read: the socket was not yet seen empty.
    is_readable: bool,
    /// The end may lie behind the bytes, and nobody will tell of it again: a short read is not the last.
    may_have_ended: bool,
    /// The connection's places in what is counted, for as long as it is served.
    _places: (Membership, Arc<Slot>),
}

impl<H: Handler> Reader<H> {
    /// A reader for a connection that has just opened. `early` are bytes that came with the handshake.
    pub(super) fn new(
        connection: Arc<Connection>,
        handler: H,
        early: Bytes,
        terms: Terms,
        metrics: Arc<Metrics>,
        places: (Membership, Arc<Slot>),
    ) -> Self {
        let now = Instant::now();
        let mut reader = Self {
            handler,
            told: false,
            metrics,
            how: terms.reading,
            decoder: Decoder::new(terms.rules),
            flood: Flood::new(terms.reading.flood_limit.unwrap_or(u32::MAX), now),
            heartbeat: Box::new(Heartbeat::new(terms.heartbeat, now)),
            phase: Phase::Open,
            connection,
            quiet_until: now,
            is_greeted: false,
            is_readable: true,
            may_have_ended: false,
            _places: places,
        };
        reader.take(&mut Vec::from(early), now);
        reader
    }

    /// When something is to be done though nothing comes in.
    fn due(&self) -> Instant {
        match self.phase {
            Phase::AwaitClose(patience) | Phase::AwaitEnd(patience) => patience.until(),
            Phase::Open | Phase::Ended => match self.greeting_deadline() {
                Some(deadline) => deadline,
                None => self.heartbeat.due(),
            },
        }
    }

    fn greeting_deadline(&self) -> Option<Instant> {
        (self.how.greeting_deadline).filter(|_| !self.connection.is_greeted())
    }

    /// Whether reading waits for the peer to take what was sent.
    fn is_paused(&self) -> bool {
        self.connection.pending_bytes() > self.how.pause_above
    }

    /// Everything that time, or someone else's call, has made due.
    fn advance(&mut self, now: Instant) {
        let is_greeted = self.connection.is_greeted();
        let is_quiet = self.connection.is_open()
            && matches!(self.phase, Phase::Open)
            && now < self.quiet_until
            && is_greeted == self.is_greeted;
        // This is asked in every tick.
        if is_quiet {
            return;
        }
        self.is_greeted = is_greeted;
        if matches!(self.phase, Phase::Open) {
            self.keep_time(now);
        }
        let pending = self.connection.pending_bytes();
        let is_over = match &mut self.phase {
            Phase::AwaitClose(patience) | Phase::AwaitEnd(patience) => {
                patience.is_over(now, pending)
            }
            Phase::Open | Phase::Ended => false,
        };
        match (self.connection.stage(), self.phase) {
            (Stage::Ended, _) => self.phase = Phase::Ended,
            (Stage::Closing, Phase::Open) => {
                self.phase = Phase::AwaitClose(Patience::new(now, pending));
            }
            // Who took nothing for so long would not take the end of the stream either.
            (_, Phase::AwaitClose(_)) if is_over && pending > 0 => {
                self.connection.abort(Disconnect::Lost);
                self.phase = Phase::Ended;
            }
            (_, Phase::AwaitClose(_)) if is_over => self.finish(now),
            (_, Phase::AwaitEnd(_)) if is_over => self.phase = Phase::Ended,
            _ => {}
        }
        if !self.connection.is_open() {
            self.tell();
        }
        self.quiet_until = self.due();
    }

    fn keep_time(&mut self, now: Instant) {
        // Pings begin with the Hello: before it, the deadline says all.
        if let Some(deadline) = self.greeting_deadline() {
            if now >= deadline {
                self.connection.close(&Close::new(
                    CloseCode::HandshakeTimeout,
                    "no Hello came in time; connect and say Hello at once",
                ));
            }
            return;
        }
        // The time of the call may be some of a tick ago, and a ping's stamp is to be exact.
        match self.heartbeat.poll(Instant::now()) {
            Beat::Nothing => {}
            Beat::Ping(payload) => {
                let _ = self.connection.ping(&payload);
                self.metrics
                    .sent_bytes
                    .inc_by(self.connection.take_sent_bytes());
            }
            Beat::Dead => self.connection.close(&Close::new(
                CloseCode::HeartbeatTimeout,
                "no pong came in time; reconnect and resume",
            )),
        }
    }

    /// Reads what has arrived, up to a turn's worth.
    fn read(&mut self) {
        BUFFERS.with_borrow_mut(|buffers| {
            for _ in 0..self.how.reads_per_turn {
                if !self.is_readable || self.is_paused() {
                    return;
                }
                let received = self.connection.receive(buffers);
                if !self.take_received(received) {
                    return;
                }
            }
        });
    }

    /// Acts on what a read amounts to. `false`: it was the last one.
    fn take_received(&mut self, received: io::Result<Received<'_>>) -> bool {
        match received {
            Ok(Received::Bytes {
                bytes,
                more,
                arrived,
            }) => {
                self.is_readable = more || self.may_have_ended;
                self.metrics.received_bytes.inc_by(bytes.len() as u64);
                self.take(bytes, arrived);
            }
            Ok(Received::Nothing) => (self.is_readable, self.may_have_ended) = (false, false),
            Ok(Received::Interrupted) => {}
            Ok(Received::End) => {
                // Without a close frame before it, it is lost; else this is the good end.
                self.phase = Phase::Ended;
                return false;
            }
            Err(_) => {
                self.connection.abort(Disconnect::Lost);
                return false;
            }
        }
        true
    }

    /// Decodes bytes, the newest of which came at `arrived`, and acts on what they amount to.
    fn take(&mut self, bytes: &mut [u8], arrived: Instant) {
        let mut at = 0;
        while at < bytes.len() && matches!(self.phase, Phase::Open | Phase::AwaitClose(_)) {
            let event = match self.decoder.next(&mut bytes[at..]) {
                Ok((taken, event)) => {
                    at += taken;
                    event
                }
                Err(violation) => return self.refuse(&violation),
            };
            let Some(event) = event else { continue };
            if let Event::Close(payload) = event {
                // Ours, if we sent one before, was the first: then this does nothing.
                self.connection.close_raw(&[payload], Disconnect::Left);
                self.finish(Instant::now());
                if self.connection.pending_bytes() == 0 {
                    // Both have said their last: nothing unread can follow (see AwaitEnd).
                    self.phase = Phase::Ended;
                }
                return;
            }
            if !self.connection.is_open() {
                continue; // What comes before the peer's close frame is of no interest.
            }
            // What was asked for is no flood, however often it is asked.
            let verdict = match event {
                Event::Pong(payload) if self.heartbeat.is_awaited(payload) => Verdict::Fine,
                _ => self.flood.count(arrived),
            };
            let is_excess = self.flood.is_busy();
            let connection = &self.connection;
            let result = match event {
                Event::Binary(payload) => self.handler.message(payload, arrived, is_excess),
                Event::Text(payload) => self.handler.text(payload),
                // Each answer is a system call, and a read may bring thousands.
                Event::Ping(_) if is_excess => Ok(()),
                Event::Ping(payload) => {
                    let _ = connection.send_frame(Opcode::Pong, &[payload]);
                    Ok(())
                }
                Event::Pong(payload) => {
                    if let Some(rtt) = self.heartbeat.pong(arrived, payload) {
                        connection.pong(arrived, rtt);
                        self.metrics.rtt.observe(rtt.as_secs_f64());
                    }
                    Ok(())
                }
                Event::Fragment | Event::Close(_) => Ok(()),
            };
            if let Err(close) = result {
                self.count_refusal(&close);
                connection.close(&close);
            }
            match verdict {
                Verdict::Fine => {}
                Verdict::Warn => self.handler.flood_warning(),
                Verdict::Flood => {
                    self.metrics.protocol_errors.get(ProtocolError::Flood).inc();
                    self.connection.close(&Close::new(
                        CloseCode::Policy,
                        "too many messages; send at most one a tick",
                    ));
                    // It would not stop to answer: nothing more is decoded.
                    return self.finish(Instant::now());
                }
            }
        }
    }

    fn count_refusal(&self, close: &Close) {
        let kind = match close.code {
            CloseCode::Malformed => ProtocolError::Malformed,
            CloseCode::WrongOrder => ProtocolError::Order,
            CloseCode::Unsupported => ProtocolError::Text,
            _ => return,
        };
        self.metrics.protocol_errors.get(kind).inc();
    }

    /// The peer broke a rule of framing: nothing after it can be understood.
    fn refuse(&mut self, violation: &Violation) {
        self.metrics.protocol_errors.get(violation.kind()).inc();
        self.connection.close(&violation.close());
        self.finish(Instant::now());
    }

    /// Ends our side, and waits for the peer to end its own.
    fn finish(&mut self, now: Instant) {
        self.connection.finish(Disconnect::Lost);
        let pending = self.connection.pending_bytes();
        self.phase = Phase::AwaitEnd(Patience::new(now, pending));
    }
}

impl<H: Handler> Served for Reader<H> {
    fn ready(&mut self, now: Instant, ready: Ready) -> Next {
        self.is_readable |= ready.to_read;
        self.may_have_ended |= ready.may_have_ended;
        // Whatever seems to be pending: another thread may be about to find out what the kernel did not take, and there was room
        // for more before it could say so. It holds the lock meanwhile.
        if ready.to_write {
            self.connection.flush();
        }
        if self.is_readable {
            self.read();
        }
        self.carry_on(now)
    }

    fn socket(&self) -> Option<Socket<'_>> {
        let is_served = !matches!(self.phase, Phase::Ended) && !self.is_paused();
        is_served.then(|| self.connection.handle())
    }

    fn ready_with(&mut self, now: Instant, read: Read<'_>) -> Next {
        if self.connection.pending_bytes() > 0 {
            self.connection.flush();
        }
        self.is_readable = true;
        let goes_on = BUFFERS.with_borrow_mut(|buffers| {
            let received = self.connection.unwrap(read, &mut buffers.plain);
            self.take_received(received)
        });
        if goes_on && self.is_readable {
            self.read();
        }
        self.carry_on(now)
    }

    fn prefetch(&self) {
        tickwire_prefetch::near(&*self.connection);
        self.handler.prefetch();
    }

    fn move_on(mut self: Box<Self>) {
        self.connection.unwatch();
        if let Some(to) = self.handler.take_move() {
            to(self);
        }
    }
}

impl<H: Handler> Reader<H> {
    /// What is due after reading, and what comes next.
    fn carry_on(&mut self, now: Instant) -> Next {
        self.advance(now);
        if matches!(self.phase, Phase::Ended) {
            Next::Over
        } else if self.handler.moves() {
            Next::Moves
        } else if self.is_readable && !self.is_paused() {
            Next::Soon
        } else {
            Next::At(self.quiet_until)
        }
    }

    fn tell(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            let why = self.connection.why();
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

impl<H: Handler> Drop for Reader<H> {
    fn drop(&mut self) {
        self.connection.end();
        self.metrics
            .sent_bytes
            .inc_by(self.connection.take_sent_bytes());
        self.tell();
    }
}
