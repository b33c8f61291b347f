//! A small game for the tests of this crate: walkers who walk along x and strike, and stones that lie about.

use glam::IVec2;
use std::sync::Arc;
use tickwire_game::{RuleContext, RuleInput, Rules};
use tickwire_sync::{Grid, Kind, KindId, Lane, Schema};

/// Lanes: x, y, health. Private: ticks until the next strike.
pub(crate) const WALKER: KindId = KindId(0);
/// Lanes: x, y, weight.
pub(crate) const STONE: KindId = KindId(1);

pub(crate) const HEALTH: usize = 2;
/// Ticks between two strikes.
pub(crate) const REST: i32 = 20;

/// Inputs are one byte with these bits.
pub(crate) const WALK: u8 = 1;
pub(crate) const STRIKE: u8 = 2;

/// Lane units per tick.
const SPEED: i32 = 100;

pub(crate) fn schema() -> Arc<Schema> {
    let kind = |name: &str, third: &str| Kind {
        name: name.to_owned(),
        lanes: vec![
            Lane::continuous("x", ""),
            Lane::continuous("y", ""),
            Lane::discrete(third, ""),
        ],
        placed: true,
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![
            Kind {
                private_lanes: vec![Lane::discrete("rest", "ticks")],
                predicted: true,
                ..kind("walker", "health")
            },
            kind("stone", "weight"),
        ],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(65_536), 8_192),
        ..Schema::default()
    })
}

/// A repeated input walks on, and never strikes.
pub(crate) struct WalkerRules;

impl Rules for WalkerRules {
    fn advance(
        &self,
        _: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let (walks, strikes) = match context.input {
            RuleInput::Fresh(&[bits]) => (bits & WALK != 0, bits & STRIKE != 0),
            RuleInput::Repeated(&[bits]) => (bits & WALK != 0, false),
            _ => (false, false),
        };
        lanes[0] += if walks { SPEED } else { 0 };
        let rest = &mut private_lanes[0];
        *rest = (*rest - 1).max(0);
        if strikes && *rest == 0 {
            *rest = REST;
        }
    }
}
