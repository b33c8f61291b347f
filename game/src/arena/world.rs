//! The arena's world on the server: players, their ships, and what happens to them each tick.
//!
//! In: one input per player and tick. Out: rows, beams, kills. The order of a tick: respawn, move everyone, fire, pick up.
//! Shots are tested against what the shooter's screen showed (`Step::screen`).

use super::beam::{Beam, Target, cast};
use super::event::{BEAM, BeamFired, KILL, Kill};
use super::map::{Map, in_units};
use super::movement::Movement;
use super::near::Near;
use super::npc::{self, Mind};
use super::pellets::Pellets;
use super::{
    ArenaInput, BEAM_DAMAGE, CLEAR_LEAD, FULL_HEALTH, HALF_SCREEN, NAME, RULES_HASH, SHIP_RADIUS,
    SIGHT_MARGIN, UNIT, WORLD_SIDE, kind, ship_lane, ship_private,
};
use crate::entity;
use crate::game::{Game, GameSettings, Identity, Refusal};
use crate::step::{PlayerTurn, ShotOutcome, Step};
use glam::{IVec2, Vec2};
use slotmap::{SlotMap, new_key_type};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_sync::frame::{Place, Publisher};
use tickwire_sync::view::Sight;
use tickwire_sync::{CellId, EntityId, Layer, LayerSet, PlayerId, Schema, Seq};

/// Seconds between a ship's loss and the next one.
const RESPAWN_SECONDS: u32 = 2;
/// Points for a ship shot down.
const KILL_SCORE: i32 = 10;
/// Health that a pellet point gives.
const PELLET_HEALTH: i32 = 2;
/// A person's ship begins about so far from another one, in units: in sight of it, so that nobody is alone, and not in its lap.
const COMPANY: f32 = 330.0;
/// Places that are looked at for it.
const PLACES: usize = 16;

new_key_type! { struct PlayerKey; struct ShipKey; }

#[derive(Debug)]
struct Player {
    /// `None`: a computer player.
    session: Option<PlayerId>,
    name: Arc<str>,
    mind: Option<Mind>,
    ship: Option<ShipKey>,
    /// Ticks until the next ship, while there is none.
    respawn_in: u32,
    /// Where the player's last ship was.
    last_seen: IVec2,
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

struct Shot {
    shooter: ShipKey,
    player: Option<PlayerId>,
    seq: Seq,
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
    /// Whom those without a wish look at.
    leader: Option<PlayerKey>,
    ships: SlotMap<ShipKey, Ship>,
    pellets: Pellets,
    /// Where the ships were before this tick, for computer players.
    near: Near<ShipKey>,
}

impl Arena {
    /// An arena with its rocks, pellets and computer players.
    #[must_use]
    pub fn new(settings: &GameSettings) -> Self {
        let mut random = fastrand::Rng::with_seed(settings.seed);
        let map = Map::from_seed(random.u64(..));
        let pellets = Pellets::scatter(&map, &mut random);
        let mut arena = Self {
            schema: super::schema(),
            movement: Movement::new(Arc::new(map)),
            random,
            tick_rate: settings.tick_rate,
            players: SlotMap::with_key(),
            by_session: BTreeMap::new(),
            spectators: BTreeMap::new(),
            leader: None,
            ships: SlotMap::with_key(),
            pellets,
            near: Near::default(),
        };
        for number in 0..settings.npcs as usize {
            let round = number / npc::NAMES.len();
            let name = npc::NAMES[number % npc::NAMES.len()];
            let name = if round == 0 {
                name.to_owned()
            } else {
                format!("{name} {}", round + 1)
            };
            let mind = Mind::new(arena.random.u64(..));
            arena.players.insert(Player::new(None, &name, Some(mind)));
        }
        arena
    }

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
            let place = self.place_for_ship(is_person).as_ivec2() * UNIT;
            let slot = entity::id(kind::PLAYER, key).slot as i32;
            let heading = self.random.i32(0..super::TURN as i32);
            let lanes = [place.x, place.y, heading, FULL_HEALTH, slot];
            let ship = self.ships.insert(Ship {
                player: key,
                lanes,
                private: [0; ship_private::COUNT],
            });
            let player = &mut self.players[key];
            player.ship = Some(ship);
            player.last_seen = place;
        }
    }

    /// A place where a ship can begin: anywhere for a computer player, in somebody's sight for a person.
    fn place_for_ship(&mut self, is_person: bool) -> Vec2 {
        let places = if is_person { PLACES } else { 1 };
        let mut best = (f32::INFINITY, Vec2::ZERO);
        for _ in 0..places {
            let place = free_place(self.movement.map(), &mut self.random, SHIP_RADIUS + 4.0);
            let nearest = self.near.nearest(place, ShipKey::default(), 2.0 * COMPANY);
            let distance = nearest.map_or(f32::MAX, |other| other.distance(place));
            let is_off = (distance - COMPANY).abs();
            if is_off < best.0 {
                best = (is_off, place);
            }
        }
        best.1
    }

    /// Moves every ship by its player's input. Returns who fires.
    fn move_ships(&mut self, step: &Step<'_>) -> Vec<Shot> {
        let mut shots = Vec::new();
        // Only computer players ask for it.
        let has_minds = self.players.values().any(|player| player.mind.is_some());
        let ships = self.ships.iter().filter(|_| has_minds);
        self.near
            .fill(ships.map(|(key, ship)| (key, ship.position())));
        for player in self.players.values_mut() {
            let Some(key) = player.ship else { continue };
            let Some(ship) = self.ships.get_mut(key) else {
                continue;
            };
            let (input, seq) = match (&mut player.mind, player.session) {
                (Some(mind), _) => {
                    let enemy = self.near.nearest(ship.position(), key, npc::CHASE_RANGE);
                    let [x, y] = [ship.lanes[ship_lane::X], ship.lanes[ship_lane::Y]];
                    let input = mind.think(x, y, enemy, self.movement.map());
                    (input, Some(Seq(0)))
                }
                (None, Some(session)) => match step.turns.of(session) {
                    Some(turn) => (ArenaInput::of(turn.rule_input()), turn.fresh_seq()),
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
            player.last_seen = IVec2::new(ship.lanes[ship_lane::X], ship.lanes[ship_lane::Y]);
        }
        shots
    }

    fn fire(&mut self, shot: &Shot, step: &mut Step<'_>) {
        let Some(ship) = self.ships.get(shot.shooter) else {
            return;
        };
        let beam = Beam {
            x: ship.lanes[ship_lane::X],
            y: ship.lanes[ship_lane::Y],
            heading: ship.lanes[ship_lane::HEADING],
        };
        let turn = shot.player.and_then(|player| step.turns.of(player));
        let end = match turn {
            Some(turn) => cast(
                self.movement.map(),
                beam,
                self.targets_on_screen(shot.shooter, &turn, step),
            ),
            None => cast(self.movement.map(), beam, self.targets_now(shot.shooter)),
        };
        if let Some(turn) = turn {
            let outcome = if end.hit.is_some() {
                ShotOutcome::Hit
            } else {
                ShotOutcome::Miss
            };
            step.shots.count(outcome, step.tick, &turn);
        }
        let shooter = entity::id(kind::SHIP, shot.shooter);
        let event = BeamFired {
            shooter,
            seq: shot.seq.0,
            line: [beam.x, beam.y, end.x, end.y],
            hit: end.hit,
        };
        let mut cells: Vec<CellId> = Vec::new();
        step.grid().for_each_on_line(
            IVec2::new(beam.x, beam.y),
            IVec2::new(end.x, end.y),
            Layer(0),
            |cell| cells.push(cell),
        );
        step.events.emit(BEAM, &event.encode(), cells);
        if let Some(hit) = end.hit {
            self.damage(hit, shot.shooter, step);
        }
    }

    fn targets_now(&self, shooter: ShipKey) -> impl Iterator<Item = Target> {
        self.ships
            .iter()
            .filter(move |(key, _)| *key != shooter)
            .map(|(key, ship)| Target {
                id: entity::id(kind::SHIP, key),
                x: ship.lanes[ship_lane::X],
                y: ship.lanes[ship_lane::Y],
            })
    }

    fn targets_on_screen(
        &self,
        shooter: ShipKey,
        turn: &PlayerTurn<'_>,
        step: &Step<'_>,
    ) -> Vec<Target> {
        let screen = step.screen(turn);
        let mut lanes = Vec::new();
        let living = self
            .ships
            .keys()
            .filter(|key| *key != shooter)
            .map(|key| entity::id(kind::SHIP, key));
        let mut targets = Vec::new();
        for id in living {
            if screen.row(id, &mut lanes) {
                targets.push(Target {
                    id,
                    x: lanes[ship_lane::X],
                    y: lanes[ship_lane::Y],
                });
            }
        }
        targets
    }

    fn damage(&mut self, hit: EntityId, shooter: ShipKey, step: &mut Step<'_>) {
        let Some(key) = self
            .ships
            .keys()
            .find(|key| entity::id(kind::SHIP, *key) == hit)
        else {
            return;
        };
        let health = &mut self.ships[key].lanes[ship_lane::HEALTH];
        let was_alive = *health > 0;
        *health -= BEAM_DAMAGE;
        if !was_alive || *health > 0 {
            return;
        }
        let victim = self.ships[key].player;
        if let Some(victim) = self.players.get_mut(victim) {
            victim.deaths += 1;
            victim.respawn_in = RESPAWN_SECONDS * self.tick_rate;
        }
        let killer = self.ships[shooter].player;
        if let Some(player) = self.players.get_mut(killer) {
            player.kills += 1;
            player.score += KILL_SCORE;
        }
        let slot = |key| entity::id(kind::PLAYER, key).slot;
        let event = Kill {
            killer: slot(killer),
            victim: slot(victim),
        };
        step.events.emit(KILL, &event.encode(), [CellId::GLOBAL]);
    }

    /// Removes the ships that were shot down in this tick, after all beams: who was hit still fires, as both pulled the trigger at once.
    fn bury(&mut self) {
        let players = &mut self.players;
        self.ships.retain(|_, ship| {
            let is_alive = ship.lanes[ship_lane::HEALTH] > 0;
            if let Some(player) = players.get_mut(ship.player).filter(|_| !is_alive) {
                player.ship = None;
            }
            is_alive
        });
    }

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

    /// Where a spectator without a wish looks: at whoever leads clearly, and at the place of their last ship while they have none.
    fn look_at_leader(&mut self) -> IVec2 {
        let score_of = |key: PlayerKey| self.players.get(key).map(|player| player.score);
        let looked_at = self.leader.and_then(score_of);
        // Of equals the one who came first.
        let best = self
            .players
            .iter()
            .min_by_key(|(_, player)| std::cmp::Reverse(player.score));
        let best = best.map(|(key, player)| (key, player.score));
        if best
            .is_some_and(|(_, score)| looked_at.is_none_or(|before| score >= before + CLEAR_LEAD))
        {
            self.leader = best.map(|(key, _)| key);
        }
        let leader = self.leader.and_then(|key| self.players.get(key));
        leader.map_or(IVec2::splat(WORLD_SIDE * UNIT / 2), |player| {
            player.last_seen
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
            let focus = self.look_at_leader();
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
        self.bury();
        self.pick_up();
        if !self.spectators.is_empty() {
            let leader = self.look_at_leader();
            self.spectators
                .values_mut()
                .for_each(|focus| *focus = leader);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (key, ship) in &self.ships {
            let id = entity::id(kind::SHIP, key);
            out.put(id, Place::Layer(Layer(0)), &ship.lanes, &[]);
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
                Place::Everywhere,
                &lanes,
                std::slice::from_ref(&player.name),
            );
        }
    }

    fn sight(&self, session: PlayerId) -> Sight {
        let player = self
            .by_session
            .get(&session)
            .and_then(|key| self.players.get(*key));
        let focus = player
            .map(|player| player.last_seen)
            .or_else(|| self.spectators.get(&session).copied());
        Sight {
            focus: focus.unwrap_or(IVec2::splat(WORLD_SIDE * UNIT / 2)),
            half_extent: (HALF_SCREEN + SIGHT_MARGIN) * UNIT,
            layers: LayerSet::default(),
        }
    }
}

impl Player {
    fn new(session: Option<PlayerId>, name: &str, mind: Option<Mind>) -> Self {
        Self {
            session,
            name: Arc::from(name),
            mind,
            ship: None,
            respawn_in: 0,
            last_seen: IVec2::splat(WORLD_SIDE * UNIT / 2),
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

/// A random place in whole units where a circle of this radius touches nothing.
pub(super) fn free_place(map: &Map, random: &mut fastrand::Rng, radius: f32) -> Vec2 {
    // Rocks cover a few percent of the world, so a handful of tries nearly always suffice.
    let mut place = Vec2::ZERO;
    for _ in 0..64 {
        place = Vec2::new(
            random.i32(40..WORLD_SIDE - 40) as f32,
            random.i32(40..WORLD_SIDE - 40) as f32,
        );
        if map.is_free(place, radius) {
            break;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Messages, Shots};
    use tickwire_sync::Tick;
    use tickwire_sync::event::Events;
    use tickwire_sync::history::{History, MIN_FRAMES};

    fn arena(seed: u64, npcs: u32) -> Arena {
        Arena::new(&GameSettings {
            seed,
            tick_rate: 60,
            npcs,
            ..GameSettings::default()
        })
    }

    fn step(arena: &mut Arena, tick: u32) {
        let history = History::new(arena.schema(), MIN_FRAMES);
        arena.step(&mut Step {
            tick: Tick(tick),
            tick_rate: 60,
            turns: &(),
            history: &history,
            events: &mut Events::default(),
            messages: &mut Messages::default(),
            shots: &mut Shots::default(),
            dismissals: &mut Vec::new(),
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
    fn whoever_comes_sees_somebody() {
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
    fn spectators_stay_with_whom_they_look_at_until_another_leads_clearly() {
        let mut arena = arena(1, 3);
        step(&mut arena, 1);
        join(&mut arena, 1, true);
        let players: Vec<PlayerKey> = arena.players.keys().collect();
        let mut looked_at = |scores: [i32; 3]| {
            for (key, score) in players.iter().zip(scores) {
                arena.players[*key].score = score;
            }
            arena.look_at_leader();
            players.iter().position(|key| Some(*key) == arena.leader)
        };
        assert_eq!(looked_at([0, 0, 0]), Some(0));
        assert_eq!(looked_at([0, CLEAR_LEAD, 0]), Some(1));
        assert_eq!(looked_at([2 * CLEAR_LEAD - 1, CLEAR_LEAD, 0]), Some(1));
        assert_eq!(looked_at([2 * CLEAR_LEAD, CLEAR_LEAD, 0]), Some(0));
    }
}
