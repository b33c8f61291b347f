//! The block memo: every block of the current tick is encoded once, whoever asks.
//!
//! In: requests by (cell, base, encoding). Out: ranges of one buffer that holds all blocks of the tick. In the steady state
//! all clients have the same base, so the work grows with what changed and not with who looks, and nothing is allocated.
//! Then it is also known beforehand what will be asked for, and encoded in one go before the first client asks.

use crate::delta::CellDelta;
use crate::grid::CellId;
use crate::history::History;
use crate::ids::Tick;
use crate::packed::{self, Packer, Tables, Tally};
use crate::plain;
use crate::schema::Schema;
use std::ops::Range;
use std::sync::Arc;
use tickwire_proto::v1;

/// How blocks are encoded for one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Encoding {
    /// Protobuf all the way down.
    #[default]
    Plain,
    /// Bits, columns, prediction and measured codes.
    Packed,
}

impl Encoding {
    /// The encoding that a client gets for what it asked.
    #[must_use]
    pub fn negotiate(asked: v1::Encoding) -> Self {
        match asked {
            v1::Encoding::Packed => Self::Packed,
            v1::Encoding::Plain | v1::Encoding::Unspecified => Self::Plain,
        }
    }

    /// As `Welcome` names it.
    #[must_use]
    pub fn to_proto(self) -> v1::Encoding {
        match self {
            Self::Plain => v1::Encoding::Plain,
            Self::Packed => v1::Encoding::Packed,
        }
    }
}

/// Which block: the memo's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockKey {
    /// The cell.
    pub cell: CellId,
    /// The tick that the client has; `None`: it has nothing, and the block is a keyframe.
    pub base: Option<Tick>,
    /// The tick that the client had before, if it predicts (packed encoding).
    pub previous: Option<Tick>,
    /// How the block is encoded.
    pub encoding: Encoding,
}

impl BlockKey {
    /// What a client asks for at `now` that was sent this block at `sent`.
    fn followed_by(self, sent: Tick, now: Tick) -> Self {
        let previous = match self.encoding {
            Encoding::Plain => None,
            Encoding::Packed => packed::previous_for_prediction(Some(sent), self.base, now),
        };
        Self {
            base: Some(sent),
            previous,
            ..self
        }
    }
}

/// The encoded blocks of one tick.
#[derive(Debug)]
pub struct BlockMemo {
    tick: Option<Tick>,
    buffer: Vec<u8>,
    entries: Vec<Entry>,
    /// For each cell, its newest entry plus 1; 0: none. The entries of a cell are chained by `Entry::next`.
    heads: Vec<u32>,
    /// What [`Self::encode_ahead`] is about to encode.
    ahead: Vec<BlockKey>,
    delta: CellDelta,
    packer: Packer,
    encoded: u64,
    reused: u64,
    /// Both, when better coding tables were last looked for.
    looked_at: (u64, u64),
}

#[derive(Debug)]
struct Entry {
    key: BlockKey,
    block: Range<usize>,
    next: u32,
    /// Whether somebody has asked for it yet.
    is_asked: bool,
}

impl BlockMemo {
    /// A memo for rooms of this schema, with the coding tables that nothing is known for yet.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Self {
            tick: None,
            buffer: Vec::new(),
            entries: Vec::new(),
            heads: Vec::new(),
            ahead: Vec::new(),
            delta: CellDelta::default(),
            packer: Packer::new(Arc::new(Tables::initial(schema)), Tally::new(schema)),
            encoded: 0,
            reused: 0,
            looked_at: (0, 0),
        }
    }

    /// Asks for what the next tick will touch first; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        tickwire_prefetch::start(&self.entries);
        tickwire_prefetch::start(&self.heads);
    }

    /// The coding tables in use.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.packer.tables
    }

    /// Which part of what was encoded since the last [`Self::improve_tables`] each of so many clients got, from 0 to 1.
    #[must_use]
    pub fn share_of_each(&self, clients: usize) -> f64 {
        let (encoded, reused) = (
            self.encoded - self.looked_at.0,
            self.reused - self.looked_at.1,
        );
        let copies = (encoded + reused) as f64 / encoded.max(1) as f64;
        (copies / clients.max(1) as f64).min(1.0)
    }

    /// Takes better coding tables into use, if what was encoded since the last call (at least `enough` residuals) shows that they pay: where a client
    /// gets this `share` of it, it must save what the message takes. Between two ticks only; every client must get what changed, which is
    /// returned, before its next snapshot.
    pub fn improve_tables(&mut self, enough: u64, share: f64) -> Option<v1::Tables> {
        self.looked_at = (self.encoded, self.reused);
        let Packer { tables, tally, .. } = &mut self.packer;
        let better = tables.improved(tally, enough, share)?;
        let changes = better.changes_since(tables);
        *tables = Arc::new(better);
        Some(changes)
    }

    /// Encodes what those will ask for who were sent the last two frames: the same cells, as far as they changed. Call it
    /// once the newest frame is published; what it does not foresee is encoded when it is first asked for.
    pub fn encode_ahead(&mut self, history: &History) {
        let (Some(newest), Some(before)) = (history.newest(), self.tick) else {
            return;
        };
        if history.previous_tick() != Some(before) {
            return;
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        let is_steady = |entry: &&Entry| entry.is_asked && entry.key.base == before.before(1);
        let steady = self.entries.iter().filter(is_steady);
        ahead.extend(steady.map(|entry| entry.key.followed_by(before, newest.tick())));
        // Cells that lie side by side are mostly asked for together, and are copied together if their blocks do too.
        ahead.sort_unstable_by_key(|key| (key.encoding, key.cell));
        self.start_tick(newest.tick(), history.schema().grid.cell_count());
        for key in &ahead {
            // Two of last tick's may be followed by the same one.
            if history.changed_at(key.cell) > before && self.find(*key).is_none() {
                self.encode(history, *key, false);
            }
        }
        self.ahead = ahead;
    }

    /// The block for `key` to the history's newest frame: a range for [`Self::bytes`]. Empty where the history is empty.
    ///
    /// A base that the history no longer holds gives a keyframe.
    #[inline]
    pub fn block(&mut self, history: &History, key: BlockKey) -> Range<usize> {
        let Some(newest) = history.newest() else {
            return 0..0;
        };
        if self.tick != Some(newest.tick()) {
            self.start_tick(newest.tick(), history.schema().grid.cell_count());
        }
        match self.known(key) {
            Some(block) => block,
            None => self.block_by_what_is_held(history, key),
        }
    }

    /// The same for a key that nothing is known for as it stands.
    fn block_by_what_is_held(&mut self, history: &History, key: BlockKey) -> Range<usize> {
        // What the history no longer holds is as good as nothing: such keys share the keyframe.
        let base = key.base.filter(|tick| history.at(*tick).is_some());
        let previous = key
            .previous
            .filter(|tick| base.is_some() && history.at(*tick).is_some());
        let asked = key;
        let key = BlockKey {
            base,
            previous,
            ..key
        };
        if key != asked
            && let Some(block) = self.known(key)
        {
            return block;
        }
        self.encode(history, key, true)
    }

    /// Encodes the block for a key whose ticks the history holds.
    fn encode(&mut self, history: &History, key: BlockKey, is_asked: bool) -> Range<usize> {
        let base = key.base.and_then(|tick| history.at(tick));
        let previous = key.previous.and_then(|tick| history.at(tick));
        self.encoded += 1;
        self.delta.compute(history, base, key.cell);
        let start = self.buffer.len();
        let Self {
            delta,
            packer,
            buffer,
            ..
        } = self;
        match key.encoding {
            Encoding::Plain => plain::encode_block(history, base, key.cell, delta, buffer),
            Encoding::Packed => {
                packed::encode_block(history, base, previous, key.cell, delta, packer, buffer);
            }
        }
        let block = start..self.buffer.len();
        self.entries.push(Entry {
            key,
            block: block.clone(),
            next: self.heads[key.cell.index()],
            is_asked,
        });
        self.heads[key.cell.index()] = self.entries.len() as u32;
        block
    }

    /// Answers a request from what is encoded already.
    #[inline]
    fn known(&mut self, key: BlockKey) -> Option<Range<usize>> {
        let index = self.find(key)?;
        let entry = &mut self.entries[index];
        self.reused += u64::from(entry.is_asked);
        entry.is_asked = true;
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

    /// Blocks encoded so far.
    #[must_use]
    pub fn encoded(&self) -> u64 {
        self.encoded
    }

    /// Requests that an already encoded block answered so far.
    #[must_use]
    pub fn reused(&self) -> u64 {
        self.reused
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
