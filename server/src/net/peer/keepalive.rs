//! When to ping a connection, and when it is dead. Pure: the time comes in as an argument.
//!
//! These are pings of the WebSocket protocol. They have nothing to do with the `Heartbeat` message, by which a room tells its
//! clients the tick and the server's clock.
//!
//! Two intervals ask for pings: the RTT probe (`--rtt-interval`, every second) and the keepalive (`--heartbeat-interval`, every
//! 30 s). Every pong that answers one of our pings counts for both. A ping carries a stamp in nanoseconds that a peer cannot
//! guess ahead, so a pong without its ping measures nothing and proves nothing.
//!
//! A ping that queues behind a large message on a thin line proves nothing either. So a peer without a pong is given up only once its
//! system acknowledges no more bytes ([`Keepalive::has_progress`]).

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tickwire_batch::TcpProgress;

/// Pings that are remembered while no pong comes; the oldest are forgotten.
const MAX_OUTSTANDING: usize = 64;

/// A poll that comes this much later than asked for shows that this process stood still.
const PROCESS_STALL: Duration = Duration::from_secs(1);

/// The intervals of pings.
#[derive(Clone, Copy, Debug)]
pub struct KeepaliveTimes {
    /// Between RTT probes; zero for none.
    pub rtt_interval: Duration,
    /// Between keepalive pings.
    pub interval: Duration,
    /// A connection without a pong for `interval` and this long is dead.
    pub timeout: Duration,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Nothing.
    None,
    /// Send a ping with this payload.
    Ping([u8; 8]),
    /// Close the connection, unless [`Keepalive::has_progress`]: no pong has come for too long.
    TimedOut,
}

/// The pings of one connection.
#[derive(Debug)]
pub struct Keepalive {
    times: KeepaliveTimes,
    opened: Instant,
    next_rtt: Option<Instant>,
    next_keepalive: Instant,
    last_pong: Instant,
    outstanding: VecDeque<Instant>,
    /// The bytes acknowledged when a pong was last overdue while others were on their way.
    acked_when_overdue: Option<u64>,
}

impl Keepalive {
    /// For a connection that opened at `now`. The first RTT probe is due at once.
    #[must_use]
    pub fn new(times: KeepaliveTimes, now: Instant) -> Self {
        Self {
            times,
            opened: now,
            next_rtt: (!times.rtt_interval.is_zero()).then_some(now),
            next_keepalive: now + times.interval,
            last_pong: now,
            outstanding: VecDeque::new(),
            acked_when_overdue: None,
        }
    }

    /// Whether a peer whose pong is overdue still takes bytes, so that our ping may be under way behind them. It then has another
    /// `timeout`. A peer that takes everything and answers nothing has not.
    pub fn has_progress(&mut self, now: Instant, progress: TcpProgress) -> bool {
        let before = self.acked_when_overdue;
        self.acked_when_overdue = progress.has_unacked.then_some(progress.acked_bytes);
        let is_alive = match before {
            None => progress.has_unacked,
            Some(before) => progress.acked_bytes > before,
        };
        if is_alive {
            let pause = self.times.interval;
            self.last_pong = now.checked_sub(pause).unwrap_or(now).max(self.last_pong);
        }
        is_alive
    }

    /// When [`Keepalive::poll`] must be called again.
    #[must_use]
    pub fn due(&self) -> Instant {
        let next = self
            .next_rtt
            .map_or(self.next_keepalive, |rtt| rtt.min(self.next_keepalive));
        next.min(self.times_out_at())
    }

    fn times_out_at(&self) -> Instant {
        self.last_pong + self.times.interval + self.times.timeout
    }

    /// What is due at `now`.
    pub fn poll(&mut self, now: Instant) -> KeepaliveAction {
        // A late call shows that this process stood still (on a machine that slept, say). The peer's answers may lie unread, so
        // the peer has the whole time again.
        if now >= self.due() + PROCESS_STALL {
            self.last_pong = now;
        }
        if now >= self.times_out_at() {
            return KeepaliveAction::TimedOut;
        }
        let rtt_due = self.next_rtt.is_some_and(|due| now >= due);
        if !rtt_due && now < self.next_keepalive {
            return KeepaliveAction::None;
        }
        // One ping serves both intervals. They start anew from now, so a stall is followed by one ping and not by one for each
        // that was missed.
        if rtt_due {
            self.next_rtt = Some(now + self.times.rtt_interval);
        }
        if now >= self.next_keepalive {
            self.next_keepalive = now + self.times.interval;
        }
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(now);
        KeepaliveAction::Ping(self.stamp(now))
    }

    /// Whether a pong with this payload would answer one of our pings.
    #[must_use]
    pub fn is_awaited(&self, payload: &[u8]) -> bool {
        self.outstanding_index(payload).is_some()
    }

    fn outstanding_index(&self, payload: &[u8]) -> Option<usize> {
        (self.outstanding.iter()).position(|&sent| payload == self.stamp(sent))
    }

    /// Takes a pong. Returns the round trip if the pong answers one of our pings.
    pub fn pong(&mut self, now: Instant, payload: &[u8]) -> Option<Duration> {
        let at = self.outstanding_index(payload)?;
        // An answer to a ping answers the older ones too (RFC 6455, section 5.5.3).
        let sent = self.outstanding.drain(..=at).next_back()?;
        self.last_pong = self.last_pong.max(now);
        self.acked_when_overdue = None;
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

    const TIMES: KeepaliveTimes = KeepaliveTimes {
        rtt_interval: Duration::from_secs(1),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
    };

    fn ping(action: KeepaliveAction) -> [u8; 8] {
        match action {
            KeepaliveAction::Ping(payload) => payload,
            other => panic!("expected a ping: {other:?}"),
        }
    }

    #[test]
    fn a_pong_measures_the_round_trip_once() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(TIMES, start);
        let payload = ping(keepalive.poll(start));
        assert_eq!(keepalive.poll(start), KeepaliveAction::None);
        let later = start + Duration::from_millis(70);
        assert_eq!(
            keepalive.pong(later, &payload),
            Some(Duration::from_millis(70))
        );
        assert_eq!(keepalive.pong(later, &payload), None);
    }

    #[test]
    fn a_pong_without_its_ping_is_ignored() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(TIMES, start);
        ping(keepalive.poll(start));
        for payload in [&b""[..], b"hello", &[0xFF; 8], &[0; 125]] {
            assert_eq!(keepalive.pong(start, payload), None);
        }
    }

    #[test]
    fn silence_times_out_after_interval_and_timeout() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(TIMES, start);
        let mut now = start;
        let mut pings = 0;
        while now < start + Duration::from_secs(40) {
            assert_ne!(
                keepalive.poll(now),
                KeepaliveAction::TimedOut,
                "{:?}",
                now - start
            );
            pings += 1;
            now = keepalive.due();
        }
        assert_eq!(now, start + Duration::from_secs(40));
        assert_eq!(keepalive.poll(now), KeepaliveAction::TimedOut);
        assert_eq!(pings, 40);
    }

    /// Polls until the timeout, and then says what the kernel knows. Returns whether the peer has longer.
    fn overdue(keepalive: &mut Keepalive, acked_bytes: u64, has_unacked: bool) -> bool {
        let mut now = keepalive.due();
        while keepalive.poll(now) != KeepaliveAction::TimedOut {
            now = keepalive.due();
        }
        let progress = TcpProgress {
            acked_bytes,
            has_unacked,
            ..TcpProgress::default()
        };
        keepalive.has_progress(now, progress)
    }

    #[test]
    fn a_peer_that_still_takes_bytes_is_not_given_up() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(TIMES, start);
        for step in 0..20 {
            assert!(overdue(&mut keepalive, step * 10_000, true), "{step}");
        }
        assert_eq!(
            keepalive.times_out_at(),
            start + Duration::from_secs(40 + 20 * 10)
        );
        // The last byte is through. The pong has another timeout to come back.
        assert!(overdue(&mut keepalive, 200_000, false));
        assert!(!overdue(&mut keepalive, 200_000, false));
    }

    #[test]
    fn a_peer_that_takes_no_byte_is_given_up() {
        let mut keepalive = Keepalive::new(TIMES, Instant::now());
        assert!(overdue(&mut keepalive, 5_000, true));
        assert!(!overdue(&mut keepalive, 5_000, true));
    }

    #[test]
    fn a_peer_that_takes_all_and_answers_nothing_is_given_up() {
        let mut keepalive = Keepalive::new(TIMES, Instant::now());
        assert!(!overdue(&mut keepalive, 5_000, false));
    }

    #[test]
    fn a_stall_of_the_server_restarts_every_timeout() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(TIMES, start);
        ping(keepalive.poll(start));
        let later = start + Duration::from_secs(300);
        ping(keepalive.poll(later));
        let mut now = later;
        while keepalive.poll(now) != KeepaliveAction::TimedOut {
            now = keepalive.due();
        }
        assert_eq!(now, later + Duration::from_secs(40));
    }

    #[test]
    fn keepalives_go_on_without_rtt_probes() {
        let start = Instant::now();
        let times = KeepaliveTimes {
            rtt_interval: Duration::ZERO,
            ..TIMES
        };
        let mut keepalive = Keepalive::new(times, start);
        assert_eq!(keepalive.poll(start), KeepaliveAction::None);
        assert_eq!(keepalive.due(), start + times.interval);
        let payload = ping(keepalive.poll(keepalive.due()));
        let pong_at = start + times.interval + Duration::from_secs(1);
        assert!(keepalive.pong(pong_at, &payload).is_some());
        assert_eq!(
            keepalive.poll(start + Duration::from_secs(45)),
            KeepaliveAction::None
        );
    }
}
