//! Hideout, a game for tests: two teams that do not see each other's camps. It has what tag and push have not: commands, layers,
//! teleports, chat that the game reads, kicks, and a field that is not saved. docs/GAME_GUIDE.md shows parts of it.

#![allow(missing_docs, reason = "a game for tests")]

use tickwire::prelude::*;
use tickwire::testing::{self, TestRoom};

#[derive(Choice, Clone, Copy, PartialEq, Debug, Default)]
enum Team {
    #[default]
    Red,
    Blue,
}

impl Team {
    /// Only the team sees its layer.
    fn layer(self) -> Layer {
        Layer(1 + self as u8)
    }
}

#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Scout {
    pos: Pos<16>,
    team: Team,
    jumps: Teleport,
}

#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Camp {
    pos: Pos<16>,
}

#[derive(Command, PartialEq, Debug)]
enum Request {
    Join { team: Team },
    GoHome,
}

#[derive(Message, PartialEq, Debug)]
enum Word {
    Joined { who: PlayerId, team: Team },
}

#[derive(World)]
struct Hideout {
    scouts: Players<Scout>,
    camps: Entities<Camp>,
    /// The camps of both teams.
    homes: [Id<Camp>; 2],
    /// Who joined a team since the last step.
    joined: Vec<PlayerId>,
    /// Who is to be kicked.
    rude: Vec<PlayerId>,
    /// Worked out anew in every step.
    #[world(skip)]
    at_home: Vec<PlayerId>,
}

impl Game for Hideout {
    const NAME: &str = "hideout";
    const SPACE: Space = Space::new(16, 2048, 2048)
        .screen(1440, 880)
        .cells(512)
        .layers(3);
    type Input = ();
    type Event = Nothing;
    type Command = Request;
    type Message = Word;
    type RoomMessage = Nothing;
    type Rules = NoRules;

    fn new(_: &Setup) -> Self {
        let mut camps = Entities::new();
        let homes = [Team::Red, Team::Blue].map(|team| {
            let x = if team == Team::Red { 100.0 } else { 1900.0 };
            let camp = camps.insert(Camp {
                pos: Pos::new(x, 1000.0),
            });
            camps.set_layer(camp, team.layer());
            camp
        });
        Self {
            scouts: Players::new(),
            camps,
            homes,
            joined: Vec::new(),
            rude: Vec::new(),
            at_home: Vec::new(),
        }
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if self.scouts.len() >= 16 {
            return Err(Refusal("this match is full; join another room".into()));
        }
        if !identity.is_spectator {
            let pos = Pos::new(1000.0, 1000.0);
            self.scouts.insert(
                player,
                Scout {
                    pos,
                    ..Scout::default()
                },
            );
        }
        Ok(())
    }

    fn command(&mut self, player: PlayerId, request: Request) {
        let Some(scout) = self.scouts.get_mut(player) else {
            return;
        };
        match request {
            Request::Join { team } => {
                scout.team = team;
                self.joined.push(player);
            }
            Request::GoHome => {
                scout.pos = self.camps[self.homes[scout.team as usize]].pos;
                scout.jumps.mark();
            }
        }
    }

    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        let is_rude = line.contains("noob");
        if is_rude {
            self.rude.push(player);
        }
        !is_rude
    }

    fn sight(&self, player: PlayerId) -> Sight {
        match self.scouts.get(player) {
            Some(scout) => Sight::around(scout.pos, Self::SPACE).with_layer(scout.team.layer()),
            None => Sight::around(Pos::<16>::new(1000.0, 1000.0), Self::SPACE),
        }
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        for player in self.joined.drain(..) {
            if let Some(scout) = self.scouts.get(player) {
                let word = Word::Joined {
                    who: player,
                    team: scout.team,
                };
                step.send(Recipient::Layer(scout.team.layer()), &word);
            }
        }
        for player in self.rude.drain(..) {
            step.kick(player, "be kind");
        }
        let homes = self.homes.map(|home| self.camps[home].pos);
        let at_home = |scout: &Scout| homes[scout.team as usize] == scout.pos;
        self.at_home = (self.scouts.iter())
            .filter(|(_, scout)| at_home(scout))
            .map(|(player, _)| player)
            .collect();
    }
}

#[test]
fn a_command_comes_before_the_next_step() {
    let mut room = TestRoom::<Hideout>::new();
    let ann = room.join("Ann");
    room.command(ann, &Request::Join { team: Team::Blue });
    room.command(ann, &Request::GoHome);
    room.step(1);
    let scout = &room.game().scouts[ann];
    assert_eq!(scout.pos, Pos::new(1900.0, 1000.0));
    assert_ne!(scout.jumps, Teleport::default());
    assert_eq!(room.game().at_home, [ann]);
}

#[test]
fn a_message_to_a_layer_reaches_those_who_see_it() {
    let mut room = TestRoom::<Hideout>::new();
    let (ann, ben, cleo) = (room.join("Ann"), room.join("Ben"), room.join("Cleo"));
    room.command(ann, &Request::Join { team: Team::Blue });
    room.command(ben, &Request::Join { team: Team::Blue });
    room.step(1);
    let got: Vec<_> = room.take_messages();
    assert_eq!(got.len(), 4);
    assert!(got.iter().all(|(player, _)| *player != cleo));
}

#[test]
fn the_game_reads_chat_first_and_can_kick() {
    let mut room = TestRoom::<Hideout>::new();
    let (ann, ben) = (room.join("Ann"), room.join("Ben"));
    assert!(room.chat(ann, "hello"));
    assert!(!room.chat(ben, "noob!"));
    room.step(1);
    assert_eq!(room.take_kicked(), [(ben, "be kind".to_owned())]);
    assert!(!room.game().scouts.contains(ben) && room.game().scouts.contains(ann));
}

#[test]
fn a_full_game_refuses_players_and_keeps_nothing_of_them() {
    let mut room = TestRoom::<Hideout>::new();
    for _ in 0..16 {
        room.join("Ann");
    }
    assert!(room.try_join("Ben", false).is_err());
    assert_eq!(room.game().scouts.len(), 16);
}

#[test]
fn a_restored_hideout_plays_on() {
    testing::assert_schema_is_valid::<Hideout>();
    testing::assert_plays_on_after_restore::<Hideout>(3);
}
