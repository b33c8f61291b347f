//! The promise of the history: every frame that it holds is the world as it was published at that tick, whatever came after.
//!
//! Plays seeded worlds of several chunks, at times nearly at rest, at times nearly all in motion, for longer than the history
//! reaches, and compares each frame with a plain copy of the rows. The message of a failure names its seed.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use glam::IVec2;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tickwire_sync::frame::{Events, Frame, History, MIN_HISTORY_FRAMES};
use tickwire_sync::world::hash;
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, RowKey, Schema, Scope, Tick,
};

const SLOTS: u32 = 300;
const TICKS: u32 = 400;
const SHIP: KindId = KindId(1);

#[derive(Clone, PartialEq, Debug)]
struct Row {
    generation: u32,
    place: Scope,
    lanes: [i32; 3],
    name: Arc<str>,
}

type Rows = BTreeMap<u32, Row>;

fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", "unit"),
            Lane::continuous("y", "unit"),
            Lane::angle("heading", "1/1024 turn", 1024),
        ],
        texts: vec!["name".into()],
        placed: true,
        ..Kind::default()
    };
    let grid = Grid {
        layers: 3,
        ..Grid::covering(IVec2::ZERO, IVec2::splat(400), 100)
    };
    let schema = Schema {
        // The first kind has neither entities nor lanes.
        kinds: vec![Kind::default(), ship],
        events: Vec::new(),
        grid,
        ..Schema::default()
    };
    schema.validate().unwrap();
    Arc::new(schema)
}

fn id(slot: u32, row: &Row) -> EntityId {
    EntityId {
        kind: SHIP,
        slot,
        generation: row.generation,
    }
}

/// Changes some rows. A row that goes may come back unchanged, as a game may hide an entity for a while.
fn change(rows: &mut Rows, hidden: &mut Rows, random: &mut fastrand::Rng, changes: u32) {
    for _ in 0..changes {
        let slot = random.u32(0..SLOTS);
        let at = [random.i32(-50..450), random.i32(-50..450), random.i32(..)];
        let Some(row) = rows.get_mut(&slot) else {
            let generation = hidden.get(&slot).map_or(1, |row| row.generation + 1);
            let new = Row {
                generation,
                place: Scope::Layer(Layer(random.u8(0..3))),
                lanes: at,
                name: "new".into(),
            };
            let shown_again = hidden.remove(&slot).filter(|_| random.bool());
            rows.insert(slot, shown_again.unwrap_or(new));
            continue;
        };
        match random.u8(0..10) {
            0..4 => row.lanes[0] += random.i32(-40..40),
            4 => row.lanes = at,
            // The same heading, published as another number.
            5 => row.lanes[2] = row.lanes[2].rem_euclid(1024) + 1024,
            6 => row.name = format!("name {}", random.u8(0..2)).into(),
            7 => row.place = Scope::Layer(Layer(random.u8(0..3))),
            8 => row.place = Scope::Global,
            _ => {
                let row = rows.remove(&slot).unwrap();
                hidden.insert(slot, row);
            }
        }
    }
}

fn cell(grid: &Grid, row: &Row) -> CellId {
    match row.place {
        Scope::Global => CellId::GLOBAL,
        Scope::Layer(layer) => grid.cell_at(IVec2::new(row.lanes[0], row.lanes[1]), layer),
    }
}

fn lanes(row: &Row) -> [i32; 3] {
    [row.lanes[0], row.lanes[1], row.lanes[2].rem_euclid(1024)]
}

fn assert_same(frame: &Frame, rows: &Rows, grid: &Grid, what: &str) {
    assert_eq!(frame.entity_count(), rows.len(), "{what}");
    let entities: Vec<EntityId> = rows.iter().map(|(slot, row)| id(*slot, row)).collect();
    assert_eq!(frame.entities(SHIP).collect::<Vec<_>>(), entities, "{what}");
    let mut members: BTreeMap<CellId, Vec<RowKey>> = BTreeMap::new();
    for (slot, row) in rows {
        let key = RowKey::new(SHIP, *slot);
        let cell = cell(grid, row);
        members.entry(cell).or_default().push(key);
        assert_eq!(frame.cell_of(key), Some(cell), "{what}, slot {slot}");
        assert!(frame.lanes(key).eq(lanes(row)), "{what}, slot {slot}");
        assert!(frame.texts(key).eq([&*row.name]), "{what}, slot {slot}");
    }
    for number in 0..grid.cell_count() as u32 {
        let expected = members.remove(&CellId(number)).unwrap_or_default();
        assert_eq!(frame.members(CellId(number)), expected, "{what}");
    }
}

#[test]
fn a_frame_never_changes_and_says_what_changed() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let schema = schema();
        let grid = schema.grid;
        let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
        let (mut rows, mut hidden) = (Rows::new(), Rows::new());
        let mut published: VecDeque<(Tick, Rows)> = VecDeque::new();
        let mut changed_at: BTreeMap<CellId, Tick> = BTreeMap::new();
        let mut pace = 0;
        for tick in (1..=TICKS).map(Tick) {
            if random.u32(0..40) == 0 {
                pace = [0, 0, 1, 3, 400][random.usize(0..5)];
            }
            change(&mut rows, &mut hidden, &mut random, pace);
            history.publish(tick, &mut Events::default(), |out| {
                for (slot, row) in &rows {
                    // A new allocation of the name every other tick: equal texts need not share memory.
                    let name = if tick.0 % 2 == 0 {
                        Arc::clone(&row.name)
                    } else {
                        Arc::from(&*row.name)
                    };
                    out.put(id(*slot, row), row.place, &row.lanes, &[name]);
                }
            });
            let before = published.back().map(|(_, rows)| rows.clone());
            let before = before.unwrap_or_default();
            for slot in 0..SLOTS {
                let (old, new) = (before.get(&slot), rows.get(&slot));
                let seen = |row: &Row| {
                    (
                        row.generation,
                        cell(&grid, row),
                        lanes(row),
                        row.name.clone(),
                    )
                };
                if old.map(seen) != new.map(seen) {
                    for row in old.into_iter().chain(new) {
                        changed_at.insert(cell(&grid, row), tick);
                    }
                }
            }
            let mut hashes = vec![0_u64; grid.cell_count()];
            for (slot, row) in &rows {
                let hash = hash::row_hash(id(*slot, row), lanes(row), [&*row.name]);
                let sum = &mut hashes[cell(&grid, row).index()];
                *sum = sum.wrapping_add(hash);
            }
            for number in 0..grid.cell_count() as u32 {
                let (cell, at) = (CellId(number), number as usize);
                let what = format!("seed {seed}, tick {tick}, cell {number}");
                assert_eq!(history.cell_hash(cell), hashes[at], "{what}");
                let expected = changed_at.get(&cell).copied().unwrap_or_default();
                assert_eq!(history.changed_at(cell), expected, "{what}");
            }
            published.push_back((tick, rows.clone()));
            if published.len() > MIN_HISTORY_FRAMES {
                published.pop_front();
            }
            if tick.0 % 50 == 0 {
                for (old, rows) in &published {
                    let what = format!("seed {seed}, frame {old} at {tick}");
                    assert_same(history.at(*old).unwrap(), rows, &grid, &what);
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "published twice")]
fn a_slot_can_be_put_once_a_tick() {
    let schema = schema();
    let mut history = History::new(schema, MIN_HISTORY_FRAMES);
    let row = Row {
        generation: 1,
        place: Scope::Global,
        lanes: [0; 3],
        name: "".into(),
    };
    for tick in [Tick(1), Tick(2)] {
        history.publish(tick, &mut Events::default(), |out| {
            // Once in the first tick. A second put is noticed for a row at rest too.
            for _ in 0..tick.0 {
                out.put(
                    id(0, &row),
                    row.place,
                    &row.lanes,
                    std::slice::from_ref(&row.name),
                );
            }
        });
    }
}

#[test]
#[should_panic(expected = "there is no layer 3")]
fn a_row_on_an_unknown_layer_panics() {
    let place = Scope::Layer(Layer(3));
    let row = Row {
        generation: 1,
        place,
        lanes: [0; 3],
        name: "".into(),
    };
    History::new(schema(), MIN_HISTORY_FRAMES).publish(Tick(1), &mut Events::default(), |out| {
        out.put(
            id(0, &row),
            place,
            &row.lanes,
            std::slice::from_ref(&row.name),
        );
    });
}

#[test]
#[should_panic(expected = "an event of kind 1")]
fn an_event_of_an_unknown_kind_panics() {
    let mut events = Events::default();
    events.emit(1, b"", [CellId::GLOBAL]);
    History::new(schema(), MIN_HISTORY_FRAMES).publish(Tick(1), &mut events, |_| ());
}
