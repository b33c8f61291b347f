//! The seeds of rooms' worlds.
//!
//! In: a room's name. Out: the seed of its game's randomness. A player who knew the seed would know what the game will roll next, so
//! by default it is made from a secret of this process: rooms of one name have one world until the server starts again.

use ring::hmac;

/// Makes the seeds.
#[derive(Debug)]
pub(super) enum WorldSeeds {
    /// From a secret.
    Secret(hmac::Key),
    /// From a number that everybody may know (`--world-seed`), for tests and benches.
    Known(u64),
}

impl WorldSeeds {
    /// The seeds of `--world-seed`; `None`: secret ones.
    pub fn new(known: Option<u64>) -> Self {
        match known {
            Some(seed) => Self::Known(seed),
            None => Self::Secret(hmac::Key::new(
                hmac::HMAC_SHA256,
                &rand::random::<[u8; 32]>(),
            )),
        }
    }

    /// The seed of the room of this name.
    pub fn of(&self, room: &str) -> u64 {
        match self {
            Self::Secret(key) => {
                let tag = hmac::sign(key, room.as_bytes());
                let mut seed = [0; 8];
                seed.copy_from_slice(&tag.as_ref()[..8]);
                u64::from_le_bytes(seed)
            }
            Self::Known(seed) => tickwire_game::hash_of_sources(&[room.as_bytes()]) ^ seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_knows_a_rooms_seed_by_its_name() {
        let (one, another) = (WorldSeeds::new(None), WorldSeeds::new(None));
        assert_eq!(one.of("main"), one.of("main"));
        assert_ne!(one.of("main"), one.of("side"));
        assert_ne!(one.of("main"), another.of("main"));
    }

    #[test]
    fn a_known_seed_gives_the_same_worlds_on_each_start() {
        let seeds = |seed| WorldSeeds::new(Some(seed));
        assert_eq!(seeds(7).of("main"), seeds(7).of("main"));
        assert_ne!(seeds(7).of("main"), seeds(8).of("main"));
        assert_ne!(seeds(7).of("main"), seeds(7).of("side"));
    }
}
