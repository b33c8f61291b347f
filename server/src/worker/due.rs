//! Which ticks a room is to make when its turn comes.
//!
//! In: the time, the room's ticks and the newest one made. Out: mostly one tick. A late one is caught up with, up to
//! [`MAX_CATCH_UP`]; beyond that ticks are skipped, and the numbers go on with the time.

use tickwire_sync::clock::TickClock;
use tickwire_sync::{Micros, Tick};

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
    /// What is due at `now` where `made` is the newest tick made: at the least the one after that.
    pub fn at(now: Micros, ticks: TickClock, made: Tick) -> Self {
        let newest = Tick(ticks.ticks_at(now.0 as f64).max(0.0) as u32).max(made.next());
        let late = newest.since(made) - 1;
        let skipped = if late > MAX_CATCH_UP { late } else { 0 };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_late_ticks_are_made_and_more_are_skipped() {
        let ticks = TickClock {
            tick_zero_us: 0,
            tick_rate: 50,
        };
        let due = |now_ms: u64| {
            let due = DueTicks::at(Micros(now_ms * 1_000), ticks, Tick(10));
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
