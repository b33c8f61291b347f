//! The simulated game: a small world that uses everything that a game can use.
//!
//! In: wishes and commands of players. Out: private lanes, texts, layers, teleports, entities that come and go in the same slots,
//! events with audiences, messages to one, to a team and to all, and coins of which none is ever made or lost.

use super::crowd::Crowd;
use super::payloads::{Act, Ask, Happening, Note, SentNote, Wish};
use super::rows::{Account, Avatar, Bank, FIELD, Rules, Spark, Walker};
use serde::{Deserialize, Serialize};
use tickwire::prelude::*;

/// All coins of a room, those in the bank included.
pub const ALL_COINS: i64 = 1_000_000;
/// What a player gets from the bank.
const FIRST_COINS: u32 = 100;
/// Layers beside layer 0: one for each team.
pub const TEAMS: u8 = 3;
/// Sparks that live at once.
const MAX_SPARKS: usize = 60;

/// One room's world.
#[derive(World)]
pub struct Commons {
    avatars: Players<Avatar>,
    accounts: Players<Account>,
    sparks: Entities<Spark>,
    banks: Entities<Bank>,
    walkers: Entities<Walker>,
    crowd: Crowd,
    random: Random,
    counts: Counts,
    /// Notes that commands ask for, until the step sends them: from whom, and to whom; `None`: to the team.
    wanted_notes: Vec<(PlayerId, Option<PlayerId>)>,
    /// Walkers of a crowd; 0: there are no crowds.
    #[world(skip)]
    pub crowd_size: u32,
    /// What the recorder takes after each step.
    #[world(skip)]
    pub sent_notes: Vec<SentNote>,
    /// What players did once, and the number of the input that said so.
    #[world(skip)]
    pub acts: Vec<(PlayerId, u32, Wish)>,
}

/// Numbers that count up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    notes: u32,
    bells: u32,
    secrets: u32,
}

impl Commons {
    /// The coins of all players and of the bank.
    #[must_use]
    pub fn coins(&self) -> i64 {
        let players: i64 = self
            .accounts
            .iter()
            .map(|(_, one)| i64::from(one.coins))
            .sum();
        let banks: i64 = self.banks.iter().map(|(_, one)| i64::from(one.coins)).sum();
        players + banks
    }

    /// The players who have a body or an account, in the order of their numbers.
    #[must_use]
    pub fn players(&self) -> Vec<PlayerId> {
        let mut players: Vec<PlayerId> = self.avatars.ids().chain(self.accounts.ids()).collect();
        players.sort_unstable();
        players.dedup();
        players
    }

    /// The private lanes that a player owns, by kind and slot: as the types have them, not as they were published.
    #[must_use]
    pub fn private_lanes(&self, player: PlayerId) -> Vec<(u8, u32, Vec<i32>)> {
        let avatar = self.avatars.id(player).zip(self.avatars.get(player));
        let avatar =
            avatar.map(|(id, one)| (0, id.slot(), vec![one.steps as i32, one.secret as i32]));
        let account = self
            .accounts
            .id(player)
            .map(|id| (1, id.slot(), Vec::new()));
        let own = |(id, _): &(Id<Spark>, &Spark)| self.sparks.owner(*id) == Some(player);
        let sparks = (self.sparks.iter().filter(own))
            .map(|(id, one)| (2, id.slot(), vec![one.hidden as i32]));
        let own = |(id, _): &(Id<Walker>, &Walker)| self.walkers.owner(*id) == Some(player);
        let walkers = (self.walkers.iter().filter(own))
            .map(|(id, one)| (4, id.slot(), vec![one.hidden as i32]));
        let rows = avatar.into_iter().chain(account).chain(sparks);
        rows.chain(walkers).collect()
    }

    fn team_layer(&self, player: PlayerId) -> Option<Layer> {
        let avatar = self.avatars.get(player)?;
        Some(Layer(1 + avatar.team % TEAMS))
    }

    fn bank(&mut self) -> Option<&mut Bank> {
        self.banks.iter_mut().next().map(|(_, bank)| bank)
    }

    fn note(&mut self, step: &mut Step<'_, Self>, to: Recipient, note: impl FnOnce(u32) -> Note) {
        self.counts.notes += 1;
        let note = note(self.counts.notes);
        step.send(to, &note);
        let mut payload = Vec::new();
        tickwire::Payload::encode(&note, &mut payload);
        self.sent_notes.push(SentNote { to, payload });
    }

    fn place(&mut self) -> Pos<16> {
        let (x, y) = (self.random.int(0..FIELD), self.random.int(0..FIELD));
        Pos::new(x as f32, y as f32)
    }

    fn act(&mut self, step: &mut Step<'_, Self>, player: PlayerId, wish: &Wish) {
        let number = step.input_number(player);
        if wish.act == Act::Nothing {
            return;
        }
        self.acts.push((player, number, wish.clone()));
        let Some(pos) = self.avatars.get(player).map(|one| one.pos) else {
            return;
        };
        match wish.act {
            Act::Nothing => {}
            Act::Jump => {
                let to = self.place();
                if let Some(avatar) = self.avatars.get_mut(player) {
                    avatar.pos = to;
                    avatar.jumps.mark();
                }
                step.emit_along(&Happening::Beam { by: player }, pos, to);
            }
            Act::Spark => self.spark(player, pos),
            Act::Rob => {
                let victims = self.avatars.iter().filter(|(other, _)| *other != player);
                let nearest = victims.min_by_key(|(_, one)| one.pos.distance(pos) as i32);
                if let Some((victim, _)) = nearest {
                    self.pay(victim, player, 1);
                }
            }
            Act::Shout => step.emit(&Happening::Shout { by: player }, pos),
        }
    }

    fn spark(&mut self, player: PlayerId, pos: Pos<16>) {
        if self.sparks.len() >= MAX_SPARKS {
            return;
        }
        let layer = self.team_layer(player);
        let shown_on = match self.random.int(0..4) {
            0 => 0,
            1 => 1,
            _ => layer.map_or(1, |layer| layer.0 + 1),
        };
        let life = self.random.int(1..200) as u16;
        let hidden = self.random.int(0..i32::MAX) as u32;
        let spark = Spark {
            pos,
            shown_on,
            life,
            hidden,
        };
        let id = self.sparks.insert_owned(player, spark);
        match shown_on.checked_sub(1) {
            None => self.sparks.show_to_all(id),
            Some(layer) => self.sparks.set_layer(id, Layer(layer)),
        }
    }

    fn pay(&mut self, from: PlayerId, to: PlayerId, coins: u32) {
        let has = self.accounts.get(from).map_or(0, |one| one.coins);
        if has < coins || !self.accounts.contains(to) || !self.accounts.contains(from) {
            return;
        }
        if let Some(one) = self.accounts.get_mut(from) {
            one.coins -= coins;
        }
        if let Some(one) = self.accounts.get_mut(to) {
            one.coins += coins;
        }
    }

    fn drift(&mut self) {
        let mut random = self.random.fork();
        self.sparks.retain(|_, spark| {
            spark.life = spark.life.saturating_sub(1);
            let by = Vec2::new(random.int(-9..10) as f32, random.int(-9..10) as f32);
            let last = FIELD as f32 - 1.0;
            spark.pos = (spark.pos + by).clamp(Pos::default(), Pos::new(last, last));
            spark.life > 0
        });
        if self.sparks.len() < MAX_SPARKS / 2 && self.random.chance(0.2) {
            let pos = self.place();
            let shown_on = 1 + self.random.int(0..i32::from(TEAMS) + 1) as u8;
            let life = self.random.int(1..120) as u16;
            let id = self.sparks.insert(Spark {
                pos,
                shown_on,
                life,
                hidden: 0,
            });
            self.sparks.set_layer(id, Layer(shown_on - 1));
        }
    }

    /// Crowds come near somebody who plays.
    fn gather(&mut self) {
        let mut random = self.random.fork();
        let count = self.avatars.ids().count() as i32;
        let chosen = random.int(0..count.max(1)) as usize;
        let near = self.avatars.iter().nth(chosen);
        let near = near.map(|(player, one)| (player, one.pos));
        (self.crowd).step(&mut self.walkers, &mut random, self.crowd_size, near);
    }
}

impl Game for Commons {
    const NAME: &str = "commons";
    const SPACE: Space = Space::new(16, FIELD, FIELD)
        .screen(900, 700)
        .cells(256)
        .layers(1 + TEAMS);
    type Input = Wish;
    type Event = Happening;
    type Command = Ask;
    type Message = Note;
    type RoomMessage = Nothing;
    type Rules = Rules;

    fn new(setup: &Setup) -> Self {
        let mut banks = Entities::new();
        banks.insert(Bank {
            coins: ALL_COINS as u32,
        });
        Self {
            avatars: Players::new(),
            accounts: Players::new(),
            sparks: Entities::new(),
            banks,
            walkers: Entities::new(),
            crowd: Crowd::default(),
            crowd_size: 0,
            random: Random::new(setup.seed),
            counts: Counts::default(),
            wanted_notes: Vec::new(),
            sent_notes: Vec::new(),
            acts: Vec::new(),
        }
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if identity.name == "refused" {
            return Err(Refusal("this name is taken".to_owned()));
        }
        if identity.is_spectator {
            return Ok(());
        }
        let pos = self.place();
        self.counts.secrets += 1;
        let team = self.random.int(0..i32::from(TEAMS)) as u8;
        let name = Text::from(&*identity.name);
        let secret = self.counts.secrets;
        let avatar = Avatar {
            pos,
            team,
            name,
            secret,
            ..Avatar::default()
        };
        self.avatars.insert(player, avatar);
        let coins = self.bank().map_or(0, |bank| {
            let coins = bank.coins.min(FIRST_COINS);
            bank.coins -= coins;
            coins
        });
        self.accounts.insert(
            player,
            Account {
                coins,
                player,
                ..Account::default()
            },
        );
        Ok(())
    }

    fn leave(&mut self, player: PlayerId) {
        let coins = self.accounts.get(player).map_or(0, |one| one.coins);
        if let Some(account) = self.accounts.get_mut(player) {
            account.coins = 0;
        }
        if let Some(bank) = self.bank() {
            bank.coins += coins;
        }
    }

    fn command(&mut self, player: PlayerId, command: Ask) {
        match command {
            Ask::Pay { to, coins, .. } => self.pay(player, to, coins),
            Ask::Team { team, .. } => {
                if let Some(avatar) = self.avatars.get_mut(player) {
                    avatar.team = team % TEAMS;
                }
            }
            Ask::Motto { text, .. } => {
                if let Some(account) = self.accounts.get_mut(player) {
                    account.motto = text;
                }
            }
            // Answered in the step, where messages can be sent.
            Ask::Rally { .. } => self.wanted_notes.push((player, None)),
            Ask::Whisper { to, .. } => self.wanted_notes.push((player, Some(to))),
        }
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.advance(&mut self.avatars);
        let players: Vec<PlayerId> = self.avatars.ids().collect();
        for player in players {
            let wish = step.input(player);
            self.act(step, player, &wish);
        }
        self.drift();
        self.gather();
        for (from, to) in std::mem::take(&mut self.wanted_notes) {
            match (to, self.team_layer(from)) {
                (Some(to), _) => {
                    self.note(step, Recipient::Player(to), |number| Note::Whisper {
                        number,
                        to,
                    });
                }
                (None, Some(layer)) => {
                    let layer_number = layer.0;
                    self.note(step, Recipient::Layer(layer), |number| Note::Rally {
                        number,
                        layer: layer_number,
                    });
                    if let Some(pos) = self.avatars.get(from).map(|one| one.pos) {
                        step.emit_on(
                            &Happening::Signal {
                                layer: layer_number,
                            },
                            pos,
                            layer,
                        );
                    }
                }
                (None, None) => {}
            }
        }
        if self.random.chance(0.01) {
            self.counts.bells += 1;
            step.emit_to_all(&Happening::Bell {
                count: self.counts.bells,
            });
            self.note(step, Recipient::Everyone, |number| Note::Bell { number });
        }
    }

    fn sight(&self, player: PlayerId) -> Sight {
        let Some(avatar) = self.avatars.get(player) else {
            return Sight::around(Pos::<16>::new(1_024.0, 1_024.0), Self::SPACE);
        };
        let sight = Sight::around(avatar.pos, Self::SPACE);
        match self.team_layer(player) {
            Some(layer) => sight.with_layer(layer),
            None => sight,
        }
    }
}
