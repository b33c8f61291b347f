//! Sent ticks: at which of the latest ticks a client was sent a cell.
//!
//! In: ticks, as they are sent or received. Out: the baseline, and the pair of ticks between which a screen interpolates. The
//! server and the client keep the same record, so a rewound shot is judged between the very ticks that the screen showed.

use crate::world::{Tick, ViewTick};

/// Up to the 64 ticks before the newest one, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SentTicks {
    newest: Tick,
    /// Bit i is set if tick `newest - i` was sent. Bit 0 is set as soon as any tick was.
    bits: u64,
}

impl SentTicks {
    /// How many ticks before the newest are remembered.
    pub const REACH: u32 = 63;

    /// Adds a tick. Ignores one that is not later than all before.
    pub fn record(&mut self, tick: Tick) {
        if self.bits != 0 && tick <= self.newest {
            return;
        }
        let shift = tick.since(self.newest);
        self.bits = self.bits.checked_shl(shift).unwrap_or(0) | 1;
        self.newest = tick;
    }

    /// The newest tick; `None` if nothing was sent.
    #[must_use]
    pub fn newest(&self) -> Option<Tick> {
        (self.bits != 0).then_some(self.newest)
    }

    /// The tick sent before the newest, if that is at most 63 ticks older.
    #[must_use]
    pub fn before_newest(&self) -> Option<Tick> {
        let older = self.bits >> 1;
        (older != 0).then(|| Tick(self.newest.0 - 1 - older.trailing_zeros()))
    }

    /// Whether this tick was sent.
    #[must_use]
    pub fn contains(&self, tick: Tick) -> bool {
        tick <= self.newest
            && self
                .bits
                .checked_shr(self.newest.since(tick))
                .is_some_and(|bits| bits & 1 != 0)
    }

    /// The record as it was when `tick` was the newest one received.
    #[must_use]
    pub fn up_to(&self, tick: Tick) -> Self {
        let bits = self
            .bits
            .checked_shr(self.newest.since(tick))
            .unwrap_or_default();
        let skipped = bits.trailing_zeros();
        match self.newest.min(tick).minus(skipped) {
            Some(newest) if bits != 0 => Self {
                newest,
                bits: bits >> skipped,
            },
            _ => Self::default(),
        }
    }

    /// The two newest ticks, which a screen extrapolates from when nothing newer has come. Both are the same if there is only
    /// one.
    #[must_use]
    pub fn newest_pair(&self) -> Option<(Tick, Tick)> {
        let newest = self.newest()?;
        let before = self.bits & !1;
        if before == 0 {
            return Some((newest, newest));
        }
        Some((Tick(newest.0 - before.trailing_zeros()), newest))
    }

    /// The newest tick at or before `view` and the oldest after it, between which a screen interpolates. Where one side has
    /// none, both are the nearest tick.
    #[must_use]
    pub fn pair_around(&self, view: ViewTick) -> Option<(Tick, Tick)> {
        let newest = self.newest()?;
        if view.tick() >= newest {
            return Some((newest, newest));
        }
        // Bits from `ago` up are ticks at or before the view, lower bits are ticks after it.
        let ago = newest.since(view.tick());
        let at_or_before = self.bits.checked_shr(ago).unwrap_or(0);
        let after = if ago >= 64 {
            self.bits
        } else {
            self.bits & ((1 << ago) - 1)
        };
        let older =
            (at_or_before != 0).then(|| Tick(newest.0 - ago - at_or_before.trailing_zeros()));
        let newer = Tick(newest.0 - (63 - after.leading_zeros()));
        Some((older.unwrap_or(newer), newer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_around_a_view_was_sent() {
        let mut sent = SentTicks::default();
        assert_eq!(sent.pair_around(ViewTick::new(Tick(3), 0)), None);
        for tick in [10, 11, 14, 20] {
            sent.record(Tick(tick));
        }
        let around = |tick, fraction| {
            sent.pair_around(ViewTick::new(Tick(tick), fraction))
                .map(|(a, b)| (a.0, b.0))
        };
        assert_eq!(sent.before_newest(), Some(Tick(14)));
        assert_eq!(around(10, 0), Some((10, 11)));
        assert_eq!(around(10, 255), Some((10, 11)));
        assert_eq!(around(12, 0), Some((11, 14)));
        assert_eq!(around(19, 255), Some((14, 20)));
        assert_eq!(around(20, 0), Some((20, 20)));
        assert_eq!(around(25, 0), Some((20, 20)));
        assert_eq!(around(3, 0), Some((10, 10)));
        sent.record(Tick(200));
        assert_eq!(pair_around_tick(&sent, 150), Some((200, 200)));
        sent.record(Tick(201));
        assert_eq!(pair_around_tick(&sent, 200), Some((200, 201)));
    }

    #[test]
    fn the_record_can_be_cut_back_to_a_tick() {
        let mut sent = SentTicks::default();
        for tick in [10, 11, 14, 20] {
            sent.record(Tick(tick));
        }
        let pair_at = |tick| {
            sent.up_to(Tick(tick))
                .newest_pair()
                .map(|(a, b)| (a.0, b.0))
        };
        assert_eq!(pair_at(25), Some((14, 20)));
        assert_eq!(pair_at(20), Some((14, 20)));
        assert_eq!(pair_at(19), Some((11, 14)));
        assert_eq!(pair_at(10), Some((10, 10)));
        assert_eq!(pair_at(9), None);
        let held = [9, 10, 11, 12, 14, 20, 21].map(|tick| sent.contains(Tick(tick)));
        assert_eq!(held, [false, true, true, false, true, true, false]);
        sent.record(Tick(200));
        assert_eq!(sent.up_to(Tick(199)).newest(), None);
    }

    fn pair_around_tick(sent: &SentTicks, tick: u32) -> Option<(u32, u32)> {
        sent.pair_around(ViewTick::new(Tick(tick), 0))
            .map(|(a, b)| (a.0, b.0))
    }
}
