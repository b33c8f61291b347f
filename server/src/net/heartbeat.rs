//! When to ping a connection, and when it is dead. Pure: the time comes in as an argument.
//!
//! Two rhythms ask for pings: the round trip (every second) and the heartbeat (every 30 s). Every
//! pong that answers one of ours counts for both. A ping carries a stamp that a peer can't guess
//! ahead to the nanosecond, so a pong without its ping measures nothing and proves nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Pings that are remembered while no pong comes; older ones are forgotten.
const MAX_OUTSTANDING: usize = 64;

/// By how much later than asked for a poll shows that this process stood still.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// The rhythms.
#[derive(Clone, Copy, Debug)]
pub struct HeartbeatTimes {
    /// Between pings for the round trip; zero for none.
    pub rtt_interval: Duration,
    /// Between pings for the heartbeat.
    pub interval: Duration,
    /// How long after `interval` without any pong the connection is dead.
    pub timeout: Duration,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Nothing,
    /// Send a ping with this payload.
    Ping([u8; 8]),
    /// Too long without a pong.
    Dead,
}

/// One connection's pings.
#[derive(Debug)]
pub struct Heartbeat {
    times: HeartbeatTimes,
    opened: Instant,
    next_rtt: Option<Instant>,
    next_beat: Instant,
    last_pong: Instant,
    outstanding: VecDeque<Instant>,
}

impl Heartbeat {
    /// For a connection that opened at `now`. The first ping for the round trip is due at once.
    #[must_use]
    pub fn new(times: HeartbeatTimes, now: Instant) -> Self {
        Self {
            times,
            opened: now,
            next_rtt: (!times.rtt_interval.is_zero()).then_some(now),
            next_beat: now + times.interval,
            last_pong: now,
            outstanding: VecDeque::new(),
        }
    }

    /// When [`Heartbeat::poll`] has something to say again.
    #[must_use]
    pub fn due(&self) -> Instant {
        let next = self
            .next_rtt
            .map_or(self.next_beat, |rtt| rtt.min(self.next_beat));
        next.min(self.dies())
    }

    fn dies(&self) -> Instant {
        self.last_pong + self.times.interval + self.times.timeout
    }

    /// What is due at `now`.
    pub fn poll(&mut self, now: Instant) -> Beat {
        // Where this was not asked in time we have stood still ourselves (a machine that slept, say), and the peer's answers may lie
        // unread: it has the whole time again.
        if now >= self.due() + STOOD_STILL {
            self.last_pong = now;
        }
        if now >= self.dies() {
            return Beat::Dead;
        }
        let rtt_due = self.next_rtt.is_some_and(|due| now >= due);
        if !rtt_due && now < self.next_beat {
            return Beat::Nothing;
        }
        // One ping serves whatever is due. The rhythm starts anew from now: after a stall there is
        // one ping, not one for each that was missed.
        if rtt_due {
            self.next_rtt = Some(now + self.times.rtt_interval);
        }
        if now >= self.next_beat {
            self.next_beat = now + self.times.interval;
        }
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(now);
        Beat::Ping(self.stamp(now))
    }

    /// Whether this would be a pong to one of our pings.
    #[must_use]
    pub fn is_awaited(&self, payload: &[u8]) -> bool {
        self.place_of(payload).is_some()
    }

    fn place_of(&self, payload: &[u8]) -> Option<usize> {
        (self.outstanding.iter()).position(|&sent| payload == self.stamp(sent))
    }

    /// Takes a pong; gives the round trip if it answers one of our pings.
    pub fn pong(&mut self, now: Instant, payload: &[u8]) -> Option<Duration> {
        let at = self.place_of(payload)?;
        // Answering the newest ping answers the older ones too (RFC 6455 section 5.5.3).
        let sent = self.outstanding.drain(..=at).next_back()?;
        self.last_pong = self.last_pong.max(now);
        Some(now.saturating_duration_since(sent))
    }

    /// Nanoseconds since the connection opened.
    fn stamp(&self, sent: Instant) -> [u8; 8] {
        let nanos = sent.saturating_duration_since(self.opened).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: HeartbeatTimes = HeartbeatTimes {
        rtt_interval: Duration::from_secs(1),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
    };

    fn ping(beat: Beat) -> [u8; 8] {
        match beat {
            Beat::Ping(payload) => payload,
            other => panic!("expected a ping: {other:?}"),
        }
    }

    #[test]
    fn a_pong_gives_the_round_trip_once() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(TIMES, start);
        let payload = ping(heartbeat.poll(start));
        assert_eq!(heartbeat.poll(start), Beat::Nothing);
        let later = start + Duration::from_millis(70);
        assert_eq!(
            heartbeat.pong(later, &payload),
            Some(Duration::from_millis(70))
        );
        assert_eq!(heartbeat.pong(later, &payload), None);
    }

    #[test]
    fn a_pong_that_answers_nothing_is_ignored() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(TIMES, start);
        ping(heartbeat.poll(start));
        for payload in [&b""[..], b"hello", &[0xFF; 8], &[0; 125]] {
            assert_eq!(heartbeat.pong(start, payload), None);
        }
    }

    #[test]
    fn silence_kills_after_interval_and_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(TIMES, start);
        let mut now = start;
        let mut pings = 0;
        while now < start + Duration::from_secs(40) {
            assert_ne!(heartbeat.poll(now), Beat::Dead, "{:?}", now - start);
            pings += 1;
            now = heartbeat.due();
        }
        assert_eq!(now, start + Duration::from_secs(40));
        assert_eq!(heartbeat.poll(now), Beat::Dead);
        assert_eq!(pings, 40);
    }

    #[test]
    fn a_server_that_stood_still_gives_everybody_the_whole_time_again() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(TIMES, start);
        ping(heartbeat.poll(start));
        let later = start + Duration::from_secs(300);
        ping(heartbeat.poll(later));
        let mut now = later;
        while heartbeat.poll(now) != Beat::Dead {
            now = heartbeat.due();
        }
        assert_eq!(now, later + Duration::from_secs(40));
    }

    #[test]
    fn the_heartbeat_pings_by_itself_when_round_trips_are_not_measured() {
        let start = Instant::now();
        let times = HeartbeatTimes {
            rtt_interval: Duration::ZERO,
            ..TIMES
        };
        let mut heartbeat = Heartbeat::new(times, start);
        assert_eq!(heartbeat.poll(start), Beat::Nothing);
        assert_eq!(heartbeat.due(), start + times.interval);
        let payload = ping(heartbeat.poll(heartbeat.due()));
        let pong_at = start + times.interval + Duration::from_secs(1);
        assert!(heartbeat.pong(pong_at, &payload).is_some());
        assert_eq!(
            heartbeat.poll(start + Duration::from_secs(45)),
            Beat::Nothing
        );
    }
}
