//! The promise of the history: every frame it holds is the world as it was published at that tick, whatever came after.
//!
//! Seeded worlds of several strips, in which now nearly all rest, now nearly all change, for longer than the history is;
//! beside each frame a plain copy of the rows. A failing seed is named in the message.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use glam::IVec2;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tickwire_sync::event::Events;
use tickwire_sync::frame::{Frame, Place};
use tickwire_sync::history::{History, MIN_FRAMES};
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, RowKey, Schema, Tick, hash,
};

const SLOTS: u32 = 300;
const TICKS: u32 = 400;
const SHIP: KindId = KindId(1);

#[derive(Clone, PartialEq, Debug)]
struct Row {
    generation: u32,
    place: Place,
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
        // The first kind has no entities and no lanes.
        kinds: vec![Kind::default(), ship],
        events: Vec::new(),
        grid,
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

/// Changes some rows. A row that goes may come back as it was, as a game may hide what it has.
fn change(rows: &mut Rows, hidden: &mut Rows, random: &mut fastrand::Rng, changes: u32) {
    for _ in 0..changes {
        let slot = random.u32(0..SLOTS);
        let at = [random.i32(-50..450), random.i32(-50..450), random.i32(..)];
        let Some(row) = rows.get_mut(&slot) else {
            let generation = hidden.get(&slot).map_or(1, |row| row.generation + 1);
            let new = Row {
                generation,
                place: Place::Layer(Layer(random.u8(0..3))),
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
            // The same heading in other words.
            5 => row.lanes[2] = row.lanes[2].rem_euclid(1024) + 1024,
            6 => row.name = format!("name {}", random.u8(0..2)).into(),
            7 => row.place = Place::Layer(Layer(random.u8(0..3))),
            8 => row.place = Place::Everywhere,
            _ => {
                let row = rows.remove(&slot).unwrap();
                hidden.insert(slot, row);
            }
        }
    }
}

fn cell(grid: &Grid, row: &Row) -> CellId {
    match row.place {
        Place::Everywhere => CellId::GLOBAL,
        Place::Layer(layer) => grid.cell_at(IVec2::new(row.lanes[0], row.lanes[1]), layer),
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
fn a_frame_stays_what_was_published_and_says_what_changed() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let schema = schema();
        let grid = schema.grid;
        let mut history = History::new(Arc::clone(&schema), MIN_FRAMES);
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
                    // A name of its own every other tick: the same text need not be the same memory.
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
                let hash = hash::row(id(*slot, row), lanes(row), [&*row.name]);
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
            if published.len() > MIN_FRAMES {
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
fn a_slot_is_put_once_a_tick() {
    let schema = schema();
    let mut history = History::new(schema, MIN_FRAMES);
    let row = Row {
        generation: 1,
        place: Place::Everywhere,
        lanes: [0; 3],
        name: "".into(),
    };
    for tick in [Tick(1), Tick(2)] {
        history.publish(tick, &mut Events::default(), |out| {
            // In the first tick once; at rest it is noticed all the same.
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
fn what_is_meant_for_a_layer_that_is_not_there_reaches_nobody() {
    let place = Place::Layer(Layer(3));
    let row = Row {
        generation: 1,
        place,
        lanes: [0; 3],
        name: "".into(),
    };
    History::new(schema(), MIN_FRAMES).publish(Tick(1), &mut Events::default(), |out| {
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
fn an_event_is_of_a_kind_that_the_schema_has() {
    let mut events = Events::default();
    events.emit(1, b"", [CellId::GLOBAL]);
    History::new(schema(), MIN_FRAMES).publish(Tick(1), &mut events, |_| ());
}
