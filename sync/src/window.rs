//! The window: how much may be on its way to one client before the next snapshot waits.
//!
//! In: what was sent and when, what the client's inputs name as received, and the time. Out: whether the next snapshot may
//! go. What waits is not queued: the snapshot that goes later is built then, fresh, and spans the gap. So what TCP or a
//! modem would queue (bufferbloat) never builds up, and the memory for one client is bounded.

use crate::ids::{Micros, Tick};
use std::collections::VecDeque;

/// Bytes that may be on their way to one client.
pub const MAX_BYTES: usize = 64 * 1024;
/// How much longer than the path's least round trip a snapshot may stay unacknowledged before the next one waits.
pub const MAX_DELAY: Micros = Micros::from_millis(250);
/// Without an input for this long, nothing is known of the client (a hidden tab, a stalled uplink).
pub const SILENCE: Micros = Micros::from_millis(1000);
/// What a silent client is sent on average, in bytes a second: below the 1 kB/s that a hidden tab may cost, beats included.
pub const SILENT_BYTES_PER_SECOND: u64 = 600;
/// Snapshots that may be on their way; bounds the memory where snapshots are tiny.
const MAX_SNAPSHOTS: usize = 512;

/// What is on its way to one client.
#[derive(Clone, Debug, Default)]
pub struct Window {
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    least_round_trip: Option<Micros>,
    last_input: Option<Micros>,
    last_sent: Option<(Micros, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    tick: Tick,
    bytes: usize,
    sent: Micros,
}

impl Window {
    /// A window for a new connection, on which nothing is on its way. It starts as if an input had just come.
    #[must_use]
    pub fn new(now: Micros) -> Self {
        Self {
            last_input: Some(now),
            ..Self::default()
        }
    }

    /// Notes that the snapshot of `tick` was sent.
    pub fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        self.in_flight.push_back(InFlight {
            tick,
            bytes,
            sent: now,
        });
        self.bytes += bytes;
        self.last_sent = Some((now, bytes));
    }

    /// Notes an input, which names the newest snapshot received: that one and all before it have arrived.
    pub fn received(&mut self, newest: Tick, now: Micros) {
        self.last_input = Some(now);
        while let Some(first) = self
            .in_flight
            .front()
            .copied()
            .filter(|first| first.tick <= newest)
        {
            self.in_flight.pop_front();
            self.bytes -= first.bytes;
            if first.tick == newest {
                let round_trip = now.since(first.sent);
                self.least_round_trip = Some(
                    self.least_round_trip
                        .map_or(round_trip, |least| least.min(round_trip)),
                );
            }
        }
    }

    /// Whether another snapshot may be sent now.
    #[must_use]
    pub fn may_send(&self, now: Micros) -> bool {
        if self.bytes >= MAX_BYTES || self.in_flight.len() >= MAX_SNAPSHOTS {
            return false;
        }
        if self.is_silent(now) {
            return self.last_sent.is_none_or(|(sent, bytes)| {
                let pause =
                    Micros((bytes as u64 * 1_000_000 / SILENT_BYTES_PER_SECOND).max(SILENCE.0));
                now.since(sent) >= pause
            });
        }
        // As long as no round trip is known, a long one is assumed.
        let limit = MAX_DELAY.plus(self.least_round_trip.unwrap_or(MAX_DELAY));
        self.in_flight
            .front()
            .is_none_or(|oldest| now.since(oldest.sent) <= limit)
    }

    /// Whether no input has come for so long that nothing is known of the client.
    #[must_use]
    pub fn is_silent(&self, now: Micros) -> bool {
        self.last_input
            .is_none_or(|input| now.since(input) > SILENCE)
    }

    /// Bytes on their way.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 16_667;

    #[test]
    fn a_client_that_keeps_up_gets_every_tick() {
        let mut window = Window::new(Micros(0));
        for tick in 1..600_u32 {
            let now = Micros(u64::from(tick) * TICK);
            assert!(window.may_send(now), "tick {tick}");
            window.sent(Tick(tick), 1000, now);
            window.received(Tick(tick.saturating_sub(25)), now);
        }
    }

    #[test]
    fn a_client_that_names_only_old_snapshots_waits_within_the_window() {
        let mut window = Window::new(Micros(0));
        let mut most = 0;
        for tick in 1..6000_u32 {
            let now = Micros(u64::from(tick) * TICK);
            if window.may_send(now) {
                window.sent(Tick(tick), 1500, now);
            }
            // Inputs come, but everything they name is ten seconds old.
            window.received(Tick(tick.saturating_sub(600)), now);
            most = most.max(window.bytes_in_flight());
        }
        assert!(most <= MAX_BYTES + 1500, "{most} bytes were on their way");
    }

    #[test]
    fn a_silent_client_costs_less_than_a_kilobyte_a_second() {
        let mut window = Window::new(Micros(0));
        let mut bytes = 0;
        for tick in 1..=3600_u32 {
            let now = Micros(u64::from(tick) * TICK);
            if tick > 60 && window.may_send(now) {
                window.sent(Tick(tick), 2500, now);
                bytes += 2500;
            }
        }
        assert!(bytes < 60_000, "{bytes} bytes in a minute");
    }
}
