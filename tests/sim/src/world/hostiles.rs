//! Hostile peers: connect, send, and connect again.

use super::World;
use super::connections::ConnectionId;
use super::events::Event;
use crate::model::Peer;
use crate::network::Packet;
use crate::peers::{Attack, Hostile};
use tickwire_client::LinkId;
use tickwire_sync::Micros;

/// A hostile peer of a random sort.
pub(super) fn some_hostile(random: &mut fastrand::Rng) -> Hostile {
    let attack = Attack::ALL[random.usize(0..Attack::ALL.len())];
    Hostile::new(attack, random.u64(..))
}

impl World {
    /// A hostile peer does something.
    pub(super) fn hostile_acts(&mut self, hostile: usize) {
        let pause = self.hostiles[hostile].pause();
        self.events
            .plan(self.now.plus(pause), Event::Hostile(hostile));
        if !self.weather.is_stormy() && !self.plan.hostiles_never_rest {
            return;
        }
        let connection = self.hostiles[hostile].connection;
        let usable = connection.and_then(|id| self.connections.get(&id));
        let usable = usable.filter(|one| !one.client_is_done && !one.is_broken);
        let Some((id, is_open)) = connection.zip(usable.map(|one| one.is_open)) else {
            let id = self.open(Peer::Hostile(hostile), 0, LinkId(0));
            self.hostiles[hostile].connection = Some(id);
            return;
        };
        if !is_open {
            return;
        }
        let one = &mut self.hostiles[hostile];
        let gives_up = match one.attack {
            Attack::JoinAndDrop => one.random.u8(0..2) == 0,
            _ => one.random.u8(0..200) == 0,
        };
        if gives_up {
            self.hostiles[hostile].connection = None;
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.client_is_done = true;
            }
            self.break_connection(id, Some(Micros(10_000)), None);
            return;
        }
        let tick = self.server.tick_now().0;
        for message in self.hostiles[hostile].messages(tick) {
            self.send_up(id, Packet::Message(message));
        }
    }

    /// A hostile peer's connection is open: it says what it has instead of a `Hello`.
    pub(super) fn hostile_is_connected(&mut self, hostile: usize, id: ConnectionId) {
        let victim = self.random.usize(0..self.players.len().max(1));
        let overheard = self
            .players
            .get(victim)
            .map(|one| one.client.resume_token().to_vec());
        let hello = self.hostiles[hostile].hello(&overheard.unwrap_or_default());
        self.send_up(id, Packet::Message(hello));
    }
}
