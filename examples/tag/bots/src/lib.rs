//! Bots that know how to play tag.

use tag::{Runner, TagEvent, Wish};
use tickwire_bot::{Behaviour, BehaviourName, Idle, Playbook, Player, Screen, played_by};

/// Runs after the nearest other, or away from whoever is it.
struct Catcher {
    random: fastrand::Rng,
}

impl Player for Catcher {
    type Input = Wish;
    type Event = TagEvent;

    fn input(&mut self, screen: &Screen<'_>) -> Wish {
        let Some(own) = screen.own::<Runner>() else {
            return Wish::default();
        };
        let here = own.entity.pos;
        let mut others = screen.all::<Runner>();
        others.retain(|(id, other)| *id != own.id && (own.entity.it || other.it));
        others.sort_by(|(_, a), (_, b)| here.distance(a.pos).total_cmp(&here.distance(b.pos)));
        let Some((_, nearest)) = others.first() else {
            return Wish::default();
        };
        let towards = nearest.pos.to_vec2() - here.to_vec2();
        let way = if own.entity.it { towards } else { -towards };
        let step = |along: f32| i8::from(along > 1.0) - i8::from(along < -1.0);
        Wish {
            dx: step(way.x),
            dy: step(way.y),
            dash: own.entity.breath == 0 && self.random.u8(0..30) == 0,
            touch: own.entity.it && towards.length() < 60.0,
        }
    }
}

/// What the bots know of tag.
pub struct TagBots;

impl Playbook for TagBots {
    fn game(&self) -> &'static str {
        "tag"
    }

    fn behaviour(&self, name: BehaviourName, seed: u64) -> Box<dyn Behaviour> {
        match name {
            BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
            _ => played_by(Catcher {
                random: fastrand::Rng::with_seed(seed),
            }),
        }
    }
}
