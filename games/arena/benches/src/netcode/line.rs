//! A line between a client and the server: delay, jitter and stalls, ordered and reliable as TCP.
//!
//! In: when a message is sent. Out: when it arrives. Nothing overtakes: a delayed message delays all that follow. Seeded.

use tickwire_sync::Micros;

/// The properties of a line, each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// The name in tables.
    pub name: &'static str,
    /// One-way delay.
    pub latency: Micros,
    /// The jitter: up to this much more or less, evenly.
    pub jitter: Micros,
    /// Head-of-line stalls.
    pub stalls: Option<Stalls>,
}

/// Regular stalls. Each way of each line has a phase of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stalls {
    /// The time from one stall to the next.
    pub every: Micros,
    /// How long nothing arrives.
    pub length: Micros,
}

/// One direction of a line.
#[derive(Clone, Debug)]
pub struct Way {
    line: Line,
    random: fastrand::Rng,
    newest_arrival: Micros,
    phase: Micros,
}

impl Way {
    /// An idle direction.
    #[must_use]
    pub fn new(line: Line, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let phase = line
            .stalls
            .map_or(Micros(0), |stalls| Micros(random.u64(0..stalls.every.0)));
        Self {
            line,
            random,
            newest_arrival: Micros(0),
            phase,
        }
    }

    /// When a message sent at `now` arrives.
    pub fn arrival(&mut self, now: Micros) -> Micros {
        let spread = self.line.jitter.0;
        let delay = self.line.latency.0 + self.random.u64(0..=2 * spread);
        let arrival = Micros((now.0 + delay).saturating_sub(spread).max(now.0));
        let arrival = self.stall_at(arrival).unwrap_or(arrival);
        self.newest_arrival = self.newest_arrival.max(arrival);
        self.newest_arrival
    }

    /// The end of the stall that a moment lies in.
    fn stall_at(&self, at: Micros) -> Option<Micros> {
        let stalls = self.line.stalls?;
        let into = (at.0 + self.phase.0) % stalls.every.0;
        (into < stalls.length.0).then(|| Micros(at.0 - into + stalls.length.0))
    }

    /// Whether a moment lies in a stall or not longer than `margin` after one.
    #[must_use]
    pub fn is_stalled(&self, at: Micros, margin: Micros) -> bool {
        self.stall_at(at).is_some()
            || self
                .stall_at(Micros(at.0.saturating_sub(margin.0)))
                .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overtakes_and_stalls_delay_what_follows() {
        let line = Line {
            name: "test",
            latency: Micros::from_millis(40),
            jitter: Micros::from_millis(5),
            stalls: Some(Stalls {
                every: Micros::from_millis(3_000),
                length: Micros::from_millis(200),
            }),
        };
        let mut way = Way::new(line, 7);
        let (mut newest, mut held) = (Micros(0), 0);
        for step in 0..60_000_u64 {
            let now = Micros(step * 1_000);
            let arrival = way.arrival(now);
            assert!(arrival >= newest && arrival.since(now) >= Micros::from_millis(35));
            assert!(arrival.since(now) <= Micros::from_millis(245));
            held += u64::from(arrival.since(now) > Micros::from_millis(46));
            newest = arrival;
        }
        // 20 stalls of 200 ms, each of which delays what would have arrived in it.
        assert!((3_400..4_200).contains(&held), "{held}");
    }
}
