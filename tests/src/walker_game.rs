//! A game of walkers, in raw integers, whose clients know nothing of its rules but the module that the server offers.

use crate::modules::Walker;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::{Game, Identity, Refusal, Rules, Step};
use tickwire_rules::{ByKindName, NearbyRows, RuleContext};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, KindId, Layer, LayerSet, PlayerId, Schema, Scope};

const WALKER: KindId = KindId(1);

/// The game. Its walkers stand far apart, so that nobody pushes anybody.
pub struct WalkerGame {
    schema: Arc<Schema>,
    module: &'static [u8],
    rules: ByKindName<Walker>,
    /// Public and private lanes.
    walkers: BTreeMap<PlayerId, ([i32; 2], [i32; 1])>,
}

impl WalkerGame {
    /// The game with a module, which a server offers if it passes its trial.
    ///
    /// # Panics
    /// Never: the map can be read.
    #[must_use]
    pub fn new(module: &'static [u8]) -> Self {
        let schema = Arc::new(Walker::schema());
        Self {
            rules: rules(&schema),
            schema,
            module,
            walkers: BTreeMap::new(),
        }
    }
}

fn rules(schema: &Schema) -> ByKindName<Walker> {
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

impl Game for WalkerGame {
    fn name(&self) -> &'static str {
        "walkers"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn map(&self) -> Vec<u8> {
        Walker::MAP.to_vec()
    }

    fn rules_hash(&self) -> u64 {
        <Walker as tickwire_rules::ModuleRules>::HASH
    }

    fn rules(&self) -> Option<Box<dyn Rules>> {
        Some(Box::new(rules(&self.schema)))
    }

    fn rules_module(&self) -> &'static [u8] {
        self.module
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        let at = player.0 as i32 * 500;
        self.walkers.insert(player, ([at, at], [0]));
        Ok(Some(walker(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        self.walkers.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, (lanes, steps)) in &mut self.walkers {
            let Some(turn) = step.inputs.of(*player) else {
                continue;
            };
            let context = RuleContext {
                tick: step.tick,
                input: turn.rule_input(),
                nearby: NearbyRows::NONE,
            };
            self.rules.advance(WALKER, lanes, steps, &context);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, (lanes, steps)) in &self.walkers {
            out.put(walker(*player), Scope::Layer(Layer(0)), lanes, &[]);
            out.own(*player, walker(*player), steps);
        }
    }

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        InterestArea {
            focus: glam::IVec2::splat(2000),
            half_extent: glam::IVec2::splat(2000),
            layers: LayerSet::default(),
        }
    }
}
