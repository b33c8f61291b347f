//! A case in which everything happens at random.

use crate::connection::{Connection, PLAYER};
use crate::world::SHIP;
use tickwire_sync::{Layer, Scope};

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

pub fn wander(c: &mut Connection<'_>) {
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
