//! What a room hands over of a tick that is recorded.
//!
//! In: the room after each phase of its tick. Out: a [`RecordedTick`], which the worker takes. It holds the frame itself, which is shared,
//! and small copies of the rest, in memory that is used again. A room that is not recorded has none, and pays a branch for each of the
//! hooks.

use super::Room;
use super::link::Link;
use super::session::Session;
use prost::Message as _;
use tickwire_game::{Recipient, Shot, ShotOutcome, Shots};
use tickwire_recording::{
    Addressee, AppliedInput, Head, InputSource, Note, Participant, RecordedTick, Sending,
    SessionTick, ShotNote,
};
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::{Schema, Tick};

impl<L: Link> Room<L> {
    /// Records the ticks from the next one on. The first is marked as such, and says who is there.
    pub fn begin_recording(&mut self, mut buffer: Box<RecordedTick>) {
        buffer.begins = true;
        let present = self.sessions.iter().filter(|one| !one.is_over());
        let present = present.map(|session| Note::Present(participant(session)));
        buffer.facts.notes.extend(present);
        self.go_on_recording(buffer);
    }

    /// Records the next tick, after one that was taken.
    pub fn go_on_recording(&mut self, buffer: Box<RecordedTick>) {
        self.step_output.shots.set_traced(true);
        self.recorded = Some(buffer);
    }

    /// The tick that was made last, if it was recorded. The next one is not, unless the recording goes on.
    pub fn take_recorded(&mut self) -> Option<Box<RecordedTick>> {
        let recorded = self.recorded.take();
        if recorded.is_some() {
            self.step_output.shots.set_traced(false);
        }
        recorded
    }

    /// What a file of this room says of itself.
    #[must_use]
    pub fn recording_head(&self, unix_ms: u64) -> Head {
        Head {
            game: self.game.name().to_owned(),
            schema: self.welcome_parts.schema.encode_to_vec(),
            rules_hash: self.game.rules_hash(),
            room: self.name.clone(),
            tick_rate: self.settings.tick_rate,
            tick: self.tick,
            unix_ms,
            tick_zero_us: self.tick_clock.tick_zero_us,
            // Not made anew by the game: that may take longer than a tick.
            map: self.welcome_parts.map.bytes().to_vec(),
        }
    }

    /// The schema of the room's world.
    #[must_use]
    pub fn schema(&self) -> &std::sync::Arc<Schema> {
        &self.schema
    }

    /// Before the tick's snapshots: the sessions with their inputs. What becomes of the snapshots is filled in when it is known, by the
    /// session's place in the list.
    pub(super) fn record_inputs(&mut self) {
        let Some(recorded) = &mut self.recorded else {
            return;
        };
        let facts = &mut recorded.facts;
        facts.sessions.clear();
        for session in &self.sessions {
            let start = facts.payloads.len();
            let (source, view) = match session.inputs.current() {
                TickInput::Fresh(input) => {
                    facts.payloads.extend_from_slice(input.payload);
                    (InputSource::Fresh, input.view)
                }
                TickInput::Repeated(input) => {
                    facts.payloads.extend_from_slice(input.payload);
                    (InputSource::Repeated, input.view)
                }
                TickInput::Neutral => (InputSource::Neutral, ResolvedView::default()),
            };
            let header = session.header();
            let is_connected = session.is_connected();
            facts.sessions.push(SessionTick {
                player: session.player,
                input: AppliedInput {
                    source,
                    seq: header.applied_seq,
                    view,
                    payload: start..facts.payloads.len(),
                },
                sending: match is_connected {
                    true => Sending::Window,
                    false => Sending::Away,
                },
                bytes: 0,
                cells: 0..0,
                acked: match is_connected {
                    true => session.newest_ack(),
                    false => Tick(0),
                },
                margin: header.input_margin.filter(|_| is_connected),
                starved: match is_connected {
                    true => header.starved_inputs,
                    false => 0,
                },
                view_hash: None,
            });
        }
    }

    /// After the tick's snapshots: the world.
    pub(super) fn record_world(&mut self) {
        if let (Some(recorded), Some(frame)) = (&mut self.recorded, self.history.newest()) {
            recorded.frame.share(frame);
            recorded.owned.copy_from(self.history.owned());
        }
    }

    /// What became of the snapshot of the session at `index`, if none was sent.
    pub(super) fn record_deferred(&mut self, index: usize, sending: Sending) {
        if let Some(recorded) = &mut self.recorded
            && let Some(session) = recorded.facts.sessions.get_mut(index)
        {
            session.sending = sending;
        }
    }

    /// A snapshot of the session at `index` was sent, and is noted in its view.
    pub(super) fn record_sent(&mut self, index: usize, bytes: usize, has_view_hash: bool) {
        let Some(recorded) = &mut self.recorded else {
            return;
        };
        let facts = &mut recorded.facts;
        let Some(recorded) = facts.sessions.get_mut(index) else {
            return;
        };
        let view = &self.sessions[index].view;
        let start = facts.cells.len();
        let now = Some(self.tick);
        let sent = view.baselines().filter(|(_, baseline)| *baseline == now);
        facts.cells.extend(sent.map(|(cell, _)| cell));
        recorded.cells = start..facts.cells.len();
        recorded.sending = Sending::Sent;
        recorded.bytes = bytes as u32;
        recorded.view_hash = has_view_hash.then(|| view.hash_when_sent(&self.history));
    }
}

/// Adds a note to a tick that is recorded.
pub(super) fn note(recorded: &mut Option<Box<RecordedTick>>, make: impl FnOnce() -> Note) {
    if let Some(recorded) = recorded {
        recorded.facts.notes.push(make());
    }
}

/// A session as a recording shows it.
pub(super) fn participant<L: Link>(session: &Session<L>) -> Participant {
    Participant {
        player: session.player,
        name: session.name.clone(),
        entity: session.entity,
        is_spectator: session.is_spectator,
        is_connected: session.is_connected(),
    }
}

pub(super) fn addressee(recipient: Recipient) -> Addressee {
    match recipient {
        Recipient::Everyone => Addressee::Everyone,
        Recipient::Player(player) => Addressee::Player(player),
        Recipient::Layer(layer) => Addressee::Layer(layer.0),
    }
}

/// Records the shots of a step, and moves them to the others of the tick.
pub(super) fn record_shots(recorded: &mut RecordedTick, shots: &mut Shots, all: &mut Vec<Shot>) {
    let first = all.len();
    all.extend(shots.drain());
    let notes = all[first..].iter().map(|shot| ShotNote {
        player: shot.player,
        seq: shot.seq,
        is_hit: shot.outcome == ShotOutcome::Hit,
        rewound: shot.rewound,
        view: shot.view,
    });
    recorded.facts.shots.extend(notes);
    recorded.facts.traces.extend(shots.drain_traces());
}
