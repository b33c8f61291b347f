//! A random world and its clients: turns to play, and the entities that result.

use glam::IVec2;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_sync::frame::{Events, Publisher};
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, PlayerId, Schema, Scope};

const SHIP: KindId = KindId(0);
const FLAG: KindId = KindId(1);

pub fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", "1/16 unit"),
            Lane::continuous("y", "1/16 unit"),
            Lane::angle("heading", "1/1024 turn", 1024),
            Lane::discrete("health", "points"),
        ],
        private_lanes: vec![Lane::discrete("ammo", "shots")],
        texts: vec!["name".into()],
        placed: true,
        predicted: true,
        ..Kind::default()
    };
    let flag = Kind {
        name: "flag".into(),
        lanes: vec![Lane::discrete("score", "points")],
        ..Kind::default()
    };
    let grid = Grid {
        layers: 2,
        ..Grid::covering(IVec2::ZERO, IVec2::new(500, 500), 100)
    };
    let schema = Schema {
        kinds: vec![ship, flag],
        events: vec!["beam".into()],
        grid,
        ..Schema::default()
    };
    schema.validate().unwrap();
    Arc::new(schema)
}

/// One entity of the model world.
#[derive(Clone, Debug)]
pub struct Ship {
    pub generation: u32,
    pub scope: Scope,
    pub lanes: [i32; 4],
    pub name: Arc<str>,
}

/// One step of the model world.
#[derive(Clone, Debug)]
pub enum Step {
    Move {
        slot: u32,
        by: (i32, i32),
        turn: i32,
    },
    Jump {
        slot: u32,
        to: (i32, i32),
    },
    Spawn {
        slot: u32,
        at: (i32, i32),
        layer: u8,
    },
    Despawn {
        slot: u32,
    },
    Reuse {
        slot: u32,
        at: (i32, i32),
    },
    Rename {
        slot: u32,
        to: u8,
    },
    Everywhere {
        slot: u32,
    },
    Score {
        points: i32,
    },
    Event {
        at: (i32, i32),
    },
}

/// What one client does at one tick.
#[derive(Clone, Debug)]
pub struct ClientStep {
    pub focus: (i32, i32),
    pub layers: bool,
    pub is_sent: bool,
    /// Cells whose number shares a bit with this mask are deferred.
    pub defer_mask: u32,
    pub resyncs: bool,
}

#[derive(Clone, Debug)]
pub struct Turn {
    pub steps: Vec<Step>,
    pub skipped_ticks: u32,
    pub clients: Vec<ClientStep>,
    /// How many ticks without a change or a snapshot come before this turn.
    pub rest: u32,
}

fn position() -> impl Strategy<Value = (i32, i32)> {
    (-20..520_i32, -20..520_i32)
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..12_u32;
    prop_oneof![
        6 => (slot.clone(), (-60..60_i32, -60..60_i32), any::<i32>()).prop_map(|(slot, by, turn)| Step::Move { slot, by, turn }),
        1 => (slot.clone(), position()).prop_map(|(slot, to)| Step::Jump { slot, to }),
        3 => (slot.clone(), position(), 0..2_u8).prop_map(|(slot, at, layer)| Step::Spawn { slot, at, layer }),
        2 => slot.clone().prop_map(|slot| Step::Despawn { slot }),
        1 => (slot.clone(), position()).prop_map(|(slot, at)| Step::Reuse { slot, at }),
        1 => (slot.clone(), any::<u8>()).prop_map(|(slot, to)| Step::Rename { slot, to }),
        1 => slot.prop_map(|slot| Step::Everywhere { slot }),
        1 => any::<i32>().prop_map(|points| Step::Score { points }),
        1 => position().prop_map(|at| Step::Event { at }),
    ]
}

fn client_step() -> impl Strategy<Value = ClientStep> {
    let defer_mask = prop_oneof![2 => Just(0_u32), 1 => any::<u32>()];
    (
        position(),
        any::<bool>(),
        prop::bool::weighted(0.8),
        defer_mask,
        prop::bool::weighted(0.03),
    )
        .prop_map(|(focus, layers, is_sent, defer_mask, resyncs)| ClientStep {
            focus,
            layers,
            is_sent,
            defer_mask,
            resyncs,
        })
}

pub fn turn() -> impl Strategy<Value = Turn> {
    let rest = prop_oneof![30 => Just(0_u32), 1 => 1..300_u32];
    (
        prop::collection::vec(step(), 0..8),
        prop_oneof![9 => Just(0_u32), 1 => 1..5_u32],
        prop::collection::vec(client_step(), 3),
        rest,
    )
        .prop_map(|(steps, skipped_ticks, clients, rest)| Turn {
            steps,
            skipped_ticks,
            clients,
            rest,
        })
}

#[derive(Default)]
pub struct World {
    pub ships: BTreeMap<u32, Ship>,
    pub generations: BTreeMap<u32, u32>,
    pub score: i32,
    /// How many slots lie between those of two ships, so that parts of a cell get some each.
    pub slots_between: u32,
}

impl World {
    pub fn apply(&mut self, step: &Step, grid: &Grid, events: &mut Events) {
        match *step {
            Step::Move { slot, by, turn } => {
                if let Some(ship) = self.ships.get_mut(&slot) {
                    ship.lanes[0] += by.0;
                    ship.lanes[1] += by.1;
                    ship.lanes[2] = ship.lanes[2].wrapping_add(turn);
                }
            }
            Step::Jump { slot, to } => {
                if let Some(ship) = self.ships.get_mut(&slot) {
                    (ship.lanes[0], ship.lanes[1]) = to;
                }
            }
            Step::Spawn { slot, at, layer } => {
                if !self.ships.contains_key(&slot) {
                    self.spawn(slot, at, Scope::Layer(Layer(layer)));
                }
            }
            Step::Despawn { slot } => {
                self.ships.remove(&slot);
            }
            Step::Reuse { slot, at } => {
                if self.ships.remove(&slot).is_some() {
                    self.spawn(slot, at, Scope::Layer(Layer(0)));
                }
            }
            Step::Rename { slot, to } => {
                if let Some(ship) = self.ships.get_mut(&slot) {
                    ship.name = format!("name {to}").into();
                }
            }
            Step::Everywhere { slot } => {
                if let Some(ship) = self.ships.get_mut(&slot) {
                    ship.scope = Scope::Global;
                }
            }
            Step::Score { points } => self.score = points,
            Step::Event { at } => {
                let here = grid.cell_at(at.into(), Layer(0));
                let corner = grid.cell_at(IVec2::from(at) + 50, Layer(0));
                events.emit(0, b"bang", [here, corner]);
            }
        }
    }

    pub fn spawn(&mut self, slot: u32, at: (i32, i32), scope: Scope) {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        self.ships.insert(
            slot,
            Ship {
                generation: *generation,
                scope,
                lanes: [at.0, at.1, 0, 100],
                name: format!("ship {slot}").into(),
            },
        );
    }

    pub fn publish(&self, out: &mut Publisher<'_>) {
        for (slot, ship) in &self.ships {
            let id = EntityId {
                kind: SHIP,
                slot: *slot * (1 + self.slots_between),
                generation: ship.generation,
            };
            out.put(id, ship.scope, &ship.lanes, &[Arc::clone(&ship.name)]);
            out.own(PlayerId(1 + slot % 3), id, &[7]);
        }
        out.put(
            EntityId {
                kind: FLAG,
                slot: 0,
                generation: 1,
            },
            Scope::Global,
            &[self.score],
            &[],
        );
    }
}
