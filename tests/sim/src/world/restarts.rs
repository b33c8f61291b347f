//! The server goes down, in good order or at once, and comes up again with a new room, or with the one that was saved.

use super::World;
use super::connections::ConnectionId;
use super::events::Event;
use std::time::Duration;
use tickwire_server::internals::DisconnectReason;
use tickwire_sync::Micros;

/// Rooms whose sessions are remembered: a cut of some seconds outlasts several restarts.
const KEPT_ROOMS: u32 = 20;

impl World {
    /// The server stops: in good order, or at once.
    pub(super) fn server_goes_down(&mut self) {
        let now = self.now;
        let is_graceful = self.random.bool();
        self.trace.add(
            now,
            None,
            "goes down (in good order)",
            [is_graceful.into(), 0],
        );
        if let Some(room) = &mut self.server.room
            && is_graceful
        {
            room.say_goodbye("the server restarts", Duration::from_millis(500));
        }
        self.read_ledger();
        self.flush_all();
        if is_graceful && self.plan.keeps_rooms {
            self.keep_room();
        }
        self.server.room = None;
        let saved = self.server.with_ledger(|ledger| ledger.saved.take());
        self.server.saved = saved.or(self.server.saved.take());
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            let is_reset = self.random.bool();
            let after = Micros(self.random.u64(1..200_000));
            if let Some(connection) = self.connections.get_mut(&id) {
                if !connection.is_open {
                    continue;
                }
                connection.ingress.closed(DisconnectReason::GoingAway);
            }
            if !is_graceful {
                self.break_connection(id, None, is_reset.then_some(after));
            }
            self.forget(id);
        }
        let down = Micros(self.random.u64(50_000..3_000_000));
        self.events.plan(now.plus(down), Event::ServerUp);
    }

    /// The server is up again, with the saved room or a new one.
    pub(super) fn server_comes_up(&mut self) {
        let kept = self.server.kept.take();
        let goes_on = kept.is_some();
        let opened = match kept {
            Some(kept) => self.restore_room(kept),
            None => self
                .server
                .open_room(&self.plan, &mut self.random, self.now),
        };
        self.trace.add(
            self.now,
            None,
            "is up (room)",
            [self.server.number.into(), 0],
        );
        self.check("rooms_can_be_restored", None, opened);
        if !goes_on {
            // Leaving players are none of the new room's sessions.
            self.server.with_ledger(|ledger| ledger.records.clear());
        }
        // A cut may hold up packets of rooms that are gone.
        let oldest = self.server.number.saturating_sub(KEPT_ROOMS);
        self.models.retain(|key, _| key.room >= oldest);
        self.plan_tick();
    }

    /// The server's thread does not run for a while: what is due meanwhile is late.
    pub(super) fn server_stands_still(&mut self, span: Micros) {
        self.server.stand_still_until(self.now.plus(span));
    }
}
