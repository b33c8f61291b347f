//! Movement that clients predict: a pure function over exactly the published integers.

use tickwire_sync::KindId;

/// The movement of a game's predicted kinds. The server calls it in its step and every client calls it to predict, so
/// prediction is bit-exact because it is the same code.
pub trait Rules: Send + Sync {
    /// Moves one row by one tick: its public and private lanes, as published, under one input.
    ///
    /// May use floats inside, and quantises at its end.
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        input: RuleInput<'_>,
    );
}

/// What a player does in one tick, as the rules see it. Any bytes are an input; what cannot be read is neutral.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleInput<'a> {
    /// The input that was made for this tick.
    Fresh(&'a [u8]),
    /// None came; the last one again. It moves on, and must not do anything once more that is done once, as firing.
    Repeated(&'a [u8]),
    /// Nothing is pressed.
    Neutral,
}

/// Hash of the source files of a game's rules (FNV-1a, 64 bits), so that `rules_hash` changes whenever they do.
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
