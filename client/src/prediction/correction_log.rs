//! Where predictions differed from what came of them: for whoever looks into a game while it runs.
//!
//! In: pairs of states of one tick. Out: the latest pairs, each once. Keeps nothing, and costs nothing, until it is switched on.

use super::PredictedState;

/// Corrections kept for a reader; beyond that the oldest are dropped.
const MAX_KEPT: usize = 64;

/// Why a predicted state was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CorrectionCause {
    /// The server's state differs, and all that the rules read was known: the game changed it beside the rules, or its rules are others.
    ServerState = 0,
    /// The server's state differs, and the snapshot reports ticks for which the server had no input of this player.
    MissingInput = 1,
    /// The server's state differs, and the rules had read rows of others that were not known for the tick.
    UnknownNeighbours = 2,
    /// The server's state was foreseen, and others were not: the newest state, replayed, differs from the one before.
    Replay = 3,
}

/// A predicted state that another one replaced.
#[derive(Clone, PartialEq, Debug)]
pub struct Correction {
    /// Why.
    pub cause: CorrectionCause,
    /// The state as predicted.
    pub predicted: PredictedState,
    /// The state of the same tick that replaced it: the server's, or of a [`CorrectionCause::Replay`] the replayed one.
    pub corrected: PredictedState,
    /// The input of the tick, in the game's encoding; empty: the neutral one.
    pub input: Vec<u8>,
    /// How far the newest predicted position moved, in lane units. The screen moves there smoothly.
    pub moved: f64,
}

/// The latest corrections.
#[derive(Default)]
pub(super) struct CorrectionLog {
    is_on: bool,
    /// Whether the newest snapshot reported ticks without an input.
    pub is_input_missing: bool,
    kept: Vec<Correction>,
}

impl CorrectionLog {
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Begins or ends to keep corrections.
    pub fn switch(&mut self, is_on: bool) {
        self.is_on = is_on;
        self.kept.clear();
    }

    pub fn add(&mut self, correction: Correction) {
        if self.kept.len() == MAX_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(correction);
    }

    /// Adds to the latest correction how far it moved the newest position.
    pub fn moved(&mut self, distance: f64) {
        if let Some(correction) = self.kept.last_mut() {
            correction.moved = distance;
        }
    }

    pub fn take(&mut self) -> Option<Correction> {
        (!self.kept.is_empty()).then(|| self.kept.remove(0))
    }
}
