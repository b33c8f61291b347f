//! Resume tokens: how a client proves which session it resumes.
//!
//! A token is the session's number, the room's number, and a secret. The room's number is random, and tells a token of this
//! room from one of an earlier or later room of the same name.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tickwire_sync::PlayerId;

/// Session number (4 bytes, little-endian), room number (8 bytes), secret (16 bytes).
pub(in crate::room) type ResumeToken = [u8; 28];

/// Issues the tokens of one room.
#[derive(Debug)]
pub(in crate::room) struct ResumeTokens {
    random: StdRng,
    /// Random, so that no other room has this number.
    room_number: u64,
}

impl ResumeTokens {
    /// `secret_seed` must not be guessable, because the tokens' secrets come from it.
    pub fn new(secret_seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(secret_seed);
        let room_number = random.random();
        Self {
            random,
            room_number,
        }
    }

    /// Goes on with the tokens of a room that was saved: those that it issued stay good.
    pub fn restored(secret_seed: [u8; 32], room_number: u64) -> Self {
        Self {
            room_number,
            ..Self::new(secret_seed)
        }
    }

    /// The number by which tokens of this room are told from those of others.
    pub fn room_number(&self) -> u64 {
        self.room_number
    }

    /// A token for a new session.
    pub fn issue(&mut self, player: PlayerId) -> ResumeToken {
        let mut token = ResumeToken::default();
        token[..4].copy_from_slice(&player.0.to_le_bytes());
        token[4..12].copy_from_slice(&self.room_number.to_le_bytes());
        token[12..].copy_from_slice(&self.random.random::<u128>().to_le_bytes());
        token
    }

    /// Whether a token has this room's number. The secret is not checked.
    pub fn is_of_this_room(&self, token: &[u8]) -> bool {
        token.get(4..12) == Some(&self.room_number.to_le_bytes())
    }
}

/// The session that a token is for; 0, which is no session, if the token is too short.
pub(in crate::room) fn player_of(token: &[u8]) -> PlayerId {
    let number = token.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    PlayerId(number.unwrap_or_default())
}

/// Compares tokens in a time that does not depend on how much of them is equal.
pub(in crate::room) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_session_and_its_room() {
        let mut tokens = ResumeTokens::new([1; 32]);
        let other_room = ResumeTokens::new([2; 32]);
        let (one, two) = (tokens.issue(PlayerId(7)), tokens.issue(PlayerId(7)));
        assert_eq!(player_of(&one), PlayerId(7));
        assert_eq!(player_of(b"x"), PlayerId(0));
        assert!(tokens.is_of_this_room(&one) && !other_room.is_of_this_room(&one));
        assert!(is_same(&one, &one) && !is_same(&one, &two) && !is_same(&one, &one[1..]));
    }
}
