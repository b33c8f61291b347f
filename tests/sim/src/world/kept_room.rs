//! A room with its sessions, as a checkpoint keeps it, and what the simulator knew of the sessions when it was saved.
//!
//! In: the room between two ticks. Out: after a restart a room that goes on from there. What happened after a checkpoint is lost to the
//! room, and known to the clients: they must get nothing twice, and nothing under a number that they know.

use super::World;
use super::server::room_settings;
use crate::game::RecordedGame;
use crate::model::{Life, SessionModel};
use std::collections::BTreeMap;
use tickwire_server::internals::{Moment, RestorePoint, Room};
use tickwire_sync::{PlayerId, Seq, Tick};

/// From one checkpoint to the next, in ticks.
const INTERVAL_TICKS: u32 = 41;

/// A saved room.
#[derive(Debug)]
pub(super) struct KeptRoom {
    state: Vec<u8>,
    sessions: BTreeMap<PlayerId, KeptSession>,
    /// How often players saw what came after it.
    skips: u32,
}

/// What was known of a session.
#[derive(Clone, Copy, Debug)]
struct KeptSession {
    life: Life,
    applied: Option<(Seq, Tick)>,
    newest_command: Option<u32>,
    letters: usize,
}

impl World {
    /// Saves the room, if its time has come.
    pub(super) fn keep_room_if_due(&mut self, tick: Tick) {
        if self.plan.keeps_rooms && tick.0.is_multiple_of(INTERVAL_TICKS) {
            self.keep_room();
            // What comes now is seen.
            if let Some(kept) = &mut self.server.kept {
                kept.skips = 1;
            }
        }
    }

    /// Saves the room as it is.
    pub(super) fn keep_room(&mut self) {
        let Some(room) = &self.server.room else {
            return;
        };
        let mut state = Vec::new();
        let saved = room.save(self.moment(), &mut state);
        let saved = saved.map_err(|error| error.to_string());
        self.check("rooms_can_be_saved", None, saved);
        let known = |player: &PlayerId| {
            let model = self.models.get(&self.server.key(*player))?;
            let kept = KeptSession {
                life: model.life,
                applied: model.applied,
                newest_command: model.newest_command,
                letters: model.letters.len(),
            };
            Some((*player, kept))
        };
        self.server.kept = Some(KeptRoom {
            state,
            sessions: self.server.alive.iter().filter_map(known).collect(),
            skips: 0,
        });
    }

    /// Makes the room again from its newest state.
    pub(super) fn restore_room(&mut self, mut kept: KeptRoom) -> Result<(), String> {
        let settings = self.server.game_settings(&self.plan);
        let (game, ledger) = RecordedGame::new(&settings, self.plan.crowd_size, None)
            .map_err(|error| error.to_string())?;
        let mut secret = [0; 32];
        self.random.fill(&mut secret);
        let point = RestorePoint {
            tick: self.server.tick_at(self.now).max(self.server.made),
            skips: kept.skips,
            keeps_clients: true,
            moment: self.moment(),
        };
        self.server.ledger = ledger;
        self.go_back(&kept);
        let restored = Room::restore(
            "simulated",
            room_settings(&self.plan),
            Box::new(game),
            self.server.ticks,
            secret,
            &kept.state,
            point,
        );
        self.server.room = Some(restored.map_err(|error| error.to_string())?);
        self.server.connections.clear();
        self.server.unattended_since = Some(self.now);
        self.server.was_late = false;
        self.server.made = point.tick;
        (self.server).with_ledger(|ledger| ledger.know(kept.sessions.keys().copied()));
        // The game was told who is away now.
        self.read_ledger();
        // A server that ends before it saves the room again starts from the same state.
        kept.skips += 1;
        self.server.kept = Some(kept);
        self.outcome.restored_rooms += 1;
        Ok(())
    }

    /// Forgets what happened in the room after it was saved.
    fn go_back(&mut self, kept: &KeptRoom) {
        let room = self.server.number;
        self.models
            .retain(|key, _| key.room != room || kept.sessions.contains_key(&key.player));
        self.server.alive = kept.sessions.keys().copied().collect();
        for (player, then) in &kept.sessions {
            if let Some(model) = self.models.get_mut(&self.server.key(*player)) {
                then.replace(model);
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            unix_ms: self.now.0 / 1_000,
        }
    }
}

impl KeptSession {
    fn replace(&self, model: &mut SessionModel) {
        model.life = self.life;
        model.applied = self.applied;
        // The game of that time has got commands since, which their client does not keep.
        if model.newest_command != self.newest_command {
            model.lost_commands_below = model.lost_commands_below.max(model.given_command);
        }
        model.newest_command = self.newest_command;
        model.letters.truncate(self.letters);
        model.received = model.received.min(self.letters);
        model.lost_letters_below = model.lost_letters_below.min(self.letters);
    }
}
