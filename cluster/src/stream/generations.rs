//! Which generations this process has had with the nodes that it lost: a node may come back, and its stream must begin with a later one.

use crate::node::NodeId;
use std::collections::{HashMap, VecDeque};

/// Nodes whose generation is remembered one by one.
const MAX_REMEMBERED: usize = 4096;

/// The last generation of each stream that has ended, in bounded memory.
#[derive(Debug, Default)]
pub struct Generations {
    last: HashMap<NodeId, u64>,
    /// The nodes in `last`, in the order in which they were first lost.
    order: VecDeque<NodeId>,
    /// At least every generation that is no longer remembered.
    floor: u64,
}

impl Generations {
    /// The generation that a new stream with this node begins with.
    #[must_use]
    pub fn first_for(&self, node: &NodeId) -> u64 {
        self.last
            .get(node)
            .copied()
            .unwrap_or(self.floor)
            .max(self.floor)
            + 1
    }

    /// A stream has ended with this generation.
    pub fn ended(&mut self, node: &NodeId, generation: u64) {
        if self.last.insert(node.clone(), generation).is_none() {
            self.order.push_back(node.clone());
        }
        while self.order.len() > MAX_REMEMBERED {
            let forgotten = self
                .order
                .pop_front()
                .and_then(|node| self.last.remove(&node));
            self.floor = self.floor.max(forgotten.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_generation_is_had_twice_with_a_node() {
        let mut generations = Generations::default();
        let node = |number: u64| NodeId::new("node", number);
        let first = generations.first_for(&node(0));
        generations.ended(&node(0), first + 6);
        assert!(generations.first_for(&node(0)) > first + 6);
        for number in 1..=MAX_REMEMBERED as u64 {
            generations.ended(&node(number), 1);
        }
        assert!(
            generations.order.len() == MAX_REMEMBERED && generations.last.len() == MAX_REMEMBERED
        );
        assert!(
            generations.first_for(&node(0)) > first + 6,
            "it was forgotten, but not what it had"
        );
    }
}
