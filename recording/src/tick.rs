//! What a room hands over of each tick.
//!
//! In: the newest frame, which is shared, and small copies of everything else. Out: the same from a recording, but for the frame,
//! which becomes a [`World`](crate::World) there. All memory is used again for later ticks.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use tickwire_sync::frame::{Frame, OwnedRows};
use tickwire_sync::lagcomp::{ResolvedView, Trace};
use tickwire_sync::{CellId, EntityId, PlayerId, Schema, Seq, Tick};

/// What a row takes beside its lanes and the pointers to its texts, in a frame and in its cell's list, in bytes.
const ROW_HEAD_BYTES: usize = 32;
/// What an event takes beside its payload, in bytes.
const EVENT_BYTES: usize = 32;

/// One tick of a room.
#[derive(Debug)]
pub struct RecordedTick {
    /// Whether this is the first tick, or ticks before it are missing. [`TickFacts::notes`] begins with all players then.
    pub begins: bool,
    /// When the tick was made, on the wall's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// The world.
    pub frame: Frame,
    /// The private lanes.
    pub owned: OwnedRows,
    /// Everything else.
    pub facts: TickFacts,
}

/// What is recorded of a tick beside its world.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TickFacts {
    /// Every session, ascending by player.
    pub sessions: Vec<SessionTick>,
    /// Of the sessions; see [`SessionTick::cells`].
    pub cells: Vec<CellId>,
    /// Of the sessions; see [`AppliedInput::payload`].
    pub payloads: Vec<u8>,
    /// Inputs that no tick used.
    pub dropped: Vec<DroppedInput>,
    /// What happened beside the world, in order.
    pub notes: Vec<Note>,
    /// Shots that were judged.
    pub shots: Vec<ShotNote>,
    /// Tests that the game traced.
    pub traces: Vec<Trace>,
}

/// One session at one tick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionTick {
    /// The player.
    pub player: PlayerId,
    /// What the game got as the player's input.
    pub input: AppliedInput,
    /// What became of the player's snapshot.
    pub sending: Sending,
    /// The snapshot's bytes; 0 if none was sent.
    pub bytes: u32,
    /// The cells that the snapshot brought to this tick, in [`TickFacts::cells`], by their numbers on the wire; empty if none was sent.
    pub cells: Range<usize>,
    /// The newest snapshot that the client says it has.
    pub acked: Tick,
    /// The smallest margin of the inputs since the last snapshot, in 1/16 tick, as the snapshot's header says it.
    pub margin: Option<i32>,
    /// How many ticks so far had no input of their own, as the snapshot's header says it.
    pub starved: u32,
    /// The view hash that the snapshot carried.
    pub view_hash: Option<u64>,
}

/// What a game got as the input of one player.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedInput {
    /// Where it came from.
    pub source: InputSource,
    /// The number of the newest input that was applied.
    pub seq: Seq,
    /// The claimed view, and what was made of it. The default for a neutral input.
    pub view: ResolvedView,
    /// The input in the game's own encoding, in [`TickFacts::payloads`]. Empty for a neutral input.
    pub payload: Range<usize>,
}

/// Where the input of a tick came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputSource {
    /// It was made for this tick.
    Fresh,
    /// None came, so it is the last one again.
    Repeated,
    /// None came for too long, or ever.
    Neutral,
}

/// What became of a session's snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sending {
    /// The socket took it.
    Sent,
    /// Deferred: the congestion window was full.
    Window,
    /// Deferred: the socket would have blocked.
    Socket,
    /// Deferred: the room was late.
    Late,
    /// The map is still on its way.
    Map,
    /// The connection is about to end.
    Closed,
    /// The player is not connected.
    Away,
}

/// An input that no tick used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DroppedInput {
    /// Whose it was.
    pub player: PlayerId,
    /// Its number.
    pub seq: Seq,
    /// The tick that it was for.
    pub target: Tick,
    /// Whether it came after that tick; else it was refused: its tick had one already, or was too far ahead.
    pub is_late: bool,
}

/// A shot, and what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShotNote {
    /// Who fired.
    pub player: PlayerId,
    /// The input that fired; 0 where none was made for this tick.
    pub seq: Seq,
    /// Whether it hit.
    pub is_hit: bool,
    /// How far it was rewound from the newest frame, in 1/256 tick.
    pub rewound: u64,
    /// The view that the shooter claimed, and at which it was judged.
    pub view: ResolvedView,
}

/// Somebody who takes part, or watches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Participant {
    /// The player.
    pub player: PlayerId,
    /// The name that others see.
    pub name: String,
    /// The player's own entity.
    pub entity: Option<EntityId>,
    /// Whether the player only watches.
    pub is_spectator: bool,
    /// Whether the player is connected.
    pub is_connected: bool,
}

/// Those who are there.
pub(crate) type Roster = BTreeMap<PlayerId, Participant>;

/// Who gets a message of the game.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Addressee {
    /// Everybody.
    Everyone,
    /// One player.
    Player(PlayerId),
    /// Everybody who sees this layer.
    Layer(u8),
}

/// Something that happened beside the world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Note {
    /// Somebody was there when the recording began.
    Present(Participant),
    /// Somebody joined.
    Joined(Participant),
    /// Somebody whose connection was lost is back.
    Resumed(PlayerId),
    /// Somebody's connection is lost.
    Away(PlayerId),
    /// Somebody left for good.
    Left(PlayerId),
    /// Somebody has another name.
    Renamed(PlayerId, String),
    /// The game kicked somebody, for this reason.
    Kicked(PlayerId, String),
    /// A line of chat.
    Chat(PlayerId, String),
    /// A command in the game's own encoding, with its number; 0 if it has none.
    Command(PlayerId, u32, Vec<u8>),
    /// A message in the game's own encoding.
    Message(Addressee, Vec<u8>),
    /// A client's replica disagreed with the server.
    Mismatch(PlayerId),
}

impl RecordedTick {
    /// An empty one, to be filled.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Self {
            begins: false,
            unix_ms: 0,
            frame: Frame::empty(schema),
            owned: OwnedRows::default(),
            facts: TickFacts::default(),
        }
    }

    /// An upper estimate of the memory that this tick keeps from being used again, in bytes. Rows that it shares with other ticks count as its own.
    #[must_use]
    pub fn memory_bytes(&self, schema: &Schema) -> usize {
        let row_bytes = schema.kinds.iter().map(|kind| {
            let lanes = kind.lanes.len() + kind.private_lanes.len();
            ROW_HEAD_BYTES + lanes * size_of::<i32>() + kind.texts.len() * size_of::<&str>()
        });
        let rows = self.frame.entity_count() * row_bytes.max().unwrap_or(0);
        let events = self.frame.events();
        let event_bytes = events.all().map(|event| EVENT_BYTES + event.payload.len());
        let touched = events.touched().count() * size_of::<(CellId, u32)>();
        rows + event_bytes.sum::<usize>() + touched + self.facts.memory_bytes()
    }

    /// Empties it, and keeps its memory. The frame's rows go back to the room.
    pub fn clear(&mut self) {
        self.begins = false;
        self.frame.release();
        self.facts.clear();
    }
}

impl TickFacts {
    fn memory_bytes(&self) -> usize {
        let notes = self
            .notes
            .iter()
            .map(|note| size_of::<Note>() + note.text_bytes());
        let traces = self.traces.iter();
        let traces = traces.map(|trace| size_of::<Trace>() + size_of_val(&trace.targets[..]));
        size_of_val(&self.sessions[..])
            + size_of_val(&self.cells[..])
            + self.payloads.len()
            + size_of_val(&self.dropped[..])
            + size_of_val(&self.shots[..])
            + notes.sum::<usize>()
            + traces.sum::<usize>()
    }

    pub(crate) fn clear(&mut self) {
        self.sessions.clear();
        self.cells.clear();
        self.payloads.clear();
        self.dropped.clear();
        self.notes.clear();
        self.shots.clear();
        self.traces.clear();
    }

    /// The input of a session, in the game's own encoding.
    #[must_use]
    pub fn payload_of(&self, session: &SessionTick) -> &[u8] {
        (self.payloads.get(session.input.payload.clone())).unwrap_or_default()
    }

    /// The cells that a session was sent.
    #[must_use]
    pub fn cells_of(&self, session: &SessionTick) -> &[CellId] {
        self.cells.get(session.cells.clone()).unwrap_or_default()
    }
}

impl Note {
    /// The length of its text or payload.
    fn text_bytes(&self) -> usize {
        match self {
            Self::Present(one) | Self::Joined(one) => one.name.len(),
            Self::Renamed(_, text) | Self::Kicked(_, text) | Self::Chat(_, text) => text.len(),
            Self::Command(_, _, payload) | Self::Message(_, payload) => payload.len(),
            Self::Resumed(_) | Self::Away(_) | Self::Left(_) | Self::Mismatch(_) => 0,
        }
    }

    /// What the note does to the list of those who are there.
    pub(crate) fn apply(&self, roster: &mut Roster) {
        match self {
            Self::Present(one) | Self::Joined(one) => {
                roster.insert(one.player, one.clone());
            }
            Self::Left(player) => {
                roster.remove(player);
            }
            Self::Resumed(player) => change(roster, *player, |one| one.is_connected = true),
            Self::Away(player) => change(roster, *player, |one| one.is_connected = false),
            Self::Renamed(player, name) => {
                change(roster, *player, |one| one.name.clone_from(name));
            }
            Self::Kicked(..)
            | Self::Chat(..)
            | Self::Command(..)
            | Self::Message(..)
            | Self::Mismatch(_) => {}
        }
    }
}

fn change(roster: &mut Roster, player: PlayerId, change: impl FnOnce(&mut Participant)) {
    if let Some(one) = roster.get_mut(&player) {
        change(one);
    }
}
