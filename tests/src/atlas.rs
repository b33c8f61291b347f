//! A game with a large map and nothing on it.

use std::sync::Arc;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema};

/// A game with a large map and nothing on it.
pub struct Atlas {
    map: Vec<u8>,
}

impl Atlas {
    /// A game whose map has so many bytes, not all alike.
    #[must_use]
    pub fn new(map_bytes: usize) -> Self {
        Self {
            map: (0..map_bytes).map(|at| (at % 251) as u8).collect(),
        }
    }

    /// The map.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Game for Atlas {
    fn name(&self) -> &'static str {
        "atlas"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::default())
    }

    fn map(&self) -> Vec<u8> {
        self.map.clone()
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        Ok(None)
    }

    fn leave(&mut self, _: PlayerId) {}

    fn step(&mut self, _: &mut Step<'_>) {}

    fn publish(&self, _: &mut Publisher<'_>) {}

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        InterestArea {
            focus: glam::IVec2::ZERO,
            half_extent: glam::IVec2::ONE,
            layers: tickwire_sync::LayerSet::default(),
        }
    }
}
