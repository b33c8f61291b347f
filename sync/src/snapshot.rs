//! Snapshots: the message that one client gets, a small header of its own and then slices of shared blocks.
//!
//! In: a view, the history, the memo, and what the header says of this player. Out: one `ServerMessage`. Nothing is encoded twice, and nothing is allocated in the steady state.

use crate::grid::CellId;
use crate::history::History;
use crate::ids::{PlayerId, Seq, Tick};
use crate::memo::{BlockMemo, Encoding};
use crate::view::{Told, View};
use crate::wire::{self, zigzag};
use std::ops::Range;
use tickwire_proto::v1;

/// What a snapshot's header says of one player.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Whose private lanes the header carries. 0: nobody's.
    pub owner: PlayerId,
    /// The newest input that the game was given.
    pub applied_seq: Seq,
    /// The least margin of the inputs since the last snapshot, in 1/16 tick.
    pub input_margin: Option<i32>,
    /// Inputs that the game had to do without so far.
    pub starved_inputs: u32,
    /// Whether the view hash is due.
    pub with_view_hash: bool,
}

/// One snapshot while it is assembled and sent. Used again for the next client.
#[derive(Debug, Default)]
pub struct Snapshot {
    header: Vec<u8>,
    blocks: Blocks,
    /// Packed encoding: which cells have a block, a bit each.
    present: Vec<u8>,
    /// Whether some cells join the view with this snapshot.
    has_new_cells: bool,
    /// Whether some stay at their base.
    has_held_cells: bool,
}

/// Where a snapshot's blocks are in the memo.
#[derive(Debug, Default)]
struct Blocks {
    /// Those that lie one after the other there are one range: mostly the cells of a row.
    runs: Vec<Range<usize>>,
    count: usize,
    /// Bytes of all of them.
    length: usize,
}

impl Blocks {
    fn clear(&mut self) {
        self.runs.clear();
        (self.count, self.length) = (0, 0);
    }

    fn push(&mut self, block: Range<usize>) {
        self.count += 1;
        self.length += block.len();
        match self.runs.last_mut() {
            Some(last) if last.end == block.start => last.end = block.end,
            _ => self.runs.push(block),
        }
    }
}

impl Snapshot {
    /// Builds the snapshot that brings `view` to the newest frame, but for the cells that `hold` names (a thin link): these
    /// stay at their base. Nothing of the view counts as sent until [`View::sent`] says so.
    pub fn build(
        &mut self,
        view: &mut View,
        history: &History,
        memo: &mut BlockMemo,
        encoding: Encoding,
        header: Header,
        mut hold: impl FnMut(CellId) -> bool,
    ) {
        self.blocks.clear();
        self.header.clear();
        self.present.clear();
        (self.has_new_cells, self.has_held_cells) = (false, false);
        let Some(now) = history.newest() else { return };
        view.dropped.sort_unstable();
        let mut place = 0;
        for cell in &mut view.cells {
            cell.is_held = hold(cell.id);
            if cell.is_held {
                self.has_held_cells = true;
                continue;
            }
            self.has_new_cells |= cell.base().is_none();
            if place % 8 == 0 {
                self.present.push(0);
            }
            if let Some(key) = cell.block_due(history, encoding) {
                self.blocks.push(memo.block(history, key));
                self.present[place / 8] |= 1 << (place % 8);
            }
            place += 1;
        }
        view.built = Told {
            tick: now.tick(),
            applied_seq: header.applied_seq,
            starved_inputs: header.starved_inputs,
        };
        self.write_header(view, history, encoding, header);
    }

    /// Appends the whole message.
    pub fn append_to(&self, memo: &BlockMemo, out: &mut Vec<u8>) {
        // ServerMessage.snapshot: field 1, length-delimited.
        wire::bytes_key(out, 1, (self.header.len() + self.blocks.length) as u64);
        out.extend_from_slice(&self.header);
        for run in &self.blocks.runs {
            out.extend_from_slice(memo.bytes(run.clone()));
        }
    }

    /// How many blocks it has.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.blocks.count
    }

    /// The whole message, for whoever has no buffer at hand.
    #[must_use]
    pub fn message(&self, memo: &BlockMemo) -> Vec<u8> {
        let mut message = Vec::new();
        self.append_to(memo, &mut message);
        message
    }

    fn write_header(&mut self, view: &View, history: &History, encoding: Encoding, header: Header) {
        let out = &mut self.header;
        let told = if encoding == Encoding::Packed && view.started {
            Some(view.told)
        } else {
            None
        };
        let ticks = view
            .built
            .tick
            .since(told.map_or(Tick(0), |told| told.tick));
        let advance = told.map_or(0, |told| {
            header
                .applied_seq
                .0
                .wrapping_sub(told.applied_seq.0)
                .wrapping_sub(ticks) as i32
        });
        if told.is_none() || ticks != 1 {
            wire::uint(out, 1, u64::from(view.built.tick.0));
        }
        if told.is_none() {
            wire::uint_unless_zero(out, 2, u64::from(header.applied_seq.0));
        }
        if let Some(margin) = header.input_margin {
            wire::uint(out, 3, zigzag(margin));
        }
        if self.has_new_cells {
            let new = view
                .cells
                .iter()
                .filter(|cell| cell.base().is_none() && !cell.is_held);
            wire::packed(out, 4, new.map(|cell| u64::from(cell.id.0)));
        }
        wire::packed(out, 5, view.dropped.iter().map(|cell| u64::from(cell.0)));
        if self.has_held_cells {
            let held = view
                .cells
                .iter()
                .filter(|cell| cell.base().is_some() && cell.is_held);
            wire::packed(out, 6, held.map(|cell| u64::from(cell.id.0)));
        }
        for (id, lanes) in history.owned().of(header.owner, history.schema()) {
            wire::delimited(out, 7, |out| {
                wire::uint_unless_zero(out, 1, u64::from(id.kind.0));
                wire::uint_unless_zero(out, 2, u64::from(id.slot));
                wire::uint(out, 3, u64::from(id.generation));
                wire::packed(out, 4, lanes.iter().map(|lane| zigzag(*lane)));
            });
        }
        if header.with_view_hash {
            wire::fixed64(out, 8, view.hash_when_sent(history));
        }
        let starved_before = told.map_or(0, |told| told.starved_inputs);
        wire::uint_unless_zero(
            out,
            9,
            u64::from(header.starved_inputs.wrapping_sub(starved_before)),
        );
        wire::uint_unless_zero(out, 10, u64::from(!view.started));
        wire::uint_unless_zero(out, 11, zigzag(advance));
        if encoding == Encoding::Packed && self.blocks.count > 0 {
            wire::bytes_key(out, 15, (self.present.len() + self.blocks.length) as u64);
            out.extend_from_slice(&self.present);
        }
    }
}

/// The headers of packed snapshots tell differences: this is what they are told against, on the receiving side.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderState {
    told: Told,
}

impl HeaderState {
    /// Fills in what a snapshot of the packed encoding leaves out: tick, `applied_seq` and `starved_inputs` are whole then.
    pub fn fill_in(&mut self, snapshot: &mut v1::Snapshot) {
        if !snapshot.start_over {
            if snapshot.tick == 0 {
                snapshot.tick = self.told.tick.next().0;
            }
            let ticks = Tick(snapshot.tick).since(self.told.tick);
            let advance = ticks.wrapping_add(snapshot.applied_advance as u32);
            snapshot.applied_seq = self.told.applied_seq.0.wrapping_add(advance);
            snapshot.starved_inputs = snapshot
                .starved_inputs
                .wrapping_add(self.told.starved_inputs);
        }
        self.told = Told {
            tick: Tick(snapshot.tick),
            applied_seq: Seq(snapshot.applied_seq),
            starved_inputs: snapshot.starved_inputs,
        };
    }
}
