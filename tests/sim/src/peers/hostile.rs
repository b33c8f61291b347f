//! A hostile peer: sends what no client sends.
//!
//! In: what the peer has overheard. Out: bytes. It never reads what it is sent, unless it has to, to look like a client.

use prost::Message as _;
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_sync::Micros;

/// The ways of a hostile peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    /// Bytes that mean nothing.
    RandomBytes,
    /// Valid messages with random contents.
    RandomMessages,
    /// Inputs that acknowledge what was never sent.
    ForgedAcks,
    /// Inputs for ticks and with numbers of any size.
    AbsurdTicks,
    /// Far more of every kind of message than anyone needs.
    Flood,
    /// Tokens of other sessions, damaged or of rooms that are gone.
    Tokens,
    /// Joins, and is gone.
    JoinAndDrop,
    /// Joins, and reads nothing.
    Unread,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RandomBytes,
        Self::RandomMessages,
        Self::ForgedAcks,
        Self::AbsurdTicks,
        Self::Flood,
        Self::Tokens,
        Self::JoinAndDrop,
        Self::Unread,
    ];
}

/// A hostile peer.
#[derive(Debug)]
pub struct Hostile {
    /// What it does.
    pub attack: Attack,
    /// Randomness of its own.
    pub random: fastrand::Rng,
    /// Its connection.
    pub connection: Option<crate::world::ConnectionId>,
    sent: u32,
}

impl Hostile {
    /// A peer without a connection.
    #[must_use]
    pub fn new(attack: Attack, seed: u64) -> Self {
        Self {
            attack,
            random: fastrand::Rng::with_seed(seed),
            connection: None,
            sent: 0,
        }
    }

    /// Until it does something again.
    pub fn pause(&mut self) -> Micros {
        let most = match self.attack {
            Attack::Flood => 20_000,
            Attack::JoinAndDrop => 400_000,
            _ => 120_000,
        };
        Micros(self.random.u64(1_000..most))
    }

    /// The first message of a connection. `overheard` is a token of another session.
    pub fn hello(&mut self, overheard: &[u8]) -> Vec<u8> {
        self.sent = 0;
        if self.attack == Attack::RandomBytes && self.random.u8(0..3) == 0 {
            return self.bytes(64);
        }
        let resume_token = match self.attack {
            Attack::Tokens => self.damaged(overheard),
            Attack::RandomMessages => self.bytes(40),
            _ => Vec::new(),
        };
        let names = ["hostile", "", "refused", "\u{202e}\u{0}x", "honest-0"];
        encode(Body::Hello(v1::Hello {
            version: if self.random.u8(0..40) == 0 {
                9
            } else {
                tickwire_proto::VERSION
            },
            name: names[self.random.usize(0..names.len())].to_owned(),
            resume_token,
            encoding: self.random.i32(-1..4),
            spectate: self.random.bool(),
            cell_parts: self.random.bool(),
            last_message: self.random.u32(..),
            ..v1::Hello::default()
        }))
    }

    /// The next messages. `tick` is about the server's.
    pub fn messages(&mut self, tick: u32) -> Vec<Vec<u8>> {
        let count = match self.attack {
            Attack::Flood => self.random.usize(1..40),
            Attack::Unread => 0,
            _ => self.random.usize(0..3),
        };
        (0..count).map(|_| self.message(tick)).collect()
    }

    fn message(&mut self, tick: u32) -> Vec<u8> {
        self.sent = self.sent.wrapping_add(1);
        match self.attack {
            Attack::RandomBytes => self.bytes(200),
            Attack::ForgedAcks | Attack::AbsurdTicks => self.inputs(tick),
            _ => self.any(tick),
        }
    }

    fn inputs(&mut self, tick: u32) -> Vec<u8> {
        let forges_acks = self.attack == Attack::ForgedAcks;
        let (near, any) = (tick.wrapping_add(self.random.u32(0..80)), self.number());
        let inputs = v1::Inputs {
            seq: if forges_acks {
                self.sent
            } else {
                self.number()
            },
            target_tick: if forges_acks || self.random.bool() {
                near
            } else {
                any
            },
            received_tick: self.number(),
            received_at_us: self.random.u32(..),
            view_tick: self.number(),
            view_fraction: self.number(),
            payload: self.bytes(70),
        };
        encode(Body::Inputs(inputs))
    }

    /// A valid message of any kind.
    fn any(&mut self, tick: u32) -> Vec<u8> {
        let body = match self.random.u8(0..8) {
            0 => Body::Chat(v1::Chat { text: self.text() }),
            1 => Body::Command(v1::Command {
                number: if self.random.bool() {
                    self.sent
                } else {
                    self.number()
                },
                payload: self.bytes(60),
            }),
            2 => Body::Resync(v1::Resync {
                view_mismatch: self.random.bool(),
                tick: self.number(),
            }),
            3 => Body::Ping(v1::Ping {
                stamp: self.random.u64(..),
            }),
            4 if self.random.u8(0..12) == 0 => Body::Leave(v1::Leave {
                grace_ms: self.number(),
            }),
            5 if self.random.u8(0..40) == 0 => Body::Hello(v1::Hello::default()),
            _ => return self.inputs(tick),
        };
        encode(body)
    }

    fn number(&mut self) -> u32 {
        match self.random.u8(0..4) {
            0 => 0,
            1 => u32::MAX - self.random.u32(0..3),
            2 => self.random.u32(0..5_000),
            _ => self.random.u32(..),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.random.usize(0..most);
        (0..count).map(|_| self.random.u8(..)).collect()
    }

    fn text(&mut self) -> String {
        let words = [
            "hello",
            "\u{202e}",
            "\0",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            " ",
            "\u{1F600}",
        ];
        let count = self.random.usize(0..30);
        (0..count)
            .map(|_| words[self.random.usize(0..words.len())])
            .collect()
    }

    fn damaged(&mut self, token: &[u8]) -> Vec<u8> {
        let mut token = token.to_vec();
        if token.is_empty() {
            return self.bytes(40);
        }
        // Never the session's number alone: that would be another session's token with its own secret.
        let at = self.random.usize(12.min(token.len() - 1)..token.len());
        match self.random.u8(0..3) {
            0 => token.truncate(at),
            1 => token.push(0),
            _ => token[at] ^= 1 << self.random.u8(0..8),
        }
        token
    }
}

fn encode(body: Body) -> Vec<u8> {
    v1::ClientMessage { body: Some(body) }.encode_to_vec()
}
