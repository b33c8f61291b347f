//! A client's line to the network: its delay, jitter and width, and what is wrong with it now.
//!
//! In: the seed, and faults. Out: when a packet that is sent now arrives at the soonest.

use tickwire_sync::Micros;

/// What a byte takes on thin lines, in nanoseconds: from 66 KB/s to 12 KB/s.
const THIN_NS_PER_BYTE: [u64; 3] = [15_000, 40_000, 80_000];

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A client's line.
#[derive(Clone, Debug)]
pub struct Line {
    random: fastrand::Rng,
    /// One way, in microseconds.
    latency_us: u64,
    /// Up to this much more, evenly, in microseconds.
    jitter_us: u64,
    /// Nanoseconds that a byte takes on its way to the client.
    ns_per_byte: u64,
    /// Whether it carries little on every network.
    is_thin: bool,
    /// Until when nothing arrives, up and down.
    blocked_until: [Micros; 2],
    /// Until when the client reads nothing.
    unread_until: Micros,
}

impl Line {
    /// A line without a fault.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut line = Self {
            latency_us: 0,
            jitter_us: 0,
            ns_per_byte: 0,
            is_thin: false,
            blocked_until: [Micros(0); 2],
            unread_until: Micros(0),
            random: random.fork(),
        };
        line.change_path();
        line
    }

    /// The client moves to another network.
    pub fn change_path(&mut self) {
        let random = &mut self.random;
        self.latency_us = [500, 5_000, 20_000, 60_000, 150_000][random.usize(0..5)];
        self.jitter_us = [0, 1_000, 5_000, 25_000][random.usize(0..4)];
        // From 64 KB/s, which a full view hardly fills, to no limit.
        self.ns_per_byte = [0, 0, 1_000, 15_000][random.usize(0..4)];
        if self.is_thin {
            self.ns_per_byte = THIN_NS_PER_BYTE[random.usize(0..THIN_NS_PER_BYTE.len())];
        }
    }

    /// Makes it a line that carries no crowded cell at once, on this network and on all others.
    pub fn make_thin(&mut self) {
        self.is_thin = true;
        self.change_path();
    }

    /// Whether it carries no crowded cell at once.
    #[must_use]
    pub fn is_thin(&self) -> bool {
        self.is_thin
    }

    /// Blocks one way or both.
    pub fn block(&mut self, up: bool, down: bool, until: Micros) {
        if up {
            self.blocked_until[0] = self.blocked_until[0].max(until);
        }
        if down {
            self.blocked_until[1] = self.blocked_until[1].max(until);
        }
    }

    /// The client reads nothing for a while.
    pub fn stop_reading(&mut self, until: Micros) {
        self.unread_until = self.unread_until.max(until);
    }

    /// Ends every fault.
    pub fn heal(&mut self) {
        self.blocked_until = [Micros(0); 2];
        self.unread_until = Micros(0);
    }

    /// One way without jitter.
    #[must_use]
    pub fn latency(&self) -> Micros {
        Micros(self.latency_us)
    }

    /// When a packet that the line has taken at `now` is through, and when it arrives.
    pub fn arrival(
        &mut self,
        way: Way,
        free_at: Micros,
        now: Micros,
        bytes: usize,
    ) -> (Micros, Micros) {
        let begins = free_at.max(now);
        let ns = match way {
            Way::Up => 0,
            Way::Down => self.ns_per_byte * bytes as u64,
        };
        let through = begins.plus(Micros(ns / 1_000));
        let jitter = self.random.u64(0..=self.jitter_us);
        (through, through.plus(Micros(self.latency_us + jitter)))
    }

    /// Until when no connection can be opened; `None`: one can.
    #[must_use]
    pub fn blocked_until(&self, now: Micros) -> Option<Micros> {
        let until = self.blocked_until[0].max(self.blocked_until[1]);
        (until > now).then_some(until)
    }

    /// Until when a packet that arrives at `now` is held up; `None`: it is not.
    #[must_use]
    pub fn held_until(&self, way: Way, now: Micros) -> Option<Micros> {
        let until = match way {
            Way::Up => self.blocked_until[0],
            Way::Down => self.blocked_until[1].max(self.unread_until),
        };
        (until > now).then_some(until)
    }
}
