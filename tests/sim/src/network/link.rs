//! The server's end of a simulated connection, as the room sees it: a kernel buffer of limited size, and the outbox behind it.
//!
//! In: messages of the room, and what the client has read. Out: packets for the wire, and why the server ended the connection.
//! A snapshot is refused as the real outbox refuses it: while anything waits, or the kernel's buffer is full.

use super::wire::Packet;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tickwire_proto::CloseCode;
use tickwire_server::internals::{
    Close, DisconnectReason, Link, MAX_GAME_PENDING_BYTES, RttEstimator, SendOutcome, SendRequest,
};
use tickwire_sync::Micros;

/// The first byte of a `ServerMessage` with a `Snapshot`, which is field 1.
const SNAPSHOT_KEY: u8 = 0x0A;

/// How the server ended a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEnd {
    /// By a close frame.
    Closed(CloseCode),
    /// At once, because the peer reads too slowly.
    TooSlow,
}

/// The server's end of a simulated connection.
#[derive(Debug)]
pub struct SimLink {
    state: Mutex<State>,
    /// The estimator takes instants, of which only the differences count.
    start: Instant,
    /// Bytes that the kernel holds for the client.
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    /// For the simulator to put on the wire.
    outgoing: Vec<Packet>,
    /// Bytes on the wire, or arrived and not yet read.
    in_kernel: usize,
    /// What the kernel has not taken yet.
    pending: VecDeque<Packet>,
    pending_bytes: usize,
    end: Option<LinkEnd>,
    /// Whether a snapshot went in this tick.
    snapshot_sent: bool,
    rtt: RttEstimator,
}

impl State {
    fn push(&mut self, packet: Packet, capacity: usize) {
        if self.pending.is_empty() && self.in_kernel < capacity {
            self.in_kernel += packet.len();
            self.outgoing.push(packet);
        } else {
            self.pending_bytes += packet.len();
            self.pending.push_back(packet);
        }
    }
}

impl SimLink {
    /// A link whose kernel holds `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            start: Instant::now(),
            capacity,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what goes on the wire now.
    pub fn take_outgoing(&self) -> Vec<Packet> {
        std::mem::take(&mut self.lock().outgoing)
    }

    /// The client has read a packet of so many bytes.
    pub fn on_read(&self, bytes: usize) {
        let mut state = self.lock();
        state.in_kernel = state.in_kernel.saturating_sub(bytes);
        while state.in_kernel < self.capacity {
            let Some(packet) = state.pending.pop_front() else {
                break;
            };
            state.pending_bytes -= packet.len();
            state.in_kernel += packet.len();
            state.outgoing.push(packet);
        }
    }

    /// Whether a snapshot went since the last call.
    pub fn take_snapshot_sent(&self) -> bool {
        std::mem::take(&mut self.lock().snapshot_sent)
    }

    /// How the server ended the connection, if it did.
    pub fn end(&self) -> Option<LinkEnd> {
        self.lock().end.clone()
    }

    /// Sends a WebSocket ping.
    pub fn ping(&self, now: Micros) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.push(Packet::Ping(now), self.capacity);
        }
    }

    /// A WebSocket ping that was sent at `sent` is answered.
    pub fn pong(&self, sent: Micros, now: Micros) {
        let at = self.start + Duration::from_micros(now.0);
        self.lock()
            .rtt
            .sample(at, Duration::from_micros(now.since(sent).0), None);
    }

    /// Why the handler of this connection is told that it ended.
    #[must_use]
    pub fn reason(&self) -> DisconnectReason {
        match self.end() {
            Some(LinkEnd::Closed(code)) => code.into(),
            Some(LinkEnd::TooSlow) => DisconnectReason::TooSlow,
            None => DisconnectReason::Lost,
        }
    }
}

impl Link for SimLink {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            let mut state = one.link.lock();
            one.outcome = if state.end.is_some() {
                SendOutcome::Closed
            } else if state.pending.is_empty() && state.in_kernel < one.link.capacity {
                for message in &one.messages {
                    state.snapshot_sent |= message.first() == Some(&SNAPSHOT_KEY);
                    let packet = Packet::Message(message.to_vec());
                    state.in_kernel += packet.len();
                    state.outgoing.push(packet);
                }
                SendOutcome::Sent
            } else {
                SendOutcome::WouldBlock
            };
        }
    }

    fn send(&self, message: &[u8]) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        state.push(Packet::Message(message.to_vec()), self.capacity);
        if state.pending_bytes > MAX_GAME_PENDING_BYTES {
            state.end = Some(LinkEnd::TooSlow);
        }
    }

    fn close(&self, close: &Close) {
        let mut state = self.lock();
        if state.end.is_none() {
            let packet = Packet::Close(close.code.number(), close.reason.to_string());
            state.push(packet, self.capacity);
            state.end = Some(LinkEnd::Closed(close.code));
        }
    }

    fn round_trip(&self) -> Option<Micros> {
        let estimate = self.lock().rtt.estimate()?;
        Some(Micros(estimate.steady.as_micros() as u64))
    }

    fn pending_bytes(&self) -> usize {
        self.lock().pending_bytes
    }
}
