//! A room as it outlives its process: [`Room::save`] and [`Room::restore`].
//!
//! In: a room after a tick. Out: bytes, from which a room can be made that goes on with the same world and the same sessions, all of which
//! wait for their players. The bytes are in postcard's format: what is the room's own, its sessions, and then what the game saved. What
//! belongs to a connection is not saved; a client that resumes gets a full snapshot.

use super::Room;
use super::link::Link;
use super::session::Session;
use super::session::resume_token::ResumeTokens;
use super::session::saved::SavedSession;
use super::settings::RoomSettings;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tickwire_game::{Game, SaveError};
use tickwire_sync::{Micros, PlayerId, Tick, TickClock};

/// Numbers of sessions, messages and events that a restored room leaves out: more than come between two checkpoints.
const SKIPPED_NUMBERS: u32 = 1 << 16;
/// More skips of numbers than this are not made: 2^28 are left out then.
const MAX_SKIPS: u32 = 1 << 12;

/// One moment on the clock of the process and on that of the wall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// On the process's clock.
    pub now: Micros,
    /// In milliseconds since 1970.
    pub unix_ms: u64,
}

impl Moment {
    /// A time of the process's clock on the wall's.
    pub(super) fn to_unix_ms(self, at: Micros) -> u64 {
        let (ahead, behind) = (at.since(self.now), self.now.since(at));
        (self.unix_ms + ahead.0 / 1000).saturating_sub(behind.0 / 1000)
    }

    /// A time of the wall's clock on the process's; 0 for times before the process started.
    pub(super) fn of_unix_ms(self, unix_ms: u64) -> Micros {
        let ahead = unix_ms.saturating_sub(self.unix_ms).saturating_mul(1000);
        let behind = self.unix_ms.saturating_sub(unix_ms).saturating_mul(1000);
        self.now.plus(Micros(ahead)).since(Micros(behind))
    }
}

/// Where a restored room goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestorePoint {
    /// The newest tick that counts as made. No client has seen a later one.
    pub tick: Tick,
    /// How often the saved state was gone on from so that players may have seen what came after it, this time not included: the
    /// numbers and ids of each of these times are not used again. 0: nothing came after it.
    pub skips: u32,
    /// Whether schema, rules and clock are those that the room's clients know, so that they may go on without a `Welcome`.
    pub keeps_clients: bool,
    /// The present.
    pub moment: Moment,
}

/// Why a saved room cannot be restored.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RestoreError {
    /// The game cannot read its state.
    #[error(transparent)]
    Game(#[from] SaveError),
    /// The room's own part is malformed.
    #[error("the room's state cannot be read: {0}")]
    Room(String),
}

/// What is the room's own.
#[derive(Serialize, Deserialize)]
struct SavedRoom {
    room_number: u64,
    newest_session: PlayerId,
    next_event: u32,
    /// Ascending by player.
    sessions: Vec<SavedSession>,
}

impl<L: Link> Room<L> {
    /// Appends the room's state to `out`. Must be called between two ticks.
    ///
    /// # Errors
    /// If the game cannot save its state; `out` is of no use then.
    pub fn save(&self, moment: Moment, out: &mut Vec<u8>) -> Result<(), SaveError> {
        let saved_session = |session: &Session<L>| {
            let name_source = self.names.source_of(&session.name, session.player);
            session.save(name_source, moment)
        };
        let room = SavedRoom {
            room_number: self.resume_tokens.room_number(),
            newest_session: PlayerId(self.newest_session),
            next_event: self.step_output.events.next_number(),
            sessions: self.sessions.iter().map(saved_session).collect(),
        };
        let start = std::mem::take(out);
        *out = postcard::to_extend(&room, start)
            .map_err(|error| SaveError::Unreadable(error.to_string()))?;
        self.game.save(out)
    }

    /// Makes a room from a state that [`Self::save`] gave, and a game that was just made. All sessions wait for their players, for the
    /// whole resume window. `secret_seed` must not be guessable, as in [`Self::new`].
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn restore(
        name: &str,
        settings: RoomSettings,
        mut game: Box<dyn Game>,
        tick_clock: TickClock,
        secret_seed: [u8; 32],
        state: &[u8],
        point: RestorePoint,
    ) -> Result<Self, RestoreError> {
        let malformed = |problem: &str| RestoreError::Room(problem.to_owned());
        let (saved, world): (SavedRoom, _) =
            postcard::take_from_bytes(state).map_err(|error| malformed(&error.to_string()))?;
        let players = saved.sessions.iter().map(SavedSession::player);
        if !players.is_sorted_by(|one, next| one < next)
            || (saved.sessions.last()).is_some_and(|last| last.player() > saved.newest_session)
        {
            return Err(malformed("its sessions are not in order"));
        }
        game.restore(world)?;
        for _ in 0..point.skips.min(MAX_SKIPS) {
            game.skip_ids();
        }
        let skipped = SKIPPED_NUMBERS * point.skips.min(MAX_SKIPS);
        let mut room = Self::new(name, settings, game, tick_clock, secret_seed);
        room.tick = point.tick;
        room.keeps_clients = point.keeps_clients;
        room.resume_tokens = ResumeTokens::restored(secret_seed, saved.room_number);
        room.newest_session = saved.newest_session.0.saturating_add(skipped);
        let next_event = saved.next_event.wrapping_add(skipped);
        room.step_output.events.count_from(next_event);
        for saved in saved.sessions {
            let was_connected = saved.was_connected();
            if let Some(source) = saved.name_source() {
                room.names.hold(saved.name(), source, saved.player());
            }
            let session = Session::restored(saved, skipped, &room.settings, point);
            let player = session.player;
            room.sessions.push(session);
            if was_connected {
                room.game.away(player);
            }
        }
        Ok(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_same_on_another_processs_clock() {
        let saved = Moment {
            now: Micros::from_millis(500),
            unix_ms: 1_000_000,
        };
        let restored = Moment {
            now: Micros::from_millis(90_000),
            unix_ms: 1_060_000,
        };
        for (at_ms, expected_ms) in [(500, 30_000), (61_000, 90_500), (0, 29_500)] {
            let unix_ms = saved.to_unix_ms(Micros::from_millis(at_ms));
            assert_eq!(
                restored.of_unix_ms(unix_ms),
                Micros::from_millis(expected_ms)
            );
        }
        // Before the process started.
        assert_eq!(restored.of_unix_ms(7), Micros(0));
    }
}
