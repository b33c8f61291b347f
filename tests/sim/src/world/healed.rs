//! After the network has been healthy for a while: every honest client is in, sees what is now, and its inputs count.

use super::World;
use crate::invariants::Verdict;
use crate::model::Peer;
use tickwire_client::Phase;

/// The oldest that the newest snapshot may be, beside the way that it takes, in microseconds.
const MAX_AGE_US: f64 = 1_500_000.0;
/// How far the inputs that count may be behind those that were made, in microseconds beside two ways.
const MAX_INPUT_LAG_US: f64 = 1_500_000.0;
/// What was sent to a client so long ago has arrived.
const DELIVERY_US: f64 = 3_000_000.0;

impl World {
    /// Checks every honest player. Called at the end of a calm.
    pub(super) fn check_healed(&mut self) {
        for player in 0..self.players.len() {
            let verdict = self.is_healed(player);
            let key = self.players[player].session;
            if let Err(message) = verdict {
                self.fail(
                    "healed_clients_are_in_and_fresh",
                    key,
                    Some(Peer::Honest(player)),
                    message,
                );
                return;
            }
        }
        self.outcome.healed += 1;
    }

    fn is_healed(&self, player: usize) -> Verdict {
        let one = &self.players[player];
        let client = &one.client;
        if *client.phase() != Phase::Playing {
            return Err(format!(
                "the client is {:?}: {}; the room has {}",
                client.phase(),
                client.last_error(),
                self.who_is_there()
            ));
        }
        let key = one.session.ok_or("the client is in no session")?;
        let alive = self.server.alive();
        if key.room != self.server.room_number() || !alive.contains(&key.player) {
            return Err("the client is in a session that is over".to_owned());
        }
        let model = self.models.get(&key).ok_or("the session was forgotten")?;
        let others = alive.iter().filter(|other| {
            let model = self.models.get(&self.server.key(**other));
            model.is_some_and(|model| model.owner == Peer::Honest(player))
        });
        // Others of the same player wait for their end, for the resume window at most.
        let connected = others.filter(|other| {
            let connection = self.server.connection_of(**other);
            let connection = connection.and_then(|id| self.connections.get(&id));
            connection.is_some_and(|one| !one.is_broken && !one.client_is_done)
        });
        if connected.count() > 1 {
            return Err("the player has two connected sessions".to_owned());
        }
        let ticks = self.server.ticks();
        let (newest, _) = client.newest_snapshot();
        let way = 2.0 * one.line.latency().0 as f64;
        let age_us = self.now.0 as f64 - ticks.due_us(newest);
        if age_us > MAX_AGE_US + way {
            return Err(format!("the newest snapshot is {:.0} ms old", age_us / 1e3));
        }
        let (made, applied) = (client.input_seq(), client.applied_seq());
        let lag_us = f64::from(made.saturating_sub(applied)) * ticks.tick_us();
        if lag_us > MAX_INPUT_LAG_US + way {
            return Err(format!(
                "{made} inputs were made, and input {applied} is the newest that counts"
            ));
        }
        let delivered_by = ticks.ticks_at(self.now.0 as f64 - DELIVERY_US);
        if let Some((letter, sent)) = model.letters.get(model.received)
            && f64::from(sent.0) < delivered_by
        {
            return Err(format!(
                "{letter:?} of tick {sent} has not arrived, and {} more",
                model.letters.len() - model.received - 1
            ));
        }
        Ok(())
    }

    /// The sessions of the room: owner, and whether it is connected.
    fn who_is_there(&self) -> String {
        let sessions = self.server.alive().iter().map(|player| {
            let model = self.models.get(&self.server.key(*player));
            let (owner, life) = model.map_or((None, None), |one| (Some(one.owner), Some(one.life)));
            format!("{player}: {owner:?} {life:?}")
        });
        sessions.collect::<Vec<_>>().join(", ")
    }
}
