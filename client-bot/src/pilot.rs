//! A bot without sockets: the client core, a behaviour, and a tracker of its shots.
//!
//! In: the time, and what the client core received. Out: the core's actions, and counts. Does no IO, so that the swarm can run it on
//! real sockets and a simulator over a seeded network, and both judge shots alike.

use crate::behaviour::Behaviour;
use crate::shots::{ShotCounts, ShotRecord, ShotTracker};
use tickwire_arena::{self as arena, BeamFired, Kill, ship_private};
use tickwire_client::{Client, SessionEvent};
use tickwire_sync::Micros;

/// A bot without sockets.
pub struct Pilot {
    /// The client core.
    pub client: Client,
    behaviour: Box<dyn Behaviour>,
    shots: ShotTracker,
    /// Beams that the tracker has not been given yet.
    pending_beams: Vec<BeamFired>,
}

/// What happened in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StepOutcome {
    /// Set if the session joined the room, for the first time or again: whether it is the same session as before.
    pub joined: Option<bool>,
    /// Inputs that the behaviour made.
    pub input_count: u32,
}

impl Pilot {
    /// Creates a bot that connects with the first [`Self::step`].
    #[must_use]
    pub fn new(
        options: tickwire_client::Options,
        behaviour: Box<dyn Behaviour>,
        now: Micros,
    ) -> Self {
        Self {
            client: Client::new(options, now).with_rules(arena::rules_for),
            behaviour,
            shots: ShotTracker::default(),
            pending_beams: Vec::new(),
        }
    }

    /// Keeps a record of each shot for [`Self::take_shot_records`].
    pub fn record_shots(&mut self) {
        self.shots.keep_records();
    }

    /// The records of the shots settled since the last call, if [`Self::record_shots`] was called.
    pub fn take_shot_records(&mut self) -> Vec<ShotRecord> {
        self.shots.take_records()
    }

    /// Runs what is due at `now`: timers, inputs, and the session's events. Carry out the client's actions afterwards.
    pub fn step(&mut self, now: Micros) -> StepOutcome {
        let mut outcome = StepOutcome::default();
        self.client.poll(now);
        while self.client.next_due_tick(now).is_some() {
            outcome.input_count += u32::from(self.input());
        }
        while let Some(event) = self.client.next_event() {
            if let SessionEvent::Joined { resumed } = event {
                outcome.joined = Some(resumed);
            }
            self.handle_event(event);
        }
        // After all kills: in a snapshot that spans several ticks, kills may come after beams.
        for beam in self.pending_beams.drain(..) {
            self.shots.beam_reported(&self.client, &beam);
        }
        outcome
    }

    /// Takes the counts of shots, at the end of the run.
    pub fn take_shot_counts(&mut self) -> ShotCounts {
        std::mem::take(&mut self.shots).counts(self.client.newest_snapshot().0)
    }

    /// Makes one input. `false`: it is empty, as the behaviour does not play here.
    fn input(&mut self) -> bool {
        if self.client.is_spectator() {
            self.client.input(&[]);
            return false;
        }
        if let Some(payload) = self.behaviour.any_input(&self.client) {
            self.client.input(&payload);
            return true;
        }
        if self.client.game() != arena::NAME {
            self.client.input(&[]);
            return false;
        }
        let cooldown = self
            .client
            .predicted()
            .and_then(|own| Some((own.id, *own.private_lanes.get(ship_private::COOLDOWN)?)));
        let input = self.behaviour.input(&self.client);
        let forgery_ticks = self.behaviour.view_forgery_ticks();
        if let Some(ticks) = forgery_ticks {
            self.client.forge_view(ticks);
        }
        self.client.input(&input.encode());
        self.shots.input_made(&self.client, cooldown, forgery_ticks);
        true
    }

    fn handle_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Joined { resumed } => {
                self.shots.joined(&self.client, resumed);
                self.behaviour.joined(&self.client);
            }
            SessionEvent::GameEvent(event) if event.kind == arena::BEAM => {
                if let Some(beam) = BeamFired::decode(&event.payload) {
                    self.pending_beams.push(beam);
                }
            }
            SessionEvent::GameEvent(event) if event.kind == arena::KILL => {
                if let Some(kill) = Kill::decode(&event.payload) {
                    self.shots.killed(&kill, event.tick);
                }
            }
            SessionEvent::GameEvent(_)
            | SessionEvent::Chat { .. }
            | SessionEvent::GameMessage(_)
            | SessionEvent::Notice(_)
            | SessionEvent::Prediction { .. } => {}
        }
    }
}
