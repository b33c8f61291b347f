//! From a chunk to its ticks.
//!
//! In: the payload of a chunk, which was checked by its checksum, and may be anything all the same. Out: its ticks one after the other, or
//! [`Malformed`]. Nothing here panics, and no chunk takes more memory than its columns explain.

mod rows;
mod sessions;

pub use rows::{Row, World};

use crate::column::{ColumnReader, Layout, Named, PackedColumns};
use crate::encode::ChunkHead;
use crate::tick::{Note, Participant, Roster, TickFacts};
use crate::world_hash::folded;
use sessions::SessionDecoder;
use std::sync::Arc;
use thiserror::Error;
use tickwire_sync::{CellId, Schema, Tick};

/// Sessions of a tick, and those who are there, at most. A byte of a hostile file can stand for hundreds in memory, so lists of a tick have bounds
/// that no room reaches.
const MAX_PLAYERS: usize = 1 << 16;
/// Notes of a tick, at most.
const MAX_NOTES: usize = 1 << 20;

/// The contents of a chunk are not what a chunk can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("its contents are impossible")]
pub struct Malformed;

/// One event of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedEvent {
    /// Counts up by one with every event of the room.
    pub number: u32,
    /// Position in the schema's list of event kinds.
    pub kind: u32,
    /// The game's own encoding.
    pub payload: Vec<u8>,
    /// The cells that it touches, ascending.
    pub cells: Vec<CellId>,
}

/// A recording at one of its ticks.
#[derive(Clone, Debug)]
pub struct Playing {
    layout: Arc<Layout>,
    columns: Vec<ColumnReader>,
    ticks_left: u32,
    tick: Tick,
    recorded_hash: u32,
    world: World,
    sessions: SessionDecoder,
    facts: TickFacts,
    events: Vec<RecordedEvent>,
    next_event: u32,
    roster: Roster,
    is_first: bool,
}

/// Reads what a chunk says of itself.
pub(crate) fn read_head(reader: &mut ColumnReader) -> Result<ChunkHead, Malformed> {
    let first = reader.word()?;
    let ticks = reader.word()?;
    let head = ChunkHead {
        first: Tick(first),
        last: Tick(first.checked_add(ticks).ok_or(Malformed)?),
        tick_count: reader.word()?,
        unix_ms: reader.number()?,
        player_ticks: reader.number()?,
        lanes: reader.number()?,
    };
    if head.tick_count == 0 || head.tick_count - 1 > ticks {
        return Err(Malformed);
    }
    Ok(head)
}

/// Reads what a chunk says of itself, and the lengths of its columns.
pub(crate) fn open_chunk(
    payload: Vec<u8>,
    layout: &Layout,
) -> Result<(ChunkHead, PackedColumns), Malformed> {
    let mut reader = ColumnReader::new(payload);
    let head = read_head(&mut reader)?;
    Ok((head, PackedColumns::read(reader, layout.count)?))
}

impl Playing {
    /// At the beginning of a chunk, before its first tick.
    pub(crate) fn begin(
        payload: Vec<u8>,
        schema: &Arc<Schema>,
        layout: &Arc<Layout>,
    ) -> Result<Self, Malformed> {
        let (head, columns) = open_chunk(payload, layout)?;
        Ok(Self {
            layout: Arc::clone(layout),
            columns: columns.unpack(|_| true)?,
            ticks_left: head.tick_count,
            tick: head.first,
            recorded_hash: 0,
            world: World::new(Arc::clone(schema)),
            sessions: SessionDecoder::default(),
            facts: TickFacts::default(),
            events: Vec::new(),
            next_event: 0,
            roster: Roster::new(),
            is_first: true,
        })
    }

    /// Goes to the next tick. `false`: the chunk is over.
    pub(crate) fn advance(&mut self) -> Result<bool, Malformed> {
        let Some(left) = self.ticks_left.checked_sub(1) else {
            return Ok(false);
        };
        self.ticks_left = left;
        self.facts.clear();
        let ticks = &mut self.columns[Named::Ticks as usize];
        let gap = ticks.word()?;
        if (gap == 0) != self.is_first {
            return Err(Malformed);
        }
        self.tick = Tick(self.tick.0.checked_add(gap).ok_or(Malformed)?);
        let hash = ticks.bytes(4)?.try_into().map_err(|_| Malformed)?;
        self.recorded_hash = u32::from_le_bytes(hash);
        let (roster, notes) = (&mut self.roster, &mut self.facts.notes);
        read_notes(&mut self.columns[Named::Notes as usize], |note| {
            note.apply(roster);
            // Those of players who are there already only fill the roster.
            if !matches!(note, Note::Present(_)) {
                notes.push(note);
            }
            check_roster(roster)
        })?;
        read_list(&mut self.columns, Named::Shots, &mut self.facts.shots)?;
        read_list(&mut self.columns, Named::Traces, &mut self.facts.traces)?;
        read_list(&mut self.columns, Named::Dropped, &mut self.facts.dropped)?;
        let (columns, facts) = (&mut self.columns[..], &mut self.facts);
        self.sessions.read_tick(self.tick, columns, facts)?;
        self.read_events()?;
        self.world.read_tick(&self.layout, &mut self.columns)?;
        self.is_first = false;
        Ok(true)
    }

    fn read_events(&mut self) -> Result<(), Malformed> {
        self.events.clear();
        let count = self.columns[Named::Events as usize].count()?;
        for _ in 0..count {
            let heads = &mut self.columns[Named::Events as usize];
            let number = self.next_event.wrapping_add(heads.signed()? as u32);
            self.next_event = number.wrapping_add(1);
            let (kind, length) = (heads.word()?, heads.word()? as usize);
            let touched = heads.count()?;
            let mut cells = Vec::with_capacity(touched);
            let mut cell = 0_u32;
            for _ in 0..touched {
                cell = cell.checked_add(heads.word()?).ok_or(Malformed)?;
                cells.push(CellId(cell));
            }
            let payloads = &mut self.columns[Named::EventPayloads as usize];
            self.events.push(RecordedEvent {
                number,
                kind,
                payload: payloads.bytes(length)?.to_vec(),
                cells,
            });
        }
        Ok(())
    }

    /// The tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The rows at this tick.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Inputs, what was sent, and what happened beside the world.
    #[must_use]
    pub fn facts(&self) -> &TickFacts {
        &self.facts
    }

    /// The events of this tick, oldest first.
    #[must_use]
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// Who is there, by ascending player.
    pub fn roster(&self) -> impl Iterator<Item = &Participant> {
        self.roster.values()
    }

    /// Whether the rows have the hash that the room's had.
    #[must_use]
    pub fn is_hash_right(&self) -> bool {
        folded(self.world.hash()) == self.recorded_hash
    }
}

/// Reads the notes of a tick, and has each taken.
pub(crate) fn read_notes(
    column: &mut ColumnReader,
    mut take: impl FnMut(Note) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    for _ in 0..check_length(column.count()?, MAX_NOTES)? {
        take(column.value()?)?;
    }
    Ok(())
}

/// Refuses a roster that no room has.
pub(crate) fn check_roster(roster: &Roster) -> Result<(), Malformed> {
    check_length(roster.len(), MAX_PLAYERS).map(|_| ())
}

/// Refuses a list that is too long.
fn check_length(length: usize, max: usize) -> Result<usize, Malformed> {
    match length <= max {
        true => Ok(length),
        false => Err(Malformed),
    }
}

fn read_list<T: serde::de::DeserializeOwned>(
    columns: &mut [ColumnReader],
    column: Named,
    list: &mut Vec<T>,
) -> Result<(), Malformed> {
    let column = &mut columns[column as usize];
    for _ in 0..column.count()? {
        list.push(column.value()?);
    }
    Ok(())
}
