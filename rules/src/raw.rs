//! The raw rules: a pure function over exactly the published integers.

use crate::nearby_rows::NearbyRows;
use tickwire_sync::{KindId, Tick};

/// The rules of a game's predicted kinds. The server calls them in its step, and every client calls them to predict. Prediction is
/// bit-exact because both run the same code on the same integers.
pub trait Rules: Send + Sync {
    /// Moves one row by one tick. The lanes are as published. The function may compute with floats, and must quantise at its end.
    ///
    /// A kind that the rules don't move, or slices of other lengths than the schema's, leave the row as it is.
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    );

    /// How far around a row of this kind the rules look for others, in lane units along each axis. 0: the rules look at no other
    /// row, and [`RuleContext::nearby`] is empty. The answer is the same for the room's whole life.
    fn nearby_reach(&self, kind: KindId) -> u32 {
        let _ = kind;
        0
    }

    /// The number by which the rules know rows of this kind in [`RuleContext::nearby`]; `None` if they never look at such rows.
    /// Raw rules know kinds by the schema's numbers.
    fn nearby_kind(&self, kind: KindId) -> Option<KindId> {
        Some(kind)
    }

    /// Why the rules cannot be used any more, for people; `None` while they can. Native rules never fail. A module fails if it traps
    /// or uses up its fuel: from then on it leaves every row as it is, and its client plays on without prediction.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// What the rules know beside the row that they move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleContext<'a> {
    /// The tick that the row is moved to.
    pub tick: Tick,
    /// The player's input for that tick.
    pub input: RuleInput<'a>,
    /// The other rows near by, as they were at the tick before. Their kinds are numbered as [`Rules::nearby_kind`] says.
    pub nearby: NearbyRows<'a>,
}

impl<'a> RuleContext<'a> {
    /// A context without other rows.
    #[must_use]
    pub const fn alone(tick: Tick, input: RuleInput<'a>) -> Self {
        Self {
            tick,
            input,
            nearby: NearbyRows::NONE,
        }
    }
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

/// A hash over the source files of a game's rules (64-bit FNV-1a), which changes whenever they do: a value for a raw game's
/// `rules_hash`.
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
