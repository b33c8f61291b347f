//! A world for the benches of the core: ships that turn and move every tick. The load bench is in [`load`], and what it costs to
//! follow a room in [`followers`]. [`relays`] measures a cluster, and [`scaling`] reckons with what it finds.

pub mod followers;
pub mod load;
pub mod relays;
pub mod scaling;
pub mod typed;

use glam::IVec2;
use std::sync::Arc;
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, Schema, Scope, Tick};

/// The side of the world, in 1/16 unit.
const SIDE: i32 = 4096 * 16;

/// Ships in motion, and the history that they are published to.
pub struct World {
    /// The frames.
    pub history: History,
    /// x, y, heading and speed of each ship.
    ships: Vec<[i32; 4]>,
    events: Events,
    tick: Tick,
    resting: usize,
}

impl World {
    /// A world of `moving` ships that move every tick and `resting` ships that never do, in cells of `cell_units` units.
    #[must_use]
    pub fn new(moving: usize, resting: usize, cell_units: u32) -> Self {
        let ship = Kind {
            name: "ship".into(),
            lanes: vec![
                Lane::continuous("x", "1/16 unit"),
                Lane::continuous("y", "1/16 unit"),
                Lane::angle("heading", "1/1024 turn", 1024),
            ],
            placed: true,
            ..Kind::default()
        };
        let grid = Grid::covering(IVec2::ZERO, IVec2::splat(SIDE), cell_units * 16);
        let schema = Arc::new(Schema {
            kinds: vec![ship],
            events: Vec::new(),
            grid,
            ..Schema::default()
        });
        // A fixed sequence (Knuth's multiplicative hash) spreads the ships evenly, the same way in every run.
        let spread = |index: usize, salt: u32| {
            ((index as u32)
                .wrapping_mul(2_654_435_761)
                .wrapping_add(salt)
                >> 8) as i32
        };
        let ships = (0..moving + resting)
            .map(|index| {
                [
                    spread(index, 1) % SIDE,
                    spread(index * 7, 2) % SIDE,
                    spread(index, 3) % 1024,
                    60 + spread(index, 4) % 40,
                ]
            })
            .collect();
        let history = History::new(schema, MIN_HISTORY_FRAMES);
        Self {
            history,
            ships,
            events: Events::default(),
            tick: Tick(0),
            resting,
        }
    }

    /// Moves the ships by one tick and publishes the frame.
    pub fn step(&mut self) {
        self.tick = self.tick.next();
        let moving = self.ships.len() - self.resting;
        for (index, ship) in self.ships[..moving].iter_mut().enumerate() {
            let turn = ((self.tick.0 as usize / 40 + index) % 5) as i32 - 2;
            ship[2] = (ship[2] + turn * 3).rem_euclid(1024);
            let direction =
                glam::Vec2::from_angle(ship[2] as f32 * (std::f32::consts::TAU / 1024.0))
                    * ship[3] as f32;
            ship[0] = (ship[0] + direction.x.round() as i32).rem_euclid(SIDE);
            ship[1] = (ship[1] + direction.y.round() as i32).rem_euclid(SIDE);
        }
        let ships = &self.ships;
        self.history.publish(self.tick, &mut self.events, |out| {
            for (slot, ship) in ships.iter().enumerate() {
                let id = EntityId {
                    kind: KindId(0),
                    slot: slot as u32,
                    generation: 1,
                };
                out.put(id, Scope::Layer(Layer(0)), &ship[..3], &[]);
            }
        });
    }

    /// Where a ship is, in 1/16 unit.
    #[must_use]
    pub fn position(&self, index: usize) -> IVec2 {
        let ship = self.ships[index % self.ships.len()];
        IVec2::new(ship[0], ship[1])
    }
}
