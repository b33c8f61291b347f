//! How a room ends at this worker: empty, failed, too old, drained, or gone on at another node.
//!
//! In: what has happened to the room. Out: players who are told what to do, a last checkpoint where there are checkpoints, and whether the
//! worker may drop the room.

use super::{Activity, GaugeShare, REST_AFTER, RoomRunner};
use crate::clock::now;
use crate::metrics::Metrics;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tickwire_sync::{Micros, Tick};

/// A room that has been empty for this long ends.
const EMPTY_ROOM_LIFETIME: Micros = Micros::from_millis(60_000);
/// How long players of a failed room wait before they come again.
const RECONNECT_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// A room ends after this tick: well before the numbers are used up, so that no sum of ticks overflows.
const LAST_TICK: u32 = u32::MAX - (1 << 24);

impl RoomRunner {
    /// Whether the room has been empty for long enough to end. If so, its entry says so before anyone else can join.
    pub fn is_over(&mut self, now: Micros) -> bool {
        if self.activity == Activity::Closed {
            return self.connections.is_empty();
        }
        if self.gauge_share.players > 0 {
            self.unattended_since = None;
        } else {
            self.unattended_since.get_or_insert(now);
            if self.has_been_ended() {
                return true;
            }
        }
        if !self.room.sessions().is_empty() {
            self.empty_since = None;
            return false;
        }
        let since = *self.empty_since.get_or_insert(now);
        if now.since(since) < EMPTY_ROOM_LIFETIME {
            return false;
        }
        let mut has_ended = self
            .entry
            .has_ended
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *has_ended = self.entry.joining.load(Ordering::Acquire) == 0
            && !self.entry.seats.is_any_reserved(now);
        *has_ended
    }

    /// Whether the lobby has ended the room, because others need its place.
    fn has_been_ended(&self) -> bool {
        let has_ended = self.entry.has_ended.read();
        *has_ended.unwrap_or_else(PoisonError::into_inner)
    }

    /// A room whose game has panicked goes on from its last checkpoint, or ends: its players come again, to it or to a new room of this
    /// name.
    pub fn fail(&mut self, metrics: &Metrics) {
        let tick = self.room.tick_now();
        metrics.rooms_failed.inc();
        if self.restart(metrics) {
            return;
        }
        tracing::error!(
            room = self.room.name(),
            tick = tick.0,
            "the game panicked, and its room ends with it"
        );
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.set_aside(self.room.name());
        }
        self.close("the room has failed; a new one opens", metrics);
    }

    /// Puts a room that is made of the last checkpoint in the place of one that has failed. `false`: there is none.
    fn restart(&mut self, metrics: &Metrics) -> bool {
        let (now, failed) = (now(), &self.room);
        let by_clock = failed.tick_clock().ticks_at(now.0 as f64).max(0.0) as u32;
        // Players have seen the ticks of the failed room.
        let tick = failed.tick_now().max(Tick(by_clock));
        let checkpoints = self.checkpoints.as_mut();
        let Some(restored) =
            checkpoints.and_then(|checkpoints| checkpoints.restart(failed.name(), tick, now))
        else {
            return false;
        };
        let reason =
            "the room has failed and goes on from where it was saved; you will be back in a moment";
        self.room.say_goodbye(reason, RECONNECT_AFTER_FAILURE);
        drop_room(std::mem::replace(&mut self.room, restored), metrics);
        // It makes ticks as soon as somebody is back.
        self.activity = Activity::Resting;
        self.unattended_since = Some(Micros(now.0.saturating_sub(REST_AFTER.0)));
        self.count_sessions(metrics);
        true
    }

    /// The process ends: says goodbye to the players, and saves the room as they leave it, if it has checkpoints. It makes no ticks then.
    /// May panic as the game does.
    pub fn say_last_goodbye(&mut self, reason: &str, reconnect_after: Duration) {
        self.room.say_goodbye(reason, reconnect_after);
        if let Some(checkpoints) = &mut self.checkpoints
            && self.activity != Activity::Closed
        {
            self.activity = Activity::Closed;
            self.entry.state.end();
            checkpoints.save_last(&self.room, self.delivered);
        }
    }

    /// Saves the room as it is for another node, and leaves the players to it. It makes no ticks here any more. May panic as the game does.
    pub fn hand_over(&mut self, reason: &str) {
        if self.activity == Activity::Closed {
            return;
        }
        self.room.send_waiting_messages();
        if let Some(checkpoints) = &mut self.checkpoints {
            self.activity = Activity::Closed;
            self.entry.state.end();
            checkpoints.save_last(&self.room, self.delivered);
            self.room.hand_over_players(reason);
        } else {
            self.room.say_goodbye(reason, Duration::ZERO);
        }
    }

    /// The room goes on at another node, from a state that was saved before: this one shows its players nothing more.
    pub fn abandon(&mut self, metrics: &Metrics) {
        tracing::warn!(
            room = self.room.name(),
            tick = self.room.tick_now().0,
            "another node owns the room now"
        );
        self.close(
            "the room goes on at another server; you will be back in a moment",
            metrics,
        );
    }

    /// Ends a room whose ticks are used up: its players come again, into a new room of this name.
    pub fn retire(&mut self, metrics: &Metrics) {
        tracing::info!(
            room = self.room.name(),
            "the room is too old and ends; a new one opens"
        );
        self.close("the room is very old; a new one opens", metrics);
    }

    /// Whether the room's ticks are nearly used up: their numbers have 32 bits. A new room begins anew.
    pub fn is_out_of_ticks(&self) -> bool {
        self.room.tick_now().0 > LAST_TICK
    }

    /// The room has ended for good.
    pub fn forget_checkpoint(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.forget(self.room.name());
        }
    }

    fn close(&mut self, reason: &str, metrics: &Metrics) {
        self.activity = Activity::Closed;
        let has_ended = self.entry.has_ended.write();
        *has_ended.unwrap_or_else(PoisonError::into_inner) = true;
        self.room.say_goodbye(reason, RECONNECT_AFTER_FAILURE);
        self.set_gauge_share(GaugeShare::default(), metrics);
        self.entry.state.end();
    }
}

/// Drops a room. The game's own `Drop` may panic too.
pub(in crate::worker) fn drop_room(room: impl Sized, metrics: &Metrics) {
    if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
        tracing::error!("the game panicked while it was dropped");
        metrics.rooms_failed.inc();
    }
}
