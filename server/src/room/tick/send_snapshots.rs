//! The last phase of a tick: builds and sends every session's snapshot.
//!
//! In: the newest frame, and the sessions with their views and congestion windows. Out: bytes on the links, up to [`MAX_GROUP`]
//! snapshots at once, and the record of what was sent. A snapshot counts as sent only once its bytes cannot be taken back: when
//! the kernel took some of them or, under TLS, when they are sealed.

use crate::metrics::DeferReason;
use crate::net::peer::send::{MAX_MESSAGES, SendOutcome, SendRequest};
use crate::room::Room;
use crate::room::link::Link;
use crate::room::messages::write_heartbeat;
use crate::room::session::Session;
use arrayvec::ArrayVec;
use std::cell::Cell;
use std::ops::Range;
use tickwire_prefetch as prefetch;
use tickwire_recording::Sending;
use tickwire_sync::Micros;
use tickwire_sync::encode::Header;
use tickwire_sync::interest::{CellPrioritizer, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;

/// Snapshots that are sent together. The first one waits while the others are built, some 50 us.
const MAX_GROUP: usize = 64;
/// Reliable messages that go to one session in one tick; the others follow with the next ticks.
const MAX_RELIABLE: usize = 4;
/// No further reliable message follows in the same tick once they have this many bytes.
const MAX_RELIABLE_BYTES: usize = 8 * 1024;
/// A link takes codebooks, heartbeat, reliable messages and a snapshot together.
const _: () = assert!(MAX_MESSAGES == MAX_RELIABLE + 3);

/// A snapshot that waits to be sent.
#[derive(Debug)]
struct BuiltSnapshot {
    /// The index of its session.
    session: usize,
    header: Header,
    /// New codebooks go before it in the same packet, because the client cannot read it without them.
    with_codebooks: bool,
    /// The `Heartbeat` goes before it in the same packet, which is cheaper than a packet of its own.
    with_heartbeat: bool,
    /// Its place in [`SendScratch::bytes`]; empty: the session gets its other messages and no snapshot.
    bytes: Range<usize>,
    /// The session's reliable messages in [`SendScratch::reliable`]; they go before the snapshot.
    reliable: Range<usize>,
    cells_deferred: u64,
}

/// A reliable message that waits to be sent.
#[derive(Debug)]
struct BuiltMessage {
    number: u32,
    /// Its place in [`SendScratch::bytes`].
    bytes: Range<usize>,
}

/// Memory that snapshots are built in. Nothing in it outlives a tick, so all rooms of a thread share one, which is still in the
/// core's cache when the next room ticks. It is out of its place while a room uses it: where a game panics, it is dropped with all
/// that was built, and nothing of it reaches another room.
#[derive(Default)]
struct SendScratch {
    /// The tick's `Heartbeat`.
    heartbeat: Vec<u8>,
    snapshot: SnapshotBuilder,
    prioritizer: CellPrioritizer,
    /// Snapshots that are built and not sent yet.
    built: ArrayVec<BuiltSnapshot, MAX_GROUP>,
    reliable: Vec<BuiltMessage>,
    bytes: Vec<u8>,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<SendScratch>>> = const { Cell::new(None) };
}

impl<L: Link> Room<L> {
    /// Sends each session the delta to the newest frame, as far as its congestion window and its socket take it.
    pub(in crate::room) fn send_snapshots(&mut self, now: Micros) {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        self.send_snapshots_with(&mut scratch, now);
        SCRATCH.set(Some(scratch));
    }

    fn send_snapshots_with(&mut self, scratch: &mut SendScratch, now: Micros) {
        write_heartbeat(self.tick, now, &mut scratch.heartbeat);
        let count = self.sessions.len();
        // The first session gets the freshest snapshot, so the sessions take turns at being first.
        let first = if count == 0 {
            0
        } else {
            self.tick.0 as usize % count
        };
        self.stats.players = 0;
        for index in (first..count).chain(0..first) {
            prefetch::ahead(
                &self.sessions,
                index,
                Session::prefetch_for_snapshot,
                Session::prefetch_snapshot_pointees,
            );
            self.build_snapshot(scratch, index, now);
            if scratch.built.is_full() {
                self.send_built(scratch, now);
            }
        }
        self.send_built(scratch, now);
        if self.has_waiting_messages {
            let waits = |one: &Session<L>| one.is_connected() && one.reliable.has_waiting();
            self.has_waiting_messages = self.sessions.iter().any(waits);
        }
    }

    /// Counts the snapshots of a tick that is not replicated, and sends the heartbeats that are due with it.
    pub(in crate::room) fn defer_snapshots(&mut self, now: Micros) {
        let tick_rate = self.settings.tick_rate;
        self.stats.players = 0;
        let mut heartbeat = Vec::new();
        write_heartbeat(self.tick, now, &mut heartbeat);
        for index in 0..self.sessions.len() {
            let session = &mut self.sessions[index];
            if !session.is_connected() {
                continue;
            }
            self.stats.players += 1;
            self.stats.count_deferred(DeferReason::Late);
            session.schedule_view_hash(self.tick, &self.settings);
            if session.is_heartbeat_due(self.tick, tick_rate) {
                session.send(&heartbeat);
            }
            self.record_deferred(index, Sending::Late);
        }
    }

    /// Builds one session's snapshot, if it may have one now.
    fn build_snapshot(&mut self, scratch: &mut SendScratch, index: usize, now: Micros) {
        let SendScratch {
            heartbeat,
            snapshot,
            prioritizer,
            built,
            reliable,
            bytes,
        } = scratch;
        let session = &mut self.sessions[index];
        if !session.is_connected() {
            return;
        }
        self.stats.players += 1;
        let with_heartbeat = session.is_heartbeat_due(self.tick, self.settings.tick_rate);
        if session.awaits_map(&self.welcome_parts.map, now) {
            if with_heartbeat {
                session.send(heartbeat);
            }
            return self.record_deferred(index, Sending::Map);
        }
        let first_message = reliable.len();
        if self.has_waiting_messages {
            build_messages(session, reliable, bytes);
        }
        let messages = first_message..reliable.len();
        let area: InterestArea = self.game.interest_area(session.player);
        session.view.update_interest(&self.schema.grid, area);
        session.schedule_view_hash(self.tick, &self.settings);
        if !session.window.request_send(now) {
            self.stats.count_deferred(DeferReason::CongestionWindow);
            if !messages.is_empty() {
                built.push(BuiltSnapshot {
                    session: index,
                    header: session.header(),
                    with_codebooks: false,
                    with_heartbeat,
                    bytes: 0..0,
                    reliable: messages,
                    cells_deferred: 0,
                });
            } else if with_heartbeat {
                session.send(heartbeat);
            }
            return;
        }
        let header = session.header();
        match session.window.byte_budget() {
            None => prioritizer.defer_nothing(&mut session.view, &self.schema.grid),
            Some(bytes) => prioritizer.select(
                &mut session.view,
                &self.history,
                &mut self.block_cache,
                session.encoding,
                area.focus,
                header.owner,
                bytes,
            ),
        }
        snapshot.build(
            &mut session.view,
            &self.history,
            &mut self.block_cache,
            session.encoding,
            header,
            |cell| prioritizer.defers(cell),
        );
        let start = bytes.len();
        snapshot.append_to(&self.block_cache, bytes);
        built.push(BuiltSnapshot {
            session: index,
            header,
            with_codebooks: session.needs_codebooks(self.codebooks.version),
            with_heartbeat,
            bytes: start..bytes.len(),
            reliable: messages,
            cells_deferred: prioritizer.deferred_count() as u64,
        });
    }

    /// Sends the snapshots that are built, and records what the sockets took.
    fn send_built(&mut self, scratch: &mut SendScratch, now: Micros) {
        let SendScratch {
            heartbeat,
            built,
            reliable,
            bytes,
            ..
        } = scratch;
        // A link goes only between ticks; this keeps requests and outcomes in step even if that changes.
        built.retain(|built| self.sessions[built.session].is_connected());
        let requests = built.iter().filter_map(|built| {
            let session = &self.sessions[built.session];
            let codebooks = (built.with_codebooks)
                .then(|| self.codebooks.update_message(session.codebooks_version));
            let heartbeat = built.with_heartbeat.then_some(&**heartbeat);
            let reliable = reliable[built.reliable.clone()].iter();
            let reliable = reliable.map(|message| &bytes[message.bytes.clone()]);
            let snapshot = (!built.bytes.is_empty()).then(|| &bytes[built.bytes.clone()]);
            let messages = (codebooks.into_iter().chain(heartbeat))
                .chain(reliable)
                .chain(snapshot);
            Some(SendRequest {
                link: &**session.link()?,
                messages: messages.collect(),
                outcome: SendOutcome::Closed,
            })
        });
        // Extended in place: a collected `ArrayVec` would be moved with all its vacant places.
        let mut group = ArrayVec::<SendRequest<'_, L>, MAX_GROUP>::new();
        group.extend(requests);
        L::try_send(&mut group);
        let mut outcomes = ArrayVec::<SendOutcome, MAX_GROUP>::new();
        outcomes.extend(group.iter().map(|request| request.outcome));
        drop(group);
        for (index, (one, outcome)) in built.iter().zip(outcomes).enumerate() {
            if let Some(following) = built.get(index + 2) {
                self.sessions[following.session].prefetch_for_sent();
            }
            let session = &mut self.sessions[one.session];
            match outcome {
                SendOutcome::Sent => {
                    if let Some(last) = reliable[one.reliable.clone()].last() {
                        session.reliable.mark_sent(last.number, self.tick);
                    }
                    let length = one.bytes.len();
                    if length == 0 {
                        continue;
                    }
                    session.snapshot_sent(&self.history, length, one.header, now);
                    if one.with_codebooks {
                        session.codebooks_version = self.codebooks.version;
                    }
                    self.stats.snapshots += 1;
                    self.stats.cells_deferred += one.cells_deferred;
                    self.stats.snapshot_bytes += length as u64;
                    self.record_sent(one.session, length, one.header.with_view_hash);
                }
                SendOutcome::WouldBlock => {
                    if !one.bytes.is_empty() {
                        self.stats.count_deferred(DeferReason::Socket);
                    }
                    if one.with_heartbeat {
                        session.send(heartbeat);
                    }
                    if !one.bytes.is_empty() {
                        self.record_deferred(one.session, Sending::Socket);
                    }
                }
                // The connection's reader puts that into the inbox soon.
                SendOutcome::Closed => self.record_deferred(one.session, Sending::Closed),
            }
        }
        built.clear();
        reliable.clear();
        bytes.clear();
    }
}

/// Appends the session's reliable messages that go with this tick.
fn build_messages<L: Link>(
    session: &Session<L>,
    reliable: &mut Vec<BuiltMessage>,
    bytes: &mut Vec<u8>,
) {
    let (first, mut start) = (reliable.len(), bytes.len());
    let first_byte = start;
    session.reliable.append_waiting(bytes, |number, message| {
        let end = start + message.len();
        reliable.push(BuiltMessage {
            number,
            bytes: start..end,
        });
        start = end;
        reliable.len() - first < MAX_RELIABLE && end - first_byte < MAX_RELIABLE_BYTES
    });
}
