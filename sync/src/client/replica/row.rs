//! One row of a replica: its lanes and texts, and the motion that the packed encoding predicts it by.
//!
//! In: what blocks say of the row. Out: the integers of the server's frame.

use crate::world::{EntityId, Lane, Tick, hash};
use smallvec::SmallVec;
use std::sync::Arc;

/// The values of a row's lanes. Up to six are stored in the row itself: a swarm of bots holds the rows of hundreds of views,
/// and every pointer would be a cache miss.
pub type Lanes = SmallVec<[i32; 6]>;

/// One entity as the replica has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The entity.
    pub id: EntityId,
    /// Public lanes, in the schema's order.
    pub lanes: Lanes,
    /// Texts, in the schema's order.
    pub texts: Vec<Arc<str>>,
    motion: Motion,
}

/// What the packed encoding predicts a row from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Motion {
    /// The lanes before the last change.
    before: Lanes,
    /// The tick of that change; equal to `entered` if there was none.
    changed: Tick,
    /// Since when the row has been in its cell.
    entered: Tick,
    /// Whether the change being read is predicted from `before`.
    is_predicted: bool,
}

impl Row {
    /// A row that entered its cell at `tick`.
    #[must_use]
    pub fn new(id: EntityId, lanes: Lanes, texts: Vec<Arc<str>>, tick: Tick) -> Self {
        let motion = Motion {
            before: Lanes::new(),
            changed: tick,
            entered: tick,
            is_predicted: false,
        };
        Self {
            id,
            lanes,
            texts,
            motion,
        }
    }

    /// Starts a change to `tick`. `previous` is the tick at which the cell stood before, where that predicts; the row's lanes
    /// are then extrapolated from their values there.
    pub(super) fn begin_change(&mut self, previous: Option<Tick>, tick: Tick) {
        let motion = &mut self.motion;
        motion.is_predicted = previous.is_some_and(|previous| motion.entered <= previous);
        // A row that the last snapshot did not change had the same lanes before.
        let has_just_changed = previous.is_some_and(|previous| motion.changed > previous)
            && motion.before.len() == self.lanes.len();
        if !has_just_changed {
            motion.before.clear();
            motion.before.extend_from_slice(&self.lanes);
        }
        motion.changed = tick;
    }

    /// Whether [`Self::begin_change`] was called for this tick.
    pub(super) fn is_changing(&self, tick: Tick) -> bool {
        self.motion.changed == tick
    }

    /// Whether the change being read is predicted.
    pub(super) fn is_predicted(&self) -> bool {
        self.motion.is_predicted
    }

    /// Sets one lane to its predicted value plus the residual, and keeps the old value for the next prediction.
    pub(super) fn update_lane(&mut self, index: usize, lane: &Lane, residual: i32) {
        let (Some(value), Some(before)) =
            (self.lanes.get_mut(index), self.motion.before.get_mut(index))
        else {
            return;
        };
        let predicted = if self.motion.is_predicted {
            lane.extrapolate(*before, *value)
        } else {
            *value
        };
        *before = *value;
        *value = lane.add(predicted, residual);
    }

    /// The row's hash, as the server computes it.
    pub(super) fn hash(&self) -> u64 {
        hash::row_hash(
            self.id,
            self.lanes.iter().copied(),
            self.texts.iter().map(|text| &**text),
        )
    }
}
