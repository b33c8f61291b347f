//! Which ticks a room is to make when its turn comes.
//!
//! In: the time, the room's ticks, the newest one made, and what a tick costs. Out: mostly one tick. A late one is caught up with,
//! up to [`MAX_CATCH_UP`]; beyond that ticks are skipped, and the numbers go on with the time. They are skipped at once where
//! a tick of the room, or of all rooms of its thread, takes about as long as a tick is, as nothing would be gained by making them.

use tickwire_sync::clock::TickClock;
use tickwire_sync::{Micros, Tick};

/// A tick's cost, smoothed: each new one counts for one part of so many, and for so many ticks' time at the most, as a thread that
/// was kept from running for long says nothing of what comes.
const SMOOTHING: u64 = 8;
const MAX_COST_TICKS: u64 = 2;

/// Late ticks that are made at once, one after the other, before ticks are skipped.
const MAX_CATCH_UP: u32 = 3;

/// See the module's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DueTicks {
    pub oldest: Tick,
    /// The one that the time asks for.
    pub newest: Tick,
    /// Ticks before the oldest that are never made.
    pub skipped: u32,
}

impl DueTicks {
    /// What is due at `now` where `made` is the newest tick made: at the least the one after that. `cost` is what it takes to
    /// make a tick and show it to nobody, of this room or of all that share its thread, whichever is more.
    pub fn at(now: Micros, ticks: TickClock, made: Tick, cost: Micros) -> Self {
        let newest = Tick(ticks.ticks_at(now.0 as f64).max(0.0) as u32).max(made.next());
        let late = newest.since(made) - 1;
        let gains = cost.0 * 4 < ticks.tick_us() as u64 * 3;
        let skipped = if late > MAX_CATCH_UP || !gains {
            late
        } else {
            0
        };
        Self {
            oldest: Tick(made.0 + 1 + skipped),
            newest,
            skipped,
        }
    }

    /// Whether there is more than the one that the time asks for.
    pub fn are_late(&self) -> bool {
        self.oldest != self.newest || self.skipped > 0
    }

    /// Oldest first.
    pub fn each(&self) -> impl Iterator<Item = Tick> + use<> {
        (self.oldest.0..=self.newest.0).map(Tick)
    }
}

/// A room's cost of a tick after one that took so long.
pub(super) fn smoothed(before: Micros, took: Micros, ticks: TickClock) -> Micros {
    let took = took.0.min(ticks.tick_us() as u64 * MAX_COST_TICKS);
    Micros((before.0 * (SMOOTHING - 1) + took).div_ceil(SMOOTHING))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: TickClock = TickClock {
        tick_zero_us: 0,
        tick_rate: 50,
    };

    #[test]
    fn a_thread_that_could_not_keep_up_skips_at_once() {
        let skipped = |cost_ms| {
            let due = DueTicks::at(
                Micros(241_000),
                TICKS,
                Tick(10),
                Micros::from_millis(cost_ms),
            );
            (due.skipped, due.newest)
        };
        assert_eq!(skipped(14), (0, Tick(12)));
        assert_eq!(skipped(15), (1, Tick(12)));
        // A game that takes longer than its ticks are is known for it in some of them; one tick that took a second is not.
        let after = |ticks: usize, took_ms| {
            let took = Micros::from_millis(took_ms);
            (0..ticks).fold(Micros(0), |cost, _| smoothed(cost, took, TICKS))
        };
        assert!(after(1, 1_000) < Micros::from_millis(6));
        assert!(after(8, 30) > Micros::from_millis(15));
        assert_eq!(after(100, 30).as_millis().round(), 30.0);
    }

    #[test]
    fn a_few_late_ticks_are_made_and_more_are_skipped() {
        let due = |now_ms: u64| {
            let due = DueTicks::at(Micros(now_ms * 1_000), TICKS, Tick(10), Micros(0));
            let each: Vec<u32> = due.each().map(|tick| tick.0).collect();
            (each, due.skipped, due.are_late())
        };
        // Tick 11 is due after 220 ms; a timer may ring a little too soon.
        assert_eq!(due(219), (vec![11], 0, false));
        assert_eq!(due(220), (vec![11], 0, false));
        assert_eq!(due(241), (vec![11, 12], 0, true));
        assert_eq!(due(280), (vec![11, 12, 13, 14], 0, true));
        assert_eq!(due(300), (vec![15], 4, true));
        assert_eq!(due(2_000), (vec![100], 89, true));
    }
}
