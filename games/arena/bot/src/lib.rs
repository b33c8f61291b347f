//! How bots play the arena: from what a bot's screen shows to an input, and what became of its shots.
//!
//! In: the client core. Out: inputs, and counts of shots. The bots program and the netcode simulator play with the same [`ArenaBot`], so
//! that both judge shots alike.

mod duel;
mod screen;
mod shots;
mod wander;

pub use duel::Duel;
pub use shots::{ReportedBeam, ShotRecord, ShotVerdict};
pub use wander::Wander;

use screen::own_ship;
use shots::ShotTracker;
use tickwire::{Id, Payload as _};
use tickwire_arena::{ArenaEvent, ArenaInput, BeamEnd, NAME, Ship};
use tickwire_bot::{Behaviour, BehaviourName, Playbook, ShotCounts};
use tickwire_client::Client;
use tickwire_rules::{Input as _, Rules};
use tickwire_sync::Tick;
use tickwire_sync::client::ReceivedEvent;

/// The arena's behaviours, for a swarm.
#[derive(Clone, Copy, Debug)]
pub struct ArenaPlaybook;

impl Playbook for ArenaPlaybook {
    fn game(&self) -> &'static str {
        NAME
    }

    fn behaviour(&self, name: BehaviourName, seed: u64) -> Box<dyn Behaviour> {
        Box::new(ArenaBot::new(pilot_named(name, seed)))
    }

    fn rules(&self, map: &[u8], rules_hash: u64) -> Option<Box<dyn Rules>> {
        tickwire_arena::rules_for(NAME, map, rules_hash)
    }
}

/// Flies a ship.
pub trait Pilot: Send {
    /// The bot has joined a room, for the first time or again.
    fn joined(&mut self, client: &Client) {
        let _ = client;
    }

    /// The input of the next tick.
    fn fly(&mut self, client: &Client) -> ArenaInput;

    /// Cheat: by how many ticks the view tick that the latest input claims is older than the true one. `None` leaves the bot's setting.
    fn view_forgery_ticks(&self) -> Option<f64> {
        None
    }
}

/// The pilot for a behaviour's name.
fn pilot_named(name: BehaviourName, seed: u64) -> Box<dyn Pilot> {
    match name {
        BehaviourName::Duel => Box::new(Duel::new(seed)),
        BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
        _ => Box::new(Wander::new(seed)),
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug)]
struct Idle;

impl Pilot for Idle {
    fn fly(&mut self, client: &Client) -> ArenaInput {
        // The neutral input is empty, and its acknowledgement would not be measured.
        let heading = own_ship(client).map_or_else(Default::default, |own| own.ship.heading);
        ArenaInput::default().pointing(heading)
    }
}

/// Plays the arena: a pilot, and what became of its shots.
pub struct ArenaBot {
    pilot: Box<dyn Pilot>,
    shots: ShotTracker,
    /// The own ship before the latest input.
    ship: Option<Id<Ship>>,
    /// Beams that the tracker has not been given yet.
    beams: Vec<ReportedBeam>,
}

impl ArenaBot {
    /// A bot with this pilot.
    #[must_use]
    pub fn new(pilot: Box<dyn Pilot>) -> Self {
        Self {
            pilot,
            shots: ShotTracker::default(),
            ship: None,
            beams: Vec::new(),
        }
    }

    /// Keeps a record of each shot for [`Self::take_shot_records`].
    pub fn record_shots(&mut self) {
        self.shots.keep_records();
    }

    /// The records of the shots that were settled since the last call, if [`Self::record_shots`] was called.
    pub fn take_shot_records(&mut self) -> Vec<ShotRecord> {
        self.shots.take_records()
    }
}

impl Behaviour for ArenaBot {
    fn joined(&mut self, client: &Client, is_resumed: bool) {
        self.shots.joined(client, is_resumed);
        self.pilot.joined(client);
    }

    fn input(&mut self, client: &Client) -> Vec<u8> {
        self.ship = own_ship(client).map(|own| own.id);
        self.pilot.fly(client).to_payload()
    }

    fn view_forgery_ticks(&self) -> Option<f64> {
        self.pilot.view_forgery_ticks()
    }

    fn input_made(&mut self, client: &Client) {
        let forgery = self.pilot.view_forgery_ticks();
        self.shots.input_made(client, self.ship, forgery);
    }

    fn event(&mut self, _: &Client, event: &ReceivedEvent) {
        match ArenaEvent::decode_fields(event.kind, &event.payload) {
            Ok(ArenaEvent::Beam {
                shooter,
                input_number,
                from,
                to,
                hit,
            }) => self.beams.push(ReportedBeam {
                shooter,
                input_number,
                from,
                end: BeamEnd { pos: to, hit },
            }),
            Ok(ArenaEvent::Kill { victim, .. }) => self.shots.killed(victim, event.tick),
            Err(_) => {}
        }
    }

    fn events_taken(&mut self, client: &Client) {
        // After all kills: in a snapshot that spans several ticks, kills may come after beams.
        for beam in self.beams.drain(..) {
            self.shots.beam_reported(client, &beam);
        }
    }

    fn shot_counts(&self, newest: Tick) -> ShotCounts {
        self.shots.counts(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_sync::Micros;

    #[test]
    fn inputs_survive_the_wire_and_repeat_with_their_seed() {
        let client = Client::new(tickwire_client::Options::default(), Micros(0));
        for name in [
            BehaviourName::Wander,
            BehaviourName::Duel,
            BehaviourName::Idle,
            BehaviourName::SlowReader,
            BehaviourName::Flapper,
        ] {
            let [mut one, mut same, mut other] = [7, 7, 8].map(|seed| pilot_named(name, seed));
            let mut differ = 0;
            for _ in 0..2000 {
                let input = one.fly(&client);
                assert_eq!(ArenaInput::decode(&input.to_payload()), input);
                assert!(!(input.up && input.down || input.left && input.right));
                assert_eq!(same.fly(&client), input);
                differ += usize::from(other.fly(&client) != input);
            }
            assert_eq!(differ > 1000, name != BehaviourName::Idle, "{name:?}");
        }
    }
}
