//! Hill: who is alone on it scores, and a push throws others off.
//!
//! `cargo run -p hill`, then open <http://127.0.0.1:7777/>.

use hill::{Body, FIELD, Rules, Wish};
use tickwire::prelude::*;

/// The hill's radius, in units; its middle is that of the field.
const HILL: f32 = 100.0;

/// One room's world.
#[derive(World, Default)]
struct Hill {
    bodies: Players<Body>,
    second: Timer,
}

#[game]
impl Game for Hill {
    const NAME: &str = "hill";
    const SPACE: Space = Space::new(16, FIELD as i32, FIELD as i32);
    type Input = Wish;
    type Rules = Rules;

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if !identity.is_spectator {
            let x = (player.0 * 97 % FIELD as u32) as f32;
            let (pos, name) = (Pos::new(x, 40.0), Text::from(&*identity.name));
            #[rustfmt::skip]
            self.bodies.insert(player, Body { pos, name, ..Body::default() });
        }
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.bodies);
        let seconds = self.second.every_seconds(1, step);
        let middle = Pos::new(FIELD / 2.0, FIELD / 2.0);
        let is_there = |body: &Body| body.pos.distance(middle) < HILL;
        let mut there = (self.bodies.iter_mut()).filter(|(_, body)| is_there(body));
        if let (Some((_, king)), None) = (there.next(), there.next()) {
            king.points += seconds;
        }
    }
}

fn main() -> std::process::ExitCode {
    Program::<Hill>::new().page(page!()).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::testing::{self, TestRoom};

    fn place(room: &mut TestRoom<Hill>, player: PlayerId, x: f32) {
        room.game_mut().bodies[player].pos = Pos::new(x, 360.0);
    }

    #[test]
    fn a_push_throws_those_near_away_and_nobody_else() {
        let mut room = TestRoom::<Hill>::new();
        let [ann, ben, cid] = ["Ann", "Ben", "Cid"].map(|name| room.join(name));
        for (player, x) in [(ann, 360.0), (ben, 400.0), (cid, 600.0)] {
            place(&mut room, player, x);
        }
        room.step(1);
        let push = Wish {
            push: true,
            ..Wish::default()
        };
        room.press(ann, &push);
        room.step(40);
        let [a, b, c] = [ann, ben, cid].map(|player| room.game().bodies[player].pos.x());
        assert!(a == 360.0 && b > 460.0 && c == 600.0, "{a} {b} {c}");
    }

    #[test]
    fn only_who_is_alone_on_the_hill_scores() {
        let mut room = TestRoom::<Hill>::new();
        let [ann, ben] = ["Ann", "Ben"].map(|name| room.join(name));
        place(&mut room, ann, 360.0);
        room.step(61);
        assert_eq!(room.game().bodies[ann].points, 1);
        place(&mut room, ben, 300.0);
        room.step(120);
        assert_eq!(room.game().bodies[ann].points, 1);
        assert_eq!(room.game().bodies[ben].points, 0);
    }

    #[test]
    fn a_restored_game_plays_on() {
        testing::assert_schema_is_valid::<Hill>();
        testing::assert_plays_on_after_restore::<Hill>(7);
    }

    #[test]
    fn every_client_runs_these_rules() {
        testing::assert_module_is_equal::<Hill>();
    }
}
