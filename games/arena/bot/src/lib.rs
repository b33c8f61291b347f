//! How bots play the arena: from what a bot's screen shows to an input, and what became of its shots.
//!
//! In: the client core. Out: inputs, and counts of shots. The bots program and the netcode simulator play with the same [`ArenaBot`], so
//! that both judge shots alike.

mod duel;
mod shots;
mod wander;

pub use duel::Duel;
pub use shots::{ReportedBeam, ShotRecord, ShotVerdict};
pub use wander::Wander;

use shots::ShotTracker;
use tickwire::{Id, Payload as _};
use tickwire_arena::{ArenaEvent, ArenaInput, BeamEnd, NAME, Ship};
use tickwire_bot::{Behaviour, BehaviourName, Playbook, Player, Screen, ShotCounts};
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
pub type Pilot = Box<dyn Player<Input = ArenaInput, Event = ArenaEvent>>;

/// The pilot for a behaviour's name.
fn pilot_named(name: BehaviourName, seed: u64) -> Pilot {
    match name {
        BehaviourName::Duel => Box::new(Duel::new(seed)),
        BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
        _ => Box::new(Wander::new(seed)),
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug)]
struct Idle;

impl Player for Idle {
    type Input = ArenaInput;
    type Event = ArenaEvent;

    fn input(&mut self, screen: &Screen<'_>) -> ArenaInput {
        // The neutral input is empty, and its acknowledgement would not be measured.
        let own = screen.own::<Ship>();
        let heading = own.map_or_else(Default::default, |own| own.entity.heading);
        ArenaInput::default().pointing(heading)
    }
}

/// Plays the arena: a pilot, and what became of its shots.
pub struct ArenaBot {
    pilot: Pilot,
    shots: ShotTracker,
    /// The own ship before the latest input.
    ship: Option<Id<Ship>>,
    /// Beams that the tracker has not been given yet.
    beams: Vec<ReportedBeam>,
}

impl ArenaBot {
    /// A bot with this pilot.
    #[must_use]
    pub fn new(pilot: Pilot) -> Self {
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
        self.pilot.joined(&Screen::of(client), is_resumed);
    }

    fn input(&mut self, client: &Client) -> Vec<u8> {
        let screen = Screen::of(client);
        self.ship = screen.own::<Ship>().map(|own| own.id);
        self.pilot.input(&screen).to_payload()
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
                let screen = Screen::of(&client);
                let input = one.input(&screen);
                assert_eq!(ArenaInput::decode(&input.to_payload()), input);
                assert!(!(input.up && input.down || input.left && input.right));
                assert_eq!(same.input(&screen), input);
                differ += usize::from(other.input(&screen) != input);
            }
            assert_eq!(differ > 1000, name != BehaviourName::Idle, "{name:?}");
        }
    }
}
