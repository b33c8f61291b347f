//! Push: stand alone on the hill, and shove the others off it.
//!
//! `cargo run -p push`, and `cargo run -p tickwire-bot -- --bots 4 --behaviour random` beside it.

use push::{Body, FIELD, Rules, Score, Wish};
use std::process::ExitCode;
use tickwire::prelude::*;

/// The hill's radius, in units; its middle is that of the field.
const HILL: f32 = 120.0;

/// One room's world.
#[derive(World)]
struct Push {
    bodies: Players<Body>,
    scores: Players<Score>,
    second: Timer,
    random: Random,
}

#[game]
impl Game for Push {
    const NAME: &str = "push";
    const SPACE: Space = Space::new(16, FIELD, FIELD);
    const COMPUTERS: bool = true;
    type Input = Wish;
    type Rules = Rules;

    fn new(setup: &Setup) -> Self {
        Self {
            bodies: Players::new(),
            scores: Players::new(),
            second: Timer::default(),
            random: Random::new(setup.seed),
        }
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if identity.is_spectator {
            return Ok(());
        }
        let mut place = || self.random.int(FIELD / 4..FIELD * 3 / 4) as f32;
        let body = Body {
            pos: Pos::new(place(), place()),
            ..Body::default()
        };
        let score = Score {
            player,
            name: Text::from(&*identity.name),
            ..Score::default()
        };
        self.bodies.insert(player, body);
        self.scores.insert(player, score);
        Ok(())
    }

    fn think(&mut self, player: PlayerId, _: Tick) -> Wish {
        // A computer player runs for the hill, and shoves when it is there.
        let middle = Pos::new((FIELD / 2) as f32, (FIELD / 2) as f32);
        let way = self
            .bodies
            .get(player)
            .map_or(Vec2::ZERO, |body| middle - body.pos);
        Wish {
            dx: way.x.clamp(-1.0, 1.0) as i8,
            dy: way.y.clamp(-1.0, 1.0) as i8,
            shove: way.length() < HILL,
        }
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.bodies);
        let seconds = self.second.every_seconds(1, step);
        if seconds > 0
            && let Some(king) = self.king()
            && let Some(score) = self.scores.get_mut(king)
        {
            score.seconds += seconds;
        }
    }
}

impl Push {
    /// Who stands on the hill alone.
    fn king(&self) -> Option<PlayerId> {
        let middle = Pos::new((FIELD / 2) as f32, (FIELD / 2) as f32);
        let mut there = (self.bodies.iter())
            .filter(|(_, body)| body.pos.distance(middle) < HILL)
            .map(|(player, _)| player);
        there.next().filter(|_| there.next().is_none())
    }
}

fn main() -> ExitCode {
    Program::<Push>::new().page(page!()).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use push::RADIUS;
    use tickwire::testing::{self, TestRoom};

    fn place(room: &mut TestRoom<Push>, player: PlayerId, x: f32, y: f32) {
        room.game_mut().bodies[player].pos = Pos::new(x, y);
    }

    #[test]
    fn bodies_give_way_to_each_other_alike() {
        let mut room = TestRoom::<Push>::new();
        let (ann, ben) = (room.join("Ann"), room.join("Ben"));
        place(&mut room, ann, 500.0, 500.0);
        place(&mut room, ben, 510.0, 500.0);
        room.step(120);
        let [a, b] = [ann, ben].map(|player| room.game().bodies[player].pos);
        assert!(a.distance(b) >= 2.0 * RADIUS - 1.0, "{a:?} {b:?}");
        assert!((a.x() + b.x() - 1010.0).abs() < 1.0, "{a:?} {b:?}");
    }

    #[test]
    fn a_second_alone_on_the_hill_counts_once_also_over_skipped_ticks() {
        let mut room = TestRoom::<Push>::new();
        let ann = room.join("Ann");
        place(&mut room, ann, 512.0, 512.0);
        room.step(1);
        room.skip(58);
        room.step(2);
        assert_eq!(room.game().scores[ann].seconds, 1);
        room.skip(119);
        room.step(1);
        assert_eq!(room.game().scores[ann].seconds, 3);
    }

    #[test]
    fn computer_players_join_and_run_for_the_hill() {
        let mut room = TestRoom::<Push>::with_computers(2);
        room.step(600);
        let middle = Pos::new(512.0, 512.0);
        assert_eq!(room.rows::<Body>().len(), 2);
        assert!(
            room.rows::<Body>()
                .iter()
                .all(|(_, body)| body.pos.distance(middle) < HILL)
        );
    }

    #[test]
    fn a_restored_game_plays_on() {
        testing::assert_schema_is_valid::<Push>();
        testing::assert_plays_on_after_restore::<Push>(7);
    }

    #[test]
    fn every_client_runs_these_rules() {
        testing::assert_module_is_equal::<Push>();
    }
}
