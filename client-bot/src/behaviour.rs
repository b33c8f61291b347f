//! What bots do: from what a bot's screen shows to the input of a tick.
//!
//! In: the client core, which knows what is on the screen. Out: payloads of inputs. Never uses sockets or a clock; all randomness comes
//! from the bot's seed. A [`Playbook`] has the behaviours of a game that somebody wrote bots for; [`AnyGame`] plays every other one.

use crate::options::BehaviourName;
use crate::random_inputs::RandomInputs;
use crate::shot_counts::ShotCounts;
use tickwire_client::Client;
use tickwire_rules::Rules;
use tickwire_sync::Tick;
use tickwire_sync::client::ReceivedEvent;

/// How bots play a game that they know more of than its schema says.
pub trait Playbook: Send + Sync {
    /// The game's name.
    fn game(&self) -> &'static str;

    /// Makes the behaviour with this name for one bot. All its randomness comes from the seed.
    fn behaviour(&self, name: BehaviourName, seed: u64) -> Box<dyn Behaviour>;

    /// The game's rules in native code, which predict faster than the module that the room names. `None` if there are none with this
    /// hash, or if they cannot read the map.
    fn rules(&self, map: &[u8], rules_hash: u64) -> Option<Box<dyn Rules>> {
        let _ = (map, rules_hash);
        None
    }
}

/// Plays for one bot.
pub trait Behaviour: Send {
    /// The bot has joined a room, for the first time or again. `is_resumed`: as the same session as before.
    fn joined(&mut self, client: &Client, is_resumed: bool) {
        let _ = (client, is_resumed);
    }

    /// The input of the next tick, in the game's encoding; empty: the neutral one.
    fn input(&mut self, client: &Client) -> Vec<u8>;

    /// Cheat: by how many ticks the view tick that the latest input claims is older than the true one. `None` leaves the bot's setting.
    fn view_forgery_ticks(&self) -> Option<f64> {
        None
    }

    /// The client has taken the latest input, and predicted what it does.
    fn input_made(&mut self, client: &Client) {
        let _ = client;
    }

    /// An event of the game.
    fn event(&mut self, client: &Client, event: &ReceivedEvent) {
        let _ = (client, event);
    }

    /// All events that have come so far were given to [`Self::event`].
    fn events_taken(&mut self, client: &Client) {
        let _ = client;
    }

    /// What became of the bot's shots, at the end of a run whose newest snapshot is of this tick.
    fn shot_counts(&self, newest: Tick) -> ShotCounts {
        let _ = newest;
        ShotCounts::default()
    }
}

/// Plays any game by its schema: random valid inputs, and neutral ones where the game encodes inputs in its own way.
#[derive(Clone, Debug)]
pub struct AnyGame(RandomInputs);

impl AnyGame {
    /// Inputs that repeat with their seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(RandomInputs::new(seed))
    }
}

impl Behaviour for AnyGame {
    fn input(&mut self, client: &Client) -> Vec<u8> {
        let replica = client.replica();
        let payload = replica.and_then(|replica| self.0.next(&replica.schema().input));
        payload.unwrap_or_default()
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Idle;

impl Behaviour for Idle {
    fn input(&mut self, _: &Client) -> Vec<u8> {
        Vec::new()
    }
}

/// Plays by the playbook in its game, and by the schema in any other one.
pub(crate) struct ByGame {
    game: Option<&'static str>,
    known: Box<dyn Behaviour>,
    other: Box<dyn Behaviour>,
    plays_known: bool,
}

impl ByGame {
    pub fn new(playbook: Option<&dyn Playbook>, name: BehaviourName, seed: u64) -> Self {
        let other = || -> Box<dyn Behaviour> {
            match name {
                BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
                _ => Box::new(AnyGame::new(seed)),
            }
        };
        Self {
            game: playbook.map(Playbook::game),
            known: match playbook {
                Some(playbook) if name != BehaviourName::Random => playbook.behaviour(name, seed),
                _ => other(),
            },
            other: other(),
            plays_known: false,
        }
    }

    fn current(&mut self) -> &mut dyn Behaviour {
        if self.plays_known {
            &mut *self.known
        } else {
            &mut *self.other
        }
    }
}

impl Behaviour for ByGame {
    fn joined(&mut self, client: &Client, is_resumed: bool) {
        self.plays_known = self.game == Some(client.game());
        self.current().joined(client, is_resumed);
    }

    fn input(&mut self, client: &Client) -> Vec<u8> {
        self.current().input(client)
    }

    fn view_forgery_ticks(&self) -> Option<f64> {
        self.known.view_forgery_ticks().filter(|_| self.plays_known)
    }

    fn input_made(&mut self, client: &Client) {
        self.current().input_made(client);
    }

    fn event(&mut self, client: &Client, event: &ReceivedEvent) {
        self.current().event(client, event);
    }

    fn events_taken(&mut self, client: &Client) {
        self.current().events_taken(client);
    }

    fn shot_counts(&self, newest: Tick) -> ShotCounts {
        self.known.shot_counts(newest)
    }
}
