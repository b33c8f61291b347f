//! What bots do: from what a bot's screen shows to the input of a tick.
//!
//! In: the client core, which knows what is on the screen. Out: an input. Never uses sockets or a clock; all randomness comes from
//! the bot's seed.

use crate::options::BehaviourName;
use crate::random_inputs::RandomInputs;
use glam::Vec2;
use std::sync::Arc;
use tickwire_arena::{
    ArenaInput, BEAM_RANGE, Beam, Map, Movement, SHIP_RADIUS, TURN, Target, UNIT, cast, heading_to,
    kind, ship_lane, ship_private,
};
use tickwire_client::{Client, PredictedState};
use tickwire_sync::ViewTick;

/// Decides a bot's inputs.
pub trait Behaviour: Send {
    /// Reports that the bot has joined a room, for the first time or again.
    fn joined(&mut self, client: &Client) {
        let _ = client;
    }

    /// The input of the next tick in any game, as the game's schema describes its inputs. `None`: the behaviour plays the arena, or
    /// the game encodes its inputs in its own way.
    fn any_input(&mut self, client: &Client) -> Option<Vec<u8>> {
        let _ = client;
        None
    }

    /// The input of the next tick in the arena.
    fn input(&mut self, client: &Client) -> ArenaInput;

    /// Cheat: by how many ticks the latest input's claimed view tick is older than the true one. `None` leaves the bot's setting.
    fn view_forgery_ticks(&self) -> Option<f64> {
        None
    }
}

/// Creates the behaviour with this name.
#[must_use]
pub fn behaviour_named(name: BehaviourName, seed: u64) -> Box<dyn Behaviour> {
    match name {
        BehaviourName::Duel => Box::new(Duel::new(seed)),
        BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
        BehaviourName::Random => Box::new(Random(RandomInputs::new(seed))),
        BehaviourName::Wander
        | BehaviourName::SlowReader
        | BehaviourName::Flapper
        | BehaviourName::Mixed => Box::new(Wander::new(seed)),
    }
}

/// Flies in one direction for a while, then in another.
#[derive(Clone, Debug)]
pub struct Wander {
    random: fastrand::Rng,
    /// The thrusters that burn.
    thrust: ArenaInput,
    heading: i32,
    turn_per_tick: i32,
    ticks_left: u32,
}

impl Wander {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            thrust: ArenaInput::default(),
            heading: 0,
            turn_per_tick: 0,
            ticks_left: 0,
        }
    }

    fn fly(&mut self) -> ArenaInput {
        if self.ticks_left == 0 {
            self.ticks_left = self.random.u32(20..90);
            let (vertical, horizontal) = (self.random.u8(0..3), self.random.u8(0..3));
            self.thrust = ArenaInput {
                up: vertical == 1,
                down: vertical == 2,
                left: horizontal == 1,
                right: horizontal == 2,
                ..ArenaInput::default()
            };
            self.turn_per_tick = self.random.i32(-6..=6);
        }
        self.ticks_left -= 1;
        self.heading = (self.heading + self.turn_per_tick).rem_euclid(TURN as i32);
        ArenaInput {
            heading: Some(self.heading),
            ..self.thrust
        }
    }
}

impl Behaviour for Wander {
    fn input(&mut self, _: &Client) -> ArenaInput {
        self.fly()
    }
}

/// Chases the nearest ship on its screen and shoots at it. About every fourth shot misses on purpose, so that false hits would show
/// as well as lost ones.
#[derive(Debug)]
pub struct Duel {
    wander: Wander,
    movement: Option<Movement>,
    /// Other ships on the screen, as of the latest scan.
    ships: Vec<Target>,
    ticks_since_scan: u32,
    /// By how much the next shot misses on purpose, in units of heading.
    aim_error: i32,
    /// Cheat: how many ticks to search back for a moment at which a shot would have hit, when none hits now.
    hindsight_ticks: u32,
    forgery_ticks: u32,
}

impl Duel {
    /// Ticks between two scans of the screen while the beam is not ready: a scan costs more than all the rest, and then only steers.
    const SCAN_INTERVAL_TICKS: u32 = 6;

    /// Creates a bot that plays fair.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_hindsight(seed, 0)
    }

    /// Creates a bot that cheats with its claims: when no shot hits now, it fires one that would have hit up to `ticks` ticks ago, and
    /// claims that its screen showed that moment.
    #[must_use]
    pub fn with_hindsight(seed: u64, ticks: u32) -> Self {
        Self {
            wander: Wander::new(seed),
            movement: None,
            ships: Vec::new(),
            ticks_since_scan: Self::SCAN_INTERVAL_TICKS,
            aim_error: 0,
            hindsight_ticks: ticks,
            forgery_ticks: 0,
        }
    }

    fn scan(&mut self, client: &Client, own: &PredictedState) {
        self.ticks_since_scan = 0;
        self.scan_at(client, own, client.view_tick());
    }

    fn scan_at(&mut self, client: &Client, own: &PredictedState, view: ViewTick) {
        self.ships.clear();
        let ships = &mut self.ships;
        client.for_each_shown_at(view, Some(kind::SHIP), |shown| {
            if shown.id != own.id {
                ships.push(Target {
                    id: shown.id,
                    x: shown.lanes[ship_lane::X],
                    y: shown.lanes[ship_lane::Y],
                });
            }
        });
    }

    fn fight(&mut self, own: &PredictedState, fly: ArenaInput, is_ready: bool) -> ArenaInput {
        let Some(movement) = &self.movement else {
            return fly;
        };
        let here = in_units(own.lanes[ship_lane::X], own.lanes[ship_lane::Y]);
        let distance = |ship: &Target| in_units(ship.x, ship.y).distance_squared(here);
        let nearest = self
            .ships
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let Some(nearest) = nearest.copied() else {
            return fly;
        };
        let there = in_units(nearest.x, nearest.y);
        let towards = there - here;
        // Approaches a distant ship, and keeps wandering near a close one.
        let mut input = if towards.length() > BEAM_RANGE * 0.7 {
            ArenaInput {
                up: towards.y < 0.0,
                down: towards.y > 0.0,
                left: towards.x < 0.0,
                right: towards.x > 0.0,
                ..fly
            }
        } else {
            fly
        };
        // The beam starts where the ship is after this tick, so the aim is computed from there.
        let (mut lanes, mut private) = (own.lanes.clone(), own.private_lanes.clone());
        movement.ship(&mut lanes, &mut private, input);
        let (x, y) = (lanes[ship_lane::X], lanes[ship_lane::Y]);
        let aim = heading_to(in_units(x, y), there);
        let hits = |heading| {
            let beam = Beam { x, y, heading };
            cast(movement.map(), beam, self.ships.iter().copied()).hit == Some(nearest.id)
        };
        input.heading = Some((aim + self.aim_error).rem_euclid(TURN as i32));
        // Judged without the deliberate error: a shot that cannot hit anyway would prove nothing.
        if is_ready && hits(aim) {
            input.fire = true;
            let range = in_units(x, y).distance(there).max(SHIP_RADIUS);
            let random = &mut self.wander.random;
            // From just inside the ship's edge to well outside it.
            let edge = (SHIP_RADIUS / range).atan() * (TURN as f32 / std::f32::consts::TAU);
            let side = if random.bool() { 1.0 } else { -1.0 };
            self.aim_error = match random.u8(0..4) {
                0 => (edge * (0.8 + 1.2 * random.f32()) * side) as i32,
                _ => 0,
            };
        }
        input
    }
}

impl Behaviour for Duel {
    fn joined(&mut self, client: &Client) {
        self.movement = Map::decode(client.map()).map(|map| Movement::new(Arc::new(map)));
    }

    fn input(&mut self, client: &Client) -> ArenaInput {
        let fly = self.wander.fly();
        let is_ship = |own: &&PredictedState| own.private_lanes.len() == ship_private::COUNT;
        let Some(own) = client.predicted().filter(is_ship) else {
            return fly;
        };
        self.ticks_since_scan += 1;
        // The rules count the cool-down down before they test it.
        let is_ready = own.private_lanes[ship_private::COOLDOWN] <= 1;
        if is_ready || self.ticks_since_scan >= Self::SCAN_INTERVAL_TICKS {
            self.scan(client, own);
        }
        self.forgery_ticks = 0;
        let input = self.fight(own, fly, is_ready);
        if is_ready && !input.fire && self.hindsight_ticks > 0 {
            for ticks_ago in 1..=self.hindsight_ticks {
                let view = ViewTick(
                    client
                        .view_tick()
                        .0
                        .saturating_sub(u64::from(ticks_ago) * ViewTick::FRACTIONS),
                );
                self.scan_at(client, own, view);
                let late = self.fight(own, fly, true);
                if late.fire {
                    self.forgery_ticks = ticks_ago;
                    return late;
                }
            }
            self.scan(client, own);
        }
        input
    }

    fn view_forgery_ticks(&self) -> Option<f64> {
        (self.hindsight_ticks > 0).then(|| f64::from(self.forgery_ticks))
    }
}

/// Sends random valid inputs of any game. Idles where the schema does not describe them.
#[derive(Clone, Debug)]
pub struct Random(RandomInputs);

impl Behaviour for Random {
    fn any_input(&mut self, client: &Client) -> Option<Vec<u8>> {
        self.0.next(&client.replica()?.schema().input)
    }

    fn input(&mut self, client: &Client) -> ArenaInput {
        Idle.input(client)
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Idle;

impl Behaviour for Idle {
    fn input(&mut self, client: &Client) -> ArenaInput {
        // An input without a heading would be empty, and nothing would be predicted.
        let heading = client
            .predicted()
            .and_then(|own| own.lanes.get(ship_lane::HEADING).copied());
        ArenaInput {
            heading: Some(heading.unwrap_or(0)),
            ..ArenaInput::default()
        }
    }
}

fn in_units(x: i32, y: i32) -> Vec2 {
    Vec2::new(x as f32, y as f32) / UNIT as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_sync::{EntityId, Micros, Tick};

    fn ship(slot: u32, x: i32, y: i32) -> Target {
        let id = EntityId {
            kind: kind::SHIP,
            slot,
            generation: 1,
        };
        Target { id, x, y }
    }

    fn own(x: i32, y: i32) -> PredictedState {
        PredictedState {
            id: ship(0, 0, 0).id,
            tick: Tick(100),
            lanes: vec![x, y, 0, 100, 0],
            private_lanes: vec![300, -200, 0],
        }
    }

    #[test]
    fn inputs_survive_the_wire_and_repeat_with_their_seed() {
        let client = Client::new(tickwire_client::Options::default(), Micros(0));
        for name in [
            BehaviourName::Wander,
            BehaviourName::Duel,
            BehaviourName::Idle,
            BehaviourName::SlowReader,
            BehaviourName::Flapper,
        ] {
            let (mut one, mut same, mut other) = (
                behaviour_named(name, 7),
                behaviour_named(name, 7),
                behaviour_named(name, 8),
            );
            let mut differ = 0;
            for _ in 0..2000 {
                let input = one.input(&client);
                assert_eq!(ArenaInput::decode(&input.encode()), input);
                assert!(!(input.up && input.down || input.left && input.right));
                assert_eq!(same.input(&client), input);
                differ += usize::from(other.input(&client) != input);
            }
            assert_eq!(differ > 1000, name != BehaviourName::Idle, "{name:?}");
        }
    }

    #[test]
    fn a_duel_mostly_hits_what_it_sees() {
        let mut duel = Duel::new(3);
        let map = Map::decode(&[]).unwrap();
        duel.movement = Some(Movement::new(Arc::new(map.clone())));
        duel.ships = vec![ship(1, 20_000, 14_000), ship(2, 60_000, 60_000)];
        let (mut hits, mut misses) = (0, 0);
        for _ in 0..1000 {
            let own = own(16_000, 16_000);
            let fly = duel.wander.fly();
            let input = duel.fight(&own, fly, true);
            assert!(input.fire);
            let (mut lanes, mut private) = (own.lanes, own.private_lanes);
            duel.movement
                .as_ref()
                .unwrap()
                .ship(&mut lanes, &mut private, input);
            let beam = Beam {
                x: lanes[ship_lane::X],
                y: lanes[ship_lane::Y],
                heading: lanes[ship_lane::HEADING],
            };
            match cast(&map, beam, duel.ships.iter().copied()).hit {
                Some(hit) if hit.slot == 1 => hits += 1,
                _ => misses += 1,
            }
        }
        assert!(hits > 700 && misses > 50, "{hits} hits, {misses} misses");
        // A ship out of range is no target.
        duel.ships = vec![ship(2, 60_000, 60_000)];
        let fly = duel.wander.fly();
        assert!(!duel.fight(&own(16_000, 16_000), fly, true).fire);
    }
}
