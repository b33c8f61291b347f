//! From ticks to a chunk.
//!
//! In: ticks, as a room hands them over. Out: a chunk of about five seconds that can be read without any other: its first tick is
//! encoded against nothing.

mod rows;
mod sessions;

pub(crate) use rows::{CAME, CHANGED, GONE, OTHER_ROWS, SAME, SAME_ROWS, WITH_SCOPE, WITH_TEXTS};
pub(crate) use sessions::{SessionState, input_flags, send_flags};

use crate::block::{BlockKind, HEADER_BYTES, seal};
use crate::column::{Layout, Named, pack_columns, put, put_signed, put_value};
use crate::head::{Mark, MarkKind};
use crate::tick::{Note, RecordedTick, Roster, Sending, TickFacts};
use crate::world_hash::folded;
use rows::{OwnedEncoder, RowEncoder};
use sessions::SessionEncoder;
use std::sync::Arc;
use tickwire_sync::frame::Events;
use tickwire_sync::{Schema, Tick};

/// A chunk ends after so many seconds: a reader decodes no more than that to get to any tick.
pub const MAX_CHUNK_SECONDS: u32 = 5;
/// A chunk ends once its columns have so many bytes before compression, which leaves about 1 MiB. Its last tick, or its only one, may go beyond
/// that; what a reader takes, [`crate::column::MAX_CHUNK_BYTES`], has space for a tick of some million rows.
const MAX_COLUMN_BYTES: usize = 4 << 20;

/// A chunk, ready to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodedChunk {
    /// The whole block.
    pub block: Vec<u8>,
    /// Its first tick.
    pub first: Tick,
    /// Its last tick.
    pub last: Tick,
    /// What people look for in it.
    pub marks: Vec<Mark>,
}

impl EncodedChunk {
    /// The block without its header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.block[HEADER_BYTES..]
    }
}

/// What a chunk says of itself before its columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChunkHead {
    pub first: Tick,
    pub last: Tick,
    pub tick_count: u32,
    /// When the first tick was made.
    pub unix_ms: u64,
    /// Connected sessions, summed over the ticks.
    pub player_ticks: u64,
    /// Public lanes of all rows, summed over the ticks.
    pub lanes: u64,
}

impl ChunkHead {
    fn append_to(&self, out: &mut Vec<u8>) {
        put(out, self.first.0.into());
        put(out, self.last.since(self.first).into());
        put(out, self.tick_count.into());
        put(out, self.unix_ms);
        put(out, self.player_ticks);
        put(out, self.lanes);
    }
}

/// Encodes the ticks of one room.
#[derive(Debug)]
pub struct ChunkEncoder {
    schema: Arc<Schema>,
    tick_rate: u32,
    layout: Layout,
    rows: RowEncoder,
    owned: OwnedEncoder,
    sessions: SessionEncoder,
    roster: Roster,
    columns: Vec<Vec<u8>>,
    head: ChunkHead,
    marks: Vec<Mark>,
    next_event: u32,
    event_cells: Vec<(usize, u32)>,
}

impl ChunkEncoder {
    /// For a room of this schema, which must be valid.
    #[must_use]
    pub fn new(schema: Arc<Schema>, tick_rate: u32) -> Self {
        let layout = Layout::new(&schema);
        Self {
            tick_rate,
            rows: RowEncoder::new(Arc::clone(&schema)),
            owned: OwnedEncoder::default(),
            sessions: SessionEncoder::default(),
            roster: Roster::new(),
            columns: vec![Vec::new(); layout.count],
            layout,
            head: ChunkHead::default(),
            marks: Vec::new(),
            next_event: 0,
            event_cells: Vec::new(),
            schema,
        }
    }

    /// Adds a tick, which must be later than all before, and takes its frame in exchange for an older one. A tick before which others are
    /// missing needs an empty encoder: call [`Self::finish`] first.
    pub fn push(&mut self, recorded: &mut RecordedTick) {
        let RecordedTick {
            begins,
            unix_ms,
            frame,
            owned,
            facts,
        } = recorded;
        let tick = frame.tick();
        if *begins {
            self.roster.clear();
        }
        let is_first = self.head.tick_count == 0;
        if is_first {
            self.begin(tick, *unix_ms);
        }
        self.encode_facts(tick, facts, is_first);
        self.encode_events(frame.events());
        let columns = &mut self.columns;
        let owned_hash = self.owned.encode(
            owned,
            &self.schema,
            &self.layout,
            columns,
            Named::OwnedList as usize,
        );
        let rows = self.rows.encode(frame, &self.layout, columns);
        let ticks = &mut columns[Named::Ticks as usize];
        put(ticks, tick.since(self.head.last).into());
        let hash = folded(rows.hash.wrapping_add(owned_hash));
        ticks.extend_from_slice(&hash.to_le_bytes());
        self.head.last = tick;
        self.head.tick_count += 1;
        self.head.lanes += rows.lane_count as u64;
        let is_there = |session: &&crate::SessionTick| session.sending != Sending::Away;
        self.head.player_ticks += facts.sessions.iter().filter(is_there).count() as u64;
        facts
            .notes
            .iter()
            .for_each(|note| note.apply(&mut self.roster));
        self.add_marks(tick, facts);
    }

    fn begin(&mut self, tick: Tick, unix_ms: u64) {
        self.rows.begin_chunk();
        self.owned.begin_chunk();
        self.sessions.begin_chunk();
        self.next_event = 0;
        self.head = ChunkHead {
            first: tick,
            last: tick,
            unix_ms,
            ..ChunkHead::default()
        };
    }

    fn encode_facts(&mut self, tick: Tick, facts: &TickFacts, is_first: bool) {
        let columns = &mut self.columns;
        let notes = &mut columns[Named::Notes as usize];
        let present = self.roster.values().filter(|_| is_first);
        put(notes, (present.clone().count() + facts.notes.len()) as u64);
        for one in present {
            put_value(notes, &Note::Present(one.clone()));
        }
        for note in &facts.notes {
            put_value(notes, note);
        }
        let mut list = |column: Named, count: usize| {
            let column = &mut columns[column as usize];
            put(column, count as u64);
        };
        list(Named::Shots, facts.shots.len());
        list(Named::Traces, facts.traces.len());
        list(Named::Dropped, facts.dropped.len());
        for shot in &facts.shots {
            put_value(&mut columns[Named::Shots as usize], shot);
        }
        for trace in &facts.traces {
            put_value(&mut columns[Named::Traces as usize], trace);
        }
        for input in &facts.dropped {
            put_value(&mut columns[Named::Dropped as usize], input);
        }
        self.sessions.encode(tick, facts, columns);
    }

    fn encode_events(&mut self, events: &Events) {
        self.event_cells.clear();
        let touched = events.touched().map(|(cell, event)| (event, cell.0));
        self.event_cells.extend(touched);
        self.event_cells.sort_unstable();
        let mut cells = &self.event_cells[..];
        let columns = &mut self.columns;
        put(
            &mut columns[Named::Events as usize],
            events.all().count() as u64,
        );
        for (index, event) in events.all().enumerate() {
            let heads = &mut columns[Named::Events as usize];
            put_signed(
                heads,
                i64::from(event.number.wrapping_sub(self.next_event) as i32),
            );
            self.next_event = event.number.wrapping_add(1);
            put(heads, event.kind.into());
            put(heads, event.payload.len() as u64);
            let own = cells
                .iter()
                .take_while(|(event, _)| *event == index)
                .count();
            let (touched, rest) = cells.split_at(own);
            cells = rest;
            put(heads, own as u64);
            let mut before = 0;
            for (_, cell) in touched {
                put(heads, u64::from(cell - before));
                before = *cell;
            }
            columns[Named::EventPayloads as usize].extend_from_slice(event.payload);
        }
    }

    fn add_marks(&mut self, tick: Tick, facts: &TickFacts) {
        self.marks.extend(marks_of(tick, facts));
    }

    /// How many ticks wait for the end of their chunk.
    #[must_use]
    pub fn tick_count(&self) -> u32 {
        self.head.tick_count
    }

    /// Whether the chunk is long or large enough.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let ticks = MAX_CHUNK_SECONDS.saturating_mul(self.tick_rate);
        let is_long = self.head.last.since(self.head.first).saturating_add(1) >= ticks;
        let bytes: usize = self.columns.iter().map(Vec::len).sum();
        self.head.tick_count > 0 && (is_long || bytes >= MAX_COLUMN_BYTES)
    }

    /// Forgets what the world was, as a mistake of the encoder would.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self) {
        self.rows.spoil();
    }

    /// Ends the chunk. `None`: it has no ticks.
    pub fn finish(&mut self) -> Option<EncodedChunk> {
        if self.head.tick_count == 0 {
            return None;
        }
        let head = std::mem::take(&mut self.head);
        let mut payload = Vec::new();
        head.append_to(&mut payload);
        pack_columns(&self.columns, &mut payload);
        self.columns.iter_mut().for_each(Vec::clear);
        Some(EncodedChunk {
            block: seal(BlockKind::Chunk, &payload),
            first: head.first,
            last: head.last,
            marks: std::mem::take(&mut self.marks),
        })
    }
}

/// What people look for in a tick.
pub(crate) fn marks_of(tick: Tick, facts: &TickFacts) -> impl Iterator<Item = Mark> {
    let of_notes = facts.notes.iter().filter_map(|note| match note {
        Note::Joined(one) => Some((MarkKind::Joined, one.player)),
        Note::Left(player) => Some((MarkKind::Left, *player)),
        Note::Mismatch(player) => Some((MarkKind::Mismatch, *player)),
        _ => None,
    });
    let of_shots = facts.shots.iter().map(|shot| match shot.is_hit {
        true => (MarkKind::Hit, shot.player),
        false => (MarkKind::Miss, shot.player),
    });
    (of_notes.chain(of_shots)).map(move |(kind, player)| Mark { tick, kind, player })
}
