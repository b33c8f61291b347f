//! The policies that are compared: whether a snapshot goes now.

use std::collections::VecDeque;
use tickwire_sync::window::{Window, WindowPolicy};
use tickwire_sync::{Micros, Tick};

/// Decides at each tick.
pub trait Policy {
    /// How many bytes may go now (if a snapshot can be filled to less), or none. `backlog`: bytes before the narrow place.
    fn may_send(&mut self, now: Micros, backlog: i64) -> Option<usize>;
    fn sent(&mut self, tick: Tick, bytes: usize, now: Micros);
    fn received(&mut self, newest: Tick, at: u32, now: Micros);
}

/// Everything is sent; what the line does not carry waits in queues.
pub struct QueueEverything;

impl Policy for QueueEverything {
    fn may_send(&mut self, _: Micros, _: i64) -> Option<usize> {
        Some(usize::MAX)
    }
    fn sent(&mut self, _: Tick, _: usize, _: Micros) {}
    fn received(&mut self, _: Tick, _: u32, _: Micros) {}
}

/// A snapshot goes unless the socket and the queue behind it are full.
pub struct WhileTheSocketTakes {
    pub bytes: i64,
}

impl Policy for WhileTheSocketTakes {
    fn may_send(&mut self, _: Micros, backlog: i64) -> Option<usize> {
        (backlog < self.bytes).then_some(usize::MAX)
    }
    fn sent(&mut self, _: Tick, _: usize, _: Micros) {}
    fn received(&mut self, _: Tick, _: u32, _: Micros) {}
}

/// The first window: 64 KiB, and 250 ms beyond the least round trip.
#[derive(Default)]
pub struct FirstWindow {
    in_flight: VecDeque<(Tick, usize, Micros)>,
    bytes: usize,
    least: Option<Micros>,
}

impl Policy for FirstWindow {
    fn may_send(&mut self, now: Micros, _: i64) -> Option<usize> {
        let most = Micros::from_millis(250);
        let limit = most.plus(self.least.unwrap_or(most));
        let oldest = self.in_flight.front();
        let may =
            self.bytes < 64 * 1024 && oldest.is_none_or(|(_, _, sent)| now.since(*sent) <= limit);
        may.then_some(usize::MAX)
    }
    fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        self.in_flight.push_back((tick, bytes, now));
        self.bytes += bytes;
    }
    fn received(&mut self, newest: Tick, _: u32, now: Micros) {
        while let Some((tick, bytes, sent)) = self
            .in_flight
            .front()
            .copied()
            .filter(|first| first.0 <= newest)
        {
            self.in_flight.pop_front();
            self.bytes -= bytes;
            if tick == newest {
                let turn = now.since(sent);
                self.least = Some(self.least.map_or(turn, |least| least.min(turn)));
            }
        }
    }
}

/// The window that follows a model of the path.
pub struct Model(pub Window);

impl Model {
    pub fn new() -> Self {
        Self(Window::new(Micros(0), 60, WindowPolicy::FollowsThePath))
    }
}

impl Policy for Model {
    fn may_send(&mut self, now: Micros, _: i64) -> Option<usize> {
        self.0
            .may_send(now)
            .then(|| self.0.fill().unwrap_or(usize::MAX))
    }
    fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        self.0.sent(tick, bytes, now);
    }
    fn received(&mut self, newest: Tick, at: u32, now: Micros) {
        self.0.received(newest, at, now);
    }
}
