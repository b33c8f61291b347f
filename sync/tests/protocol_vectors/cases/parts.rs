//! A crowded cell that goes in parts.

use crate::connection::Connection;
use crate::world::{PLANE, ROCK, SHIP};
use std::ops::Range;

/// The crowded cell, and the one beside it.
const CROWDED: u32 = 2;
const NEXT: u32 = 6;
/// Slots of 16 to 31 are in the second of two parts, and in the second of four; 48 and more in the fourth of four.
const FIRST: u32 = 3;
const SECOND: u32 = 20;
const FOURTH: u32 = 50;
const ROCKS: Range<u32> = 0..56;

pub fn parts(c: &mut Connection<'_>) {
    // Some slots of each run are vacant, so that the file stays short.
    for slot in ROCKS.filter(|slot| slot % 16 < 5) {
        let at = (slot % 16) as i32 * 4;
        c.world
            .put((ROCK, slot, 1), PLANE, &[10 + at, slot as i32 / 2], &[]);
    }
    c.world
        .put((SHIP, 17, 1), PLANE, &[20, 30, 0, 0, 0], &["Ada", ""]);
    let [one, two, three, seven] = [1, 2, 3, 7].map(|index| c.part_id(CROWDED, index));
    let fly = |c: &mut Connection<'_>| {
        for slot in ROCKS.filter(|slot| slot % 16 < 3) {
            c.world.add(ROCK, slot, &[1, 0]);
        }
        c.world.add(SHIP, 17, &[0, 1, 7]);
    };
    c.with_view_hash = true;
    c.step("rocks and a ship in cell 2, which is whole");
    fly(c);
    c.step("all move");
    c.part(CROWDED, 1);
    c.deferred = vec![one];
    fly(c);
    c.step("cell 2 goes in two parts, and the second one is deferred. The first one is predicted: it has the ticks of the cell");
    fly(c);
    c.emit(0, b"!", &[CROWDED]);
    c.step("an event of a cell in parts is in the block of the first one");
    c.world.lanes(ROCK, SECOND)[1] = 60;
    c.world.lanes(ROCK, FIRST)[1] = 60;
    fly(c);
    c.step("a rock of each part goes to cell 6: that of the deferred part is in both");
    c.world.lanes(ROCK, SECOND)[1] = 10;
    fly(c);
    c.step("the one of the deferred part goes back: it is shown as it was in cell 6");
    c.part(CROWDED, 2);
    c.deferred = vec![one, three];
    c.world.set_text(SHIP, 17, 0, "Bob");
    fly(c);
    c.step("two parts become four: the second and the fourth have the ticks of the second of two");
    c.deferred = vec![three];
    c.world.lanes(ROCK, FOURTH)[1] = 70;
    fly(c);
    c.step("the second one catches up");
    c.part(CROWDED, 3);
    c.deferred = vec![three, seven];
    fly(c);
    c.step("four parts become eight: the eighth has the ticks of the fourth of four, and no row");
    c.deferred = vec![two];
    c.world.put((ROCK, FIRST, 2), PLANE, &[15, 5], &[]);
    fly(c);
    c.step("the fourth one catches up, and a slot of the first one is reused");
    c.deferred.clear();
    fly(c);
    c.step("all parts stand at the same tick");
    fly(c);
    c.step("and all are predicted again but the third, which did not stand at both ticks before");
    c.focus = (260, 0);
    c.step("the view moves on: the cell is dropped by its own number, with all parts");
    c.focus = (0, 0);
    fly(c);
    c.step("back again: the cell is whole");
    c.part(CROWDED, 1);
    c.deferred = vec![one];
    c.world.lanes(ROCK, FIRST)[1] = 65;
    fly(c);
    c.step("in two parts again");
    c.request_full_snapshot();
    c.world.lanes(ROCK, FIRST)[1] = 5;
    fly(c);
    c.step("a full snapshot says which cells go in parts; a deferred part is not added");
    c.deferred = vec![NEXT];
    c.world.lanes(ROCK, SECOND)[1] = 65;
    fly(c);
    c.step("the second part is added; a rock went to the deferred cell 6");
    c.focus = (260, 0);
    c.tick(1);
    c.focus = (0, 0);
    c.deferred.clear();
    c.step("away and back between two snapshots: a cell in parts is dropped, and added whole");
    c.part(CROWDED, 1);
    fly(c);
    c.step("in two parts, both sent");
    c.make_cells_whole();
    fly(c);
    c.step("both parts were sent at the same ticks: the cell is whole again, and predicted");
    fly(c);
    c.step("and on from there");
}
