//! The header of a snapshot: what it says of one player beside the world.
//!
//! In: the player's input state. Out: header fields. Headers of the packed encoding carry differences from the header sent
//! last, the header baseline; the decoder adds them up again on the client.

use crate::world::{PlayerId, Seq, Tick};
use tickwire_proto::v1;

/// What a snapshot's header says of one player.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// The player whose private lanes the header carries; 0 for none.
    pub owner: PlayerId,
    /// The newest input that was applied.
    pub applied_seq: Seq,
    /// The smallest margin of the inputs since the last snapshot, in 1/16 tick: how much too early they came. Negative for
    /// late inputs, `None` without inputs.
    pub input_margin: Option<i32>,
    /// How many ticks so far had to repeat an input because none had come.
    pub starved_inputs: u32,
    /// Whether to include the view hash.
    pub with_view_hash: bool,
}

/// What packed headers are encoded against: the values of the header sent last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct HeaderBaseline {
    pub tick: Tick,
    pub applied_seq: Seq,
    pub starved_inputs: u32,
}

/// Decodes the headers of packed snapshots, which carry differences from the header before.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderDecoder {
    baseline: HeaderBaseline,
}

impl HeaderDecoder {
    /// Replaces the differences in a snapshot's header by whole values: tick, `applied_seq` and `starved_inputs`.
    pub fn decode(&mut self, snapshot: &mut v1::Snapshot) {
        if !snapshot.full_snapshot {
            if snapshot.tick == 0 {
                snapshot.tick = self.baseline.tick.next().0;
            }
            let ticks = Tick(snapshot.tick).since(self.baseline.tick);
            let advance = ticks.wrapping_add(snapshot.applied_advance as u32);
            snapshot.applied_seq = self.baseline.applied_seq.0.wrapping_add(advance);
            snapshot.starved_inputs = snapshot
                .starved_inputs
                .wrapping_add(self.baseline.starved_inputs);
        }
        self.baseline = HeaderBaseline {
            tick: Tick(snapshot.tick),
            applied_seq: Seq(snapshot.applied_seq),
            starved_inputs: snapshot.starved_inputs,
        };
    }
}
