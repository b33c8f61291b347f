//! What a rules module is made of: rules that can be built from a map alone, and that know their kinds by name.

use crate::raw::Rules;
use tickwire_sync::KindId;

/// Rules that compile to a module. `tickwire::rules!` writes the implementation for typed rules.
pub trait ModuleRules: Rules + Sized {
    /// The hash that identifies the rules: a game's `rules_hash`.
    const HASH: u64;
    /// The module, as the build script made it; empty if it could not.
    const MODULE: &'static [u8] = &[];
    /// Why there is no module, and what to run, for the operator; empty if there is one.
    const NOTE: &'static str = "";

    /// The rules on a map, which comes in the game's own encoding; `None` if it cannot be read.
    fn new(map: &[u8]) -> Option<Self>;

    /// The rules' own number of a kind by its name, for all methods of [`Rules`] on a value that [`Self::new`] made; `None` if the
    /// rules neither move rows of that kind nor look at them.
    fn kind(name: &str) -> Option<KindId>;
}

/// Makes rules take the schema's numbers of kinds. A room's schema numbers all its kinds; a module numbers those that it knows.
#[derive(Clone, Debug)]
pub struct ByKindName<R> {
    rules: R,
    /// The rules' own numbers, by the schema's.
    own: Vec<Option<KindId>>,
}

impl<R: ModuleRules> ByKindName<R> {
    /// Rules on a map, for a schema whose kinds have these names in this order; `None` if the map cannot be read.
    pub fn new<'a>(kinds: impl IntoIterator<Item = &'a str>, map: &[u8]) -> Option<Self> {
        Some(Self {
            rules: R::new(map)?,
            own: kinds.into_iter().map(R::kind).collect(),
        })
    }

    fn own(&self, kind: KindId) -> Option<KindId> {
        *self.own.get(kind.index())?
    }
}

impl<R: Rules + ModuleRules> Rules for ByKindName<R> {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &crate::RuleContext<'_>,
    ) {
        if let Some(own) = self.own(kind) {
            self.rules.advance(own, lanes, private_lanes, context);
        }
    }

    fn nearby_reach(&self, kind: KindId) -> u32 {
        self.own(kind).map_or(0, |own| self.rules.nearby_reach(own))
    }

    fn nearby_kind(&self, kind: KindId) -> Option<KindId> {
        self.own(kind)
    }
}

/// The rules of a game in which nothing is predicted.
#[derive(Clone, Copy, Debug)]
pub struct NoRules;

impl Rules for NoRules {
    fn advance(&self, _: KindId, _: &mut [i32], _: &mut [i32], _: &crate::RuleContext<'_>) {}
}

impl ModuleRules for NoRules {
    const HASH: u64 = 0;

    fn new(_: &[u8]) -> Option<Self> {
        Some(Self)
    }

    fn kind(_: &str) -> Option<KindId> {
        None
    }
}
