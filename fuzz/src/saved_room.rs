//! A checkpoint of any bytes: it is refused, or its room goes on, and saves the same state again.
//!
//! Input: the state of a room, as [`Room::save`] writes it. The same bytes are read as a whole checkpoint too, which hardly any are.

use crate::room::{MemoryLink, Walkers, settings};
use tickwire_server::internals::{Moment, RestorePoint, Room, is_checkpoint};
use tickwire_sync::{Micros, Tick, TickClock};

/// One run of the target.
///
/// # Panics
/// If a room panics, or saves another state than it was restored from.
pub fn run(input: &[u8]) {
    let _ = is_checkpoint(input);
    let Some(mut room) = restored(input) else {
        return;
    };
    let mut saved = Vec::new();
    room.save(MOMENT, &mut saved)
        .expect("the game saves its state");
    let again = restored(&saved).expect("a room reads what it has saved");
    let mut saved_again = Vec::new();
    again
        .save(MOMENT, &mut saved_again)
        .expect("the game saves its state");
    assert_eq!(saved, saved_again, "a restored room is another one");
    for tick in 101..110 {
        let now = Micros(u64::from(tick) * 16_667);
        room.tick(Tick(tick), now, || now);
        room.replicate(now, || now);
    }
}

const MOMENT: Moment = Moment {
    now: Micros(1_666_700),
    unix_ms: 1_800_000_000_000,
};

fn restored(state: &[u8]) -> Option<Room<MemoryLink>> {
    let point = RestorePoint {
        tick: Tick(100),
        skips: 0,
        keeps_clients: true,
        moment: MOMENT,
    };
    let ticks = TickClock {
        tick_zero_us: 0,
        tick_rate: 60,
    };
    let game = Box::new(Walkers::default());
    Room::restore("fuzz", settings(), game, ticks, [7; 32], state, point).ok()
}
