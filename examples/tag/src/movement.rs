//! How a runner moves: a pure function over exactly the published integers, so that a client which has it can predict.

use tickwire_game::{RuleContext, RuleInput, Rules, hash_of_sources};
use tickwire_sync::KindId;

/// Positions of the lanes in the schema.
pub const X: usize = 0;
/// See [`X`].
pub const Y: usize = 1;
/// See [`X`].
pub const IT: usize = 2;
/// How many there are.
pub const LANES: usize = 3;

/// Position of the only private lane: ticks until the runner can dash again.
pub const BREATH: usize = 0;
/// How many there are.
pub const PRIVATE_LANES: usize = 1;

/// Changes with these rules. Clients with others play without prediction.
pub const HASH: u64 = hash_of_sources(&[include_bytes!("movement.rs")]);

/// The largest position, in 1/16 unit.
const EDGE: i32 = (super::FIELD - 1) * super::UNIT;
/// How far a runner gets in a tick, in 1/16 unit.
const STEP: i32 = 48;
/// How far by a dash.
const DASH: i32 = 12 * STEP;
/// Ticks between two dashes.
const BREATH_TICKS: i32 = 90;

/// What a player wants, as three bytes say it: x and y, each -1, 0 or 1, and bits for dashing (1) and touching (2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// Where to.
    pub direction: [i32; 2],
    /// Far, at once.
    pub dashes: bool,
    /// Whoever is near.
    pub touches: bool,
}

impl Wish {
    /// Reads what a stranger sent: whatever cannot be read is no wish, and every value is possible.
    pub fn read(payload: &[u8]) -> Self {
        let &[x, y, bits] = payload else {
            return Self::default();
        };
        let sign = |byte: u8| i32::from(byte as i8).signum();
        Self {
            direction: [sign(x), sign(y)],
            dashes: bits & 1 != 0,
            touches: bits & 2 != 0,
        }
    }
}

/// The rules.
#[derive(Clone, Copy, Debug)]
pub struct Movement;

impl Rules for Movement {
    fn advance(
        &self,
        _: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let (wish, is_fresh) = match context.input {
            RuleInput::Fresh(payload) => (Wish::read(payload), true),
            RuleInput::Repeated(payload) => (Wish::read(payload), false),
            RuleInput::Neutral => (Wish::default(), false),
        };
        let breath = &mut private_lanes[BREATH];
        *breath = breath.saturating_sub(1).max(0);
        // A repeated input runs on, and dashes no second time.
        let is_dash = wish.dashes && is_fresh && *breath == 0;
        if is_dash {
            *breath = BREATH_TICKS;
        }
        let length = if is_dash { DASH } else { STEP };
        for (lane, sign) in [X, Y].into_iter().zip(wish.direction) {
            lanes[lane] = lanes[lane].saturating_add(sign * length).clamp(0, EDGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_lanes_and_any_input_are_taken(
            mut lanes: [i32; LANES],
            mut private: [i32; PRIVATE_LANES],
            payload in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            Movement.advance(KindId(0), &mut lanes, &mut private, &RuleContext::alone(tickwire_sync::Tick(1), RuleInput::Fresh(&payload)));
            prop_assert!((0..=EDGE).contains(&lanes[X]) && (0..=EDGE).contains(&lanes[Y]));
            prop_assert!(private[BREATH] >= 0);
        }
    }
}
