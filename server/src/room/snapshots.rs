//! The last part of a tick: every session's snapshot, built and sent.
//!
//! In: the newest frame, the sessions and their views. Out: bytes on the links, up to [`SENT_TOGETHER`] snapshots at once, and
//! the note of what the sockets took: only that counts as sent.

use super::link::{Link, ToSend};
use super::messages::beat;
use super::{Room, Session};
use crate::metrics::Deferred;
use crate::net::connection::SendOutcome;
use arrayvec::ArrayVec;
use std::cell::RefCell;
use std::ops::Range;
use tickwire_prefetch as prefetch;
use tickwire_sync::Micros;
use tickwire_sync::fill::Fill;
use tickwire_sync::snapshot::{Header, Snapshot};
use tickwire_sync::view::Sight;

/// Snapshots that are sent together. The first one waits while the others are built, some 50 us.
const SENT_TOGETHER: usize = 64;

/// A snapshot that is to be sent.
#[derive(Debug)]
struct Built {
    /// Whose, as an index.
    session: usize,
    header: Header,
    /// New coding tables and the beat go with it, as one packet for all is cheaper for everybody.
    with_tables: bool,
    with_beat: bool,
    /// Where it is in the room's bytes.
    bytes: Range<usize>,
    cells_held: u64,
}

/// What snapshots are built in. Nothing of it lasts beyond a tick, so all rooms of a thread share one, which is near when the next
/// room's turn comes.
#[derive(Default)]
struct Sending {
    /// The tick's beat.
    beat: Vec<u8>,
    snapshot: Snapshot,
    fill: Fill,
    /// Snapshots that are built and not sent yet, and their bytes.
    built: ArrayVec<Built, SENT_TOGETHER>,
    bytes: Vec<u8>,
}

thread_local! {
    static SENDING: RefCell<Sending> = RefCell::default();
}

impl<L: Link> Room<L> {
    /// Sends each session what brings it to the newest frame, as far as its window and its socket take it.
    pub(super) fn send_snapshots(&mut self, now: Micros) {
        SENDING.with_borrow_mut(|sending| self.send_with(sending, now));
    }

    fn send_with(&mut self, sending: &mut Sending, now: Micros) {
        beat(self.tick, now, &mut sending.beat);
        let count = self.sessions.len();
        // Whoever is first gets the freshest snapshots, so everybody is in turn.
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
                Session::prefetch_own_for_snapshot,
                Session::prefetch_snapshot,
            );
            self.build_snapshot(sending, index, now);
            if sending.built.is_full() {
                self.send_built(sending, now);
            }
        }
        self.send_built(sending, now);
    }

    /// What is due with this tick though no snapshot goes out.
    pub(super) fn note_hidden(&mut self, now: Micros) {
        let tick_rate = self.settings.tick_rate;
        self.stats.players = 0;
        let mut bytes = Vec::new();
        beat(self.tick, now, &mut bytes);
        for session in self.sessions.iter_mut().filter(|one| one.is_connected()) {
            self.stats.players += 1;
            self.stats.count_deferred(Deferred::Late);
            session.owe_view_hash(self.tick, tick_rate);
            if session.beat_is_due(self.tick, tick_rate) {
                session.send(&bytes);
            }
        }
    }

    /// Builds one session's snapshot, if it may have one now.
    fn build_snapshot(&mut self, sending: &mut Sending, index: usize, now: Micros) {
        let Sending {
            beat,
            snapshot,
            fill,
            built,
            bytes,
        } = sending;
        let session = &mut self.sessions[index];
        if !session.is_connected() {
            return;
        }
        self.stats.players += 1;
        let with_beat = session.beat_is_due(self.tick, self.settings.tick_rate);
        let sight: Sight = self.game.sight(session.player);
        session.view.aim(&self.schema.grid, sight);
        session.owe_view_hash(self.tick, self.settings.tick_rate);
        if !session.window.may_send(now) {
            self.stats.count_deferred(Deferred::Window);
            if with_beat {
                session.send(beat);
            }
            return;
        }
        let header = session.header();
        match session.window.fill() {
            None => fill.everything(),
            Some(bytes) => fill.choose(
                &session.view,
                &self.history,
                &mut self.memo,
                session.encoding,
                sight.focus,
                bytes,
            ),
        }
        snapshot.build(
            &mut session.view,
            &self.history,
            &mut self.memo,
            session.encoding,
            header,
            |cell| fill.holds(cell),
        );
        let start = bytes.len();
        snapshot.append_to(&self.memo, bytes);
        built.push(Built {
            session: index,
            header,
            with_tables: session.needs_tables(self.tables.version),
            with_beat,
            bytes: start..bytes.len(),
            cells_held: fill.held_count() as u64,
        });
    }

    /// Sends what was built, and notes what the sockets took.
    fn send_built(&mut self, sending: &mut Sending, now: Micros) {
        let Sending {
            beat, built, bytes, ..
        } = sending;
        // A link goes only between ticks; this keeps messages and what became of them in step whatever happens.
        built.retain(|built| self.sessions[built.session].link.is_some());
        let to_send = built.iter().filter_map(|built| {
            let session = &self.sessions[built.session];
            let tables =
                (built.with_tables).then(|| self.tables.message_after(session.tables_version));
            let beat = built.with_beat.then_some(&**beat);
            let snapshot = &bytes[built.bytes.clone()];
            Some(ToSend {
                link: &**session.link.as_ref()?,
                messages: (tables.into_iter().chain(beat)).chain([snapshot]).collect(),
                outcome: SendOutcome::Closed,
            })
        });
        // Filled where they are: collected ones are moved, with all their vacant places.
        let mut together = ArrayVec::<ToSend<'_, L>, SENT_TOGETHER>::new();
        together.extend(to_send);
        L::try_send(&mut together);
        let mut outcomes = ArrayVec::<SendOutcome, SENT_TOGETHER>::new();
        outcomes.extend(together.iter().map(|one| one.outcome));
        drop(together);
        let sessions = &mut self.sessions;
        for (index, (one, outcome)) in built.iter().zip(outcomes).enumerate() {
            if let Some(ahead) = built.get(index + 2) {
                sessions[ahead.session].prefetch_sent();
            }
            let session = &mut sessions[one.session];
            match outcome {
                SendOutcome::Sent => {
                    let length = one.bytes.len();
                    session.sent(&self.history, length, one.header, now);
                    if one.with_tables {
                        session.tables_version = self.tables.version;
                    }
                    self.stats.snapshots += 1;
                    self.stats.cells_held += one.cells_held;
                    self.stats.snapshot_bytes += length as u64;
                }
                SendOutcome::WouldBlock => {
                    self.stats.count_deferred(Deferred::Socket);
                    if one.with_beat {
                        session.send(beat);
                    }
                }
                // The reading side says so soon, in the inbox.
                SendOutcome::Closed => {}
            }
        }
        built.clear();
        bytes.clear();
    }
}
