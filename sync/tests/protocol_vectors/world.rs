//! The schema that has everything, and a world of its entities that a case sets by hand.

use crate::payloads;
use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_sync::frame::Publisher;
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, PlayerId, Schema, Scope, ValueType,
};

/// Placed, predicted, two texts, private lanes, a modulus on a continuous and on a discrete lane.
pub const SHIP: u8 = 0;
/// Placed, only a position.
pub const ROCK: u8 = 1;
/// Without a position or texts; lanes with the largest modulus and with an odd one.
pub const SCORE: u8 = 2;
/// All 64 lanes that a kind can have, the last one continuous.
pub const PANEL: u8 = 3;
/// Neither lanes nor texts.
pub const MARK: u8 = 4;
/// Teleports, and a lane of every meaning.
pub const GHOST: u8 = 5;

/// The scope of everything that all players see in its square.
pub const PLANE: Scope = Scope::Layer(Layer(0));

pub fn schema() -> Arc<Schema> {
    let position = || vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")];
    let mut ship_lanes = position();
    ship_lanes.extend([
        Lane::angle("heading", "1/1024 turn", 1024),
        Lane::discrete("hull", "points"),
        Lane {
            modulus: 5,
            ..Lane::discrete("gear", "")
        },
    ]);
    let ship = Kind {
        name: "ship".into(),
        lanes: ship_lanes,
        private_lanes: vec![
            Lane::discrete("ammo", "shots"),
            Lane::angle("aim", "degree", 360),
        ],
        texts: vec!["name".into(), "motto".into()],
        placed: true,
        predicted: true,
        ..Kind::default()
    };
    let rock = Kind {
        name: "rock".into(),
        lanes: position(),
        placed: true,
        ..Kind::default()
    };
    let score = Kind {
        name: "score".into(),
        lanes: vec![
            Lane::discrete("points", "points"),
            Lane::continuous("drift", "unit"),
            Lane::angle("phase", "1/2147483647 turn", i32::MAX as u32),
            Lane::angle("spin", "1/7 turn", 7),
        ],
        ..Kind::default()
    };
    let dials = (0..63).map(|dial| Lane::discrete(&format!("d{dial}"), ""));
    let panel = Kind {
        name: "panel".into(),
        lanes: dials.chain([Lane::continuous("d63", "")]).collect(),
        texts: vec!["title".into()],
        ..Kind::default()
    };
    let mark = Kind {
        name: "mark".into(),
        ..Kind::default()
    };
    let typed = |name: &str, value| Lane {
        value,
        ..Lane::discrete(name, "")
    };
    let fixed = |name: &str| Lane {
        value: ValueType::Fixed { steps: 16 },
        ..Lane::continuous(name, "1/16 unit")
    };
    let names = |names: [&str; 3]| names.map(String::from).to_vec();
    let ghost_lanes = vec![
        fixed("x"),
        fixed("y"),
        typed("jumps", ValueType::Teleports),
        Lane {
            value: ValueType::Angle,
            ..Lane::angle("heading", "1/1024 turn", 1024)
        },
        typed("seen", ValueType::Boolean),
        typed("mood", ValueType::Choice(names(["calm", "sad", "angry"]))),
        typed("keys", ValueType::Flags(names(["red", "green", "blue"]))),
        typed("host", ValueType::Player),
        typed(
            "prey.slot",
            ValueType::EntitySlot {
                kind: "ship".into(),
            },
        ),
        typed("prey.generation", ValueType::EntityGeneration),
        typed("age", ValueType::Unsigned),
    ];
    let ghost = Kind {
        name: "ghost".into(),
        lanes: ghost_lanes,
        placed: true,
        teleport_lane: Some(2),
        ..Kind::default()
    };
    let mut events = vec!["bump".into(), "flash".into()];
    events.extend(payloads::events());
    let schema = Schema {
        kinds: vec![ship, rock, score, panel, mark, ghost],
        events,
        input: payloads::input(),
        commands: payloads::commands(),
        messages: payloads::messages(),
        grid: Grid {
            layers: 3,
            ..Grid::covering(IVec2::new(-100, -50), IVec2::new(400, 300), 100)
        },
    };
    schema.validate().unwrap();
    Arc::new(schema)
}

#[derive(Clone, Debug)]
struct Entity {
    generation: u32,
    scope: Scope,
    lanes: Vec<i32>,
    texts: Vec<Arc<str>>,
    owner: Option<(PlayerId, Vec<i32>)>,
}

/// The entities that are published with the next tick, by kind and slot.
#[derive(Clone, Debug, Default)]
pub struct World(BTreeMap<(u8, u32), Entity>);

impl World {
    /// Adds an entity, or replaces the slot's.
    /// A ship in each of the cells 1, 2, 5 and 6.
    pub fn put_ships_in_four_cells(&mut self) {
        let places = [[-50, 0], [50, 0], [-50, 100], [50, 100]];
        for (slot, [x, y]) in (0..).zip(places) {
            self.put((SHIP, slot, 1), PLANE, &[x, y, 0, 0, 0], &["", ""]);
        }
    }

    pub fn put(
        &mut self,
        (kind, slot, generation): (u8, u32, u32),
        scope: Scope,
        lanes: &[i32],
        texts: &[&str],
    ) {
        let entity = Entity {
            generation,
            scope,
            lanes: lanes.to_vec(),
            texts: texts.iter().map(|text| Arc::from(*text)).collect(),
            owner: None,
        };
        self.0.insert((kind, slot), entity);
    }

    pub fn own(&mut self, kind: u8, slot: u32, owner: u32, private_lanes: &[i32]) {
        self.entity(kind, slot).owner = Some((PlayerId(owner), private_lanes.to_vec()));
    }

    pub fn remove(&mut self, kind: u8, slot: u32) {
        self.0.remove(&(kind, slot)).unwrap();
    }

    pub fn lanes(&mut self, kind: u8, slot: u32) -> &mut [i32] {
        &mut self.entity(kind, slot).lanes
    }

    /// Adds to the first lanes.
    pub fn add(&mut self, kind: u8, slot: u32, differences: &[i32]) {
        for (lane, difference) in self.lanes(kind, slot).iter_mut().zip(differences) {
            *lane = lane.wrapping_add(*difference);
        }
    }

    pub fn set_text(&mut self, kind: u8, slot: u32, text: usize, value: &str) {
        self.entity(kind, slot).texts[text] = Arc::from(value);
    }

    pub fn set_scope(&mut self, kind: u8, slot: u32, scope: Scope) {
        self.entity(kind, slot).scope = scope;
    }

    /// The generation in a slot, if there is an entity.
    pub fn generation(&self, kind: u8, slot: u32) -> Option<u32> {
        self.0.get(&(kind, slot)).map(|entity| entity.generation)
    }

    fn entity(&mut self, kind: u8, slot: u32) -> &mut Entity {
        self.0.get_mut(&(kind, slot)).unwrap()
    }

    pub fn publish(&self, out: &mut Publisher<'_>) {
        for ((kind, slot), entity) in &self.0 {
            let id = EntityId {
                kind: KindId(*kind),
                slot: *slot,
                generation: entity.generation,
            };
            out.put(id, entity.scope, &entity.lanes, &entity.texts);
            if let Some((owner, private_lanes)) = &entity.owner {
                out.own(*owner, id, private_lanes);
            }
        }
    }
}
