//! Who sends far more messages than a game needs is warned, and then shut out (close 1008). Pure.
//!
//! A 60 Hz client sends some 65 messages a second; a stalled link may deliver several seconds of
//! them at once, which is no flood. So one busy second is nothing, a second one warns; the flood is a rate that lasts.

use std::time::{Duration, Instant};

/// Messages (frames, pings included) that a second may have, where ticks are few enough.
const MAX_MESSAGES_PER_SECOND: u32 = 240;
/// Where there are more ticks, so many for each.
const MAX_MESSAGES_PER_TICK: u32 = 4;
/// Busy seconds, less the quiet ones between them: the first one may be a line that stood still, the second is warned of, the third makes a flood.
const WARN_SECONDS: u32 = 2;
const FLOOD_SECONDS: u32 = 3;
const SECOND: Duration = Duration::from_secs(1);

/// What to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// Warn the player, once.
    Warn,
    /// Close with 1008.
    Flood,
}

/// Messages that a second may have at a tick rate: a client sends one a tick, and some more.
#[must_use]
pub fn limit(tick_rate: u32) -> u32 {
    MAX_MESSAGES_PER_SECOND.max(tick_rate.saturating_mul(MAX_MESSAGES_PER_TICK))
}

/// One connection's count.
#[derive(Debug)]
pub struct Flood {
    /// Messages that a second may have.
    limit: u32,
    /// The end of the second that is counted.
    second_ends: Instant,
    messages: u32,
    busy_seconds: u32,
}

impl Flood {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            second_ends: now + SECOND,
            messages: 0,
            busy_seconds: 0,
        }
    }

    /// Whether this second has had more than it may have.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.messages > self.limit
    }

    /// Counts a message.
    pub fn count(&mut self, now: Instant) -> Verdict {
        if now >= self.second_ends {
            let was_busy = self.is_busy();
            let quiet = now.duration_since(self.second_ends).as_secs();
            if was_busy && quiet == 0 {
                self.second_ends += SECOND;
            } else {
                // A quiet second makes up for a busy one, not for all of them.
                let quiet = quiet + u64::from(!was_busy);
                let quiet = u32::try_from(quiet).unwrap_or(u32::MAX);
                self.busy_seconds = self.busy_seconds.saturating_sub(quiet);
                self.second_ends = now + SECOND;
            }
            self.messages = 0;
        }
        self.messages = self.messages.saturating_add(1);
        // Exactly once in each busy second.
        if self.messages != self.limit.saturating_add(1) {
            return Verdict::Fine;
        }
        self.busy_seconds += 1;
        match self.busy_seconds {
            WARN_SECONDS => Verdict::Warn,
            FLOOD_SECONDS.. => Verdict::Flood,
            _ => Verdict::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at a rate for some seconds; gives the verdicts that were not `Fine`, and when.
    fn send(flood: &mut Flood, from: Instant, rate: u32, seconds: u32) -> Vec<(Verdict, f64)> {
        (0..rate * seconds)
            .map(|n| f64::from(n) / f64::from(rate))
            .map(|at| (flood.count(from + Duration::from_secs_f64(at)), at))
            .filter(|(verdict, _)| *verdict != Verdict::Fine)
            .collect()
    }

    #[test]
    fn the_allowed_rate_is_fine_for_ever() {
        let start = Instant::now();
        assert_eq!(send(&mut Flood::new(240, start), start, 240, 60), []);
    }

    #[test]
    fn a_lasting_excess_is_warned_and_then_a_flood_after_two_seconds() {
        let start = Instant::now();
        let verdicts = send(&mut Flood::new(240, start), start, 1000, 4);
        let kinds: Vec<_> = verdicts.iter().map(|v| v.0).collect();
        assert_eq!(kinds[..2], [Verdict::Warn, Verdict::Flood]);
        let (warned, ended) = (verdicts[0].1, verdicts[1].1);
        assert!((0.99..1.5).contains(&warned), "{warned}");
        assert!((1.99..2.5).contains(&ended), "{ended}");
    }

    #[test]
    fn a_pause_now_and_then_does_not_make_it_less_of_a_flood() {
        let start = Instant::now();
        let mut flood = Flood::new(240, start);
        let verdicts: Vec<_> = (0..4)
            .flat_map(|round| send(&mut flood, start + 3 * SECOND * round, 1000, 2))
            .map(|(verdict, _)| verdict)
            .collect();
        assert!(verdicts.contains(&Verdict::Flood), "{verdicts:?}");
    }

    #[test]
    fn a_backlog_after_a_stall_is_nothing() {
        let start = Instant::now();
        let mut flood = Flood::new(240, start);
        for _ in 0..20 {
            flood.count(start);
        }
        let backlog: Vec<_> = (0..600).map(|_| flood.count(start)).collect();
        assert!(backlog.iter().all(|verdict| *verdict == Verdict::Fine));
        let after = send(&mut flood, start + Duration::from_secs(1), 65, 30);
        assert_eq!(after, []);
    }
}
