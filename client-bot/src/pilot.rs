//! A bot without its socket: the client core, a mind, and a book of shots.
//!
//! In: what came on the bot's links, and the time. Out: the core's actions, and counts. Pure, so that the swarm runs it on real
//! sockets and a simulator under a seeded network, and both judge shots by the same book.

use crate::behaviour::Behaviour;
use crate::shots::{ShotBook, ShotCounts, ShotRecord};
use tickwire_client::{Client, Incoming};
use tickwire_game::arena::{self, BeamFired, Kill, ship_private};
use tickwire_sync::Micros;

/// See the module's head.
pub struct Pilot {
    /// The core.
    pub client: Client,
    mind: Box<dyn Behaviour>,
    shots: ShotBook,
    /// Beams that the shot book has not judged yet.
    beams: Vec<BeamFired>,
}

/// What happened in a step, beyond the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stepped {
    /// The session has (again) a place in a room: whether it is the same session as before.
    pub joined: Option<bool>,
    /// Inputs made for a mind's wishes.
    pub inputs: u32,
}

impl Pilot {
    /// A bot that has not begun.
    #[must_use]
    pub fn new(options: tickwire_client::Options, mind: Box<dyn Behaviour>, now: Micros) -> Self {
        Self {
            client: Client::new(options, now),
            mind,
            shots: ShotBook::default(),
            beams: Vec::new(),
        }
    }

    /// Keeps what becomes of each shot for [`Self::take_shots`].
    pub fn keep_shots(&mut self) {
        self.shots.keep_records();
    }

    /// What became of the shots that were settled since the last call, if they are kept.
    pub fn take_shots(&mut self) -> Vec<ShotRecord> {
        self.shots.take_records()
    }

    /// Does what is due at `now`: timers, inputs, and what was heard. Then carry out the client's actions.
    pub fn step(&mut self, now: Micros) -> Stepped {
        let mut stepped = Stepped::default();
        self.client.poll(now);
        while self.client.due(now).is_some() {
            stepped.inputs += u32::from(self.input());
        }
        while let Some(incoming) = self.client.next_incoming() {
            if let Incoming::Joined { resumed } = incoming {
                stepped.joined = Some(resumed);
            }
            self.hear(incoming);
        }
        // After all kills: in a snapshot that spans several ticks they may stand behind the beams.
        for beam in self.beams.drain(..) {
            self.shots.judged(&self.client, &beam);
        }
        stepped
    }

    /// The counts at the end.
    pub fn take_counts(&mut self) -> ShotCounts {
        std::mem::take(&mut self.shots).counts(self.client.newest_snapshot().0)
    }

    /// Makes one input. `false`: there is nothing to wish for.
    fn input(&mut self) -> bool {
        if self.client.is_spectator() || self.client.game() != arena::NAME {
            self.client.input(&[]);
            return false;
        }
        let cooldown = self
            .client
            .own()
            .and_then(|own| Some((own.id, *own.private_lanes.get(ship_private::COOLDOWN)?)));
        let input = self.mind.think(&self.client);
        if let Some(older) = self.mind.claims_older() {
            self.client.forge_view(older);
        }
        self.client.input(&input.encode());
        self.shots
            .note(&self.client, cooldown, self.mind.claims_older());
        true
    }

    fn hear(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Joined { resumed } => {
                self.shots.joined(&self.client, resumed);
                self.mind.joined(&self.client);
            }
            Incoming::Event(event) if event.kind == arena::BEAM => {
                if let Some(beam) = BeamFired::decode(&event.payload) {
                    self.beams.push(beam);
                }
            }
            Incoming::Event(event) if event.kind == arena::KILL => {
                if let Some(kill) = Kill::decode(&event.payload) {
                    self.shots.killed(&kill, event.tick);
                }
            }
            Incoming::Event(_)
            | Incoming::Chat { .. }
            | Incoming::Game(_)
            | Incoming::Notice(_) => {}
        }
    }
}
