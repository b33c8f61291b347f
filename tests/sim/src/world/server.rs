//! The simulated server: its room, the game's ledger, and the newest frames.
//!
//! In: the plan. Out: a room, and after a restart another one with the saved game, or the saved room with its sessions
//! ([`kept_room`](super::kept_room)). `ticks` runs the room, `joins` lets clients in, `ledger` checks what the game was told, and
//! `restarts` ends the room.

use super::connections::ConnectionId;
use super::kept_room::KeptRoom;
use crate::game::{Ledger, RecordedGame, SharedLedger};
use crate::ingress::MAX_MESSAGE_BYTES;
use crate::model::SessionKey;
use crate::network::{Line, SimLink};
use crate::settings::Plan;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tickwire_game::GameSettings;
use tickwire_server::internals::{Room, RoomSettings};
use tickwire_sync::bench_policies::ViewPolicy;
use tickwire_sync::frame::Frame;
use tickwire_sync::{Micros, PlayerId, Tick, TickClock};

/// A room that nobody is connected to makes no ticks after this time, as in a worker.
const REST_AFTER: Micros = Micros::from_millis(100);
/// How long frames are kept, to compare replicas with: longer than any cut and the line's delay.
const KEPT_FRAMES: Micros = Micros::from_millis(40_000);

/// The server.
pub(super) struct Server {
    pub(super) room: Option<Room<SimLink>>,
    pub(super) ledger: SharedLedger,
    pub(super) ticks: TickClock,
    /// Counts the rooms.
    pub(super) number: u32,
    /// The newest frames, with the number of their room.
    pub(super) frames: VecDeque<(u32, Frame)>,
    /// The connection of each session that has one.
    pub(super) connections: BTreeMap<PlayerId, ConnectionId>,
    /// The sessions of the room that have not ended, as the game knows.
    pub(super) alive: BTreeSet<PlayerId>,
    pub(super) saved: Option<Vec<u8>>,
    /// The newest state of the room itself.
    pub(super) kept: Option<KeptRoom>,
    pub(super) unattended_since: Option<Micros>,
    /// Whether the turn before was late.
    pub(super) was_late: bool,
    /// The newest tick made, also while the room is borrowed or gone.
    pub(super) made: Tick,
    /// Until when the server's thread does not run.
    pub(super) stands_until: Micros,
    /// The line of those next to the server.
    pub local_line: Line,
    seed: u64,
}

impl Server {
    pub fn new(plan: &Plan, random: &mut fastrand::Rng, now: Micros) -> Self {
        let mut local_line = Line::new(random.u64(..));
        local_line.heal();
        let ticks = TickClock {
            tick_zero_us: now.0 as i64,
            tick_rate: plan.tick_rate,
        };
        let mut server = Self {
            room: None,
            ledger: SharedLedger::default(),
            ticks,
            number: 0,
            frames: VecDeque::new(),
            connections: BTreeMap::new(),
            alive: BTreeSet::new(),
            saved: None,
            kept: None,
            unattended_since: None,
            was_late: false,
            made: Tick(0),
            stands_until: Micros(0),
            local_line,
            seed: random.u64(..),
        };
        // A new game reads no saved state, so nothing can be wrong with it.
        let _ = server.open_room(plan, random, now);
        server
    }

    /// Makes a room, from the saved game if there is one.
    pub fn open_room(
        &mut self,
        plan: &Plan,
        random: &mut fastrand::Rng,
        now: Micros,
    ) -> Result<(), String> {
        self.number += 1;
        self.ticks.tick_zero_us = now.0 as i64;
        let (game, ledger) = RecordedGame::new(
            &self.game_settings(plan),
            plan.crowd_size,
            self.saved.as_deref(),
        )
        .map_err(|error| format!("the saved game cannot be restored: {error}"))?;
        let mut secret = [0; 32];
        random.fill(&mut secret);
        self.room = Some(Room::new(
            "simulated",
            room_settings(plan),
            Box::new(game),
            self.ticks,
            secret,
        ));
        self.ledger = ledger;
        self.alive.clear();
        self.connections.clear();
        self.unattended_since = Some(now);
        self.was_late = false;
        self.made = Tick(0);
        Ok(())
    }

    pub(super) fn game_settings(&self, plan: &Plan) -> GameSettings {
        GameSettings {
            room: "simulated".to_owned(),
            seed: self.seed,
            tick_rate: plan.tick_rate,
            ..GameSettings::default()
        }
    }

    /// Ticks that are due before are made then, or skipped.
    pub fn stand_still_until(&mut self, until: Micros) {
        self.stands_until = until;
    }

    pub fn is_up(&self) -> bool {
        self.room.is_some()
    }

    pub fn room_number(&self) -> u32 {
        self.number
    }

    pub fn tick_now(&self) -> Tick {
        self.room.as_ref().map_or(self.made, Room::tick_now)
    }

    pub fn key(&self, player: PlayerId) -> SessionKey {
        SessionKey {
            room: self.number,
            player,
        }
    }

    pub fn ticks(&self) -> TickClock {
        self.ticks
    }

    /// The sessions of the room that have not ended.
    pub fn alive(&self) -> &BTreeSet<PlayerId> {
        &self.alive
    }

    /// The connection of a session.
    pub fn connection_of(&self, player: PlayerId) -> Option<ConnectionId> {
        self.connections.get(&player).copied()
    }

    /// The frame of a tick of a room, if it is still kept.
    pub fn frame(&self, room: u32, tick: Tick) -> Option<&Frame> {
        let at = self
            .frames
            .binary_search_by_key(&(room, tick), |(room, frame)| (*room, frame.tick()))
            .ok()?;
        self.frames.get(at).map(|(_, frame)| frame)
    }

    pub fn keep_frame(&mut self) {
        let Some(frame) = self.room.as_ref().and_then(|room| room.history().newest()) else {
            return;
        };
        self.frames.push_back((self.number, frame.clone()));
        let most = (KEPT_FRAMES.0 as f64 / self.ticks.tick_us()) as usize;
        while self.frames.len() > most {
            self.frames.pop_front();
        }
    }

    /// The tick that the time asks for.
    pub fn tick_at(&self, now: Micros) -> Tick {
        Tick(self.ticks.ticks_at(now.0 as f64).max(0.0) as u32)
    }

    pub fn with_ledger<R>(&self, read: impl FnOnce(&mut Ledger) -> R) -> R {
        read(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether nobody has been connected for so long that the room makes no ticks.
    pub fn rests(&self, now: Micros) -> bool {
        self.unattended_since
            .is_some_and(|since| now.since(since) > REST_AFTER)
    }
}

pub(super) fn room_settings(plan: &Plan) -> RoomSettings {
    RoomSettings {
        moderation: Arc::default(),
        rules_module: None,
        tick_rate: plan.tick_rate,
        max_players: plan.max_players,
        resume_window: Duration::from_micros(plan.resume_window.0),
        max_message_bytes: MAX_MESSAGE_BYTES,
        hash_every_snapshot: false,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy: plan.window_policy,
    }
}
