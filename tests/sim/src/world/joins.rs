//! Lets clients into the room, and notes what may be lost over a resume.

use super::World;
use super::connections::ConnectionId;
use crate::model::{Peer, SessionKey, SessionModel};
use std::sync::Arc;
use tickwire_proto::CloseCode;
use tickwire_server::internals::{Close, Inbox, JoinError, JoinRequest, Link as _};

/// Reliable messages that a session surely keeps, however large.
const SURELY_KEPT_LETTERS: usize = 80;
/// Seconds for which a message is surely kept.
const SURELY_KEPT_SECONDS: u32 = 58;

impl World {
    /// Lets a client into the room.
    pub(super) fn join(&mut self, id: ConnectionId, request: &JoinRequest) {
        let now = self.now;
        let tick = self.server.tick_at(now);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let rests = self.server.rests(now);
        let Some(room) = &mut self.server.room else {
            return;
        };
        let peer = connection.peer;
        if rests {
            room.skip_to(tick);
        }
        let inbox = Arc::new(Inbox::default());
        let joined = room.join(
            request,
            Arc::clone(&connection.link),
            Arc::clone(&inbox),
            now,
        );
        connection.ingress.enter(inbox);
        match joined {
            Ok(joined) => {
                connection.player = Some(joined.player);
                connection.is_packed = request.encoding == tickwire_sync::encode::Encoding::Packed;
                connection.takes_parts = request.takes_cell_parts;
                self.server.unattended_since = None;
                let old = self.server.connections.insert(joined.player, id);
                if let Some(old) = old.and_then(|old| self.connections.get_mut(&old)) {
                    // What it was sent in this tick is noted, and nothing follows.
                    let _ = old.link.take_snapshot_sent();
                }
                let key = self.server.key(joined.player);
                let numbers = [u64::from(joined.player.0), u64::from(joined.resumed)];
                self.trace
                    .add(now, Some(peer), "joins (session, resumed)", numbers);
                if joined.resumed {
                    self.resumed(key, peer);
                } else {
                    self.outcome.sessions += 1;
                    self.models.insert(key, SessionModel::new(peer));
                }
            }
            Err(error) => {
                let code = match error {
                    JoinError::Full | JoinError::TooFast => CloseCode::Full,
                    JoinError::Replaced => CloseCode::ResumedElsewhere,
                    _ => CloseCode::Policy,
                };
                self.trace.add(
                    now,
                    Some(peer),
                    "is refused (code)",
                    [code.number().into(), 0],
                );
                connection.link.close(&Close::new(code, error.to_string()));
            }
        }
        self.read_ledger();
        self.flush_all();
    }

    fn resumed(&mut self, key: SessionKey, peer: Peer) {
        self.outcome.resumes += 1;
        let surely_kept_since = self.server.tick_now().0;
        let surely_kept_since =
            surely_kept_since.saturating_sub(SURELY_KEPT_SECONDS * self.plan.tick_rate);
        let Some(model) = self.models.get_mut(&key) else {
            self.check(
                "sessions_end_once",
                Some(key),
                Err("a session came out of nothing".to_owned()),
            );
            return;
        };
        let old = model
            .letters
            .partition_point(|(_, sent)| sent.0 < surely_kept_since);
        let lost = old.max(model.letters.len().saturating_sub(SURELY_KEPT_LETTERS));
        model.lost_letters_below = model.lost_letters_below.max(lost);
        if model.owner != peer {
            let message = format!("{peer:?} took the session of {:?} over", model.owner);
            self.check("nobody_takes_a_session_over", Some(key), Err(message));
        }
    }
}
