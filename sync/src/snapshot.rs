//! The snapshot of one client: a header of its own, and slices of the blocks that all clients share.
//!
//! In: a view, the history, the block cache, the header, and which cells to defer. Out: one `ServerMessage`. No block is
//! encoded twice.

use crate::encode::{BlockCache, Encoding, Header, HeaderBaseline, protobuf};
use crate::frame::History;
use crate::interest::ClientView;
use crate::world::{CellId, Tick};
use std::ops::Range;

/// Builds one snapshot. Reused for the next client.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    header: Vec<u8>,
    blocks: Blocks,
    /// Packed encoding: one bit per cell, set where the cell has a block.
    present: Vec<u8>,
    /// A bit for each cell that the client has, set where the snapshot defers it; only for views with parted cells.
    deferred: Vec<u8>,
    /// Whether cells join the view with this snapshot.
    has_new_cells: bool,
    /// Whether the snapshot defers cells.
    has_deferred_cells: bool,
}

/// Where a snapshot's blocks are in the cache.
#[derive(Debug, Default)]
struct Blocks {
    /// Blocks that are adjacent in the cache form one range; neighbouring cells mostly are.
    runs: Vec<Range<usize>>,
    count: usize,
    /// The bytes of all blocks together.
    bytes: usize,
}

impl Blocks {
    fn clear(&mut self) {
        self.runs.clear();
        (self.count, self.bytes) = (0, 0);
    }

    fn push(&mut self, block: Range<usize>) {
        self.count += 1;
        self.bytes += block.len();
        match self.runs.last_mut() {
            Some(last) if last.end == block.start => last.end = block.end,
            _ => self.runs.push(block),
        }
    }
}

impl SnapshotBuilder {
    /// Builds the snapshot that brings `view` to the newest frame. Cells that `defers` names stay at their baseline, as a thin
    /// line requires. Nothing of the view counts as sent until [`ClientView::mark_sent`].
    pub fn build(
        &mut self,
        view: &mut ClientView,
        history: &History,
        cache: &mut BlockCache,
        encoding: Encoding,
        header: Header,
        mut defers: impl FnMut(CellId) -> bool,
    ) {
        self.blocks.clear();
        self.header.clear();
        self.present.clear();
        (self.has_new_cells, self.has_deferred_cells) = (false, false);
        let Some(now) = history.newest() else { return };
        view.dropped.sort_unstable();
        let mut position = 0;
        for cell in &mut view.cells {
            cell.is_deferred = defers(cell.id);
            if cell.is_deferred {
                self.has_deferred_cells = true;
                continue;
            }
            self.has_new_cells |= cell.baseline().is_none();
            if position % 8 == 0 {
                self.present.push(0);
            }
            if let Some(key) = cell.pending_block(history, encoding) {
                let block = cache.block(history, key);
                if !block.is_empty() {
                    self.blocks.push(block);
                    self.present[position / 8] |= 1 << (position % 8);
                }
            }
            position += 1;
        }
        view.pending_header = HeaderBaseline {
            tick: now.tick(),
            applied_seq: header.applied_seq,
            starved_inputs: header.starved_inputs,
        };
        self.write_header(view, history, encoding, header);
    }

    /// Appends the whole message to `out`.
    pub fn append_to(&self, cache: &BlockCache, out: &mut Vec<u8>) {
        // ServerMessage.snapshot: field 1, length-delimited.
        protobuf::bytes_key(out, 1, (self.header.len() + self.blocks.bytes) as u64);
        out.extend_from_slice(&self.header);
        for run in &self.blocks.runs {
            out.extend_from_slice(cache.bytes(run.clone()));
        }
    }

    /// How many blocks the snapshot has.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.blocks.count
    }

    /// The whole message in a buffer of its own.
    #[must_use]
    pub fn message(&self, cache: &BlockCache) -> Vec<u8> {
        let mut message = Vec::new();
        self.append_to(cache, &mut message);
        message
    }

    fn write_header(
        &mut self,
        view: &ClientView,
        history: &History,
        encoding: Encoding,
        header: Header,
    ) {
        let out = &mut self.header;
        let baseline = if encoding == Encoding::Packed && !view.needs_full_snapshot {
            Some(view.sent_header)
        } else {
            None
        };
        let ticks = view
            .pending_header
            .tick
            .since(baseline.map_or(Tick(0), |baseline| baseline.tick));
        let advance = baseline.map_or(0, |baseline| {
            header
                .applied_seq
                .0
                .wrapping_sub(baseline.applied_seq.0)
                .wrapping_sub(ticks) as i32
        });
        if baseline.is_none() || ticks != 1 {
            protobuf::uint(out, 1, u64::from(view.pending_header.tick.0));
        }
        if baseline.is_none() {
            protobuf::uint_unless_zero(out, 2, u64::from(header.applied_seq.0));
        }
        if let Some(margin) = header.input_margin {
            protobuf::sint(out, 3, margin);
        }
        if self.has_new_cells {
            let new = view
                .cells
                .iter()
                .filter(|cell| cell.baseline().is_none() && !cell.is_deferred);
            protobuf::packed(out, 4, new.map(|cell| u64::from(cell.id.0)));
        }
        protobuf::packed(out, 5, view.dropped.iter().map(|cell| u64::from(cell.0)));
        let untold = view.untold_parts();
        protobuf::packed(
            out,
            12,
            untold.map(|(cell, log2)| u64::from(cell.0) << 3 | u64::from(log2)),
        );
        if self.has_deferred_cells && view.has_parts() {
            // A parted cell has many parts that are deferred, so a bit for each costs less than its number.
            self.deferred.clear();
            let held = view
                .cells
                .iter()
                .filter(|cell| cell.baseline().is_some() || !cell.is_deferred);
            for (position, cell) in held.enumerate() {
                if position % 8 == 0 {
                    self.deferred.push(0);
                }
                self.deferred[position / 8] |= u8::from(cell.is_deferred) << (position % 8);
            }
            protobuf::bytes(out, 13, &self.deferred);
        } else if self.has_deferred_cells {
            let deferred = view
                .cells
                .iter()
                .filter(|cell| cell.baseline().is_some() && cell.is_deferred);
            protobuf::packed(out, 6, deferred.map(|cell| u64::from(cell.id.0)));
        }
        for (id, lanes) in history.owned().of(header.owner, history.schema()) {
            protobuf::delimited(out, 7, |out| {
                protobuf::uint_unless_zero(out, 1, u64::from(id.kind.0));
                protobuf::uint_unless_zero(out, 2, u64::from(id.slot));
                protobuf::uint(out, 3, u64::from(id.generation));
                protobuf::packed_sints(out, 4, lanes.iter().copied());
            });
        }
        if header.with_view_hash {
            protobuf::fixed64(out, 8, view.hash_when_sent(history));
        }
        let starved_before = baseline.map_or(0, |baseline| baseline.starved_inputs);
        protobuf::uint_unless_zero(
            out,
            9,
            u64::from(header.starved_inputs.wrapping_sub(starved_before)),
        );
        protobuf::uint_unless_zero(out, 10, u64::from(view.needs_full_snapshot));
        protobuf::sint_unless_zero(out, 11, advance);
        if encoding == Encoding::Packed && self.blocks.count > 0 {
            protobuf::bytes_key(out, 15, (self.present.len() + self.blocks.bytes) as u64);
            out.extend_from_slice(&self.present);
        }
    }
}
