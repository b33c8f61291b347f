//! A small raw game that serves a rules module: players walk about.
//!
//! The rules are those of [`crate::modules::Walker`]; the module is whatever a test gives.

use crate::modules::Walker;
use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::{Game, Identity, Refusal, RuleContext, Rules, Step};
use tickwire_rules::{ByKindName, ModuleRules as _};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, KindId, Layer, LayerSet, PlayerId, Schema, Scope};

/// The schema's number of walkers.
const WALKER: KindId = KindId(1);
/// Where players start: far from each other, because walkers that are near push each other wildly.
const APART: i32 = 700;

/// One room.
pub struct Walkers {
    rules: ByKindName<Walker>,
    module: &'static [u8],
    /// Public and private lanes.
    rows: BTreeMap<PlayerId, ([i32; 2], [i32; 1])>,
}

impl Walkers {
    /// A room of a game with this rules module.
    ///
    /// # Panics
    /// Never: the walker's map can be read.
    #[must_use]
    pub fn new(module: &'static [u8]) -> Self {
        Self {
            rules: native(),
            module,
            rows: BTreeMap::new(),
        }
    }
}

pub(crate) fn native() -> ByKindName<Walker> {
    let schema = Walker::schema();
    let names = schema.kinds.iter().map(|kind| &*kind.name);
    ByKindName::new(names, &Walker::MAP).unwrap()
}

fn walker(player: PlayerId) -> EntityId {
    EntityId {
        kind: WALKER,
        slot: player.0,
        generation: 1,
    }
}

impl Game for Walkers {
    fn name(&self) -> &'static str {
        "walkers"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::new(Walker::schema())
    }

    fn map(&self) -> Vec<u8> {
        Walker::MAP.to_vec()
    }

    fn rules_hash(&self) -> u64 {
        Walker::HASH
    }

    fn rules(&self) -> Option<Box<dyn Rules>> {
        Some(Box::new(native()))
    }

    fn rules_module(&self) -> &'static [u8] {
        self.module
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        let place = APART * (1 + self.rows.len() as i32);
        self.rows.insert(player, ([place, place], [0]));
        Ok(Some(walker(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        self.rows.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, (lanes, steps)) in &mut self.rows {
            if let Some(turn) = step.inputs.of(*player) {
                let context = RuleContext::alone(step.tick, turn.rule_input());
                self.rules.advance(WALKER, lanes, steps, &context);
            }
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, (lanes, steps)) in &self.rows {
            out.put(walker(*player), Scope::Layer(Layer(0)), lanes, &[]);
            out.own(*player, walker(*player), steps);
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let place = self.rows.get(&player).map(|(lanes, _)| IVec2::from(*lanes));
        InterestArea {
            focus: place.unwrap_or(IVec2::splat(2000)),
            half_extent: IVec2::splat(2000),
            layers: LayerSet::default(),
        }
    }
}
