//! The room's ticks, as a worker makes them: by deadline, late ones too, none while nobody is connected.
//!
//! In: ticks that are due. Out: packets on the connections, and the checks that follow each tick.

use super::World;
use super::events::Event;
use crate::invariants::{
    SentSnapshot, coins_conserve, memory_is_bounded, parts_are_complete,
    parts_are_for_those_who_take_them, sessions_are_those_of_the_game, view_is_the_interest,
};
use crate::model::Peer;
use tickwire_sync::{Micros, Tick};

/// Late ticks that are made in one turn before ticks are skipped, as in a worker.
const MAX_CATCH_UP_TICKS: u32 = 3;

impl World {
    pub(super) fn plan_tick(&mut self) {
        let next = self
            .server
            .tick_now()
            .next()
            .max(self.server.tick_at(self.now).next());
        let due = Micros(self.server.ticks.due_us(next).ceil() as u64);
        let room = self.server.number;
        let soonest = self.now.plus(Micros(1));
        self.events.plan(due.max(soonest), Event::Tick { room });
    }

    /// Makes the ticks that are due.
    pub(super) fn tick_is_due(&mut self, number: u32) {
        if number != self.server.number || !self.server.is_up() {
            return;
        }
        let now = self.now;
        if now < self.server.stands_until {
            self.events
                .plan(self.server.stands_until, Event::Tick { room: number });
            return;
        }
        if self.server.rests(now) {
            self.rest();
        } else {
            let last = self.server.tick_now();
            let newest = self.server.tick_at(now).max(last.next());
            let late = newest.since(last) - 1;
            let skips = late > MAX_CATCH_UP_TICKS;
            let oldest = if skips { newest } else { last.next() };
            let replicates_all = !std::mem::replace(&mut self.server.was_late, late > 0);
            for tick in (oldest.0..=newest.0).map(Tick) {
                self.make_tick(tick, tick == newest || replicates_all);
                if self.failure.is_some() {
                    return;
                }
            }
        }
        self.plan_tick();
    }

    fn rest(&mut self) {
        let now = self.now;
        if let Some(room) = &mut self.server.room {
            room.expire_absent(now);
        }
        self.read_ledger();
        self.flush_all();
    }

    fn make_tick(&mut self, tick: Tick, is_replicated: bool) {
        let now = self.now;
        let Some(room) = &mut self.server.room else {
            return;
        };
        room.tick(tick, now, || now);
        self.server.made = tick;
        self.server.keep_frame();
        self.read_ledger();
        let Some(room) = &mut self.server.room else {
            return;
        };
        if is_replicated {
            room.replicate(now, || now);
        } else {
            room.skip_replication(now, || now);
        }
        let _ = room.take_stats();
        self.check_room(tick);
        self.keep_room_if_due(tick);
        self.flush_all();
        self.outcome.ticks += 1;
    }

    /// Checks what must be true of the room after each tick, and notes what was sent.
    fn check_room(&mut self, tick: Tick) {
        let (coins, error) = self
            .server
            .with_ledger(|ledger| (ledger.coins, ledger.save_error.take()));
        self.check("coins_conserve", None, coins_conserve(coins));
        if let Some(error) = error {
            self.check("rooms_can_be_saved", None, Err(error.to_string()));
        }
        let Some(room) = self.server.room.take() else {
            return;
        };
        let verdict = sessions_are_those_of_the_game(
            room.sessions().iter().map(|one| one.player),
            self.server.alive.iter().copied(),
        );
        self.check("sessions_are_those_of_the_game", None, verdict);
        let grid = room.history().schema().grid;
        let mut is_attended = false;
        for session in room.sessions() {
            let player = session.player;
            let key = self.server.key(player);
            let view = session.view();
            let parts = parts_are_complete(&grid, view.baselines().map(|(cell, _)| cell));
            let (cells, parted) = match parts {
                Ok(parts) => parts,
                Err(message) => {
                    self.check("parts_are_complete", Some(key), Err(message));
                    break;
                }
            };
            let verdict = memory_is_bounded(&session.footprint(), cells.len(), grid.cell_count());
            self.check("memory_is_bounded", Some(key), verdict);
            is_attended |= session.is_connected();
            let connection = self.server.connection_of(player);
            let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) else {
                continue;
            };
            let is_honest = matches!(connection.peer, Peer::Honest(_));
            if is_honest && session.is_connected() {
                self.outcome.client_ticks += 1;
            }
            if !connection.link.take_snapshot_sent() {
                continue;
            }
            let (area, owned) = self.server.with_ledger(|ledger| {
                let owned = ledger.private_lanes.get(&player).cloned();
                (
                    ledger.areas.get(&player).copied(),
                    owned.unwrap_or_default(),
                )
            });
            let takes_parts = connection.takes_parts;
            let verdict = parts_are_for_those_who_take_them(takes_parts, &parted);
            if is_honest {
                let cells = view.baselines();
                let cells = cells.filter_map(|(cell, at)| Some((cell, at?))).collect();
                connection.sent.push_back(SentSnapshot {
                    tick,
                    cells,
                    parted,
                    owned,
                    is_full: false,
                    added: Vec::new(),
                });
            }
            self.check("parts_are_for_those_who_take_them", Some(key), verdict);
            let verdict = match area {
                Some(area) => view_is_the_interest(&grid, &area, &cells),
                None => Err("a snapshot went to a player whom the game does not know".to_owned()),
            };
            self.check("view_is_the_interest", Some(key), verdict);
        }
        self.server.room = Some(room);
        if is_attended {
            self.server.unattended_since = None;
        } else {
            self.server.unattended_since.get_or_insert(self.now);
        }
    }
}
