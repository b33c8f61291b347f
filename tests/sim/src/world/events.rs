//! The order of what happens: by time, and at the same time in the order of planning.

use super::connections::ConnectionId;
use super::faults::Later;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tickwire_sync::Micros;

/// Something that happens at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Event {
    /// A tick of this room is due.
    Tick { room: u32 },
    /// The server is up again.
    ServerUp,
    /// A connection is open, or refused.
    Opened(ConnectionId),
    /// Something may arrive at the client.
    Down(ConnectionId),
    /// Something may arrive at the server.
    Up(ConnectionId),
    /// A second of a connection has passed.
    Second(ConnectionId),
    /// The server learns that a connection has ended.
    TellServer(ConnectionId),
    /// The client learns that a connection has ended.
    TellClient(ConnectionId),
    /// A player does what is due, unless the number is an older one.
    Wake { player: usize, number: u64 },
    /// Something goes wrong for a player.
    Fault(usize),
    /// The second half of a fault.
    Later {
        player: usize,
        generation: u32,
        what: Later,
    },
    /// A hostile peer does something.
    Hostile(usize),
    /// The server does not run for a while, or restarts.
    Hitch,
    /// The network heals, or gets bad.
    Weather,
}

/// What is planned.
#[derive(Debug, Default)]
pub(super) struct Events {
    planned: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    count: u64,
}

impl Events {
    /// Plans an event.
    pub fn plan(&mut self, at: Micros, event: Event) {
        self.count += 1;
        self.planned.push(Reverse((at, self.count, event)));
    }

    /// The next event.
    pub fn next(&mut self) -> Option<(Micros, Event)> {
        let Reverse((at, _, event)) = self.planned.pop()?;
        Some((at, event))
    }
}
