//! Raw rules for tests: a walker on a field, whose neighbours push it.
//!
//! In: a map with the speed, rows, and inputs of two signed bytes. Out: moved rows. The build script makes a module of the rules;
//! rules-wasm/tests/walker.wat is the same by hand.

use tickwire_rules::{ModuleRules, RuleContext, RuleInput, Rules};
use tickwire_sync::{Grid, InputField, Kind, KindId, Lane, Schema};

/// The rules. The map is one 32-bit word, the speed.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    speed: i32,
}

impl Walker {
    /// The name of the kind that the rules move.
    pub const KIND: &str = "walker";
    /// A map on which walkers go three steps a tick.
    pub const MAP: [u8; 4] = [3, 0, 0, 0];

    /// The module, as the build script made it; empty on a machine without Rust for WebAssembly.
    pub const MODULE: &[u8] = include_bytes!(env!("TICKWIRE_RULES_WASM"));
    /// Why there is no module; empty if there is one.
    pub const NOTE: &str = env!("TICKWIRE_RULES_NOTE");

    /// A schema with the walker behind a kind that the rules don't know.
    #[must_use]
    pub fn schema() -> Schema {
        let position = || vec![Lane::continuous("x", "step"), Lane::continuous("y", "step")];
        let tree = Kind {
            name: "tree".into(),
            lanes: position(),
            placed: true,
            ..Kind::default()
        };
        let walker = Kind {
            name: Self::KIND.into(),
            lanes: position(),
            private_lanes: vec![Lane::discrete("steps", "step")],
            placed: true,
            predicted: true,
            ..Kind::default()
        };
        let input = |name: &str| InputField {
            name: name.into(),
            bits: 8,
            min: -128,
            max: 127,
            ..InputField::default()
        };
        Schema {
            kinds: vec![tree, walker],
            grid: Grid::covering(glam::IVec2::ZERO, glam::IVec2::splat(4000), 500),
            input: vec![input("dx"), input("dy")],
            ..Schema::default()
        }
    }
}

impl Rules for Walker {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let (KindId(0), [x, y], [steps]) = (kind, lanes, private_lanes) else {
            return;
        };
        if let RuleInput::Fresh(&[dx, dy, ..]) | RuleInput::Repeated(&[dx, dy, ..]) = context.input
        {
            *x = x.wrapping_add(self.speed.wrapping_mul((dx as i8).into()));
            *y = y.wrapping_add(self.speed.wrapping_mul((dy as i8).into()));
            let is_fresh = matches!(context.input, RuleInput::Fresh(_));
            *steps = steps.wrapping_add(is_fresh.into());
        }
        if let Some(&near_x) = (context.nearby.iter().next()).and_then(|row| row.lanes.first()) {
            *y = y.wrapping_add(near_x >> 1);
        }
    }

    fn nearby_reach(&self, kind: KindId) -> u32 {
        if kind == KindId(0) { 100 } else { 0 }
    }
}

impl ModuleRules for Walker {
    const HASH: u64 = match u64::from_str_radix(env!("TICKWIRE_RULES_HASH"), 10) {
        Ok(hash) => hash,
        Err(_) => panic!("a hash is a number"),
    };

    fn new(map: &[u8]) -> Option<Self> {
        let speed = i32::from_le_bytes(map.try_into().ok()?);
        Some(Self { speed })
    }

    fn kind(name: &str) -> Option<KindId> {
        (name == Self::KIND).then_some(KindId(0))
    }
}
