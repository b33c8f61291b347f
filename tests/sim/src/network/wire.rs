//! One direction of one connection: packets on their way, in order.

use super::line::{Line, Way};
use std::collections::VecDeque;
use tickwire_sync::Micros;

/// What goes over a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// A binary message.
    Message(Vec<u8>),
    /// A ping of the server, or the client's answer: when it was sent, by the server's clock.
    Ping(Micros),
    /// A close frame.
    Close(u16, String),
}

impl Packet {
    /// The bytes on the line.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len() + 4,
            Self::Ping(_) => 10,
            Self::Close(_, reason) => reason.len() + 4,
        }
    }
}

/// One direction of one connection.
#[derive(Debug)]
pub struct Wire {
    way: Way,
    packets: VecDeque<(Micros, Packet)>,
    newest_arrival: Micros,
    free_at: Micros,
    /// Nothing arrives before: a fault has ended, and what it held up is sent again.
    resent_at: Micros,
}

impl Wire {
    /// From the client to the server.
    #[must_use]
    pub fn up() -> Self {
        Self::new(Way::Up)
    }

    /// From the server to the client.
    #[must_use]
    pub fn down() -> Self {
        Self::new(Way::Down)
    }

    fn new(way: Way) -> Self {
        Self {
            way,
            packets: VecDeque::new(),
            newest_arrival: Micros(0),
            free_at: Micros(0),
            resent_at: Micros(0),
        }
    }

    /// Takes a packet. Returns when it arrives, if nothing holds it up.
    pub fn send(&mut self, line: &mut Line, now: Micros, packet: Packet) -> Micros {
        let (through, arrival) = line.arrival(self.way, self.free_at, now, packet.len());
        self.free_at = through;
        self.newest_arrival = self.newest_arrival.max(arrival);
        self.packets.push_back((self.newest_arrival, packet));
        self.newest_arrival
    }

    /// Gives the next packet that has arrived by `now`, unless the line holds it up.
    pub fn receive(&mut self, line: &Line, now: Micros) -> Received {
        let Some((arrival, _)) = self.packets.front() else {
            return Received::Nothing;
        };
        if *arrival > now || self.resent_at > now {
            return Received::Nothing;
        }
        if let Some(until) = line.held_until(self.way, now) {
            return Received::HeldUntil(until);
        }
        match self.packets.pop_front() {
            Some((_, packet)) => Received::Packet(packet),
            None => Received::Nothing,
        }
    }

    /// What was held up arrives at this moment, and nothing before.
    pub fn resend_at(&mut self, at: Micros) {
        self.resent_at = at;
    }

    /// Loses what is on its way.
    pub fn clear(&mut self) {
        self.packets.clear();
    }
}

/// What a direction has at a moment.
#[derive(Debug)]
pub enum Received {
    /// A packet.
    Packet(Packet),
    /// A packet that is held up until then.
    HeldUntil(Micros),
    /// Nothing that has arrived.
    Nothing,
}
