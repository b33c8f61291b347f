//! Inputs that the page gives: one that is held for every tick, and a queue of inputs for one tick each.
//!
//! In: payloads in the game's own encoding. Out: the payload of a tick. Never takes an input that the server would refuse.

use std::collections::VecDeque;
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;

/// Inputs for one tick each that may wait.
pub(super) const MAX_WAITING_INPUTS: usize = 64;

/// The inputs of the ticks to come.
#[derive(Debug, Default)]
pub(super) struct PageInputs {
    held: Vec<u8>,
    /// Inputs for one tick each, oldest first. They precede the held one.
    once: VecDeque<Vec<u8>>,
}

impl PageInputs {
    /// The input of every tick that has no other.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Replaces the held input, unless the new one is too long.
    pub fn hold(&mut self, payload: &[u8]) {
        if payload.len() <= MAX_INPUT_BYTES {
            payload.clone_into(&mut self.held);
        }
    }

    /// How many inputs for one tick wait.
    pub fn waiting(&self) -> usize {
        self.once.len()
    }

    /// Queues an input for one tick. `false`: it is too long, or too many wait.
    pub fn push_once(&mut self, payload: &[u8]) -> bool {
        let is_accepted = payload.len() <= MAX_INPUT_BYTES && self.once.len() < MAX_WAITING_INPUTS;
        if is_accepted {
            self.once.push_back(payload.to_vec());
        }
        is_accepted
    }

    /// Takes the oldest input for one tick.
    pub fn take_once(&mut self) -> Option<Vec<u8>> {
        self.once.pop_front()
    }

    /// Drops all inputs for one tick: they are too old.
    pub fn clear_once(&mut self) {
        self.once.clear();
    }
}
