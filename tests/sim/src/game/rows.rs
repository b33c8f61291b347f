//! What there is in the simulated world, and how it moves: the half that server and clients share.
//!
//! In: lanes and wishes. Out: lanes one tick later.

use super::payloads::Wish;
use tickwire::prelude::*;
use tickwire::{ByKindName, Rules as RawRules};
use tickwire_rules::{ModuleRules, RuleContext, TypedRules, advance_row};

/// The side of the square field, in units.
pub const FIELD: i32 = 2_048;

/// A player's body.
#[derive(Entity, Clone, Default, Debug)]
#[entity(placed, predicted)]
pub struct Avatar {
    /// The middle.
    pub pos: Pos<16>,
    /// To the right, in units per tick.
    #[entity(discrete)]
    pub vx: Fixed<256>,
    /// Downwards, in units per tick.
    #[entity(discrete)]
    pub vy: Fixed<256>,
    /// The team, from 0.
    pub team: u8,
    /// Counts jumps to other places.
    pub jumps: Teleport,
    /// Ticks that the body moved.
    #[entity(private)]
    pub steps: u32,
    /// Names the owner: nobody else may ever have it.
    #[entity(private)]
    pub secret: u32,
    /// The player's name.
    pub name: Text,
}

/// What all see of a player, wherever the player is.
#[derive(Entity, Clone, Default, Debug)]
pub struct Account {
    /// The player's coins.
    pub coins: u32,
    /// The player.
    pub player: PlayerId,
    /// What the player's last paper says.
    pub motto: Text,
}

/// Something that lives for a while, on the layer of a team or for all.
#[derive(Entity, Clone, Default, Debug)]
#[entity(placed)]
pub struct Spark {
    /// Where it drifts.
    pub pos: Pos<16>,
    /// The layer that it is on, plus 1; 0: it is in the global cell.
    pub shown_on: u8,
    /// Ticks until it goes.
    pub life: u16,
    /// Only its owner knows, if it has one.
    #[entity(private)]
    pub hidden: u32,
}

/// One of a crowd.
#[derive(Entity, Clone, Default, Debug)]
#[entity(placed)]
pub struct Walker {
    /// The middle.
    pub pos: Pos<16>,
    /// Whether all see the walker, wherever they are.
    pub is_global: bool,
    /// Ticks until the walker goes.
    pub stays: u16,
    /// Only the owner knows, if there is one.
    #[entity(private)]
    pub hidden: u32,
    /// Few have one.
    pub name: Text,
}

/// The bank, which all see.
#[derive(Entity, Clone, Default, Debug)]
pub struct Bank {
    /// The coins that no player has.
    pub coins: u32,
}

impl Predict for Avatar {
    type Input = Wish;
    type Map = ();
    const REACH: f32 = 40.0;

    fn advance(&mut self, wish: &Wish, world: &Nearby<'_, ()>) {
        let way = Vec2::new(wish.dx.into(), wish.dy.into()).normalize_or_zero();
        let mut speed = Vec2::new(self.vx.get(), self.vy.get()) * 0.9 + way * 2.0;
        for (_, other) in world.others::<Self>() {
            speed += (self.pos - other.pos).normalize_or(Vec2::X);
        }
        if speed.length() > 0.1 {
            self.steps = self.steps.wrapping_add(1);
        }
        (self.vx, self.vy) = (Fixed::new(speed.x), Fixed::new(speed.y));
        let last = FIELD as f32 - 1.0;
        self.pos = (self.pos + speed).clamp(Pos::default(), Pos::new(last, last));
    }
}

/// What clients predict. Written by hand, because `rules!` wants a module, which the simulator's native clients never load.
#[derive(Debug)]
pub struct Rules;

impl TypedRules for Rules {
    type Map = ();
    const KINDS: &'static [&'static str] = &[Avatar::NAME];

    fn map(&self) -> &() {
        &()
    }
}

impl RawRules for Rules {
    fn advance(
        &self,
        _: tickwire_rules::KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        advance_row::<Avatar>(&(), Self::KINDS, lanes, private_lanes, context);
    }

    fn nearby_reach(&self, _: tickwire_rules::KindId) -> u32 {
        tickwire_rules::reach_in_steps::<Avatar>()
    }
}

impl ModuleRules for Rules {
    const HASH: u64 = 0x51;

    fn new(_: &[u8]) -> Option<Self> {
        Some(Self)
    }

    fn kind(name: &str) -> Option<tickwire_rules::KindId> {
        (name == Avatar::NAME).then_some(tickwire_rules::KindId(0))
    }
}

/// The native rules of a room, for clients.
#[must_use]
pub fn rules_for(_: &str, map: &[u8], hash: u64) -> Option<Box<dyn RawRules>> {
    if hash != Rules::HASH {
        return None;
    }
    let kinds = [
        Avatar::NAME,
        Account::NAME,
        Spark::NAME,
        Bank::NAME,
        Walker::NAME,
    ];
    Some(Box::new(ByKindName::<Rules>::new(kinds, map)?))
}
