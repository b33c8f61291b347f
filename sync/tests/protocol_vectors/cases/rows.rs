//! Cases about what a block says of the rows of one cell.

use crate::connection::{Connection, PLAYER};
use crate::world::{MARK, PANEL, PLANE, ROCK, SCORE, SHIP};
use tickwire_sync::Scope;

/// Another player, whose private lanes the recorded one must not get.
const OTHER: u32 = 8;

pub fn lanes(c: &mut Connection<'_>) {
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

pub fn symbols(c: &mut Connection<'_>) {
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

pub fn changed_rows(c: &mut Connection<'_>) {
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

pub fn usual_lanes(c: &mut Connection<'_>) {
    c.world.put_ships_in_four_cells();
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

pub fn texts(c: &mut Connection<'_>) {
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
