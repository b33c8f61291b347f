//! A game whose rooms tell each other: towers whose bells are rung from other towers.

use crate::Player;
use tickwire::prelude::*;
use tickwire::{Payload as _, RoomGame};
use tickwire_client::SessionEvent;

/// A ringer of a tower.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
pub struct Ringer {
    pos: Pos<16>,
}

/// Ringers hardly move.
#[derive(Input, Clone, PartialEq, Debug, Default)]
pub struct Pull {
    dx: i8,
}

/// Asks the tower to ring another one, or all others.
#[derive(Command, PartialEq, Debug)]
pub enum Ask {
    /// One tower.
    Ring {
        /// Its number.
        tower: u8,
        /// The bell's.
        bell: u32,
    },
    /// All others.
    RingAll {
        /// The bell's number.
        bell: u32,
    },
}

/// From tower to tower.
#[derive(Message, PartialEq, Debug)]
pub enum Ring {
    /// A bell is to be rung.
    Bell {
        /// Its number.
        number: u32,
    },
}

/// What a tower's ringers hear.
#[derive(Message, PartialEq, Debug)]
pub enum Heard {
    /// A bell.
    Bell {
        /// Its number.
        number: u32,
        /// The tower that asked for it.
        tower: u8,
    },
}

/// Towers are rooms called `tower-0`, `tower-1`, and so on.
#[derive(World, Default)]
pub struct Tower {
    ringers: Players<Ringer>,
    asked: Vec<(Option<u8>, u32)>,
    heard: Vec<(u8, u32)>,
}

/// The name of a tower's room.
#[must_use]
pub fn room(tower: u8) -> String {
    format!("tower-{tower}")
}

#[game]
impl Game for Tower {
    const NAME: &str = "towers";
    const SPACE: Space = Space::new(16, 1000, 1000);
    type Input = Pull;
    type Command = Ask;
    type Message = Heard;
    type RoomMessage = Ring;

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        self.ringers.insert(player, Ringer::default());
        Ok(())
    }

    fn command(&mut self, _: PlayerId, command: Ask) {
        self.asked.push(match command {
            Ask::Ring { tower, bell } => (Some(tower), bell),
            Ask::RingAll { bell } => (None, bell),
        });
    }

    fn room_message(&mut self, from: &str, message: Ring) {
        let Ring::Bell { number } = message;
        let tower = from.strip_prefix("tower-").unwrap().parse().unwrap();
        assert!(number != 666, "the test wants a panic");
        self.heard.push((tower, number));
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        for (tower, number) in self.asked.drain(..) {
            let ring = Ring::Bell { number };
            match tower {
                Some(tower) => step.tell_room(room(tower), &ring),
                None => step.tell_other_rooms(&ring),
            }
        }
        for (tower, number) in self.heard.drain(..) {
            step.send(Recipient::Everyone, &Heard::Bell { number, tower });
        }
    }
}

/// The game of a new room.
#[must_use]
pub fn new_game(settings: &Setup) -> Box<dyn tickwire_game::Game> {
    Box::new(RoomGame::<Tower>::new(settings))
}

/// A player asks for something.
pub fn ask(player: &mut Player, ask: &Ask) {
    let mut payload = Vec::new();
    ask.encode(&mut payload);
    player.client.command(&payload);
}

/// What a player has heard so far: towers and bells.
#[must_use]
pub fn heard(player: &Player) -> Vec<(u8, u32)> {
    let bell = |event: &SessionEvent| match event {
        SessionEvent::GameMessage(payload) => {
            let Heard::Bell { number, tower } = Heard::decode(payload).ok()?;
            Some((tower, number))
        }
        _ => None,
    };
    player.events.iter().filter_map(bell).collect()
}

/// The notices that a player has read so far.
#[must_use]
pub fn notices(player: &Player) -> Vec<&str> {
    let mut texts = Vec::new();
    for event in &player.events {
        if let SessionEvent::Notice(text) = event {
            texts.push(text.as_str());
        }
    }
    texts
}
