//! What only the server knows: the world of a room, and what happens in it.

use my_game::{FIELD, Rules, Walker, Wish};
use std::process::ExitCode;
use tickwire::prelude::*;

/// One room's world.
#[derive(World, Default)]
struct MyGame {
    walkers: Players<Walker>,
}

#[game]
impl Game for MyGame {
    const NAME: &str = "my-game";
    const SPACE: Space = Space::new(16, FIELD.0, FIELD.1);
    type Input = Wish;
    type Rules = Rules;

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if !identity.is_spectator {
            let walker = Walker {
                pos: Pos::new(FIELD.0 as f32 / 2.0, FIELD.1 as f32 / 2.0),
                name: Text::from(&*identity.name),
            };
            self.walkers.insert(player, walker);
        }
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.walkers);
    }
}

fn main() -> ExitCode {
    Program::<MyGame>::new().page(page!()).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use my_game::SPEED;
    use tickwire::testing::{self, TestRoom};

    #[test]
    fn a_player_walks_where_the_input_says() {
        let mut room = TestRoom::<MyGame>::new();
        let ann = room.join("Ann");
        let start = room.game().walkers[ann].pos;
        room.hold(ann, &Wish { dx: 1, dy: 0 });
        room.step(10);
        let way = room.game().walkers[ann].pos - start;
        assert_eq!(way, Vec2::new(10.0 * SPEED, 0.0));
    }

    #[test]
    fn a_restored_game_plays_on() {
        testing::assert_schema_is_valid::<MyGame>();
        testing::assert_plays_on_after_restore::<MyGame>(7);
    }

    #[test]
    fn every_client_runs_these_rules() {
        testing::assert_module_is_equal::<MyGame>();
    }
}
