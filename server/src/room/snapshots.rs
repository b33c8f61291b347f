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
use std::ops::Range;
use tickwire_prefetch as prefetch;
use tickwire_sync::Micros;
use tickwire_sync::snapshot::Header;
use tickwire_sync::view::Sight;

/// Snapshots that are sent together. The first one waits while the others are built, some 50 us.
pub(super) const SENT_TOGETHER: usize = 64;

/// A snapshot that is to be sent.
#[derive(Debug)]
pub(super) struct Built {
    /// Whose, as an index.
    session: usize,
    header: Header,
    /// The beat goes with it, as one packet for both is cheaper for everybody.
    with_beat: bool,
    /// Where it is in the room's bytes.
    bytes: Range<usize>,
    cells_held: u64,
}

impl<L: Link> Room<L> {
    /// Sends each session what brings it to the newest frame, as far as its window and its socket take it.
    pub(super) fn send_snapshots(&mut self, now: Micros) {
        beat(self.tick, now, &mut self.beat);
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
            self.build_snapshot(index, now);
            if self.built.is_full() {
                self.send_built(now);
            }
        }
        self.send_built(now);
    }

    /// What is due with this tick though no snapshot goes out.
    pub(super) fn note_unseen(&mut self, now: Micros) {
        beat(self.tick, now, &mut self.beat);
        let tick_rate = self.settings.tick_rate;
        self.stats.players = 0;
        for session in self.sessions.iter_mut().filter(|one| one.is_connected()) {
            self.stats.players += 1;
            self.stats.count_deferred(Deferred::Late);
            session.owe_view_hash(self.tick, tick_rate);
            if session.beat_is_due(self.tick, tick_rate) {
                session.send(&self.beat);
            }
        }
    }

    /// Builds one session's snapshot, if it may have one now.
    fn build_snapshot(&mut self, index: usize, now: Micros) {
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
                session.send(&self.beat);
            }
            return;
        }
        let header = session.header();
        match session.window.fill() {
            None => self.fill.everything(),
            Some(bytes) => self.fill.choose(
                &session.view,
                &self.history,
                &mut self.memo,
                session.encoding,
                sight.focus,
                bytes,
            ),
        }
        self.snapshot.build(
            &mut session.view,
            &self.history,
            &mut self.memo,
            session.encoding,
            header,
            |cell| self.fill.holds(cell),
        );
        let start = self.built_bytes.len();
        for part in self.snapshot.parts(&self.memo) {
            self.built_bytes.extend_from_slice(part);
        }
        self.built.push(Built {
            session: index,
            header,
            with_beat,
            bytes: start..self.built_bytes.len(),
            cells_held: self.fill.held_count() as u64,
        });
    }

    /// Sends what was built, and notes what the sockets took.
    fn send_built(&mut self, now: Micros) {
        // A link goes only between ticks; this keeps messages and what became of them in step whatever happens.
        self.built
            .retain(|built| self.sessions[built.session].link.is_some());
        let to_send = self.built.iter().filter_map(|built| {
            let beat = built.with_beat.then_some(&*self.beat);
            let snapshot = &self.built_bytes[built.bytes.clone()];
            Some(ToSend {
                link: &**self.sessions[built.session].link.as_ref()?,
                messages: beat.into_iter().chain([snapshot]).collect(),
                outcome: SendOutcome::Closed,
            })
        });
        let mut to_send: ArrayVec<ToSend<'_, L>, SENT_TOGETHER> = to_send.collect();
        L::try_send(&mut to_send);
        let outcomes: ArrayVec<SendOutcome, SENT_TOGETHER> =
            to_send.iter().map(|one| one.outcome).collect();
        drop(to_send);
        let sessions = &mut self.sessions;
        for (index, (built, outcome)) in self.built.iter().zip(outcomes).enumerate() {
            if let Some(ahead) = self.built.get(index + 2) {
                sessions[ahead.session].prefetch_sent();
            }
            let session = &mut sessions[built.session];
            match outcome {
                SendOutcome::Sent => {
                    let bytes = built.bytes.len();
                    session.sent(&self.history, bytes, built.header, now);
                    self.stats.snapshots += 1;
                    self.stats.cells_held += built.cells_held;
                    self.stats.snapshot_bytes += bytes as u64;
                }
                SendOutcome::WouldBlock => {
                    self.stats.count_deferred(Deferred::Socket);
                    if built.with_beat {
                        session.send(&self.beat);
                    }
                }
                // The reading side says so soon, in the inbox.
                SendOutcome::Closed => {}
            }
        }
        self.built.clear();
        self.built_bytes.clear();
    }
}
