//! The ships over raw lanes, as fast as one would write them by hand.

use super::{SHIPS, SIDE, UNIT};
use glam::{IVec2, Vec2};
use std::sync::Arc;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope};

const SHIP: KindId = KindId(0);

/// A new game.
#[must_use]
pub fn game() -> Box<dyn Game> {
    Box::new(RawShips { ships: Vec::new() })
}

/// The input of a player: two signed bytes.
#[must_use]
pub fn payload(player: u32) -> Vec<u8> {
    let [dx, dy] = super::plain::direction(player);
    vec![dx as u8, dy as u8]
}

struct RawShips {
    /// Ascending by player. The lanes are x, y, heading, health and player; the private ones the velocity and the cooldown.
    ships: Vec<(PlayerId, [i32; 5], [i32; 3])>,
}

impl Game for RawShips {
    fn name(&self) -> &'static str {
        "raw ships"
    }

    fn schema(&self) -> Arc<Schema> {
        let ship = Kind {
            name: "ship".into(),
            lanes: vec![
                Lane::continuous("x", "1/16 unit"),
                Lane::continuous("y", "1/16 unit"),
                Lane::angle("heading", "1/1024 turn", 1024),
                Lane::discrete("health", ""),
                Lane::discrete("player", ""),
            ],
            private_lanes: vec![
                Lane::discrete("vx", ""),
                Lane::discrete("vy", ""),
                Lane::discrete("cooldown", ""),
            ],
            placed: true,
            predicted: true,
            ..Kind::default()
        };
        Arc::new(Schema {
            kinds: vec![ship],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(SIDE * UNIT), 512 * UNIT as u32),
            ..Schema::default()
        })
    }

    fn map(&self) -> Vec<u8> {
        Vec::new()
    }

    fn rules_hash(&self) -> u64 {
        1
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        let [x, y] = super::plain::start(player.0);
        self.ships
            .push((player, [x, y, 0, 100, player.0 as i32], [0; 3]));
        Ok(None)
    }

    fn leave(&mut self, player: PlayerId) {
        self.ships.retain(|(other, ..)| *other != player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, lanes, private) in &mut self.ships {
            let input = step.inputs.of(*player);
            let wish = match input.as_ref().map(|input| input.payload()) {
                Some(&[dx, dy]) => Vec2::new(f32::from(dx as i8), f32::from(dy as i8)),
                _ => Vec2::ZERO,
            };
            let velocity = Vec2::new(private[0] as f32, private[1] as f32) / 256.0;
            let velocity = (velocity + wish * 0.28) * 0.96;
            let end = (SIDE * UNIT) as f32;
            let place = Vec2::new(lanes[0] as f32, lanes[1] as f32) + velocity * UNIT as f32;
            let place = place.rem_euclid(Vec2::splat(end));
            lanes[0] = place.x.round() as i32;
            lanes[1] = place.y.round() as i32;
            if wish != Vec2::ZERO {
                let turns = wish.to_angle() / std::f32::consts::TAU;
                lanes[2] = ((turns * 1024.0).round() as i32).rem_euclid(1024);
            }
            private[0] = (velocity.x * 256.0).round() as i32;
            private[1] = (velocity.y * 256.0).round() as i32;
            private[2] = (private[2] - 1).max(0);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (slot, (player, lanes, private)) in (0..SHIPS).zip(&self.ships) {
            let id = EntityId {
                kind: SHIP,
                slot,
                generation: 1,
            };
            out.put(id, Scope::Layer(Layer(0)), lanes, &[]);
            out.own(*player, id, private);
        }
    }

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        InterestArea {
            focus: IVec2::ZERO,
            half_extent: IVec2::ZERO,
            layers: LayerSet::default(),
        }
    }
}
