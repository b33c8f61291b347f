//! The arena's world on the server: players, their ships, and what happens to them each tick.
//!
//! In: one input per player and tick. Out: rows, beams, kills. The order of a tick: respawn, move everyone, fire, pick up.

mod combat;
mod computer;
mod nearest;
mod pellets;
#[cfg(test)]
mod world_tests;

use crate::{
    ArenaEvent, ArenaInput, FULL_HEALTH, Heading, NAME, Pellet, Player, Rocks, Rules, SHIP_RADIUS,
    STEPS, Ship, TURN, WORLD_SIDE,
};
use computer::Computer;
use nearest::NearestIndex;
use pellets::PelletIndex;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tickwire::prelude::*;

/// The world, and the part of it that a player is sent: what a screen of 1280 by 720 shows, and a margin, so that what comes into
/// sight is already there.
const SPACE: Space = Space::new(STEPS, WORLD_SIDE, WORLD_SIDE)
    .screen(1440, 880)
    .cells(512);
/// The health that a pellet gives per point of worth.
const PELLET_HEALTH: i16 = 2;
/// How far from another ship a person's ship spawns, in units: visible from it, so that nobody starts alone, but not too close.
const SPAWN_DISTANCE: f32 = 330.0;
/// How many positions are tried for that.
const SPAWN_TRIES: usize = 16;
/// Spectators change to another player only once that one leads by this many points.
const CLEAR_LEAD: i32 = 10;
/// For how many seconds a damaged ship outlasts its player.
const DERELICT_SECONDS: u32 = 3;
/// The slot of a player who is not there.
const NOBODY: u32 = u32::MAX;
/// Where those look who have not flown yet.
const MIDDLE: [f32; 2] = [WORLD_SIDE as f32 / 2.0; 2];

/// The arena of one room.
#[derive(World)]
pub struct Arena {
    ships: Entities<Ship>,
    pellets: Entities<Pellet>,
    players: Players<Player>,
    pilots: BTreeMap<PlayerId, Pilot>,
    /// Ships that their players left behind.
    derelicts: Vec<Derelict>,
    /// Where each spectator looks, in units.
    spectators: BTreeMap<PlayerId, [f32; 2]>,
    /// The player whom spectators watch.
    watched: Option<PlayerId>,
    rocks: Rocks,
    pellet_index: PelletIndex,
    random: Random,
    /// Where the ships are, for computer players; made anew once a tick.
    #[world(skip)]
    nearest: NearestIndex<Id<Ship>>,
}

/// What the server knows of a player beyond the row that everybody sees.
#[derive(Debug, Serialize, Deserialize)]
struct Pilot {
    ship: Option<Id<Ship>>,
    /// Ticks until the next ship, while there is none.
    respawn_in: u32,
    /// Where the last ship was, in units.
    last_position: [f32; 2],
    /// For how many ticks the player's line has been cut.
    away_ticks: Option<u32>,
    /// The mind of a computer player.
    computer: Option<Computer>,
}

/// A damaged ship whose player left: it drifts on for [`DERELICT_SECONDS`], and can be shot down. Nobody escapes by leaving.
#[derive(Debug, Serialize, Deserialize)]
struct Derelict {
    ship: Id<Ship>,
    /// `None` until the next step.
    ticks_left: Option<u32>,
}

#[game]
impl Game for Arena {
    const NAME: &str = NAME;
    const SPACE: Space = SPACE;
    const COMPUTERS: bool = true;
    type Input = ArenaInput;
    type Event = ArenaEvent;
    type Rules = Rules;

    fn new(setup: &Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let rocks = Rocks::random(random.fork());
        let (mut pellets, mut pellet_index) = (Entities::new(), PelletIndex::default());
        pellet_index.scatter(&mut pellets, &rocks, &mut random);
        Self {
            ships: Entities::new(),
            pellets,
            players: Players::new(),
            pilots: BTreeMap::new(),
            derelicts: Vec::new(),
            spectators: BTreeMap::new(),
            watched: None,
            rocks,
            pellet_index,
            random,
            nearest: NearestIndex::default(),
        }
    }

    fn map(&self) -> Rocks {
        self.rocks.clone()
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if identity.is_spectator {
            let focus = self.spectator_focus();
            self.spectators.insert(player, focus);
            return Ok(());
        }
        let is_person = !is_computer(player);
        let (name, session, computer) = if is_person {
            (Text::from(&*identity.name), player.0, None)
        } else {
            let earlier = self
                .pilots
                .values()
                .filter(|pilot| pilot.computer.is_some());
            let mind = Computer::new(self.random.fork());
            (computer::name(earlier.count()), 0, Some(mind))
        };
        let row = Player {
            session,
            name,
            ..Player::default()
        };
        self.players.insert(player, row);
        let pilot = Pilot {
            ship: None,
            respawn_in: 0,
            last_position: MIDDLE,
            away_ticks: None,
            computer,
        };
        self.pilots.insert(player, pilot);
        Ok(())
    }

    fn rename(&mut self, player: PlayerId, name: &str) {
        if let Some(row) = self.players.get_mut(player) {
            row.name = Text::from(name);
        }
    }

    fn leave(&mut self, player: PlayerId) {
        self.spectators.remove(&player);
        let pilot = self.pilots.remove(&player);
        let Some(id) = pilot.and_then(|pilot| pilot.ship) else {
            return;
        };
        match self.ships.get_mut(id) {
            Some(ship) if ship.health < FULL_HEALTH => {
                ship.player = NOBODY;
                self.derelicts.push(Derelict {
                    ship: id,
                    ticks_left: None,
                });
            }
            _ => {
                self.ships.remove(id);
            }
        }
    }

    fn away(&mut self, player: PlayerId) {
        if let Some(pilot) = self.pilots.get_mut(&player) {
            pilot.away_ticks = Some(0);
        }
    }

    fn resume(&mut self, player: PlayerId) {
        if let Some(pilot) = self.pilots.get_mut(&player) {
            pilot.away_ticks = None;
        }
    }

    fn metadata(&self) -> Tags {
        // Among equals the one who came first.
        let leader = self
            .players
            .iter()
            .min_by_key(|(_, row)| Reverse(row.score));
        let Some((_, leader)) = leader else {
            return Tags::new();
        };
        Tags::from([
            ("leader".to_owned(), leader.name.to_string()),
            ("score".to_owned(), leader.score.to_string()),
        ])
    }

    fn think(&mut self, player: PlayerId, _: Tick) -> ArenaInput {
        self.index_ships();
        let Some(pilot) = self.pilots.get_mut(&player) else {
            return ArenaInput::default();
        };
        let ship = pilot.ship.and_then(|id| Some((id, self.ships.get(id)?)));
        match (&mut pilot.computer, ship) {
            (Some(computer), Some((id, ship))) => {
                let here = ship.pos.to_vec2();
                let enemy = self.nearest.nearest(here, Some(id), computer::CHASE_RANGE);
                computer.think(ship.pos, enemy, &self.rocks)
            }
            _ => ArenaInput::default(),
        }
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        self.respawn();
        self.remove_derelicts(step.tick_rate());
        step.advance_owned(&mut self.ships);
        self.nearest.clear();
        self.note_positions();
        self.fire(step);
        self.pick_up();
        if !self.spectators.is_empty() {
            let focus_of_all = self.spectator_focus();
            self.spectators
                .values_mut()
                .for_each(|focus| *focus = focus_of_all);
        }
    }

    fn sight(&self, player: PlayerId) -> Sight {
        let own = self.pilots.get(&player).map(|pilot| pilot.last_position);
        let focus = own.or_else(|| self.spectators.get(&player).copied());
        Sight::around(
            Pos::<STEPS>::from_vec2(focus.unwrap_or(MIDDLE).into()),
            SPACE,
        )
    }
}

impl Arena {
    /// Spawns ships for players whose respawn time is over.
    fn respawn(&mut self) {
        let without: Vec<PlayerId> = self
            .pilots
            .iter()
            .filter(|(_, pilot)| pilot.ship.is_none())
            .map(|(player, _)| *player)
            .collect();
        for player in without {
            let Some(pilot) = self.pilots.get_mut(&player) else {
                continue;
            };
            if pilot.respawn_in > 0 {
                pilot.respawn_in -= 1;
                continue;
            }
            let position = self.spawn_position(is_computer(player));
            let heading = Heading::from_steps(self.random.int(0..TURN));
            let ship = Ship {
                pos: Pos::from_vec2(position),
                heading,
                health: FULL_HEALTH,
                player: self.players.id(player).map_or(0, Id::slot),
                ..Ship::default()
            };
            let id = self.ships.insert_owned(player, ship);
            if let Some(pilot) = self.pilots.get_mut(&player) {
                pilot.ship = Some(id);
                pilot.last_position = position.into();
            }
        }
    }

    /// A position for a new ship: anywhere for a computer player, visible from another ship for a person.
    fn spawn_position(&mut self, is_computer: bool) -> Vec2 {
        self.index_ships();
        let tries = if is_computer { 1 } else { SPAWN_TRIES };
        let mut best = (f32::INFINITY, Vec2::ZERO);
        for _ in 0..tries {
            let position = self
                .rocks
                .random_free_position(&mut self.random, SHIP_RADIUS + 4.0);
            let nearest = self.nearest.nearest(position, None, 2.0 * SPAWN_DISTANCE);
            let distance = nearest.map_or(f32::MAX, |other| other.distance(position));
            let deviation = (distance - SPAWN_DISTANCE).abs();
            if deviation < best.0 {
                best = (deviation, position);
            }
        }
        best.1
    }

    /// Fills the index of ships, unless it is filled already in this tick. Only rooms with computer players pay for it.
    fn index_ships(&mut self) {
        let has_computers = self.pilots.values().any(|pilot| pilot.computer.is_some());
        if has_computers && self.nearest.is_empty() {
            let ships = self.ships.iter();
            self.nearest
                .rebuild(ships.map(|(id, ship)| (id, ship.pos.to_vec2())));
        }
    }

    /// Remembers where each ship is: its player looks there when it is lost. Counts for how long players have been away.
    fn note_positions(&mut self) {
        for pilot in self.pilots.values_mut() {
            pilot.away_ticks = pilot.away_ticks.map(|ticks| ticks.saturating_add(1));
            if let Some(ship) = pilot.ship.and_then(|id| self.ships.get(id)) {
                pilot.last_position = ship.pos.to_vec2().into();
            }
        }
    }

    /// Removes the derelicts whose time is over.
    fn remove_derelicts(&mut self, tick_rate: u32) {
        let ships = &mut self.ships;
        self.derelicts.retain_mut(|derelict| {
            let ticks_left = derelict.ticks_left.unwrap_or(DERELICT_SECONDS * tick_rate);
            derelict.ticks_left = ticks_left.checked_sub(1);
            let stays = derelict.ticks_left.is_some() && ships.get(derelict.ship).is_some();
            if !stays {
                ships.remove(derelict.ship);
            }
            stays
        });
    }

    /// Lets every ship pick up the pellets that it touches.
    fn pick_up(&mut self) {
        for (player, pilot) in &self.pilots {
            let Some(ship) = pilot.ship.and_then(|id| self.ships.get_mut(id)) else {
                continue;
            };
            let (here, random) = (ship.pos.to_vec2(), &mut self.random);
            let worth = self
                .pellet_index
                .pick_up(&mut self.pellets, here, &self.rocks, random);
            if worth > 0 {
                ship.health = (ship.health + worth as i16 * PELLET_HEALTH).min(FULL_HEALTH);
                if let Some(row) = self.players.get_mut(*player) {
                    row.score += worth;
                }
            }
        }
    }

    /// Where spectators look: at the player who leads clearly, and at that player's last position while there is no ship.
    fn spectator_focus(&mut self) -> [f32; 2] {
        let score_of = |player: PlayerId| self.players.get(player).map(|row| row.score);
        let watched_score = self.watched.and_then(score_of);
        // Among equals the one who came first.
        let best = self
            .players
            .iter()
            .min_by_key(|(_, row)| Reverse(row.score));
        let best = best.map(|(player, row)| (player, row.score));
        if best.is_some_and(|(_, score)| {
            watched_score.is_none_or(|watched| score >= watched + CLEAR_LEAD)
        }) {
            self.watched = best.map(|(player, _)| player);
        }
        let leader = self.watched.and_then(|player| self.pilots.get(&player));
        leader.map_or(MIDDLE, |pilot| pilot.last_position)
    }
}
