//! The block cache: every block of the current tick is encoded once, however many clients see its cell.
//!
//! In: requests by cell, baseline and encoding. Out: ranges of one buffer that holds all blocks of the tick. In the steady
//! state all clients have the same baseline, so the work grows with what changes and not with the number of clients. The
//! requests of the next tick are then known in advance, and [`BlockCache::encode_ahead`] encodes them in one go.

use super::cell_delta::CellDelta;
use super::encoding::Encoding;
use super::packed::{self, Codebooks, Packer, SymbolCounts};
use super::plain;
use crate::frame::{Frame, History};
use crate::world::{CellId, CellPart, Schema, Tick};
use std::ops::Range;
use std::sync::Arc;
use tickwire_proto::v1;

/// Which block: the cache's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockKey {
    /// The cell.
    pub cell: CellId,
    /// The part of it.
    pub part: CellPart,
    /// The tick at which the client has the cell; `None` if it does not have it, then the block is a keyframe.
    pub baseline: Option<Tick>,
    /// The tick at which the client had the cell before, where the packed encoding predicts from it.
    pub previous: Option<Tick>,
    /// How the block is encoded.
    pub encoding: Encoding,
}

impl BlockKey {
    /// The key that a client requests at `now` after it was sent this block at `sent`.
    fn successor(self, sent: Tick, now: Tick) -> Self {
        let previous = match self.encoding {
            Encoding::Plain => None,
            Encoding::Packed => packed::previous_for_prediction(Some(sent), self.baseline, now),
        };
        Self {
            baseline: Some(sent),
            previous,
            ..self
        }
    }
}

/// The encoded blocks of one tick.
#[derive(Debug)]
pub struct BlockCache {
    tick: Option<Tick>,
    buffer: Vec<u8>,
    entries: Vec<Entry>,
    /// For each cell the index of its newest entry plus 1; 0 for none. `Entry::next` chains the entries of a cell.
    heads: Vec<u32>,
    /// The keys that [`Self::encode_ahead`] is about to encode.
    ahead: Vec<BlockKey>,
    delta: CellDelta,
    packer: Packer,
    misses: u64,
    hits: u64,
    /// Misses and hits when the codebooks were last tuned.
    counts_at_tuning: (u64, u64),
}

#[derive(Debug)]
struct Entry {
    key: BlockKey,
    block: Range<usize>,
    next: u32,
    /// Whether a client has requested it yet.
    was_requested: bool,
}

impl BlockCache {
    /// An empty cache for rooms of this schema, with the initial codebooks.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Self {
            tick: None,
            buffer: Vec::new(),
            entries: Vec::new(),
            heads: Vec::new(),
            ahead: Vec::new(),
            delta: CellDelta::default(),
            packer: Packer::new(
                Arc::new(Codebooks::initial(schema)),
                SymbolCounts::new(schema),
            ),
            misses: 0,
            hits: 0,
            counts_at_tuning: (0, 0),
        }
    }

    /// The codebooks in use.
    #[must_use]
    pub fn codebooks(&self) -> &Codebooks {
        &self.packer.codebooks
    }

    /// The share of the blocks encoded since the last [`Self::tune_codebooks`] that each of `clients` clients got on average,
    /// from 0 to 1.
    #[must_use]
    pub fn share_per_client(&self, clients: usize) -> f64 {
        let (misses, hits) = (
            self.misses - self.counts_at_tuning.0,
            self.hits - self.counts_at_tuning.1,
        );
        let copies = (misses + hits) as f64 / misses.max(1) as f64;
        (copies / clients.max(1) as f64).min(1.0)
    }

    /// Switches to better codebooks where the residuals encoded since the last call (at least `min_residuals`) show that they
    /// pay: a client that gets `share` of the blocks must save more than the message costs. Call it between two ticks. Every
    /// client must get the returned changes before its next snapshot.
    pub fn tune_codebooks(&mut self, min_residuals: u64, share: f64) -> Option<v1::Codebooks> {
        self.counts_at_tuning = (self.misses, self.hits);
        let Packer {
            codebooks, counts, ..
        } = &mut self.packer;
        let better = codebooks.tuned(counts, min_residuals, share)?;
        let changes = better.changes_since(codebooks);
        *codebooks = Arc::new(better);
        Some(changes)
    }

    /// Pre-encodes blocks for clients whose baseline is the previous tick: the cells that they requested last tick, as far as
    /// those changed. Call it once the newest frame is published. Other blocks are encoded when first requested.
    pub fn encode_ahead(&mut self, history: &History) {
        let (Some(newest), Some(before)) = (history.newest(), self.tick) else {
            return;
        };
        if history.previous_tick() != Some(before) {
            return;
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        let is_steady =
            |entry: &&Entry| entry.was_requested && entry.key.baseline == before.minus(1);
        let steady = self.entries.iter().filter(is_steady);
        ahead.extend(steady.map(|entry| entry.key.successor(before, newest.tick())));
        // Neighbouring cells are mostly requested together, and adjacent blocks are copied in one piece.
        ahead.sort_unstable_by_key(|key| (key.encoding, key.cell));
        self.start_tick(newest.tick(), history.schema().grid.cell_count());
        for key in &ahead {
            // Two keys of the last tick can have the same successor.
            if history.changed_at(key.cell) > before && self.find(*key).is_none() {
                self.encode(history, *key, false);
            }
        }
        self.ahead = ahead;
    }

    /// The block for `key` to the history's newest frame, as a range for [`Self::bytes`]. Empty where the history is empty, and
    /// for a part in which nothing has changed since the baseline.
    ///
    /// A baseline that the history no longer holds gives a keyframe.
    #[inline]
    pub fn block(&mut self, history: &History, key: BlockKey) -> Range<usize> {
        let Some(newest) = history.newest() else {
            return 0..0;
        };
        if self.tick != Some(newest.tick()) {
            self.start_tick(newest.tick(), history.schema().grid.cell_count());
        }
        match self.lookup(key) {
            Some(block) => block,
            None => self.lookup_or_encode(history, key),
        }
    }

    /// Finds or encodes the block for a key that has no entry of its own.
    fn lookup_or_encode(&mut self, history: &History, key: BlockKey) -> Range<usize> {
        // Keys whose baseline has fallen out of the history share the keyframe.
        let baseline = key.baseline.filter(|tick| history.at(*tick).is_some());
        let previous = key
            .previous
            .filter(|tick| baseline.is_some() && history.at(*tick).is_some());
        let requested = key;
        let key = BlockKey {
            baseline,
            previous,
            ..key
        };
        if key != requested
            && let Some(block) = self.lookup(key)
        {
            return block;
        }
        self.encode(history, key, true)
    }

    /// Encodes the block for a key whose ticks the history holds.
    fn encode(&mut self, history: &History, key: BlockKey, was_requested: bool) -> Range<usize> {
        let baseline = key.baseline.and_then(|tick| history.at(tick));
        let previous = key.previous.and_then(|tick| history.at(tick));
        self.misses += 1;
        self.delta.compute(history, baseline, key.cell, key.part);
        let start = self.buffer.len();
        // That the cell has changed says nothing of one part.
        let is_needed = key.part.is_whole() || baseline.is_none() || !self.delta.is_empty();
        let is_needed = is_needed || carries_events(history, baseline, key);
        let Self {
            delta,
            packer,
            buffer,
            ..
        } = self;
        match key.encoding {
            _ if !is_needed => {}
            Encoding::Plain => {
                plain::encode_block(history, baseline, key.cell, key.part, delta, buffer);
            }
            Encoding::Packed => {
                packed::encode_block(
                    history, baseline, previous, key.cell, key.part, delta, packer, buffer,
                );
            }
        }
        let block = start..self.buffer.len();
        self.entries.push(Entry {
            key,
            block: block.clone(),
            next: self.heads[key.cell.index()],
            was_requested,
        });
        self.heads[key.cell.index()] = self.entries.len() as u32;
        block
    }

    /// Answers a request from the blocks that are encoded already.
    #[inline]
    fn lookup(&mut self, key: BlockKey) -> Option<Range<usize>> {
        let index = self.find(key)?;
        let entry = &mut self.entries[index];
        self.hits += u64::from(entry.was_requested);
        entry.was_requested = true;
        Some(entry.block.clone())
    }

    #[inline]
    fn find(&self, key: BlockKey) -> Option<usize> {
        let mut next = self.heads[key.cell.index()];
        while let Some(index) = next.checked_sub(1) {
            let entry = &self.entries[index as usize];
            if entry.key == key {
                return Some(index as usize);
            }
            next = entry.next;
        }
        None
    }

    /// The bytes of a block of this tick.
    #[must_use]
    pub fn bytes(&self, block: Range<usize>) -> &[u8] {
        self.buffer.get(block).unwrap_or_default()
    }

    /// Cache misses so far: blocks that were encoded, on request or ahead of it.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses
    }

    /// Cache hits so far: requests for a block that another client had requested before.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits
    }

    fn start_tick(&mut self, tick: Tick, cells: usize) {
        self.tick = Some(tick);
        self.heads.resize(cells, 0);
        for entry in self.entries.drain(..) {
            self.heads[entry.key.cell.index()] = 0;
        }
        self.buffer.clear();
    }
}

/// Whether a part carries events. Those of a cell go with its first part.
fn carries_events(history: &History, baseline: Option<&Frame>, key: BlockKey) -> bool {
    let frames = baseline
        .into_iter()
        .flat_map(|baseline| history.after(baseline.tick));
    key.part.index() == 0
        && frames
            .flat_map(|frame| frame.events().in_cell(key.cell))
            .next()
            .is_some()
}
