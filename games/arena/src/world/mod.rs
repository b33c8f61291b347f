//! The arena's world on the server: players, their ships, and what happens to them each tick.
//!
//! In: one input per player and tick. Out: rows, beams, kills. The order of a tick: respawn, move everyone, fire, pick up.

mod combat;

use crate::map::{Map, in_units};
use crate::movement::Movement;
use crate::nearest::NearestIndex;
use crate::npc::{self, Npc};
use crate::pellets::Pellets;
use crate::{
    ArenaInput, CLEAR_LEAD, FULL_HEALTH, HALF_SCREEN, INTEREST_MARGIN, NAME, RULES_HASH,
    SHIP_RADIUS, UNIT, WORLD_SIDE, kind, ship_lane, ship_private,
};
use combat::Shot;
use glam::{IVec2, Vec2};
use slotmap::{SlotMap, new_key_type};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::Step;
use tickwire_game::entity;
use tickwire_game::{Game, GameSettings, Identity, Refusal};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Layer, LayerSet, PlayerId, Schema, Scope, Seq};

/// The health that a pellet gives per point of worth.
const PELLET_HEALTH: i32 = 2;
/// How far from another ship a person's ship spawns, in units: visible from it, so that nobody starts alone, but not too close.
const SPAWN_DISTANCE: f32 = 330.0;
/// How many positions are tried for that.
const SPAWN_TRIES: usize = 16;

new_key_type! { struct PlayerKey; struct ShipKey; }

#[derive(Debug)]
struct Player {
    /// `None` for a computer player.
    session: Option<PlayerId>,
    name: Arc<str>,
    npc: Option<Npc>,
    ship: Option<ShipKey>,
    /// Ticks until the next ship, while the player has none.
    respawn_in: u32,
    /// Where the player's last ship was.
    last_position: IVec2,
    score: i32,
    kills: i32,
    deaths: i32,
}

#[derive(Debug)]
struct Ship {
    player: PlayerKey,
    lanes: [i32; ship_lane::COUNT],
    private: [i32; ship_private::COUNT],
}

/// The arena game of one room.
#[derive(Debug)]
pub struct Arena {
    schema: Arc<Schema>,
    movement: Movement,
    random: fastrand::Rng,
    tick_rate: u32,
    players: SlotMap<PlayerKey, Player>,
    by_session: BTreeMap<PlayerId, PlayerKey>,
    spectators: BTreeMap<PlayerId, IVec2>,
    /// The player whom spectators watch.
    watched: Option<PlayerKey>,
    ships: SlotMap<ShipKey, Ship>,
    pellets: Pellets,
    /// Where the ships were before this tick, for computer players.
    nearest: NearestIndex<ShipKey>,
}

impl Arena {
    /// An arena with its rocks, pellets and computer players.
    #[must_use]
    pub fn new(settings: &GameSettings) -> Self {
        let mut random = fastrand::Rng::with_seed(settings.seed);
        let map = Map::from_seed(random.u64(..));
        let pellets = Pellets::scatter(&map, &mut random);
        let mut arena = Self {
            schema: crate::schema(),
            movement: Movement::new(Arc::new(map)),
            random,
            tick_rate: settings.tick_rate,
            players: SlotMap::with_key(),
            by_session: BTreeMap::new(),
            spectators: BTreeMap::new(),
            watched: None,
            ships: SlotMap::with_key(),
            pellets,
            nearest: NearestIndex::default(),
        };
        for number in 0..settings.npcs as usize {
            let round = number / npc::NAMES.len();
            let name = npc::NAMES[number % npc::NAMES.len()];
            let name = if round == 0 {
                name.to_owned()
            } else {
                format!("{name} {}", round + 1)
            };
            let npc = Npc::new(arena.random.u64(..));
            arena.players.insert(Player::new(None, &name, Some(npc)));
        }
        arena
    }

    /// Spawns ships for players whose respawn time is over.
    fn respawn(&mut self) {
        let due: Vec<PlayerKey> = self
            .players
            .iter()
            .filter(|(_, player)| player.ship.is_none())
            .map(|(key, _)| key)
            .collect();
        for key in due {
            let player = &mut self.players[key];
            if player.respawn_in > 0 {
                player.respawn_in -= 1;
                continue;
            }
            let is_person = player.session.is_some();
            let position = self.spawn_position(is_person).as_ivec2() * UNIT;
            let slot = entity::id(kind::PLAYER, key).slot as i32;
            let heading = self.random.i32(0..crate::TURN as i32);
            let lanes = [position.x, position.y, heading, FULL_HEALTH, slot];
            let ship = self.ships.insert(Ship {
                player: key,
                lanes,
                private: [0; ship_private::COUNT],
            });
            let player = &mut self.players[key];
            player.ship = Some(ship);
            player.last_position = position;
        }
    }

    /// A position for a new ship: anywhere for a computer player, visible from another ship for a person.
    fn spawn_position(&mut self, is_person: bool) -> Vec2 {
        let tries = if is_person { SPAWN_TRIES } else { 1 };
        let mut best = (f32::INFINITY, Vec2::ZERO);
        for _ in 0..tries {
            let position = self
                .movement
                .map()
                .random_free_position(&mut self.random, SHIP_RADIUS + 4.0);
            let nearest = self
                .nearest
                .nearest(position, ShipKey::default(), 2.0 * SPAWN_DISTANCE);
            let distance = nearest.map_or(f32::MAX, |other| other.distance(position));
            let deviation = (distance - SPAWN_DISTANCE).abs();
            if deviation < best.0 {
                best = (deviation, position);
            }
        }
        best.1
    }

    /// Moves every ship by its player's input. Returns the shots fired.
    fn move_ships(&mut self, step: &Step<'_>) -> Vec<Shot> {
        let mut shots = Vec::new();
        // Only computer players need the index.
        let has_npcs = self.players.values().any(|player| player.npc.is_some());
        let ships = self.ships.iter().filter(|_| has_npcs);
        self.nearest
            .rebuild(ships.map(|(key, ship)| (key, ship.position())));
        for player in self.players.values_mut() {
            let Some(key) = player.ship else { continue };
            let Some(ship) = self.ships.get_mut(key) else {
                continue;
            };
            let (input, seq) = match (&mut player.npc, player.session) {
                (Some(npc), _) => {
                    let enemy = self.nearest.nearest(ship.position(), key, npc::CHASE_RANGE);
                    let [x, y] = [ship.lanes[ship_lane::X], ship.lanes[ship_lane::Y]];
                    let input = npc.think(x, y, enemy, self.movement.map());
                    (input, Some(Seq(0)))
                }
                (None, Some(session)) => match step.inputs.of(session) {
                    Some(input) => (ArenaInput::of(input.rule_input()), input.fresh_seq()),
                    None => (ArenaInput::default(), None),
                },
                (None, None) => (ArenaInput::default(), None),
            };
            if self
                .movement
                .ship(&mut ship.lanes, &mut ship.private, input)
                .fires
            {
                shots.push(Shot {
                    shooter: key,
                    player: player.session,
                    seq: seq.unwrap_or_default(),
                });
            }
            player.last_position = IVec2::new(ship.lanes[ship_lane::X], ship.lanes[ship_lane::Y]);
        }
        shots
    }

    /// Lets every ship pick up the pellets that it touches.
    fn pick_up(&mut self) {
        for ship in self.ships.values_mut() {
            let worth = self.pellets.pick_up(
                ship.lanes[ship_lane::X],
                ship.lanes[ship_lane::Y],
                self.movement.map(),
                &mut self.random,
            );
            if worth > 0 {
                let health = &mut ship.lanes[ship_lane::HEALTH];
                *health = (*health + worth * PELLET_HEALTH).min(FULL_HEALTH);
                if let Some(player) = self.players.get_mut(ship.player) {
                    player.score += worth;
                }
            }
        }
    }

    /// Where spectators look: at the player who leads clearly, and at that player's last position while there is no ship.
    fn spectator_focus(&mut self) -> IVec2 {
        let score_of = |key: PlayerKey| self.players.get(key).map(|player| player.score);
        let watched_score = self.watched.and_then(score_of);
        // Among equals the one who came first.
        let best = self
            .players
            .iter()
            .min_by_key(|(_, player)| std::cmp::Reverse(player.score));
        let best = best.map(|(key, player)| (key, player.score));
        if best.is_some_and(|(_, score)| {
            watched_score.is_none_or(|watched| score >= watched + CLEAR_LEAD)
        }) {
            self.watched = best.map(|(key, _)| key);
        }
        let leader = self.watched.and_then(|key| self.players.get(key));
        leader.map_or(IVec2::splat(WORLD_SIDE * UNIT / 2), |player| {
            player.last_position
        })
    }
}

impl Game for Arena {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn map(&self) -> Vec<u8> {
        self.movement.map().encode()
    }

    fn rules_hash(&self) -> u64 {
        RULES_HASH
    }

    fn join(
        &mut self,
        session: PlayerId,
        identity: &Identity,
    ) -> Result<Option<EntityId>, Refusal> {
        if identity.is_spectator {
            let focus = self.spectator_focus();
            self.spectators.insert(session, focus);
            return Ok(None);
        }
        let key = self
            .players
            .insert(Player::new(Some(session), &identity.name, None));
        self.by_session.insert(session, key);
        Ok(Some(entity::id(kind::PLAYER, key)))
    }

    fn leave(&mut self, session: PlayerId) {
        self.spectators.remove(&session);
        let player = self
            .by_session
            .remove(&session)
            .and_then(|key| self.players.remove(key));
        if let Some(ship) = player.and_then(|player| player.ship) {
            self.ships.remove(ship);
        }
    }

    fn step(&mut self, step: &mut Step<'_>) {
        self.respawn();
        for shot in self.move_ships(step) {
            self.fire(&shot, step);
        }
        self.remove_destroyed();
        self.pick_up();
        if !self.spectators.is_empty() {
            let focus_of_all = self.spectator_focus();
            self.spectators
                .values_mut()
                .for_each(|focus| *focus = focus_of_all);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (key, ship) in &self.ships {
            let id = entity::id(kind::SHIP, key);
            out.put(id, Scope::Layer(Layer(0)), &ship.lanes, &[]);
            if let Some(session) = self
                .players
                .get(ship.player)
                .and_then(|player| player.session)
            {
                out.own(session, id, &ship.private);
            }
        }
        self.pellets.publish(out);
        for (key, player) in &self.players {
            let session = player.session.map_or(0, |session| session.0 as i32);
            let lanes = [player.score, player.kills, player.deaths, session];
            out.put(
                entity::id(kind::PLAYER, key),
                Scope::Global,
                &lanes,
                std::slice::from_ref(&player.name),
            );
        }
    }

    fn interest_area(&self, session: PlayerId) -> InterestArea {
        let player = self
            .by_session
            .get(&session)
            .and_then(|key| self.players.get(*key));
        let focus = player
            .map(|player| player.last_position)
            .or_else(|| self.spectators.get(&session).copied());
        InterestArea {
            focus: focus.unwrap_or(IVec2::splat(WORLD_SIDE * UNIT / 2)),
            half_extent: (HALF_SCREEN + INTEREST_MARGIN) * UNIT,
            layers: LayerSet::default(),
        }
    }
}

impl Player {
    fn new(session: Option<PlayerId>, name: &str, npc: Option<Npc>) -> Self {
        Self {
            session,
            name: Arc::from(name),
            npc,
            ship: None,
            respawn_in: 0,
            last_position: IVec2::splat(WORLD_SIDE * UNIT / 2),
            score: 0,
            kills: 0,
            deaths: 0,
        }
    }
}

impl Ship {
    fn position(&self) -> Vec2 {
        in_units(self.lanes[ship_lane::X], self.lanes[ship_lane::Y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_game::{Messages, Shots};
    use tickwire_sync::Tick;
    use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};

    fn arena(seed: u64, npcs: u32) -> Arena {
        Arena::new(&GameSettings {
            seed,
            tick_rate: 60,
            npcs,
            ..GameSettings::default()
        })
    }

    fn step(arena: &mut Arena, tick: u32) {
        let history = History::new(arena.schema(), MIN_HISTORY_FRAMES);
        arena.step(&mut Step {
            tick: Tick(tick),
            tick_rate: 60,
            inputs: &(),
            history: &history,
            events: &mut Events::default(),
            messages: &mut Messages::default(),
            shots: &mut Shots::default(),
            kicks: &mut Vec::new(),
        });
    }

    fn join(arena: &mut Arena, player: u32, is_spectator: bool) {
        let identity = Identity {
            name: format!("P{player}"),
            subject: None,
            is_spectator,
        };
        arena.join(PlayerId(player), &identity).unwrap();
    }

    #[test]
    fn a_newcomer_spawns_in_sight_of_somebody() {
        for seed in 0..50 {
            let mut arena = arena(seed, 8);
            (1..3).for_each(|tick| step(&mut arena, tick));
            join(&mut arena, 1, false);
            step(&mut arena, 3);
            let own = arena.players[arena.by_session[&PlayerId(1)]].ship.unwrap();
            let here = arena.ships[own].position();
            let others = arena.ships.iter().filter(|(key, _)| *key != own);
            let distances = others.map(|(_, ship)| ship.position().distance(here));
            let nearest = distances.fold(f32::INFINITY, f32::min);
            assert!(nearest < HALF_SCREEN.x as f32, "seed {seed}: {nearest}");
        }
    }

    #[test]
    fn spectators_change_only_to_a_clear_leader() {
        let mut arena = arena(1, 3);
        step(&mut arena, 1);
        join(&mut arena, 1, true);
        let players: Vec<PlayerKey> = arena.players.keys().collect();
        let mut watched = |scores: [i32; 3]| {
            for (key, score) in players.iter().zip(scores) {
                arena.players[*key].score = score;
            }
            arena.spectator_focus();
            players.iter().position(|key| Some(*key) == arena.watched)
        };
        assert_eq!(watched([0, 0, 0]), Some(0));
        assert_eq!(watched([0, CLEAR_LEAD, 0]), Some(1));
        assert_eq!(watched([2 * CLEAR_LEAD - 1, CLEAR_LEAD, 0]), Some(1));
        assert_eq!(watched([2 * CLEAR_LEAD, CLEAR_LEAD, 0]), Some(0));
    }
}
