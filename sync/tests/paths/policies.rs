//! The policies that are compared: whether a snapshot goes now.

use std::collections::VecDeque;
use tickwire_sync::congestion::CongestionWindow;
use tickwire_sync::{Micros, Tick};

/// Decides at each tick whether a snapshot goes.
pub trait Policy {
    /// The byte budget of the next snapshot, or `None` if it must wait. `backlog`: the bytes that queue before the bottleneck.
    fn request_send(&mut self, now: Micros, backlog: i64) -> Option<usize>;
    fn sent(&mut self, tick: Tick, bytes: usize, now: Micros);
    fn received(&mut self, newest: Tick, at: u32, now: Micros);
}

/// Sends everything. What the line does not carry waits in queues.
pub struct QueueEverything;

impl Policy for QueueEverything {
    fn request_send(&mut self, _: Micros, _: i64) -> Option<usize> {
        Some(usize::MAX)
    }
    fn sent(&mut self, _: Tick, _: usize, _: Micros) {}
    fn received(&mut self, _: Tick, _: u32, _: Micros) {}
}

/// Sends unless the socket and the queue behind it are full.
pub struct WhileTheSocketTakes {
    pub bytes: i64,
}

impl Policy for WhileTheSocketTakes {
    fn request_send(&mut self, _: Micros, backlog: i64) -> Option<usize> {
        (backlog < self.bytes).then_some(usize::MAX)
    }
    fn sent(&mut self, _: Tick, _: usize, _: Micros) {}
    fn received(&mut self, _: Tick, _: u32, _: Micros) {}
}

/// A fixed window: 64 KiB, and 250 ms beyond the shortest round trip.
#[derive(Default)]
pub struct FirstWindow {
    in_flight: VecDeque<(Tick, usize, Micros)>,
    bytes: usize,
    min_round_trip: Option<Micros>,
}

impl Policy for FirstWindow {
    fn request_send(&mut self, now: Micros, _: i64) -> Option<usize> {
        let grace = Micros::from_millis(250);
        let limit = grace.plus(self.min_round_trip.unwrap_or(grace));
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
                let round_trip = now.since(sent);
                self.min_round_trip = Some(
                    self.min_round_trip
                        .map_or(round_trip, |min| min.min(round_trip)),
                );
            }
        }
    }
}

/// The congestion window, which follows a model of the path.
pub struct Model(pub CongestionWindow);

impl Model {
    pub fn new() -> Self {
        Self(CongestionWindow::new(Micros(0), 60))
    }
}

impl Policy for Model {
    fn request_send(&mut self, now: Micros, _: i64) -> Option<usize> {
        self.0
            .request_send(now)
            .then(|| self.0.byte_budget().unwrap_or(usize::MAX))
    }
    fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        self.0.on_sent(tick, bytes, now);
    }
    fn received(&mut self, newest: Tick, at: u32, now: Micros) {
        self.0.on_ack(newest, at, now);
    }
}
