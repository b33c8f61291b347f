//! Cases about cells that come and go, stand at different ticks, or get events.

use crate::connection::Connection;
use crate::world::{PLANE, ROCK, SHIP};
use tickwire_sync::{Layer, Scope};

/// A cell of layer 2, which the recorded player never sees.
const HIDDEN_CELL: u32 = 26;

pub fn cells(c: &mut Connection<'_>) {
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

pub fn gaps(c: &mut Connection<'_>) {
    c.world.put_ships_in_four_cells();
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
    c.world.lanes(SHIP, 2)[0] = 20;
    fly(c);
    c.step("a ship that has left the deferred cell is in two cells: show the newer row");
    c.world.remove(SHIP, 2);
    c.world.remove(SHIP, 3);
    c.step("it is gone: its older row is hidden; the one that went to the deferred cell stays as it was");
    c.world
        .put((SHIP, 2, 2), PLANE, &[-50, 0, 0, 0, 0], &["", ""]);
    c.step("its slot is reused while the deferred cell still has the old row");
    c.world.remove(SHIP, 2);
    c.step("and is vacant again: nothing older comes back");
    c.deferred.clear();
    c.world.add(SHIP, 0, &[1, -1, 5]);
    c.step("cell 5 catches up from an older baseline; the ship that went there never arrived");
    c.world
        .put((SHIP, 2, 3), PLANE, &[-50, 100, 0, 0, 0], &["", ""]);
    c.world
        .put((SHIP, 3, 2), PLANE, &[-50, 110, 0, 0, 0], &["", ""]);
    c.step("two ships enter cell 5");
    c.deferred = vec![5];
    fly(c);
    c.step("cell 5 is deferred");
    c.deferred.clear();
    fly(c);
    c.step("cell 5 catches up");
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

pub fn events(c: &mut Connection<'_>) {
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
