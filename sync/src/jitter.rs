//! How regularly something arrives that is made once a tick or less often, and how far behind the quickest arrival one must stay to
//! have the next in time: at least by the pause between two, and by the jitter.
//!
//! In: for each arrival its tick, the tick of the one before it, and when it came. Out: that delay, of the 99th percentile. Client
//! and server measure with the same function, so that a server can tell what delay a client's screen needs.
//!
//! A stall is not jitter: TCP holds everything back for a while, and then all of it comes at once. Who took that for jitter would
//! show the world 200 ms late for the sake of one stall in three seconds. So what comes in such a burst is left out, unless
//! there is so much of it that the path itself has changed.

use crate::ids::Tick;
use crate::ring::Ring;

/// In ticks: what comes this much later than the one before it had stalled.
const STALL: f64 = 3.5;
/// In ticks: what follows sooner than this after a stalled one was held back by the same stall.
const BURST_GAP: f64 = 0.5;
/// If more than one in so many was stalled, then that is how the path is. Stalls of 200 ms that come by chance every three seconds
/// are three in four seconds often enough, which is one in seven.
const MOST_STALLED: usize = 4;
/// Arrivals that are summed up together. Every so many the percentiles are looked at.
pub const BLOCK: usize = 16;
/// As long as there are fewer blocks than this, the percentiles are looked at with every arrival.
const FEW_BLOCKS: usize = 2;
/// The most blocks that are remembered.
pub const MAX_BLOCKS: usize = 16;
/// The percentile that counts.
const PERCENTILE: usize = 99;
/// As many of the arrivals in [`MAX_BLOCKS`] are at the percentile or above it.
const MOST_ABOVE: usize = MAX_BLOCKS * BLOCK - (MAX_BLOCKS * BLOCK - 1) * PERCENTILE / 100;
/// Parts of a tick in which arrivals are remembered, 65 us each at 60 ticks a second.
const PARTS: f64 = 256.0;

/// See the module's head. Remembers the latest `BLOCKS` times [`BLOCK`] arrivals; `BLOCKS` is 2 to [`MAX_BLOCKS`]. Times are in ticks, on
/// any one clock.
///
/// Of the arrivals only what the percentiles need is kept, block by block: a server has three of these for every client, and each arrival
/// would find another part of a list of all of them gone from the processor's cache.
#[derive(Clone, Debug)]
pub struct Jitter<const BLOCKS: usize> {
    /// The latest whole ones.
    blocks: Ring<Block, BLOCKS>,
    /// The one that is not whole yet.
    latest: Block,
    /// The lateness that all others are counted from.
    origin: f64,
    newest: Option<(Tick, f64)>,
    in_stall: bool,
    least: f64,
    high: f64,
}

/// Some arrivals, one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Those that had not stalled.
    punctual: Waits,
    stalled: Waits,
}

/// What the percentiles need of some arrivals, in parts of a tick after the origin.
#[derive(Clone, Copy, Debug)]
struct Waits {
    count: u16,
    /// The least lateness.
    least: i16,
    /// Until when one had to wait for the next, the longest first: lateness and pause.
    longest: [i32; MOST_ABOVE],
}

impl<const BLOCKS: usize> Default for Jitter<BLOCKS> {
    fn default() -> Self {
        const { assert!(BLOCKS >= FEW_BLOCKS && BLOCKS <= MAX_BLOCKS) };
        Self {
            blocks: Ring::default(),
            latest: Block::default(),
            origin: 0.0,
            newest: None,
            in_stall: false,
            least: 0.0,
            high: 0.0,
        }
    }
}

impl<const BLOCKS: usize> Jitter<BLOCKS> {
    /// What was made at `tick` has come at `at` (in ticks); what was made at `before` is the one that came before it.
    pub fn arrived(&mut self, tick: Tick, before: Tick, at: f64) {
        let lateness = at - f64::from(tick.0);
        if let Some((last, last_at)) = self.newest {
            let grown = lateness - (last_at - f64::from(last.0));
            let gap = at - last_at;
            self.in_stall = grown > STALL || (self.in_stall && gap < BURST_GAP);
        }
        self.newest = Some((tick, at));
        let mut parts = (lateness - self.origin) * PARTS;
        // A clock that has jumped by two seconds: nothing of before can be compared with it.
        if self.is_empty() || parts.abs() > f64::from(i16::MAX) {
            self.blocks.clear();
            self.latest = Block::default();
            self.origin = lateness;
            parts = 0.0;
        }
        let kind = if self.in_stall {
            &mut self.latest.stalled
        } else {
            &mut self.latest.punctual
        };
        let pause = tick.since(before).clamp(1, 255);
        // To the nearest. (`round` is a call on processors without SSE 4.1, which builds must not take for granted.)
        kind.add((parts + 0.5_f64.copysign(parts)) as i16, pause);
        if self.latest.count() == BLOCK {
            self.blocks.push(std::mem::take(&mut self.latest));
            self.look();
        } else if self.blocks.len() < FEW_BLOCKS {
            self.look();
        }
    }

    fn look(&mut self) {
        let (mut waits, mut stalled) = (self.latest.punctual, self.latest.stalled);
        for block in self.blocks.newest_first() {
            waits.join(&block.punctual);
            stalled.join(&block.stalled);
        }
        if usize::from(stalled.count) * MOST_STALLED > usize::from(waits.count + stalled.count) {
            waits.join(&stalled);
        }
        let count = usize::from(waits.count);
        let Some(last) = count.checked_sub(1) else {
            return;
        };
        // So many are at the percentile or above it.
        let above = count - last * PERCENTILE / 100;
        if let Some(high) = waits.longest.get(above - 1) {
            self.high = self.origin + f64::from(*high) / PARTS;
            self.least = self.origin + f64::from(waits.least) / PARTS;
        }
    }

    /// Whether anything has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.len() == 0 && self.latest.count() == 0
    }

    /// The least lateness, in ticks of the clock that the arrivals were told in.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.least
    }

    /// When to show a tick, minus that tick: by then 99 % of the next ones have come, stalls left out.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.high
    }

    /// How far that is behind the quickest arrival: one tick at the least.
    #[must_use]
    pub fn delay(&self) -> f64 {
        self.high - self.least
    }
}

impl Block {
    fn count(&self) -> usize {
        usize::from(self.punctual.count + self.stalled.count)
    }
}

impl Waits {
    /// One that came at `lateness`, `pause` ticks after the one before it.
    fn add(&mut self, lateness: i16, pause: u32) {
        self.count += 1;
        self.least = self.least.min(lateness);
        self.note(i32::from(lateness) + pause as i32 * PARTS as i32);
    }

    fn join(&mut self, others: &Self) {
        if others.count == 0 {
            return;
        }
        self.count += others.count;
        self.least = self.least.min(others.least);
        // The longest come first, so that few are looked at.
        for wait in others.longest {
            if !self.note(wait) {
                break;
            }
        }
    }

    /// Whether it is among the longest.
    fn note(&mut self, wait: i32) -> bool {
        let place = self.longest.iter().position(|longer| wait > *longer);
        if let Some(place) = place {
            self.longest[place..].rotate_right(1);
            self.longest[place] = wait;
        }
        place.is_some()
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            count: 0,
            least: i16::MAX,
            longest: [i32::MIN; MOST_ABOVE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What [`Jitter`] says of the arrivals that it remembers, by sorting all of them: the least, and the 99th percentile.
    fn by_sorting(arrivals: &[(i32, bool)]) -> (i32, i32) {
        let stalled = arrivals.iter().filter(|(_, stalled)| *stalled).count();
        let takes_all = stalled * MOST_STALLED > arrivals.len();
        let mut sorted: Vec<i32> = arrivals
            .iter()
            .filter(|(_, stalled)| takes_all || !stalled)
            .map(|(lateness, _)| *lateness)
            .collect();
        sorted.sort_unstable();
        let high = sorted[(sorted.len() - 1) * PERCENTILE / 100];
        (sorted[0], high + PARTS as i32)
    }

    /// Each step: how late one comes, in parts of a tick, and whether it has stalled beside.
    fn check_against_sorting<const BLOCKS: usize>(steps: &[(i32, bool)]) {
        let mut jitter = Jitter::<BLOCKS>::default();
        let mut arrivals: Vec<(i32, bool)> = Vec::new();
        for (tick, (part, stalls)) in (1..).zip(steps) {
            let lateness = part + if *stalls { 5 * PARTS as i32 } else { 0 };
            let stalled = arrivals.last().is_some_and(|(last, in_stall)| {
                let grown = f64::from(lateness - last) / PARTS;
                grown > STALL || (*in_stall && 1.0 + grown < BURST_GAP)
            });
            arrivals.push((lateness, stalled));
            let at = f64::from(tick) + f64::from(lateness) / PARTS;
            jitter.arrived(Tick(tick), Tick(tick - 1), at);
        }
        let whole = arrivals.len() / BLOCK;
        let seen = if whole < FEW_BLOCKS {
            arrivals.len()
        } else {
            whole * BLOCK
        };
        let (least, high) = by_sorting(&arrivals[seen.saturating_sub(BLOCKS * BLOCK)..seen]);
        assert_eq!(jitter.high(), f64::from(high) / PARTS);
        assert_eq!(jitter.least(), f64::from(least) / PARTS);
    }

    proptest! {
        #[test]
        fn the_delay_is_the_percentile_of_all_waits_that_are_remembered(
            steps in prop::collection::vec((0_i32..256, prop::bool::weighted(0.1)), 1..600),
        ) {
            check_against_sorting::<FEW_BLOCKS>(&steps);
            check_against_sorting::<8>(&steps);
            check_against_sorting::<MAX_BLOCKS>(&steps);
        }
    }

    #[test]
    fn jitter_is_measured_and_a_stall_is_not_jitter() {
        let mut jitter = Jitter::<MAX_BLOCKS>::default();
        let mut newest = 0.0_f64;
        for tick in 0..3_000_u32 {
            let sent = f64::from(tick);
            // A stall of 12 ticks every 180.
            let held = sent - f64::from(tick % 180) + 12.0;
            // Evenly spread, by the golden ratio.
            let part = (sent * 0.618_034).fract();
            let arrival =
                (sent + 2.0 + part * 0.6).max(if tick % 180 < 12 { held + 2.0 } else { 0.0 });
            newest = newest.max(arrival);
            jitter.arrived(Tick(tick), Tick(tick.saturating_sub(1)), newest);
        }
        assert!((2.0..2.1).contains(&jitter.least()), "{}", jitter.least());
        assert!((1.5..1.7).contains(&jitter.delay()), "{}", jitter.delay());
    }

    #[test]
    fn a_path_that_has_become_slower_is_believed_within_a_second() {
        let mut jitter = Jitter::<MAX_BLOCKS>::default();
        for tick in 0..300_u32 {
            jitter.arrived(
                Tick(tick),
                Tick(tick.saturating_sub(1)),
                f64::from(tick) + 2.0,
            );
        }
        for tick in 300..360_u32 {
            jitter.arrived(Tick(tick), Tick(tick - 1), f64::from(tick) + 10.0);
        }
        assert!(jitter.high() > 10.9);
    }

    #[test]
    fn where_only_every_third_comes_the_delay_is_three_ticks() {
        let mut jitter = Jitter::<MAX_BLOCKS>::default();
        for tick in (3..900_u32).step_by(3) {
            jitter.arrived(Tick(tick), Tick(tick - 3), f64::from(tick) + 2.0);
        }
        assert!((2.9..3.1).contains(&jitter.delay()), "{}", jitter.delay());
    }
}
