//! An honest player: the real client, and somebody who plays with it.
//!
//! In: the time. Out: inputs, lines of chat and commands, each of which is like no other, so that a repeated or a lost one shows.

use crate::game::{Act, Ask, TEAMS, Wish, rules_for};
use crate::model::SessionKey;
use crate::network::Line;
use crate::world::ConnectionId;
use tickwire::{Input as _, Payload as _};
use tickwire_client::{Client, LinkId, Options};
use tickwire_proto::v1;
use tickwire_sync::{Micros, PlayerId, Tick};

/// What a player has made in one step.
#[derive(Debug, Default)]
pub struct Made {
    /// Inputs: number, tick, payload.
    pub inputs: Vec<(u32, Tick, Vec<u8>)>,
    /// Numbers of commands.
    pub commands: Vec<u32>,
}

/// An honest player.
pub struct Player {
    /// The player's number among the honest ones, from 0.
    pub index: usize,
    /// The real client.
    pub client: Client,
    /// Counts the clients that this player has had: a reload begins a new one.
    pub generation: u32,
    /// The player's line.
    pub line: Line,
    /// The client's links, and the connections that they are.
    pub links: Vec<(LinkId, ConnectionId)>,
    /// The session that the client is in, as of its last `Joined`.
    pub session: Option<SessionKey>,
    /// The number of the newest planned wake-up: older ones are ignored.
    pub wakes: u64,
    /// When the player comes again, after having left.
    pub returns_at: Option<Micros>,
    /// Whether this player is silent about what it wants: only watches.
    pub is_spectator: bool,
    /// Whether the player's client takes cells in parts: older ones do not.
    pub knows_parts: bool,
    /// Counts the player's commands.
    pub commands: u32,
    chats: u32,
    clock_offset: Micros,
    random: fastrand::Rng,
    encoding: v1::Encoding,
    heading: (i8, i8),
    stamp: u16,
    talks_at: Micros,
}

impl Player {
    /// A player who connects at once. With `thin_lines` the line may be one.
    #[must_use]
    pub fn new(index: usize, seed: u64, thin_lines: bool, now: Micros) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let clock_offset = Micros(random.u64(0..10_000_000_000));
        let encoding = if random.u8(0..4) == 0 {
            v1::Encoding::Plain
        } else {
            v1::Encoding::Packed
        };
        let is_spectator = random.u8(0..12) == 0;
        let knows_parts = random.u8(0..4) != 0;
        let mut line = Line::new(random.u64(..));
        if thin_lines && knows_parts && random.bool() {
            line.make_thin();
        }
        let mut player = Self {
            index,
            client: Client::new(Options::default(), Micros(0)),
            generation: 0,
            line,
            links: Vec::new(),
            session: None,
            wakes: 0,
            returns_at: None,
            is_spectator,
            knows_parts,
            commands: 0,
            chats: 0,
            clock_offset,
            encoding,
            heading: (0, 0),
            stamp: 0,
            talks_at: now,
            random,
        };
        player.client = player.new_client(now);
        player
    }

    fn new_client(&mut self, now: Micros) -> Client {
        let options = Options {
            name: format!("honest-{}", self.index),
            encoding: self.encoding,
            is_spectator: self.is_spectator,
            seed: self.random.u64(..),
            ..Options::default()
        };
        Client::new(options, self.clock(now)).with_rules(rules_for)
    }

    /// The client's clock.
    #[must_use]
    pub fn clock(&self, now: Micros) -> Micros {
        now.plus(self.clock_offset)
    }

    /// The page is loaded again: a new client, at times one of another version. It resumes the session, unless the player has left
    /// it.
    pub fn reload(&mut self, resumes: bool, now: Micros) {
        let token = self.client.resume_token().to_vec();
        let newest = self.client.newest_message();
        // A crowded cell in the plain encoding is more than a thin line carries while it is fresh.
        let takes_whole_cells = !self.line.is_thin() || self.encoding == v1::Encoding::Packed;
        if takes_whole_cells && self.random.bool() {
            self.knows_parts = !self.knows_parts;
        }
        self.client = self.new_client(now);
        if resumes && !token.is_empty() {
            self.client.resume_from(&token, newest);
        }
        self.generation += 1;
        self.links.clear();
    }

    /// Does what is due.
    pub fn step(&mut self, now: Micros) -> Made {
        let mut made = Made::default();
        let at = self.clock(now);
        self.client.poll(at);
        while let Some(tick) = self.client.next_due_tick(at) {
            let payload = if self.client.is_spectator() {
                Vec::new()
            } else {
                self.wish().to_payload()
            };
            self.client.input(&payload);
            made.inputs.push((self.client.input_seq(), tick, payload));
        }
        if now >= self.talks_at && self.session.is_some() {
            self.talks_at = now.plus(Micros(self.random.u64(50_000..1_500_000)));
            if self.random.u8(0..5) == 0 {
                self.chats += 1;
                let line = format!("line {} of {}", self.chats, self.index);
                self.client.chat(&line);
            }
            if !self.is_spectator {
                self.commands += 1;
                let mut payload = Vec::new();
                self.ask().encode(&mut payload);
                self.client.command(&payload);
                made.commands.push(self.commands);
            }
        }
        made
    }

    fn wish(&mut self) -> Wish {
        if self.random.u8(0..20) == 0 {
            self.heading = (self.random.i8(-1..=1), self.random.i8(-1..=1));
        }
        self.stamp = self.stamp.wrapping_add(1);
        let act = match self.random.u8(0..100) {
            0 => Act::Jump,
            1..4 => Act::Spark,
            4 => Act::Rob,
            5 => Act::Shout,
            _ => Act::Nothing,
        };
        Wish {
            dx: self.heading.0,
            dy: self.heading.1,
            stamp: self.stamp,
            act,
        }
    }

    fn ask(&mut self) -> Ask {
        let number = self.commands;
        let to = PlayerId(self.random.u32(0..20));
        match self.random.u8(0..6) {
            0 => Ask::Pay {
                number,
                to,
                coins: self.random.u32(0..40),
            },
            1 => Ask::Team {
                number,
                team: self.random.u8(0..TEAMS),
            },
            2 => Ask::Motto {
                number,
                text: format!("motto {number} of {}", self.index).as_str().into(),
            },
            3 => Ask::Rally { number },
            _ => Ask::Whisper { number, to },
        }
    }
}
