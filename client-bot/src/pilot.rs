//! A bot without sockets: the client core and a behaviour.
//!
//! In: the time, and what the client core received. Out: the core's actions. Does no IO, so that the swarm can run it on real sockets
//! and a simulator over a seeded network.

use crate::behaviour::Behaviour;
use tickwire_client::{Client, SessionEvent};
use tickwire_sync::Micros;

/// A bot without sockets.
pub struct Pilot<B> {
    /// The client core.
    pub client: Client,
    /// What the bot does.
    pub behaviour: B,
}

/// What happened in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StepOutcome {
    /// Set if the session joined the room, for the first time or again: whether it is the same session as before.
    pub joined: Option<bool>,
    /// Inputs that were made and are not empty.
    pub input_count: u32,
}

impl<B: Behaviour> Pilot<B> {
    /// A bot that connects with the first [`Self::step`].
    #[must_use]
    pub fn new(client: Client, behaviour: B) -> Self {
        Self { client, behaviour }
    }

    /// Runs what is due at `now`: timers, inputs, and the session's events. Carry out the client's actions afterwards.
    pub fn step(&mut self, now: Micros) -> StepOutcome {
        let mut outcome = StepOutcome::default();
        self.client.poll(now);
        while self.client.next_due_tick(now).is_some() {
            outcome.input_count += u32::from(self.input());
        }
        while let Some(event) = self.client.next_event() {
            match event {
                SessionEvent::Joined { resumed } => {
                    outcome.joined = Some(resumed);
                    self.behaviour.joined(&self.client, resumed);
                }
                SessionEvent::GameEvent(event) => self.behaviour.event(&self.client, &event),
                SessionEvent::Chat { .. }
                | SessionEvent::GameMessage(_)
                | SessionEvent::Notice(_)
                | SessionEvent::Prediction { .. } => {}
            }
        }
        self.behaviour.events_taken(&self.client);
        outcome
    }

    /// Makes one input. Returns whether it is not empty.
    fn input(&mut self) -> bool {
        if self.client.is_spectator() {
            self.client.input(&[]);
            return false;
        }
        let payload = self.behaviour.input(&self.client);
        if let Some(ticks) = self.behaviour.view_forgery_ticks() {
            self.client.forge_view(ticks);
        }
        self.client.input(&payload);
        self.behaviour.input_made(&self.client);
        !payload.is_empty()
    }
}
