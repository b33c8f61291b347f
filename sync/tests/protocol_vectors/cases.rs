//! The cases: each is one connection that goes where another kind of mistake shows.

use crate::connection::{Connection, PLAYER};
use crate::world::{MARK, PANEL, PLANE, ROCK, SCORE, SHIP};
use tickwire_sync::{Layer, Scope};

/// Another player, whose private lanes the recorded one must not get.
const OTHER: u32 = 8;
/// A cell of layer 2, which the recorded player never sees.
const HIDDEN_CELL: u32 = 26;

/// Name, purpose and script of a case.
pub type Case = (&'static str, &'static str, fn(&mut Connection<'_>));

pub const CASES: [Case; 9] = [
    (
        "lanes",
        "Every kind of row and lane, values at the ends of their ranges, private rows, and the header.",
        lanes,
    ),
    (
        "symbols",
        "All 44 symbols of the packed codes, with and without prediction, in the first codebooks and in tuned ones.",
        symbols,
    ),
    (
        "changed rows",
        "All ways to say which rows and lanes of a block changed.",
        changed_rows,
    ),
    (
        "usual lanes",
        "Codebooks that change only the usual lanes.",
        usual_lanes,
    ),
    (
        "texts",
        "Texts that change, alone and with lanes, while other rows come and go.",
        texts,
    ),
    (
        "cells",
        "Rows that cross, leave and return, reused slots, layers, and a view that moves.",
        cells,
    ),
    (
        "gaps",
        "Deferred cells, skipped ticks, keyframes after a long gap, a wrong hash and a full snapshot.",
        gaps,
    ),
    (
        "events",
        "Events in one cell and in several, now and ago, too old and too many.",
        events,
    ),
    ("wander", "Everything at once, at random.", wander),
];

fn lanes(c: &mut Connection<'_>) {
    let w = &mut c.world;
    w.put(
        (SHIP, 1, 1),
        PLANE,
        &[10, 20, 1020, 100, 4],
        &["Ada", "per aspera ad astra"],
    );
    w.own(SHIP, 1, PLAYER, &[5, -1]);
    w.put(
        (SHIP, 2, 9),
        Scope::Global,
        &[i32::MIN, i32::MAX, 0, -1, 0],
        &["Zoë 🚀", ""],
    );
    w.own(SHIP, 2, OTHER, &[1, 2]);
    w.put((ROCK, 70_000, u32::MAX), PLANE, &[-100, -50], &[]);
    w.put((ROCK, 3, 1), PLANE, &[-5_000, 60], &[]);
    w.put(
        (SCORE, 0, 1),
        Scope::Global,
        &[i32::MIN, i32::MAX, i32::MAX - 1, 6],
        &[],
    );
    w.own(SCORE, 0, PLAYER, &[]);
    let dials: Vec<i32> = (0..64).map(|dial| dial * dial - 500).collect();
    w.put((PANEL, 0, 1), Scope::Global, &dials, &["all 64 lanes"]);
    w.put((MARK, 5, 1), Scope::Global, &[], &[]);
    c.with_view_hash = true;
    c.step("the first snapshot is a full one");
    c.with_view_hash = false;
    c.input_margin = Some(8);
    c.step("nothing changed, so there is no block");
    c.input_margin = Some(0);
    c.world.add(SHIP, 1, &[3, -2, 8, 0, 1]);
    c.world.own(SHIP, 1, PLAYER, &[i32::MIN, 360]);
    c.step("heading and gear wrap at their moduli");
    c.input_margin = Some(-5);
    c.starved_inputs = 3;
    c.seq_lead = -2;
    c.world.add(SHIP, 2, &[-1, 1, -1, 0, -1]);
    c.world.add(SCORE, 0, &[-1, 1, 1, 1]);
    c.world.lanes(PANEL, 0)[0] = i32::MIN;
    c.world.add(ROCK, 3, &[-1, 0]);
    c.step("lanes wrap at 32 bits and at the largest modulus");
    c.starved_inputs = 4;
    c.seq_lead = 1;
    c.world.lanes(PANEL, 0)[63] = i32::MAX;
    c.world.add(SHIP, 1, &[0, 0, 512]);
    c.world.add(SCORE, 0, &[0, i32::MIN, 1 << 30, 3]);
    c.step("half a turn, and the last of 64 lanes");
    c.world.add(SHIP, 1, &[0, 0, -512]);
    c.world.add(SCORE, 0, &[0, i32::MIN, -(1 << 30), 4]);
    for (slot, value) in [1 << 6, 1 << 10, 1 << 14, 1 << 18, 1 << 22, 1 << 26]
        .iter()
        .enumerate()
    {
        let lanes = [*value, -*value, *value, 0];
        c.world
            .put((SCORE, 1 + slot as u32, 1), Scope::Global, &lanes, &[]);
    }
    c.world.remove(MARK, 5);
    c.step("half a turn back; a row without lanes leaves, and rows with lanes of all sizes enter");
}

/// A residual with this symbol.
fn residual(symbol: u32) -> i32 {
    let zigzag = match symbol {
        0..16 => symbol,
        _ => {
            let bits = symbol - 16 + 4;
            1 << bits | 0x2d2d_2d2d & ((1 << bits) - 1)
        }
    };
    (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)
}

fn symbols(c: &mut Connection<'_>) {
    const ROWS: u32 = 11;
    for slot in 0..ROWS {
        c.world.put((SCORE, slot, 1), Scope::Global, &[0; 4], &[]);
    }
    c.step("eleven rows");
    let mut velocity = [0_i32; ROWS as usize];
    for round in 0..2 {
        c.step("at rest");
        c.step("at rest: from now on the rows are predicted");
        velocity.fill(0);
        for first in (0..44).step_by(ROWS as usize) {
            for slot in 0..ROWS {
                let residual = residual(first + slot);
                let velocity = &mut velocity[slot as usize];
                *velocity = velocity.wrapping_add(residual);
                c.world.add(SCORE, slot, &[residual, *velocity, 0, 1]);
            }
            c.step("the residuals of points and drift have the next eleven symbols, predicted");
        }
        for first in (0..44).step_by(ROWS as usize) {
            for slot in 0..ROWS {
                let residual = residual(first + slot);
                c.world.add(SCORE, slot, &[residual, residual, 0, 1]);
            }
            c.tick(2);
            c.send("the next eleven symbols, two ticks later, so not predicted");
        }
        if round == 0 {
            c.tune_codebooks(1e9, false);
        }
    }
}

fn changed_rows(c: &mut Connection<'_>) {
    for slot in 0..24 {
        let at = slot as i32;
        c.world.put((ROCK, slot, 1), PLANE, &[at * 3, at], &[]);
    }
    c.world
        .put((SHIP, 1, 1), PLANE, &[50, 0, 0, 0, 0], &["Ada", ""]);
    c.world.put((PANEL, 0, 1), Scope::Global, &[0; 64], &[""]);
    c.world.put((MARK, 0, 1), Scope::Global, &[], &[]);
    c.world.put((SCORE, 0, 1), Scope::Global, &[0; 4], &[]);
    c.step("24 rocks and a ship in one cell");
    let move_rocks = |slots: &[u32], c: &mut Connection<'_>| {
        for slot in slots {
            c.world.add(ROCK, *slot, &[1, 0]);
        }
    };
    let all: Vec<u32> = (0..24).collect();
    move_rocks(&all, c);
    c.step("all rocks move, not yet predicted");
    move_rocks(&all, c);
    c.step("all rocks move on as predicted");
    c.world.set_text(SHIP, 1, 1, "alone");
    c.step("no rock changes; the ship only in a text");
    move_rocks(&[0], c);
    c.step("the first rock moves");
    move_rocks(&[23], c);
    c.step("the last rock moves: a gap of more than 15 rows");
    move_rocks(&[3, 20], c);
    c.step("two rocks move: gaps");
    let even: Vec<u32> = (0..24).step_by(2).collect();
    move_rocks(&even, c);
    c.step("every second rock moves: a bit for each row");
    c.world.add(SHIP, 1, &[0, 0, 0, 7]);
    c.step("a lane that is not among the usual ones");
    c.world.add(SHIP, 1, &[1, 0, 0, -7, 1]);
    c.step("usual lanes and others");
    c.tune_codebooks(8.0, true);
    move_rocks(&even, c);
    c.world.add(SHIP, 1, &[0, 0, 3]);
    c.world.add(SCORE, 0, &[5, 1]);
    c.step("some codes have changed, of lanes that are far apart");
    c.world.add(SHIP, 1, &[1, 0, 0, 0, 0]);
    c.step("one of the usual lanes; the others have residual 0");
    c.world.lanes(PANEL, 0)[63] = -1;
    c.step("lane 63 alone, which is a usual one; a kind without lanes follows");
    c.world.lanes(PANEL, 0)[62] = 40;
    c.world.lanes(PANEL, 0)[31] = -40;
    c.world.lanes(PANEL, 0)[63] = -2;
    c.world.add(SCORE, 0, &[1]);
    c.step("lanes 31, 62 and 63; rows of three kinds in one cell");
}

fn usual_lanes(c: &mut Connection<'_>) {
    for (slot, at) in [[-50, 0], [50, 0], [-50, 100], [50, 100]]
        .iter()
        .enumerate()
    {
        c.world.put(
            (SHIP, slot as u32, 1),
            PLANE,
            &[at[0], at[1], 0, 0, 0],
            &["", ""],
        );
    }
    c.world.put((SCORE, 0, 1), Scope::Global, &[0; 4], &[]);
    c.step("a ship in each of four cells");
    let repair = |c: &mut Connection<'_>, times| {
        for _ in 0..times {
            (0..4).for_each(|slot| c.world.add(SHIP, slot, &[0, 0, 0, 1]));
            c.world.add(SCORE, 0, &[300]);
            c.step("only hull and points change");
        }
    };
    repair(c, 9);
    c.tune_codebooks(0.0, true);
    c.world.add(SHIP, 0, &[0, 0, 0, 1]);
    c.step("hull is the ships' usual lane now, and no code has changed");
    c.world.add(SHIP, 0, &[1, 0, 0, 1]);
    c.step("x is none any more");
    repair(c, 6);
    c.tune_codebooks(8.0, true);
    c.world.add(SHIP, 0, &[1, 0, 0, 1]);
    c.world.add(SCORE, 0, &[300, 1]);
    c.step("codes of two kinds have changed, and others between them have not");
}

fn texts(c: &mut Connection<'_>) {
    for slot in 1..=4 {
        let at = slot as i32 * 10;
        c.world.put(
            (SHIP, slot, 1),
            PLANE,
            &[at, 0, 0, 0, 0],
            &["name", "motto"],
        );
    }
    c.world
        .put((PANEL, 0, 1), Scope::Global, &[0; 64], &["a title"]);
    c.step("four ships");
    c.world
        .set_text(SHIP, 2, 0, "a name of more than fifteen bytes");
    c.step("one text changes");
    c.world.set_text(SHIP, 3, 1, "");
    c.world.set_text(SHIP, 3, 0, "日本語, äöü, 🚀");
    c.step("both texts of a row change, one becomes empty, one has letters of 2 to 4 bytes");
    c.world.set_text(SHIP, 3, 1, "moving");
    c.world.add(SHIP, 3, &[1, 1, 1]);
    c.world.add(SHIP, 1, &[1, 1, 1]);
    c.world.set_text(PANEL, 0, 0, "another title");
    c.step("a text changes with lanes, others lanes alone");
    c.world.remove(SHIP, 1);
    c.world
        .put((SHIP, 0, 1), PLANE, &[5, 0, 0, 0, 0], &["new", ""]);
    c.world
        .set_text(SHIP, 4, 0, "the third row of those that stay");
    c.step("a text changes while one row leaves and another one enters before it");
    c.world.set_text(SHIP, 4, 0, "for one tick only");
    c.tick(1);
    c.world
        .set_text(SHIP, 4, 0, "the third row of those that stay");
    c.world.add(SHIP, 4, &[1]);
    c.step("a text that changed and changed back is not sent");
}

fn cells(c: &mut Connection<'_>) {
    for slot in 1..=6 {
        let at = slot as i32 * 10;
        c.world
            .put((SHIP, slot, 1), PLANE, &[at, 20, 0, 0, 0], &["", ""]);
    }
    c.world.put((ROCK, 0, 1), PLANE, &[120, 20], &[]);
    c.step("six ships in cell 2, a rock outside of the view");
    c.world.lanes(SHIP, 1)[1] = 60;
    c.step("a ship crosses into another cell of the view");
    c.world.lanes(SHIP, 2)[0] = 110;
    c.step("a ship crosses into a cell outside of the view");
    c.world.remove(SHIP, 3);
    c.step("a ship is gone");
    c.world
        .put((SHIP, 4, 2), PLANE, &[41, 20, 0, 0, 0], &["reused", ""]);
    c.step("a slot is reused in its cell: left and entered in one block");
    c.world
        .put((SHIP, 4, 3), PLANE, &[-41, 20, 0, 0, 0], &["reused", ""]);
    c.step("a slot is reused in another cell");
    c.world
        .put((SHIP, 3, 2), PLANE, &[30, 20, 0, 0, 0], &["back", ""]);
    c.step("a slot is reused later");
    c.world.lanes(SHIP, 1)[1] = 20;
    c.world.set_scope(SHIP, 3, Scope::Global);
    c.world.remove(SHIP, 5);
    c.world.add(SHIP, 6, &[1]);
    c.step("one ship enters, one goes to the global cell, one is gone, one moves");
    c.world.set_scope(SHIP, 6, Scope::Layer(Layer(1)));
    c.step("a ship goes to a layer that the player does not see: the block does not say where");
    c.sees_layer(1);
    c.step("the player sees layer 1 from now on");
    c.world.set_scope(SHIP, 6, PLANE);
    c.world.set_scope(SHIP, 1, Scope::Layer(Layer(1)));
    c.step("one ship leaves layer 1, another one goes there, and nothing says so to those who see only layer 0");
    c.world.set_scope(SHIP, 1, Scope::Layer(Layer(2)));
    c.step("a ship goes to a layer that the player never sees");
    c.focus = (160, 0);
    c.step("the view moves on: cells are dropped and added");
    c.focus = (110, 40);
    c.step("a small way back: cells stay for a quarter of their side");
    c.focus = (-999, 999);
    c.tick(1);
    c.focus = (110, 40);
    c.world.add(SHIP, 6, &[1]);
    c.step("away and back between two snapshots: cells are dropped and added at once");
    c.focus = (9_999, 9_999);
    c.step("a focus outside of the grid");
    c.focus = (0, 0);
    c.step("back again");
}

fn gaps(c: &mut Connection<'_>) {
    for (slot, at) in [[-50, 0], [50, 0], [-50, 100], [50, 100]]
        .iter()
        .enumerate()
    {
        c.world.put(
            (SHIP, slot as u32, 1),
            PLANE,
            &[at[0], at[1], 0, 0, 0],
            &["", ""],
        );
    }
    let fly = |c: &mut Connection<'_>| (0..4).for_each(|slot| c.world.add(SHIP, slot, &[1, -1, 5]));
    c.step("a ship in each of the cells 1, 2, 5 and 6");
    fly(c);
    c.step("all move");
    c.deferred = vec![5];
    fly(c);
    c.step("cell 5 is deferred");
    fly(c);
    c.step("cell 5 is deferred again");
    c.world.lanes(SHIP, 3)[0] = -20;
    fly(c);
    c.step("a ship goes from cell 6 to the deferred cell");
    c.deferred.clear();
    fly(c);
    c.step("cell 5 catches up from an older baseline");
    fly(c);
    c.step("cell 5 is not predicted: it did not stand at both ticks before");
    fly(c);
    c.step("all are predicted again");
    c.focus = (160, 0);
    c.world.put((ROCK, 1, 1), PLANE, &[150, 0], &[]);
    c.deferred = vec![3];
    c.step("a new cell that is deferred is not added yet");
    c.deferred = vec![2];
    fly(c);
    c.step("the new cell is added, while another one is deferred");
    c.deferred.clear();
    c.focus = (0, 0);
    fly(c);
    c.tick(5);
    c.send("four ticks were skipped");
    fly(c);
    c.tick(1);
    fly(c);
    c.tick(1);
    fly(c);
    c.starved_inputs = 9;
    c.seq_lead = -3;
    c.step("two frames were not sent: their differences come together");
    fly(c);
    c.step("the next tick");
    c.world.add(SHIP, 0, &[1]);
    for _ in 0..130 {
        c.tick(1);
    }
    c.world.add(SHIP, 1, &[1]);
    c.step("after 130 frames without a snapshot: keyframes of the cells that changed");
    c.world.add(SHIP, 0, &[1]);
    c.step("one tick after a keyframe");
    fly(c);
    c.tick(1);
    c.send_with_a_wrong_hash("the view hash is wrong: send Resync");
    fly(c);
    c.starved_inputs = 10;
    c.step("this snapshot was on its way when Resync was sent: ignore it");
    c.request_full_snapshot();
    fly(c);
    c.step("the full snapshot");
    fly(c);
    c.tick(1);
    c.lose();
    fly(c);
    c.tick(1);
    c.send_after_a_loss(
        "a snapshot was lost before this one, which must not be taken for the next: send Resync",
    );
    c.request_full_snapshot();
    fly(c);
    c.with_view_hash = true;
    c.step("the full snapshot");
    fly(c);
    c.step("and on from there");
}

fn events(c: &mut Connection<'_>) {
    for (slot, at) in [[-50, 0], [50, 0]].iter().enumerate() {
        c.world.put(
            (SHIP, slot as u32, 1),
            PLANE,
            &[at[0], at[1], 0, 0, 0],
            &["", ""],
        );
    }
    c.emit(0, b"before", &[2]);
    c.step("keyframes carry no events");
    c.emit(0, b"", &[2]);
    c.step("an event without a payload");
    c.emit(1, b"more than fifteen bytes of payload", &[0, 5]);
    c.emit(0, &[0, 255], &[0]);
    c.step("two events in the global cell, one of them also in an empty one");
    c.emit(1, b"!", &[1, 2]);
    c.world.add(SHIP, 0, &[1]);
    c.step("an event in two blocks is shown once");
    c.emit(1, b"one", &[1, 2]);
    c.deferred = vec![2];
    c.step("an event in a cell that is deferred");
    c.deferred.clear();
    c.emit(0, b"two", &[2]);
    c.step("the deferred cell catches up: the older event was shown already");
    c.emit(0, b"first", &[1]);
    c.tick(1);
    c.emit(0, b"second", &[1]);
    c.emit(0, b"third", &[1, 2]);
    c.tick(1);
    c.step("events of two ticks, none of them now");
    (0..140).for_each(|_| c.emit(0, b"hidden", &[HIDDEN_CELL]));
    c.step("events in a cell that the player does not see");
    c.emit(0, b"too old", &[1]);
    c.tick(1);
    c.emit(0, b"63 ticks ago", &[1]);
    c.tick(1);
    c.tick(62);
    c.emit(1, b"now", &[1]);
    c.step("events from 64 ticks on are not sent");
    (0..70_u8).for_each(|number| c.emit(0, &[number], &[1]));
    c.step("a cell keeps the latest 64 events of a tick");
    c.emit(0, b"lost", &[1]);
    c.request_full_snapshot();
    c.step("a full snapshot carries none");
    c.emit(0, b"last", &[1]);
    c.step("and on from there");
}

/// A small generator (xorshift), so that the file depends on no crate's version.
struct Dice(u64);

impl Dice {
    /// A number from `low` to below `high`.
    fn between(&mut self, low: i32, high: i32) -> i32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + ((self.0 >> 20) % (high - low) as u64) as i32
    }

    fn one_in(&mut self, count: i32) -> bool {
        self.between(0, count) == 0
    }
}

fn wander(c: &mut Connection<'_>) {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut generations = [0; 6];
    c.sees_layer(1);
    for turn in 0..60 {
        for slot in 0..6_u32 {
            if c.world.generation(SHIP, slot).is_none() || dice.one_in(15) {
                let generation = &mut generations[slot as usize];
                *generation += 1;
                let layer = Layer(dice.between(0, 3) as u8);
                let lanes = [
                    dice.between(-90, 120),
                    dice.between(-40, 120),
                    dice.between(0, 1024),
                    100,
                    0,
                ];
                c.world.put(
                    (SHIP, slot, *generation),
                    Scope::Layer(layer),
                    &lanes,
                    &["", "wandering"],
                );
                if slot < 2 {
                    c.world.own(
                        SHIP,
                        slot,
                        PLAYER,
                        &[dice.between(0, 9), dice.between(-360, 360)],
                    );
                }
            } else if dice.one_in(40) {
                c.world.remove(SHIP, slot);
            } else if !dice.one_in(4) {
                let step = [
                    dice.between(2, 6),
                    dice.between(-3, 4),
                    dice.between(-40, 90),
                    -i32::from(dice.one_in(5)),
                ];
                c.world.add(SHIP, slot, &step);
                if dice.one_in(12) {
                    c.world
                        .set_text(SHIP, slot, 0, ["Ada", "Bob", "Zoë"][turn % 3]);
                }
            }
        }
        if dice.one_in(3) {
            let cells = [dice.between(0, 13) as u32, dice.between(0, 25) as u32];
            c.emit(dice.between(0, 2) as u32, &[turn as u8], &cells);
        }
        if turn == 20 || turn == 40 {
            c.tune_codebooks(1e9, true);
        }
        c.focus = (
            dice.between(-40, 40) + turn as i32 * 2,
            dice.between(-20, 60),
        );
        c.deferred.clear();
        if dice.one_in(4) {
            c.deferred = (0..25)
                .filter(|cell| cell % dice.between(2, 5) as u32 == 0)
                .collect();
        }
        c.input_margin = (!dice.one_in(5)).then(|| dice.between(-9, 20));
        c.starved_inputs += u32::from(dice.one_in(6));
        c.seq_lead = dice.between(-2, 3);
        c.tick(if dice.one_in(8) { 2 } else { 1 });
        c.with_view_hash = turn % 10 == 0;
        if !dice.one_in(5) || turn == 0 {
            c.send("wandering");
        }
    }
}
