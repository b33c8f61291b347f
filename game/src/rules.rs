//! Movement rules: what clients predict, as a pure function over exactly the published integers.

use tickwire_sync::KindId;

/// The movement of a game's predicted kinds. The server calls it in its step, and every client to predict. Prediction is
/// bit-exact because both run the same code.
pub trait Rules: Send + Sync {
    /// Moves one row by one tick under one input. The lanes are as published. The function may compute with floats, and must
    /// quantise at its end.
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        input: RuleInput<'_>,
    );
}

/// A player's input for one tick, as the rules see it. Any bytes are possible; treat what cannot be read as neutral.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleInput<'a> {
    /// The input that was made for this tick.
    Fresh(&'a [u8]),
    /// No input came, so this is the last one again. It continues a movement, and must not repeat a single action such as a shot.
    Repeated(&'a [u8]),
    /// Nothing is pressed.
    Neutral,
}

/// A hash over the source files of a game's rules (64-bit FNV-1a), which changes whenever they do: a value for
/// [`Game::rules_hash`](crate::Game::rules_hash).
#[must_use]
pub const fn hash_of_sources(sources: &[&[u8]]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut file = 0;
    while file < sources.len() {
        let mut at = 0;
        while at < sources[file].len() {
            hash = (hash ^ sources[file][at] as u64).wrapping_mul(0x0000_0100_0000_01B3);
            at += 1;
        }
        file += 1;
    }
    hash
}
