//! The last phase of a tick: builds and sends every session's snapshot.
//!
//! In: the newest frame, and the sessions with their views and congestion windows. Out: bytes on the links, up to [`MAX_GROUP`]
//! snapshots at once, and the record of what was sent. A snapshot counts as sent only once its bytes cannot be taken back: when
//! the kernel took some of them or, under TLS, when they are sealed.

use crate::metrics::DeferReason;
use crate::net::peer::send::{SendOutcome, SendRequest};
use crate::room::Room;
use crate::room::link::Link;
use crate::room::messages::write_heartbeat;
use crate::room::session::Session;
use arrayvec::ArrayVec;
use std::cell::RefCell;
use std::ops::Range;
use tickwire_prefetch as prefetch;
use tickwire_sync::Micros;
use tickwire_sync::encode::Header;
use tickwire_sync::interest::{CellPrioritizer, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;

/// Snapshots that are sent together. The first one waits while the others are built, some 50 us.
const MAX_GROUP: usize = 64;

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
    /// Its place in [`SendScratch::bytes`].
    bytes: Range<usize>,
    cells_deferred: u64,
}

/// Memory that snapshots are built in. Nothing in it outlives a tick, so all rooms of a thread share one, which is still in the
/// core's cache when the next room ticks.
#[derive(Default)]
struct SendScratch {
    /// The tick's `Heartbeat`.
    heartbeat: Vec<u8>,
    snapshot: SnapshotBuilder,
    prioritizer: CellPrioritizer,
    /// Snapshots that are built and not sent yet.
    built: ArrayVec<BuiltSnapshot, MAX_GROUP>,
    bytes: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<SendScratch> = RefCell::default();
}

impl<L: Link> Room<L> {
    /// Sends each session the delta to the newest frame, as far as its congestion window and its socket take it.
    pub(in crate::room) fn send_snapshots(&mut self, now: Micros) {
        SCRATCH.with_borrow_mut(|scratch| self.send_snapshots_with(scratch, now));
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
    }

    /// Counts the snapshots of a tick that is not replicated, and sends the heartbeats that are due with it.
    pub(in crate::room) fn defer_snapshots(&mut self, now: Micros) {
        let tick_rate = self.settings.tick_rate;
        self.stats.players = 0;
        let mut heartbeat = Vec::new();
        write_heartbeat(self.tick, now, &mut heartbeat);
        for session in self.sessions.iter_mut().filter(|one| one.is_connected()) {
            self.stats.players += 1;
            self.stats.count_deferred(DeferReason::Late);
            session.schedule_view_hash(self.tick, tick_rate);
            if session.is_heartbeat_due(self.tick, tick_rate) {
                session.send(&heartbeat);
            }
        }
    }

    /// Builds one session's snapshot, if it may have one now.
    fn build_snapshot(&mut self, scratch: &mut SendScratch, index: usize, now: Micros) {
        let SendScratch {
            heartbeat,
            snapshot,
            prioritizer,
            built,
            bytes,
        } = scratch;
        let session = &mut self.sessions[index];
        if !session.is_connected() {
            return;
        }
        self.stats.players += 1;
        let with_heartbeat = session.is_heartbeat_due(self.tick, self.settings.tick_rate);
        let area: InterestArea = self.game.interest_area(session.player);
        session.view.update_interest(&self.schema.grid, area);
        session.schedule_view_hash(self.tick, self.settings.tick_rate);
        if !session.window.request_send(now) {
            self.stats.count_deferred(DeferReason::CongestionWindow);
            if with_heartbeat {
                session.send(heartbeat);
            }
            return;
        }
        let header = session.header();
        match session.window.byte_budget() {
            None => prioritizer.defer_nothing(),
            Some(bytes) => prioritizer.select(
                &session.view,
                &self.history,
                &mut self.block_cache,
                session.encoding,
                area.focus,
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
            cells_deferred: prioritizer.deferred_count() as u64,
        });
    }

    /// Sends the snapshots that are built, and records what the sockets took.
    fn send_built(&mut self, scratch: &mut SendScratch, now: Micros) {
        let SendScratch {
            heartbeat,
            built,
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
            let snapshot = &bytes[built.bytes.clone()];
            let messages = codebooks.into_iter().chain(heartbeat).chain([snapshot]);
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
        let sessions = &mut self.sessions;
        for (index, (one, outcome)) in built.iter().zip(outcomes).enumerate() {
            if let Some(following) = built.get(index + 2) {
                sessions[following.session].prefetch_for_sent();
            }
            let session = &mut sessions[one.session];
            match outcome {
                SendOutcome::Sent => {
                    let length = one.bytes.len();
                    session.snapshot_sent(&self.history, length, one.header, now);
                    if one.with_codebooks {
                        session.codebooks_version = self.codebooks.version;
                    }
                    self.stats.snapshots += 1;
                    self.stats.cells_deferred += one.cells_deferred;
                    self.stats.snapshot_bytes += length as u64;
                }
                SendOutcome::WouldBlock => {
                    self.stats.count_deferred(DeferReason::Socket);
                    if one.with_heartbeat {
                        session.send(heartbeat);
                    }
                }
                // The connection's reader puts that into the inbox soon.
                SendOutcome::Closed => {}
            }
        }
        built.clear();
        bytes.clear();
    }
}
