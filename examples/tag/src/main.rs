//! Tag: one player is it, and must touch somebody else. A whole game of one's own; docs/GAME_GUIDE.md explains it.
//!
//! `cargo run -p tag`, and `cargo run -p tickwire-bot -- --bots 20 --behaviour random` beside it.

use std::process::ExitCode;
use tag::{FIELD, Rules, Runner, Score, TagEvent, TagMessage, Wish};
use tickwire::prelude::*;

/// Who is nearer than this can be touched, in units.
const REACH: f32 = 60.0;
/// How far from each other runners start, in units.
const START: i32 = 128;

/// One room's world.
#[derive(World, Default)]
struct Tag {
    runners: Players<Runner>,
    scores: Players<Score>,
    it: Option<PlayerId>,
}

#[game]
impl Game for Tag {
    const NAME: &str = "tag";
    const SPACE: Space = Space::new(16, FIELD, FIELD).screen(1440, 880).cells(512);
    type Input = Wish;
    type Event = TagEvent;
    type Message = TagMessage;
    type Rules = Rules;

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if identity.is_spectator {
            return Ok(());
        }
        // Side by side, in as many columns as there are.
        let column = 1 + self.runners.len() as i32 % (FIELD / START - 1);
        let runner = Runner {
            pos: Pos::new((column * START) as f32, (FIELD / 2) as f32),
            ..Runner::default()
        };
        let score = Score {
            player,
            name: Text::from(&*identity.name),
            ..Score::default()
        };
        self.runners.insert(player, runner);
        self.scores.insert(player, score);
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.runners);
        if let Some(touched) = self.it.and_then(|it| self.touched_by(it, step)) {
            if let Some(score) = self.it.and_then(|it| self.scores.get_mut(it)) {
                score.touches += 1;
            }
            self.it = Some(touched);
            // Seen and over, by all who see the place; and a word to the one whom it concerns, which always arrives.
            step.emit(
                &TagEvent::Touched { who: touched },
                self.runners[touched].pos,
            );
            step.send(Recipient::Player(touched), &TagMessage::YouAreIt);
        }
        self.it = self
            .it
            .filter(|it| self.runners.contains(*it))
            .or(self.runners.ids().next());
        for (player, runner) in self.runners.iter_mut() {
            runner.it = self.it == Some(player);
        }
    }
}

impl Tag {
    /// Whom a player touches, by what the player's own screen showed.
    fn touched_by(&self, it: PlayerId, step: &Step<'_, Self>) -> Option<PlayerId> {
        let own = self.runners.get(it).filter(|_| step.input(it).touch)?;
        let others = step.rewound_for(it).all::<Runner>();
        others
            .filter(|(_, runner)| runner.pos.distance(own.pos) < REACH)
            .filter_map(|(id, _)| self.runners.player_of(id))
            .find(|player| *player != it)
    }
}

fn main() -> ExitCode {
    Program::<Tag>::new().page(page!()).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::testing::{self, TestRoom};

    fn right() -> Wish {
        Wish {
            dx: 1,
            ..Wish::default()
        }
    }

    #[test]
    fn who_is_it_touches_whom_the_screen_shows_near() {
        let mut room = TestRoom::<Tag>::new();
        let (ann, ben) = (room.join("Ann"), room.join("Ben"));
        room.hold(ann, &right());
        room.step(30);
        let touch = Wish {
            touch: true,
            ..right()
        };
        room.press(ann, &touch);
        room.step(1);
        assert_eq!(room.take_events(), [TagEvent::Touched { who: ben }]);
        assert_eq!(room.take_messages(), [(ben, TagMessage::YouAreIt)]);
        assert!(room.game().runners[ben].it && !room.game().runners[ann].it);
        assert_eq!(room.game().scores[ann].touches, 1);
    }

    fn dash() -> Wish {
        Wish {
            dash: true,
            ..right()
        }
    }

    #[test]
    fn a_dash_needs_breath() {
        let mut room = TestRoom::<Tag>::new();
        let ann = room.join("Ann");
        let start = room.game().runners[ann].pos.x();
        room.hold(ann, &dash());
        room.step(2);
        assert_eq!(room.game().runners[ann].pos.x() - start, 36.0 + 3.0);
    }

    #[test]
    fn a_repeated_input_runs_on_and_dashes_no_second_time() {
        let mut room = TestRoom::<Tag>::new();
        let ann = room.join("Ann");
        let start = room.game().runners[ann].pos.x();
        room.press(ann, &dash());
        room.step(1);
        room.game_mut().runners[ann].breath = 0;
        room.stall(ann, 5);
        room.step(5);
        assert_eq!(room.game().runners[ann].pos.x() - start, 36.0 + 5.0 * 3.0);
    }

    #[test]
    fn somebody_is_always_it() {
        let mut room = TestRoom::<Tag>::new();
        let (ann, ben) = (room.join("Ann"), room.join("Ben"));
        room.step(1);
        assert!(room.game().runners[ann].it);
        room.leave(ann);
        room.step(1);
        assert!(room.game().runners[ben].it);
    }

    #[test]
    fn a_restored_game_plays_on() {
        testing::assert_schema_is_valid::<Tag>();
        testing::assert_plays_on_after_restore::<Tag>(7);
    }

    #[test]
    fn every_client_runs_these_rules() {
        testing::assert_module_is_equal::<Tag>();
    }
}
