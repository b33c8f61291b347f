//! Which ticks a room makes when its turn comes. Pure.
//!
//! In: the time, the room's clock, the newest tick made, and the cost of a tick. Out: usually one tick. Late ticks are caught up
//! with, up to [`MAX_CATCH_UP_TICKS`]; if more are late, they are skipped: tick numbers follow the clock. Late ticks are
//! skipped at once where a tick of the room, or of all rooms of its worker, costs about as much time as a tick lasts, because
//! catching up would gain nothing. A room whose tick takes longer than a tick lasts is held back beside others.

use tickwire_sync::{Micros, Tick, TickClock};

/// The weight of a new cost in the smoothed cost is one part in this many.
const SMOOTHING: u64 = 8;
/// A cost counts as at most this many ticks' time, because a thread that did not run for long says nothing about later ticks.
const MAX_COST_TICKS: u64 = 2;
/// Late ticks that a room makes in one turn before ticks are skipped.
const MAX_CATCH_UP_TICKS: u32 = 3;
/// A room that is too slow rests for this many times the time that its turn took, where other rooms wait.
const SLOW_ROOM_REST: u64 = 3;

/// The ticks of one turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DueTicks {
    /// The first tick to make.
    pub oldest: Tick,
    /// The last tick to make: the one that the time asks for.
    pub newest: Tick,
    /// Ticks before the oldest that are never made.
    pub skipped: u32,
}

impl DueTicks {
    /// The ticks that are due at `now`; at least the one after `last_tick`, the newest tick made. `cost` is the time that a tick
    /// takes without its snapshots, for this room or for all rooms of its worker, whichever is more.
    pub fn at(now: Micros, tick_clock: TickClock, last_tick: Tick, cost: Micros) -> Self {
        let newest = Tick(tick_clock.ticks_at(now.0 as f64).max(0.0) as u32).max(last_tick.next());
        let late_ticks = newest.since(last_tick) - 1;
        let can_catch_up = cost.0 * 4 < tick_clock.tick_us() as u64 * 3;
        let skipped = if late_ticks > MAX_CATCH_UP_TICKS || !can_catch_up {
            late_ticks
        } else {
            0
        };
        Self {
            oldest: Tick(last_tick.0 + 1 + skipped),
            newest,
            skipped,
        }
    }

    /// Whether there are ticks before the one that the time asks for.
    pub fn are_late(&self) -> bool {
        self.oldest != self.newest || self.skipped > 0
    }

    /// The ticks to make, oldest first.
    pub fn each(&self) -> impl Iterator<Item = Tick> + use<> {
        (self.oldest.0..=self.newest.0).map(Tick)
    }
}

/// The smoothed cost of a tick, after one that took `cost`.
pub(super) fn smoothed_cost(before: Micros, cost: Micros, tick_clock: TickClock) -> Micros {
    let cost = cost.0.min(tick_clock.tick_us() as u64 * MAX_COST_TICKS);
    Micros((before.0 * (SMOOTHING - 1) + cost).div_ceil(SMOOTHING))
}

/// When a room that is too slow has its next turn, after one from `started` to `ended`: at least three quarters of the time are the
/// other rooms'. `next_tick`: when its next tick is due.
pub(super) fn held_back(next_tick: Micros, started: Micros, ended: Micros) -> Micros {
    next_tick.max(ended.plus(Micros(ended.since(started).0 * SLOW_ROOM_REST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_CLOCK: TickClock = TickClock {
        tick_zero_us: 0,
        tick_rate: 50,
    };

    #[test]
    fn late_ticks_are_skipped_where_catching_up_gains_nothing() {
        let skipped = |cost_ms| {
            let due = DueTicks::at(
                Micros(241_000),
                TICK_CLOCK,
                Tick(10),
                Micros::from_millis(cost_ms),
            );
            (due.skipped, due.newest)
        };
        assert_eq!(skipped(14), (0, Tick(12)));
        assert_eq!(skipped(15), (1, Tick(12)));
        // A game that takes longer than a tick shows within a few ticks; one tick that took a second does not.
        let after = |ticks: usize, cost_ms| {
            let cost = Micros::from_millis(cost_ms);
            (0..ticks).fold(Micros(0), |before, _| {
                smoothed_cost(before, cost, TICK_CLOCK)
            })
        };
        assert!(after(1, 1_000) < Micros::from_millis(6));
        assert!(after(8, 30) > Micros::from_millis(15));
        assert_eq!(after(100, 30).as_millis().round(), 30.0);
    }

    #[test]
    fn a_few_late_ticks_are_made_and_more_are_skipped() {
        let due = |now_ms: u64| {
            let due = DueTicks::at(Micros(now_ms * 1_000), TICK_CLOCK, Tick(10), Micros(0));
            let each: Vec<u32> = due.each().map(|tick| tick.0).collect();
            (each, due.skipped, due.are_late())
        };
        // Tick 11 is due after 220 ms; a timer may fire a little too soon.
        assert_eq!(due(219), (vec![11], 0, false));
        assert_eq!(due(220), (vec![11], 0, false));
        assert_eq!(due(241), (vec![11, 12], 0, true));
        assert_eq!(due(280), (vec![11, 12, 13, 14], 0, true));
        assert_eq!(due(300), (vec![15], 4, true));
        assert_eq!(due(2_000), (vec![100], 89, true));
    }

    /// Ticks a second that a room makes which needs 1 ms for each, beside one of the same worker that needs `slow_ms`, over ten
    /// seconds; and those of the slow room.
    fn rates_beside(slow_ms: u64, holds_back: bool) -> (u32, u32) {
        struct OneRoom {
            tick_us: u64,
            last_tick: Tick,
            cost: Micros,
            due: Micros,
            made: u32,
        }
        let tick_length = Micros(TICK_CLOCK.tick_us() as u64);
        let mut rooms = [1, slow_ms].map(|ms| OneRoom {
            tick_us: ms * 1_000,
            last_tick: Tick(0),
            cost: Micros(0),
            due: Micros(0),
            made: 0,
        });
        let mut now = Micros(0);
        while now < Micros::from_millis(10_000) {
            let room = if rooms[1].due < rooms[0].due {
                &mut rooms[1]
            } else {
                &mut rooms[0]
            };
            now = now.max(room.due);
            let started = now;
            let due = DueTicks::at(now, TICK_CLOCK, room.last_tick, room.cost);
            for tick in due.each() {
                now = now.plus(Micros(room.tick_us));
                room.cost = smoothed_cost(room.cost, Micros(room.tick_us), TICK_CLOCK);
                room.last_tick = tick;
                room.made += 1;
            }
            let next_tick = Micros(TICK_CLOCK.due_us(room.last_tick.next()) as u64);
            room.due = if holds_back && room.cost >= tick_length {
                held_back(next_tick, started, now)
            } else {
                next_tick
            };
        }
        (rooms[0].made / 10, rooms[1].made / 10)
    }

    #[test]
    fn a_slow_room_is_held_back_and_its_neighbours_keep_their_rate() {
        // Of 50 ticks a second the other room loses those that are more than three late after a turn of the slow room.
        for (slow_ms, at_least) in [(25, 49), (40, 49), (60, 49), (100, 35)] {
            let (quick, slow) = rates_beside(slow_ms, true);
            let of_a_quarter = (250 / slow_ms) as u32;
            assert!(quick >= at_least, "beside {slow_ms} ms: {quick}/s");
            assert!(
                (of_a_quarter - 1..=of_a_quarter + 1).contains(&slow),
                "of {slow_ms} ms: {slow}/s"
            );
        }
        // A room that keeps its rate is not held back.
        let (quick, slow) = rates_beside(10, true);
        assert_eq!((quick, slow), rates_beside(10, false));
        assert!(quick >= 49 && slow >= 49, "{quick}/s, {slow}/s");
    }
}
