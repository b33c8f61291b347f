//! The ships as plain types.

use super::{SIDE, UNIT};
use tickwire::prelude::*;
use tickwire::{KindId, ModuleRules, RoomGame, Rules, TypedRules};
use tickwire_game::{GameSettings, RuleContext};

/// A new game.
#[must_use]
pub fn game() -> Box<dyn tickwire_game::Game> {
    Box::new(RoomGame::<PlainShips>::new(&GameSettings {
        tick_rate: 60,
        ..GameSettings::default()
    }))
}

/// The input of a player.
#[must_use]
pub fn payload(player: u32) -> Vec<u8> {
    let [dx, dy] = direction(player);
    Wish { dx, dy }.to_payload()
}

/// Where a player flies.
pub(super) fn direction(player: u32) -> [i8; 2] {
    [(player % 3) as i8 - 1, (player / 3 % 3) as i8 - 1]
}

/// Where a player starts, in steps.
pub(super) fn start(player: u32) -> [i32; 2] {
    // A fixed sequence (Knuth's multiplicative hash) spreads the ships evenly, the same way in every run.
    let spread = |salt: u32| (player.wrapping_mul(2_654_435_761).wrapping_add(salt) >> 8) as i32;
    [
        spread(1) % (SIDE * UNIT),
        spread(0x8000_0000) * 7 % (SIDE * UNIT),
    ]
    .map(i32::abs)
}

#[derive(Entity, Clone)]
#[entity(placed, predicted)]
struct Ship {
    pos: Pos<16>,
    heading: Angle<1024>,
    health: u8,
    player: PlayerId,
    #[entity(private)]
    vx: Fixed<256>,
    #[entity(private)]
    vy: Fixed<256>,
    #[entity(private)]
    cooldown: u16,
}

#[derive(Input, Clone, Default)]
struct Wish {
    dx: i8,
    dy: i8,
}

impl Predict for Ship {
    type Input = Wish;
    type Map = ();

    fn advance(&mut self, wish: &Wish, _: &Nearby<'_, ()>) {
        let wish = Vec2::new(wish.dx.into(), wish.dy.into());
        let velocity = (Vec2::new(self.vx.get(), self.vy.get()) + wish * 0.28) * 0.96;
        let place = self.pos.to_vec2() + velocity;
        self.pos = Pos::from_vec2(place.rem_euclid(Vec2::splat(SIDE as f32)));
        if wish != Vec2::ZERO {
            self.heading = Angle::of(wish);
        }
        self.vx = Fixed::new(velocity.x);
        self.vy = Fixed::new(velocity.y);
        self.cooldown = self.cooldown.saturating_sub(1);
    }
}

/// What `rules!` writes, without a module.
#[derive(Debug)]
struct ShipRules;

impl Rules for ShipRules {
    fn advance(&self, _: KindId, _: &mut [i32], _: &mut [i32], _: &RuleContext<'_>) {}
}

impl ModuleRules for ShipRules {
    const HASH: u64 = 1;

    fn new(_: &[u8]) -> Option<Self> {
        Some(Self)
    }

    fn kind(name: &str) -> Option<KindId> {
        (name == Ship::NAME).then_some(KindId(0))
    }
}

impl TypedRules for ShipRules {
    type Map = ();
    const KINDS: &'static [&'static str] = &[Ship::NAME];

    fn map(&self) -> &() {
        &()
    }
}

#[derive(World, Default)]
struct PlainShips {
    ships: Players<Ship>,
}

impl Game for PlainShips {
    const NAME: &'static str = "plain ships";
    const SPACE: Space = Space::new(UNIT, SIDE, SIDE).cells(512);
    type Input = Wish;
    type Event = Nothing;
    type Command = Nothing;
    type Message = Nothing;
    type RoomMessage = Nothing;
    type Rules = ShipRules;

    fn new(_: &Setup) -> Self {
        Self::default()
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        let [x, y] = start(player.0);
        let ship = Ship {
            pos: Pos::from_steps(glam::IVec2::new(x, y)),
            heading: Angle::default(),
            health: 100,
            player,
            vx: Fixed::default(),
            vy: Fixed::default(),
            cooldown: 0,
        };
        self.ships.insert(player, ship);
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.ships);
    }
}
