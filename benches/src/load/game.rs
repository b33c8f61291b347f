//! Workload W1: ships that turn as their players steer and move every tick, and ships at rest.

use glam::{IVec2, Vec2};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::{Game, Identity, Refusal, SaveError, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope};

/// Steps of the position lanes in one unit.
const UNIT: i32 = 16;
/// Steps of the heading lane in one turn.
const TURN: i32 = 1024;

/// The size of the world, and how much of it a player sees.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct WorldSize {
    /// Side of the world, in units
    #[arg(long, default_value_t = 4096)]
    pub side: i32,
    /// Half the side of what a player sees, in units
    #[arg(long, default_value_t = 220)]
    pub half: i32,
    /// Side of a cell, in units
    #[arg(long, default_value_t = 384)]
    pub cell: u32,
    /// Ships that never move
    #[arg(long, default_value_t = 0)]
    pub resting: u32,
    /// Ships that move without a player
    #[arg(long, default_value_t = 0)]
    pub drifting: u32,
}

/// The game of workload W1.
pub struct Turning {
    size: WorldSize,
    /// One ship per player, and the drifting ships under the ids that no player gets: the last ones.
    ships: BTreeMap<PlayerId, Ship>,
    resting: Vec<[i32; 3]>,
}

struct Ship {
    x: i32,
    y: i32,
    heading: i32,
    speed: i32,
}

impl Turning {
    /// An empty world.
    #[must_use]
    pub fn new(size: WorldSize) -> Self {
        let resting = (0..size.resting)
            .map(|index| {
                let at = scattered(index, size.side);
                [at.x, at.y, (index as i32 * 37) % TURN]
            })
            .collect();
        let drifting = (0..size.drifting).map(|index| {
            let pilot = PlayerId(u32::MAX - index);
            (pilot, Ship::new(size.resting + index, size.side))
        });
        Self {
            size,
            ships: drifting.collect(),
            resting,
        }
    }

    /// Ships at rest have the first slots, and drifting ships the next, so that the table has no gaps.
    fn ship_id(&self, player: PlayerId) -> EntityId {
        let WorldSize {
            resting, drifting, ..
        } = self.size;
        match u32::MAX - player.0 {
            index if index < drifting => ship(resting + index),
            _ => ship(resting + drifting + player.0),
        }
    }
}

impl Ship {
    fn new(number: u32, side: i32) -> Self {
        let at = scattered(number, side);
        Self {
            x: at.x,
            y: at.y,
            heading: (number as i32 * 131) % TURN,
            speed: 60 + (number as i32 * 17) % 40,
        }
    }
}

/// Spreads any number of positions evenly by a fixed sequence: the generalised golden ratio in two dimensions.
fn scattered(index: u32, side: i32) -> IVec2 {
    let at = |step: f64| ((f64::from(index) * step).fract() * f64::from(side * UNIT)) as i32;
    IVec2::new(at(0.754_877_666_246_7), at(0.569_840_290_998_1))
}

/// A schema of ships alone in a square world. Lengths are in steps of the position lanes.
#[must_use]
pub fn ships(side: i32, cell: u32) -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", "1/16 unit"),
            Lane::continuous("y", "1/16 unit"),
            Lane::angle("heading", "1/1024 turn", TURN as u32),
        ],
        placed: true,
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![ship],
        events: Vec::new(),
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(side), cell),
        ..Schema::default()
    })
}

impl Game for Turning {
    fn name(&self) -> &'static str {
        "turning"
    }

    fn schema(&self) -> Arc<Schema> {
        ships(self.size.side * UNIT, self.size.cell * UNIT as u32)
    }

    fn map(&self) -> Vec<u8> {
        Vec::new()
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        let new = Ship::new(player.0, self.size.side);
        self.ships.insert(player, new);
        Ok(Some(self.ship_id(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        self.ships.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        let side = self.size.side * UNIT;
        let drifting = self.size.drifting;
        for (player, ship) in &mut self.ships {
            let index = u32::MAX - player.0;
            let wheel = if index < drifting {
                // As the bench's players steer.
                ((step.tick.0 / 40 + index) % 5) as i32 * 3 - 6
            } else {
                let input = step.inputs.of(*player);
                let first = input.and_then(|input| input.payload().first().copied());
                i32::from(first.unwrap_or(0) as i8)
            };
            ship.heading = (ship.heading + wheel).rem_euclid(TURN);
            let angle = ship.heading as f32 * (std::f32::consts::TAU / TURN as f32);
            let way = Vec2::from_angle(angle) * ship.speed as f32;
            ship.x = (ship.x + way.x.round() as i32).rem_euclid(side);
            ship.y = (ship.y + way.y.round() as i32).rem_euclid(side);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        let everywhere = Scope::Layer(Layer(0));
        for (player, ship) in &self.ships {
            let lanes = [ship.x, ship.y, ship.heading];
            out.put(self.ship_id(*player), everywhere, &lanes, &[]);
        }
        for (slot, lanes) in (0..).zip(&self.resting) {
            out.put(ship(slot), everywhere, lanes, &[]);
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let focus = self
            .ships
            .get(&player)
            .map_or(IVec2::ZERO, |ship| IVec2::new(ship.x, ship.y));
        InterestArea {
            focus,
            half_extent: IVec2::splat(self.size.half * UNIT),
            layers: LayerSet::default(),
        }
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        for (player, ship) in &self.ships {
            for number in [player.0 as i32, ship.x, ship.y, ship.heading, ship.speed] {
                out.extend(number.to_le_bytes());
            }
        }
        Ok(())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
        let mut numbers = (state.as_chunks().0.iter()).map(|bytes| i32::from_le_bytes(*bytes));
        while let Some(player) = numbers.next() {
            let mut next = || {
                let number = numbers.next();
                number.ok_or_else(|| SaveError::Unreadable("it is cut off".to_owned()))
            };
            let ship = Ship {
                x: next()?,
                y: next()?,
                heading: next()?,
                speed: next()?,
            };
            self.ships.insert(PlayerId(player as u32), ship);
        }
        Ok(())
    }
}

fn ship(slot: u32) -> EntityId {
    EntityId {
        kind: KindId(0),
        slot,
        generation: 1,
    }
}
