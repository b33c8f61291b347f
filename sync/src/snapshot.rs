//! Snapshots: the message that one client gets, a small header of its own and then slices of shared blocks.
//!
//! In: a view, the history, the memo, and what the header says of this player. Out: the parts of one `ServerMessage`, ready
//! for a single write. Nothing is encoded twice, and nothing is allocated in the steady state.

use crate::grid::CellId;
use crate::history::History;
use crate::ids::{PlayerId, Seq, Tick};
use crate::memo::{BlockMemo, Encoding};
use crate::view::{Told, View};
use crate::wire::{self, zigzag};
use prost::encoding::encode_varint;
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
    head: Vec<u8>,
    header: Vec<u8>,
    blocks: Vec<Range<usize>>,
    /// Packed encoding: which cells have a block, a bit each.
    present: Vec<u8>,
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
        let Some(now) = history.newest() else { return };
        view.dropped.sort_unstable();
        self.present.clear();
        let mut place = 0;
        for cell in &mut view.cells {
            cell.is_held = hold(cell.id);
            if cell.is_held {
                continue;
            }
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
        let length = self.header.len()
            + self
                .blocks
                .iter()
                .map(ExactSizeIterator::len)
                .sum::<usize>();
        self.head.clear();
        // ServerMessage.snapshot: field 1, length-delimited.
        self.head.push(1 << 3 | 2);
        encode_varint(length as u64, &mut self.head);
    }

    /// The message, in the order of its bytes.
    pub fn parts<'a>(&'a self, memo: &'a BlockMemo) -> impl Iterator<Item = &'a [u8]> {
        [&self.head[..], &self.header[..]]
            .into_iter()
            .chain(self.blocks.iter().map(|block| memo.bytes(block.clone())))
    }

    /// The message's length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len()
            + self.header.len()
            + self
                .blocks
                .iter()
                .map(ExactSizeIterator::len)
                .sum::<usize>()
    }

    /// Whether nothing was built (there is no frame yet).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.is_empty()
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
        let added = view
            .cells
            .iter()
            .filter(|cell| cell.base().is_none() && !cell.is_held);
        wire::packed(out, 4, added.map(|cell| u64::from(cell.id.0)));
        wire::packed(out, 5, view.dropped.iter().map(|cell| u64::from(cell.0)));
        let held = view
            .cells
            .iter()
            .filter(|cell| cell.base().is_some() && cell.is_held);
        wire::packed(out, 6, held.map(|cell| u64::from(cell.id.0)));
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
        if encoding == Encoding::Packed && !self.blocks.is_empty() {
            let blocks: usize = self.blocks.iter().map(ExactSizeIterator::len).sum();
            wire::bytes_key(out, 15, (self.present.len() + blocks) as u64);
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
