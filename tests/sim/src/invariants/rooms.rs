//! Sessions, coins and memory of a room.

use super::Verdict;
use crate::game::ALL_COINS;
use crate::model::Life;
use tickwire_server::internals::Footprint;
use tickwire_sync::PlayerId;

/// The most memory that a session may have; the server's own limits are below.
const MAX_KEPT_MESSAGES: usize = 128;
const MAX_KEPT_BYTES: usize = 10 * 1_024;
const MAX_WAITING_INPUTS: usize = 64;
const MAX_INBOX: usize = 1_025;
const MAX_INBOX_BYTES: usize = 256 * 1_024;
/// The outbox's limit, and one message of any size that went over it.
const MAX_PENDING_BYTES: usize = 320 * 1_024;

/// What a session holds is bounded, whatever its client does.
pub fn memory_is_bounded(footprint: &Footprint, view_cells: usize, grid_cells: usize) -> Verdict {
    let is_bounded = footprint.kept_messages <= MAX_KEPT_MESSAGES
        && footprint.kept_bytes <= MAX_KEPT_BYTES
        && footprint.waiting_inputs <= MAX_WAITING_INPUTS
        && footprint.inbox_messages <= MAX_INBOX
        && footprint.inbox_bytes <= MAX_INBOX_BYTES
        && footprint.pending_bytes <= MAX_PENDING_BYTES
        && view_cells <= grid_cells;
    if is_bounded {
        Ok(())
    } else {
        Err(format!(
            "a session holds {footprint:?} and a view of {view_cells} cells"
        ))
    }
}

/// No coin is made or lost.
pub fn coins_conserve(coins: i64) -> Verdict {
    if coins == ALL_COINS {
        Ok(())
    } else {
        Err(format!("there are {coins} coins of {ALL_COINS}"))
    }
}

/// What the game is told next of a player fits what it was told before: a session begins once, goes away and comes back in turn,
/// and ends once.
pub fn sessions_end_once(before: Option<Life>, now: Life, is_join: bool) -> Verdict {
    let fits = matches!(
        (before, now, is_join),
        (None, Life::Connected, true)
            | (Some(Life::Connected), Life::Away, false)
            | (Some(Life::Away), Life::Connected, false)
            | (Some(Life::Connected | Life::Away), Life::Left, false)
    );
    if fits {
        Ok(())
    } else {
        let what = if is_join {
            "joined".to_owned()
        } else {
            format!("{now:?}")
        };
        Err(format!(
            "the game was told {what} of a player who was {before:?}"
        ))
    }
}

/// The room has exactly the sessions that the game has not seen leave, each once, in the order of their numbers.
pub fn sessions_are_those_of_the_game(
    sessions: impl Iterator<Item = PlayerId>,
    alive: impl Iterator<Item = PlayerId>,
) -> Verdict {
    let (sessions, alive): (Vec<_>, Vec<_>) = (sessions.collect(), alive.collect());
    if sessions == alive {
        Ok(())
    } else {
        Err(format!(
            "the room has the sessions {sessions:?}, and the game the players {alive:?}"
        ))
    }
}
